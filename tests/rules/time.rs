//! Time: windows, deadlines to the millisecond, and the grace of a start. Next: `retention`.

use crate::scenario::check;

#[test]
fn a_sale_is_open_from_opens_at_until_just_before_closes_at() {
    check(
        "
        0 put   A stock=9 opens=100 closes=200
       99 order u1 A*1     -> 409 not_open A opens=100 now=99
      100 order u1 A*1     -> 201 held
      199 order u1 A*1     -> 201 held
      200 order u1 A*1     -> 410 closed A closes=200",
    );
}

#[test]
fn pause_and_window_stop_new_orders_only() {
    check(
        "
        0 put   A stock=9 closes=100
          order u1 A*1     -> 201 held as o1
          order u1 A*1     -> 201 held as o2
          order u1 A*1     -> 201 held as o3
          order u1 A*1 hold=500 -> 201 held as o4
      100 patch A paused=yes
          order u1 A*1     -> 410 closed A
          confirm o1       -> 200 confirmed
          ship    o1       -> 200 shipped
          complete o1      -> 200 completed
          refund  o1       -> 200 refunded
          cancel  o2       -> 200 cancelled
          extend  o3 400000 -> 200 held until=400100
      500 expire           -> expired o4",
    );
}

#[test]
fn a_hold_lives_until_just_before_its_deadline() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 hold=100 -> 201 held until=100 as o1
          order   u1 A*1 hold=100 -> 201 held until=100 as o2
       99 expire                  -> 0
          confirm o1              -> 200 confirmed
      100 confirm o2              -> 410 hold_expired
          get     o2              -> 200 expired",
    );
}

/// An action at the deadline expires the hold first swept or not.
#[test]
fn an_action_at_the_deadline_expires_the_hold_first() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 hold=100 -> 201 held as o1
          order   u1 A*1 hold=100 -> 201 held as o2
          order   u1 A*1 hold=100 -> 201 held as o3
          order   u1 A*1 hold=100 -> 201 held as o4
      100 confirm o1 key=k1       -> 410 hold_expired
          extend  o2 500 key=k2   -> 410 hold_expired
          cancel  o3 key=k3       -> 200 expired changed=before
          sku     A               -> 200 available=8 held=1
          expire                  -> expired o4
          cancel  o3 key=k3       -> 200 expired changed=before replayed
          key     k1              -> 404 unknown_request",
    );
}

#[test]
fn until_it_is_swept_a_due_hold_may_still_be_counted() {
    check(
        "
        0 put     A stock=1
          order   u1 A*1 hold=100 -> 201 held as o
      100 get     o               -> 200 held until=100
          order   u2 A*1          -> 409 sold_out A 1/0/1 retryable
          expire                  -> expired o
          order   u2 A*1          -> 201 held",
    );
}

#[test]
fn holds_expire_by_deadline_then_by_id() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 hold=300 -> 201 held as o1
          order   u1 A*1 hold=100 -> 201 held as o2
          order   u1 A*1 hold=200 -> 201 held as o3
          order   u1 A*1 hold=100 -> 201 held as o4
          extend  o2 250          -> 200 held until=250
      400 expire                  -> expired o4 expired o3 expired o2 expired o1",
    );
}

/// Whatever places orders before them have left free.
#[test]
fn equal_deadlines_expire_by_id() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=10 orders_retain=10
          order   u1 A*1 sell     -> 201 confirmed as a
          order   u1 A*1 sell     -> 201 confirmed as b
          order   u1 A*1 sell     -> 201 confirmed as c
       10 sweep                   -> archived a b c
          order   u1 A*1 hold=90  -> 201 held as o1
          order   u1 A*1 hold=90  -> 201 held as o2
          order   u1 A*1 hold=90  -> 201 held as o3
      100 expire                  -> expired o1 expired o2 expired o3",
    );
}

#[test]
fn a_start_gives_due_holds_their_grace_once_in_their_life() {
    check(
        "
        0 put     A stock=9
          settings grace=1000
          order   u1 A*1 hold=100 -> 201 held as o1
          order   u1 A*1 hold=500 -> 201 held as o2
          order   u1 A*1 hold=501 -> 201 held as o3
      500 start                   -> graced o1 o2
          get     o1              -> 200 held until=1500 changed=now
          get     o3              -> 200 held until=501 changed=before
          confirm o2              -> 200 confirmed
      501 expire                  -> expired o3
     1500 start                   -> 0
     1500 expire                  -> expired o1",
    );
}

#[test]
fn grace_may_pass_the_longest_hold() {
    check(
        "
        0 put     A stock=9
          settings hold_ms_max=200 grace=60000
          order   u1 A*1          -> 201 held until=200 as o
     5000 start                   -> graced o
          get     o               -> 200 held until=65000
          extend  o 100           -> 200 held until=65000
    64999 confirm o               -> 200 confirmed",
    );
}

#[test]
fn a_hold_in_its_grace_may_be_due_again_and_is_not_graced_twice() {
    check(
        "
        0 put     A stock=9
          settings grace=1000 hold_ms_max=100000
          order   u1 A*1 hold=100 -> 201 held as o
      100 start                   -> graced o
          extend  o 5000          -> 200 held until=5100
     6000 start                   -> 0
          confirm o               -> 410 hold_expired",
    );
}

#[test]
fn a_start_graces_more_holds_than_one_event_names() {
    let orders: String = (0..600).map(|user| format!("order u{user} A*1 hold=100\n")).collect();
    check(&format!(
        "0 put A stock=1000
         {orders}
         sku A -> 200 held=600
         500 start
         expire -> 0
         60499 expire -> 0
         sku A -> 200 held=600
         60500 expire
         sku A -> 200 available=1000 held=0"
    ));
}
