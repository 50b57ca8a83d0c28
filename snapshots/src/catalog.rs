//! Which images there are, and which of them a start goes by.
//!
//! Owns the walk from newest to oldest. Never writes, never removes, never decides that a server may
//! start. Read `prune.rs` next for what goes, `reader.rs` for how one image is read.

use doorbuster_journal::{Disk, JournalId};

use crate::error::{LoadError, SnapshotError};
use crate::format::image_sequence;
use crate::header::Meta;
use crate::reader::{ImageReader, Verified};

/// One image file as its header and trailer show it.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The sequence in its name.
    pub sequence: u64,
    /// What a quick look says.
    pub state: ImageState,
}

/// What a look at header, trailer and length says of an image; its blocks are not read.
#[derive(Debug)]
pub enum ImageState {
    /// Header and trailer are whole and the length is right. [`crate::verify`] tells the rest.
    Valid(Meta),
    /// It cannot be used, and this is why.
    Broken(SnapshotError),
    /// It belongs to another journal.
    ForeignJournal(JournalId),
    /// A newer version wrote it.
    NewerVersion {
        /// Its format.
        format: u32,
    },
}

/// All images in the directory, newest first. Files whose name no image has are not listed.
///
/// # Errors
/// [`SnapshotError::Io`] if the directory cannot be read; a file that cannot be read is listed as
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

/// What a start goes by.
#[derive(Debug)]
pub struct Newest<T> {
    /// The newest image that was whole and could be loaded, and what was made of it; `None` if the
    /// journal has to be replayed from its start.
    pub image: Option<(Verified, T)>,
    /// Newer images that could not be used: to be said aloud.
    pub passed_over: Vec<PassedOver>,
}

/// An image that was not used.
#[derive(Debug)]
pub struct PassedOver {
    /// The sequence in its name.
    pub sequence: u64,
    /// Why; it names the file.
    pub why: SnapshotError,
}

/// Loads the newest image of this journal that is whole, from newest to oldest.
///
/// `load` reads the blocks as they are verified. What it returns is handed on only if the rest of
/// the image was found whole, too; what it returns for an image that fails later is dropped.
///
/// # Errors
/// [`SnapshotError::NewerVersion`] if the next image in the walk was written by a newer version:
/// going back behind it is a person's decision. [`SnapshotError::Io`] if the directory cannot be
/// read; an image that cannot be read is passed over.
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

/// The sequences and names of all images.
pub(crate) fn newest_first<D: Disk>(disk: &D) -> Result<Vec<(u64, String)>, SnapshotError> {
    let names = disk.names().map_err(SnapshotError::io("list", disk.place(""), 0))?;
    let mut images: Vec<_> =
        names.into_iter().filter_map(|name| Some((image_sequence(&name)?, name))).collect();
    images.sort_unstable_by(|left, right| right.cmp(left));
    Ok(images)
}
