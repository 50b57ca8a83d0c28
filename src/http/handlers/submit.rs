//! How a request gets from a connection to who answers it.
//!
//! Owns the few things that a connection asks of the writer's side, so that tests can stand in for
//! it; in the server it is a `Lane`. Never waits and never decides. Next: `service`.

use crate::domain::model::command::Request;
use crate::ring::{
    Lane, Load, PendingReply, Rank, RefusalReport, SubmitError, TurnedAway, WriterReply,
};
use std::future::Future;
use std::task::Waker;

/// Who answers: the writer, behind its ring.
pub(in crate::http) trait Submit: 'static {
    /// A request on its way.
    type PendingReply: Future<Output = WriterReply> + Unpin;

    /// Publishes a request; `deadline_ms` is on the clock of `Front`.
    fn ask(
        &self,
        request: Request,
        rank: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<Self::PendingReply, SubmitError>;

    /// As `submit`, for one of many; takes the request only if there is room.
    fn offer(
        &self,
        request: &mut Option<Request>,
        deadline_ms: Option<u64>,
    ) -> Result<Self::PendingReply, SubmitError>;

    /// Wakes once when there may be room; to be followed by one more `offer`.
    fn wake_when_room(&self, waker: &Waker);

    /// Requests that have no answer yet, answers so far, and what deciding took.
    fn load(&self) -> Load;

    /// Requests that are not decided yet; see `Lane::undecided`.
    fn undecided(&self) -> usize;

    /// A request with this key, by its hash, may be on its way to the writer.
    fn may_be_in_flight(&self, key: u128) -> bool;

    /// Hands in refusals that were not asked for; see `Lane::report_refusals`.
    fn report_refusals(&self, refusals: &mut Vec<RefusalReport>, last: bool) -> bool;

    /// Hands in a whole refusal that was not asked for; see `Lane::keep`.
    fn keep(&self, refusal: TurnedAway);

    /// Which IO thread's it is.
    fn number(&self) -> u16;
}

impl Submit for Lane {
    type PendingReply = PendingReply;

    fn ask(
        &self,
        request: Request,
        rank: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<PendingReply, SubmitError> {
        Lane::ask(self, request, rank, deadline_ms)
    }

    fn offer(
        &self,
        request: &mut Option<Request>,
        deadline_ms: Option<u64>,
    ) -> Result<PendingReply, SubmitError> {
        Lane::offer(self, request, deadline_ms)
    }

    fn wake_when_room(&self, waker: &Waker) {
        Lane::wake_when_room(self, waker);
    }

    fn load(&self) -> Load {
        Lane::load(self)
    }

    fn undecided(&self) -> usize {
        Lane::undecided(self)
    }

    fn may_be_in_flight(&self, key: u128) -> bool {
        Lane::may_be_in_flight(self, key)
    }

    fn report_refusals(&self, refusals: &mut Vec<RefusalReport>, last: bool) -> bool {
        Lane::report_refusals(self, refusals, last)
    }

    fn keep(&self, refusal: TurnedAway) {
        Lane::keep(self, refusal);
    }

    fn number(&self) -> u16 {
        Lane::number(self)
    }
}
