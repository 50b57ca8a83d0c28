//! What the writer does while no request comes: seals the journal, and sleeps until something is
//! due.
//!
//! Owns when a seal is written and how long a sleep may last. Never sleeps itself: that is
//! `ring::parking`. Next: `mod`.

use super::{Core, TIDY_AFTER_MS};
use crate::codec::{self, Totals};
use crate::config::Durability;
use crate::domain::model::ids::Stamp;
use crate::domain::rules::sweep;
use doorbuster_journal::{Disk, JournalError};
use std::time::Duration;

/// A seal follows this much quiet: it says that all before it is synced, so that a damaged tail
/// can be told from one that no answer rested on.
const SEAL_AFTER_MS: u64 = 50;
/// Without a spare segment, the preparer is asked this often.
const SPARE_LOOK_MS: u64 = 1_000;
/// Without room, what is due is tried again this soon.
const NO_ROOM_PAUSE_MS: u64 = 100;
/// A quiet journal is sealed again this often.
const RESEAL_MS: u64 = 24 * 60 * 60 * 1000;

impl<D: Disk> Core<D> {
    /// After some quiet, and once a day while it lasts.
    fn seal_at(&self) -> Stamp {
        match self.unsealed_since {
            // The seal's watermark is to cover all before it.
            Some(_) if self.waits_for_copies() => self.now + SEAL_AFTER_MS,
            Some(since) => since + SEAL_AFTER_MS,
            None => self.sealed_at + RESEAL_MS,
        }
    }

    fn waits_for_copies(&self) -> bool {
        self.outbox.cursors().copied() < self.journal.appended()
    }

    fn seals(&self) -> bool {
        self.durability != Durability::Os
    }

    pub(super) fn seal_if_quiet(&mut self) -> Result<(), JournalError> {
        if self.seals() && self.now >= self.seal_at() { self.seal(false) } else { Ok(()) }
    }

    pub(super) fn seal(&mut self, drained: bool) -> Result<(), JournalError> {
        if !self.room.for_seal() {
            return Ok(());
        }
        // First, so that the seal's watermark covers everything before it.
        self.sync()?;
        self.journal.set_copied(self.outbox.cursors().copied());
        let totals = codec::encode_totals(&Totals::of(&self.state, drained));
        self.journal.seal(self.state.epoch, self.now, &totals)?;
        self.sync()?;
        self.unsealed_since = None;
        self.sealed_at = self.now;
        self.publish();
        Ok(())
    }

    /// How long nothing will be due; none for as long as no request comes.
    pub(super) fn until_due(&self) -> Option<Duration> {
        let seal = self.seals().then(|| self.seal_at());
        let spare = self.spare_failed.then(|| self.now + SPARE_LOOK_MS);
        let sync = match self.durability {
            Durability::Interval(interval_ms) => {
                self.unsynced_since.map(|since| since + interval_ms)
            }
            Durability::Group | Durability::Os => None,
        };
        let hold = sweep::next_expiry(&self.state);
        let tidy = sweep::next_tidy(&self.state).map(|due| due + TIDY_AFTER_MS);
        let refusals = [self.pending.due_at(), self.keeping.due_at()];
        let due = [hold, tidy, seal, sync, spare].into_iter().chain(refusals);
        let due = due.flatten().min()?;
        // Stamps may run a sixteenth faster than the clock that a sleep goes by; what is woken too
        // early looks and sleeps again.
        let wait_ms = due.saturating_sub(self.now) * 15 / 16;
        let least_ms = if self.room.for_new() { 1 } else { NO_ROOM_PAUSE_MS };
        Some(Duration::from_millis(wait_ms.max(least_ms)))
    }
}
