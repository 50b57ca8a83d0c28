//! The sync of a turn, and what is published of it.
//!
//! Owns when a sync is due and what the cursors say afterwards. Never answers a request: answers
//! wait in the ring until the cursors have passed what they rest on. Next: `ring::cursors`, `idle`.

use super::Core;
use crate::config::Durability;
use crate::domain::model::ids::Sequence;
use doorbuster_journal::{Disk, JournalError};

impl<D: Disk> Core<D> {
    pub(super) fn sync_if_due(&mut self) -> Result<(), JournalError> {
        let Some(since) = self.unsynced_since else { return Ok(()) };
        let due = match self.durability {
            Durability::Group => true,
            Durability::Interval(interval_ms) => self.now >= since + interval_ms,
            Durability::Os => false,
        };
        if due { self.sync() } else { Ok(()) }
    }

    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.watch.time_sync(self.outbox.cursors(), || self.journal.sync())?;
        self.unsynced_since = None;
        Ok(())
    }

    fn nudge_snapshots(&mut self, settled: Sequence) {
        if settled >= self.snapshot_at {
            self.snapshots.request_check();
            self.snapshot_at = settled + self.snapshot_events;
        }
    }

    pub(super) fn publish(&mut self) {
        let (appended, synced) = (self.journal.appended(), self.journal.synced());
        let durable = match self.durability {
            Durability::Group => synced,
            Durability::Interval(_) | Durability::Os => appended,
        };
        let cursors = self.outbox.cursors();
        let copied = cursors.copied();
        cursors.publish(appended, synced, durable);
        cursors.publish_journal_bytes(self.journal.bytes());
        // Only now: a snapshot is folded up to the cursor that the snapshotter sees.
        self.nudge_snapshots(synced.min(copied));
    }
}
