//! Requests in, answers out: the only place that names disruptor.
//!
//! Multi-producer rings, one for each rank, carry requests from all lanes to the writer, their only
//! consumer, which drains them in the order of the ranks; one single-producer ring a lane carries
//! answers back. All are bounded, nothing in them locks, and a full one refuses at once
//! (`try_publish`; the library's `publish` would spin). Read `rank`, then `lane`, then `inbox`,
//! then `parking`.

mod backpressure;
mod copy_progress;
mod cursors;
mod in_flight;
mod inbox;
mod lane;
mod outcome;
mod parking;
mod rank;
mod refusal_reports;
mod seam;
mod slot;
mod tickets;
mod timings;

pub use copy_progress::CopyProgress;
pub use cursors::{Cursors, NO_COPIES, NO_LEASE, Syncs};
pub use inbox::{Alarm, Caller, Inbox, Outbox, Polled, QueuedRequest, ReturnAddress};
pub use lane::{Lane, LaneEnd, Load, PendingReply};
pub use outcome::{Outcome, SubmitError, WriterReply};
pub use rank::{ALL_SLOTS, Rank};
pub use refusal_reports::{REFUSAL_REPORTS_MAX, RefusalReport, TurnedAway};
pub use timings::{DecisionTimes, StageTimes, SyncSpan};

use atomic_waker::AtomicWaker;
use backpressure::CapacityFlag;
use disruptor::{BusySpin, build_multi_producer};
use inbox::{LanePort, TurnedAwayPort};
use parking::Parking;
use refusal_reports::{REFUSAL_REPORT_SLOTS, TURNED_AWAY_SLOTS};
use slot::Slot;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Requests of the ordinary rank that may wait for the writer.
pub const RING_SLOTS: usize = 8192;
/// Requests of one lane that may wait for their answer; those of each rank leave some to the ranks
/// before it.
pub const TICKETS_PER_LANE: usize = RING_SLOTS + 2048;

/// Of a batch's lines so many may wait for their answer: a quarter of the ring (API 5).
pub const BATCH_WAITING_MAX: usize = RING_SLOTS / 4;

/// Rings with the given number of lanes: their ends, and the writer's.
#[must_use]
pub fn build(lanes: u16, cursors: &Arc<Cursors>) -> (Vec<LaneEnd>, Inbox, Outbox) {
    build_sized(lanes, RING_SLOTS, TICKETS_PER_LANE, cursors)
}

/// As [`build`], with room in no ring for more than so many requests, a power of two and at least
/// 64, and for so many of a lane that wait for their answer.
#[must_use]
pub fn build_sized(
    lanes: u16,
    slots_max: usize,
    tickets_per_lane: usize,
    cursors: &Arc<Cursors>,
) -> (Vec<LaneEnd>, Inbox, Outbox) {
    let (pollers, producers): (Vec<_>, Vec<_>) = Rank::ALL
        .into_iter()
        .map(|rank| {
            // The wait strategy belongs to threads of the library's own; there are none.
            let slots = rank.slots().min(slots_max);
            let builder = build_multi_producer(slots, Slot::default, BusySpin);
            let (poller, builder) = builder.new_event_poller();
            (poller, builder.build())
        })
        .unzip();
    // Batches of all lanes leave a quarter of the ring to single requests.
    let for_lines = Rank::Ordinary.slots().min(slots_max) / 4 * 3;
    let parking = Arc::new(Parking::new());
    let mut ports = Vec::new();
    let mut ends = Vec::new();
    let (mut refusal_reports, mut turned_away) = (Vec::new(), Vec::new());
    let in_flight = in_flight::counts(lanes);
    for number in 0..lanes {
        let (sender, receiver) = rtrb::RingBuffer::new(tickets_per_lane);
        let (hand, taken) = rtrb::RingBuffer::new(REFUSAL_REPORT_SLOTS);
        refusal_reports.push(taken);
        // Memory that is not touched where no refusals are kept.
        let (keep, refusals) = rtrb::RingBuffer::new(TURNED_AWAY_SLOTS);
        let lost = Arc::new(AtomicU64::new(0));
        turned_away.push(TurnedAwayPort { refusals, lost: lost.clone() });
        let waker = Arc::new(AtomicWaker::new());
        let capacity_flag = Arc::new(CapacityFlag::default());
        ports.push(LanePort {
            answers: sender,
            waker: waker.clone(),
            answered_from: None,
            capacity_flag: capacity_flag.clone(),
        });
        ends.push(LaneEnd {
            number,
            producers: producers.clone(),
            answers: receiver,
            waker,
            cursors: cursors.clone(),
            parking: parking.clone(),
            ticket_count: tickets_per_lane,
            capacity_flag,
            in_flight: in_flight.clone(),
            hand,
            keep,
            lost,
            bulk_max: for_lines / usize::from(lanes),
        });
    }
    let outbox = Outbox { lanes: ports, cursors: cursors.clone() };
    (ends, Inbox { pollers, parking, refusal_reports, turned_away }, outbox)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::command::{Command, Principal, Query, Reach, Request};
    use crate::domain::model::ids::{PrincipalName, SkuId};
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Poll, Waker};

    fn question() -> Request {
        asking(Query::Sku(SkuId::parse("a").unwrap()))
    }

    fn asking(query: Query) -> Request {
        Request {
            principal: Principal { name: PrincipalName::local(), reach: Reach::All },
            key: None,
            traceparent: None,
            command: Command::Read(Box::new(query)),
        }
    }

    fn polled_outcome(waiting: Pin<&mut PendingReply>, context: &mut Context<'_>) -> Poll<Outcome> {
        waiting.poll(context).map(|arrived| arrived.outcome)
    }

    #[test]
    fn an_answer_brings_the_times_of_its_turn() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting = pin!(lane.ask(question(), Rank::Ordinary, None).expect("there is room"));
        inbox.poll(1, |together| {
            let decided = DecisionTimes { taken_ns: 1, decided_ns: 2, turn: 259 };
            outbox.answer(together[0].address, 7, Outcome::NoSpace, decided);
        });
        let before = SyncSpan { began_ns: 1, ended_ns: 2 };
        cursors.time_turn(258, 30, 40, SyncSpan::default());
        cursors.time_turn(259, 3, 4, before);
        cursors.publish(7, 7, 7);
        let context = &mut Context::from_waker(Waker::noop());
        lane.pump(context, || 0);
        let times = StageTimes { taken_ns: 1, decided_ns: 2, stored_ns: 3, durable_ns: 4, before };
        assert_eq!(waiting.as_mut().poll(context).map(|arrived| arrived.times), Poll::Ready(times));
    }

    #[test]
    fn who_is_decided_waits_for_the_disk_alone() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let ask = || lane.ask(question(), Rank::Ordinary, None).expect("there is room");
        let waiting = [ask(), ask(), ask()];
        assert_eq!((lane.load().unanswered, lane.undecided()), (3, 3));
        inbox.poll(2, |together| {
            for asked in together {
                outbox.answer(asked.address, 7, Outcome::NoSpace, DecisionTimes::default());
            }
        });
        let decided = 3 - lane.undecided();
        assert!(decided >= 2 && lane.load().unanswered == 3, "{decided} decided, none answered");
        cursors.publish_deciding(50);
        cursors.publish(7, 7, 7);
        lane.pump(&Context::from_waker(Waker::noop()), || 0);
        let load = lane.load();
        assert_eq!((load.unanswered, load.answers), (3 - decided, decided as u64));
        assert_eq!((lane.undecided(), load.deciding_ns), (3 - decided, 50));
        drop(waiting);
    }

    #[test]
    fn an_answer_leaves_only_when_what_it_rests_on_is_answerable() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut early = pin!(lane.ask(question(), Rank::Ordinary, None).expect("there is room"));
        let mut late = pin!(lane.ask(question(), Rank::Ordinary, None).expect("there is room"));
        let mut rests_on = 4;
        let polled = inbox.poll(8, |together| {
            for asked in together {
                outbox.answer(asked.address, rests_on, Outcome::NoSpace, DecisionTimes::default());
                rests_on += 1;
            }
        });
        assert_eq!((polled, rests_on), (Polled::Some, 6));
        let context = &mut Context::from_waker(Waker::noop());
        cursors.publish(5, 3, 3);
        lane.pump(context, || 0);
        assert!(early.as_mut().poll(context).is_pending());
        cursors.publish(5, 4, 4);
        lane.pump(context, || 0);
        assert_eq!(polled_outcome(early.as_mut(), context), Poll::Ready(Outcome::NoSpace));
        assert!(late.as_mut().poll(context).is_pending());
        cursors.publish(5, 5, 5);
        lane.pump(context, || 0);
        assert_eq!(polled_outcome(late.as_mut(), context), Poll::Ready(Outcome::NoSpace));
        assert_eq!(lane.waiting(), 0);
    }

    #[test]
    fn a_full_ring_refuses_at_once_and_has_room_again_after_a_turn() {
        let cursors = Arc::new(Cursors::default());
        let (ends, mut inbox, mut outbox) = build(2, &cursors);
        let [first, second] = ends.try_into().ok().expect("two lanes");
        let (first, second): (Lane, Lane) = (LaneEnd::settle(first), second.settle());
        let mut waiting: Vec<PendingReply> = Vec::new();
        for number in 0..RING_SLOTS {
            let lane = if number % 2 == 0 { &first } else { &second };
            waiting.push(lane.ask(question(), Rank::Ordinary, None).expect("there is room"));
        }
        assert_eq!(
            first.ask(question(), Rank::Ordinary, None).err(),
            Some(SubmitError::Overloaded)
        );
        assert_eq!(first.waiting(), RING_SLOTS / 2);
        let mut shown = 0;
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                outbox.answer(asked.address, 0, Outcome::NoSpace, DecisionTimes::default());
                shown += 1;
            }
        });
        assert_eq!(shown, RING_SLOTS);
        assert!(first.ask(question(), Rank::Ordinary, None).is_ok());
    }

    #[test]
    fn those_that_can_wait_leave_room_and_hear_when_there_is_some() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, mut outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting: Vec<PendingReply> = Vec::new();
        for _ in 0..RING_SLOTS / 4 * 3 {
            let mut request = Some(question());
            waiting.push(lane.offer(&mut request, None).expect("there is room"));
            assert!(request.is_none());
        }
        let mut request = Some(question());
        assert_eq!(lane.offer(&mut request, None).err(), Some(SubmitError::Overloaded));
        assert!(request.is_some());
        waiting.push(
            lane.ask(question(), Rank::Ordinary, None).expect("single requests have room left"),
        );
        let woken = Arc::new(Woken::default());
        lane.wake_when_room(&woken.clone().into());
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                outbox.answer(asked.address, 0, Outcome::NoSpace, DecisionTimes::default());
            }
        });
        outbox.wake_answered();
        lane.pump(&Context::from_waker(Waker::noop()), || 0);
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
            let mut waiting: Vec<PendingReply> = std::iter::from_fn(|| offer().ok()).collect();
            inbox.poll(u64::MAX, |together| {
                for asked in together {
                    outbox.answer(asked.address, 0, Outcome::NoSpace, DecisionTimes::default());
                }
            });
            outbox.wake_answered();
            lane.pump(context, || 0);
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

    /// A lane that waits for room is woken without an answer of its own. A lane with nothing under
    /// way waits for the room that other lanes take.
    #[test]
    fn a_lane_that_waits_for_room_is_woken_without_an_answer() {
        let cursors = Arc::new(Cursors::default());
        let (ends, mut inbox, mut outbox) = build(2, &cursors);
        let [first, second] = ends.try_into().ok().expect("two lanes");
        let (first, second): (Lane, Lane) = (LaneEnd::settle(first), second.settle());
        let waiting: Vec<_> = (0..RING_SLOTS)
            .map(|_| first.ask(question(), Rank::Ordinary, None).expect("there is room"))
            .collect();
        assert!(second.offer(&mut Some(question()), None).is_err());
        let pumped = Arc::new(Woken::default());
        second.pump(&Context::from_waker(&pumped.clone().into()), || 0);
        second.wake_when_room(Waker::noop());
        inbox.poll(u64::MAX, |together| {
            for asked in together {
                outbox.answer(asked.address, 0, Outcome::NoSpace, DecisionTimes::default());
            }
        });
        outbox.wake_answered();
        assert!(pumped.0.load(std::sync::atomic::Ordering::Relaxed));
        assert!(second.offer(&mut Some(question()), None).is_ok());
        drop(waiting);
    }

    /// A writer that stops in the middle leaves all outcomes unknown.
    #[test]
    fn a_writer_that_stops_midway_leaves_all_outcomes_unknown() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, _inbox, outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting = pin!(lane.ask(question(), Rank::Ordinary, None).expect("there is room"));
        let context = &mut Context::from_waker(Waker::noop());
        outbox.alarm().sound();
        lane.pump(context, || 0);
        assert_eq!(polled_outcome(waiting.as_mut(), context), Poll::Ready(Outcome::Unknown));
        lane.close();
        assert_eq!(lane.ask(question(), Rank::Ordinary, None).err(), Some(SubmitError::Draining));
    }

    #[test]
    fn whole_refusals_come_through_up_to_a_bound_or_are_counted() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, _outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let turned_away = |number| TurnedAway {
            request: question(),
            held: number,
            seen: number,
            elapsed_ms: number,
        };
        let most = TURNED_AWAY_SLOTS as u64;
        for (round, lost) in [(0, 5), (1, 0), (2, 3)] {
            (0..most + lost).for_each(|number| lane.keep(turned_away(number)));
            assert!(inbox.called(), "many are called for");
            inbox.poll(1, |_| {});
            let mut taken = Vec::new();
            let told = inbox.take_turned_away(|refusal| taken.push(refusal.held));
            assert_eq!((taken, told), ((0..most).collect(), lost), "round {round}");
        }
        lane.keep(turned_away(0));
        assert!(!inbox.called(), "a few wait for the next turn");
    }

    /// Asks one of each rank, the last first, and tells in which order they are shown.
    fn shown(ranks: &[Rank], most: u64) -> (Vec<Query>, bool) {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, mut inbox, _outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let waiting: Vec<PendingReply> = ranks
            .iter()
            .map(|rank| {
                let sku = SkuId::parse(&format!("{rank:?}")).unwrap();
                lane.ask(asking(Query::Sku(sku)), *rank, None).expect("there is room")
            })
            .collect();
        let mut shown = Vec::new();
        inbox.poll(most, |together| {
            for asked in together {
                let Command::Read(query) = &asked.request.command else { unreachable!() };
                shown.push((**query).clone());
            }
        });
        drop(waiting);
        (shown, inbox.called())
    }

    #[test]
    fn the_ranks_are_drained_in_their_order_whatever_came_first() {
        let query = |rank: &Rank| Query::Sku(SkuId::parse(&format!("{rank:?}")).unwrap());
        let backwards: Vec<Rank> = Rank::ALL.into_iter().rev().collect();
        let in_order: Vec<Query> = Rank::ALL.iter().map(query).collect();
        assert_eq!(shown(&backwards, u64::MAX), (in_order.clone(), false));
        // What a turn has no room for is called for again.
        assert_eq!(shown(&backwards, 3), (in_order[..3].to_vec(), true));
        let twice = [Rank::Ordinary, Rank::Urgent, Rank::Ordinary, Rank::Urgent];
        let (urgent, ordinary) = (query(&Rank::Urgent), query(&Rank::Ordinary));
        let expected = vec![urgent.clone(), urgent, ordinary.clone(), ordinary];
        assert_eq!(shown(&twice, u64::MAX).0, expected);
    }

    #[test]
    fn a_rank_that_asks_for_everything_leaves_the_others_something() {
        let query = |rank: &Rank| Query::Sku(SkuId::parse(&format!("{rank:?}")).unwrap());
        let mut ranks = vec![Rank::Urgent; 40];
        ranks.extend([Rank::List, Rank::Ordinary, Rank::Preferred]);
        let mut expected = vec![query(&Rank::Urgent); 13];
        expected.extend(Rank::ALL[1..].iter().map(query));
        assert_eq!(shown(&ranks, 16), (expected, true));
    }

    #[test]
    fn a_lane_full_of_orders_still_takes_what_matters_more() {
        let cursors = Arc::new(Cursors::default());
        let (mut ends, _inbox, _outbox) = build(1, &cursors);
        let lane = ends.pop().expect("one lane").settle();
        let mut waiting: Vec<PendingReply> = Vec::new();
        let mut full = |rank: Rank| {
            let before = waiting.len();
            waiting.extend(std::iter::from_fn(|| lane.ask(question(), rank, None).ok()));
            waiting.len() - before
        };
        assert_eq!(full(Rank::Ordinary), RING_SLOTS);
        assert_eq!(full(Rank::List), 0);
        assert_eq!(full(Rank::Preferred), 1024);
        assert_eq!(full(Rank::Urgent), 1024);
        assert_eq!(waiting.len(), TICKETS_PER_LANE);
    }
}
