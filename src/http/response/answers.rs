//! The writer's answers as replies.
//!
//! Owns which answer is which status, and the members of refusals (API 1, the table). Never parses.
//! Next: `json_writer` for the text, `problem` for the codes.

use super::draw_writer;
use super::json_writer::{self, Json, OrderHead};
use super::problem::{Code, Member, Problem, Refused, jitter};
use super::reply::Reply;
use super::status::{self, StateSummary};
use crate::domain::model::answer::{
    Answer, Answered, Created, DrawView, Page, Refusal, Remembered,
};
use crate::domain::model::answer::{
    RememberedBody, ShortLine, SkuView, StateStatus, UserLimit, Window,
};
use crate::domain::model::command::{Command, CreateOrder, Query, Request};
use crate::domain::model::ids::{LineRequest, LineRequests, OrderId, Sequence, UserId};
use crate::domain::model::lives::Lives;
use crate::http::Front;
use crate::http::request::fields::Faults;
use crate::http::request::sealed_cursor::{Whose, seal};
use crate::ring::{Outcome, SubmitError};
use compact_str::CompactString;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use smallvec::SmallVec;
use std::ops::RangeInclusive;

/// The longest that a client is told to wait for a sale to open, in milliseconds (API 1).
const OPENING_WAIT_MS_MAX: u64 = 60_000;
/// Held units may come back after this, in milliseconds (API 1).
const SOLD_OUT_PAUSE_MS: RangeInclusive<u64> = 2_000..=10_000;

/// What the text of an answer needs of what was asked.
#[derive(Debug, Clone)]
pub(in crate::http) enum OrderEcho {
    /// An order; its answer holds only what the request does not.
    Order(AskedOrder),
    /// A page of a user's orders.
    UserOrders(Whose),
}

/// An order as it was asked for.
#[derive(Debug, Clone)]
pub(in crate::http) struct AskedOrder {
    user: UserId,
    lines: LineRequests,
    reference: Option<CompactString>,
}

impl OrderEcho {
    pub(in crate::http) fn of(request: &Request) -> Option<Self> {
        match &request.command {
            Command::CreateOrder(CreateOrder { user, lines, reference, .. }) => {
                let (lines, reference) = (lines.clone(), reference.clone());
                Some(Self::Order(AskedOrder { user: user.clone(), lines, reference }))
            }
            Command::Read(query) => match &**query {
                Query::UserOrders { user, .. } => {
                    let principal = request.principal.name.clone();
                    Some(Self::UserOrders(Whose { principal, user: user.clone() }))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl AskedOrder {
    /// What is ordered.
    pub(in crate::http) fn skus(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.sku.as_str())
    }
}

/// The outcome of a request, as a reply.
pub(in crate::http) fn reply(front: &Front, asked: Option<&OrderEcho>, outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Answered(answered) => answer(front, asked, answered),
        Outcome::DeadlineExceeded => Problem::new(
            Code::DeadlineExceeded,
            "Request-Timeout-Ms passed before the request was sequenced; nothing was decided",
        )
        .into(),
        Outcome::Busy => Problem::new(Code::Overloaded, "the server makes room first").into(),
        Outcome::NoSpace => {
            Problem::new(Code::NoSpace, "the journal cannot take what this might record").into()
        }
        Outcome::Internal => Problem::new(Code::Internal, "nothing was decided").into(),
        Outcome::Unknown => Problem::new(
            Code::OutcomeUnknown,
            "the server stops and this may or may not be recorded; retry with the same key",
        )
        .into(),
    }
}

/// The reply to a request that the ring did not take.
pub(in crate::http) fn not_taken(why: SubmitError) -> Refused {
    match why {
        SubmitError::Overloaded => Problem::new(Code::Overloaded, "too many requests are waiting"),
        SubmitError::Draining => Problem::new(Code::Draining, "the server takes no new requests"),
    }
}

/// The newest snapshot, after it was asked for.
pub(in crate::http) fn snapshot_taken(sequence: Sequence) -> Reply {
    json(StatusCode::OK, |json| {
        json.raw("{\"snapshot_seq\":");
        json.number(sequence);
        json_writer::end(json, sequence);
    })
}

fn answer(front: &Front, asked: Option<&OrderEcho>, answered: Answered) -> Reply {
    let Answered { sequence, replayed, answer } = answered;
    let mut reply = match answer {
        Answer::Created(numbers) => match asked {
            Some(OrderEcho::Order(asked)) => created(front.lives(), asked, numbers, sequence),
            _ => Problem::new(Code::Internal, "an answer to another request").into(),
        },
        Answer::Order(view) => json(StatusCode::OK, |json| {
            json_writer::order_view(json, front.lives(), &view, sequence);
        }),
        Answer::Sku(view) => sku(StatusCode::OK, &view, sequence),
        Answer::SkuCreated(view) => sku(StatusCode::CREATED, &view, sequence),
        Answer::SkuDeleted => Reply::empty(),
        Answer::Skus(page) => json(StatusCode::OK, |json| {
            let Page { entries, next } = *page;
            json.raw("{\"skus\":");
            json.list(&entries, |json, view| json_writer::sku(json, view, sequence));
            json.raw(",\"next_cursor\":");
            json.maybe(next, |json, next| json.id(next.as_str()));
            json_writer::end(json, sequence);
        }),
        Answer::Orders(page) => json(StatusCode::OK, |json| {
            let Page { entries, next } = *page;
            json.raw("{\"orders\":");
            let lives = front.lives();
            json.list(&entries, |json, view| json_writer::order_view(json, lives, view, sequence));
            json.raw(",\"next_cursor\":");
            let last = entries.last().map(|view| view.order);
            json.maybe(next, |json, next| match asked {
                // Of an order that the page does not show, its reader learns nothing.
                Some(OrderEcho::UserOrders(whose)) if last != Some(next) => {
                    json.id(seal(front.hash_key(), whose, lives, (next, sequence)).as_str());
                }
                _ => json.order_id(lives, next),
            });
            json_writer::end(json, sequence);
        }),
        Answer::Draw(view) => draw(StatusCode::OK, &view, sequence),
        Answer::DrawCreated(view) => draw(StatusCode::CREATED, &view, sequence),
        Answer::DrawDeleted => Reply::empty(),
        Answer::Entered(view) => json(StatusCode::CREATED, |json| {
            draw_writer::entry(json, front.lives(), &view, sequence);
        }),
        Answer::Entries(page) => json(StatusCode::OK, |json| {
            let Page { entries, next } = *page;
            json.raw("{\"entries\":");
            let lives = front.lives();
            json.list(&entries, |json, view| draw_writer::entry(json, lives, view, sequence));
            json.raw(",\"next_after\":");
            json.maybe(next, |json, next| json.number(u64::from(next)));
            json_writer::end(json, sequence);
        }),
        Answer::Remembered(remembered) => json(StatusCode::OK, |json| {
            remembered_body(json, front.lives(), &remembered, sequence);
        }),
        Answer::Status(status) => json(StatusCode::OK, |json| {
            let StateStatus { epoch, tables } = &*status;
            status::write(json, front, &StateSummary { epoch: *epoch, sequence, tables });
        }),
        Answer::Refused(refusal) => {
            let mut refused = refused(refusal);
            refused.sequence = Some(sequence);
            refused.into()
        }
    };
    reply.replayed = replayed;
    reply
}

fn json(status: StatusCode, write: impl FnOnce(&mut Json)) -> Reply {
    let mut json = Json::new();
    write(&mut json);
    Reply::json(status, json)
}

/// The first answer and its replays render alike: `sequence` is that of the creation in both.
fn created(lives: &Lives, asked: &AskedOrder, numbers: Created, sequence: Sequence) -> Reply {
    let mut reply =
        json(StatusCode::CREATED, |json| created_body(json, lives, asked, numbers, sequence));
    reply.location = location(lives, numbers.order);
    reply
}

fn created_body(
    json: &mut Json,
    lives: &Lives,
    asked: &AskedOrder,
    numbers: Created,
    sequence: Sequence,
) {
    let head = OrderHead {
        id: numbers.order,
        user: asked.user.as_str(),
        status: numbers.status,
        reference: asked.reference.as_deref(),
        created_at: numbers.created_at,
        expires_at: numbers.expires_at,
        changed_sequence: sequence,
    };
    let lines = asked.lines.iter().map(|line| (&line.sku, line.quantity, 0));
    json_writer::order(json, lives, head, lines, sequence);
}

/// The outcome of a line of a batch, as the line that answers it, and as it is counted.
pub(in crate::http) fn line(
    json: &mut Json,
    front: &Front,
    asked: Option<&OrderEcho>,
    outcome: Outcome,
) -> (StatusCode, Option<Code>) {
    if let (Some(OrderEcho::Order(asked)), Outcome::Answered(answered)) = (asked, &outcome)
        && let Answer::Created(numbers) = answered.answer
    {
        // Nearly every line; rendered in place.
        line_head(json, StatusCode::CREATED);
        created_body(json, front.lives(), asked, numbers, answered.sequence);
        line_end(json, answered.replayed);
        return (StatusCode::CREATED, None);
    }
    let reply = reply(front, asked, outcome);
    reply_line(json, &reply);
    (reply.status, reply.code)
}

/// A line that was refused before it was asked.
pub(in crate::http) fn refused_line(json: &mut Json, refused: Refused) {
    reply_line(json, &refused.into());
}

/// The last line of a stream that cannot be read on.
pub(in crate::http) fn fault_line(json: &mut Json, refused: Refused) {
    let reply = Reply::from(refused);
    line_head(json, reply.status);
    json.rendered(&reply.body);
    json.raw("}\n");
}

fn reply_line(json: &mut Json, reply: &Reply) {
    line_head(json, reply.status);
    json.rendered(if reply.body.is_empty() { b"null" } else { &reply.body });
    line_end(json, reply.replayed);
}

fn line_head(json: &mut Json, status: StatusCode) {
    json.raw("{\"status\":");
    json.number(u64::from(status.as_u16()));
    json.raw(",\"body\":");
}

fn line_end(json: &mut Json, replayed: bool) {
    json.raw(",\"replayed\":");
    json.boolean(replayed);
    json.raw("}\n");
}

fn location(lives: &Lives, order: OrderId) -> Option<HeaderValue> {
    let mut path = Json::short();
    path.raw("/v1/orders/");
    path.place(lives, order);
    HeaderValue::from_maybe_shared(path.into_bytes()).ok()
}

fn sku(status: StatusCode, view: &SkuView, sequence: Sequence) -> Reply {
    let mut reply = json(status, |json| json_writer::sku(json, view, sequence));
    reply.etag = tag(view.version);
    reply
}

fn draw(status: StatusCode, view: &DrawView, sequence: Sequence) -> Reply {
    let mut reply = json(status, |json| draw_writer::draw(json, view, sequence));
    reply.etag = tag(view.version);
    reply
}

fn tag(version: Sequence) -> Option<HeaderValue> {
    let mut tag = Json::short();
    tag.raw("\"");
    tag.number(version);
    tag.raw("\"");
    HeaderValue::from_maybe_shared(tag.into_bytes()).ok()
}

fn remembered_body(json: &mut Json, lives: &Lives, remembered: &Remembered, sequence: Sequence) {
    let status = match remembered.body {
        RememberedBody::Created(_) | RememberedBody::Entered(_) => StatusCode::CREATED,
        RememberedBody::Order(_) | RememberedBody::Sku(_) | RememberedBody::Draw(_) => {
            StatusCode::OK
        }
    };
    json.raw("{\"status\":");
    json.number(u64::from(status.as_u16()));
    json.raw(",\"body\":");
    match &remembered.body {
        RememberedBody::Created(view) | RememberedBody::Order(view) => {
            json_writer::order_view(json, lives, view, remembered.sequence);
        }
        RememberedBody::Sku(view) => json_writer::sku(json, view, remembered.sequence),
        RememberedBody::Entered(view) => {
            draw_writer::entry(json, lives, view, remembered.sequence);
        }
        RememberedBody::Draw(view) => draw_writer::draw(json, view, remembered.sequence),
    }
    json_writer::end(json, sequence);
}

fn refused(refusal: Refusal) -> Refused {
    let text = |text: &str| Member::Text(text.to_owned().into());
    match refusal {
        Refusal::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "this key was used for a request that differs from this one",
        ),
        Refusal::UnknownSku(sku) => {
            Problem::new(Code::UnknownSku, format!("no SKU {sku}")).with("sku", text(sku.as_str()))
        }
        Refusal::UnknownOrder => Problem::new(Code::UnknownOrder, "no such order"),
        Refusal::UnknownDraw => Problem::new(Code::UnknownDraw, "no such draw"),
        Refusal::UnknownRequest => {
            Problem::new(Code::UnknownRequest, "nothing is remembered under this key")
        }
        Refusal::VersionMismatch(version) => {
            Problem::new(Code::VersionMismatch, "the state is not the one the request asks for")
                .with("version", Member::MaybeNumber(version))
        }
        Refusal::IfMatchRequired(version) => {
            Problem::new(Code::IfMatchRequired, "say which version is to be changed, or *")
                .with("version", Member::Number(version))
        }
        Refusal::InvalidTransition(status) => {
            Problem::new(Code::InvalidTransition, format!("the order is {}", status.as_str()))
                .with("order_status", text(status.as_str()))
        }
        Refusal::HoldExpired => Problem::new(Code::HoldExpired, "the hold of the order ran out"),
        Refusal::Closed(window) => closed(&window),
        Refusal::NotOpen(window) => not_open(&window),
        Refusal::Paused(sku) => Problem::new(Code::Paused, format!("the sale of {sku} is paused"))
            .with("sku", text(sku.as_str())),
        Refusal::UserLimit(limit) => user_limit(&limit),
        Refusal::HoldLimit { used, limit } => {
            Problem::new(Code::HoldLimit, format!("{used} orders are held, {limit} may be"))
                .with("limit", Member::Number(u64::from(limit)))
                .with("used", Member::Number(u64::from(used)))
        }
        Refusal::DrawOnly(sku) => {
            Problem::new(Code::DrawOnly, format!("a draw has {sku} as a prize"))
                .with("sku", text(sku.as_str()))
        }
        Refusal::DrawClosed { closes_at, now } => {
            Problem::new(Code::Closed, "the draw takes no more entries")
                .with("closes_at", Member::Instant(closes_at))
                .with("now", Member::Instant(now))
        }
        Refusal::DrawNotOpen { opens_at, now } => {
            Problem::new(Code::NotOpen, "the draw takes no entries yet")
                .with("opens_at", Member::Instant(opens_at))
                .with("now", Member::Instant(now))
                .retry_in(opens_at.saturating_sub(now).min(OPENING_WAIT_MS_MAX))
        }
        Refusal::EntryLimit { used, limit } => {
            Problem::new(Code::EntryLimit, format!("{used} entries are made, {limit} may be"))
                .with("limit", Member::Number(limit))
                .with("used", Member::Number(used))
        }
        Refusal::DrawFixed => Problem::new(
            Code::InUse,
            "prizes, weights, hold_ms and confirm are what the draw is committed to",
        ),
        Refusal::DrawUnclosed => Problem::new(Code::InUse, "the draw must be closed first"),
        Refusal::SoldOut(lines) => sold_out(lines),
        Refusal::StockBelowCommitted { held, sold } => {
            Problem::new(Code::StockBelowCommitted, "the total cannot go below held and sold units")
                .with("held", Member::Number(held))
                .with("sold", Member::Number(sold))
        }
        Refusal::InUse { held } => Problem::new(Code::InUse, "units are held, or a draw names it")
            .with("held", Member::Number(held)),
        Refusal::Invalid { field, reason } => Faults::one(field, reason),
        Refusal::Capacity(table) => {
            Problem::new(Code::Capacity, format!("no room for more {table}"))
                .with("table", Member::Text(table.into()))
        }
    }
}

fn closed(window: &Window) -> Refused {
    Problem::new(Code::Closed, format!("the sale of {} is over", window.sku))
        .with("sku", Member::Text(window.sku.as_str().to_owned().into()))
        .with("closes_at", Member::Instant(window.edge))
        .with("now", Member::Instant(window.now))
}

fn not_open(window: &Window) -> Refused {
    let wait_ms = window.edge.saturating_sub(window.now).min(OPENING_WAIT_MS_MAX);
    Problem::new(Code::NotOpen, format!("the sale of {} has not begun", window.sku))
        .with("sku", Member::Text(window.sku.as_str().to_owned().into()))
        .with("opens_at", Member::Instant(window.edge))
        .with("now", Member::Instant(window.now))
        .retry_in(wait_ms)
}

fn user_limit(limit: &UserLimit) -> Refused {
    Problem::new(Code::UserLimit, format!("at most {} of {} per user", limit.limit, limit.sku))
        .with("sku", Member::Text(limit.sku.as_str().to_owned().into()))
        .with("limit", Member::Number(limit.limit))
        .with("used", Member::Number(limit.used))
        .with("requested", Member::Number(limit.requested))
}

fn sold_out(lines: SmallVec<[Box<ShortLine>; 1]>) -> Refused {
    // Held units may come back; without enough of them, waiting is in vain.
    let hopeful = lines.iter().all(|line| line.available + line.held >= line.requested);
    let refused =
        Problem::new(Code::SoldOut, json_writer::SOLD_OUT).with("lines", Member::Lines(lines));
    if hopeful { refused.retry_in(jitter(SOLD_OUT_PAUSE_MS)) } else { refused }
}

/// The refusal of an order of one line of which nothing is available, as `reply` would give it.
pub(in crate::http) fn nothing_available(
    line: &LineRequest,
    held: u64,
    sequence: Sequence,
) -> Reply {
    let requested = u64::from(line.quantity);
    let retry_after_ms = (held >= requested).then(|| jitter(SOLD_OUT_PAUSE_MS));
    let mut json = Json::new();
    json_writer::sold_out(&mut json, (&line.sku, requested, 0, held), retry_after_ms, sequence);
    Reply::problem(Code::SoldOut, retry_after_ms, json)
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
