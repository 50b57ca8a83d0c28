//! Directories that a start makes, and what it says when the system refuses.
//!
//! Owns that a new directory survives a power cut. Next: `lock`.

use super::RecoveryError;
use doorbuster_journal::DIRECTORY_MODE;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

pub(super) fn io_error<'a>(
    operation: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> RecoveryError + 'a {
    move |cause| RecoveryError::Io { operation, path: path.display().to_string(), cause }
}

/// Makes a directory that survives a power cut: its name is synced into its parent.
pub(super) fn make_directory(directory: &Path) -> Result<(), RecoveryError> {
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
