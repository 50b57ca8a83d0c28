//! Requests in, answers out: the only place that names disruptor.
//!
//! One multi-producer ring carries requests from all lanes to the writer, its only consumer; one
//! single-producer ring a lane carries answers back. All are bounded, nothing in them locks, and a
//! full one refuses at once (`try_publish`; the library's `publish` would spin). Read `lane`, then
//! `inbox`, then `parking`.

mod cursors;
mod inbox;
mod lane;
mod outcome;
mod parking;
mod slot;
mod tickets;
mod times;

pub use cursors::Cursors;
pub use inbox::{Alarm, Asked, Inbox, Outbox, Polled, ReturnAddress};
pub use lane::{Lane, LaneEnd, Waiting};
pub use outcome::{Arrived, NotTaken, Outcome};
pub use times::{Decided, Times};

use atomic_waker::AtomicWaker;
use disruptor::{BusySpin, build_multi_producer};
use inbox::LanePort;
use parking::Parking;
use slot::Slot;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Requests that may wait for the writer: a power of two, at least 64 (the ring's own bound).
pub const RING_SLOTS: usize = 8192;
/// Requests of one lane that may wait for their answer.
pub const TICKETS_PER_LANE: usize = 8192;

/// Of a batch's lines so many may wait for their answer: a quarter of the ring (API 5).
pub const BATCH_WAITING_MAX: usize = RING_SLOTS / 4;
/// Batches of all lanes leave so much of the ring to single requests.
const SLOTS_FOR_SINGLE: usize = RING_SLOTS / 4;

const _: () = assert!(RING_SLOTS.is_power_of_two() && RING_SLOTS >= 64);

/// A ring with the given number of lanes: their ends, and the writer's.
#[must_use]
pub fn build(lanes: u16, cursors: &Arc<Cursors>) -> (Vec<LaneEnd>, Inbox, Outbox) {
    build_sized(lanes, RING_SLOTS, TICKETS_PER_LANE, cursors)
}

/// As [`build`], with room for so many requests, a power of two and at least 64, and so many of a
/// lane that wait for their answer.
#[must_use]
pub fn build_sized(
    lanes: u16,
    ring_slots: usize,
    tickets_per_lane: usize,
    cursors: &Arc<Cursors>,
) -> (Vec<LaneEnd>, Inbox, Outbox) {
    // The wait strategy belongs to threads of the library's own; there are none.
    let builder = build_multi_producer(ring_slots, Slot::default, BusySpin);
    let (poller, builder) = builder.new_event_poller();
    let producer = builder.build();
    let parking = Arc::new(Parking::new());
    let mut ports = Vec::new();
    let mut ends = Vec::new();
    for number in 0..lanes {
        let (sender, receiver) = rtrb::RingBuffer::new(tickets_per_lane);
        let waker = Arc::new(AtomicWaker::new());
        let starved = Arc::new(AtomicBool::new(false));
        ports.push(LanePort {
            answers: sender,
            waker: waker.clone(),
            answered: false,
            starved: starved.clone(),
        });
        ends.push(LaneEnd {
            number,
            producer: producer.clone(),
            answers: receiver,
            waker,
            cursors: cursors.clone(),
            parking: parking.clone(),
            ticket_count: tickets_per_lane,
            starved,
            bulk_max: (ring_slots - ring_slots / (RING_SLOTS / SLOTS_FOR_SINGLE))
                / usize::from(lanes),
        });
    }
    let outbox = Outbox { lanes: ports, cursors: cursors.clone() };
    (ends, Inbox { poller, parking }, outbox)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Command, Principal, Query, Reach, Request};
    use crate::domain::ids::PrincipalName;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn question() -> Request {
        Request {
            principal: Principal { name: PrincipalName::local(), reach: Reach::All },
            key: None,
            traceparent: None,
            command: Command::Read(Box::new(Query::Status)),
        }
    }

    fn polled_outcome(waiting: Pin<&mut Waiting>, context: &mut Context<'_>) -> Poll<Outcome> {
        waiting.poll(context).map(|arrived| arrived.outcome)
    }

    #[test]
    fn an_answer_brings_the_times_of_its_turn() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting = pin!(lane.ask(question(), None).expect("there is room"));
        inbox.poll(1, |together| {
            let decided = Decided { taken_ns: 1, decided_ns: 2, turn: 259 };
            outbox.answer(together[0].address, 7, Outcome::NoSpace, decided);
        });
        cursors.time_turn(258, 30, 40);
        cursors.time_turn(259, 3, 4);
        cursors.publish(7, 7, 7);
        let context = &mut Context::from_waker(Waker::noop());
        lane.pump(context);
        let times = Times { taken_ns: 1, decided_ns: 2, stored_ns: 3, durable_ns: 4 };
        assert_eq!(waiting.as_mut().poll(context).map(|arrived| arrived.times), Poll::Ready(times));
    }

    #[test]
    fn an_answer_leaves_only_when_what_it_rests_on_is_answerable() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut early = pin!(lane.ask(question(), None).expect("there is room"));
        let mut late = pin!(lane.ask(question(), None).expect("there is room"));
        let mut rests_on = 4;
        let polled = inbox.poll(8, |together| {
            for asked in together {
                outbox.answer(asked.address, rests_on, Outcome::NoSpace, Decided::default());
                rests_on += 1;
            }
        });
        assert_eq!((polled, rests_on), (Polled::Some, 6));
        let context = &mut Context::from_waker(Waker::noop());
        cursors.publish(5, 3, 3);
        lane.pump(context);
        assert!(early.as_mut().poll(context).is_pending());
        cursors.publish(5, 4, 4);
        lane.pump(context);
        assert_eq!(polled_outcome(early.as_mut(), context), Poll::Ready(Outcome::NoSpace));
        assert!(late.as_mut().poll(context).is_pending());
        cursors.publish(5, 5, 5);
        lane.pump(context);
        assert_eq!(polled_outcome(late.as_mut(), context), Poll::Ready(Outcome::NoSpace));
        assert_eq!(lane.waiting(), 0);
    }

    #[test]
    fn a_full_ring_refuses_at_once_and_has_room_again_after_a_turn() {
        let cursors = Arc::new(Cursors::default());
        let (ends, mut inbox, mut outbox) = build(2, &cursors);
        let [first, second] = ends.try_into().ok().expect("two lanes");
        let (first, second): (Lane, Lane) = (LaneEnd::settle(first), second.settle());
        let mut waiting: Vec<Waiting> = Vec::new();
        for number in 0..RING_SLOTS {
            let lane = if number % 2 == 0 { &first } else { &second };
            waiting.push(lane.ask(question(), None).expect("there is room"));
        }
        assert_eq!(first.ask(question(), None).err(), Some(NotTaken::Overloaded));
        assert_eq!(first.waiting(), RING_SLOTS / 2);
        let mut shown = 0;
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                outbox.answer(asked.address, 0, Outcome::NoSpace, Decided::default());
                shown += 1;
            }
        });
        assert_eq!(shown, RING_SLOTS);
        assert!(first.ask(question(), None).is_ok());
    }

    #[test]
    fn those_that_can_wait_leave_room_and_hear_when_there_is_some() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting: Vec<Waiting> = Vec::new();
        for _ in 0..RING_SLOTS - SLOTS_FOR_SINGLE {
            let mut request = Some(question());
            waiting.push(lane.offer(&mut request, None).expect("there is room"));
            assert!(request.is_none());
        }
        let mut request = Some(question());
        assert_eq!(lane.offer(&mut request, None).err(), Some(NotTaken::Overloaded));
        assert!(request.is_some());
        waiting.push(lane.ask(question(), None).expect("single requests have room left"));
        let woken = Arc::new(Woken::default());
        lane.wake_when_room(&woken.clone().into());
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                outbox.answer(asked.address, 0, Outcome::NoSpace, Decided::default());
            }
        });
        outbox.wake_answered();
        lane.pump(&Context::from_waker(Waker::noop()));
        assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed));
        drop(waiting);
        assert!(lane.offer(&mut request, None).is_ok());
    }

    /// Answers come in one turn, and are collected after whoever waits for room has looked: no
    /// further turn will tell of the tickets that are free only then.
    #[test]
    fn a_ticket_that_comes_home_is_room_without_another_turn() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let offer = || lane.offer(&mut Some(question()), None);
        let context = &mut Context::from_waker(Waker::noop());
        for collects in [true, false] {
            let mut waiting: Vec<Waiting> = std::iter::from_fn(|| offer().ok()).collect();
            inbox.poll(u64::MAX, |together| {
                for asked in together {
                    outbox.answer(asked.address, 0, Outcome::NoSpace, Decided::default());
                }
            });
            outbox.wake_answered();
            lane.pump(context);
            let woken = Arc::new(Woken::default());
            lane.wake_when_room(&woken.clone().into());
            assert!(offer().is_err());
            let mut last = waiting.pop().expect("many wait");
            if collects {
                assert!(Pin::new(&mut last).poll(context).is_ready());
            } else {
                drop(last);
            }
            assert!(woken.0.load(std::sync::atomic::Ordering::Relaxed), "collects: {collects}");
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// A lane with nothing under way waits for the room that other lanes take.
    #[test]
    fn a_lane_that_waits_for_room_is_woken_without_an_answer_of_its_own() {
        let cursors = Arc::new(Cursors::default());
        let (ends, mut inbox, mut outbox) = build(2, &cursors);
        let [first, second] = ends.try_into().ok().expect("two lanes");
        let (first, second): (Lane, Lane) = (LaneEnd::settle(first), second.settle());
        let waiting: Vec<_> =
            (0..RING_SLOTS).map(|_| first.ask(question(), None).expect("there is room")).collect();
        assert!(second.offer(&mut Some(question()), None).is_err());
        let pumped = Arc::new(Woken::default());
        second.pump(&Context::from_waker(&pumped.clone().into()));
        second.wake_when_room(Waker::noop());
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                outbox.answer(asked.address, 0, Outcome::NoSpace, Decided::default());
            }
        });
        outbox.wake_answered();
        assert!(pumped.0.load(std::sync::atomic::Ordering::Relaxed));
        assert!(second.offer(&mut Some(question()), None).is_ok());
        drop(waiting);
    }

    #[test]
    fn a_writer_that_stops_in_the_middle_leaves_all_outcomes_unknown() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, _inbox, outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting = pin!(lane.ask(question(), None).expect("there is room"));
        let context = &mut Context::from_waker(Waker::noop());
        outbox.alarm().sound();
        lane.pump(context);
        assert_eq!(polled_outcome(waiting.as_mut(), context), Poll::Ready(Outcome::Unknown));
        lane.close();
        assert_eq!(lane.ask(question(), None).err(), Some(NotTaken::Draining));
    }
}
