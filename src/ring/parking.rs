//! How the writer sleeps and how it is woken: flag, fence, look again. No timeout makes up for a
//! lost wake, because none is lost.
//!
//! The sleeper raises its flag and then looks at the ring once more; a waker publishes and then
//! looks at the flag. The fences order each side's write before its read, so at least one of the
//! two sees the other. Waking somebody who is awake costs a fence and a load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

/// Where the writer sleeps.
#[derive(Debug)]
pub(super) struct Parking {
    sleeper: OnceLock<Thread>,
    parked: AtomicBool,
    /// Lanes that may still publish.
    open_lanes: AtomicUsize,
}

impl Parking {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            sleeper: OnceLock::new(),
            parked: AtomicBool::new(false),
            open_lanes: AtomicUsize::new(lanes),
        }
    }

    /// Says that this thread is the one that sleeps here.
    pub(super) fn settle(&self) {
        let settled = self.sleeper.set(thread::current());
        assert!(settled.is_ok(), "one thread sleeps here");
    }

    /// Sleeps until woken, or for `timeout` at most, unless `busy` says that there is work.
    pub(super) fn park(&self, timeout: Option<Duration>, busy: impl Fn() -> bool) {
        self.parked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !busy() {
            match timeout {
                Some(timeout) => thread::park_timeout(timeout),
                None => thread::park(),
            }
        }
        self.parked.store(false, Ordering::Relaxed);
    }

    /// Wakes the sleeper, if it sleeps.
    pub(super) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed)
            && self.parked.swap(false, Ordering::Relaxed)
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// A lane will publish no more.
    pub(super) fn close_lane(&self) {
        self.open_lanes.fetch_sub(1, Ordering::SeqCst);
        self.wake();
    }

    /// No lane will publish any more.
    pub(super) fn closed(&self) -> bool {
        self.open_lanes.load(Ordering::SeqCst) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn no_wake_is_lost_between_a_producer_and_a_sleeper() {
        const ROUNDS: u64 = 20_000;
        let parking = Arc::new(Parking::new(1));
        let (asked, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let sleeper = thread::spawn({
            let (parking, asked, done) = (parking.clone(), asked.clone(), done.clone());
            move || {
                parking.settle();
                while done.load(Ordering::Acquire) < ROUNDS {
                    let seen = done.load(Ordering::Acquire);
                    parking.park(None, || asked.load(Ordering::Acquire) > seen);
                    done.store(asked.load(Ordering::Acquire), Ordering::Release);
                }
            }
        });
        for round in 1..=ROUNDS {
            asked.store(round, Ordering::Release);
            parking.wake();
            while done.load(Ordering::Acquire) < round {
                thread::yield_now();
            }
        }
        sleeper.join().expect("the sleeper saw every round");
    }
}
