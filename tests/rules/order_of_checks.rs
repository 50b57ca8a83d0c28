//! Which refusal answers where several would fit: the stages in their order, each over all lines.
//! Next: `idempotency`.

use crate::scenario::check;

/// Each stage is taken away, the first one first, and the next refusal shows.
#[test]
fn a_new_order_meets_its_stages_in_order() {
    check(
        "
        0 put   OLD stock=0 limit=1 closes=50 paused
          put   NEW stock=0 limit=1 opens=150 paused
          put   B stock=9
          settings holds=1 orders=2
          order u1 B*1                          -> 201 held
          order u2 B*1                          -> 201 held
      100 order u1 NEW*2 OLD*2 NONE*1           -> 404 unknown_sku NONE
          order u1 NEW*2 OLD*2                  -> 410 closed OLD closes=50
          patch OLD closes=-
          order u1 OLD*2 NEW*2                  -> 409 not_open NEW opens=150
          patch NEW opens=-
          order u1 OLD*2 NEW*2                  -> 409 paused OLD
          patch OLD paused=no
          order u1 OLD*2 NEW*2                  -> 409 paused NEW
          patch NEW paused=no
          order u1 OLD*2 NEW*2                  -> 409 user_limit OLD limit=1 used=0 requested=2
          order u1 OLD*1 NEW*2                  -> 409 user_limit NEW limit=1 used=0 requested=2
          order u1 OLD*1 NEW*1                  -> 409 hold_limit used=1 limit=1
          order u1 OLD*1 NEW*1 sell             -> 409 sold_out OLD 1/0/0 NEW 1/0/0
          order u1 B*1 sell                     -> 503 capacity orders",
    );
}

#[test]
fn a_stage_goes_over_all_lines_before_the_next() {
    check(
        "
        0 put   A stock=9 paused
          put   B stock=9 opens=100
          put   C stock=9 closes=10
       50 order u1 A*1 B*1 C*1                  -> 410 closed C
          order u1 A*1 B*1                      -> 409 not_open B
          order u1 A*1 NONE*1 ALSO*1            -> 404 unknown_sku NONE",
    );
}

#[test]
fn a_key_goes_before_everything_else() {
    check(
        "
        0 put   A stock=1
          order u1 A*1 sell key=k               -> 201 confirmed as o
          patch A paused=yes
          order u1 A*1 sell key=k               -> 201 confirmed replayed
          order u1 NONE*1 key=k                 -> 422 idempotency_key_reused
          confirm 9-9 key=k                     -> 422 idempotency_key_reused
          adjust NONE +1 key=k                  -> 422 idempotency_key_reused",
    );
}

#[test]
fn existence_goes_before_if_match_and_that_before_the_rest() {
    check(
        "
        0 adjust A =0 if=*                      -> 404 unknown_sku A
          patch  A limit=1 if=*                 -> 404 unknown_sku A
          delete A                              -> 404 unknown_sku A
          put    A stock=5 opens=50 closes=60   -> 201
          order  u1 A*1                         -> 409 not_open
          patch  A opens=-
          order  u1 A*3                         -> 201 held
          put    A stock=1 if=1                 -> 412 version_mismatch
          put    A stock=1                      -> 428 if_match_required
          put    A stock=1 if=*                 -> 409 stock_below_committed held=3 sold=0
          adjust A =1                           -> 428 if_match_required
          adjust A =1 if=1                      -> 412 version_mismatch
          delete A                              -> 428 if_match_required
          delete A if=1                         -> 412 version_mismatch
          delete A if=current                   -> 409 in_use held=3",
    );
}

#[test]
fn status_goes_before_what_an_action_says() {
    check(
        "
        0 put    A stock=5
          order  u1 A*1                         -> 201 held as o
          refund o B*7 key=k                    -> 409 invalid_transition held
          settings keys=0
          ship   o key=k                        -> 409 invalid_transition held
          confirm o key=k                       -> 503 capacity keys
          confirm o                             -> 200 confirmed",
    );
}

#[test]
fn a_refusal_changes_nothing() {
    check("
        0 put    A stock=5 limit=2
          order  u1 A*3 key=k                   -> 409 user_limit
          order  u1 A*6 key=k                   -> 409 user_limit
          key    k                              -> 404 unknown_request
          tables                                -> 200 orders=0/5000 keys=0/5000 uses=0/5000 users=0/5000
          sku    A                              -> 200 available=5 version=now");
}

#[test]
fn refusals_are_counted_where_they_belong() {
    check(
        "
        0 put    A stock=1 limit=1
          put    B stock=9 opens=100
          settings holds=1
          order  u1 A*2                         -> 409 user_limit
          order  u1 A*1                         -> 201 held
          order  u1 B*1                         -> 409 not_open
          order  u2 A*1                         -> 409 sold_out
          order  u3 A*1                         -> 409 sold_out
          sku    A                              -> 200 available=0
          count_refusals
          sku    A                              -> 200 sold_out=2 user_limit=1 version=before
          sku    B                              -> 200 not_open=1
      200 order  u1 B*1                         -> 409 hold_limit
          patch  B paused=yes
          order  u1 B*1                         -> 409 paused
          put    B stock=9 closes=100 if=*
          order  u1 B*1                         -> 410 closed
          count_refusals
          sku    B                              -> 200 hold_limit=1 not_open=1 closed=1 paused=1",
    );
}
