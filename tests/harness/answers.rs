//! From an HTTP answer to what the rules answered, for the witness.
//!
//! Owns the client's side of the contract's answers, refusals included: every number that the
//! server told is in it. Never judges; what is not as the contract says is a panic that shows it.
//! Next: `notes`.

use crate::members::{
    admission, draw, flag, instant, line_requests, list, maybe, maybe_instant, maybe_number,
    maybe_text, number, order, settings, sku, small, terms, text, user,
};
use doorbuster::domain::model::answer::{
    Answer, Answered, Created, DrawView, EntryView, LineView, OrderView, Page, Refusal, Remembered,
    RememberedBody, ShortLine, SkuView, StateStatus, TABLES, TableFill, UserLimit, Window,
};
use doorbuster::domain::model::command::{Command, CreateOrder, Query};
use doorbuster::domain::model::draw::{Reason, Seed};
use doorbuster::domain::model::ids::Stamp;
use doorbuster::domain::model::order::Status;
use doorbuster::domain::model::sku::{RefusalReason, Refused};
use serde_json::Value;

/// Members whose value only the state can judge.
const JUDGED_FIELDS: [&str; 5] = ["closes_at", "limit_group", "delta", "cursor", "lines"];

/// What came back, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    /// Null where there was none.
    pub(crate) body: Value,
}

/// What was answered, and when it was decided, if that was told.
pub(crate) struct Decided {
    pub(crate) answered: Answered,
    pub(crate) at: Option<Stamp>,
}

/// None where it was refused before anything was decided: without a sequence, to be tried again.
/// `deleted` is the sequence of a deletion, whose answer tells none.
pub(crate) fn decided(command: &Command, said: &Said, deleted: u64) -> Option<Decided> {
    let Said { status, replayed, body } = said;
    if *status == 204 {
        let answer = match command {
            Command::DeleteSku(_) => Answer::SkuDeleted,
            Command::DeleteDraw(_) => Answer::DrawDeleted,
            _ => panic!("{command:?} is answered {said:?}"),
        };
        let answered = Answered { sequence: deleted, replayed: false, answer };
        return Some(Decided { answered, at: None });
    }
    // How the server is, is told beside what its state is.
    let Some(sequence) = maybe_number(body, "seq") else {
        let later = matches!(status, 429 | 503) && body["retryable"] != false;
        assert!(later, "{command:?} is answered {said:?}");
        return None;
    };
    let answer = match *status {
        200 | 201 => accepted(command, *status == 201, body),
        _ => Answer::Refused(refusal(command, text(body, "code"), body)),
    };
    let at = if *replayed { None } else { decided_at(&answer) };
    Some(Decided { answered: Answered { sequence, replayed: *replayed, answer }, at })
}

/// Answers that tell the time tell when they were decided.
fn decided_at(answer: &Answer) -> Option<Stamp> {
    match answer {
        Answer::Sku(view) | Answer::SkuCreated(view) => Some(view.now),
        Answer::Draw(view) | Answer::DrawCreated(view) => Some(view.now),
        Answer::Skus(page) => page.entries.first().map(|view| view.now),
        Answer::Refused(Refusal::Closed(window) | Refusal::NotOpen(window)) => Some(window.now),
        Answer::Refused(Refusal::DrawClosed { now, .. } | Refusal::DrawNotOpen { now, .. }) => {
            Some(*now)
        }
        _ => None,
    }
}

fn accepted(command: &Command, made: bool, body: &Value) -> Answer {
    match command {
        Command::CreateOrder(create) => Answer::Created(created(create, body)),
        Command::ActOnOrder(..) => Answer::Order(Box::new(order_view(body))),
        Command::PutSku(_) if made => Answer::SkuCreated(Box::new(sku_view(body))),
        Command::PutSku(_) | Command::PatchSku(_) | Command::AdjustSku(_) => {
            Answer::Sku(Box::new(sku_view(body)))
        }
        Command::PutDraw(_) if made => Answer::DrawCreated(Box::new(draw_view(body))),
        Command::PutDraw(_) | Command::CloseDraw(_) => Answer::Draw(Box::new(draw_view(body))),
        Command::EnterDraw(_) => Answer::Entered(Box::new(entry_view(body))),
        Command::DeleteSku(_) | Command::DeleteDraw(_) => panic!("a deletion is answered {body}"),
        Command::Read(query) => shown(query, body),
    }
}

/// It says again what was asked.
fn created(create: &CreateOrder, body: &Value) -> Created {
    let view = order_view(body);
    let as_asked = view.user == create.user
        && view.reference == create.reference
        && line_requests(list(body, "lines")) == create.lines
        && view.lines.iter().all(|line| line.refunded == 0);
    assert!(as_asked, "{create:?} is answered {body}");
    assert_eq!(view.changed_sequence, number(body, "seq"), "{body}");
    let OrderView { order, status, created_at, expires_at, .. } = view;
    Created { order, status, created_at, expires_at }
}

fn shown(query: &Query, body: &Value) -> Answer {
    match query {
        Query::Sku(_) => Answer::Sku(Box::new(sku_view(body))),
        Query::Skus { .. } => {
            let entries = list(body, "skus").iter().map(sku_view).collect();
            Answer::Skus(Box::new(Page { entries, next: maybe_text(body, "next_cursor").map(sku) }))
        }
        Query::Order(_) => Answer::Order(Box::new(order_view(body))),
        Query::Orders { .. } | Query::UserOrders { .. } => {
            let entries = list(body, "orders").iter().map(order_view).collect();
            let next = maybe_text(body, "next_cursor").map(order);
            Answer::Orders(Box::new(Page { entries, next }))
        }
        Query::Draw(_) => Answer::Draw(Box::new(draw_view(body))),
        Query::Entries { .. } => {
            let entries = list(body, "entries").iter().map(entry_view).collect();
            let next = maybe_number(body, "next_after").map(|_| small(body, "next_after"));
            Answer::Entries(Box::new(Page { entries, next }))
        }
        Query::Remembered(_) => Answer::Remembered(Box::new(remembered(body))),
        Query::Status => {
            let fill = |name| {
                let fill = &body["tables"][name];
                TableFill { name, used: number(fill, "used"), cap: number(fill, "cap") }
            };
            let tables = TABLES.into_iter().map(fill).collect();
            Answer::Status(Box::new(StateStatus { epoch: small(body, "epoch"), tables }))
        }
    }
}

fn remembered(whole: &Value) -> Remembered {
    let (status, body) = (number(whole, "status"), &whole["body"]);
    let body_of = |name: &str| body.get(name).is_some();
    let remembered = if body_of("outcome") {
        RememberedBody::Entered(entry_view(body))
    } else if body_of("commitment") {
        RememberedBody::Draw(draw_view(body))
    } else if body_of("per_user_limit") {
        RememberedBody::Sku(sku_view(body))
    } else if status == 201 {
        RememberedBody::Created(order_view(body))
    } else {
        RememberedBody::Order(order_view(body))
    };
    Remembered { sequence: number(body, "seq"), body: remembered }
}

fn order_view(body: &Value) -> OrderView {
    let line = |line: &Value| LineView {
        sku: sku(text(line, "sku")),
        quantity: small(line, "qty"),
        refunded: small(line, "refunded_qty"),
    };
    OrderView {
        order: order(text(body, "id")),
        user: user(text(body, "user")),
        status: status(text(body, "status")),
        lines: list(body, "lines").iter().map(line).collect(),
        reference: maybe_text(body, "reference").map(Into::into),
        created_at: instant(text(body, "created_at")),
        expires_at: maybe_instant(body, "expires_at"),
        changed_sequence: number(body, "changed_seq"),
    }
}

fn status(word: &str) -> Status {
    Status::parse(word).unwrap_or_else(|| panic!("{word:?} is no status"))
}

fn sku_view(body: &Value) -> SkuView {
    let mut refused = Refused::default();
    for reason in RefusalReason::ALL {
        refused.0[reason as usize] = maybe_number(&body["refused"], reason.as_str()).unwrap_or(0);
    }
    let view = SkuView {
        sku: sku(text(body, "sku")),
        total: number(body, "total"),
        held: number(body, "held"),
        sold: number(body, "sold"),
        refused,
        settings: settings(body),
        version: number(body, "version"),
        now: instant(text(body, "now")),
    };
    assert_eq!(view.available(), number(body, "available"), "{body}");
    view
}

fn draw_view(body: &Value) -> DrawView {
    DrawView {
        draw: draw(text(body, "draw")),
        terms: terms(body),
        admission: admission(body),
        commitment: bytes(text(body, "commitment")),
        seed: maybe_text(body, "seed").map(|digits| Seed(bytes(digits))),
        entries: small(body, "entries"),
        closed_at: maybe_instant(body, "closed_at"),
        version: number(body, "version"),
        now: instant(text(body, "now")),
    }
}

fn bytes(digits: &str) -> [u8; 32] {
    assert_eq!(digits.len(), 64, "{digits}");
    std::array::from_fn(|at| {
        u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hexadecimal digits")
    })
}

fn entry_view(body: &Value) -> EntryView {
    let word = text(body, "reason");
    let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == word);
    let reason = reason.unwrap_or_else(|| panic!("{word:?} is no reason"));
    assert_eq!(text(body, "outcome"), reason.outcome(), "{body}");
    EntryView {
        draw: draw(text(body, "draw")),
        number: small(body, "entry"),
        user: user(text(body, "user")),
        client_seed: maybe_text(body, "client_seed").map(Into::into),
        pick: maybe_text(body, "pick").map(sku),
        reason,
        order: maybe(body, "order").map(order_view),
        sequence: number(body, "seq"),
    }
}

fn refusal(command: &Command, code: &str, body: &Value) -> Refusal {
    let count = |name| number(body, name);
    let own_sku = || sku(text(body, "sku"));
    let at = |name| instant(text(body, name));
    let is_sale = maybe(body, "sku").is_some();
    let window = |edge| Box::new(Window { sku: own_sku(), edge: at(edge), now: at("now") });
    match code {
        "idempotency_key_reused" => Refusal::KeyReused,
        "unknown_sku" => Refusal::UnknownSku(own_sku()),
        "unknown_order" => Refusal::UnknownOrder,
        "unknown_draw" => Refusal::UnknownDraw,
        "unknown_request" => Refusal::UnknownRequest,
        "version_mismatch" => Refusal::VersionMismatch(maybe_number(body, "version")),
        "if_match_required" => Refusal::IfMatchRequired(count("version")),
        "invalid_transition" => Refusal::InvalidTransition(status(text(body, "order_status"))),
        "hold_expired" => Refusal::HoldExpired,
        "closed" if is_sale => Refusal::Closed(window("closes_at")),
        "closed" => Refusal::DrawClosed { closes_at: at("closes_at"), now: at("now") },
        "not_open" if is_sale => Refusal::NotOpen(window("opens_at")),
        "not_open" => Refusal::DrawNotOpen { opens_at: at("opens_at"), now: at("now") },
        "paused" => Refusal::Paused(own_sku()),
        "user_limit" => Refusal::UserLimit(Box::new(UserLimit {
            sku: own_sku(),
            limit: count("limit"),
            used: count("used"),
            requested: count("requested"),
        })),
        "hold_limit" => {
            Refusal::HoldLimit { used: small(body, "used"), limit: small(body, "limit") }
        }
        "entry_limit" => Refusal::EntryLimit { used: count("used"), limit: count("limit") },
        "draw_only" => Refusal::DrawOnly(own_sku()),
        "in_use" if maybe(body, "held").is_some() => Refusal::InUse { held: count("held") },
        "in_use" if matches!(command, Command::PutDraw(_)) => Refusal::DrawFixed,
        "in_use" => Refusal::DrawUnclosed,
        "sold_out" => sold_out(body),
        "stock_below_committed" => {
            Refusal::StockBelowCommitted { held: count("held"), sold: count("sold") }
        }
        "invalid" => invalid(body),
        "capacity" => {
            let table = TABLES.into_iter().find(|table| *table == text(body, "table"));
            Refusal::Capacity(table.unwrap_or_else(|| panic!("no such table: {body}")))
        }
        _ => panic!("{command:?} is refused with {body}"),
    }
}

/// Waiting is said to make sense where it does.
fn sold_out(body: &Value) -> Refusal {
    let line = |line: &Value| {
        Box::new(ShortLine {
            sku: sku(text(line, "sku")),
            requested: number(line, "requested"),
            available: number(line, "available"),
            held: number(line, "held"),
        })
    };
    let lines: smallvec::SmallVec<[Box<ShortLine>; 1]> =
        list(body, "lines").iter().map(line).collect();
    let hopeful = lines.iter().all(|line| line.available + line.held >= line.requested);
    assert_eq!(flag(body, "retryable"), hopeful, "{body}");
    Refusal::SoldOut(lines)
}

fn invalid(body: &Value) -> Refusal {
    let [fault] = list(body, "errors") else { panic!("one member is wrong: {body}") };
    let field = JUDGED_FIELDS.into_iter().find(|field| *field == text(fault, "field"));
    let field = field.unwrap_or_else(|| panic!("the state cannot judge it: {body}"));
    Refusal::Invalid { field, reason: "" }
}
