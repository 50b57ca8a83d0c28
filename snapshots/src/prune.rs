//! Removal of old snapshots.
//!
//! Owns the removal of old snapshots and of files that interrupted writers left. Never removes a
//! snapshot before newer ones were read from end to end, never one of another journal or version,
//! and never one whose header does not name its journal. Read `catalog.rs` next for the order.

use std::ops::ControlFlow;

use doorbuster_journal::{Disk, JournalId};

use crate::catalog::{PassedOver, newest_first};
use crate::error::SnapshotError;
use crate::format::{KEPT_SNAPSHOTS_MIN, is_writing_name};
use crate::reader::SnapshotReader;
use crate::writer::remove_if_present;

/// The snapshots that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All snapshots.
    All,
    /// This number of verified snapshots, the newest ones: at least [`KEPT_SNAPSHOTS_MIN`].
    Newest(usize),
}

/// The result of a pruning.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The sequences of the snapshots that were verified and kept, newest first.
    pub kept: Vec<u64>,
    /// The sequences of the snapshots that were removed, oldest first.
    pub removed: Vec<u64>,
    /// Snapshots that could not be verified: neither counted nor removed. The caller reports them.
    pub passed_over: Vec<PassedOver>,
}

impl Pruned {
    /// The sequence of the oldest verified snapshot that was kept: a start no longer needs the
    /// journal up to it. `None` while there are fewer than [`KEPT_SNAPSHOTS_MIN`], because then a
    /// single damaged file would leave nothing to start from.
    pub fn oldest_kept(&self) -> Option<u64> {
        self.kept.last().copied().filter(|_| self.kept.len() >= KEPT_SNAPSHOTS_MIN)
    }
}

/// Verifies the snapshots to be kept, newest first, and removes the older ones of this journal.
///
/// Calls `pause` after each block that it reads. Counts a snapshot as kept only if it read every
/// byte and found it whole: with fewer whole snapshots than `keep` demands, it removes none. With
/// [`Keep::All`] it verifies all and removes none. Leaves snapshots of other journals alone and
/// does not count them.
///
/// # Errors
/// [`SnapshotError::Keep`] for fewer than [`KEPT_SNAPSHOTS_MIN`]. The error of the newest snapshot
/// of this journal if it is not whole, and [`SnapshotError::NewerVersion`] for any snapshot:
/// nothing is removed then. [`SnapshotError::Io`] if the disk fails, [`SnapshotError::Stopped`] if
/// the pause breaks.
pub fn prune<D: Disk>(
    disk: &D,
    journal: JournalId,
    keep: Keep,
    mut pause: impl FnMut() -> ControlFlow<()>,
) -> Result<Pruned, SnapshotError> {
    let wanted = match keep {
        Keep::All => usize::MAX,
        Keep::Newest(snapshots) if snapshots < KEPT_SNAPSHOTS_MIN => {
            return Err(SnapshotError::Keep { snapshots });
        }
        Keep::Newest(snapshots) => snapshots,
    };
    let mut pruned = Pruned::default();
    let mut old = Vec::new();
    for (sequence, name) in newest_first(disk)? {
        let opened = SnapshotReader::open_of(disk, &name, journal);
        let verified = match opened {
            // Enough newer ones are kept: it must be of this journal, but need not be whole.
            Ok(_) if pruned.kept.len() >= wanted => {
                old.push((sequence, name));
                continue;
            }
            Ok(reader) => reader.finish_with(&mut pause),
            Err(SnapshotError::ForeignJournal { .. }) => continue,
            Err(why) => Err(why),
        };
        match verified {
            Ok(_) => pruned.kept.push(sequence),
            Err(end @ (SnapshotError::NewerVersion { .. } | SnapshotError::Stopped { .. })) => {
                return Err(end);
            }
            Err(why) if pruned.kept.is_empty() => return Err(why),
            Err(why) => pruned.passed_over.push(PassedOver { sequence, why }),
        }
    }
    // The oldest first: after any interruption the newest are left, without a gap.
    for (sequence, name) in old.into_iter().rev() {
        remove_if_present(disk, &name)?;
        pruned.removed.push(sequence);
    }
    if !pruned.removed.is_empty() {
        sync_directory(disk)?;
    }
    Ok(pruned)
}

/// Removes the files that interrupted writers left, and returns their number. No snapshot may be
/// written at the same time.
///
/// # Errors
/// [`SnapshotError::Io`] if the disk fails.
pub fn remove_leftovers<D: Disk>(disk: &D) -> Result<usize, SnapshotError> {
    let names = disk.names().map_err(SnapshotError::io("list", disk.place(""), 0))?;
    let mut removed = 0;
    for name in names.iter().filter(|name| is_writing_name(name)) {
        removed += usize::from(remove_if_present(disk, name)?);
    }
    if removed > 0 {
        sync_directory(disk)?;
    }
    Ok(removed)
}

fn sync_directory<D: Disk>(disk: &D) -> Result<(), SnapshotError> {
    disk.sync_directory().map_err(SnapshotError::io("sync", disk.place(""), 0))
}
