//! What is known of the register, and which calls are under way.
//!
//! Owns that at most one read is. Asks for nothing by itself. Next: `register`.

use crate::cluster::arbiter::Versioned;
use crate::cluster::node::Name;
use crate::cluster::register::Register;

/// What is known of the register, and what was asked of the arbiter.
#[derive(Debug, Default)]
pub(super) struct RegisterCalls {
    pub(super) latest: Option<Versioned>,
    pub(super) is_wanted: bool,
    pub(super) is_reading: bool,
    /// Not before.
    pub(super) read_at_ms: u64,
    /// What was proposed last: when it is known to be done, the register holds it.
    pub(super) proposed: Option<Register>,
    pub(super) gone_since_ms: Option<u64>,
}

impl RegisterCalls {
    pub(super) fn want(&mut self) {
        self.is_wanted = true;
    }

    pub(super) fn writer(&self) -> Option<Name> {
        self.latest.as_ref().map(|latest| latest.register.writer.clone())
    }

    pub(super) fn current(&self) -> Option<&Register> {
        self.latest.as_ref().map(|latest| &latest.register)
    }

    pub(super) fn answered(&mut self) {
        self.gone_since_ms = None;
    }

    pub(super) fn unanswered(&mut self, now_ms: u64) {
        self.gone_since_ms.get_or_insert(now_ms);
    }
}
