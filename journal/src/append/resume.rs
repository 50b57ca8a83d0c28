//! Resuming after a scan: the only code that removes anything from a journal, but for a repair and
//! a cut (`repair/cut.rs`).
//!
//! Owns the removal of a tail that no client had an answer for, and storing again what may be in
//! memory only. Never judges (the scan did) and never truncates a file: it overwrites a tail with
//! zeros. Read `journal.rs` for what happens next.

use crate::append::journal::{Journal, Start};
use crate::append::prepare::reopen;
use crate::disk::remove::remove_leftovers;
use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::layout::*;
use crate::format::options::Options;
use crate::read::scan_result::{Rewrite, Scan};

impl<D: Disk> Journal<D> {
    /// Opens the scanned journal for appending, and makes everything that the scan showed durable.
    ///
    /// Stores every page again that comes after the last vouched sequence: after a kill or a failed
    /// sync, the page cache may hold frames in pages marked clean that the disk does not hold. Sets
    /// everything after the last frame to zero, so that no old bytes ever continue what is appended
    /// now. Syncs both before it returns.
    ///
    /// The directory must not have changed since the scan: hold the lock of the data directory
    /// during both.
    ///
    /// # Errors
    /// [`JournalError::Empty`] if the scan found no segment; [`JournalError::Options`];
    /// [`JournalError::Io`], after which the next start scans again and loses nothing.
    pub fn resume(disk: D, options: Options, scan: Scan) -> Result<Self, JournalError> {
        options.check()?;
        let Some(open) = scan.rewrites.last() else {
            return Err(JournalError::Empty { directory: disk.place("") });
        };
        remove_leftovers(&disk)?;
        for restore in &scan.rewrites {
            store_again(&disk, restore)?;
        }
        disk.sync_directory().map_err(JournalError::io("sync", disk.place(""), 0))?;
        let ready = reopen(&disk, open.header)?;
        let start = Start {
            offset: open.end,
            chain: scan.chain,
            last_sequence: scan.last_sequence,
            epoch: scan.last_epoch,
            stamp_ms: scan.last_stamp_ms,
            watermark: scan.vouched,
            epochs: scan.epochs,
            spare: scan.spare,
            closed_bytes: scan.older_bytes
                + scan.segments.iter().rev().skip(1).map(|segment| segment.bytes).sum::<u64>(),
            closed_segments: scan.older_segments + scan.segments.len().saturating_sub(1) as u64,
        };
        Ok(Self::assemble(disk, options, ready, start))
    }
}

/// Stores every page from `from` on: its bytes up to `end`, zeros after that. In 4 KiB pieces, for
/// the reason given at [`crate::append::prepare::prepare`].
fn store_again<D: Disk>(disk: &D, restore: &Rewrite) -> Result<(), JournalError> {
    let name = segment_name(restore.header.number);
    let io = |operation, offset| JournalError::io(operation, disk.place(&name), offset);
    let file = disk.open(&name, Access::ReadAndWrite).map_err(io("open", 0))?;
    let first = restore.from - restore.from % PAGE_BYTES as u64;
    for offset in (first..restore.header.bytes).step_by(PAGE_BYTES) {
        let mut page = [0; PAGE_BYTES];
        let kept = restore.end.saturating_sub(offset).min(PAGE_BYTES as u64) as usize;
        file.read_exact_at(&mut page[..kept], offset).map_err(io("read", offset))?;
        file.write_all_at(&page, offset).map_err(io("write", offset))?;
    }
    file.sync().map_err(io("sync", restore.from))
}
