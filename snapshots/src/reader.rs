//! Reading a snapshot block by block, each checked before it is handed out.
//!
//! Owns the way from the header to the trailer, and the order of the checks: the header by its
//! checksum, then the file's length by the header, then each block by its position, length and
//! checksum, and last the hash of all. Never writes, never maps, never looks for another snapshot.
//! Read `catalog.rs` next for which snapshot is read.

use std::io;
use std::ops::ControlFlow;

use doorbuster_journal::{Access, Disk, DiskFile, JournalId};
use sha2::{Digest, Sha256};

use crate::error::{Damage, SnapshotError};
use crate::format::*;
use crate::header::{Meta, Unreadable};
use crate::trailer::Trailer;

/// The pause of a caller that neither waits between steps nor stops.
pub fn no_pause() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A snapshot whose every byte was read and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its path.
    pub file: String,
    /// Its description.
    pub meta: Meta,
    /// The length of the file, in bytes.
    pub snapshot_bytes: u64,
    /// The SHA-256 of the payload. If [`Meta::digest`] is taken over the payload, the two are
    /// equal, and a reader knows without encoding anything that it holds the digested state.
    pub payload_sha256: [u8; 32],
}

/// Reads one snapshot.
///
/// Every block that it hands out has the right checksum; the hash of the whole is compared only
/// after the last block, so nothing may be served from a snapshot before
/// [`SnapshotReader::next_block`] returned `None` or [`SnapshotReader::finish`] succeeded. Memory:
/// one block of [`BLOCK_BYTES_MAX`] bytes.
pub struct SnapshotReader<D: Disk> {
    file: D::File,
    place: String,
    meta: Meta,
    layout: Layout,
    trailer: Trailer,
    hasher: Sha256,
    /// The last block that was read, with its prefix; empty before the first and after the last.
    block: Vec<u8>,
    /// The bytes of `block` that were handed out, its prefix included.
    handed_out: usize,
    next_block: u64,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Reading,
    Whole,
    Failed,
}

impl<D: Disk> SnapshotReader<D> {
    /// Opens the snapshot of this name, of any journal.
    ///
    /// Reads header and trailer and compares the length of the file, so it is quick however long
    /// the snapshot is.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`], [`SnapshotError::NewerVersion`], and [`SnapshotError::Io`] if
    /// the disk fails.
    pub fn open(disk: &D, name: &str) -> Result<Self, SnapshotError> {
        let sequence = snapshot_sequence(name).ok_or_else(|| SnapshotError::Damaged {
            file: disk.place(name),
            offset: 0,
            damage: Damage::Name,
        })?;
        Self::open_file(disk, name, sequence)
    }

    /// Opens the snapshot of this name if it belongs to this journal.
    ///
    /// # Errors
    /// [`SnapshotError::ForeignJournal`] if it does not; otherwise as [`SnapshotReader::open`].
    pub fn open_of(disk: &D, name: &str, journal: JournalId) -> Result<Self, SnapshotError> {
        let reader = Self::open(disk, name)?;
        if reader.meta.journal == journal {
            return Ok(reader);
        }
        let (found, expected) = (reader.meta.journal, journal);
        Err(SnapshotError::ForeignJournal { file: reader.place, found, expected })
    }

    /// Opens a file of any name that must hold this sequence.
    pub(crate) fn open_file(disk: &D, name: &str, sequence: u64) -> Result<Self, SnapshotError> {
        let place = disk.place(name);
        let opened = disk.open(name, Access::Read);
        let file = opened.map_err(SnapshotError::io("open", place.clone(), 0))?;
        let found = file.bytes().map_err(SnapshotError::io("measure", place.clone(), 0))?;
        let damaged =
            |offset, damage| SnapshotError::Damaged { file: place.clone(), offset, damage };
        if found < HEADER_BYTES as u64 {
            let expected = (HEADER_BYTES + TRAILER_BYTES) as u64;
            return Err(damaged(found, Damage::Length { found, expected }));
        }
        let mut header = [0; HEADER_BYTES];
        read(&file, &place, &mut header, 0)?;
        let meta = Meta::decode(&header).map_err(|unreadable| match unreadable {
            Unreadable::Damaged(damage) => damaged(0, damage),
            Unreadable::Newer { format } => {
                SnapshotError::NewerVersion { file: place.clone(), format }
            }
        })?;
        if meta.sequence != sequence {
            return Err(damaged(0, Damage::Sequence { sequence: meta.sequence }));
        }
        let layout = Layout::new(meta.payload_bytes).ok_or(damaged(0, Damage::HeaderField))?;
        let expected = layout.snapshot_bytes();
        if found != expected {
            return Err(damaged(found.min(expected), Damage::Length { found, expected }));
        }
        let mut bytes = [0; TRAILER_BYTES];
        read(&file, &place, &mut bytes, layout.trailer_at())?;
        let trailer = Trailer::decode(&bytes, &meta, layout, &header)
            .map_err(|damage| damaged(layout.trailer_at(), damage))?;
        Ok(Self {
            file,
            meta,
            layout,
            trailer,
            hasher: Sha256::new(),
            block: Vec::new(),
            handed_out: 0,
            next_block: 0,
            progress: Progress::Reading,
            place,
        })
    }

    /// The description of the snapshot.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The SHA-256 of the payload in the trailer. It is confirmed once
    /// [`SnapshotReader::next_block`] returned `None`.
    pub fn payload_sha256(&self) -> [u8; 32] {
        self.trailer.payload_hash
    }

    /// The path of the snapshot.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The next part of the payload, at most [`BLOCK_PAYLOAD_BYTES_MAX`] bytes and never empty, or
    /// `None` once all was handed out and the hash of the whole is right.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] and [`SnapshotError::Io`]; then no part handed out before may be
    /// used, and every later call returns [`SnapshotError::Ended`].
    pub fn next_block(&mut self) -> Result<Option<&[u8]>, SnapshotError> {
        if self.handed_out == self.block.len() && !self.load()? {
            return Ok(None);
        }
        let start = std::mem::replace(&mut self.handed_out, self.block.len());
        Ok(Some(&self.block[start..]))
    }

    /// Reads and verifies the rest, and with it the whole.
    ///
    /// # Errors
    /// As [`SnapshotReader::next_block`].
    pub fn finish(self) -> Result<Verified, SnapshotError> {
        self.finish_with(&mut no_pause)
    }

    pub(crate) fn finish_with(
        mut self,
        pause: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Verified, SnapshotError> {
        while self.load()? {
            if pause().is_break() {
                let offset =
                    self.layout.block_at(self.next_block).min(self.layout.snapshot_bytes());
                return Err(SnapshotError::Stopped { file: self.place, offset });
            }
        }
        Ok(Verified {
            file: self.place,
            snapshot_bytes: self.layout.snapshot_bytes(),
            meta: self.meta,
            payload_sha256: self.trailer.payload_hash,
        })
    }

    /// Reads the next block. Returns false after the last, once the whole is right.
    fn load(&mut self) -> Result<bool, SnapshotError> {
        if self.progress == Progress::Failed {
            return Err(SnapshotError::Ended { file: self.place.clone() });
        }
        self.handed_out = 0;
        let loaded = if self.next_block < self.layout.blocks() {
            self.load_block()
        } else {
            self.conclude()
        };
        if loaded.is_err() {
            self.block.clear();
            self.progress = Progress::Failed;
        }
        loaded
    }

    fn load_block(&mut self) -> Result<bool, SnapshotError> {
        let (number, offset) = (self.next_block, self.layout.block_at(self.next_block));
        // The length comes from the header, whose checksum is right and which fits the file. The
        // block's own length is only compared.
        let expected = self.layout.block_payload_bytes(number);
        self.block.resize(BLOCK_PREFIX_BYTES + expected, 0);
        read(&self.file, &self.place, &mut self.block, offset)?;
        let (found, expected) = (read_u32(&self.block, BLOCK_LENGTH_AT), expected as u32);
        if found != expected {
            return Err(self.damaged(offset, Damage::BlockLength { found, expected }));
        }
        let mut crc = self.meta.checksum_of(number);
        crc.update(&self.block[..BLOCK_CRC_AT]);
        crc.update(&self.block[BLOCK_PREFIX_BYTES..]);
        if crc.finalize() != read_u32(&self.block, BLOCK_CRC_AT) {
            return Err(self.damaged(offset, Damage::BlockChecksum));
        }
        self.hasher.update(&self.block[BLOCK_PREFIX_BYTES..]);
        self.handed_out = BLOCK_PREFIX_BYTES;
        self.next_block += 1;
        Ok(true)
    }

    fn conclude(&mut self) -> Result<bool, SnapshotError> {
        self.block.clear();
        if self.progress == Progress::Reading {
            let hash: [u8; 32] = self.hasher.finalize_reset().into();
            if hash != self.trailer.payload_hash {
                return Err(self.damaged(self.layout.trailer_at(), Damage::PayloadHash));
            }
            self.progress = Progress::Whole;
        }
        Ok(false)
    }

    fn damaged(&self, offset: u64, damage: Damage) -> SnapshotError {
        SnapshotError::Damaged { file: self.place.clone(), offset, damage }
    }
}

fn read<F: DiskFile>(
    file: &F,
    place: &str,
    buffer: &mut [u8],
    offset: u64,
) -> Result<(), SnapshotError> {
    let filled = file.read_exact_at(buffer, offset);
    filled.map_err(|cause| SnapshotError::io("read", place.to_owned(), offset)(cause))
}

impl<D: Disk> std::fmt::Debug for SnapshotReader<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageReader")
            .field("file", &self.place)
            .field("meta", &self.meta)
            .field("next_block", &self.next_block)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// For decoders. An error holds the [`SnapshotError`] that caused it; the end is reported only once
/// the hash of the whole was found right.
impl<D: Disk> io::BufRead for SnapshotReader<D> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.handed_out == self.block.len() {
            self.load()?;
        }
        Ok(&self.block[self.handed_out..])
    }

    fn consume(&mut self, bytes: usize) {
        self.handed_out = self.handed_out.saturating_add(bytes).min(self.block.len());
    }
}

impl<D: Disk> io::Read for SnapshotReader<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = io::BufRead::fill_buf(self)?;
        let taken = io::Read::read(&mut available, buffer)?;
        io::BufRead::consume(self, taken);
        Ok(taken)
    }
}

/// Reads every byte of the snapshot of this name, of any journal.
///
/// # Errors
/// As [`SnapshotReader::open`] and [`SnapshotReader::next_block`].
pub fn verify<D: Disk>(disk: &D, name: &str) -> Result<Verified, SnapshotError> {
    verify_with(disk, name, no_pause)
}

/// As [`verify`], but calls `pause` after each block, so that a scrub can wait or stop.
///
/// # Errors
/// As [`verify`], and [`SnapshotError::Stopped`] if the pause breaks.
pub fn verify_with<D: Disk>(
    disk: &D,
    name: &str,
    mut pause: impl FnMut() -> ControlFlow<()>,
) -> Result<Verified, SnapshotError> {
    SnapshotReader::open(disk, name)?.finish_with(&mut pause)
}
