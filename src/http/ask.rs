//! How a request gets from a connection to who answers it.
//!
//! Owns the few things that a connection asks of the writer's side, so that tests can stand in for
//! it; in the server it is a `Lane`. Never waits and never decides. Next: `service`.

use crate::domain::command::Request;
use crate::ring::{Arrived, HandedIn, Lane, Load, NotTaken, Rank, TurnedAway, Waiting};
use std::future::Future;
use std::task::Waker;

/// Who answers: the writer, behind its ring.
pub(super) trait Ask: 'static {
    /// A request on its way.
    type Waiting: Future<Output = Arrived> + Unpin;

    /// Publishes a request; `deadline_ms` is on the clock of `Front`.
    fn ask(
        &self,
        request: Request,
        rank: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<Self::Waiting, NotTaken>;

    /// As `ask`, for one of many; takes the request only if there is room.
    fn offer(
        &self,
        request: &mut Option<Request>,
        deadline_ms: Option<u64>,
    ) -> Result<Self::Waiting, NotTaken>;

    /// Wakes once when there may be room; to be followed by one more `offer`.
    fn wake_when_room(&self, waker: &Waker);

    /// Requests that have no answer yet, answers so far, and what deciding took.
    fn load(&self) -> Load;

    /// Requests that are not decided yet; see `Lane::undecided`.
    fn undecided(&self) -> usize;

    /// A request with this key, by its hash, may be on its way to the writer.
    fn may_be_under_way(&self, key: u128) -> bool;

    /// Hands in refusals that were not asked for; see `Lane::hand_in`.
    fn hand_in(&self, refusals: &mut Vec<HandedIn>, last: bool) -> bool;

    /// Hands in a whole refusal that was not asked for; see `Lane::keep`.
    fn keep(&self, refusal: TurnedAway);

    /// Which IO thread's it is.
    fn number(&self) -> u16;
}

impl Ask for Lane {
    type Waiting = Waiting;

    fn ask(
        &self,
        request: Request,
        rank: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<Waiting, NotTaken> {
        Lane::ask(self, request, rank, deadline_ms)
    }

    fn offer(
        &self,
        request: &mut Option<Request>,
        deadline_ms: Option<u64>,
    ) -> Result<Waiting, NotTaken> {
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

    fn may_be_under_way(&self, key: u128) -> bool {
        Lane::may_be_under_way(self, key)
    }

    fn hand_in(&self, refusals: &mut Vec<HandedIn>, last: bool) -> bool {
        Lane::hand_in(self, refusals, last)
    }

    fn keep(&self, refusal: TurnedAway) {
        Lane::keep(self, refusal);
    }

    fn number(&self) -> u16 {
        Lane::number(self)
    }
}
