//! Two or three threads that hand something over, as the writer and the IO threads do.
//!
//! What the libraries' rings carry stands here as a flag that is stored with release and read with
//! acquire, which is what they promise. A wake that is lost is a deadlock to loom, which it
//! reports. Each panics where something else is wrong. Next: `src/ring/parking.rs` and its
//! neighbours.

use super::backpressure::CapacityFlag;
use super::cursors::Cursors;
use super::parking::Parking;
use super::timings::SyncSpan;
use crate::modelled::AtomicWaker;
use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// In which order a lane that closes takes its two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// As `Lane::close` does.
    GoesThenCalls,
    /// The mistake: the writer may look before the lane is gone, and never again.
    CallsThenGoes,
}

/// Lanes publish a request each; the writer, which sleeps between its looks, sees all of them.
pub fn the_writer_sees_every_request(lanes: usize) {
    let parking = Arc::new(Parking::new());
    let published: Vec<_> = (0..lanes).map(|_| Arc::new(AtomicBool::new(false))).collect();
    for request in &published {
        let (request, parking) = (request.clone(), parking.clone());
        thread::spawn(move || {
            request.store(true, Ordering::Release);
            parking.wake();
        });
    }
    parking.settle();
    // The writer's turn: heed, look, and sleep unless there was a call since.
    loop {
        parking.clear_signal();
        if published.iter().all(|request| request.load(Ordering::Acquire)) {
            break;
        }
        if !parking.called() {
            parking.park(None);
        }
    }
}

/// A call that was heeded brings what was published before it, in the same look.
pub fn a_call_brings_what_was_published_before_it() {
    let parking = Arc::new(Parking::new());
    // Nothing of its own orders this: only the call does.
    let published = Arc::new(loom::sync::atomic::AtomicU64::new(0));
    thread::spawn({
        let (parking, published) = (parking.clone(), published.clone());
        move || {
            published.store(1, Ordering::Relaxed);
            parking.wake();
        }
    });
    if parking.called() {
        parking.clear_signal();
        assert_eq!(published.load(Ordering::Relaxed), 1, "the call came before the request");
    }
}

/// A lane closes; the writer ends and does not sleep for ever.
pub fn the_writer_ends_when_the_last_lane_closes(closing: Closing) {
    let parking = Arc::new(Parking::new());
    let gone = Arc::new(AtomicBool::new(false));
    let lane = thread::spawn({
        let (parking, gone) = (parking.clone(), gone.clone());
        move || {
            if closing == Closing::CallsThenGoes {
                parking.wake();
            }
            gone.store(true, Ordering::Release);
            if closing == Closing::GoesThenCalls {
                parking.wake();
            }
        }
    });
    parking.settle();
    loop {
        parking.clear_signal();
        if gone.load(Ordering::Acquire) {
            break;
        }
        if !parking.called() {
            parking.park(None);
        }
    }
    lane.join().expect("the lane closes");
}

/// The writer answers, publishes and wakes; the lane pumps and hands the answer out, with the times
/// of its turn.
pub fn an_answer_leaves_once_it_is_durable() {
    let cursors = Arc::new(Cursors::default());
    let answered = Arc::new(AtomicBool::new(false));
    let waker = Arc::new(AtomicWaker::new());
    let writer = thread::spawn({
        let (cursors, answered, waker) = (cursors.clone(), answered.clone(), waker.clone());
        move || {
            answered.store(true, Ordering::Release);
            cursors.time_turn(1, 3, 4, SyncSpan { began_ns: 1, ended_ns: 2 });
            cursors.publish(1, 1, 1);
            waker.wake();
        }
    });
    block_on(poll_fn(|context| {
        waker.register(context.waker());
        let durable = cursors.answerable() >= 1;
        if durable {
            assert!(answered.load(Ordering::Acquire), "what is durable was answered before");
            let expected = (3, 4, SyncSpan { began_ns: 1, ended_ns: 2 });
            assert_eq!(cursors.turn_times(1), expected, "an answer brings the times of its turn");
            assert!(cursors.synced() == 1 && cursors.appended() == 1, "in their order");
            return Poll::Ready(());
        }
        Poll::Pending
    }));
    writer.join().expect("the writer goes on");
}

/// The writer and the copies come to the same place at the same time: the later one wakes the lane.
pub fn the_later_of_the_writer_and_the_copies_wakes_the_lane() {
    let cursors = Arc::new(Cursors::default());
    cursors.publish_copied(0);
    let waker = Arc::new(AtomicWaker::new());
    let writer = thread::spawn({
        let (cursors, waker) = (cursors.clone(), waker.clone());
        move || {
            cursors.publish(1, 1, 1);
            if cursors.answerable() >= 1 {
                waker.wake();
            }
        }
    });
    let copies = thread::spawn({
        let (cursors, waker) = (cursors.clone(), waker.clone());
        move || {
            if cursors.publish_copied(1) {
                waker.wake();
            }
        }
    });
    block_on(poll_fn(|context| {
        waker.register(context.waker());
        if cursors.answerable() >= 1 { Poll::Ready(()) } else { Poll::Pending }
    }));
    writer.join().expect("the writer goes on");
    copies.join().expect("the copies go on");
}

/// A follower that has seen everything hears of what comes next.
pub fn a_follower_hears_that_the_journal_moved() {
    let cursors = Arc::new(Cursors::default());
    let writer = thread::spawn({
        let cursors = cursors.clone();
        move || cursors.publish(1, 1, 1)
    });
    block_on(poll_fn(|context| {
        if cursors.synced() >= 1 {
            return Poll::Ready(());
        }
        cursors.wake_when_moved(context.waker());
        // Once more, as it was told to.
        if cursors.synced() >= 1 { Poll::Ready(()) } else { Poll::Pending }
    }));
    writer.join().expect("the writer goes on");
}

/// The writer stops in the middle: whoever waits hears that nothing more will come.
pub fn all_that_wait_hear_that_the_writer_stopped() {
    let cursors = Arc::new(Cursors::default());
    let waker = Arc::new(AtomicWaker::new());
    let alarm = thread::spawn({
        let (cursors, waker) = (cursors.clone(), waker.clone());
        move || {
            cursors.poison();
            waker.wake();
        }
    });
    block_on(poll_fn(|context| {
        waker.register(context.waker());
        if cursors.poisoned() { Poll::Ready(()) } else { Poll::Pending }
    }));
    alarm.join().expect("the alarm sounds");
}

/// A batch finds no room, says so and offers once more; the writer makes room and looks who waits.
/// The batch gets in, by itself or woken.
pub fn who_waits_for_room_gets_it() {
    let capacity_flag = Arc::new(CapacityFlag::default());
    let room = Arc::new(AtomicBool::new(false));
    let waker = Arc::new(AtomicWaker::new());
    let writer = thread::spawn({
        let (capacity_flag, room, waker) = (capacity_flag.clone(), room.clone(), waker.clone());
        move || {
            room.store(true, Ordering::Release);
            CapacityFlag::made_room();
            if capacity_flag.heard() {
                waker.wake();
            }
        }
    });
    block_on(poll_fn(|context| {
        if room.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        // The lane's root future registers each time it is polled.
        waker.register(context.waker());
        capacity_flag.say();
        if room.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }));
    writer.join().expect("the writer goes on");
}

/// Whoever ships the journal looks for the first time while a turn is published, and hears of it.
pub fn who_begins_to_ship_the_journal_hears_of_the_turn() {
    let cursors = Arc::new(Cursors::default());
    let writer = thread::spawn({
        let cursors = cursors.clone();
        move || cursors.publish(1, 1, 1)
    });
    wait_for_appended(&cursors, 1);
    writer.join().expect("the writer goes on");
}

/// Once it has looked, it hears of what is appended alone.
pub fn who_ships_the_journal_hears_what_is_appended() {
    let cursors = Arc::new(Cursors::default());
    cursors.wake_when_appended(Waker::noop());
    let writer = thread::spawn({
        let cursors = cursors.clone();
        move || cursors.publish_appended(1)
    });
    wait_for_appended(&cursors, 1);
    writer.join().expect("the writer goes on");
}

fn wait_for_appended(cursors: &Cursors, wanted: u64) {
    block_on(poll_fn(|context| {
        if cursors.appended() >= wanted {
            return Poll::Ready(());
        }
        cursors.wake_when_appended(context.waker());
        // Once more, as it was told to.
        if cursors.appended() >= wanted { Poll::Ready(()) } else { Poll::Pending }
    }));
}

/// A lease is extended while a lane finds that it is over: the lane hears of it.
pub fn a_lane_that_misses_the_lease_hears_of_the_next() {
    let cursors = Arc::new(Cursors::default());
    cursors.publish_lease(1);
    let waker = Arc::new(AtomicWaker::new());
    let copies = thread::spawn({
        let (cursors, waker) = (cursors.clone(), waker.clone());
        move || {
            if cursors.publish_lease(3) {
                waker.wake();
            }
        }
    });
    block_on(poll_fn(|context| {
        waker.register(context.waker());
        if cursors.is_good(|| 2) { Poll::Ready(()) } else { Poll::Pending }
    }));
    copies.join().expect("the copies go on");
}
