//! A line of `POST /v1/batch` (API 5): the same command that a request of its own would be.
//!
//! Owns the members that stand for what else is in path and headers. Everything after them is the
//! same code as for single requests, so that shape, problems and fingerprint are the same. Next:
//! `batch`, the stream of lines.

use super::input::Input;
use super::writer_request::{RequestMeta, WriterRequest, key_missing, question_of};
use super::{draws, orders, plain_order, skus};
use crate::domain::model::command::{CreateOrder, Principal};
use crate::domain::model::ids::{DrawId, SkuId, Traceparent};
use crate::domain::model::lives::Lives;
use crate::domain::model::order::Verb;
use crate::http::auth::roles::{Permission, Role};
use crate::http::request::conditions::Condition;
use crate::http::request::fields::{Faults, id, required, text, wrong_type};
use crate::http::request::headers::{Name, RequestHeaders, unquoted_key};
use crate::http::request::json::{self, Members, Value};
use crate::http::request::media_type::has_type;
use crate::http::response::problem::{Code, Problem, Refused};
use std::borrow::Cow;
use std::sync::Arc;

/// What all lines of a batch share.
#[derive(Debug)]
pub(in crate::http) struct BatchContext {
    pub(in crate::http) principal: Principal,
    role: Role,
    hash_key: [u8; 16],
    lives: Arc<Lives>,
    traceparent: Option<Traceparent>,
    deadline_ms: Option<u64>,
}

/// What a line asks for.
#[derive(Debug, Clone, Copy)]
enum Op {
    Order,
    Act(Verb),
    Entry,
    Adjust,
    Sku,
}

impl Op {
    const fn permission(self) -> Permission {
        match self {
            Self::Order => Permission::CreateOrder,
            Self::Act(verb) => Permission::OrderAction(verb),
            Self::Entry => Permission::EnterDraw,
            Self::Adjust | Self::Sku => Permission::ChangeSku,
        }
    }
}

const OPS: &[(&str, Op)] = &[
    ("order", Op::Order),
    ("confirm", Op::Act(Verb::Confirm)),
    ("cancel", Op::Act(Verb::Cancel)),
    ("extend", Op::Act(Verb::Extend)),
    ("ship", Op::Act(Verb::Ship)),
    ("complete", Op::Act(Verb::Complete)),
    ("refund", Op::Act(Verb::Refund)),
    ("entry", Op::Entry),
    ("adjust", Op::Adjust),
    ("sku", Op::Sku),
];

/// The words that `op` may be.
#[cfg(test)]
pub(in crate::http) fn op_names() -> Vec<&'static str> {
    OPS.iter().map(|(name, _)| *name).collect()
}

/// Checks the head of a batch.
pub(super) fn begin(
    now_ms: impl FnOnce() -> u64,
    input: &Input<'_>,
) -> Result<BatchContext, Refused> {
    input.no_parameters()?;
    media_type(input.head)?;
    if input.head.value(Name::IdempotencyKey).is_some() {
        let detail = "a batch has no Idempotency-Key: each of its lines has a key of its own";
        return Err(Problem::malformed(detail));
    }
    Ok(BatchContext {
        principal: input.principal.clone(),
        role: input.role,
        hash_key: *input.hash_key,
        lives: input.lives.clone(),
        traceparent: input.head.traceparent().map(|(traceparent, _)| traceparent),
        deadline_ms: input.head.deadline_ms(now_ms)?,
    })
}

fn media_type(head: &RequestHeaders<'_>) -> Result<(), Refused> {
    if has_type(head, b"application/x-ndjson") {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "a batch must be application/x-ndjson in UTF-8, without content encoding",
    ))
}

/// What the writer is asked for a line.
pub(in crate::http) fn question(
    line: &[u8],
    asker: &BatchContext,
) -> Result<WriterRequest, Refused> {
    match plain(line) {
        Some((order, key)) => {
            let beyond = RequestMeta { key: Some(key), ..asker.beyond() };
            question_of(orders::created(order), beyond)
        }
        None => strict(line, asker),
    }
}

/// An order and its key, where nothing about the line has to be told.
fn plain(line: &[u8]) -> Option<(CreateOrder, Cow<'_, [u8]>)> {
    let (order, key) = plain_order::read_line(line)?;
    Some((order, unquoted_key(key).ok()?))
}

fn strict(line: &[u8], asker: &BatchContext) -> Result<WriterRequest, Refused> {
    let mut members = json::object(line)?;
    let op = op(required(take(&mut members, "op"), "op")?)?;
    // Before its shape, as for a request of its own.
    asker.role.allows(op.permission())?;
    let if_match = take(&mut members, "if_match");
    let key = if matches!(op, Op::Sku) { None } else { take(&mut members, "key") };
    // Outlives what borrows from it.
    let order;
    let parsed = match op {
        Op::Order => orders::create(&members)?,
        Op::Act(verb) => {
            order = required(take(&mut members, "id"), "id")?;
            orders::act(text(&order, "id")?, orders::action(verb, &members)?, &asker.lives)
        }
        Op::Entry => {
            let draw = required(take(&mut members, "draw"), "draw")?;
            draws::enter(id(&draw, "draw", DrawId::parse)?, &members)?
        }
        Op::Adjust => {
            let sku = required(take(&mut members, "sku"), "sku")?;
            skus::adjust(id(&sku, "sku", SkuId::parse)?, &members)?
        }
        Op::Sku => {
            let sku = required(take(&mut members, "sku"), "sku")?;
            skus::put(id(&sku, "sku", SkuId::parse)?, &members)?
        }
    };
    let tag = if_match.as_ref().map(tag).transpose()?;
    let if_match = Condition::read("If-Match", tag.as_deref().map(str::as_bytes))?;
    let key = key.as_ref().map(|key| unquoted_key(text(key, "key")?.as_bytes())).transpose()?;
    if parsed.key_required && key.is_none() {
        return Err(key_missing());
    }
    question_of(parsed, RequestMeta { if_match, key, ..asker.beyond() })
}

impl BatchContext {
    /// What a line that says no more has beyond its command.
    fn beyond(&self) -> RequestMeta<'_> {
        RequestMeta {
            principal: &self.principal,
            role: self.role,
            hash_key: &self.hash_key,
            if_match: Condition::None,
            if_none_match: Condition::None,
            key: None,
            traceparent: self.traceparent,
            deadline_ms: self.deadline_ms,
        }
    }
}

/// Takes a member out, if it is there and has a value.
fn take<'b>(members: &mut Members<'b>, name: &str) -> Option<Value<'b>> {
    let at = members.iter().position(|(own, _)| own == name)?;
    let (_, value) = members.remove(at);
    (value != Value::Null).then_some(value)
}

fn op(value: Value<'_>) -> Result<Op, Refused> {
    let name = text(&value, "op")?;
    let found = OPS.iter().find(|(own, _)| *own == name).map(|(_, op)| *op);
    found.ok_or_else(|| Faults::one("op", "must be one of those that a batch can hold"))
}

/// `if_match` as the header has it, or a version as SKUs tell theirs.
fn tag<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, Refused> {
    match value {
        Value::Text(text) => Ok(Cow::Borrowed(text)),
        Value::Natural(version) => Ok(Cow::Owned(format!("\"{version}\""))),
        _ => Err(wrong_type("if_match", "a version or the text of If-Match")),
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
