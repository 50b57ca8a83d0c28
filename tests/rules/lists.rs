//! Lists: their order, filters, cursors and budget. Next: `property`.

use crate::scenario::check;

#[test]
fn skus_come_by_id() {
    check(
        "
        0 skus                    -> 200
          put     b stock=1
          put     A stock=1
          put     a stock=1
          skus                    -> 200 A a b
          skus limit=2            -> 200 A a next=a
          skus limit=2 after=a    -> 200 b
          skus limit=3            -> 200 A a b
          skus limit=1 after=Z    -> 200 a next=a
          skus after=b            -> 200
          delete  a if=*
          skus limit=1 after=A    -> 200 b
          skus limit=1 after=a    -> 200 b",
    );
}

#[test]
fn a_users_orders_come_newest_first() {
    check(
        "
        0 put     A stock=9
          user    u1              -> 200
          order   u1 A*1          -> 201 held as o1
          order   u2 A*1          -> 201 held as x
          order   u1 A*1          -> 201 held as o2
          order   u1 A*1          -> 201 held as o3
          cancel  o1
          user    u1              -> 200 o3 o2 o1
          user    u1 limit=2      -> 200 o3 o2 next=o2
          user    u1 limit=2 after=o2 -> 200 o1
          user    u1 limit=3      -> 200 o3 o2 o1
          user    u1 after=o1     -> 200
          user    u1 after=x      -> 200 o1
          user    u1 after=9-9    -> 200 o3 o2 o1
          user    u3              -> 200",
    );
}

#[test]
fn a_users_list_holds_the_principals_own_orders() {
    check(
        "
        0 put     A stock=9
          order   u1 A*1 by=east  -> 201 held as e1
          order   u1 A*1 by=west  -> 201 held as w1
          order   u1 A*1 by=east  -> 201 held as e2
          user    u1 by=east      -> 200 e2 e1
          user    u1 by=west      -> 200 w1
          user    u1 by=admin     -> 200
          user    u1 by=east limit=1 -> 200 e2 next=e2
          user    u1 by=east limit=1 after=e2 -> 200 e1
          user    u1 by=west limit=1 -> 200 w1
          user    u1 by=east limit=1 after=w1 -> 200 e1
          user    u1 by=west after=e2 -> 200 w1
          user    u1 by=west after=w1 -> 200",
    );
}

#[test]
fn a_users_list_goes_on_around_an_order_that_left() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=10 orders_retain=10
          order   u1 A*1 hold=90  -> 201 held as o1
          order   u1 A*1 sell     -> 201 confirmed as o2
          order   u1 A*1 hold=90  -> 201 held as o3
       10 sweep                   -> archived o2
          user    u1              -> 200 o3 o1
          user    u1 after=o3     -> 200 o1
          user    u1 after=o2     -> 200 o1",
    );
}

#[test]
fn all_orders_come_by_id_through_their_filters() {
    check(
        "
        0 put     A stock=9
          put     B stock=9
          order   u1 A*1          -> 201 held as o1
          order   u2 B*1          -> 201 held as o2
          order   u3 A*1 B*1      -> 201 held as o3
          confirm o1
          confirm o2
          orders by=admin         -> 200 o1 o2 o3
          orders by=admin status=held -> 200 o3
          orders by=admin sku=A   -> 200 o1 o3
          orders by=admin sku=B status=confirmed -> 200 o2
          orders by=admin sku=NONE -> 200
          orders by=admin limit=2 -> 200 o1 o2 next=o2
          orders by=admin limit=2 after=o2 -> 200 o3
          orders by=admin limit=1 status=confirmed after=o1 -> 200 o2
          orders by=admin limit=1 status=confirmed -> 200 o1 next=o1
          orders by=admin limit=1 status=confirmed after=o2 -> 200
          orders by=other         -> 200
          delete  B if=*          -> 409 in_use
          refund  o2
          cancel  o3
          delete  B if=*          -> 204
          orders by=admin sku=B   -> 200 o2 o3",
    );
}

#[test]
fn a_page_may_end_at_its_budget_and_be_empty() {
    let orders: String = (1..=1001).map(|_| "order u1 A*1 sell\n").collect();
    check(&format!(
        "0 put A stock=5000
         order u1 A*1 sell        -> 201 confirmed as first
         {orders}
         order u1 A*1 hold=9      -> 201 held as last
         orders status=held       -> 200 next=1-1003
         orders status=held after=1-1003 -> 200 last
         orders status=held limit=1 after=1-1003 -> 200 last
         orders limit=1           -> 200 first next=first
         user u1 by=other         -> 200 next=1-7
         user u1 by=other after=1-7 sealed -> 200
         user u1 by=other after=1-6 -> 422 invalid cursor
         user u1 by=other after=9-6 -> 422 invalid cursor"
    ));
}

/// After an order that is gone, a thousand later ones are passed over to find where it stood.
#[test]
fn a_users_list_after_an_order_too_long_gone_begins_again() {
    let orders: String = (1..=1001).map(|_| "order u1 A*1 sell\n").collect();
    check(&format!(
        "0 put A stock=5000
         {orders}
         user u1 limit=2            -> 200 1-1004 1-1003 next=1-1003
         user u1 limit=2 after=9-6  -> 200 1-5 1-4
         user u1 limit=2 after=9-5  -> 422 invalid cursor
         user u2 limit=2 after=9-5  -> 200"
    ));
}
