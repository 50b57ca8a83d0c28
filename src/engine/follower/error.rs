//! Why a follower cannot go on as it was asked to.
//!
//! Owns the one error type. What the journal refuses (a frame that does not continue it, a cut that
//! is not of a tail) has changed nothing; after an error of the disk the node must start again.
//! Next: `directory`.

use crate::engine::recovery::RecoveryError;
use crate::engine::replay::ReplayError;
use doorbuster_journal::{JournalError, JournalId};
use doorbuster_snapshots::SnapshotError;

/// Why a follower did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum FollowerError {
    /// The journal refuses, or its disk fails.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The directory cannot be read back, or a record does not fit the state.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The directory cannot be opened again.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The snapshot that came is not whole, or cannot be stored.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A frame or a cut for a directory without a journal.
    #[error(
        "the directory holds no journal yet: it must be begun with a snapshot or from the start"
    )]
    NoJournal,
    /// A piece of a snapshot, or its end, and none was begun.
    #[error("a piece of a snapshot came, and none was begun")]
    NoSnapshot,
    /// The segment that came is of another journal than was announced.
    #[error("what came is of the journal {found}, and {expected} was announced")]
    OtherJournal {
        /// Of the segment.
        found: JournalId,
        /// As announced.
        expected: JournalId,
    },
    /// An earlier call failed in the middle: only a start can tell what the disk holds.
    #[error("an earlier step of this follower failed in the middle: start the node again")]
    Failed,
}
