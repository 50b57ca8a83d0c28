//! Taking a snapshot that another machine has written, byte for byte.
//!
//! Owns the order: the space is reserved, the bytes are written as they come, synced, read back and
//! verified, and only then does the file get the name of a snapshot. Until then it has the name of
//! one that is being written, which no start reads and the next writer removes. Never repairs and
//! never asks again. Read `reader.rs` for the verification, `writer.rs` for how one is made.

use doorbuster_journal::{Disk, DiskFile, JournalId};

use crate::error::SnapshotError;
use crate::format::*;
use crate::reader::{SnapshotReader, Verified};
use crate::writer::remove_if_present;

/// Takes one snapshot. If it is dropped before [`SnapshotReceiver::finish`] succeeded, it removes
/// its file.
pub struct SnapshotReceiver<D: Disk> {
    disk: D,
    file: D::File,
    sequence: u64,
    bytes: u64,
    taken_bytes: u64,
    is_finished: bool,
}

impl<D: Disk> SnapshotReceiver<D> {
    /// Reserves the space of a file of so many bytes, which ends with this sequence.
    ///
    /// # Errors
    /// [`SnapshotError::Io`], above all if the disk is full.
    pub fn begin(disk: D, sequence: u64, bytes: u64) -> Result<Self, SnapshotError> {
        let temporary = writing_name(sequence);
        remove_if_present(&disk, &temporary)?;
        match disk.create(&temporary, bytes) {
            Ok(file) => {
                Ok(Self { disk, file, sequence, bytes, taken_bytes: 0, is_finished: false })
            }
            Err(cause) => {
                // A full disk may have made the file before it reports the error.
                let _ = disk.remove(&temporary);
                let place = disk.place(&temporary);
                Err(SnapshotError::io("reserve the space of", place, bytes)(cause))
            }
        }
    }

    /// The bytes that have not come yet.
    pub fn bytes_left(&self) -> u64 {
        self.bytes - self.taken_bytes
    }

    /// Takes the next bytes, of any length.
    ///
    /// # Errors
    /// [`SnapshotError::PayloadLength`] if there are more than were announced;
    /// [`SnapshotError::Io`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let given = self.taken_bytes.saturating_add(bytes.len() as u64);
        if given > self.bytes {
            let announced = self.bytes;
            return Err(SnapshotError::PayloadLength { file: self.place(), announced, given });
        }
        let written = self.file.write_all_at(bytes, self.taken_bytes);
        written.map_err(SnapshotError::io("write", self.place(), self.taken_bytes))?;
        self.taken_bytes = given;
        Ok(())
    }

    /// Syncs the file, reads every byte of it back, and gives it its name if it is a whole snapshot
    /// of this journal. One that is there already is replaced.
    ///
    /// # Errors
    /// [`SnapshotError::ForeignJournal`]; as [`crate::verify`], also for one that has not come
    /// whole; [`SnapshotError::Io`].
    pub fn finish(mut self, journal: JournalId) -> Result<Verified, SnapshotError> {
        let (temporary, name) = (writing_name(self.sequence), snapshot_name(self.sequence));
        self.file.sync().map_err(SnapshotError::io("sync", self.place(), 0))?;
        let forgotten = self.file.forget_cached();
        forgotten.map_err(SnapshotError::io("drop the cached pages of", self.place(), 0))?;
        let reader = SnapshotReader::open_file(&self.disk, &temporary, self.sequence)?;
        let found = reader.meta().journal;
        if found != journal {
            let file = self.place();
            return Err(SnapshotError::ForeignJournal { file, found, expected: journal });
        }
        let verified = reader.finish()?;
        let place = self.disk.place(&name);
        let renamed = self.disk.rename(&temporary, &name);
        renamed.map_err(SnapshotError::io("rename to", place.clone(), 0))?;
        self.is_finished = true;
        let synced = self.disk.sync_directory();
        synced.map_err(SnapshotError::io("sync the directory of", place.clone(), 0))?;
        Ok(Verified { file: place, ..verified })
    }

    fn place(&self) -> String {
        self.disk.place(&writing_name(self.sequence))
    }
}

impl<D: Disk> Drop for SnapshotReceiver<D> {
    fn drop(&mut self) {
        if !self.is_finished {
            // The next writer would remove it, too.
            let _ = self.disk.remove(&writing_name(self.sequence));
        }
    }
}
