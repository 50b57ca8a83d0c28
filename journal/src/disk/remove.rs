//! Removal of files that may not exist.
//!
//! Owns what counts as a leftover: a file that is named as being prepared. Never removes any other
//! file, unless the caller names it.

use crate::disk::traits::Disk;
use crate::error::JournalError;
use crate::format::layout::is_preparing_name;

/// Removes a file if it exists. The removal is not durable yet.
pub(crate) fn remove_if_present<D: Disk>(disk: &D, name: &str) -> Result<(), JournalError> {
    match disk.remove(name) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(JournalError::Io { operation: "remove", file: disk.place(name), offset: 0, cause })
        }
        _ => Ok(()),
    }
}

/// Removes the files that interrupted preparations left, durably.
pub(crate) fn remove_leftovers<D: Disk>(disk: &D) -> Result<(), JournalError> {
    let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
    let mut removed = false;
    for name in names.iter().filter(|name| is_preparing_name(name)) {
        remove_if_present(disk, name)?;
        removed = true;
    }
    if removed {
        disk.sync_directory().map_err(JournalError::io("sync", disk.place(""), 0))?;
    }
    Ok(())
}
