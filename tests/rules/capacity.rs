//! Full tables: what is refused, what is not, who is refused first, what leaves early. Next:
//! `lists`.

use crate::scenario::check;

#[test]
fn a_full_table_of_orders_refuses_new_ones_and_serves_the_others() {
    check(
        "
        0 put     A stock=9
          settings orders=2
          order   u1 A*1 key=1    -> 201 held as o1
          order   u1 A*1 key=2    -> 201 held as o2
          order   u1 A*1 key=3    -> 503 capacity orders
          order   u1 A*1 key=1    -> 201 held replayed
          confirm o1 key=4        -> 200 confirmed
          cancel  o2 key=5        -> 200 cancelled
          order   u1 A*1 key=3    -> 503 capacity orders
          sku     A               -> 200 held=0 sold=1",
    );
}

#[test]
fn a_full_table_of_orders_lets_the_oldest_go_that_may() {
    check(
        "
        0 put     A stock=9
          settings orders=3 keys_retain=100 orders_retain=1000
          order   u1 A*1 hold=5000 -> 201 held as held
          order   u1 A*1 sell     -> 201 confirmed as o1
       50 order   u1 A*1 sell     -> 201 confirmed as o2
       99 order   u1 A*1 sell     -> 503 capacity orders
      100 order   u1 A*1 sell     -> 201 confirmed as o3
          get     o1              -> 404 unknown_order
          get     o2              -> 200 confirmed
          get     held            -> 200 held
          order   u1 A*1 sell     -> 503 capacity orders",
    );
}

#[test]
fn a_table_that_is_not_full_lets_nothing_go_early() {
    check(
        "
        0 put     A stock=9
          settings orders=3 keys_retain=100 orders_retain=1000
          order   u1 A*1 sell     -> 201 confirmed as o1
      500 order   u1 A*1 sell     -> 201 confirmed
          order   u1 A*1 sell     -> 201 confirmed
          get     o1              -> 200 confirmed",
    );
}

/// Only a new order needs the room.
#[test]
fn an_action_never_archives_the_order_it_is_about() {
    check(
        "
        0 put     A stock=9
          settings orders=1 keys_retain=100 orders_retain=1000
          order   u1 A*2 sell     -> 201 confirmed as o
      500 refund  o A*1 key=1     -> 200 confirmed A*2-1
          adjust  A +1 key=2      -> 200 total=10
          get     o               -> 200 confirmed",
    );
}

#[test]
fn a_full_table_of_keys_first_forgets_what_is_due() {
    check(
        "
        0 put     A stock=9
          settings keys=2 keys_retain=100
          order   u1 A*1 sell key=1 -> 201 confirmed as o
       10 order   u1 A*1 sell key=2 -> 201 confirmed
       99 order   u1 A*1 sell key=3 -> 503 capacity keys
          ship    o key=3          -> 503 capacity keys
          ship    o                -> 200 shipped
      100 order   u1 A*1 sell key=3 -> 201 confirmed
          order   u1 A*1 sell key=4 -> 503 capacity keys
          order   u1 A*1 sell      -> 201 confirmed",
    );
}

#[test]
fn the_last_tenth_of_the_keys_is_for_existing_orders() {
    let orders: String =
        (0..18).map(|key| format!("order u1 A*1 sell key=o{key} -> 201 confirmed\n")).collect();
    check(&format!(
        "0 put A stock=99
         settings keys=20
         order u1 A*1 sell        -> 201 confirmed as o
         {orders}
         order u1 A*1 sell key=x  -> 503 capacity keys
         adjust A +1 key=x        -> 503 capacity keys
         ship o key=x             -> 200 shipped
         complete o key=y         -> 200 completed
         complete o key=z         -> 503 capacity keys
         tables                   -> 200 keys=20/20"
    ));
}

#[test]
fn one_of_several_principals_may_not_fill_a_crowded_table_of_orders() {
    let eight: String = (0..8).map(|_| "order u1 A*1 sell by=east -> 201 confirmed\n").collect();
    check(&format!(
        "0 put A stock=99
         settings orders=10
         {eight}
         order u1 A*1 sell by=east -> 201 confirmed
         order u1 A*1 sell by=west -> 201 confirmed
         order u1 A*1 sell by=west -> 503 capacity orders"
    ));
    check(&format!(
        "0 put A stock=99
         settings orders=12
         order u1 A*1 sell by=west -> 201 confirmed
         {eight}
         order u1 A*1 sell by=east -> 201 confirmed
         order u1 A*1 sell by=east -> 503 capacity orders
         order u1 A*1 sell by=west -> 201 confirmed
         order u1 A*1 sell by=south -> 201 confirmed
         order u1 A*1 sell by=west -> 503 capacity orders"
    ));
}

#[test]
fn half_of_a_crowded_table_is_not_over_half() {
    let five = |by: &str| format!("order u1 A*1 sell by={by} -> 201 confirmed\n").repeat(5);
    check(&format!(
        "0 put A stock=99
         settings orders=12
         {}{}
         order u1 A*1 sell by=east -> 201 confirmed
         order u1 A*1 sell by=east -> 201 confirmed
         order u1 A*1 sell by=east -> 503 capacity orders",
        five("east"),
        five("west"),
    ));
}

#[test]
fn one_of_several_principals_may_not_fill_a_crowded_table_of_keys() {
    let eight: String = (0..7)
        .map(|key| format!("order u1 A*1 sell by=east key={key} -> 201 confirmed\n"))
        .collect();
    check(&format!(
        "0 put A stock=99
         settings keys=10
         order u1 A*1 sell by=west key=w -> 201 confirmed as w
         {eight}
         order u1 A*1 sell by=east key=x -> 503 capacity keys
         adjust A +1 by=east key=x       -> 503 capacity keys
         order u1 A*1 sell by=west key=x -> 201 confirmed
         order u1 A*1 sell by=west key=y -> 503 capacity keys
         ship w by=west key=y            -> 200 shipped"
    ));
}

#[test]
fn caps_on_users_and_uses_count_what_is_new() {
    check(
        "
        0 put     A stock=9
          put     B stock=9
          settings users=1 uses=2
          order   u1 A*1          -> 201 held as o
          order   u2 A*1          -> 503 capacity users
          order   u1 B*1          -> 201 held as p
          order   u1 A*1 B*1      -> 201 held
          put     C stock=9
          order   u1 A*1 C*1      -> 503 capacity uses
          cancel  p               -> 200 cancelled
          order   u1 C*1          -> 503 capacity uses
          patch   A limit=9",
    );
}

#[test]
fn reacquiring_needs_room_for_its_use() {
    check(
        "
        0 put     A stock=9
          put     B stock=9
          settings uses=1
          order   u1 A*1 hold=10  -> 201 held as o
       10 expire                  -> expired o
          order   u1 B*1          -> 201 held as p
          confirm o reacquire     -> 503 capacity uses
          cancel  p
          confirm o reacquire     -> 200 confirmed",
    );
}

#[test]
fn caps_on_skus_count_deleted_ones_that_orders_name() {
    check(
        "
        0 settings skus=2 keys_retain=100 orders_retain=100
          put     A stock=9       -> 201
          put     B stock=9       -> 201
          put     C stock=9       -> 503 capacity skus
          put     B stock=5 if=*  -> 200 total=5
          delete  B if=*          -> 204
          put     C stock=9       -> 201
          order   u1 A*1 sell     -> 201 confirmed as o
          delete  A if=*          -> 204
          put     D stock=9       -> 503 capacity skus
      100 sweep                   -> archived o purged 1
          put     D stock=9       -> 201",
    );
}

#[test]
fn answers_that_are_kept_whole_have_a_cap_of_their_own() {
    check(
        "
        0 put     A stock=9
          settings answers=1 keys_retain=100 orders_retain=100
          adjust  A +1 key=1      -> 200 total=10
          adjust  A +1 key=2      -> 503 capacity answers
          adjust  A +1 key=1      -> 200 total=10 replayed
          order   u1 A*1 key=3    -> 201 held
      100 tidy                    -> forgot 2
          adjust  A +1 key=2      -> 200 total=11",
    );
}
