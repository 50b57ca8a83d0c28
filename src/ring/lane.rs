//! An IO thread's end of the ring: requests go in, answers come back.
//!
//! Never blocks and never waits for another lane: a full ring or table refuses at once. Not
//! `Send`; a `LaneEnd` is, and becomes a `Lane` on its thread. Next: `inbox`, the writer's end.

use super::backpressure::CapacityFlag;
use super::cursors::Cursors;
use super::in_flight::{Counts, InFlightKeys};
use super::outcome::{Outcome, SubmitError, WriterReply};
use super::parking::Parking;
use super::rank::Rank;
use super::refusal_reports::{
    REFUSAL_REPORTS_MAX, RefusalReport, TURNED_AWAY_PER_CALL, TurnedAway,
};
use super::slot::{Reply, Slot};
use super::tickets::{Ticket, Tickets};
use super::timings::{DecisionTimes, StageTimes};
use crate::domain::model::command::Request;
use crate::testing::failpoints::{Failpoint, armed};
use atomic_waker::AtomicWaker;
use disruptor::{MultiProducer, Producer, SingleConsumerBarrier};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// Publishes that wake the writer without waiting for the end of the IO turn. As many as a turn of
/// the writer looks up together: with half as many, two turns of half the size pay for two syncs.
const PUBLISHES_PER_WAKE_MAX: u32 = 64;

/// How it stands between a lane and the writer; what is answered and not collected yet is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Requests that have no answer yet.
    pub unanswered: usize,
    /// Answers so far.
    pub answers: u64,
    /// What deciding took the writer up to them, that of all lanes, in nanoseconds.
    pub deciding_ns: u64,
}

/// A lane on its way to its thread.
pub struct LaneEnd {
    pub(super) number: u16,
    /// One for each rank, in their order.
    pub(super) producers: Vec<MultiProducer<Slot, SingleConsumerBarrier>>,
    pub(super) answers: rtrb::Consumer<Reply>,
    pub(super) waker: Arc<AtomicWaker>,
    pub(super) cursors: Arc<Cursors>,
    pub(super) parking: Arc<Parking>,
    pub(super) ticket_count: usize,
    /// Something here waits for room; the writer looks at the end of each turn.
    pub(super) capacity_flag: Arc<CapacityFlag>,
    pub(super) in_flight: Counts,
    pub(super) hand: rtrb::Producer<RefusalReport>,
    pub(super) keep: rtrb::Producer<TurnedAway>,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) bulk_max: usize,
}

/// A lane on its thread.
#[derive(Clone)]
pub struct Lane(Rc<Inner>);

struct Inner {
    number: u16,
    /// One for each rank, in their order; none once the lane publishes no more.
    producers: RefCell<Vec<MultiProducer<Slot, SingleConsumerBarrier>>>,
    answers: RefCell<rtrb::Consumer<Reply>>,
    tickets: RefCell<Tickets>,
    waker: Arc<AtomicWaker>,
    cursors: Arc<Cursors>,
    parking: Arc<Parking>,
    /// Published since the writer was last woken.
    published: Cell<u32>,
    /// The task that wakes the writer at the end of the IO turn.
    end_of_turn: RefCell<Option<Waker>>,
    /// Who waits for room.
    capacity_wakers: RefCell<Vec<Waker>>,
    capacity_flag: Arc<CapacityFlag>,
    in_flight: InFlightKeys,
    /// What deciding took the writer up to the answers that were taken last.
    deciding_ns: Cell<u64>,
    hand: RefCell<rtrb::Producer<RefusalReport>>,
    keep: RefCell<rtrb::Producer<TurnedAway>>,
    /// Whole refusals that found no room.
    lost: Arc<AtomicU64>,
    /// Whole refusals since the writer was last called for them.
    kept: Cell<u32>,
    bulk_max: usize,
    /// Whether requests that wait were given up.
    gave_up: Cell<bool>,
}

impl LaneEnd {
    /// Settles on this thread.
    #[must_use]
    pub fn settle(self) -> Lane {
        Lane(Rc::new(Inner {
            number: self.number,
            producers: RefCell::new(self.producers),
            answers: RefCell::new(self.answers),
            tickets: RefCell::new(Tickets::new(self.ticket_count)),
            waker: self.waker,
            cursors: self.cursors,
            parking: self.parking,
            published: Cell::new(0),
            end_of_turn: RefCell::new(None),
            capacity_wakers: RefCell::default(),
            capacity_flag: self.capacity_flag,
            in_flight: InFlightKeys::new(self.in_flight, self.number, self.ticket_count),
            deciding_ns: Cell::new(0),
            hand: RefCell::new(self.hand),
            keep: RefCell::new(self.keep),
            lost: self.lost,
            kept: Cell::new(0),
            bulk_max: self.bulk_max,
            gave_up: Cell::new(false),
        }))
    }
}

impl Lane {
    /// Its number among the lanes.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.0.number
    }

    /// Publishes a request. With a deadline (on `Clock::elapsed_ms`) it is decided only if it is
    /// sequenced before that.
    ///
    /// # Errors
    /// When there is no room, or the lane is closed; nothing was decided.
    pub fn ask(
        &self,
        request: Request,
        rank: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<PendingReply, SubmitError> {
        self.publish(&mut Some(request), rank, deadline_ms)
    }

    /// As `ask`, for one of many that can wait: they leave room for those that cannot. Takes the
    /// request only if it was published.
    ///
    /// # Errors
    /// As `ask`; the request stays with the caller.
    pub fn offer(
        &self,
        request: &mut Option<Request>,
        deadline_ms: Option<u64>,
    ) -> Result<PendingReply, SubmitError> {
        if self.waiting() >= self.0.bulk_max {
            return Err(SubmitError::Overloaded);
        }
        self.publish(request, Rank::Ordinary, deadline_ms)
    }

    /// Wakes once when there may be room. A caller that waits for room offers once more after this:
    /// what became free before is not told.
    pub fn wake_when_room(&self, waker: &Waker) {
        let mut wakers = self.0.capacity_wakers.borrow_mut();
        // A caller that waits may be looked at for other reasons before there is room.
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        self.0.capacity_flag.say();
    }

    /// A ticket is home again. That is room too, and the writer, which may have nothing more to do,
    /// knows nothing of it.
    fn note_release(&self) {
        if self.waiting() < self.0.bulk_max {
            self.0.wake_capacity_waiters();
        }
    }

    fn publish(
        &self,
        request: &mut Option<Request>,
        rank: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<PendingReply, SubmitError> {
        if armed(Failpoint::RingFull) {
            return Err(SubmitError::Overloaded);
        }
        let inner = &self.0;
        let mut producers = inner.producers.borrow_mut();
        let producer = producers.get_mut(rank as usize).ok_or(SubmitError::Draining)?;
        if self.waiting() >= rank.tickets_max() {
            return Err(SubmitError::Overloaded);
        }
        let ticket = inner.tickets.borrow_mut().take().ok_or(SubmitError::Overloaded)?;
        inner.in_flight.enter(ticket, request.as_ref());
        let published = producer.try_publish(|slot| {
            slot.lane = inner.number;
            slot.ticket = ticket;
            slot.deadline_ms = deadline_ms;
            slot.request = request.take();
        });
        if published.is_err() {
            inner.in_flight.leave(ticket);
            inner.tickets.borrow_mut().give_back(ticket);
            return Err(SubmitError::Overloaded);
        }
        self.note_publish();
        Ok(PendingReply { lane: self.clone(), ticket: Some(ticket) })
    }

    /// One wake for all that an IO turn publishes: a wake costs more than the request.
    fn note_publish(&self) {
        let published = self.0.published.get() + 1;
        self.0.published.set(published);
        if published >= PUBLISHES_PER_WAKE_MAX {
            self.wake_writer();
        } else if published == 1 {
            match &*self.0.end_of_turn.borrow() {
                Some(task) => task.wake_by_ref(),
                None => self.wake_writer(),
            }
        }
    }

    fn wake_writer(&self) {
        self.0.published.set(0);
        self.0.parking.wake();
    }

    /// Wakes the writer after the connections that are ready now. A task of its own, never done.
    pub fn wake_at_end_of_turn(&self) -> impl Future<Output = std::convert::Infallible> + use<> {
        let lane = self.clone();
        poll_fn(move |context| {
            *lane.0.end_of_turn.borrow_mut() = Some(context.waker().clone());
            if lane.0.published.get() > 0 {
                lane.wake_writer();
            }
            Poll::Pending
        })
    }

    /// Hands out the answers that have come and that nothing can take back any more. Called each
    /// time the thread's root future is polled; the writer wakes that, and so does the extension of
    /// a lease that was over by `now_ms`, `Clock::boottime_ms`.
    pub fn pump(&self, context: &Context<'_>, now_ms: impl Fn() -> u64) {
        let inner = &self.0;
        inner.waker.register(context.waker());
        inner.wake_capacity_waiters();
        if inner.cursors.poisoned() || inner.gave_up.get() {
            let unknown = WriterReply { outcome: Outcome::Unknown, times: StageTimes::default() };
            let wakers = inner.tickets.borrow_mut().answer_all(&unknown);
            wakers.into_iter().for_each(Waker::wake);
            return;
        }
        if !inner.cursors.is_good(now_ms) {
            // Another node may write by now: what was read here may be old.
            return;
        }
        let answerable = inner.cursors.answerable();
        // With the answers that it was taken for.
        inner.deciding_ns.set(inner.cursors.deciding_ns());
        let mut answers = inner.answers.borrow_mut();
        while answers.peek().is_ok_and(|reply| reply.rests_on <= answerable) {
            let reply = answers.pop().expect("it was just seen");
            inner.in_flight.leave(reply.ticket);
            let arrived = inner.arrived(reply.outcome, reply.decided);
            let waker = inner.tickets.borrow_mut().answer(reply.ticket, arrived);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// A request with this key, by its hash, may be on its way to the writer, on this lane or
    /// another.
    #[must_use]
    pub fn may_be_in_flight(&self, key: u128) -> bool {
        self.0.in_flight.may_be(key)
    }

    /// Hands refusals in to be counted, [`REFUSAL_REPORTS_MAX`] at most; false, and nothing is
    /// taken, while the writer has not taken those before. The last before `close` are always
    /// taken.
    pub fn report_refusals(&self, refusals: &mut Vec<RefusalReport>, last: bool) -> bool {
        assert!(refusals.len() <= REFUSAL_REPORTS_MAX);
        let mut hand = self.0.hand.borrow_mut();
        let spared = if last { 0 } else { REFUSAL_REPORTS_MAX };
        if hand.slots() < refusals.len() + spared {
            return false;
        }
        for refused in refusals.drain(..) {
            hand.push(refused).expect("there is room for them");
        }
        self.wake_writer();
        true
    }

    /// Hands in a whole refusal, to be kept. One that finds no room is counted instead.
    pub fn keep(&self, refusal: TurnedAway) {
        if self.0.keep.borrow_mut().push(refusal).is_err() {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let kept = self.0.kept.get() + 1;
        self.0.kept.set(kept % TURNED_AWAY_PER_CALL);
        if kept == TURNED_AWAY_PER_CALL {
            self.wake_writer();
        }
    }

    /// Requests that wait for their answer, or have it and have not collected it yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.tickets.borrow().out()
    }

    /// How it stands between here and the writer.
    #[must_use]
    pub fn load(&self) -> Load {
        let (unanswered, answers) = self.0.tickets.borrow().standing();
        Load { unanswered, answers, deciding_ns: self.0.deciding_ns.get() }
    }

    /// Requests that are not decided yet. Those that are wait for the disk alone. Reads what the
    /// writer writes with each answer: for when it matters.
    #[must_use]
    pub fn undecided(&self) -> usize {
        let (unanswered, _) = self.0.tickets.borrow().standing();
        unanswered.saturating_sub(self.0.answers.borrow().slots())
    }

    /// Publishes no more and waits no more: requests that still wait are answered that the outcome
    /// is unknown.
    pub fn give_up(&self) {
        self.close();
        if !self.0.gave_up.replace(true) {
            let unknown = WriterReply { outcome: Outcome::Unknown, times: StageTimes::default() };
            let wakers = self.0.tickets.borrow_mut().answer_all(&unknown);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Publishes no more. What was published is still answered.
    pub fn close(&self) {
        if !self.0.producers.take().is_empty() {
            // Only now: the writer looks at the ring once more after it was told.
            self.0.parking.wake();
        }
    }
}

impl Inner {
    /// Empty nearly always, and then kept as it is.
    fn wake_capacity_waiters(&self) {
        if !self.capacity_wakers.borrow().is_empty() {
            self.capacity_wakers.take().into_iter().for_each(Waker::wake);
        }
    }

    fn arrived(&self, outcome: Outcome, decided: DecisionTimes) -> WriterReply {
        let (stored_ns, durable_ns, before) = self.cursors.turn_times(decided.turn);
        let DecisionTimes { taken_ns, decided_ns, .. } = decided;
        WriterReply {
            outcome,
            times: StageTimes { taken_ns, decided_ns, stored_ns, durable_ns, before },
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.producers.take().is_empty() {
            self.parking.wake();
        }
    }
}

/// A request on its way. Dropping it gives up the answer, not the command.
pub struct PendingReply {
    lane: Lane,
    ticket: Option<Ticket>,
}

impl Future for PendingReply {
    type Output = WriterReply;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<WriterReply> {
        let ticket = self.ticket.expect("a request is answered once");
        let collected = self.lane.0.tickets.borrow_mut().collect(ticket, context.waker());
        match collected {
            None => Poll::Pending,
            Some(arrived) => {
                self.ticket = None;
                self.lane.note_release();
                Poll::Ready(arrived)
            }
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.lane.0.tickets.borrow_mut().abandon(ticket);
            self.lane.note_release();
        }
    }
}
