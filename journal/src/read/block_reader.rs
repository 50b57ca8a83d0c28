//! A segment read front to back through one reused block.
//!
//! Owns the block size of a scan. Never maps a file, so a scan is safe while a server runs, and a
//! failing device gives an error and not a signal.

use crate::disk::traits::DiskFile;
use crate::error::JournalError;
use crate::format::layout::{FRAME_BYTES_MAX, PAGE_BYTES};

/// Large enough that system calls cost little next to checksums, small enough for the cache.
const BLOCK_BYTES: u64 = 1024 * 1024;

/// Reads a file block by block.
pub(crate) struct BlockReader<'f, F> {
    file: &'f F,
    place: &'f str,
    /// The readable bytes of the segment; nothing is read after them.
    limit: u64,
    start: u64,
    block: Vec<u8>,
    /// The offsets of pages that the device cannot read, if they are skipped and read as zeros.
    unreadable: Option<Vec<u64>>,
}

impl<'f, F: DiskFile> BlockReader<'f, F> {
    pub(crate) fn new(file: &'f F, place: &'f str, limit: u64) -> Self {
        Self { file, place, limit, start: 0, block: Vec::new(), unreadable: None }
    }

    /// A reader that skips pages that the device cannot read. They read as zeros, and are known as
    /// [unreadable](Self::unreadable_end).
    pub(crate) fn skipping_errors(file: &'f F, place: &'f str, limit: u64) -> Self {
        Self { unreadable: Some(Vec::new()), ..Self::new(file, place, limit) }
    }

    /// The end of the unreadable page that holds this offset of the loaded block, if there is one.
    pub(crate) fn unreadable_end(&self, offset: u64) -> Option<u64> {
        let pages = self.unreadable.as_deref().unwrap_or_default();
        let page = pages.iter().find(|&&page| (page..page + PAGE_BYTES as u64).contains(&offset));
        page.map(|page| (page + PAGE_BYTES as u64).min(self.limit))
    }

    /// The bytes from `offset` on: at least [`FRAME_BYTES_MAX`] of them, or all up to the limit.
    pub(crate) fn at(&mut self, offset: u64) -> Result<&[u8], JournalError> {
        let wanted_end = self.limit.min(offset.saturating_add(FRAME_BYTES_MAX as u64));
        let loaded_end = self.start + self.block.len() as u64;
        if offset < self.start || wanted_end > loaded_end {
            self.load(offset)?;
        }
        let skip = offset.saturating_sub(self.start) as usize;
        Ok(self.block.get(skip..).unwrap_or_default())
    }

    fn load(&mut self, offset: u64) -> Result<(), JournalError> {
        let bytes = self.limit.saturating_sub(offset).min(BLOCK_BYTES) as usize;
        self.start = offset;
        self.block.resize(bytes, 0);
        if bytes == 0 {
            return Ok(());
        }
        let read = self.file.read_exact_at(&mut self.block, offset);
        if let (Err(_), Some(unreadable)) = (&read, &mut self.unreadable) {
            unreadable.clear();
            let mut rest = self.block.as_mut_slice();
            let mut at = offset;
            while !rest.is_empty() {
                let page_left = PAGE_BYTES - (at % PAGE_BYTES as u64) as usize;
                let (piece, behind) = rest.split_at_mut(page_left.min(rest.len()));
                if self.file.read_exact_at(piece, at).is_err() {
                    piece.fill(0);
                    unreadable.push(at - at % PAGE_BYTES as u64);
                }
                at += piece.len() as u64;
                rest = behind;
            }
            return Ok(());
        }
        read.map_err(|cause| {
            self.block.clear();
            JournalError::Io { operation: "read", file: self.place.to_owned(), offset, cause }
        })
    }
}
