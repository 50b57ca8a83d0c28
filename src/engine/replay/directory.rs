//! What a data directory is: on a file system, or wherever a simulation keeps one.
//!
//! Owns where its parts lie, and the one thing that is asked of the system there besides files,
//! random bytes. Next: `replay`.

use super::ReplayError;
use doorbuster_journal::{Disk, FileDisk};
use std::path::{Path, PathBuf};

/// Where the segments lie in a data directory.
#[must_use]
pub fn journal_directory(data: &Path) -> PathBuf {
    data.join("journal")
}

/// Where the snapshots lie in a data directory.
#[must_use]
pub fn snapshot_directory(data: &Path) -> PathBuf {
    data.join("snapshots")
}

/// Opens a directory that is there.
///
/// # Errors
/// When it is not.
pub fn open(directory: &Path) -> Result<FileDisk, ReplayError> {
    FileDisk::open(directory).map_err(|cause| ReplayError::Directory {
        directory: directory.display().to_string(),
        cause,
    })
}

/// Where a server keeps everything: a directory of segments, one of snapshots, and the one above
/// them. A path is one; a simulation brings its own.
pub trait DataDirectory {
    /// What its directories are on.
    type Disk: Disk;

    /// The directory of segments.
    ///
    /// # Errors
    /// When it is not there.
    fn journal(&self) -> Result<Self::Disk, ReplayError>;

    /// There is a directory of snapshots.
    fn has_snapshots(&self) -> bool;

    /// The directory of snapshots.
    ///
    /// # Errors
    /// When it is not there.
    fn snapshots(&self) -> Result<Self::Disk, ReplayError>;

    /// The directory above both.
    ///
    /// # Errors
    /// When it is not there.
    fn top(&self) -> Result<Self::Disk, ReplayError>;

    /// Random bytes for what is made here: keys of hashes, the name of a journal.
    fn random(&self) -> [u8; 16];
}

impl DataDirectory for Path {
    type Disk = FileDisk;

    fn journal(&self) -> Result<FileDisk, ReplayError> {
        open(&journal_directory(self))
    }

    fn has_snapshots(&self) -> bool {
        snapshot_directory(self).is_dir()
    }

    fn snapshots(&self) -> Result<FileDisk, ReplayError> {
        open(&snapshot_directory(self))
    }

    fn top(&self) -> Result<FileDisk, ReplayError> {
        open(self)
    }

    fn random(&self) -> [u8; 16] {
        random()
    }
}

impl DataDirectory for PathBuf {
    type Disk = FileDisk;

    fn journal(&self) -> Result<FileDisk, ReplayError> {
        self.as_path().journal()
    }

    fn has_snapshots(&self) -> bool {
        self.as_path().has_snapshots()
    }

    fn snapshots(&self) -> Result<FileDisk, ReplayError> {
        self.as_path().snapshots()
    }

    fn top(&self) -> Result<FileDisk, ReplayError> {
        self.as_path().top()
    }

    fn random(&self) -> [u8; 16] {
        self.as_path().random()
    }
}

/// Random bytes from the system.
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
