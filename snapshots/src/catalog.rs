//! The snapshots of a directory, and the one that a start uses.
//!
//! Owns the walk from newest to oldest. Never writes, never removes, never decides that a server
//! may start. Read `prune.rs` next for what is removed, `reader.rs` for how one snapshot is read.

use doorbuster_journal::{Disk, JournalId};

use crate::error::{LoadError, SnapshotError};
use crate::format::snapshot_sequence;
use crate::header::Meta;
use crate::reader::{SnapshotReader, Verified};

/// One snapshot file, as far as header and trailer tell.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The sequence in its name.
    pub sequence: u64,
    /// The state by header, trailer and length.
    pub state: SnapshotState,
}

/// The state of a snapshot by its header, trailer and length. Its blocks are not read.
#[derive(Debug)]
pub enum SnapshotState {
    /// Header and trailer are whole and the length is right. [`crate::verify`] checks the rest.
    Valid(Meta),
    /// It cannot be used, for this reason.
    Broken(SnapshotError),
    /// It belongs to another journal.
    ForeignJournal(JournalId),
    /// A newer version wrote it.
    NewerVersion {
        /// Its format.
        format: u32,
    },
}

/// Lists all snapshots in the directory, newest first, and no file that is not named like a
/// snapshot.
///
/// # Errors
/// [`SnapshotError::Io`] if the directory cannot be read. A file that cannot be read is listed as
/// broken.
pub fn list<D: Disk>(disk: &D, journal: JournalId) -> Result<Vec<Listed>, SnapshotError> {
    let look = |(sequence, name): (u64, String)| {
        let state = match SnapshotReader::open_of(disk, &name, journal) {
            Ok(reader) => SnapshotState::Valid(reader.meta().clone()),
            Err(SnapshotError::ForeignJournal { found, .. }) => {
                SnapshotState::ForeignJournal(found)
            }
            Err(SnapshotError::NewerVersion { format, .. }) => {
                SnapshotState::NewerVersion { format }
            }
            Err(why) => SnapshotState::Broken(why),
        };
        Listed { name, sequence, state }
    };
    Ok(newest_first(disk)?.into_iter().map(look).collect())
}

/// The snapshot that a start uses.
#[derive(Debug)]
pub struct Newest<T> {
    /// The newest snapshot that was whole and could be loaded, and the result of `load`. `None` if
    /// the journal must be replayed from its start.
    pub snapshot: Option<(Verified, T)>,
    /// Newer snapshots that could not be used. The caller reports them.
    pub passed_over: Vec<PassedOver>,
}

/// A snapshot that was not used.
#[derive(Debug)]
pub struct PassedOver {
    /// The sequence in its name.
    pub sequence: u64,
    /// The reason, with the name of the file.
    pub why: SnapshotError,
}

/// Loads the newest snapshot of this journal that is whole, from newest to oldest.
///
/// `load` reads the blocks as they are verified. Its result is returned only if the rest of the
/// snapshot is whole, too; the result for a snapshot that fails later is dropped.
///
/// # Errors
/// [`SnapshotError::NewerVersion`] if a newer version wrote the next snapshot: only a person may
/// decide to use an older one. [`SnapshotError::Io`] if the directory cannot be read; a snapshot
/// that cannot be read is passed over.
pub fn newest_valid<D: Disk, T>(
    disk: &D,
    journal: JournalId,
    mut load: impl FnMut(&mut SnapshotReader<D>) -> Result<T, LoadError>,
) -> Result<Newest<T>, SnapshotError> {
    let mut passed_over = Vec::new();
    for (sequence, name) in newest_first(disk)? {
        match load_one(disk, &name, journal, &mut load) {
            Ok(snapshot) => return Ok(Newest { snapshot: Some(snapshot), passed_over }),
            Err(newer @ SnapshotError::NewerVersion { .. }) => return Err(newer),
            Err(why) => passed_over.push(PassedOver { sequence, why }),
        }
    }
    Ok(Newest { snapshot: None, passed_over })
}

fn load_one<D: Disk, T>(
    disk: &D,
    name: &str,
    journal: JournalId,
    load: &mut impl FnMut(&mut SnapshotReader<D>) -> Result<T, LoadError>,
) -> Result<(Verified, T), SnapshotError> {
    let mut reader = SnapshotReader::open_of(disk, name, journal)?;
    let loaded = load(&mut reader)
        .map_err(|cause| SnapshotError::Rejected { file: reader.place().to_owned(), cause })?;
    Ok((reader.finish()?, loaded))
}

/// The sequences and names of all snapshots, newest first.
pub(crate) fn newest_first<D: Disk>(disk: &D) -> Result<Vec<(u64, String)>, SnapshotError> {
    let names = disk.names().map_err(SnapshotError::io("list", disk.place(""), 0))?;
    let mut snapshots: Vec<_> =
        names.into_iter().filter_map(|name| Some((snapshot_sequence(&name)?, name))).collect();
    snapshots.sort_unstable_by(|left, right| right.cmp(left));
    Ok(snapshots)
}
