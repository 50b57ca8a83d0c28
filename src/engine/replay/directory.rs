//! What a data directory is: on a file system, or wherever a simulation keeps one.
//!
//! Owns where its parts lie, that a new directory survives a power cut, and the one thing that is
//! asked of the system there besides files, random bytes. Next: `replay`.

use super::ReplayError;
use doorbuster_journal::{DIRECTORY_MODE, Disk, FileDisk};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
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

fn io_error<'a>(
    operation: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> ReplayError + 'a {
    move |cause| ReplayError::Io { operation, path: path.display().to_string(), cause }
}

/// Makes a directory that survives a power cut: its name is synced into its parent.
///
/// # Errors
/// When the system refuses.
pub fn make_directory(directory: &Path) -> Result<(), ReplayError> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        make_directory(parent)?;
    }
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error("create", directory)(cause));
        }
        _ => {}
    }
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync", parent))
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

    /// A directory, made where there is none, that takes what is cut off the journal, by the name of
    /// the cut.
    ///
    /// # Errors
    /// When it cannot be made.
    fn set_aside(&self, name: &str) -> Result<Self::Disk, ReplayError>;

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

    fn set_aside(&self, name: &str) -> Result<FileDisk, ReplayError> {
        let directory = self.join("set-aside").join(name);
        make_directory(&directory)?;
        open(&directory)
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

    fn set_aside(&self, name: &str) -> Result<FileDisk, ReplayError> {
        self.as_path().set_aside(name)
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
