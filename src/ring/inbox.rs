//! The writer's end of the ring: requests of all lanes in one order, answers back to each.
//!
//! The only consumer of the rings, on its own thread. Never waits for a lane: an answer ring has
//! room for every ticket of its lane. Next: `writer`.

use super::backpressure::CapacityFlag;
use super::copy_progress::CopyProgress;
use super::cursors::Cursors;
use super::outcome::Outcome;
use super::parking::Parking;
use super::refusal_reports::{RefusalReport, TurnedAway};
use super::slot::{Reply, Slot};
use super::tickets::Ticket;
use super::timings::DecisionTimes;
use crate::domain::memory::prefetch::TOGETHER_MAX;
use crate::domain::model::command::Request;
use crate::domain::model::ids::Sequence;
use atomic_waker::AtomicWaker;
use disruptor::{EventPoller, MultiProducerBarrier, Polling};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Of what a look may show, one in so many is kept for each rank behind.
const KEPT_ONE_IN: u64 = 16;

/// The requests that wait to be decided.
pub struct Inbox {
    /// One for each rank, in their order.
    pub(super) pollers: Vec<EventPoller<Slot, MultiProducerBarrier>>,
    pub(super) parking: Arc<Parking>,
    pub(super) refusal_reports: Vec<rtrb::Consumer<RefusalReport>>,
    pub(super) turned_away: Vec<TurnedAwayPort>,
}

/// Where a lane's whole refusals come out.
pub(super) struct TurnedAwayPort {
    pub(super) refusals: rtrb::Consumer<TurnedAway>,
    /// Refusals that found no room, since they were last taken.
    pub(super) lost: Arc<AtomicU64>,
}

/// Wakes the writer for what does not come through the rings.
pub struct Caller(Arc<Parking>);

impl Caller {
    /// The writer begins a turn.
    pub fn call(&self) {
        self.0.wake();
    }
}

/// The ways back to the lanes.
pub struct Outbox {
    pub(super) lanes: Vec<LanePort>,
    pub(super) cursors: Arc<Cursors>,
}

pub(super) struct LanePort {
    pub(super) answers: rtrb::Producer<Reply>,
    pub(super) waker: Arc<AtomicWaker>,
    /// What the first answer rests on of those since it was last woken.
    pub(super) answered_from: Option<Sequence>,
    /// Something there waits for room.
    pub(super) capacity_flag: Arc<CapacityFlag>,
}

/// Where an answer belongs.
#[derive(Clone, Copy)]
pub struct ReturnAddress {
    lane: u16,
    ticket: Ticket,
}

/// A request that waits to be decided.
pub struct QueuedRequest<'s> {
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

impl<'s> QueuedRequest<'s> {
    fn of(slot: &'s Slot) -> Self {
        Self {
            request: slot.request.as_ref().expect("a published slot holds a request"),
            address: ReturnAddress { lane: slot.lane, ticket: slot.ticket },
            deadline_ms: slot.deadline_ms,
        }
    }
}

impl Inbox {
    /// What wakes the consumer.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller(self.parking.clone())
    }

    /// Says that this thread is the consumer.
    pub fn settle(&self) {
        self.parking.settle();
    }

    /// Shows the requests that are there, rank by rank and in their order, so many at most, up to
    /// [`TOGETHER_MAX`] at once; their places are free again afterwards. A sixteenth is kept for
    /// each rank behind in which somebody waits, so that one which asks for everything leaves them
    /// something.
    pub fn poll(&mut self, most: u64, mut show: impl FnMut(&[QueuedRequest<'_>])) -> Polled {
        self.parking.clear_signal();
        let share = (most / KEPT_ONE_IN).max(1);
        let (mut left, mut closed, mut cut) = (most, true, false);
        let mut pollers = self.pollers.as_mut_slice();
        while let Some((poller, behind)) = pollers.split_first_mut() {
            if left == 0 {
                (closed, cut) = (false, true);
                break;
            }
            let waiting = behind.iter().filter(|poller| poller.has_available()).count();
            let kept = share * waiting as u64;
            let limit = left.saturating_sub(kept).max(1);
            match poller.take(limit) {
                Err(Polling::NoEvents) => closed = false,
                Err(Polling::Shutdown) => {}
                Ok(mut slots) => {
                    closed = false;
                    let mut slots = &mut slots;
                    cut |= slots.len() as u64 == limit;
                    loop {
                        let together = slots.by_ref().take(TOGETHER_MAX).map(QueuedRequest::of);
                        let together: SmallVec<[QueuedRequest<'_>; TOGETHER_MAX]> =
                            together.collect();
                        if together.is_empty() {
                            break;
                        }
                        show(&together);
                        left -= together.len() as u64;
                    }
                }
            }
            pollers = behind;
        }
        if cut {
            // The calls for those that are left have been heeded.
            self.parking.wake();
        }
        match closed {
            true => Polled::Closed,
            false if left < most => Polled::Some,
            false => Polled::None,
        }
    }

    /// Takes the refusals that lanes have handed in. To be called after `poll`, which heeds their
    /// calls.
    pub fn collect_refusal_reports(&mut self, mut take: impl FnMut(RefusalReport)) {
        for refusal_reports in &mut self.refusal_reports {
            while let Ok(refusals) = refusal_reports.pop() {
                take(refusals);
            }
        }
    }

    /// Takes the whole refusals that lanes have handed in, as many as there are room for at most;
    /// gives how many found no room since the last time. As `collect_refusal_reports`.
    pub fn take_turned_away(&mut self, mut take: impl FnMut(TurnedAway)) -> u64 {
        let mut lost = 0;
        for port in &mut self.turned_away {
            // No more than are there now: a lane that goes on must not keep the writer here.
            for _ in 0..port.refusals.slots() {
                let Ok(refusal) = port.refusals.pop() else { break };
                take(refusal);
            }
            if port.lost.load(Ordering::Relaxed) > 0 {
                lost += port.lost.swap(0, Ordering::Relaxed);
            }
        }
        lost
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
        decided: DecisionTimes,
    ) {
        let lane = &mut self.lanes[usize::from(to.lane)];
        let pushed = lane.answers.push(Reply { ticket: to.ticket, rests_on, outcome, decided });
        assert!(pushed.is_ok(), "an answer ring has room for every ticket of its lane");
        lane.answered_from.get_or_insert(rests_on);
    }

    /// The cursors that decide when answers leave.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Wakes each lane that has an answer to collect or waits for room, once. Answers that wait for
    /// a copy are left to `CopyProgress`.
    pub fn wake_answered(&mut self) {
        CapacityFlag::made_room();
        let answerable = self.cursors.answerable();
        for lane in &mut self.lanes {
            let capacity_flag = lane.capacity_flag.heard();
            let answered = lane.answered_from.take_if(|from| *from <= answerable).is_some();
            if answered || capacity_flag {
                lane.waker.wake();
            }
        }
    }

    /// Where the progress of the copies is published.
    #[must_use]
    pub fn copy_progress(&self) -> CopyProgress {
        let wakers = self.lanes.iter().map(|lane| lane.waker.clone()).collect();
        CopyProgress { wakers, cursors: self.cursors.clone() }
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
