//! Records that decode as far as the layout goes and that nobody can have made: each member that is
//! out of its bounds is refused by its name, whatever record holds it. Next: `records`; snapshots
//! in the codec's own tests.

use crate::harness::{BASE, Engine, settings};
use crate::wording::{Words, principal, put_sku, request, sku_id, user_id};
use doorbuster::codec::{decode_record, encode_record};
use doorbuster::domain::model::command::{
    Action, Adjustment, Patch, PatchSku, Precondition, Refund, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::draw::{Admission, Odds, Prize, Reason, Terms};
use doorbuster::domain::model::event::{
    AnswerRepeated, DrawDeleted, DrawPut, EntryMade, Event, OrderCreated, OrderRefunded, Origin,
    Record, RefusalCount, SkuAdjusted, SkuDeleted, SkuPatched, SkuPut,
};
use doorbuster::domain::model::ids::{
    CLIENT_SEED_BYTES_MAX, DrawId, GroupId, LineRequest, LineRequests, OrderId, PrincipalName,
};
use doorbuster::domain::model::sku::RefusalReason;
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::state::invariants;

const ORDER: OrderId = OrderId { epoch: 1, sequence: 9 };

fn encoded(event: Event) -> Vec<u8> {
    let principal = PrincipalName::parse("the-shop").expect("a name");
    let origin = Origin { principal, reach_all: false, key: None, traceparent: None };
    let record = Record { origin: Some(origin), event };
    let mut bytes = Vec::new();
    encode_record(&record, &mut bytes);
    assert_eq!(decode_record(&bytes).expect("it is sound"), record);
    bytes
}

/// Where these bytes stand, once.
fn place(bytes: &[u8], part: &[u8]) -> usize {
    let windows = bytes.windows(part.len()).enumerate();
    let found: Vec<usize> = windows.filter(|(_, window)| *window == part).map(|at| at.0).collect();
    assert_eq!(found.len(), 1, "{part:?}");
    found[0]
}

#[track_caller]
fn check_refused(bytes: &[u8], what: &str) {
    let told = decode_record(bytes).expect_err("nobody can have made it").to_string();
    assert_eq!(told, format!("the record holds an impossible {what}"));
}

/// Each of these names, with a control character in it.
#[track_caller]
fn check(event: Event, names: &[(&str, &str)]) {
    let bytes = encoded(event);
    for (name, what) in [("the-shop", "principal")].iter().chain(names) {
        let mut changed = bytes.clone();
        changed[place(&bytes, name.as_bytes())] = 7;
        check_refused(&changed, what);
    }
}

fn group(name: &str) -> Option<GroupId> {
    Some(GroupId::parse(name).expect("an id"))
}

fn lines() -> LineRequests {
    [LineRequest { sku: sku_id("a-sku"), quantity: 1 }].into()
}

fn draw() -> DrawId {
    DrawId::parse("a-draw").expect("an id")
}

/// A name that nobody can have is refused in every record about SKUs.
#[test]
fn an_impossible_name_is_refused_in_records_about_skus() {
    let (sku, precondition) = (sku_id("a-sku"), Precondition::None);
    let settings = SkuSettings { limit_group: group("a-group"), ..SkuSettings::default() };
    let put = SkuPut {
        sku: sku.clone(),
        stock: 1,
        settings: settings.clone(),
        precondition: precondition.clone(),
        created: true,
    };
    check(Event::SkuPut(Box::new(put)), &[("a-sku", "SKU id"), ("a-group", "group id")]);
    let changes = SkuChanges { limit_group: Patch::Set(group("to-group")), ..Default::default() };
    let patch = PatchSku { sku: sku.clone(), changes, precondition: precondition.clone() };
    let names = [("a-sku", "SKU id"), ("to-group", "group id"), ("a-group", "group id")];
    check(Event::SkuPatched(Box::new(SkuPatched { patch, settings })), &names);
    let (adjustment, reason) = (Adjustment::Delta(1), "counted".to_owned());
    let adjusted = SkuAdjusted {
        sku: sku.clone(),
        adjustment,
        reason,
        precondition: precondition.clone(),
        total: 2,
    };
    check(Event::SkuAdjusted(Box::new(adjusted)), &[("a-sku", "SKU id")]);
    check(Event::SkuDeleted(SkuDeleted { sku: sku.clone(), precondition }), &[("a-sku", "SKU id")]);
    let counts = vec![RefusalCount { sku, reason: RefusalReason::SoldOut, count: 3 }];
    check(Event::RefusalsCounted(counts), &[("a-sku", "SKU id")]);
}

/// A name that nobody can have is refused in every record about orders.
#[test]
fn an_impossible_name_is_refused_in_records_about_orders() {
    let created = OrderCreated {
        user: user_id("a-user"),
        lines: lines(),
        reference: None,
        take: Take::Sell,
        expires_at: None,
    };
    check(Event::OrderCreated(created), &[("a-user", "user id"), ("a-sku", "SKU id")]);
    let refunded = OrderRefunded { order: ORDER, lines: lines(), restock: true };
    check(Event::OrderRefunded(Box::new(refunded)), &[("a-sku", "SKU id")]);
    let action = Action::Refund(Refund { lines: lines(), restock: true });
    let repeated = AnswerRepeated { order: ORDER, action };
    check(Event::AnswerRepeated(Box::new(repeated)), &[("a-sku", "SKU id")]);
}

fn draw_put(blank_weight: u64) -> Event {
    let prizes = vec![Prize { sku: sku_id("a-sku"), weight: 1 }];
    let odds = Odds::new(prizes, blank_weight).expect("they are odds");
    Event::DrawPut(Box::new(DrawPut {
        draw: draw(),
        terms: Terms { odds, hold_ms: None, sell: false },
        admission: Admission { entries_per_user: 0, opens_at: None, closes_at: None },
        precondition: Precondition::None,
        sealed: None,
    }))
}

fn entry(client_seed: &str) -> Event {
    Event::EntryMade(Box::new(EntryMade {
        draw: draw(),
        user: user_id("a-user"),
        client_seed: Some(client_seed.into()),
        number: 1,
        pick: None,
        reason: Reason::Blank,
        expires_at: None,
    }))
}

/// A name that nobody can have is refused in every record about draws.
#[test]
fn an_impossible_name_is_refused_in_records_about_draws() {
    check(draw_put(1), &[("a-draw", "draw id"), ("a-sku", "SKU id")]);
    check(Event::DrawClosed(draw()), &[("a-draw", "draw id")]);
    check(Event::DrawCloseRepeated(draw()), &[("a-draw", "draw id")]);
    let deleted = DrawDeleted { draw: draw(), precondition: Precondition::None };
    check(Event::DrawDeleted(Box::new(deleted)), &[("a-draw", "draw id")]);
    check(entry("luck"), &[("a-draw", "draw id"), ("a-user", "user id")]);
}

/// Numbers and texts out of their bounds are refused by their name.
#[test]
fn values_out_of_their_bounds_are_refused_by_their_name() {
    let weight: u64 = 0x0102_0304;
    let mut bytes = encoded(draw_put(weight));
    let at = place(&bytes, &weight.to_le_bytes());
    bytes[at..at + 8].fill(0xFF);
    check_refused(&bytes, "odds of a draw");

    // Behind a reason stands only that there is no deadline.
    let mut bytes = encoded(entry("luck"));
    let reason = bytes.len() - 2;
    assert_eq!(bytes[reason], Reason::Blank as u8);
    bytes[reason] = 99;
    check_refused(&bytes, "reason of an entry");

    let longest = "s".repeat(CLIENT_SEED_BYTES_MAX);
    let Event::EntryMade(mut long) = entry(&longest) else { unreachable!("it is an entry") };
    encoded(Event::EntryMade(long.clone()));
    long.client_seed = Some((longest + "s").into());
    let record = Record { origin: None, event: Event::EntryMade(long) };
    let mut bytes = Vec::new();
    encode_record(&record, &mut bytes);
    check_refused(&bytes, "client seed");

    let counts =
        vec![RefusalCount { sku: sku_id("a-sku"), reason: RefusalReason::SoldOut, count: 3 }];
    let mut bytes = encoded(Event::RefusalsCounted(counts));
    let reason = place(&bytes, b"a-sku") + "a-sku".len();
    assert_eq!(bytes[reason], RefusalReason::SoldOut as u8);
    bytes[reason] = 99;
    check_refused(&bytes, "refusal reason");
}

/// Every record that decodes is applied; this one must not leave a use that nothing takes away.
#[test]
fn a_line_of_no_units_is_no_use() {
    let mut engine = Engine::start(settings(), BASE);
    let shop = principal(&mut Words::of(""));
    let put = put_sku(sku_id("A"), &mut Words::of("stock=1"), None);
    engine.request(&request(shop.clone(), None, put), BASE);
    let mut state = engine.state;
    let created = |quantity| {
        let lines = [LineRequest { sku: sku_id("A"), quantity }].into();
        let (user, reference, take) = (user_id("u"), None, Take::Hold(None));
        let created = OrderCreated { user, lines, reference, take, expires_at: Some(BASE + 9) };
        let principal = shop.name.clone();
        let origin = Origin { principal, reach_all: false, key: None, traceparent: None };
        Record { origin: Some(origin), event: Event::OrderCreated(created) }
    };
    for (quantity, uses) in [(0, 0), (1, 1), (0, 1)] {
        apply(&mut state, &created(quantity), BASE);
        assert_eq!(state.uses.len(), uses, "after {quantity} units");
    }
    assert_eq!((state.orders.len(), state.users.len()), (3, 1));
    for sequence in 4..=6 {
        let cancelled = Event::OrderCancelled(OrderId { epoch: 1, sequence });
        apply(&mut state, &Record { origin: None, event: cancelled }, BASE);
    }
    assert_eq!(state.uses.len(), 0);
    invariants::check(&state);
}
