//! The writer's end of the ring: requests of all lanes in one order, answers back to each.
//!
//! The only consumer of the ring, on its own thread. Never waits for a lane: an answer ring has
//! room for every ticket of its lane. Next: `writer`.

use super::cursors::Cursors;
use super::outcome::Outcome;
use super::parking::Parking;
use super::slot::{Reply, Slot};
use super::tickets::Ticket;
use super::times::Decided;
use crate::domain::command::Request;
use crate::domain::ids::Sequence;
use crate::domain::warm::TOGETHER_MAX;
use crate::planted::{Bug, planted};
use atomic_waker::AtomicWaker;
use disruptor::{EventPoller, MultiProducerBarrier, Polling};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

/// The requests that wait to be decided.
pub struct Inbox {
    pub(super) poller: EventPoller<Slot, MultiProducerBarrier>,
    pub(super) parking: Arc<Parking>,
}

/// The ways back to the lanes.
pub struct Outbox {
    pub(super) lanes: Vec<LanePort>,
    pub(super) cursors: Arc<Cursors>,
}

pub(super) struct LanePort {
    pub(super) answers: rtrb::Producer<Reply>,
    pub(super) waker: Arc<AtomicWaker>,
    /// It was answered since it was last woken.
    pub(super) answered: bool,
    /// Something there waits for room.
    pub(super) starved: Arc<AtomicBool>,
}

/// Where an answer belongs.
#[derive(Clone, Copy)]
pub struct ReturnAddress {
    lane: u16,
    ticket: Ticket,
}

/// A request that waits to be decided.
pub struct Asked<'s> {
    /// What is asked.
    pub request: &'s Request,
    /// Where its answer belongs.
    pub address: ReturnAddress,
    /// On `Clock::elapsed_ms`.
    pub deadline_ms: Option<u64>,
}

/// What a look at the ring found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// Requests, and they were shown.
    Some,
    /// None.
    None,
    /// None, and there will be none: every lane is closed.
    Closed,
}

impl<'s> Asked<'s> {
    fn of(slot: &'s Slot) -> Self {
        Self {
            request: slot.request.as_ref().expect("a published slot holds a request"),
            address: ReturnAddress { lane: slot.lane, ticket: slot.ticket },
            deadline_ms: slot.deadline_ms,
        }
    }
}

impl Inbox {
    /// Says that this thread is the consumer.
    pub fn settle(&self) {
        self.parking.settle();
    }

    /// Shows the requests that are there, in their order, so many at most, up to [`TOGETHER_MAX`] at
    /// once; their places are free again afterwards.
    pub fn poll(&mut self, most: u64, mut show: impl FnMut(&[Asked<'_>])) -> Polled {
        self.parking.heed();
        match self.poller.take(most) {
            Err(Polling::NoEvents) => Polled::None,
            Err(Polling::Shutdown) => Polled::Closed,
            Ok(mut slots) => {
                let mut shown = 0;
                let mut slots = &mut slots;
                loop {
                    let together = slots.by_ref().take(TOGETHER_MAX).map(Asked::of);
                    let together: SmallVec<[Asked<'_>; TOGETHER_MAX]> = together.collect();
                    if together.is_empty() {
                        break;
                    }
                    show(&together);
                    shown += together.len() as u64;
                }
                if shown == most {
                    // The calls for those that are left have been heeded.
                    self.parking.wake();
                }
                Polled::Some
            }
        }
    }

    /// A lane has published or closed since the last look.
    #[must_use]
    pub fn called(&self) -> bool {
        self.parking.called()
    }

    /// Sleeps until lanes say that they published or closed, or for `timeout` at most.
    pub fn park(&self, timeout: Option<Duration>) {
        self.parking.park(timeout);
    }
}

impl Outbox {
    /// Sends an answer, to be told once `rests_on` is durable.
    pub fn answer(
        &mut self,
        to: ReturnAddress,
        rests_on: Sequence,
        outcome: Outcome,
        decided: Decided,
    ) {
        let lane = &mut self.lanes[usize::from(to.lane)];
        let pushed = lane.answers.push(Reply { ticket: to.ticket, rests_on, outcome, decided });
        assert!(pushed.is_ok(), "an answer ring has room for every ticket of its lane");
        lane.answered = true;
    }

    /// The cursors that decide when answers leave.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Wakes each lane that was answered or waits for room, once.
    pub fn wake_answered(&mut self) {
        // Pairs with the lane's in `Lane::wake_when_room`: the turn has made room.
        fence(Ordering::SeqCst);
        for lane in &mut self.lanes {
            let starved =
                lane.starved.load(Ordering::Relaxed) && lane.starved.swap(false, Ordering::Relaxed);
            let answered = std::mem::take(&mut lane.answered);
            let lost = planted(Bug::LaneWakeLost) && self.cursors.synced().is_multiple_of(5);
            if (answered && !lost) || starved {
                lane.waker.wake();
            }
        }
    }

    /// What tells every lane that the writer stopped in the middle.
    #[must_use]
    pub fn alarm(&self) -> Alarm {
        let wakers = self.lanes.iter().map(|lane| lane.waker.clone()).collect();
        Alarm { wakers, cursors: self.cursors.clone() }
    }
}

/// Outlives the writer, to tell the lanes when it stopped in the middle.
pub struct Alarm {
    wakers: Vec<Arc<AtomicWaker>>,
    cursors: Arc<Cursors>,
}

impl Alarm {
    /// No further answer will come, and what is durable is unknown.
    pub fn sound(&self) {
        self.cursors.poison();
        self.wakers.iter().for_each(|waker| waker.wake());
    }
}
