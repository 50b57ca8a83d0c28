//! One request as far as parsing needs it, and the command that a family of routes makes of it.
//!
//! Owns no shape: those are the families'. Next: `parse`.

use crate::domain::model::command::{Command, Principal, Query};
use crate::domain::model::lives::Lives;
use crate::http::auth::roles::Role;
use crate::http::front::Front;
use crate::http::request::headers::RequestHeaders;
use crate::http::request::json::{self, Members};
use crate::http::request::target::parameters;
use crate::http::response::problem::{Problem, Refused};
use hyper::Method;
use std::sync::Arc;

/// One request, as far as parsing needs it.
#[derive(Debug)]
pub(in crate::http) struct Input<'r> {
    pub(in crate::http) method: &'r Method,
    pub(in crate::http) query: Option<&'r str>,
    pub(in crate::http) head: &'r RequestHeaders<'r>,
    pub(in crate::http) body: &'r [u8],
    pub(in crate::http) principal: &'r Principal,
    pub(in crate::http) role: Role,
    pub(in crate::http) hash_key: &'r [u8; 16],
    /// What ids are read with.
    pub(in crate::http) lives: &'r Arc<Lives>,
    /// Now, on the clock of `Front`.
    pub(in crate::http) now_ms: fn(&Front) -> u64,
}

impl<'r> Input<'r> {
    /// The body's members; a body is needed.
    pub(super) fn members(&self) -> Result<Members<'r>, Refused> {
        if self.body.is_empty() {
            return Err(Problem::malformed("a JSON body is needed"));
        }
        json::object(self.body)
    }

    /// The body's members; no body, and `null`, are an empty object.
    pub(super) fn members_or_none(&self) -> Result<Members<'r>, Refused> {
        if self.body.is_empty() { Ok(Members::new()) } else { json::object_or_null(self.body) }
    }

    pub(super) fn no_parameters(&self) -> Result<(), Refused> {
        parameters(self.query, []).map(|[]| ())
    }
}

/// What a family makes of a request.
#[derive(Debug)]
pub(super) struct ParsedCommand<'r> {
    pub(super) command: Command,
    /// The order in the path, if its id is none of ours; part of the fingerprint.
    pub(super) foreign_order: Option<&'r str>,
    pub(super) key_required: bool,
}

impl ParsedCommand<'_> {
    pub(super) fn read(query: Query) -> Self {
        Self::unkeyed(Command::Read(Box::new(query)))
    }

    pub(super) fn unkeyed(command: Command) -> Self {
        Self { command, foreign_order: None, key_required: false }
    }
}
