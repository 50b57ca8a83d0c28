//! Disk space that is held back, to be released when the disk is full.
//!
//! Owns one file of zeros. On a full disk a snapshot can be written into the space that it leaves,
//! and then the snapshot lets segments be pruned. Never decides when: the server does. Never
//! touches a segment.

use crate::disk::remove::remove_if_present;
use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::layout::{PAGE_BYTES, is_preparing_name};

const NAME: &str = "ballast";
/// A start removes such a file like an unfinished segment.
const UNFINISHED_NAME: &str = "ballast.preparing";

/// The bytes between two syncs: few, so that the journal's own syncs do not wait long.
const SYNC_STEP_BYTES: u64 = 4 * 1024 * 1024;

/// A file of a given size in a directory, named `ballast`.
#[derive(Clone, Debug)]
pub struct Ballast<D> {
    disk: D,
    bytes: u64,
}

impl<D: Disk> Ballast<D> {
    /// Describes the file and its size in bytes. Creates nothing yet.
    pub fn new(disk: D, bytes: u64) -> Self {
        Self { disk, bytes }
    }

    /// The size of the whole file, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether the file exists in full size.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn is_whole(&self) -> Result<bool, JournalError> {
        Ok(self.size()? == Some(self.bytes))
    }

    /// Removes the file durably, so that its space can be used. Returns the bytes that became free:
    /// 0 if there was no file.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn release(&self) -> Result<u64, JournalError> {
        let Some(bytes) = self.size()? else { return Ok(0) };
        remove_if_present(&self.disk, NAME)?;
        self.sync_directory()?;
        Ok(bytes)
    }

    /// Creates the file again unless it exists in full size: allocates it, writes zeros, syncs,
    /// renames it, syncs the directory. Takes as long as the disk takes: call it on a thread beside
    /// the writer.
    ///
    /// # Errors
    /// [`JournalError::Io`], on a full disk before anything is written; no part of the file stays.
    pub fn restore(&self) -> Result<(), JournalError> {
        if self.is_whole()? {
            return Ok(());
        }
        remove_if_present(&self.disk, UNFINISHED_NAME)?;
        remove_if_present(&self.disk, NAME)?;
        if let Err(error) = self.write() {
            let _ = remove_if_present(&self.disk, UNFINISHED_NAME);
            return Err(error);
        }
        let renamed = self.disk.rename(UNFINISHED_NAME, NAME);
        renamed.map_err(JournalError::io("rename", self.disk.place(NAME), 0))?;
        self.sync_directory()
    }

    /// The size of the existing file; `None` if there is none.
    fn size(&self) -> Result<Option<u64>, JournalError> {
        match self.disk.open(NAME, Access::Read).and_then(|file| file.bytes()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(JournalError::io("measure", self.disk.place(NAME), 0)(cause)),
        }
    }

    fn write(&self) -> Result<(), JournalError> {
        const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];
        debug_assert!(is_preparing_name(UNFINISHED_NAME));
        let place = || self.disk.place(UNFINISHED_NAME);
        let file = self.disk.create(UNFINISHED_NAME, self.bytes);
        let file = file.map_err(JournalError::io("allocate", place(), 0))?;
        let mut offset = 0;
        while offset < self.bytes {
            let zeros = &ZEROS[..(self.bytes - offset).min(PAGE_BYTES as u64) as usize];
            file.write_all_at(zeros, offset).map_err(JournalError::io("write", place(), offset))?;
            offset += zeros.len() as u64;
            if offset.is_multiple_of(SYNC_STEP_BYTES) || offset == self.bytes {
                file.sync().map_err(JournalError::io("sync", place(), offset))?;
            }
        }
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), JournalError> {
        let synced = self.disk.sync_directory();
        synced.map_err(JournalError::io("sync", self.disk.place(""), 0))
    }
}
