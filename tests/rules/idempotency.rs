//! Keys: the same answer again, another command refused, what is remembered and what is not.
//!
//! That a replay equals the first answer field by field is checked by every scenario. Next:
//! `retention`.

use crate::scenario::check;

#[test]
fn the_same_key_and_command_get_the_first_answer() {
    check(
        "
        0 put     A stock=5 limit=1
          order   u1 A*1 key=k      -> 201 held until=300000 as o
       50 order   u1 A*1 key=k      -> 201 held until=300000 at=0 replayed
          confirm o key=c           -> 200 confirmed changed=now
          cancel  o key=x           -> 409 invalid_transition confirmed
          refund  o key=r           -> 200 refunded
       60 order   u1 A*1 key=k      -> 201 held until=300000 at=0 replayed
          confirm o key=c           -> 200 confirmed A*1 changed=now replayed
          get     o                 -> 200 refunded
          sku     A                 -> 200 available=5",
    );
}

#[test]
fn the_same_key_for_something_else_is_refused() {
    check(
        "
        0 put     A stock=5
          put     B stock=5
          order   u1 A*1 key=k      -> 201 held as o
          order   u1 A*2 key=k      -> 422 idempotency_key_reused
          order   u2 A*1 key=k      -> 422 idempotency_key_reused
          order   u1 B*1 key=k      -> 422 idempotency_key_reused
          order   u1 A*1 hold=1 key=k -> 422 idempotency_key_reused
          order   u1 A*1 sell key=k -> 422 idempotency_key_reused
          order   u1 A*1 ref=x key=k -> 422 idempotency_key_reused
          confirm o key=k           -> 422 idempotency_key_reused
          sku     A                 -> 200 available=4",
    );
}

#[test]
fn keys_belong_to_their_principal() {
    check(
        "
        0 put     A stock=5
          order   u1 A*1 key=k by=east -> 201 held
          order   u2 A*2 key=k by=west -> 201 held
          order   u1 A*1 key=k by=east -> 201 held replayed
          key     k by=east            -> 201 held u1 A*1
          key     k by=west            -> 201 held u2 A*2
          key     k by=admin           -> 404 unknown_request",
    );
}

#[test]
fn a_refused_key_is_free_again() {
    check(
        "
        0 put     A stock=1
          order   u1 A*2 key=k      -> 409 sold_out
          order   u1 A*1 key=k      -> 201 held as o
          ship    o key=s           -> 409 invalid_transition
          cancel  o key=s           -> 200 cancelled",
    );
}

#[test]
fn the_last_units_winner_gets_its_201_again() {
    check(
        "
        0 put     A stock=1 limit=1 closes=100
          order   u1 A*1 sell key=k -> 201 confirmed
          order   u1 A*1 sell key=k -> 201 confirmed replayed
          patch   A paused=yes
      100 order   u1 A*1 sell key=k -> 201 confirmed replayed
          order   u1 A*1 sell key=j -> 410 closed
          delete  A if=*            -> 204
          order   u1 A*1 sell key=k -> 201 confirmed replayed",
    );
}

/// The first answer must not be shown through what the order became later.
#[test]
fn every_kind_of_answer_is_replayed_as_it_was() {
    check(
        "
        0 put     A stock=9
          put     B stock=9
          order   u1 A*3 B*2 hold=100 ref=r key=1 -> 201 held until=100 as o
       10 extend  o 200 key=2       -> 200 held until=210
       20 confirm o key=3           -> 200 confirmed A*3 B*2
          confirm o key=4           -> 200 confirmed changed=before
          refund  o B*1 key=5       -> 200 confirmed A*3 B*2-1
          ship    o key=6           -> 200 shipped A*3 B*2-1
          complete o key=7          -> 200 completed A*3 B*2-1
          refund  o A*1 gone key=8  -> 200 completed A*3-1 B*2-1
          refund  o key=9           -> 200 refunded A*3-3 B*2-2
       90 order   u1 A*3 B*2 hold=100 ref=r key=1 -> 201 held until=100 replayed
          extend  o 200 key=2       -> 200 held A*3 B*2 ref=r until=210 changed=now replayed
          confirm o key=3           -> 200 confirmed A*3 B*2 changed=now replayed
          confirm o key=4           -> 200 confirmed A*3 B*2 changed=before replayed
          refund  o B*1 key=5       -> 200 confirmed A*3 B*2-1 changed=now replayed
          ship    o key=6           -> 200 shipped A*3 B*2-1 changed=now replayed
          complete o key=7          -> 200 completed A*3 B*2-1 changed=now replayed
          refund  o A*1 gone key=8  -> 200 completed A*3-1 B*2-1 replayed
          refund  o key=9           -> 200 refunded A*3-3 B*2-2 replayed",
    );
}

#[test]
fn a_keyed_action_that_changes_nothing_is_remembered() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 hold=100   -> 201 held as o
          cancel  o                 -> 200 cancelled
          cancel  o key=k           -> 200 cancelled changed=before
          cancel  o key=k           -> 200 cancelled replayed
          key     k                 -> 200 cancelled changed=before
          ship    o key=k           -> 422 idempotency_key_reused
          order   u1 A*1 hold=100   -> 201 held as p
          extend  p 1 key=e         -> 200 held changed=before
          extend  p 1 key=e         -> 200 held replayed
          extend  p 2 key=e         -> 422 idempotency_key_reused",
    );
}

#[test]
fn an_answer_of_another_epoch_is_replayed() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 hold=100 key=k -> 201 held until=100 as o
      200 start                     -> graced o
          order   u1 A*1 hold=100 key=k -> 201 held until=100 replayed
          get     o                 -> 200 held until=60200",
    );
}

#[test]
fn an_adjustment_is_replayed_with_the_sku_of_then() {
    check(
        "
        0 put     A stock=9
        5 adjust  A -2 key=k        -> 200 total=7 version=now now=5
        6 adjust  A -2 key=k        -> 200 total=7 version=now now=5 replayed
          order   u1 A*1
          patch   A limit=3
        7 adjust  A -2 key=k        -> 200 total=7 available=7 limit=0 now=5 replayed
          key     k                 -> 200 total=7 limit=0 version=now now=5
          adjust  A -3 key=k        -> 422 idempotency_key_reused
          adjust  A -2 reason=lost key=k -> 422 idempotency_key_reused
          sku     A                 -> 200 total=7
          adjust  A =7 if=* key=j   -> 200 total=7 version=before
          adjust  A =7 if=* key=j   -> 200 total=7 version=before replayed",
    );
}

#[test]
fn a_request_shows_the_answer_of_then() {
    check(
        "
        0 put     A stock=9
          key     k                 -> 404 unknown_request
          order   u1 A*2 hold=100 key=k -> 201 held as o
          confirm o key=c
          refund  o A*1 key=r       -> 200 confirmed A*2-1
          key     k                 -> 201 held u1 A*2 until=100 changed=now
          key     c                 -> 200 confirmed A*2 changed=now
          key     r                 -> 200 confirmed A*2-1 changed=now
      100 key     k                 -> 201 held u1 A*2 until=100",
    );
}
