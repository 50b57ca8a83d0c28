//! What a copy needs of its data directory.
//!
//! Owns the seam between what is said and what is stored, so that the protocol is tried over plain
//! journals. Never knows what a record means. Next: `receiver`.

use crate::domain::model::ids::Sequence;
use doorbuster_journal::{FramePlace, JournalEnd, JournalHistory, JournalId};

/// How a copy that begins anew begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaStart {
    /// The journal that it becomes a copy of.
    pub journal: JournalId,
    /// The snapshot that comes first, and how long its file is; none where the journal begins with
    /// its first segment.
    pub snapshot: Option<(doorbuster_journal::SnapshotEnd, u64)>,
}

/// Why a directory does not take what came.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// It does not continue what is stored, and nothing was changed.
    #[error("what the writer sent does not continue the journal here: {0}")]
    Refused(String),
    /// The disk has failed, or holds what no journal of this history holds. Nothing is tried again.
    #[error("{0}")]
    Failed(String),
}

/// A data directory that follows.
pub trait Replica {
    /// Its journal; none where it holds none.
    fn journal_id(&self) -> Option<JournalId>;
    /// Its epochs and its end.
    fn history(&self) -> JournalHistory;
    /// What it knows to be settled.
    fn settled(&self) -> Sequence;
    /// The last record that is synced.
    fn synced(&self) -> Sequence;
    /// The epoch of its last record; 0 where there is none.
    fn epoch(&self) -> u32;

    /// Cuts the journal behind this end, where the history of the writer of `epoch` begins to
    /// differ. What goes is set aside.
    ///
    /// # Errors
    /// When the end is not there, or something that stays says that more is settled.
    fn cut_to(&mut self, epoch: u32, end: &JournalEnd) -> Result<(), ReplicaError>;

    /// Gives up what is here, and waits for the snapshot, or for the header of the first segment.
    ///
    /// # Errors
    /// When it does not do that by itself.
    fn begin_anew(&mut self, start: ReplicaStart) -> Result<(), ReplicaError>;

    /// Takes the next bytes of the snapshot.
    ///
    /// # Errors
    /// When none is awaited, or more come than were announced.
    fn snapshot_piece(&mut self, bytes: &[u8]) -> Result<(), ReplicaError>;

    /// Takes the snapshot as whole.
    ///
    /// # Errors
    /// When it is not.
    fn finish_snapshot(&mut self) -> Result<(), ReplicaError>;

    /// Stores a frame, or the header of a segment, as it lay at the writer. Does not sync.
    ///
    /// # Errors
    /// When it does not continue the journal exactly.
    fn store(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), ReplicaError>;

    /// Syncs all that was stored, and says up to where that is.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync(&mut self) -> Result<Sequence, ReplicaError>;

    /// Takes note of what is settled; shows what is settled and synced.
    ///
    /// # Errors
    /// When the disk fails, or what is stored cannot be applied.
    fn settle(&mut self, settled: Sequence) -> Result<(), ReplicaError>;
}
