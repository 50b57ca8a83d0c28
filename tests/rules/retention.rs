//! How long keys and orders are kept, and what goes with an order. Next: `capacity`.

use crate::harness::{Engine, settings};
use crate::scenario::check;
use crate::wording::{Words, create_order, principal, put_sku, request, sku_id};
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::ids::OrderId;
use doorbuster::domain::model::settings::Settings;

const DAY: u64 = 24 * 60 * 60 * 1000;

#[test]
fn a_key_is_remembered_for_its_time_and_then_free() {
    check(&format!(
        "0 put A stock=9
         1 order u1 A*1 sell key=k -> 201 confirmed
        {} sweep                   -> 0
           order u1 A*1 sell key=k -> 201 confirmed replayed
        {} sweep                   -> forgot 1
           key k                   -> 404 unknown_request
           order u2 A*1 sell key=k -> 201 confirmed",
        DAY,
        DAY + 1,
    ));
}

#[test]
fn a_replay_does_not_lengthen_the_time_of_a_key() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=100 orders_retain=1000
          order   u1 A*1 sell key=k -> 201 confirmed
       99 order   u1 A*1 sell key=k -> 201 confirmed replayed
      100 sweep                     -> forgot 1
          order   u1 A*1 sell key=k -> 201 confirmed",
    );
}

#[test]
fn an_order_that_is_not_held_leaves_after_its_retention() {
    check(&format!(
        "0 put A stock=9
         1 order u1 A*1 sell       -> 201 confirmed as o
        {} sweep                   -> 0
           get o                   -> 200 confirmed
        {} sweep                   -> archived o
           get o                   -> 404 unknown_order
           refund o                -> 404 unknown_order
           user u1                 -> 200
           orders                  -> 200
           sku A                   -> 200 total=9 available=8 sold=1
           adjust A -1 key=k       -> 200 total=8 available=7 sold=1",
        30 * DAY,
        30 * DAY + 1,
    ));
}

#[test]
fn a_held_order_never_leaves() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=100 orders_retain=200
          order   u1 A*1 hold=900  -> 201 held as o
      500 sweep                    -> 0
      900 sweep                    -> expired o
     1099 sweep                    -> 0
     1100 sweep                    -> archived o",
    );
}

/// Every change and every keyed answer begins the retention anew.
#[test]
fn changes_and_keyed_answers_begin_the_retention_anew() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=100 orders_retain=100
          order   u1 A*1 sell      -> 201 confirmed as o
          order   u1 A*1 sell      -> 201 confirmed as quiet
       50 ship    o                -> 200 shipped
      100 sweep                    -> archived quiet
      140 ship    o                -> 200 shipped
      149 ship    o key=k          -> 200 shipped changed=before
      150 sweep                    -> 0
      248 sweep                    -> 0
      249 sweep                    -> forgot 1 archived o",
    );
}

#[test]
fn a_remembered_key_pins_its_order() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=100 orders_retain=500 orders=1
          order   u1 A*1 sell key=k -> 201 confirmed as o
       99 order   u2 A*1 sell      -> 503 capacity orders
          order   u1 A*1 sell key=k -> 201 confirmed replayed
          get     o                -> 200 confirmed
      100 order   u2 A*1 sell      -> 201 confirmed
          get     o                -> 404 unknown_order
          key     k                -> 404 unknown_request",
    );
}

#[test]
fn an_order_is_pinned_by_the_newest_key_that_names_it() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=100 orders_retain=100
          order   u1 A*1 hold=50 key=a -> 201 held as o
       30 confirm o key=b          -> 200 confirmed
      100 sweep                    -> forgot 1
          get     o                -> 200 confirmed
          confirm o key=b          -> 200 confirmed replayed
      130 sweep                    -> forgot 1 archived o",
    );
}

#[test]
fn use_at_a_limited_sku_outlives_its_order() {
    check(
        "
        0 put     A stock=9 limit=2
          put     B stock=9 group=g
          put     C stock=9
          settings keys_retain=100 orders_retain=100
          order   u1 A*2 B*1 C*3 sell -> 201 confirmed as o
          tables                   -> 200 uses=3/5000 users=1/5000
      100 sweep                    -> archived o
          tables                   -> 200 orders=0/5000 uses=2/5000 users=1/5000
          order   u1 A*1           -> 409 user_limit A limit=2 used=2 requested=1
          patch   B limit=2
          order   u1 B*2           -> 409 user_limit B limit=2 used=1 requested=2
          patch   C limit=1
          order   u1 C*1           -> 201 held",
    );
}

#[test]
fn what_was_refunded_or_never_sold_leaves_no_use() {
    check(
        "
        0 put     A stock=9 limit=2
          settings keys_retain=100 orders_retain=100
          order   u1 A*2 sell      -> 201 confirmed as part
          refund  part A*1 key=r   -> 200 confirmed A*2-1
          order   u2 A*2 hold=10   -> 201 held as gone
          order   u3 A*2           -> 201 held as back
          cancel  back
       10 expire                   -> expired gone
      110 sweep                    -> forgot 1 archived part back gone
          tables                   -> 200 uses=1/5000 users=1/5000
          order   u1 A*2           -> 409 user_limit A limit=2 used=1 requested=2
          order   u1 A*1           -> 201 held
          order   u2 A*2           -> 201 held",
    );
}

#[test]
fn a_limit_set_after_archiving_counts_the_orders_still_kept() {
    check(
        "
        0 put     A stock=9
          settings keys_retain=100 orders_retain=100
          order   u1 A*3 sell      -> 201 confirmed as old
       50 order   u1 A*1 sell      -> 201 confirmed as new
      100 sweep                    -> archived old
          patch   A limit=2
          order   u1 A*2           -> 409 user_limit A limit=2 used=1 requested=2
          order   u1 A*1           -> 201 held
      150 sweep                    -> archived new
          order   u1 A*1           -> 409 user_limit A limit=2 used=2 requested=1",
    );
}

#[test]
fn use_kept_from_archived_orders_is_not_given_back_by_others() {
    check(
        "
        0 put     A stock=9 limit=3
          settings keys_retain=100 orders_retain=100
          order   u1 A*1 sell      -> 201 confirmed as old
       50 order   u1 A*2 sell      -> 201 confirmed as new
      100 sweep                    -> archived old
          refund  new              -> 200 refunded
          order   u1 A*3           -> 409 user_limit A limit=3 used=1 requested=3
          order   u1 A*2           -> 201 held",
    );
}

#[test]
fn orders_leave_oldest_first_in_bounded_steps() {
    let orders: String =
        (0..600).map(|user| format!("order u{user} A*1 sell key={user}\n")).collect();
    check(&format!(
        "0 put A stock=1000
         settings keys_retain=100 orders_retain=100
         {orders}
         tables -> 200 orders=600/5000 keys=600/5000
         100 tidy
         tables -> 200 orders=0/5000 keys=0/5000 uses=0/5000 users=0/5000
         sku A -> 200 available=400 sold=600"
    ));
}

/// Nothing is old until one retention has passed since time began. A clock that begins at 1970, as
/// a machine's without a battery may.
#[test]
fn nothing_is_old_before_one_retention_has_passed() {
    let kept = Settings { idempotency_retain_ms: 100, orders_retain_ms: 200, ..settings() };
    let mut engine = Engine::start(kept, 0);
    let shop = || principal(&mut Words::of(""));
    let put = put_sku(sku_id("A"), &mut Words::of("stock=9"), None);
    engine.request(&request(shop(), None, put), 0);
    let order = create_order(&mut Words::of("u1 A*1 sell"));
    engine.request(&request(shop(), Some("k"), order), 0);
    assert_eq!(engine.sweep(99), []);
    assert_eq!(engine.sweep(100), [Event::KeysForgotten(1)]);
    assert_eq!(engine.sweep(199), []);
    let archived = Event::OrdersArchived(vec![OrderId { epoch: 1, sequence: 4 }]);
    assert_eq!(engine.sweep(200), [archived]);
}
