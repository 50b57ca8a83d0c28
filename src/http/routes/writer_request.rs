//! A request as the writer takes it: a command with its principal, its key and its deadline.
//!
//! Owns that what a principal may ask is looked at once more, and what a key claims. Knows no
//! route. Next: `request::fingerprint`, `handlers::submit`.

use super::input::ParsedCommand;
use crate::domain::model::command::{Command, Principal, Request};
use crate::domain::model::ids::Traceparent;
use crate::http::auth::roles::{Permission, Role};
use crate::http::request::conditions::{self, Condition};
use crate::http::request::fingerprint::{self, FingerprintContext};
use crate::http::response::problem::{Code, Problem, Refused};
use std::borrow::Cow;

/// A request for the writer, and until when it may wait for it.
#[derive(Debug)]
pub(in crate::http) struct WriterRequest {
    pub(in crate::http) request: Request,
    pub(in crate::http) deadline_ms: Option<u64>,
}

/// What a request says beyond its command, alone or in a batch.
#[derive(Debug)]
pub(super) struct RequestMeta<'r> {
    pub(super) principal: &'r Principal,
    pub(super) role: Role,
    pub(super) hash_key: &'r [u8; 16],
    pub(super) if_match: Condition<'r>,
    pub(super) if_none_match: Condition<'r>,
    /// Unquoted.
    pub(super) key: Option<Cow<'r, [u8]>>,
    pub(super) traceparent: Option<Traceparent>,
    pub(super) deadline_ms: Option<u64>,
}

pub(super) fn question_of(
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

pub(super) fn key_missing() -> Refused {
    Problem::new(Code::IdempotencyKeyMissing, "this request needs an idempotency key")
}
