//! The copies' end of the cursors: whatever ships the journal says here how far the copies are.
//!
//! Owns the wake of those who wait for a copy alone. The writer and the copies publish at the same
//! time; the later one of the two wakes the lanes. Never decides which copies count. Next:
//! `cursors`.

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
    /// Every copy that counts has synced the journal up to here;
    /// [`NO_COPIES`](super::NO_COPIES) where there is none any more. Answers that waited for that
    /// alone leave.
    ///
    /// The first call of a process comes before the writer's first turn. A later value is lower
    /// only where one more copy begins to count; what was shown before rests on those that did.
    pub fn publish(&self, copied: Sequence) {
        if self.cursors.publish_copied(copied) {
            self.wakers.iter().for_each(|waker| waker.wake());
        }
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
