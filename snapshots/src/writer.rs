//! Writing a snapshot.
//!
//! Owns the order of writing, in which no unfinished file looks like a snapshot: space reserved;
//! blocks, each synced before the next; trailer; sync; header last; sync; every byte read back and
//! verified; and only then the name, and a sync of the directory. Never replaces a snapshot, never
//! retries a failed sync, and leaves nothing when it fails or is dropped. Read `reader.rs` next for
//! the verification.

use std::io;
use std::ops::ControlFlow;

use doorbuster_journal::{Access, Disk, DiskFile};
use sha2::{Digest, Sha256};

use crate::error::SnapshotError;
use crate::format::*;
use crate::header::Meta;
use crate::reader::{SnapshotReader, Verified};
use crate::trailer::Trailer;

/// The file that a writer has made so far, which it removes if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A file with its temporary name.
    Writing,
    /// A file with either name.
    Naming,
    /// No file, or a finished snapshot.
    Ended,
}

/// Writes one snapshot. If it is dropped before [`SnapshotWriter::finish`] succeeded, it removes
/// its file.
///
/// Memory: one block of [`BLOCK_BYTES_MAX`] bytes, and another one while it reads back. Only one
/// writer at a time may write the snapshot of a sequence.
pub struct SnapshotWriter<'d, D: Disk, P> {
    disk: &'d D,
    file: D::File,
    meta: Meta,
    layout: Layout,
    /// The block that is being filled, after space for its prefix.
    block: Vec<u8>,
    blocks_written: u64,
    given_bytes: u64,
    hasher: Sha256,
    digests_payload: bool,
    pause: P,
    stage: Stage,
}

impl<'d, D: Disk, P: FnMut() -> ControlFlow<()>> SnapshotWriter<'d, D, P> {
    /// Creates a file with a temporary name and reserves the space of the whole snapshot.
    ///
    /// The writer calls `pause` after each step (at most [`BLOCK_BYTES_MAX`] bytes written and
    /// synced, or read back). It may wait, so that the journal's own syncs go first, and may stop
    /// the writer.
    ///
    /// # Errors
    /// [`SnapshotError::AlreadyExists`] if the sequence has a snapshot, damaged or not;
    /// [`SnapshotError::Totals`] and [`SnapshotError::PayloadTooLong`] for a meta outside its
    /// bounds; [`SnapshotError::Io`], above all if the disk is full.
    pub fn begin(disk: &'d D, meta: Meta, pause: P) -> Result<Self, SnapshotError> {
        if meta.totals.len() > TOTALS_BYTES_MAX {
            return Err(SnapshotError::Totals { bytes: meta.totals.len() });
        }
        let layout = Layout::new(meta.payload_bytes)
            .ok_or(SnapshotError::PayloadTooLong { bytes: meta.payload_bytes })?;
        refuse_if_present(disk, &snapshot_name(meta.sequence))?;
        let temporary = writing_name(meta.sequence);
        remove_if_present(disk, &temporary)?;
        let created = disk.create(&temporary, layout.snapshot_bytes());
        let file = created.map_err(|cause| {
            // A full disk may have made the file before it reports the error.
            let _ = disk.remove(&temporary);
            SnapshotError::Io {
                operation: "reserve the space of",
                file: disk.place(&temporary),
                offset: layout.snapshot_bytes(),
                cause,
            }
        })?;
        Ok(Self {
            disk,
            file,
            meta,
            layout,
            block: vec![0; BLOCK_PREFIX_BYTES],
            blocks_written: 0,
            given_bytes: 0,
            hasher: Sha256::new(),
            digests_payload: false,
            pause,
            stage: Stage::Writing,
        })
    }

    /// Appends a part of the payload: parts of any length, in order.
    ///
    /// # Errors
    /// [`SnapshotError::PayloadLength`] if it is more than was announced, [`SnapshotError::Io`] if
    /// the disk fails, [`SnapshotError::Stopped`] if the pause breaks. The writer then removes its
    /// file, and every later call returns [`SnapshotError::Ended`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        if self.stage != Stage::Writing {
            return Err(SnapshotError::Ended { file: self.place() });
        }
        let appended = self.append_blocks(bytes);
        if appended.is_err() {
            self.clean_up();
        }
        appended
    }

    /// Sets the digest in the header to the hash of the payload. The header is written last, so the
    /// caller need not hash the payload beforehand.
    pub fn digest_payload(&mut self) {
        self.digests_payload = true;
    }

    /// Completes the snapshot, reads all of it back, gives it its name, and makes the name durable.
    ///
    /// # Errors
    /// [`SnapshotError::PayloadLength`] if it is less than was announced,
    /// [`SnapshotError::ReadBack`] if the disk holds other bytes than were written, and otherwise
    /// as [`SnapshotWriter::append`]. Then there is no snapshot of this sequence.
    pub fn finish(mut self) -> Result<Verified, SnapshotError> {
        if self.stage != Stage::Writing {
            return Err(SnapshotError::Ended { file: self.place() });
        }
        // On an error, dropping `self` cleans up.
        self.complete()?;
        let verified = self.read_back()?;
        self.rename()?;
        self.stage = Stage::Ended;
        Ok(Verified { file: self.disk.place(&snapshot_name(self.meta.sequence)), ..verified })
    }

    fn append_blocks(&mut self, mut bytes: &[u8]) -> Result<(), SnapshotError> {
        let given_bytes = self.given_bytes.saturating_add(bytes.len() as u64);
        if given_bytes > self.layout.payload_bytes() {
            return Err(self.wrong_length(given_bytes));
        }
        self.given_bytes = given_bytes;
        self.hasher.update(bytes);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES_MAX - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES_MAX {
                self.write_block()?;
                self.sync()?;
                self.step()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), SnapshotError> {
        let payload_bytes = (self.block.len() - BLOCK_PREFIX_BYTES) as u32;
        write_at(&mut self.block, BLOCK_LENGTH_AT, payload_bytes.to_le_bytes());
        let mut crc = self.meta.checksum_of(self.blocks_written);
        crc.update(&self.block[..BLOCK_CRC_AT]);
        crc.update(&self.block[BLOCK_PREFIX_BYTES..]);
        write_at(&mut self.block, BLOCK_CRC_AT, crc.finalize().to_le_bytes());
        self.write(&self.block, self.layout.block_at(self.blocks_written))?;
        self.blocks_written += 1;
        self.block.truncate(BLOCK_PREFIX_BYTES);
        Ok(())
    }

    /// Writes the rest, the header last: until then the file starts with zeros, which are no
    /// header.
    fn complete(&mut self) -> Result<(), SnapshotError> {
        if self.given_bytes != self.layout.payload_bytes() {
            return Err(self.wrong_length(self.given_bytes));
        }
        if self.block.len() > BLOCK_PREFIX_BYTES {
            self.write_block()?;
        }
        let trailer = Trailer { payload_hash: self.hasher.finalize_reset().into() };
        if self.digests_payload {
            self.meta.digest = trailer.payload_hash;
        }
        let header = self.meta.encode();
        let trailer = trailer.encode(&self.meta, self.layout, &header);
        self.write(&trailer, self.layout.trailer_at())?;
        self.sync()?;
        self.step()?;
        self.write(&header, 0)?;
        self.sync()?;
        self.step()
    }

    /// Reads all of it back and compares every checksum and the hash of the payload.
    fn read_back(&mut self) -> Result<Verified, SnapshotError> {
        let temporary = writing_name(self.meta.sequence);
        let read = SnapshotReader::open_file(self.disk, &temporary, self.meta.sequence)
            .and_then(|reader| reader.finish_with(&mut self.pause));
        match read {
            Ok(verified) => Ok(verified),
            Err(stopped @ SnapshotError::Stopped { .. }) => Err(stopped),
            Err(cause) => Err(SnapshotError::ReadBack { cause: Box::new(cause) }),
        }
    }

    fn rename(&mut self) -> Result<(), SnapshotError> {
        let name = snapshot_name(self.meta.sequence);
        self.stage = Stage::Naming;
        let place = || self.disk.place(&name);
        self.disk.rename(&writing_name(self.meta.sequence), &name).map_err(SnapshotError::io(
            "rename to",
            place(),
            0,
        ))?;
        self.disk.sync_directory().map_err(SnapshotError::io("sync the directory of", place(), 0))
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<(), SnapshotError> {
        let written = self.file.write_all_at(bytes, offset);
        written.map_err(|cause| SnapshotError::io("write", self.place(), offset)(cause))
    }

    fn sync(&self) -> Result<(), SnapshotError> {
        let synced = self.file.sync();
        synced.map_err(|cause| SnapshotError::io("sync", self.place(), self.written_bytes())(cause))
    }

    fn step(&mut self) -> Result<(), SnapshotError> {
        match (self.pause)() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                Err(SnapshotError::Stopped { file: self.place(), offset: self.written_bytes() })
            }
        }
    }
}

impl<D: Disk, P> SnapshotWriter<'_, D, P> {
    fn place(&self) -> String {
        self.disk.place(&writing_name(self.meta.sequence))
    }

    fn written_bytes(&self) -> u64 {
        self.layout.block_at(self.blocks_written).min(self.layout.snapshot_bytes())
    }

    fn wrong_length(&self, given: u64) -> SnapshotError {
        let announced = self.layout.payload_bytes();
        SnapshotError::PayloadLength { file: self.place(), announced, given }
    }

    /// Removes the file. One that cannot be removed has a temporary name, or is whole.
    fn clean_up(&mut self) {
        if self.stage != Stage::Ended {
            let _ = self.disk.remove(&writing_name(self.meta.sequence));
        }
        if self.stage == Stage::Naming {
            // There was no snapshot of this name before, so this writer has made it.
            let _ = self.disk.remove(&snapshot_name(self.meta.sequence));
        }
        self.stage = Stage::Ended;
    }
}

impl<D: Disk, P> Drop for SnapshotWriter<'_, D, P> {
    fn drop(&mut self) {
        self.clean_up();
    }
}

impl<D: Disk, P> std::fmt::Debug for SnapshotWriter<'_, D, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageWriter")
            .field("file", &self.place())
            .field("given_bytes", &self.given_bytes)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// For encoders. An error carries the [`SnapshotError`] that caused it.
impl<D: Disk, P: FnMut() -> ControlFlow<()>> io::Write for SnapshotWriter<'_, D, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: a snapshot is durable as a whole or not at all.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn refuse_if_present<D: Disk>(disk: &D, name: &str) -> Result<(), SnapshotError> {
    match disk.open(name, Access::Read) {
        Ok(_) => Err(SnapshotError::AlreadyExists { file: disk.place(name) }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(SnapshotError::io("look for", disk.place(name), 0)(cause)),
    }
}

pub(crate) fn remove_if_present<D: Disk>(disk: &D, name: &str) -> Result<bool, SnapshotError> {
    match disk.remove(name) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(SnapshotError::io("remove", disk.place(name), 0)(cause)),
    }
}
