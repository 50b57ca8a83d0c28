//! A copy of a journal, or of its first part, in another directory.
//!
//! Owns which part of a segment belongs to the copy, and the one frame that may have to be closed
//! again because the copy ends inside it. Never changes a byte of the source, never judges it (the
//! scan did), and truncates nothing: it does not write what is left out. Does not verify a copy: a
//! scan of it does. Read `read/scan_result.rs` for what a [`Scan`] promises beside a live writer,
//! `repair/relocate.rs` for the mark with which a journal without its first segments starts.

use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::frame::{self, Frame, Head, Kind, Position};
use crate::format::layout::*;
use crate::format::origin::SnapshotEnd;
use crate::format::segment::SegmentHeader;
use crate::read::scan_result::{Scan, SegmentScan};
use crate::read::segment_file::{SegmentFile, open_one};
use crate::repair::new_segment::StartMark;
use crate::repair::relocate;

/// The bytes that are read at once.
const BLOCK_BYTES: usize = 1024 * 1024;
/// The bytes that are written between two syncs, for the reason given at
/// [`crate::append::prepare::prepare`]: a journal on the same device must not wait for long.
const STEP_BYTES: u64 = 4 * 1024 * 1024;

/// How the space of a copied segment is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The whole segment is allocated before the first byte is written, as in a server.
    Allocated,
    /// Bytes without a frame take no space, if the file system can do that.
    Sparse,
}

/// The result of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The number of segments.
    pub segments: u64,
    /// The size of their headers and frames, in bytes.
    pub bytes: u64,
}

/// The first segment of a journal that starts after a snapshot and holds nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartAfterSnapshot {
    /// The identity of the journal.
    pub id: JournalId,
    /// The segment's number; at least 2, as number 1 starts with the first sequence.
    pub number: u64,
    /// Its size, in bytes.
    pub segment_bytes: u64,
    /// The end of the snapshot.
    pub snapshot: SnapshotEnd,
    /// The epoch of the snapshot.
    pub epoch: u32,
    /// The stamp of the snapshot, in milliseconds.
    pub stamp_ms: u64,
}

/// Makes everything that a scan showed durable in place, beside a live writer that may have stored
/// it without a sync. Changes no byte.
///
/// # Errors
/// [`JournalError::Io`]; of kind `NotFound` if a segment was pruned since.
pub fn sync_scanned<D: Disk>(disk: &D, scan: &Scan) -> Result<(), JournalError> {
    for restore in &scan.rewrites {
        let name = segment_name(restore.header.number);
        let io = |operation| JournalError::io(operation, disk.place(&name), 0);
        let file = disk.open(&name, Access::Read).map_err(io("open"))?;
        file.sync().map_err(io("sync"))?;
    }
    Ok(())
}

/// Copies the scanned segments into a directory without any: up to the end of their frames, or up
/// to a sequence, if necessary in the middle of a frame. Leaves out seals after that sequence.
/// Copies no segment if none holds a sequence that low.
///
/// Frames that a live writer appends meanwhile come after the copied ones.
///
/// # Errors
/// [`JournalError::Io`]; of kind `NotFound` if a segment of the source was pruned since the scan.
/// Segments copied before the error stay.
pub fn copy_prefix<S: Disk, T: Disk>(
    source: &S,
    target: &T,
    scan: &Scan,
    until: Option<u64>,
    space: Space,
) -> Result<Copied, JournalError> {
    let reached =
        |segment: &&SegmentScan| until.is_none_or(|until| segment.first_sequence <= until);
    let wanted: Vec<&SegmentScan> = scan.segments.iter().take_while(reached).collect();
    let mut copied = Copied::default();
    for (at, scanned) in wanted.iter().enumerate() {
        let segment = open_one(source, scanned.number)?;
        let part = match until.filter(|_| at + 1 == wanted.len()) {
            None => Part { end: scanned.end, last: Vec::new() },
            Some(until) => Part::up_to(&segment, scanned.end, until)?,
        };
        copied.segments += 1;
        copied.bytes += part.end + part.last.len() as u64;
        write(target, &segment, &part, space)?;
    }
    target.sync_directory().map_err(JournalError::io("sync", target.place(""), 0))?;
    Ok(copied)
}

/// Creates a journal that starts after a snapshot, in a directory without one: a server can then
/// start from the snapshot alone.
///
/// # Errors
/// [`JournalError::Io`].
///
/// # Panics
/// If the number is below 2, or the snapshot ends with the last sequence there is.
pub fn create_after_snapshot<D: Disk>(
    disk: &D,
    behind: &StartAfterSnapshot,
) -> Result<(), JournalError> {
    let StartAfterSnapshot { id, number, segment_bytes, snapshot, epoch, stamp_ms } = *behind;
    assert!(number > 1 && snapshot.sequence < u64::MAX - 1, "{behind:?}");
    let header = SegmentHeader { id, number, bytes: segment_bytes };
    let mut used = relocate::compose_start(header, StartMark { snapshot, epoch, stamp_ms });
    used[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
    let name = segment_name(number);
    let mut copy = Copy::begin(disk, &name, segment_bytes, Space::Allocated)?;
    copy.write(&used)?;
    copy.finish()?;
    disk.sync_directory().map_err(JournalError::io("sync", disk.place(""), 0))
}

/// The part of a segment that is copied: its bytes up to `end`, then one frame that was closed
/// again.
struct Part {
    end: u64,
    last: Vec<u8>,
}

impl Part {
    /// The part up to a sequence. If the frame that holds it also holds later ones, it is closed
    /// again with fewer records; its stamp, epoch and watermark stay.
    fn up_to<F: DiskFile>(
        segment: &SegmentFile<F>,
        scanned_end: u64,
        until: u64,
    ) -> Result<Self, JournalError> {
        let seed = segment.header.seed();
        let mut blocks = segment.blocks();
        let mut offset = SEGMENT_HEADER_BYTES as u64;
        while offset < scanned_end {
            let position = Position { seed, offset };
            let frame = frame::parse(blocks.at(offset)?, position).map_err(|_| {
                let cause = std::io::ErrorKind::InvalidData.into();
                JournalError::io("read again", segment.place.clone(), offset)(cause)
            })?;
            if frame.first_sequence() > until {
                break;
            }
            if frame.next_sequence() > until.saturating_add(1) {
                return Ok(Self { end: offset, last: first_records(&frame, until, position) });
            }
            offset += frame.bytes();
        }
        Ok(Self { end: offset, last: Vec::new() })
    }
}

/// A frame of the first records of this one, up to a sequence that it holds.
fn first_records(frame: &Frame<'_>, until: u64, position: Position) -> Vec<u8> {
    debug_assert_eq!(frame.kind(), Kind::Records, "only records have sequences");
    let mut bytes = vec![0; FRAME_HEADER_BYTES];
    let mut count = 0;
    for (_, record) in frame.records().take_while(|(sequence, _)| *sequence <= until) {
        frame::append_body(&mut bytes, record);
        count += 1;
    }
    frame::close(&mut bytes, &Head { count, ..frame.head }, position);
    bytes
}

fn write<F: DiskFile, T: Disk>(
    target: &T,
    segment: &SegmentFile<F>,
    part: &Part,
    space: Space,
) -> Result<(), JournalError> {
    let name = segment_name(segment.header.number);
    let mut copy = Copy::begin(target, &name, segment.header.bytes, space)?;
    let mut block = vec![0; BLOCK_BYTES];
    for offset in (0..part.end).step_by(BLOCK_BYTES) {
        let block = &mut block[..(part.end - offset).min(BLOCK_BYTES as u64) as usize];
        let read = segment.file.read_exact_at(block, offset);
        read.map_err(JournalError::io("read", segment.place.clone(), offset))?;
        copy.write(block)?;
    }
    copy.write(&part.last)?;
    copy.finish()
}

/// A segment that is written front to back.
struct Copy<'t, T: Disk> {
    file: T::File,
    target: &'t T,
    name: &'t str,
    /// The bytes of a page that is not full yet.
    page: Vec<u8>,
    offset: u64,
}

impl<'t, T: Disk> Copy<'t, T> {
    fn begin(
        target: &'t T,
        name: &'t str,
        segment_bytes: u64,
        space: Space,
    ) -> Result<Self, JournalError> {
        let allocated = if space == Space::Allocated { segment_bytes } else { 0 };
        let io = |operation| JournalError::io(operation, target.place(name), 0);
        let file = target.create(name, allocated).map_err(io("allocate"))?;
        // The file gets its full size even if nothing was allocated.
        let last = segment_bytes - PAGE_BYTES as u64;
        file.write_all_at(&[0; PAGE_BYTES], last).map_err(io("write"))?;
        Ok(Self { file, target, name, page: Vec::with_capacity(PAGE_BYTES), offset: 0 })
    }

    /// In 4 KiB pieces, for the reason given at [`crate::append::prepare::prepare`].
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), JournalError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - self.page.len()));
            self.page.extend_from_slice(now);
            bytes = later;
            if self.page.len() == PAGE_BYTES {
                self.write_page()?;
            }
        }
        Ok(())
    }

    fn write_page(&mut self) -> Result<(), JournalError> {
        let written = self.file.write_all_at(&self.page, self.offset);
        written.map_err(|cause| self.io("write")(cause))?;
        self.offset += self.page.len() as u64;
        self.page.clear();
        if self.offset.is_multiple_of(STEP_BYTES) { self.sync() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(), JournalError> {
        if !self.page.is_empty() {
            self.write_page()?;
        }
        self.sync()
    }

    fn sync(&self) -> Result<(), JournalError> {
        self.file.sync().map_err(|cause| self.io("sync")(cause))
    }

    fn io(&self, operation: &'static str) -> impl FnOnce(std::io::Error) -> JournalError {
        JournalError::io(operation, self.target.place(self.name), self.offset)
    }
}
