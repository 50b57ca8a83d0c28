//! On a copy: what the writer sent, into the directory.
//!
//! Owns the group commit: all that came together is stored, then synced once. Never acknowledges
//! by itself: whether it may is the role's. Next: `replica`, `node`.

use super::replica::{Replica, ReplicaError, ReplicaStart};
use super::wire::{Beat, Frames, Restart};
use crate::cluster::register::Epoch;
use crate::domain::model::ids::Sequence;
use doorbuster_journal::{JournalId, SnapshotEnd};

/// The writer that is followed.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) epoch: Epoch,
    /// The newest moment of sending that has come; none since the last sync.
    heard: Option<u64>,
    is_stored: bool,
    settled: Sequence,
}

/// What is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Synced {
    pub(super) end: Sequence,
    pub(super) sent_ms: u64,
}

impl Receiver {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self { epoch, heard: None, is_stored: false, settled: 0 }
    }

    fn check(&self, epoch: Epoch) -> Result<(), ReplicaError> {
        if epoch == self.epoch {
            return Ok(());
        }
        let expected = self.epoch;
        Err(ReplicaError::Refused(format!("it is of epoch {epoch}, and {expected} is followed")))
    }

    pub(super) fn take_frames<R: Replica>(
        &mut self,
        frames: &Frames,
        replica: &mut R,
    ) -> Result<(), ReplicaError> {
        self.check(frames.epoch)?;
        for (place, bytes) in &frames.frames {
            self.is_stored = true;
            replica.store(*place, bytes)?;
        }
        self.hear(frames.sent_ms, frames.settled);
        Ok(())
    }

    pub(super) fn take_beat(&mut self, beat: &Beat) -> Result<(), ReplicaError> {
        self.check(beat.epoch)?;
        self.hear(beat.sent_ms, beat.settled);
        Ok(())
    }

    fn hear(&mut self, sent_ms: u64, settled: Sequence) {
        self.heard = Some(self.heard.map_or(sent_ms, |before| before.max(sent_ms)));
        self.settled = self.settled.max(settled);
    }

    pub(super) fn begin_anew<R: Replica>(
        &mut self,
        restart: &Restart,
        replica: &mut R,
    ) -> Result<(), ReplicaError> {
        let snapshot = restart.snapshot.map(|start| {
            (SnapshotEnd { sequence: start.sequence, chain: start.chain }, start.bytes)
        });
        replica.begin_anew(ReplicaStart { journal: JournalId(restart.journal), snapshot })
    }

    /// Syncs what has come, if anything has.
    pub(super) fn sync<R: Replica>(
        &mut self,
        replica: &mut R,
    ) -> Result<Option<Synced>, ReplicaError> {
        let end =
            if std::mem::take(&mut self.is_stored) { replica.sync()? } else { replica.synced() };
        Ok(self.heard.take().map(|sent_ms| Synced { end, sent_ms }))
    }

    /// What the writer says is settled.
    pub(super) fn settled(&self) -> Sequence {
        self.settled
    }
}
