//! Draws: who may enter when, what becomes of a pick, and what a draw keeps from being done.
//!
//! A pick is made certain by weights: `A*1` alone always picks A, `A*0 blank=1` never does. Next:
//! `fairness`.

use crate::scenario::check;

/// A win is an ordinary order and its expiry brings the prize back.
#[test]
fn a_win_is_an_order_whose_expiry_brings_the_prize_back() {
    check(
        "
        0 put     A stock=1
          draw    D A*1 entries=9 hold=50  -> 201 D entries=0 per_user=9 version=now
          enter   D u1 key=k1              -> 201 #1 u1 won A o1 held until=50 as o1
          get     o1                       -> 200 held u1 A*1 until=50 at=0 changed=now
          sku     A                        -> 200 available=0 held=1
          enter   D u2 key=k2              -> 201 #2 u2 lost A no_stock
       50 sweep                            -> expired o1
          enter   D u2 key=k3              -> 201 #3 u2 won A held until=100 as o2
          confirm o2                       -> 200 confirmed
          refund  o2                       -> 200 refunded
          sku     A                        -> 200 available=1 sold=0
          user    u2                       -> 200 o2
          user    u1                       -> 200 o1",
    );
}

/// A draw that confirms sells at once and asks for no open holds.
#[test]
fn a_draw_that_confirms_sells_at_once() {
    check(
        "
        0 settings holds=1
          put     A stock=5
          put     B stock=5
          draw    D A*1 sell entries=0
          draw    E A*1 entries=0
          order   u1 B*1                   -> 201 held
          enter   E u1 key=k1              -> 409 hold_limit used=1 limit=1
          enter   D u1 key=k2              -> 201 #1 u1 won A confirmed
          sku     A                        -> 200 sold=1",
    );
}

#[test]
fn a_win_is_held_as_long_as_the_draw_the_sku_or_the_cap_says() {
    check(
        "
        0 settings hold_ms_default=40 hold_ms_max=100
          put     A stock=9 hold=30
          put     B stock=9
          draw    OWN A*1 hold=20
          draw    SKU A*1
          draw    DEFAULT B*1
          draw    CAP B*1 hold=200
          enter   OWN u1 key=k1            -> 201 won until=20
          enter   SKU u1 key=k2            -> 201 won until=30
          enter   DEFAULT u1 key=k3        -> 201 won until=40
          enter   CAP u1 key=k4            -> 201 won until=100",
    );
}

#[test]
fn every_reason_is_told_in_the_order_of_the_checks() {
    check(
        "
        0 put     A stock=1 limit=1 closes=100 paused
          draw    D A*1 entries=0
          draw    E A*0 blank=1
          draw    Z A*1 sell entries=0
      100 enter   D u1 key=k1              -> 201 #1 u1 lost A closed
          patch   A closes=- opens=200
          enter   D u1 key=k2              -> 201 #2 u1 lost A not_open
          patch   A opens=-
          enter   D u1 key=k3              -> 201 #3 u1 lost A paused
          patch   A paused=no
          enter   Z u1 key=k4              -> 201 #1 u1 won A confirmed
          enter   D u1 key=k5              -> 201 #4 u1 lost A user_limit
          enter   D u2 key=k6              -> 201 #5 u2 lost A no_stock
          adjust  A +1 key=k7
          enter   D u2 key=k8              -> 201 #6 u2 won A held
          enter   E u1 key=k9              -> 201 #1 u1 lost blank",
    );
}

#[test]
fn a_limit_counts_wins_and_orders_of_a_group_together() {
    check(
        "
        0 put     A stock=9 limit=2 group=g
          put     B stock=9 limit=2 group=g
          draw    D A*1 entries=0
          order   u1 B*1 sell              -> 201 confirmed
          enter   D u1 key=k1              -> 201 #1 u1 won A
          enter   D u1 key=k2              -> 201 #2 u1 lost A user_limit",
    );
}

#[test]
fn an_entry_meets_its_stages_in_order() {
    check(
        "
        0 settings holds=1 orders=2 entries=1
          put     A stock=9
          put     B stock=9
          order   u1 B*1                   -> 201 held
          draw    D A*1 opens=100 closes=200 entries=1
          draw    E B*1
          enter   NONE u1 key=k            -> 404 unknown_draw
       50 enter   D u1 key=k               -> 409 not_open opens=100 now=50
      100 enter   E u9 key=k9              -> 201 #1 u9 won B
          enter   D u9 key=k               -> 409 hold_limit used=1 limit=1
          enter   D u2 key=k               -> 503 capacity orders
          settings orders=9
          enter   D u2 key=k               -> 503 capacity entries
          settings entries=9
          enter   D u2 key=k               -> 201 #1 u2 won A
          enter   D u2 key=other           -> 409 entry_limit used=1 limit=1
      200 enter   D u2 key=other           -> 410 closed closes=200 now=200
          enter   D u2 key=k               -> 201 #1 u2 won A replayed
          enter   E u2 key=k               -> 422 idempotency_key_reused",
    );
}

#[test]
fn room_for_a_win_is_asked_for_whatever_the_pick() {
    check(
        "
        0 put     A stock=9
          put     B stock=9
          draw    D A*0 B*1 blank=1000000000 entries=0
          draw    E A*0 blank=1 entries=0
          settings users=1
          order   u1 A*1                   -> 409 draw_only A
          patch   A direct=yes
          order   u1 A*1                   -> 201 held
          enter   D u2 key=k               -> 503 capacity users
          settings users=9 uses=1
          enter   D u1 key=k               -> 503 capacity uses
          settings uses=9 keys=2
          enter   E u1 key=k1              -> 201 #1 u1 lost blank
          enter   E u1 key=k2              -> 201 #2 u1 lost blank
          enter   E u1 key=k3              -> 503 capacity keys
          settings keys=9 orders=1
          enter   E u1 key=k3              -> 503 capacity orders",
    );
}

#[test]
fn entries_are_never_given_back_and_a_later_limit_counts_them() {
    check(
        "
        0 put     A stock=9
          draw    D A*1 entries=0
          enter   D u1 key=k1              -> 201 #1 as o
          enter   D u1 key=k2              -> 201 #2
          cancel  o                        -> 200 cancelled
          draw    D A*1 entries=2 if=*     -> 200 per_user=2 version=now
          enter   D u1 key=k3              -> 409 entry_limit used=2 limit=2
          enter   D u2 key=k3              -> 201 #3 u2",
    );
}

/// Closing ends entries reveals the seed and always answers the same.
#[test]
fn closing_ends_entries_and_reveals_the_seed() {
    check(
        "
        0 put     A stock=9
          draw    D A*1 seed=7             -> 201 D entries=0 version=now now=0
          look    D                        -> 200 D entries=0 per_user=1 version=now now=0
        5 enter   D u1 key=k1              -> 201 #1
        6 close   D                        -> 200 D entries=1 closed=6 seed=7 version=now now=6
        9 close   D                        -> 200 D entries=1 closed=6 seed=7 version=now now=6
          close   D key=k2                 -> 200 D closed=6 version=now now=6
          close   D key=k2                 -> 200 D closed=6 version=now now=6 replayed
          key     k2                       -> 200 D closed=6 seed=7 version=now now=6
          enter   D u2 key=k3              -> 410 closed closes=6 now=9
          look    D                        -> 200 D closed=6 seed=7 version=before now=9
          close   NONE                     -> 404 unknown_draw",
    );
}

#[test]
fn past_its_window_a_draw_takes_no_entries_but_keeps_its_seed() {
    check(
        "
        0 put     A stock=9
          draw    D A*1 closes=5 seed=7
        5 enter   D u1 key=k1              -> 410 closed closes=5
          look    D                        -> 200 D entries=0 per_user=1 closes=5 version=now
          order   u1 A*1                   -> 409 draw_only A
          draw    D A*1 closes=9 if=*      -> 200 closes=9 version=now
          enter   D u1 key=k1              -> 201 #1 u1 won A
        8 close   D key=k2                 -> 200 closed=8 seed=7
          enter   D u2 key=k3              -> 410 closed closes=8 now=8
        9 enter   D u2 key=k3              -> 410 closed closes=8 now=9",
    );
}

/// Only window and entries of a draw change and only until it is closed.
#[test]
fn only_window_and_entries_of_an_open_draw_change() {
    check(
        "
        0 draw    D A*1                    -> 404 unknown_sku A
          put     A stock=9
          put     B stock=9
          draw    D A*1 if=*               -> 412 version_mismatch absent
          draw    D A*1 B*2 blank=3 if=absent -> 201 version=now
          draw    D A*1 B*2 blank=3        -> 200 version=now
          look    A                        -> 404 unknown_draw
          draw    D A*1 B*2 blank=3 entries=2           -> 428 if_match_required
          draw    D A*1 B*2 blank=3 entries=2 if=1      -> 412 version_mismatch
          draw    D A*1 B*2 blank=3 entries=2 if=absent -> 412 version_mismatch
          draw    D A*1 B*2 blank=3 entries=2 opens=7 if=current -> 200 per_user=2 opens=7 version=now
          draw    D A*1 B*2 blank=4 if=*   -> 409 in_use fixed
          draw    D A*1 B*2 blank=4        -> 428 if_match_required
          draw    D B*2 A*1 blank=3 if=*   -> 409 in_use fixed
          draw    D A*1 B*2 blank=3 sell if=*    -> 409 in_use fixed
          draw    D A*1 B*2 blank=3 hold=9 if=*  -> 409 in_use fixed
          draw    D A*1 C*2 if=*           -> 404 unknown_sku C
        9 close   D                        -> 200 closed=9
          draw    D A*1 B*2 blank=3 entries=2 opens=7   -> 200 version=now now=9
          draw    D A*1 B*2 blank=3 entries=3 if=*      -> 410 closed closes=9",
    );
}

#[test]
fn a_prize_cannot_be_ordered_past_its_draw_unless_it_says_so() {
    check(
        "
        0 put     A stock=9
          put     B stock=9
          draw    D A*1 opens=1000
          order   u1 A*1                   -> 409 draw_only A
          order   u1 B*1 A*1               -> 409 draw_only A
          count_refusals
          sku     A                        -> 200 draw_only=2
          patch   A direct=yes
          order   u1 A*1                   -> 201 held
          patch   A direct=no
          draw    E A*1
          close   D                        -> 200
          order   u1 A*1                   -> 409 draw_only A
          close   E                        -> 200
          order   u1 A*1                   -> 201 held",
    );
}

#[test]
fn the_stage_of_draws_is_behind_the_pause_and_before_the_limits() {
    check(
        "
        0 put     A stock=0 limit=1 paused
          draw    D A*1
          order   u1 A*2                   -> 409 paused A
          patch   A paused=no
          order   u1 A*2                   -> 409 draw_only A
          patch   A direct=yes
          order   u1 A*2                   -> 409 user_limit A",
    );
}

/// An expired win may be taken again another order of a prize may not.
#[test]
fn only_an_expired_win_of_a_prize_may_be_taken_again() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 hold=10           -> 201 held as early
          draw    D A*1 hold=10 entries=0
          draw    E A*1 hold=10 entries=0
          enter   D u1 key=k1              -> 201 won as won
          enter   E u1 key=k2              -> 201 won as other
       20 confirm early reacquire          -> 409 draw_only A
          confirm won reacquire            -> 200 confirmed
          close   E
          confirm other reacquire          -> 409 draw_only A
          patch   A direct=yes
          confirm other reacquire          -> 200 confirmed
          patch   A direct=no
          close   D
          confirm early reacquire          -> 200 confirmed",
    );
}

#[test]
fn a_sku_cannot_go_while_an_unclosed_draw_names_it() {
    check(
        "
        0 put     A stock=9
          draw    D A*1 blank=1
          delete  A if=*                   -> 409 in_use held=0
          enter   D u1 key=k1              -> 201 #1
          close   D
          draw    E A*1
          delete  A if=*                   -> 409 in_use
          close   E
          cancel  1-5
          delete  A if=*                   -> 204
          look    D                        -> 200 D entries=1
          start                            -> 0
          draw    D A*1 blank=1            -> 200
          put     A stock=1                -> 201",
    );
}

#[test]
fn a_retry_of_a_lost_entry_loses_again_and_of_a_win_wins() {
    check(
        "
        0 put     A stock=1
          draw    D A*1 entries=0 hold=10
          enter   D u1 luck=x key=k1       -> 201 #1 u1 won A luck=x o held until=10 as o
          enter   D u2 key=k2              -> 201 #2 u2 lost A no_stock
       10 sweep                            -> expired o
          start                            -> 0
          enter   D u2 key=k2              -> 201 #2 u2 lost A no_stock replayed
          enter   D u1 luck=x key=k1       -> 201 #1 u1 won A luck=x o held until=10 replayed
          enter   D u1 key=k1              -> 422 idempotency_key_reused
          close   D
          enter   D u2 key=k2              -> 201 #2 u2 lost A no_stock replayed
          drop    D                        -> 204
          start                            -> 0
          enter   D u2 key=k2              -> 201 #2 u2 lost A no_stock replayed
          key     k1                       -> 201 #1 u1 won A luck=x o held until=10
          enter   D u3 key=k3              -> 404 unknown_draw",
    );
}

/// A draw goes after its closing and its entries once no key names them.
#[test]
fn a_draw_goes_after_its_closing() {
    check(
        "
        0 settings keys_retain=100 orders_retain=100
          put     A stock=9
          draw    D A*0 blank=1 entries=0
          drop    D                        -> 409 in_use unclosed
          drop    NONE                     -> 404 unknown_draw
          enter   D u1 key=k1              -> 201 #1
       50 enter   D u1 key=k2              -> 201 #2
          close   D
          drop    D if=1                   -> 412 version_mismatch
          drop    D if=current             -> 204
          look    D                        -> 404 unknown_draw
          entries D                        -> 404 unknown_draw
          draw    D A*1                    -> 201 D entries=0 version=now
      100 sweep                            -> forgot 1
          tables                           -> 200 draws=2/500 entries=2/5000
          start                            -> 0
      150 sweep                            -> forgot 1 entries 2
          tables                           -> 200 draws=1/500 entries=0/5000
          draw    E A*1
          close   E
          drop    E                        -> 204
          tables                           -> 200 draws=1/500
          sweep                            -> 0",
    );
}

/// From whatever number a page begins, it ends as it does for a user that is not there.
#[test]
fn no_number_tells_which_entry_of_another_principal_is_a_users() {
    let others: String =
        (0..1_005).map(|user| format!("enter D x{user} key=x{user} by=east\n")).collect();
    check(&format!(
        "0 put     A stock=1
          draw    D A*0 blank=1 entries=0
          enter   D u1 key=k1 by=east      -> 201 #1
          enter   D u2 key=k2 by=east      -> 201 #2
          {others}
          entries D by=west user=u2        -> 200
          entries D by=west user=u2 after=1 -> 200
          entries D by=west user=u2 after=2 -> 200
          entries D by=west user=u2 after=3 -> 200
          entries D by=west user=u3 after=3 -> 200
          entries D by=west                -> 200 next=1000"
    ));
}

#[test]
fn entries_of_others_show_once_the_draw_is_closed() {
    check(
        "
        0 put     A stock=1
          draw    D A*1 entries=0
          enter   D u1 key=k1 by=east      -> 201 #1 as o
          enter   D u2 key=k2 by=west      -> 201 #2
          enter   D u1 key=k3 by=east      -> 201 #3
          entries D by=east                -> 200 #1 u1 won A o held until=300000 #3 u1 lost A no_stock
          entries D by=west                -> 200 #2 u2 lost A no_stock
          entries D by=admin               -> 200
          entries D by=west user=u1        -> 200
          entries D by=west limit=1        -> 200 #2 u2 lost A no_stock
          entries D by=east limit=1        -> 200 #1 u1 won A o held until=300000 next=1
          close   D
          entries D by=west limit=2        -> 200 #1 u1 won A #2 u2 lost A no_stock next=2
          entries D by=east limit=1        -> 200 #1 u1 won A o held until=300000 next=1
          entries D by=west after=2        -> 200 #3 u1 lost A no_stock
          entries D after=3                -> 200
          entries D after=4000000000       -> 200
          entries D user=u1 limit=1        -> 200 #1 u1 won A next=1
          entries D user=u1 after=1        -> 200 #3 u1 lost A no_stock
          entries D user=u1 after=2        -> 200 #3 u1 lost A no_stock
          entries D user=u1 after=3        -> 200
          entries D user=u3                -> 200",
    );
}

#[test]
fn a_win_whose_order_has_left_is_still_a_win() {
    check(
        "
        0 settings keys_retain=10 orders_retain=20
          put     A stock=1
          draw    D A*1 sell
          enter   D u1 key=k               -> 201 #1 u1 won A o confirmed as o
       20 sweep                            -> forgot 1 archived o
          entries D                        -> 200 #1 u1 won A
          start                            -> 0
          entries D                        -> 200 #1 u1 won A",
    );
}

#[test]
fn draws_and_entries_have_caps_of_their_own() {
    check(
        "
        0 put     A stock=9
          settings draws=1 entries=2
          draw    D A*0 blank=1 entries=0  -> 201
          draw    E A*1                    -> 503 capacity draws
          enter   D u1 key=k1              -> 201
          enter   D u1 key=k2              -> 201
          enter   D u1 key=k3              -> 503 capacity entries
          settings draws=9 entries=10
          start                            -> 0
          tables                           -> 200 draws=1/9 entries=2/10
          enter   D u1 key=k3              -> 201
          enter   D u1 key=k4 by=east      -> 201
          enter   D u1 key=k5              -> 201
          enter   D u1 key=k6              -> 201
          enter   D u1 key=k7              -> 201
          enter   D u1 key=k8              -> 201
          enter   D u1 key=k9              -> 201
          enter   D u1 key=k10             -> 201
          enter   D u1 key=k11             -> 503 capacity entries
          enter   D u1 key=k11 by=east     -> 503 capacity entries",
    );
}
