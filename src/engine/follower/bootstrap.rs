//! How a directory without a journal comes to one: the writer's newest snapshot, byte for byte, and
//! the segment in which that ends, frame by frame.
//!
//! Owns the order. Nothing of it has a name that a start reads before it is whole: first the
//! snapshot, then the journal behind it. Without a snapshot the journal begins with its first
//! segment. Never asks for anything: the caller takes what comes. Next: `whole`.

use super::error::FollowerError;
use crate::domain::model::ids::Sequence;
use crate::engine::replay::DataDirectory;
use doorbuster_journal::{
    Disk, FramePlace, Journal, JournalBeginning, JournalError, JournalId, Options, SnapshotEnd,
};
use doorbuster_snapshots::{SnapshotReceiver, list, remove_leftovers};

/// With what a directory begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapStart {
    /// The journal that it will hold.
    pub journal: JournalId,
    /// The snapshot that comes first; none where the first segment is still there.
    pub snapshot: Option<SnapshotStart>,
}

/// A snapshot on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotStart {
    /// The last sequence that it holds.
    pub sequence: Sequence,
    /// The length of its file.
    pub bytes: u64,
}

/// How far a beginning is.
pub(super) enum Bootstrap<D: Disk> {
    /// The snapshot comes.
    Snapshot(JournalId, SnapshotReceiver<D>),
    /// The header page of the segment is next.
    Header(JournalId, SnapshotEnd),
    /// Its frames come, up to the end of the snapshot.
    Frames(SnapshotEnd, Box<JournalBeginning<D>>),
}

impl<D: Disk> Bootstrap<D> {
    pub(super) fn begin<P: DataDirectory<Disk = D> + ?Sized>(
        data: &P,
        start: BootstrapStart,
    ) -> Result<Self, FollowerError> {
        let BootstrapStart { journal, snapshot } = start;
        let disk = data.snapshots()?;
        remove_leftovers(&disk)?;
        put_away(&disk, journal, snapshot.map_or(0, |snapshot| snapshot.sequence))?;
        let Some(SnapshotStart { sequence, bytes }) = snapshot else {
            return Ok(Self::Header(journal, SnapshotEnd { sequence: 0, chain: 0 }));
        };
        Ok(Self::Snapshot(journal, SnapshotReceiver::begin(disk, sequence, bytes)?))
    }

    pub(super) fn snapshot_piece(&mut self, bytes: &[u8]) -> Result<(), FollowerError> {
        match self {
            Self::Snapshot(_, receiver) => Ok(receiver.append(bytes)?),
            _ => Err(FollowerError::NoSnapshot),
        }
    }

    pub(super) fn finish_snapshot(self) -> Result<Self, FollowerError> {
        let Self::Snapshot(journal, receiver) = self else { return Err(FollowerError::NoSnapshot) };
        let meta = receiver.finish(journal)?.meta;
        Ok(Self::Header(journal, SnapshotEnd { sequence: meta.sequence, chain: meta.chain }))
    }

    /// Takes the header page of the segment, or its next frame.
    pub(super) fn store<P: DataDirectory<Disk = D> + ?Sized>(
        self,
        data: &P,
        segment_bytes: u64,
        (place, bytes): (FramePlace, &[u8]),
    ) -> Result<Self, FollowerError> {
        match self {
            Self::Snapshot(..) => Err(FollowerError::NoJournal),
            Self::Header(expected, end) => {
                let disk = data.journal()?;
                let beginning = Journal::begin_at(disk, Options { segment_bytes }, bytes, end)?;
                let found = beginning.id();
                if found == expected {
                    return Ok(Self::Frames(end, Box::new(beginning)));
                }
                Err(FollowerError::OtherJournal { found, expected })
            }
            Self::Frames(end, mut beginning) => {
                beginning.copy(place, bytes)?;
                Ok(Self::Frames(end, beginning))
            }
        }
    }

    /// The journal, once it holds the end of the snapshot; itself otherwise.
    pub(super) fn finished(self) -> Result<Result<(Journal<D>, SnapshotEnd), Self>, FollowerError> {
        match self {
            Self::Frames(end, beginning) if beginning.is_complete() => {
                Ok(Ok((beginning.finish()?, end)))
            }
            other => Ok(Err(other)),
        }
    }
}

/// Gives snapshots that reach further than the journal is about to another name: somebody has taken
/// away the segments behind them, and a start would look for those.
fn put_away<D: Disk>(
    disk: &D,
    journal: JournalId,
    sequence: Sequence,
) -> Result<(), FollowerError> {
    let listed = list(disk, journal)?;
    for snapshot in listed.iter().filter(|snapshot| snapshot.sequence > sequence) {
        let name = &snapshot.name;
        let io = |operation| {
            let file = disk.place(name);
            move |cause| JournalError::Io { operation, file, offset: 0, cause }
        };
        disk.rename(name, &format!("{name}.replaced")).map_err(io("rename"))?;
        disk.sync_directory().map_err(io("sync the directory of"))?;
    }
    Ok(())
}
