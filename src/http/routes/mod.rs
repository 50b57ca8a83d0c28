//! Places and what can be done there: from method, path, headers and body to a request for the
//! writer, or to a reply that needs no writer.
//!
//! Owns the table of paths and methods (405, `Allow`) and what all families share: media types,
//! idempotency keys, deadlines. Parsing touches no socket and no clock. Never asks the writer: that
//! is `service`. Next: `orders`, `skus`, `draws`, `requests`, `operations`.

pub(super) mod batch;
mod draws;
pub(super) mod events;
mod operations;
mod orders;
mod plain_order;
mod requests;
mod skus;

use super::answers::Asked;
use super::fingerprint::{self, Beside};
use super::head::{Head, Name};
use super::json::{self, Members};
use super::mode::Change;
use super::problem::{Code, Problem, Refused};
use super::reply::Reply;
use super::roles::{Deed, Role};
use super::target::{nothing_here, parameters, segments};
use super::{Front, Phase};
use crate::domain::command::{Command, Precondition, Principal, Query, Request};
use crate::domain::ids::Traceparent;
use crate::domain::order::Verb;
use hyper::Method;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What a path names. Ids are as given, decoded but unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place<'p> {
    Live,
    Ready,
    Status,
    Latency,
    Percentiles,
    Metrics,
    Contract,
    Root,
    TakeImage,
    Mode(Change),
    Skus,
    Sku(Cow<'p, str>),
    Adjust(Cow<'p, str>),
    Orders,
    Order(Cow<'p, str>),
    Act(Cow<'p, str>, Verb),
    UserOrders(Cow<'p, str>),
    Remembered(Cow<'p, str>),
    Batch,
    Events,
    Draw(Cow<'p, str>),
    Entries(Cow<'p, str>),
    CloseDraw(Cow<'p, str>),
}

/// All paths, as they are counted; the first stands for those that there are not.
pub(super) const ROUTES: &[&str] = &[
    "none",
    "/livez",
    "/readyz",
    "/v1/status",
    "/v1/latency",
    "/v1/latency.hgrm",
    "/metrics",
    "/v1/admin/snapshot",
    "/v1/skus",
    "/v1/skus/{sku}",
    "/v1/skus/{sku}/adjust",
    "/v1/orders",
    "/v1/orders/{order}",
    "/v1/orders/{order}/confirm",
    "/v1/orders/{order}/cancel",
    "/v1/orders/{order}/extend",
    "/v1/orders/{order}/ship",
    "/v1/orders/{order}/complete",
    "/v1/orders/{order}/refund",
    "/v1/users/{user}/orders",
    "/v1/requests/{key}",
    "/openapi.json",
    "/",
    "/v1/batch",
    "/v1/events",
    "/v1/draws/{draw}",
    "/v1/draws/{draw}/entries",
    "/v1/draws/{draw}/close",
    "/v1/admin/drain",
    "/v1/admin/read-only",
    "/v1/admin/read-write",
];

impl<'p> Place<'p> {
    /// The place of a path.
    pub(super) fn find(path: &'p str) -> Result<Self, Refused> {
        // The one that is worth a shortcut.
        if path == "/v1/orders" {
            return Ok(Self::Orders);
        }
        let mut found = segments(path)?;
        let place = Self::of_segments(&found)?;
        // A place with an id has it as its third segment.
        let id = if found.len() > 2 { found.swap_remove(2) } else { Cow::Borrowed("") };
        Ok(place(id))
    }

    fn of_segments(found: &[Cow<'p, str>]) -> Result<fn(Cow<'p, str>) -> Self, Refused> {
        let names: SmallVec<[&str; 5]> = found.iter().map(AsRef::as_ref).collect();
        let place: fn(Cow<'p, str>) -> Self = match names.as_slice() {
            ["livez"] => |_| Self::Live,
            ["readyz"] => |_| Self::Ready,
            ["v1", "status"] => |_| Self::Status,
            ["v1", "latency"] => |_| Self::Latency,
            ["v1", "latency.hgrm"] => |_| Self::Percentiles,
            ["metrics"] => |_| Self::Metrics,
            ["openapi.json"] => |_| Self::Contract,
            [""] => |_| Self::Root,
            ["v1", "admin", "snapshot"] => |_| Self::TakeImage,
            ["v1", "admin", "drain"] => |_| Self::Mode(Change::Drain),
            ["v1", "admin", "read-only"] => |_| Self::Mode(Change::ReadOnly),
            ["v1", "admin", "read-write"] => |_| Self::Mode(Change::ReadWrite),
            ["v1", "skus"] => |_| Self::Skus,
            ["v1", "orders"] => |_| Self::Orders,
            ["v1", "batch"] => |_| Self::Batch,
            ["v1", "events"] => |_| Self::Events,
            ["v1", _, "", ..] => return Err(nothing_here()),
            ["v1", "skus", _] => Self::Sku,
            ["v1", "skus", _, "adjust"] => Self::Adjust,
            ["v1", "orders", _] => Self::Order,
            ["v1", "orders", _, "confirm"] => |id| Self::Act(id, Verb::Confirm),
            ["v1", "orders", _, "cancel"] => |id| Self::Act(id, Verb::Cancel),
            ["v1", "orders", _, "extend"] => |id| Self::Act(id, Verb::Extend),
            ["v1", "orders", _, "ship"] => |id| Self::Act(id, Verb::Ship),
            ["v1", "orders", _, "complete"] => |id| Self::Act(id, Verb::Complete),
            ["v1", "orders", _, "refund"] => |id| Self::Act(id, Verb::Refund),
            ["v1", "users", _, "orders"] => Self::UserOrders,
            ["v1", "requests", _] => Self::Remembered,
            ["v1", "draws", _] => Self::Draw,
            ["v1", "draws", _, "entries"] => Self::Entries,
            ["v1", "draws", _, "close"] => Self::CloseDraw,
            _ => return Err(nothing_here()),
        };
        Ok(place)
    }

    /// Its place in [`ROUTES`].
    pub(super) const fn number(&self) -> usize {
        match self {
            Self::Live => 1,
            Self::Ready => 2,
            Self::Status => 3,
            Self::Latency => 4,
            Self::Percentiles => 5,
            Self::Metrics => 6,
            Self::TakeImage => 7,
            Self::Skus => 8,
            Self::Sku(_) => 9,
            Self::Adjust(_) => 10,
            Self::Orders => 11,
            Self::Order(_) => 12,
            Self::Act(_, Verb::Confirm) => 13,
            Self::Act(_, Verb::Cancel) => 14,
            Self::Act(_, Verb::Extend) => 15,
            Self::Act(_, Verb::Ship) => 16,
            Self::Act(_, Verb::Complete) => 17,
            Self::Act(_, Verb::Refund) => 18,
            Self::UserOrders(_) => 19,
            Self::Remembered(_) => 20,
            Self::Contract => 21,
            Self::Root => 22,
            Self::Batch => 23,
            Self::Events => 24,
            Self::Draw(_) => 25,
            Self::Entries(_) => 26,
            Self::CloseDraw(_) => 27,
            Self::Mode(Change::Drain) => 28,
            Self::Mode(Change::ReadOnly) => 29,
            Self::Mode(Change::ReadWrite) => 30,
        }
    }

    /// The methods there are, as `Allow` lists them.
    pub(super) const fn allow(&self) -> &'static str {
        match self {
            Self::Live | Self::Ready | Self::Status | Self::Skus => "GET, HEAD, OPTIONS",
            Self::Latency | Self::Percentiles | Self::Metrics => "GET, HEAD, OPTIONS",
            Self::Contract | Self::Root | Self::Events => "GET, HEAD, OPTIONS",
            Self::Order(_) | Self::UserOrders(_) | Self::Remembered(_) => "GET, HEAD, OPTIONS",
            Self::Sku(_) => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
            Self::Draw(_) => "GET, HEAD, PUT, DELETE, OPTIONS",
            Self::Orders | Self::Entries(_) => "GET, HEAD, POST, OPTIONS",
            Self::Adjust(_) | Self::Act(..) => "POST, OPTIONS",
            Self::TakeImage | Self::Mode(_) => "POST, OPTIONS",
            Self::Batch | Self::CloseDraw(_) => "POST, OPTIONS",
        }
    }

    /// What such a request does; none for a place that needs no token. The method is a listed one.
    pub(super) fn deed(&self, method: &Method) -> Option<Deed> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let deed = match self {
            Self::Live | Self::Ready | Self::Contract | Self::Root => return None,
            _ if *method == Method::OPTIONS => Deed::Ask,
            Self::Status | Self::Latency | Self::Percentiles | Self::Metrics => Deed::Watch,
            Self::TakeImage | Self::Mode(_) => Deed::Operate,
            Self::Events => Deed::Follow,
            Self::Batch => Deed::Ask,
            Self::Skus => Deed::ReadSkus,
            Self::Sku(_) if reads => Deed::ReadSkus,
            Self::Sku(_) | Self::Adjust(_) => Deed::ChangeSku,
            Self::Orders if reads => Deed::ListOrders,
            Self::Orders => Deed::CreateOrder,
            Self::Order(_) => Deed::ReadOrder,
            Self::Act(_, verb) => Deed::Act(*verb),
            Self::UserOrders(_) => Deed::ListUserOrders,
            Self::Remembered(_) => Deed::ReadRequest,
            Self::Draw(_) | Self::Entries(_) if reads => Deed::ReadDraws,
            Self::Draw(_) | Self::CloseDraw(_) => Deed::ChangeDraw,
            Self::Entries(_) => Deed::EnterDraw,
        };
        Some(deed)
    }

    /// Refuses a method that is not listed.
    pub(super) fn check(&self, method: &Method) -> Result<(), Refused> {
        let allow = self.allow();
        let mut listed = allow.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii_start);
        if listed.any(|listed| listed == method.as_str().as_bytes()) {
            return Ok(());
        }
        let mut refused = Problem::new(Code::MethodNotAllowed, format!("there are {allow}"));
        refused.allow = Some(allow);
        Err(refused)
    }
}

/// One request, as far as parsing needs it.
#[derive(Debug)]
pub(super) struct Input<'r> {
    pub(super) method: &'r Method,
    pub(super) query: Option<&'r str>,
    pub(super) head: &'r Head<'r>,
    pub(super) body: &'r [u8],
    pub(super) principal: &'r Principal,
    pub(super) role: Role,
    pub(super) hash_key: &'r [u8; 16],
    /// Now, on the clock of `Front`.
    pub(super) now_ms: fn(&Front) -> u64,
}

impl<'r> Input<'r> {
    /// The body's members; a body is needed.
    fn members(&self) -> Result<Members<'r>, Refused> {
        if self.body.is_empty() {
            return Err(Problem::malformed("a JSON body is needed"));
        }
        json::object(self.body)
    }

    /// The body's members; no body is an empty object.
    fn members_or_none(&self) -> Result<Members<'r>, Refused> {
        if self.body.is_empty() { Ok(Members::new()) } else { self.members() }
    }

    fn no_parameters(&self) -> Result<(), Refused> {
        parameters(self.query, []).map(|[]| ())
    }
}

/// What a family makes of a request.
#[derive(Debug)]
struct Parsed<'r> {
    command: Command,
    /// The order in the path, if its id is none of ours; part of the fingerprint.
    foreign_order: Option<&'r str>,
    key_required: bool,
}

impl Parsed<'_> {
    fn read(query: Query) -> Self {
        Self::unkeyed(Command::Read(Box::new(query)))
    }

    fn unkeyed(command: Command) -> Self {
        Self { command, foreign_order: None, key_required: false }
    }
}

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Wanted {
    /// This answer.
    Reply(Reply),
    /// An image, by the snapshotter.
    TakeImage,
    /// Another mode of the server.
    Change(Change),
    /// Answers to the lines of the body.
    Batch(Box<batch::Asker>),
    /// Events, by the feeder.
    Follow(events::Follow),
    /// The writer's answer.
    Ask(Question),
}

/// A request for the writer, and what its answer is rendered with.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) deadline_ms: Option<u64>,
    pub(super) asked: Option<Asked>,
}

/// Checks shape, in the order of API 1: media type, body, headers.
pub(super) fn parse(front: &Front, place: Place<'_>, input: &Input<'_>) -> Result<Wanted, Refused> {
    if input.method == Method::OPTIONS {
        input.no_parameters()?;
        return Ok(Wanted::Reply(Reply::options(place.allow())));
    }
    if !input.body.is_empty() {
        media_type(input.head)?;
    }
    let parsed = match &place {
        Place::Live => return operations::live(input).map(Wanted::Reply),
        Place::Ready => return operations::ready(front, input).map(Wanted::Reply),
        Place::Status => operations::status(input)?,
        Place::Latency => return operations::latency(front, input).map(Wanted::Reply),
        Place::Percentiles => return operations::percentiles(front, input).map(Wanted::Reply),
        Place::Metrics => return operations::metrics(front, input).map(Wanted::Reply),
        Place::Contract | Place::Root => return operations::contract(input).map(Wanted::Reply),
        Place::TakeImage => return operations::bare(input, Wanted::TakeImage),
        Place::Mode(change) => return operations::bare(input, Wanted::Change(*change)),
        Place::Events => return events::follow(input),
        Place::Batch => return batch::begin(|| (input.now_ms)(front), input),
        Place::Skus => skus::list(input)?,
        Place::Sku(sku) => skus::one(sku, input)?,
        Place::Adjust(sku) => skus::adjust_alone(sku, input)?,
        Place::Orders => orders::all(input)?,
        Place::Order(order) => orders::one(order, input)?,
        Place::Act(order, verb) => orders::act_alone(order, *verb, input)?,
        Place::UserOrders(user) => orders::of_user(user, input)?,
        Place::Remembered(key) => requests::remembered(key, input)?,
        Place::Draw(draw) => draws::one(draw, input)?,
        Place::Entries(draw) => draws::entries(draw, input)?,
        Place::CloseDraw(draw) => draws::close(draw, input)?,
    };
    question(front, parsed, input).map(Wanted::Ask)
}

fn question(front: &Front, parsed: Parsed<'_>, input: &Input<'_>) -> Result<Question, Refused> {
    let if_match = match (input.method, &parsed.command) {
        (&Method::PUT, _) => input.head.put_precondition()?,
        (_, Command::Read(_)) => Precondition::None,
        _ => input.head.if_match()?,
    };
    // Keys are ignored on methods that are idempotent by themselves.
    let key = if input.method == Method::POST { input.head.idempotency_key()? } else { None };
    if parsed.key_required && key.is_none() {
        return Err(key_missing());
    }
    let beyond = Beyond {
        principal: input.principal,
        role: input.role,
        hash_key: input.hash_key,
        if_match,
        foreign_tag: input.head.foreign_tag(),
        key,
        traceparent: input.head.traceparent().map(|(traceparent, _)| traceparent),
        deadline_ms: input.head.deadline_ms(|| (input.now_ms)(front))?,
    };
    question_of(parsed, beyond)
}

/// What a request says beyond its command, alone or in a batch.
#[derive(Debug)]
struct Beyond<'r> {
    principal: &'r Principal,
    role: Role,
    hash_key: &'r [u8; 16],
    if_match: Precondition,
    /// The text of `If-Match`, if it is no version of ours.
    foreign_tag: Option<&'r [u8]>,
    /// Unquoted.
    key: Option<Cow<'r, [u8]>>,
    traceparent: Option<Traceparent>,
    deadline_ms: Option<u64>,
}

fn question_of(parsed: Parsed<'_>, beyond: Beyond<'_>) -> Result<Question, Refused> {
    let Parsed { mut command, foreign_order, .. } = parsed;
    let Beyond { principal, role, hash_key, if_match, foreign_tag, key, traceparent, deadline_ms } =
        beyond;
    // The route or the line was checked before; a wrong row there must not let a command through.
    role.allows(Deed::of(&command))?;
    match &mut command {
        Command::PutSku(put) => put.precondition = if_match,
        Command::PatchSku(patch) => patch.precondition = if_match,
        Command::DeleteSku(delete) => delete.precondition = if_match,
        Command::AdjustSku(adjust) => adjust.precondition = if_match,
        Command::PutDraw(put) => put.precondition = if_match,
        Command::DeleteDraw(delete) => delete.precondition = if_match,
        Command::CreateOrder(_)
        | Command::ActOnOrder(..)
        | Command::EnterDraw(_)
        | Command::CloseDraw(_)
        | Command::Read(_) => {}
    }
    let key = key.and_then(|key| {
        let beside = Beside { if_match, foreign_tag, foreign_order };
        fingerprint::claim(hash_key, &principal.name, &key, &command, beside)
    });
    let asked = match &command {
        Command::CreateOrder(order) => Some(Asked::from(order)),
        _ => None,
    };
    let request = Request { principal: principal.clone(), key, traceparent, command };
    Ok(Question { request, deadline_ms, asked })
}

fn key_missing() -> Refused {
    Problem::new(Code::IdempotencyKeyMissing, "this request needs an idempotency key")
}

/// `application/json`, with `charset=utf-8` or without; unencoded.
fn media_type(head: &Head<'_>) -> Result<(), Refused> {
    if has_type(head, b"application/json") {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "a body must be application/json in UTF-8, without content encoding",
    ))
}

/// The body is of this type, as UTF-8, unencoded.
fn has_type(head: &Head<'_>, essence: &[u8]) -> bool {
    let value = head.bytes(Name::ContentType).unwrap_or_default();
    let encoding = head.bytes(Name::ContentEncoding).unwrap_or(b"identity");
    let plain = encoding.eq_ignore_ascii_case(b"identity");
    plain && !head.is_repeated(Name::ContentType) && is_of_type(value, essence)
}

fn is_of_type(value: &[u8], essence: &[u8]) -> bool {
    // What nearly everybody sends.
    if value == essence {
        return true;
    }
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    parts.next().unwrap_or_default().eq_ignore_ascii_case(essence)
        && parts.all(|part| {
            part.is_empty()
                || part.eq_ignore_ascii_case(b"charset=utf-8")
                || part.eq_ignore_ascii_case(b"charset=\"utf-8\"")
        })
}

/// Why nothing but `/livez` answers, if so.
pub(super) fn not_ready(phase: Phase) -> Option<Refused> {
    match phase {
        Phase::Recovering => {
            Some(Problem::new(Code::Recovering, "the journal is being read; come back soon"))
        }
        Phase::Draining => Some(Problem::new(Code::Draining, "the server is stopping").closing()),
        Phase::Serving => None,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
