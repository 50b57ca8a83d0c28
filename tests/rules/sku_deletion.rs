//! SKUs that are deleted, and put again under the same id: orders stay bound to what they were
//! created at. Next: `orders`.

use crate::scenario::check;

#[test]
fn a_sku_goes_once_nothing_of_it_is_held() {
    check(
        "
        0 put    A stock=5
          delete NONE if=*         -> 404 unknown_sku NONE
          delete A                 -> 428 if_match_required
          delete A if=1            -> 412 version_mismatch
          delete A if=absent       -> 412 version_mismatch
          order  u1 A*1 sell       -> 201 confirmed
          order  u1 A*1            -> 201 held as o
          delete A if=current      -> 409 in_use held=1
          cancel o
          delete A if=current      -> 204
          sku    A                 -> 404 unknown_sku A
          order  u1 A*1            -> 404 unknown_sku A
          adjust A +1 key=k        -> 404 unknown_sku A
          delete A if=*            -> 404 unknown_sku A",
    );
}

#[test]
fn its_orders_stay_readable_and_move_on() {
    check(
        "
        0 put    A stock=5
          order  u1 A*2 sell       -> 201 confirmed as o
          delete A if=*            -> 204
          get    o                 -> 200 confirmed u1 A*2
          ship   o                 -> 200 shipped u1 A*2
          user   u1                -> 200 o
          refund o A*1 key=k       -> 200 shipped u1 A*2-1
          refund o gone            -> 200 refunded u1 A*2-2",
    );
}

#[test]
fn a_refund_moves_no_count_of_the_sku_put_again() {
    check(
        "
        0 put    A stock=5
          order  u1 A*2 sell       -> 201 confirmed as o
          delete A if=*            -> 204
          put    A stock=3         -> 201 total=3 available=3 sold=0 version=now
          order  u2 A*1 sell       -> 201 confirmed
          refund o A*1 key=k       -> 200 confirmed u1 A*2-1
          refund o gone            -> 200 refunded
          sku    A                 -> 200 total=3 available=2 held=0 sold=1 version=before",
    );
}

#[test]
fn reacquiring_what_was_deleted_is_404() {
    check(
        "
        0 put    A stock=5
          put    B stock=5
          order  u1 B*1 A*1 hold=10 -> 201 held as o
       10 expire                   -> expired o
          delete A if=*            -> 204
          confirm o                -> 410 hold_expired
          confirm o reacquire      -> 404 unknown_sku A
          put    A stock=5         -> 201
          confirm o reacquire      -> 404 unknown_sku A
          sku    B                 -> 200 available=5",
    );
}

#[test]
fn per_user_use_goes_with_the_sku() {
    check(
        "
        0 put    A stock=5 limit=1 group=g
          put    B stock=5 limit=2 group=g
          order  u1 A*1 sell       -> 201 confirmed as o
          order  u1 B*2            -> 409 user_limit B limit=2 used=1 requested=2
          delete A if=*            -> 204
          order  u1 B*2            -> 201 held
          put    A stock=5 limit=1 -> 201
          order  u1 A*1            -> 201 held as p
          order  u1 A*1            -> 409 user_limit A limit=1 used=1 requested=1
          refund o                 -> 200 refunded
          order  u1 A*1            -> 409 user_limit A limit=1 used=1 requested=1
          tidy                     -> purged 1
          order  u1 A*1            -> 409 user_limit A limit=1 used=1 requested=1
          cancel p
          order  u1 A*1            -> 201 held",
    );
}

#[test]
fn uses_of_many_users_are_purged_in_bounded_steps() {
    let orders: String = (0..600).map(|user| format!("order u{user} A*1 sell\n")).collect();
    check(&format!(
        "0 put A stock=999 limit=1
         settings keys_retain=100 orders_retain=100
         {orders}
         delete A if=*             -> 204
         tables                    -> 200 skus=1/5000 uses=600/5000 users=600/5000
         tidy                      -> purged 256 purged 256 purged 88
         tables                    -> 200 skus=1/5000 uses=0/5000 users=600/5000
         100 tidy
         tables                    -> 200 skus=0/5000 orders=0/5000 uses=0/5000 users=0/5000"
    ));
}

#[test]
fn an_id_may_be_put_and_deleted_over_and_over() {
    check(
        "
        0 put    A stock=1 limit=1
          order  u1 A*1 sell       -> 201 confirmed as o1
          delete A if=*            -> 204
          put    A stock=1 limit=1 -> 201
          order  u1 A*1 sell       -> 201 confirmed as o2
          delete A if=*            -> 204
          put    A stock=1 limit=1 -> 201
          order  u1 A*1 sell       -> 201 confirmed as o3
          tidy                     -> purged 1 purged 1
          refund o1                -> 200 refunded
          refund o2                -> 200 refunded
          sku    A                 -> 200 total=1 available=0 sold=1
          order  u1 A*1            -> 409 user_limit A used=1
          orders by=admin sku=A    -> 200 o1 o2 o3
          refund o3                -> 200 refunded
          sku    A                 -> 200 available=1 sold=0",
    );
}

#[test]
fn refusals_of_a_sku_that_is_gone_are_not_counted() {
    check("
        0 put    A stock=0
          order  u1 A*1            -> 409 sold_out
          delete A if=*            -> 204
          count_refusals
          put    A stock=0         -> 201 total=0 available=0 held=0 sold=0 limit=0 version=now now=0");
}

#[test]
fn a_remembered_adjustment_outlives_its_sku() {
    check(
        "
        0 put    A stock=1
          adjust A +4 key=k        -> 200 total=5
          delete A if=*            -> 204
          adjust A +4 key=k        -> 200 total=5 replayed
          put    A stock=1         -> 201
          adjust A +4 key=k        -> 200 total=5 replayed
          sku    A                 -> 200 total=1",
    );
}
