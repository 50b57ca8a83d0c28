//! Limits per user: units of a SKU or group, and open holds. Next: `sku_changes`.

use crate::scenario::check;

#[test]
fn a_user_may_have_as_many_units_as_the_limit_says() {
    check(
        "
        0 put   A stock=9 limit=2
          order u1 A*1         -> 201 held
          order u1 A*2         -> 409 user_limit A limit=2 used=1 requested=2
          order u1 A*1 sell    -> 201 confirmed
          order u1 A*1         -> 409 user_limit A limit=2 used=2 requested=1
          order u2 A*3         -> 409 user_limit A limit=2 used=0 requested=3
          order u2 A*2         -> 201 held",
    );
}

#[test]
fn no_limit_and_limit_zero_are_one() {
    check(
        "
        0 put   A stock=9 limit=0
          order u1 A*9         -> 201 held",
    );
}

#[test]
fn use_comes_back_by_cancel_expiry_and_any_refund() {
    check(
        "
        0 put   A stock=99 limit=2
          order u1 A*2 hold=100 -> 201 held as o1
          order u1 A*1          -> 409 user_limit A used=2
          cancel o1
          order u1 A*2 hold=100 -> 201 held as o2
          order u1 A*1          -> 409 user_limit A used=2
      100 expire                -> expired o2
          order u1 A*2 sell     -> 201 confirmed as o3
          refund o3 A*1 key=k1
          order u1 A*2          -> 409 user_limit A limit=2 used=1 requested=2
          refund o3 A*1 gone key=k2 -> 200 refunded
          order u1 A*2          -> 201 held as o4
          order u1 A*1          -> 409 user_limit A used=2
          confirm o4
          ship o4
          refund o4
          order u1 A*2          -> 201 held",
    );
}

#[test]
fn a_limit_set_later_counts_what_was_taken_before() {
    check(
        "
        0 put   A stock=99
          order u1 A*2 sell     -> 201 confirmed
          order u1 A*1          -> 201 held
          order u2 A*1 sell     -> 201 confirmed as theirs
          refund theirs
          patch A limit=3
          order u1 A*1          -> 409 user_limit A limit=3 used=3 requested=1
          order u2 A*3          -> 201 held",
    );
}

#[test]
fn lowering_a_limit_refuses_new_units_only() {
    check(
        "
        0 put   A stock=99 limit=5
          order u1 A*4          -> 201 held as o
          patch A limit=2       -> 200 limit=2
          confirm o             -> 200 confirmed
          order u1 A*1          -> 409 user_limit A limit=2 used=4 requested=1
          patch A limit=-       -> 200 limit=0
          order u1 A*1          -> 201 held",
    );
}

#[test]
fn a_group_counts_its_members_of_now_together() {
    check(
        "
        0 put   A stock=9 limit=2 group=shoes
          put   B stock=9 limit=3 group=shoes
          put   C stock=9 limit=1 group=hats
          order u1 A*1          -> 201 held
          order u1 B*1          -> 201 held
          order u1 A*1          -> 409 user_limit A limit=2 used=2 requested=1
          order u1 B*1          -> 201 held
          order u1 B*1          -> 409 user_limit B limit=3 used=3 requested=1
          order u1 C*1          -> 201 held
          patch B group=-
          order u1 A*1          -> 201 held
          order u1 A*1          -> 409 user_limit A limit=2 used=2 requested=1
          order u1 B*1          -> 201 held
          order u1 B*1          -> 409 user_limit B limit=3 used=3 requested=1
          patch C group=shoes limit=9
          order u1 A*1          -> 409 user_limit A limit=2 used=3 requested=1",
    );
}

#[test]
fn a_member_without_a_limit_of_its_own_counts_for_the_others() {
    check(
        "
        0 put   A stock=9 limit=2 group=shoes
          put   B stock=9 group=shoes
          order u1 B*5          -> 201 held
          order u1 B*1          -> 201 held
          order u1 A*1          -> 409 user_limit A limit=2 used=6 requested=1",
    );
}

#[test]
fn lines_before_count_for_the_lines_after() {
    check(
        "
        0 put   A stock=9 limit=3 group=shoes
          put   B stock=9 limit=2 group=shoes
          put   C stock=9 limit=1
          order u1 A*2 B*1      -> 409 user_limit B limit=2 used=2 requested=1
          order u1 B*1 A*2      -> 201 held as o
          cancel o
          order u1 C*1 A*1 B*1  -> 201 held
          order u1 A*1 B*1      -> 409 user_limit B limit=2 used=3 requested=1",
    );
}

#[test]
fn limits_are_global_over_principals() {
    check(
        "
        0 put   A stock=9 limit=1
          settings holds=1
          order u1 A*1 by=east  -> 201 held as o
          order u1 A*1 by=west  -> 409 user_limit A limit=1 used=1 requested=1
          put   B stock=9
          order u1 B*1 by=west  -> 409 hold_limit used=1 limit=1",
    );
}

#[test]
fn a_user_has_at_most_so_many_open_holds() {
    let eight: String = (0..8).map(|_| "order u1 A*1 -> 201 held\n").collect();
    check(&format!(
        "0 put A stock=99
         {eight}
         order u1 A*1           -> 409 hold_limit used=8 limit=8
         order u2 A*1           -> 201 held
         order u1 A*1 sell      -> 201 confirmed
         order u1 A*1           -> 409 hold_limit used=8 limit=8
         settings holds=0
         order u1 A*1           -> 201 held
         settings holds=3
         order u1 A*1           -> 409 hold_limit used=9 limit=3"
    ));
}

#[test]
fn a_hold_that_ends_is_open_no_more() {
    check(
        "
        0 put   A stock=99
          settings holds=1
          order u1 A*1 hold=10  -> 201 held as o1
          confirm o1
          order u1 A*1 hold=10  -> 201 held as o2
          cancel o2
          order u1 A*1 hold=10  -> 201 held as o3
          order u1 A*1          -> 409 hold_limit used=1 limit=1
       10 expire                -> expired o3
          order u1 A*1 hold=10  -> 201 held",
    );
}

#[test]
fn limits_go_before_stock() {
    check(
        "
        0 put   A stock=1 limit=1
          order u1 A*1 sell     -> 201 confirmed
          order u1 A*1          -> 409 user_limit A limit=1 used=1 requested=1
          order u2 A*2          -> 409 user_limit A limit=1 used=0 requested=2
          order u2 A*1          -> 409 sold_out A 1/0/0
          put   B stock=0
          settings holds=1
          put   C stock=1
          order u3 C*1          -> 201 held
          order u3 B*1          -> 409 hold_limit used=1 limit=1",
    );
}
