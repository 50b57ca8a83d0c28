//! Full tables: what is refused, what is not, who is refused first, what leaves early. Next:
//! `lists`.

use crate::scenario::check;

/// A full table of orders refuses new ones and serves the others.
#[test]
fn a_full_table_of_orders_refuses_only_new_ones() {
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

/// Of 40 rows two are reserved for each of two principals: what one may fill, and what is left
/// then.
fn orders(by: &str, count: usize) -> String {
    format!("order u1 A*1 sell by={by} -> 201 confirmed\n").repeat(count)
}

#[test]
fn a_configured_principal_has_its_reserve_whatever_others_fill() {
    check(&format!(
        "0 put A stock=99
         settings orders=40 principals=east,west
         {}
         order u1 A*1 sell by=east -> 503 capacity orders
         order u1 A*1 sell by=south -> 503 capacity orders
         {}
         order u1 A*1 sell by=west -> 503 capacity orders",
        orders("east", 38),
        orders("west", 2),
    ));
}

#[test]
fn what_no_reserve_holds_is_common() {
    check(&format!(
        "0 put A stock=99
         settings orders=40 principals=east,west
         {}{}{}
         order u1 A*1 sell by=east  -> 503 capacity orders
         order u1 A*1 sell by=west  -> 503 capacity orders
         order u1 A*1 sell by=south -> 503 capacity orders",
        orders("south", 20),
        orders("east", 10),
        orders("west", 10),
    ));
}

/// Without configured principals a table is common to its last row.
#[test]
fn a_table_without_configured_principals_is_common() {
    check(&format!(
        "0 put A stock=99
         settings orders=10
         {}
         order u1 A*1 sell by=west -> 201 confirmed
         order u1 A*1 sell by=west -> 503 capacity orders",
        orders("east", 9),
    ));
}

#[test]
fn more_than_ten_principals_share_half_of_a_table() {
    let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    check(&format!(
        "0 put A stock=99
         settings orders=80 principals={}
         {}
         order u1 A*1 sell by=p0 -> 503 capacity orders
         {}
         order u1 A*1 sell by=p1 -> 503 capacity orders",
        names.join(","),
        orders("p0", 42),
        orders("p1", 2),
    ));
}

/// A principal that is no longer configured keeps its rows and no reserve.
#[test]
fn a_removed_principal_keeps_its_rows_and_no_reserve() {
    check(&format!(
        "0 put A stock=99
         settings orders=40 principals=east,west
         {}
         order u1 A*1 sell by=east -> 503 capacity orders
         settings principals=east
         {}
         order u1 A*1 sell by=west -> 503 capacity orders",
        orders("east", 38),
        orders("west", 2),
    ));
}

/// Twenty keys: the last two serve actions, and each of two principals has one reserved.
#[test]
fn a_reserve_of_keys_goes_before_the_part_for_existing_orders() {
    let keys: String = (0..16)
        .map(|key| format!("order u1 A*1 sell by=east key={key} -> 201 confirmed as o{key}\n"))
        .collect();
    check(&format!(
        "0 put A stock=99
         settings keys=20 principals=east,west
         {keys}
         order u1 A*1 sell by=east key=x  -> 201 confirmed
         order u1 A*1 sell by=east key=y  -> 503 capacity keys
         adjust A +1 by=east key=y        -> 503 capacity keys
         ship o1 by=east key=s1           -> 200 shipped
         ship o2 by=east key=s2           -> 200 shipped
         ship o3 by=east key=s3           -> 503 capacity keys
         ship o3 by=east                  -> 200 shipped
         order u1 A*1 sell by=west key=w  -> 201 confirmed
         order u1 A*1 sell by=west key=w2 -> 503 capacity keys"
    ));
}

#[test]
fn users_and_uses_are_reserved_like_orders() {
    let users: String =
        (0..38).map(|user| format!("order e{user} A*1 sell by=east -> 201 confirmed\n")).collect();
    for table in ["users", "uses"] {
        check(&format!(
            "0 put A stock=99
             put B stock=9
             settings {table}=40 principals=east,west
             {users}
             order e38 A*1 sell by=east -> 503 capacity {table}
             order w0 A*1 by=west       -> 201 held as w
             order w1 A*1 sell by=west  -> 201 confirmed
             order w2 A*1 sell by=west  -> 503 capacity {table}
             cancel w by=west           -> 200 cancelled"
        ));
    }
}

#[test]
fn an_order_has_sixty_four_keys_at_most() {
    let repeats: String =
        (1..=63).map(|key| format!("cancel o key=c{key} -> 200 cancelled\n")).collect();
    check(&format!(
        "0 put A stock=99
         settings keys_retain=100
         order  u1 A*1 key=o   -> 201 held as o
         {repeats}
         cancel o key=c64      -> 503 capacity keys
         cancel o key=c7       -> 200 cancelled replayed
         cancel o              -> 200 cancelled
         order  u1 A*1 key=p   -> 201 held as p
         cancel p key=p1       -> 200 cancelled
     100 sweep
         cancel o key=c64      -> 200 cancelled"
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
