//! How the writer sleeps and how it is woken: flag, fence, look again. No timeout makes up for a
//! lost wake, because none is lost.
//!
//! A waker leaves a call and then looks whether a thread sleeps; the sleeper says that it sleeps
//! and then looks for a call. Between the two steps of each stands a fence, so at least one of the
//! two sees the other; `tests/loom` tries every order. A call is left once for all that an IO turn
//! published: the writer goes by calls, not by what is in the ring, and so takes an IO turn's
//! requests together, with one sync.

use super::seam::{AtomicBool, OnceLock, Ordering, Thread, current, fence, sleep};
use std::time::Duration;

/// Where the writer sleeps.
#[derive(Debug)]
pub(super) struct Parking {
    sleeper: OnceLock<Thread>,
    parked: AtomicBool,
    /// Something was published that the sleeper has not been told of.
    called: AtomicBool,
}

impl Parking {
    pub(super) fn new() -> Self {
        Self {
            sleeper: OnceLock::new(),
            parked: AtomicBool::new(false),
            called: AtomicBool::new(false),
        }
    }

    /// Says that this thread is the one that sleeps here.
    pub(super) fn settle(&self) {
        let settled = self.sleeper.set(current());
        assert!(settled.is_ok(), "one thread sleeps here");
    }

    /// Takes note of all calls so far; what was published before them is looked at next.
    pub(super) fn clear_signal(&self) {
        self.called.swap(false, Ordering::AcqRel);
    }

    /// There was a call that was not heeded yet.
    pub(super) fn called(&self) -> bool {
        self.called.load(Ordering::Acquire)
    }

    /// Sleeps until called, or for `timeout` at most; not at all if there was a call.
    pub(super) fn park(&self, timeout: Option<Duration>) {
        self.parked.store(true, Ordering::Release);
        // Pairs with the one in `wake`.
        fence(Ordering::SeqCst);
        if !self.called.load(Ordering::Relaxed) {
            sleep(timeout);
        }
        self.parked.store(false, Ordering::Relaxed);
    }

    /// Calls the sleeper, and wakes it if it sleeps.
    pub(super) fn wake(&self) {
        self.called.store(true, Ordering::Release);
        // Pairs with the one in `park`.
        fence(Ordering::SeqCst);
        // Acquires, so that a thread that says that it sleeps has also said which one it is.
        if self.parked.load(Ordering::Relaxed)
            && self.parked.swap(false, Ordering::Acquire)
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::seam::AtomicU64;
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn no_wake_is_lost_between_a_producer_and_a_sleeper() {
        const ROUNDS: u64 = 20_000;
        let parking = Arc::new(Parking::new());
        let (asked, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let sleeper = thread::spawn({
            let (parking, asked, done) = (parking.clone(), asked.clone(), done.clone());
            move || {
                parking.settle();
                while done.load(Ordering::Acquire) < ROUNDS {
                    parking.park(None);
                    parking.clear_signal();
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
