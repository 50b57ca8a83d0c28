//! What can be done at a place: from method, path, headers and body to a request for the writer, or
//! to a reply that needs no writer.
//!
//! Owns what all families share: media types, idempotency keys, deadlines. Parsing touches no
//! socket and no clock. Never asks the writer: that is `handlers::submit`. Next: `route`, the table
//! of paths and methods; `orders` (`plain_order` is its fast way), `skus`, `draws`, `requests`,
//! `batch` (lines), `events` (the feed), `operations`.

pub(super) mod batch;
mod draws;
pub(super) mod events;
mod operations;
mod orders;
mod plain_order;
mod requests;
mod route;
mod skus;

use super::auth::roles::{Permission, Role};
use super::handlers::mode::Change;
use super::request::conditions::{self, Condition};
use super::request::fingerprint::{self, FingerprintContext};
use super::request::headers::{Name, RequestHeaders};
use super::request::json::{self, Members};
use super::request::target::parameters;
use super::response::problem::{Code, Problem, Refused};
use super::response::reply::Reply;
use super::{Front, Phase};
use crate::domain::model::command::{Command, Principal, Query, Request};
use crate::domain::model::ids::Traceparent;
use crate::domain::model::lives::Lives;
use hyper::Method;
pub(super) use route::{ROUTES, Route};
use std::borrow::Cow;
use std::sync::Arc;

/// One request, as far as parsing needs it.
#[derive(Debug)]
pub(super) struct Input<'r> {
    pub(super) method: &'r Method,
    pub(super) query: Option<&'r str>,
    pub(super) head: &'r RequestHeaders<'r>,
    pub(super) body: &'r [u8],
    pub(super) principal: &'r Principal,
    pub(super) role: Role,
    pub(super) hash_key: &'r [u8; 16],
    /// What ids are read with.
    pub(super) lives: &'r Arc<Lives>,
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

    /// The body's members; no body, and `null`, are an empty object.
    fn members_or_none(&self) -> Result<Members<'r>, Refused> {
        if self.body.is_empty() { Ok(Members::new()) } else { json::object_or_null(self.body) }
    }

    fn no_parameters(&self) -> Result<(), Refused> {
        parameters(self.query, []).map(|[]| ())
    }
}

/// What a family makes of a request.
#[derive(Debug)]
struct ParsedCommand<'r> {
    command: Command,
    /// The order in the path, if its id is none of ours; part of the fingerprint.
    foreign_order: Option<&'r str>,
    key_required: bool,
}

impl ParsedCommand<'_> {
    fn read(query: Query) -> Self {
        Self::unkeyed(Command::Read(Box::new(query)))
    }

    fn unkeyed(command: Command) -> Self {
        Self { command, foreign_order: None, key_required: false }
    }
}

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Parsed {
    /// This answer.
    Reply(Reply),
    /// A snapshot, by the snapshotter.
    TakeSnapshot,
    /// Another mode of the server.
    Change(Change),
    /// Answers to the lines of the body.
    Batch(Box<batch::BatchContext>),
    /// Events, by the feeder.
    Follow(events::Follow),
    /// The writer's answer.
    Submit(WriterRequest),
}

/// A request for the writer, and until when it may wait for it.
#[derive(Debug)]
pub(super) struct WriterRequest {
    pub(super) request: Request,
    pub(super) deadline_ms: Option<u64>,
}

/// Checks shape, in the order of API 1: media type, body, headers.
pub(super) fn parse(front: &Front, place: Route<'_>, input: &Input<'_>) -> Result<Parsed, Refused> {
    if input.method == Method::OPTIONS {
        input.no_parameters()?;
        return Ok(Parsed::Reply(Reply::options(place.methods().allow)));
    }
    if !input.body.is_empty() {
        media_type(input.method, input.head)?;
    }
    let parsed = match &place {
        Route::Live => return operations::live(input).map(Parsed::Reply),
        Route::Ready => return operations::ready(front, input).map(Parsed::Reply),
        Route::Status => operations::status(input)?,
        Route::Latency => return operations::latency(front, input).map(Parsed::Reply),
        Route::Percentiles => return operations::percentiles(front, input).map(Parsed::Reply),
        Route::Metrics => return operations::metrics(front, input).map(Parsed::Reply),
        Route::Contract | Route::Root => return operations::contract(input).map(Parsed::Reply),
        Route::TakeSnapshot => return operations::bare(input, Parsed::TakeSnapshot),
        Route::Mode(change) => return operations::bare(input, Parsed::Change(*change)),
        Route::Events => return events::follow(input),
        Route::Batch => return batch::begin(|| (input.now_ms)(front), input),
        Route::Skus => skus::list(input)?,
        Route::Sku(sku) => skus::one(sku, input)?,
        Route::Adjust(sku) => skus::adjust_alone(sku, input)?,
        Route::Orders => orders::all(input)?,
        Route::Order(order) => orders::one(order, input)?,
        Route::Act(order, verb) => orders::act_alone(order, *verb, input)?,
        Route::UserOrders(user) => orders::of_user(user, input)?,
        Route::Remembered(key) => requests::remembered(key, input)?,
        Route::Draw(draw) => draws::one(draw, input)?,
        Route::Entries(draw) => draws::entries(draw, input)?,
        Route::CloseDraw(draw) => draws::close(draw, input)?,
    };
    question(front, parsed, input).map(Parsed::Submit)
}

fn question(
    front: &Front,
    parsed: ParsedCommand<'_>,
    input: &Input<'_>,
) -> Result<WriterRequest, Refused> {
    let (mut if_match, mut if_none_match) = (Condition::None, Condition::None);
    if !matches!(parsed.command, Command::Read(_)) {
        if_match = input.head.if_match()?;
        // What has a key is known again by If-Match alone.
        if input.method != Method::POST {
            if_none_match = input.head.if_none_match()?;
        }
    }
    // Keys are ignored on methods that are idempotent by themselves.
    let key = if input.method == Method::POST { input.head.idempotency_key()? } else { None };
    if parsed.key_required && key.is_none() {
        return Err(key_missing());
    }
    let beyond = RequestMeta {
        principal: input.principal,
        role: input.role,
        hash_key: input.hash_key,
        if_match,
        if_none_match,
        key,
        traceparent: input.head.traceparent().map(|(traceparent, _)| traceparent),
        deadline_ms: input.head.deadline_ms(|| (input.now_ms)(front))?,
    };
    question_of(parsed, beyond)
}

/// What a request says beyond its command, alone or in a batch.
#[derive(Debug)]
struct RequestMeta<'r> {
    principal: &'r Principal,
    role: Role,
    hash_key: &'r [u8; 16],
    if_match: Condition<'r>,
    if_none_match: Condition<'r>,
    /// Unquoted.
    key: Option<Cow<'r, [u8]>>,
    traceparent: Option<Traceparent>,
    deadline_ms: Option<u64>,
}

fn question_of(
    parsed: ParsedCommand<'_>,
    beyond: RequestMeta<'_>,
) -> Result<WriterRequest, Refused> {
    let ParsedCommand { mut command, foreign_order, .. } = parsed;
    let RequestMeta {
        principal,
        role,
        hash_key,
        if_match,
        if_none_match,
        key,
        traceparent,
        deadline_ms,
    } = beyond;
    // The route or the line was checked before; a wrong row there must not let a command through.
    role.allows(Permission::of(&command))?;
    let precondition = conditions::asked(&if_match, &if_none_match)?;
    match &mut command {
        Command::PutSku(put) => put.precondition = precondition,
        Command::PatchSku(patch) => patch.precondition = precondition,
        Command::DeleteSku(delete) => delete.precondition = precondition,
        Command::AdjustSku(adjust) => adjust.precondition = precondition,
        Command::PutDraw(put) => put.precondition = precondition,
        Command::DeleteDraw(delete) => delete.precondition = precondition,
        Command::CreateOrder(_)
        | Command::ActOnOrder(..)
        | Command::EnterDraw(_)
        | Command::CloseDraw(_)
        | Command::Read(_) => {}
    }
    let key = key.and_then(|key| {
        let beside = FingerprintContext { if_match: &if_match, foreign_order };
        fingerprint::claim(hash_key, &principal.name, &key, &command, beside)
    });
    let request = Request { principal: principal.clone(), key, traceparent, command };
    Ok(WriterRequest { request, deadline_ms })
}

fn key_missing() -> Refused {
    Problem::new(Code::IdempotencyKeyMissing, "this request needs an idempotency key")
}

/// What the head of a request decides by itself. It is told before a client that waits for leave to
/// send the body is given that; any other hears the same when its body is parsed. `is_bodied` says
/// that there is a body, as far as the head can tell.
pub(super) fn check_head(
    place: &Route<'_>,
    (method, query): (&Method, Option<&str>),
    head: &RequestHeaders<'_>,
    is_bodied: bool,
) -> Result<(), Refused> {
    if is_bodied || !place.may_lack_body() {
        media_type(method, head)?;
    }
    parameters(query, []).map(|[]| ())?;
    head.if_match()?;
    if method == Method::POST {
        if head.idempotency_key()?.is_none() && place.needs_key() {
            return Err(key_missing());
        }
    } else {
        head.if_none_match()?;
    }
    head.deadline_ms(|| 0).map(drop)
}

/// `application/json`, with `charset=utf-8` or without; unencoded. A PATCH may say that it is a
/// merge patch (RFC 7396), which it is.
fn media_type(method: &Method, head: &RequestHeaders<'_>) -> Result<(), Refused> {
    let is_patch = || method == Method::PATCH && has_type(head, b"application/merge-patch+json");
    if has_type(head, b"application/json") || is_patch() {
        return Ok(());
    }
    let detail = match *method {
        Method::PATCH => {
            "a body must be application/json or application/merge-patch+json in UTF-8, without \
             content encoding"
        }
        _ => "a body must be application/json in UTF-8, without content encoding",
    };
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// The body is of this type, as UTF-8, unencoded.
fn has_type(head: &RequestHeaders<'_>, essence: &[u8]) -> bool {
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
