//! What is known of a client, of a message under way, and of what comes back.
//!
//! Owns no step. Next: `asking`.

use doorbuster::domain::model::command::Request;
use doorbuster::domain::model::ids::Stamp;
use doorbuster::ring::Outcome;
use std::collections::VecDeque;
use std::sync::Arc;

/// A client, which asks one thing after the other.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) wants: VecDeque<Arc<Request>>,
    pub(super) asked: Option<Arc<Request>>,
    pub(super) attempts: u32,
    /// The message it waits for.
    pub(super) waits_for: Option<usize>,
    /// Whom it asks.
    pub(super) at: usize,
}

/// One attempt under way.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) client: usize,
    pub(super) attempt: usize,
    pub(super) request: Arc<Request>,
    pub(super) to: usize,
    pub(super) is_heard: bool,
}

/// What comes back.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Outcome(Outcome, Stamp),
    /// Another one writes: this one, as far as the node knows.
    NotWriter(Option<usize>),
    /// There is no process.
    Refused,
}
