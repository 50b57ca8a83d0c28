//! The images of a directory, and the one that a start uses.
//!
//! Owns the walk from newest to oldest. Never writes, never removes, never decides that a server
//! may start. Read `prune.rs` next for what is removed, `reader.rs` for how one image is read.

use doorbuster_journal::{Disk, JournalId};

use crate::error::{LoadError, SnapshotError};
use crate::format::image_sequence;
use crate::header::Meta;
use crate::reader::{ImageReader, Verified};

/// One image file, as far as header and trailer tell.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The sequence in its name.
    pub sequence: u64,
    /// The state by header, trailer and length.
    pub state: ImageState,
}

/// The state of an image by its header, trailer and length. Its blocks are not read.
#[derive(Debug)]
pub enum ImageState {
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

/// Lists all images in the directory, newest first, and no file that is not named like an image.
///
/// # Errors
/// [`SnapshotError::Io`] if the directory cannot be read. A file that cannot be read is listed as
/// broken.
pub fn list<D: Disk>(disk: &D, journal: JournalId) -> Result<Vec<Listed>, SnapshotError> {
    let look = |(sequence, name): (u64, String)| {
        let state = match ImageReader::open_of(disk, &name, journal) {
            Ok(reader) => ImageState::Valid(reader.meta().clone()),
            Err(SnapshotError::ForeignJournal { found, .. }) => ImageState::ForeignJournal(found),
            Err(SnapshotError::NewerVersion { format, .. }) => ImageState::NewerVersion { format },
            Err(why) => ImageState::Broken(why),
        };
        Listed { name, sequence, state }
    };
    Ok(newest_first(disk)?.into_iter().map(look).collect())
}

/// The image that a start uses.
#[derive(Debug)]
pub struct Newest<T> {
    /// The newest image that was whole and could be loaded, and the result of `load`. `None` if the
    /// journal must be replayed from its start.
    pub image: Option<(Verified, T)>,
    /// Newer images that could not be used. The caller reports them.
    pub passed_over: Vec<PassedOver>,
}

/// An image that was not used.
#[derive(Debug)]
pub struct PassedOver {
    /// The sequence in its name.
    pub sequence: u64,
    /// The reason, with the name of the file.
    pub why: SnapshotError,
}

/// Loads the newest image of this journal that is whole, from newest to oldest.
///
/// `load` reads the blocks as they are verified. Its result is returned only if the rest of the
/// image is whole, too; the result for an image that fails later is dropped.
///
/// # Errors
/// [`SnapshotError::NewerVersion`] if a newer version wrote the next image: only a person may
/// decide to use an older one. [`SnapshotError::Io`] if the directory cannot be read; an image that
/// cannot be read is passed over.
pub fn newest_valid<D: Disk, T>(
    disk: &D,
    journal: JournalId,
    mut load: impl FnMut(&mut ImageReader<D>) -> Result<T, LoadError>,
) -> Result<Newest<T>, SnapshotError> {
    let mut passed_over = Vec::new();
    for (sequence, name) in newest_first(disk)? {
        match load_one(disk, &name, journal, &mut load) {
            Ok(image) => return Ok(Newest { image: Some(image), passed_over }),
            Err(newer @ SnapshotError::NewerVersion { .. }) => return Err(newer),
            Err(why) => passed_over.push(PassedOver { sequence, why }),
        }
    }
    Ok(Newest { image: None, passed_over })
}

fn load_one<D: Disk, T>(
    disk: &D,
    name: &str,
    journal: JournalId,
    load: &mut impl FnMut(&mut ImageReader<D>) -> Result<T, LoadError>,
) -> Result<(Verified, T), SnapshotError> {
    let mut reader = ImageReader::open_of(disk, name, journal)?;
    let loaded = load(&mut reader)
        .map_err(|cause| SnapshotError::Rejected { file: reader.place().to_owned(), cause })?;
    Ok((reader.finish()?, loaded))
}

/// The sequences and names of all images, newest first.
pub(crate) fn newest_first<D: Disk>(disk: &D) -> Result<Vec<(u64, String)>, SnapshotError> {
    let names = disk.names().map_err(SnapshotError::io("list", disk.place(""), 0))?;
    let mut images: Vec<_> =
        names.into_iter().filter_map(|name| Some((image_sequence(&name)?, name))).collect();
    images.sort_unstable_by(|left, right| right.cmp(left));
    Ok(images)
}
