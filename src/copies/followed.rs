//! The data directory of a server as a replica.
//!
//! Owns only which errors end a connection and which the process. Next: `engine::follower`.

use super::replica::{Replica, ReplicaError, ReplicaStart};
use crate::domain::model::ids::Sequence;
use crate::engine::follower::{BootstrapStart, Follower, FollowerError, SnapshotStart};
use crate::engine::replay::DataDirectory;
use doorbuster_journal::{FramePlace, JournalEnd, JournalError, JournalHistory, JournalId};
use doorbuster_snapshots::SnapshotError;

/// What did not fit has changed nothing, and the writer may be asked again; after anything else only
/// a start tells what the disk holds.
fn told(error: FollowerError) -> ReplicaError {
    let text = error.to_string();
    match error {
        FollowerError::NoJournal
        | FollowerError::NoSnapshot
        | FollowerError::OtherJournal { .. }
        | FollowerError::Journal(
            JournalError::NotContinued { .. }
            | JournalError::NotATail { .. }
            | JournalError::SetAsideTooLarge { .. }
            | JournalError::NoSpare,
        )
        | FollowerError::Snapshot(
            SnapshotError::Damaged { .. } | SnapshotError::ForeignJournal { .. },
        ) => ReplicaError::Refused(text),
        _ => ReplicaError::Failed(text),
    }
}

impl<P: DataDirectory> Replica for Follower<P> {
    fn journal_id(&self) -> Option<JournalId> {
        Self::journal_id(self)
    }

    fn history(&self) -> JournalHistory {
        Self::history(self)
    }

    fn settled(&self) -> Sequence {
        Self::settled(self)
    }

    fn synced(&self) -> Sequence {
        Self::synced(self)
    }

    fn epoch(&self) -> u32 {
        Self::epoch(self)
    }

    fn cut_to(&mut self, epoch: u32, end: &JournalEnd) -> Result<(), ReplicaError> {
        Self::cut_to(self, epoch, end).map(drop).map_err(told)
    }

    fn begin_anew(&mut self, start: ReplicaStart) -> Result<(), ReplicaError> {
        let snapshot = start.snapshot.map(|(end, bytes)| {
            let sequence = end.sequence;
            SnapshotStart { sequence, bytes }
        });
        self.begin_bootstrap(BootstrapStart { journal: start.journal, snapshot }).map_err(told)
    }

    fn snapshot_piece(&mut self, bytes: &[u8]) -> Result<(), ReplicaError> {
        Self::snapshot_piece(self, bytes).map_err(told)
    }

    fn finish_snapshot(&mut self) -> Result<(), ReplicaError> {
        Self::finish_snapshot(self).map_err(told)
    }

    fn store(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), ReplicaError> {
        Self::store(self, place, bytes).map_err(told)
    }

    fn sync(&mut self) -> Result<Sequence, ReplicaError> {
        Self::sync(self).map_err(told)
    }

    fn settle(&mut self, settled: Sequence) -> Result<(), ReplicaError> {
        Self::settle(self, settled).map_err(told)
    }
}
