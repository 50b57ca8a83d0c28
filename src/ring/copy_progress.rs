//! The copies' end of the cursors: whatever ships the journal says here how far the copies are.
//!
//! Owns the wake of those who wait for a copy alone, or for the lease. The writer and the copies
//! publish at the same time; the later one of the two wakes the lanes. Never decides which copies
//! count, or how long a lease is. Next: `cursors`.

use super::cursors::Cursors;
use crate::domain::model::ids::Sequence;
use atomic_waker::AtomicWaker;
use std::sync::Arc;

/// Publishes what the copies hold.
pub struct CopyProgress {
    pub(super) wakers: Vec<Arc<AtomicWaker>>,
    pub(super) cursors: Arc<Cursors>,
}

impl CopyProgress {
    /// The progress of a node that answers nobody: it has no lanes to wake.
    #[must_use]
    pub fn of(cursors: Arc<Cursors>) -> Self {
        Self { wakers: Vec::new(), cursors }
    }

    /// Every copy that counts has synced the journal up to here;
    /// [`NO_COPIES`](super::NO_COPIES) where there is none any more. Answers that waited for that
    /// alone leave.
    ///
    /// The first call of a process comes before the writer's first turn. A later value is lower
    /// only where one more copy begins to count; what was shown before rests on those that did.
    pub fn publish(&self, copied: Sequence) {
        if self.cursors.publish_copied(copied) {
            self.wake_lanes();
        }
    }

    /// As [`publish`](Self::publish), and answers of any kind may leave until then, on
    /// `Clock::boottime_ms`, that moment included; [`NO_LEASE`](super::NO_LEASE) for ever. Those
    /// that the lease before held back leave.
    pub fn publish_with_lease(&self, copied: Sequence, good_until_ms: u64) {
        let more = self.cursors.publish_copied(copied);
        if self.cursors.publish_lease(good_until_ms) || more {
            self.wake_lanes();
        }
    }

    fn wake_lanes(&self) {
        self.wakers.iter().for_each(|waker| waker.wake());
    }

    /// How far the journal is.
    #[must_use]
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }
}

#[cfg(test)]
#[path = "copy_progress_tests.rs"]
mod tests;
