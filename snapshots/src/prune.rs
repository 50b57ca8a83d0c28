//! Which images go.
//!
//! Owns the removal of old images and of what interrupted writers left. Never removes an image
//! before newer ones were read from end to end, never one of another journal or version, and never
//! one whose header does not say whose it is. Read `catalog.rs` next for the order.

use std::ops::ControlFlow;

use doorbuster_journal::{Disk, JournalId};

use crate::catalog::{PassedOver, newest_first};
use crate::error::SnapshotError;
use crate::format::{KEPT_IMAGES_MIN, is_writing_name};
use crate::reader::ImageReader;
use crate::writer::remove_if_present;

/// How many images are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Every one.
    All,
    /// So many verified ones, the newest: at least [`KEPT_IMAGES_MIN`].
    Newest(usize),
}

/// What was kept and what went.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The sequences of the images that were verified and kept, newest first.
    pub kept: Vec<u64>,
    /// The sequences of the images that were removed, oldest first.
    pub removed: Vec<u64>,
    /// Images that could not be verified: neither counted nor removed. To be said aloud.
    pub passed_over: Vec<PassedOver>,
}

impl Pruned {
    /// The sequence of the oldest verified image kept: what the journal holds up to it is no longer
    /// needed to start. `None` while there are fewer than [`KEPT_IMAGES_MIN`], because then a single
    /// damaged file would leave nothing to start from.
    pub fn oldest_kept(&self) -> Option<u64> {
        self.kept.last().copied().filter(|_| self.kept.len() >= KEPT_IMAGES_MIN)
    }
}

/// Verifies the images to be kept, newest first, and removes the older ones of this journal.
///
/// `pause` is called after each block that is read. An image counts as kept only if every byte of it
/// was read and found whole: with fewer whole ones than `keep` asks for, none is removed. With
/// [`Keep::All`] all are verified and none is removed. Images of other journals are left alone and
/// not counted.
///
/// # Errors
/// [`SnapshotError::Keep`] for fewer than [`KEPT_IMAGES_MIN`]. Whatever the newest image of this
/// journal was found to be if it is not whole, and [`SnapshotError::NewerVersion`] for any image:
/// nothing is removed then. [`SnapshotError::Io`] if the disk fails, [`SnapshotError::Stopped`] if
/// the pause says so.
pub fn prune<D: Disk>(
    disk: &D,
    journal: JournalId,
    keep: Keep,
    mut pause: impl FnMut() -> ControlFlow<()>,
) -> Result<Pruned, SnapshotError> {
    let wanted = match keep {
        Keep::All => usize::MAX,
        Keep::Newest(images) if images < KEPT_IMAGES_MIN => {
            return Err(SnapshotError::Keep { images });
        }
        Keep::Newest(images) => images,
    };
    let mut pruned = Pruned::default();
    let mut old = Vec::new();
    for (sequence, name) in newest_first(disk)? {
        let opened = ImageReader::open_of(disk, &name, journal);
        let verified = match opened {
            // Older than enough: whose it is matters, whether it is whole does not.
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
    // The oldest first: whatever interrupts this, what is left is the newest without a gap.
    for (sequence, name) in old.into_iter().rev() {
        remove_if_present(disk, &name)?;
        pruned.removed.push(sequence);
    }
    if !pruned.removed.is_empty() {
        sync_directory(disk)?;
    }
    Ok(pruned)
}

/// Removes what interrupted writers left behind, and says how many files that were. Only for when no
/// image is being written.
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
