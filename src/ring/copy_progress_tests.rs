//! Answers, the writer and the copies: which of them wakes a lane.

use super::*;
use crate::domain::model::command::{Command, Principal, Query, Reach, Request};
use crate::domain::model::ids::{PrincipalName, SkuId};
use crate::ring::{
    Cursors, DecisionTimes, Lane, NO_COPIES, NO_LEASE, Outbox, Outcome, PendingReply, Rank, build,
};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

fn question() -> Request {
    Request {
        principal: Principal { name: PrincipalName::local(), reach: Reach::All },
        key: None,
        traceparent: None,
        command: Command::Read(Box::new(Query::Sku(SkuId::parse("a").unwrap()))),
    }
}

fn polled_outcome(waiting: Pin<&mut PendingReply>, context: &mut Context<'_>) -> Poll<Outcome> {
    waiting.poll(context).map(|arrived| arrived.outcome)
}

/// An answer that rests on the 5th record, of a lane that the writer has told of it.
fn answered_at_five(cursors: &Arc<Cursors>) -> (Lane, Outbox, PendingReply, Arc<Woken>) {
    let (mut ends, mut inbox, mut outbox) = build(1, cursors);
    let lane = ends.pop().expect("one lane").settle();
    let waiting = lane.ask(question(), Rank::Ordinary, None).expect("there is room");
    let woken = Arc::new(Woken::default());
    lane.pump(&Context::from_waker(&Waker::from(woken.clone())), || 0);
    inbox.poll(1, |together| {
        outbox.answer(together[0].address, 5, Outcome::NoSpace, DecisionTimes::default());
    });
    (lane, outbox, waiting, woken)
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Woken {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

#[test]
fn an_answer_waits_for_the_copies_which_wake_its_lane() {
    let cursors = Arc::new(Cursors::default());
    let (lane, mut outbox, waiting, woken) = answered_at_five(&cursors);
    let copies = outbox.copy_progress();
    let (mut waiting, context) = (pin!(waiting), &mut Context::from_waker(Waker::noop()));
    copies.publish(4);
    cursors.publish(5, 5, 5);
    outbox.wake_answered();
    assert!(!woken.take(), "it is left to the copies");
    lane.pump(context, || 0);
    assert!(waiting.as_mut().poll(context).is_pending());
    assert_eq!((cursors.synced(), cursors.settled(), cursors.answerable()), (5, 4, 4));
    lane.pump(&Context::from_waker(&Waker::from(woken.clone())), || 0);
    copies.publish(5);
    assert!(woken.take());
    lane.pump(context, || 0);
    assert_eq!(polled_outcome(waiting, context), Poll::Ready(Outcome::NoSpace));
}

#[test]
fn copies_that_are_ahead_leave_the_wake_to_the_writer() {
    let cursors = Arc::new(Cursors::default());
    let (lane, mut outbox, waiting, woken) = answered_at_five(&cursors);
    let copies = outbox.copy_progress();
    let (waiting, context) = (pin!(waiting), &mut Context::from_waker(Waker::noop()));
    // The copies may be quicker than this disk.
    cursors.publish(5, 4, 4);
    copies.publish(4);
    cursors.publish_appended(5);
    copies.publish(5);
    assert!(!woken.take());
    cursors.publish(5, 5, 5);
    outbox.wake_answered();
    assert!(woken.take());
    lane.pump(context, || 0);
    assert_eq!(polled_outcome(waiting, context), Poll::Ready(Outcome::NoSpace));
}

#[test]
fn the_last_copy_that_goes_leaves_this_disk_alone() {
    let cursors = Arc::new(Cursors::default());
    let (lane, mut outbox, waiting, woken) = answered_at_five(&cursors);
    let copies = outbox.copy_progress();
    let (waiting, context) = (pin!(waiting), &mut Context::from_waker(Waker::noop()));
    copies.publish(0);
    cursors.publish(5, 5, 5);
    outbox.wake_answered();
    assert!(!woken.take());
    copies.publish(NO_COPIES);
    assert!(woken.take());
    assert_eq!(cursors.settled(), 5);
    lane.pump(context, || 0);
    assert_eq!(polled_outcome(waiting, context), Poll::Ready(Outcome::NoSpace));
}

/// An answer waits while the lease is over, and its lane hears of the next; within a lease nobody
/// is woken for it.
#[test]
fn an_answer_waits_for_the_lease_which_wakes_its_lane() {
    let cursors = Arc::new(Cursors::default());
    let (lane, mut outbox, waiting, woken) = answered_at_five(&cursors);
    let copies = outbox.copy_progress();
    let (mut waiting, context) = (pin!(waiting), &mut Context::from_waker(Waker::noop()));
    copies.publish_with_lease(5, 100);
    cursors.publish(5, 5, 5);
    outbox.wake_answered();
    assert!(woken.take());
    lane.pump(&Context::from_waker(&Waker::from(woken.clone())), || 101);
    assert!(waiting.as_mut().poll(context).is_pending(), "the lease is over");
    copies.publish_with_lease(5, 200);
    assert!(woken.take());
    lane.pump(&Context::from_waker(&Waker::from(woken.clone())), || 200);
    assert_eq!(polled_outcome(waiting, context), Poll::Ready(Outcome::NoSpace));
    copies.publish_with_lease(5, 300);
    assert!(!woken.take(), "no lane missed that one");
}

#[test]
fn without_a_lease_no_lane_reads_a_clock() {
    let cursors = Arc::new(Cursors::default());
    let (lane, mut outbox, waiting, _woken) = answered_at_five(&cursors);
    let copies = outbox.copy_progress();
    let (waiting, context) = (pin!(waiting), &mut Context::from_waker(Waker::noop()));
    copies.publish_with_lease(5, NO_LEASE);
    cursors.publish(5, 5, 5);
    outbox.wake_answered();
    lane.pump(context, || unreachable!("there is no lease"));
    assert_eq!(polled_outcome(waiting, context), Poll::Ready(Outcome::NoSpace));
}

/// Whoever ships the journal hears of a frame before it is synced, and of what came with the first
/// look at the latest when its turn is published.
#[test]
fn who_ships_the_journal_hears_of_what_is_not_synced_yet() {
    let cursors = Cursors::default();
    let woken = Arc::new(Woken::default());
    cursors.publish_appended(1);
    cursors.wake_when_appended(&Waker::from(woken.clone()));
    assert_eq!((cursors.appended(), woken.take()), (1, false), "what moved before is not told");
    cursors.publish_appended(2);
    assert!(woken.take());
    cursors.wake_when_appended(&Waker::from(woken.clone()));
    cursors.publish(2, 2, 2);
    assert!(woken.take(), "a sync lets the next watermark say more");
}
