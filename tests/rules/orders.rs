//! Orders: taking units, holds and deadlines, taking expired units again, giving sold ones back.
//!
//! The table of transitions is in `transitions`, time in `time`. Next: `limits`.

use crate::scenario::check;

#[test]
fn an_order_holds_its_units_until_its_deadline() {
    check(
        "
        0 put   A stock=5              -> 201 total=5 available=5 held=0 sold=0 version=now
        1 order u1 A*2 ref=shop-17 key=k -> 201 held until=300001 at=1 as o
        2 get   o                      -> 200 held u1 A*2 ref=shop-17 until=300001 at=1 changed=now
          sku   A                      -> 200 total=5 available=3 held=2 sold=0 version=before now=2
        3 confirm o                    -> 200 confirmed u1 A*2 ref=shop-17 at=1 changed=now
          sku   A                      -> 200 total=5 available=3 held=0 sold=2",
    );
}

#[test]
fn an_order_may_sell_at_once() {
    check(
        "
        0 put   A stock=5 hold=1000
        1 order u1 A*2 sell key=k      -> 201 confirmed at=1 as o
          get   o                      -> 200 confirmed u1 A*2 at=1 changed=now
          sku   A                      -> 200 available=3 held=0 sold=2
   999999 expire                       -> 0",
    );
}

#[test]
fn units_go_all_or_none_over_up_to_16_lines() {
    let ids: Vec<String> = (0..16).map(|number| format!("S{number:02}")).collect();
    let puts: String = ids.iter().map(|id| format!("put {id} stock=1\n")).collect();
    let lines: String = ids.iter().map(|id| format!(" {id}*1")).collect();
    let after: String =
        ids.iter().map(|id| format!("sku {id} -> 200 available=0 held=1\n")).collect();
    check(&format!(
        "0 {puts}
        order u1 {lines}  -> 201 held as o
        {after}
        order u2 {lines}  -> 409 sold_out S00 1/0/1 S01 1/0/1 S15 1/0/1 retryable
        cancel o          -> 200 cancelled
        order u2 S15*1 sell -> 201 confirmed
        order u3 {lines}  -> 409 sold_out S15 1/0/0
        sku S00           -> 200 available=1 held=0"
    ));
}

#[test]
fn sold_out_names_all_short_lines_and_whether_to_try_again() {
    check(
        "
        0 put   A stock=2
          put   B stock=3
          put   C stock=9
          order u1 A*2
          order u1 B*1 sell
        1 order u2 A*1 B*3 C*1 -> 409 sold_out A 1/0/2 B 3/2/0
          order u2 A*2 C*1     -> 409 sold_out A 2/0/2 retryable
          order u2 A*3         -> 409 sold_out A 3/0/2
          order u2 A*3 B*1     -> 409 sold_out A 3/0/2
          sku   C              -> 200 available=9 held=0",
    );
}

#[test]
fn the_last_unit_is_sold_exactly_once() {
    check(
        "
        0 put   A stock=1
        1 order u1 A*1 sell key=k -> 201 confirmed
        1 order u2 A*1 sell       -> 409 sold_out A 1/0/0
        1 order u1 A*1 sell key=k -> 201 confirmed replayed
          sku   A                 -> 200 total=1 available=0 held=0 sold=1",
    );
}

#[test]
fn a_sku_without_stock_refuses_everything() {
    check(
        "
        0 put   A stock=0
        1 order u1 A*1         -> 409 sold_out A 1/0/0
          order u1 A*1 sell    -> 409 sold_out A 1/0/0",
    );
}

#[test]
fn the_default_hold_is_the_smallest_over_the_lines() {
    check(
        "
        0 put   A stock=9 hold=50000
          put   B stock=9 hold=20000
          put   C stock=9
          put   D stock=9 hold=400000
          order u1 A*1 B*1     -> 201 held until=20000
          order u1 A*1 C*1     -> 201 held until=50000
          order u1 C*1 D*1     -> 201 held until=300000
          order u1 D*1         -> 201 held until=400000
          order u1 A*1 hold=70000 -> 201 held until=70000",
    );
}

#[test]
fn a_hold_is_capped_whatever_its_source() {
    check(
        "
        0 put   A stock=9 hold=2000000
          put   B stock=9
          order u1 A*1                 -> 201 held until=1800000
          order u1 B*1 hold=2592000000 -> 201 held until=1800000
          settings hold_ms_default=9000 hold_ms_max=5000
          order u1 B*1                 -> 201 held until=5000
          order u1 B*1 hold=4000       -> 201 held until=4000",
    );
}

/// Extending never shortens and never passes the cap from creation.
#[test]
fn extending_never_shortens_and_never_passes_the_cap() {
    check(
        "
        0 put    A stock=9
          settings hold_ms_max=10000
          order  u1 A*1 hold=5000     -> 201 held until=5000 as o
          order  u2 A*1               -> 201 held
     1000 extend o 1000               -> 200 held until=5000 changed=before
     1000 extend o 6000               -> 200 held until=7000 changed=now
     1000 extend o 6000               -> 200 held until=7000
     2000 extend o 2592000000         -> 200 held until=10000 changed=now
     9999 extend o 2592000000         -> 200 held until=10000
          settings hold_ms_max=3000
          extend o 2592000000         -> 200 held until=10000 changed=before
    10000 confirm o                   -> 410 hold_expired",
    );
}

/// A hundredth of the hold that is asked for, 100 ms, or a half of a hold that is shorter than 200
/// ms.
#[test]
fn extending_by_little_leaves_the_order_as_it_is() {
    check(
        "
        0 put    A stock=9
          settings hold_ms_max=100000
          order  u1 A*1 hold=20000    -> 201 held until=20000 as o
          order  u2 A*1               -> 201 held
      199 extend o 20000              -> 200 held until=20000 changed=before
      200 extend o 20000              -> 200 held until=20200 changed=now
          order  u1 A*1 hold=5000     -> 201 held until=5200 as p
          order  u2 A*1               -> 201 held
      299 extend p 5000               -> 200 held until=5200 changed=before
      300 extend p 5000               -> 200 held until=5300 changed=now
          order  u1 A*1 hold=100      -> 201 held until=400 as q
          order  u2 A*1               -> 201 held
      349 extend q 100                -> 200 held until=400 changed=before
          extend q 100 key=k          -> 200 held until=400 changed=before
      350 extend q 100 key=k          -> 200 held until=400 changed=before replayed
          extend q 100                -> 200 held until=450 changed=now",
    );
}

#[test]
fn the_last_step_to_the_cap_may_be_a_small_one() {
    check(
        "
        0 put    A stock=9
          settings hold_ms_max=100000
          order  u1 A*1 hold=99999    -> 201 held until=99999 as o
        1 extend o 100000             -> 200 held until=100000 changed=now
          order  u2 A*1               -> 201 held
        2 extend o 100000             -> 200 held until=100000 changed=before",
    );
}

#[test]
fn cancelled_and_expired_units_are_on_sale_again() {
    check(
        "
        0 put    A stock=2
          order  u1 A*1 hold=10 -> 201 held as o1
          order  u2 A*1 hold=20 -> 201 held as o2
          order  u3 A*1         -> 409 sold_out A 1/0/2 retryable
        5 cancel o2             -> 200 cancelled u2 A*1 changed=now
          sku    A              -> 200 available=1 held=1
       10 expire                -> expired o1
          get    o1             -> 200 expired u1 A*1 changed=now
          sku    A              -> 200 total=2 available=2 held=0 sold=0",
    );
}

#[test]
fn an_expired_order_takes_its_units_again() {
    check(
        "
        0 put    A stock=2
          put    B stock=2
          order  u1 A*1 B*2 hold=10    -> 201 held as o
       10 confirm o                    -> 410 hold_expired
          confirm o reacquire          -> 200 confirmed u1 A*1 B*2 changed=now
          sku    A                     -> 200 available=1 held=0 sold=1
          sku    B                     -> 200 available=0 held=0 sold=2
          sku    B                     -> 200 available=0
          confirm o reacquire          -> 200 confirmed
          sku    A                     -> 200 available=1 held=0 sold=1",
    );
}

#[test]
fn reacquire_on_a_live_hold_is_a_plain_confirm() {
    check(
        "
        0 put    A stock=1
          order  u1 A*1 hold=10        -> 201 held as o
          patch  A paused=yes
        9 confirm o reacquire          -> 200 confirmed
          order  u1 A*1                -> 409 paused A",
    );
}

#[test]
fn reacquire_checks_pause_limits_and_stock_but_not_the_window() {
    check(
        "
        0 put    A stock=2 limit=1 closes=100
          order  u1 A*1 hold=10        -> 201 held as o
       20 patch  A paused=yes
          confirm o reacquire          -> 409 paused A
          patch  A paused=-
          order  u1 A*1                -> 201 held until=300020 as other
          confirm o reacquire          -> 409 user_limit A limit=1 used=1 requested=1
       30 cancel other
          order  u2 A*1                -> 201 held as theirs
          order  u3 A*1 sell           -> 201 confirmed
          confirm o reacquire          -> 409 sold_out A 1/0/1 retryable
          get    theirs                -> 200 held
          cancel theirs
      200 order  u4 A*1                -> 410 closed A closes=100
          confirm o reacquire          -> 200 confirmed",
    );
}

#[test]
fn reacquire_needs_no_open_hold() {
    check(
        "
        0 put    A stock=9
          settings holds=1
          order  u1 A*1 hold=10        -> 201 held as o
       10 expire                       -> expired o
          order  u1 A*1                -> 201 held
          order  u1 A*1                -> 409 hold_limit used=1 limit=1
          confirm o reacquire          -> 200 confirmed",
    );
}

#[test]
fn a_refund_without_lines_gives_all_that_is_left_back() {
    check(
        "
        0 put    A stock=5
          put    B stock=5
          order  u1 A*3 B*2 sell       -> 201 confirmed as o
          refund o A*1 key=k           -> 200 confirmed u1 A*3-1 B*2 changed=now
          sku    A                     -> 200 total=5 available=3 sold=2 version=before
          refund o                     -> 200 refunded u1 A*3-3 B*2-2 changed=now
          sku    A                     -> 200 total=5 available=5 held=0 sold=0 version=before
          sku    B                     -> 200 total=5 available=5 held=0 sold=0",
    );
}

#[test]
fn an_order_is_refunded_when_nothing_is_left_of_it() {
    check(
        "
        0 put    A stock=5
          put    B stock=5
          order  u1 A*2 B*1 sell       -> 201 confirmed as o
          ship   o
          refund o B*1 key=k1          -> 200 shipped u1 A*2 B*1-1
          complete o
          refund o A*1 key=k2          -> 200 completed u1 A*2-1 B*1-1
          refund o A*1 key=k3          -> 200 refunded u1 A*2-2 B*1-1
          refund o A*1 key=k4          -> 200 refunded changed=before",
    );
}

#[test]
fn more_than_is_left_or_a_foreign_sku_is_no_refund() {
    check(
        "
        0 put    A stock=5
          put    B stock=5
          order  u1 A*2 sell           -> 201 confirmed as o
          refund o A*3 key=k           -> 422 invalid lines
          refund o B*1 key=k           -> 422 invalid lines
          refund o A*1 B*1 key=k       -> 422 invalid lines
          sku    A                     -> 200 available=3 sold=2
          refund o A*1 key=k           -> 200 confirmed u1 A*2-1
          refund o A*2 key=k2          -> 422 invalid lines
          order  u1 B*1                -> 201 held as held
          refund held B*9 key=k3       -> 409 invalid_transition held
          refund o                     -> 200 refunded
          refund o B*9 key=k3          -> 200 refunded",
    );
}

#[test]
fn units_that_are_not_restocked_leave_sold_and_total() {
    check(
        "
        0 put    A stock=5
          order  u1 A*3 sell           -> 201 confirmed as o
          sku    A                     -> 200 total=5 available=2 sold=3 version=before
          refund o A*1 gone key=k      -> 200 confirmed A*3-1
          sku    A                     -> 200 total=4 available=2 sold=2 version=now
          refund o gone                -> 200 refunded
          sku    A                     -> 200 total=2 available=2 sold=0 version=now",
    );
}

#[test]
fn a_line_that_gives_nothing_back_leaves_the_version() {
    check(
        "
        0 put    A stock=5
          put    B stock=5
          order  u1 A*1 B*1 sell       -> 201 confirmed as o
          refund o A*1 gone key=k      -> 200 confirmed
          refund o gone                -> 200 refunded
          sku    A                     -> 200 total=4 version=before
          sku    B                     -> 200 total=4 version=now",
    );
}

#[test]
fn another_principals_order_does_not_exist() {
    check(
        "
        0 put    A stock=5
          order  u1 A*1 by=shop        -> 201 held as o
          get    o by=other            -> 404 unknown_order
          confirm o by=other           -> 404 unknown_order
          cancel o by=other key=k      -> 404 unknown_order
          get    o by=admin            -> 200 held
          get    9-9                   -> 404 unknown_order
          ship   1-2                   -> 404 unknown_order
          confirm o by=admin key=k     -> 200 confirmed
          refund o                     -> 200 refunded",
    );
}

#[test]
fn an_id_of_another_epoch_is_another_order() {
    check(
        "
        0 put    A stock=5
          order  u1 A*1 sell           -> 201 confirmed as o
          start
          get    1-4                   -> 200 confirmed
          get    2-4                   -> 404 unknown_order
          order  u1 A*1 sell           -> 201 confirmed
          get    2-6                   -> 200 confirmed",
    );
}
