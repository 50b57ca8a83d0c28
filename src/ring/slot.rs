//! What lies in a ring: a request on its way in, a reply on its way out.

use super::outcome::Outcome;
use super::tickets::Ticket;
use super::timings::DecisionTimes;
use crate::domain::model::command::Request;
use crate::domain::model::ids::Sequence;

/// A place in the ring of requests. The request stays until the place is used again: the writer
/// sees it only by reference, and dropping it is the producer's work.
#[repr(align(64))]
#[derive(Default)]
pub(super) struct Slot {
    pub(super) lane: u16,
    pub(super) ticket: Ticket,
    /// On `Clock::elapsed_ms`.
    pub(super) deadline_ms: Option<u64>,
    pub(super) request: Option<Request>,
}

/// An answer with what must be durable before it may be told.
pub(super) struct Reply {
    pub(super) ticket: Ticket,
    pub(super) rests_on: Sequence,
    pub(super) outcome: Outcome,
    pub(super) decided: DecisionTimes,
}
