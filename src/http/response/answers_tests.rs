//! Answers of the writer, and the text that clients see.

use super::*;
use crate::domain::model::answer::{LineView, OrderView, TableFill};
use crate::domain::model::command::SkuSettings;
use crate::domain::model::ids::{GroupId, SkuId};
use crate::domain::model::order::Status;
use crate::domain::model::sku::Refused as Counts;
use crate::http::request::sealed_cursor::open;
use crate::http::testing::{HASH_KEY, front, lives, question};
use smallvec::smallvec;

const REQUEST: &str = "Idempotency-Key: k\nPOST /v1/orders {\"user\":\"u1\",\
    \"lines\":[{\"sku\":\"A\",\"qty\":2},{\"sku\":\"B\",\"qty\":1}],\"reference\":\"a \\\"b\\\"\"}";
const ORDER: &str = r#"{"id":"3-17","user":"u1","status":"held","lines":[{"sku":"A","qty":2,"refunded_qty":0},{"sku":"B","qty":1,"refunded_qty":0}],"reference":"a \"b\"","created_at":"2027-01-15T08:00:00.000Z","expires_at":"2027-01-15T08:05:00.000Z","changed_seq":17,"seq":17}"#;
const SKU: &str = r#"{"sku":"A","total":100,"available":60,"held":30,"sold":10,"refused":{"sold_out":5,"paused":1},"per_user_limit":2,"limit_group":"g","opens_at":"2027-01-15T08:00:00.000Z","closes_at":null,"hold_ms":60000,"paused":false,"direct":true,"version":12,"seq":17,"now":"2027-01-15T08:00:00.123Z"}"#;
const AT: u64 = 1_800_000_000_000;

fn rendered(sequence: u64, replayed: bool, answer: Answer) -> Reply {
    let asked = OrderEcho::of(&question(REQUEST).request);
    let answered = Answered { sequence, replayed, answer };
    reply(&front(), asked.as_ref(), Outcome::Answered(answered))
}

#[track_caller]
fn check(answer: Answer, status: u16, body: &str) {
    let reply = rendered(17, false, answer);
    assert_eq!(reply.status.as_u16(), status);
    assert_eq!(str::from_utf8(&reply.body).unwrap(), body);
}

fn sku_id(text: &str) -> SkuId {
    SkuId::parse(text).unwrap()
}

fn created() -> Answer {
    Answer::Created(Created {
        order: OrderId { epoch: 3, sequence: 17 },
        status: Status::Held,
        created_at: AT,
        expires_at: Some(AT + 300_000),
    })
}

fn order_view() -> OrderView {
    let line = |sku, quantity| LineView { sku: sku_id(sku), quantity, refunded: 0 };
    OrderView {
        order: OrderId { epoch: 3, sequence: 17 },
        user: UserId::parse("u1").unwrap(),
        status: Status::Held,
        lines: smallvec![line("A", 2), line("B", 1)],
        reference: Some("a \"b\"".into()),
        created_at: AT,
        expires_at: Some(AT + 300_000),
        changed_sequence: 17,
    }
}

fn sku_view() -> SkuView {
    SkuView {
        sku: sku_id("A"),
        total: 100,
        held: 30,
        sold: 10,
        refused: Counts([5, 0, 0, 0, 0, 1, 0]),
        settings: SkuSettings {
            per_user_limit: 2,
            limit_group: Some(GroupId::parse("g").unwrap()),
            opens_at: Some(AT),
            closes_at: None,
            hold_ms: Some(60_000),
            paused: false,
            direct: true,
        },
        version: 12,
        now: AT + 123,
    }
}

/// A new order reads the same when created replayed remembered or read.
#[test]
fn a_new_order_reads_the_same_in_every_answer() {
    check(created(), 201, ORDER);
    let first = rendered(17, false, created());
    assert_eq!(first.location.as_ref().unwrap(), "/v1/orders/3-17");
    assert!(!first.replayed);
    let again = rendered(17, true, created());
    assert_eq!((&again.body, again.status), (&first.body, first.status));
    assert!(again.replayed && again.location == first.location);
    check(Answer::Order(Box::new(order_view())), 200, ORDER);
    let body = RememberedBody::Created(order_view());
    let remembered = Answer::Remembered(Box::new(Remembered { sequence: 17, body }));
    let whole = format!(r#"{{"status":201,"body":{ORDER},"seq":40}}"#);
    assert_eq!(rendered(40, false, remembered).body, whole);
}

#[test]
fn a_sku_shows_every_member_and_its_version_as_a_tag() {
    check(Answer::Sku(Box::new(sku_view())), 200, SKU);
    check(Answer::SkuCreated(Box::new(sku_view())), 201, SKU);
    let reply = rendered(17, false, Answer::Sku(Box::new(sku_view())));
    assert_eq!(reply.etag.unwrap(), "\"12\"");
    let bare = SkuView {
        held: 0,
        sold: 0,
        total: 0,
        refused: Counts::default(),
        settings: SkuSettings::default(),
        ..sku_view()
    };
    check(
        Answer::Sku(Box::new(bare)),
        200,
        r#"{"sku":"A","total":0,"available":0,"held":0,"sold":0,"refused":{},"per_user_limit":0,"limit_group":null,"opens_at":null,"closes_at":null,"hold_ms":null,"paused":false,"direct":false,"version":12,"seq":17,"now":"2027-01-15T08:00:00.123Z"}"#,
    );
    let deleted = rendered(17, false, Answer::SkuDeleted);
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
}

#[test]
fn lists_say_where_they_go_on() {
    let skus = Page { entries: vec![sku_view(), sku_view()], next: Some(sku_id("A")) };
    let body = format!(r#"{{"skus":[{SKU},{SKU}],"next_cursor":"A","seq":17}}"#);
    check(Answer::Skus(Box::new(skus)), 200, &body);
    let orders =
        Page { entries: vec![order_view()], next: Some(OrderId { epoch: 3, sequence: 9 }) };
    let body = format!(r#"{{"orders":[{ORDER}],"next_cursor":"3-9","seq":17}}"#);
    check(Answer::Orders(Box::new(orders)), 200, &body);
    let next = Some(OrderId { epoch: 4, sequence: 29 });
    let orders = Page { entries: vec![order_view()], next };
    let body = format!(r#"{{"orders":[{ORDER}],"next_cursor":"7k3v9q2m-29","seq":17}}"#);
    check(Answer::Orders(Box::new(orders)), 200, &body);
    let none = Page { entries: Vec::new(), next: None };
    check(Answer::Orders(Box::new(none)), 200, r#"{"orders":[],"next_cursor":null,"seq":17}"#);
}

/// A page of a user's orders names no order that it does not show. Of a user's orders, one that the
/// page does not show is sealed, for the list that it is of.
#[test]
fn a_page_of_a_user_names_no_order_that_it_does_not_show() {
    let question = question("GET /v1/users/u1/orders");
    let asked = OrderEcho::of(&question.request).expect("it has to be known");
    let next_of = |entries: Vec<OrderView>, next| {
        let answer = Answer::Orders(Box::new(Page { entries, next: Some(next) }));
        let answered = Answered { sequence: 40, replayed: false, answer };
        let reply = reply(&front(), Some(&asked), Outcome::Answered(answered));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        body["next_cursor"].as_str().unwrap().to_owned()
    };
    let (shown, hidden) = (order_view().order, OrderId { epoch: 4, sequence: 29 });
    assert_eq!(next_of(vec![order_view()], shown), "3-17");
    for entries in [vec![order_view()], Vec::new()] {
        let sealed = next_of(entries, hidden);
        let OrderEcho::UserOrders(whose) = &asked else { panic!("{asked:?}") };
        assert_eq!(open(&HASH_KEY, whose, &lives(), &sealed), Some(Ok(hidden)));
    }
}

#[test]
fn the_status_joins_state_and_cursors() {
    let front = front();
    front.cursors.publish(17, 16, 16);
    front.cursors.publish_journal_bytes(4096);
    let tables = vec![
        TableFill { name: "skus", used: 1, cap: 10 },
        TableFill { name: "orders", used: 2, cap: 20 },
    ];
    let status = Answer::Status(Box::new(StateStatus { epoch: 3, tables }));
    let answered = Answered { sequence: 17, replayed: false, answer: status };
    let reply = reply(&front, None, Outcome::Answered(answered));
    let mut body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(body["uptime_ms"].take().is_u64());
    let expected = format!(
        r#"{{"version":"{}","role":"writer","mode":"read-write","epoch":3,"seq":17,"durable_seq":16,"snapshot_seq":null,"journal_bytes":4096,"uptime_ms":null,"durability":"group","tables":{{"skus":{{"used":1,"cap":10}},"orders":{{"used":2,"cap":20}}}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(body, serde_json::from_str::<serde_json::Value>(&expected).unwrap());
}

/// Status, code, retryable, and the members after it.
#[track_caller]
fn check_refused(refusal: Refusal, status: u16, code: &str, retryable: bool, members: &str) {
    let reply = rendered(17, false, Answer::Refused(refusal));
    let text = str::from_utf8(&reply.body).unwrap();
    let expected = format!(r#""code":"{code}","retryable":{retryable}{members},"seq":17}}"#);
    assert!(text.ends_with(&expected), "{text}");
    assert_eq!(reply.status.as_u16(), status);
    serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap();
}

#[test]
fn refusals_have_the_members_of_the_table() {
    let window = |edge| Box::new(Window { sku: sku_id("A"), edge, now: AT });
    let times = |name: &str, edge: &str| {
        format!(r#","sku":"A","{name}":"{edge}","now":"2027-01-15T08:00:00.000Z""#)
    };
    check_refused(Refusal::KeyReused, 422, "idempotency_key_reused", false, "");
    check_refused(Refusal::UnknownSku(sku_id("A")), 404, "unknown_sku", false, r#","sku":"A""#);
    check_refused(Refusal::UnknownOrder, 404, "unknown_order", false, "");
    check_refused(Refusal::UnknownRequest, 404, "unknown_request", false, "");
    check_refused(
        Refusal::VersionMismatch(None),
        412,
        "version_mismatch",
        false,
        r#","version":null"#,
    );
    check_refused(Refusal::IfMatchRequired(5), 428, "if_match_required", false, r#","version":5"#);
    check_refused(
        Refusal::InvalidTransition(Status::Shipped),
        409,
        "invalid_transition",
        false,
        r#","order_status":"shipped""#,
    );
    check_refused(Refusal::HoldExpired, 410, "hold_expired", false, "");
    let closed = times("closes_at", "2027-01-15T07:59:59.999Z");
    check_refused(Refusal::Closed(window(AT - 1)), 410, "closed", false, &closed);
    check_refused(Refusal::Paused(sku_id("A")), 409, "paused", false, r#","sku":"A""#);
    let limit = UserLimit { sku: sku_id("A"), limit: 3, used: 2, requested: 2 };
    check_refused(
        Refusal::UserLimit(Box::new(limit)),
        409,
        "user_limit",
        false,
        r#","sku":"A","limit":3,"used":2,"requested":2"#,
    );
    let holds = Refusal::HoldLimit { used: 8, limit: 8 };
    check_refused(holds, 409, "hold_limit", false, r#","limit":8,"used":8"#);
    let below = Refusal::StockBelowCommitted { held: 3, sold: 4 };
    check_refused(below, 409, "stock_below_committed", false, r#","held":3,"sold":4"#);
    check_refused(Refusal::InUse { held: 3 }, 409, "in_use", false, r#","held":3"#);
    check_refused(
        Refusal::Invalid { field: "lines[0].qty", reason: "is more than is left" },
        422,
        "invalid",
        false,
        r#","errors":[{"field":"lines[0].qty","reason":"is more than is left"}]"#,
    );
}

#[test]
fn who_comes_too_early_is_told_when_to_come_back() {
    let check = |opens_at: u64, after_ms: u64, after_s: u64| {
        let window = Window { sku: sku_id("A"), edge: opens_at, now: AT };
        let reply = rendered(17, false, Answer::Refused(Refusal::NotOpen(Box::new(window))));
        let text = str::from_utf8(&reply.body).unwrap();
        let expected = format!(r#""retryable":true,"retry_after_ms":{after_ms},"sku":"A","#);
        assert!(text.contains(&expected), "{text}");
        assert_eq!(reply.retry_after_s, Some(after_s));
    };
    check(AT + 1, 1, 1);
    check(AT + 1001, 1001, 2);
    check(AT + 60_000, 60_000, 60);
    check(AT + 3_600_000, 60_000, 60);
}

#[test]
fn the_edge_says_the_same_of_one_line_as_the_writer() {
    for (requested, held) in [(2, 1), (2, 2), (1, 7)] {
        let short = Box::new(ShortLine { sku: sku_id("A"), requested, available: 0, held });
        let asked = rendered(17, false, Answer::Refused(Refusal::SoldOut(smallvec![short])));
        let line = LineRequest { sku: sku_id("A"), quantity: requested as u32 };
        let here = nothing_available(&line, held, 17);
        let told = |reply: &Reply| {
            let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            let mut members = body.as_object().unwrap().clone();
            // Spread, so that not all come back at once.
            let pause = members.remove("retry_after_ms").is_some();
            (members, pause, reply.retry_after_s.is_some(), reply.status, reply.code, reply.kind)
        };
        assert_eq!(told(&here), told(&asked));
    }
}

/// Sold out may be retried if held units could fill every short line.
#[test]
fn sold_out_may_be_retried_if_held_units_could_suffice() {
    let line = |requested, available, held| {
        Box::new(ShortLine { sku: sku_id("A"), requested, available, held })
    };
    let one = r#","lines":[{"sku":"A","requested":2,"available":0,"held":1}]"#;
    check_refused(Refusal::SoldOut(smallvec![line(2, 0, 1)]), 409, "sold_out", false, one);
    let mixed = Refusal::SoldOut(smallvec![line(2, 1, 1), line(2, 1, 0)]);
    assert_eq!(rendered(17, false, Answer::Refused(mixed)).retry_after_s, None);
    let hopeful = Refusal::SoldOut(smallvec![line(2, 1, 1), line(1, 0, 1)]);
    let reply = rendered(17, false, Answer::Refused(hopeful));
    assert!(matches!(reply.retry_after_s, Some(2..=10)));
    assert!(str::from_utf8(&reply.body).unwrap().contains(r#""retryable":true,"retry_after_ms":"#));
}

#[test]
fn what_was_not_decided_says_so() {
    let check = |reply: Reply, status: u16, code: &str, retry: bool| {
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status.as_u16(), &body["code"]), (status, &code.into()));
        assert_eq!(reply.retry_after_s.is_some(), retry, "{code}");
        assert_eq!(body.get("seq"), None, "{code}");
    };
    let outcome = |outcome| reply(&front(), None, outcome);
    check(outcome(Outcome::DeadlineExceeded), 504, "deadline_exceeded", false);
    check(outcome(Outcome::NoSpace), 503, "no_space", true);
    check(outcome(Outcome::Internal), 500, "internal", false);
    check(outcome(Outcome::Unknown), 503, "outcome_unknown", true);
    check(not_taken(SubmitError::Overloaded).into(), 503, "overloaded", true);
    check(not_taken(SubmitError::Draining).into(), 503, "draining", true);
}
