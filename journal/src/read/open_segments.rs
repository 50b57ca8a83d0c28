//! The segments of a directory, opened for a scan.
//!
//! Owns which segments a scan reads, and the checks over all of them before the first frame: names,
//! and numbers without a gap. Never writes. Read `segment_file.rs` for the checks of one segment,
//! `scan.rs` for what comes next.

use std::io;

use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::frame::{Head, Predecessor};
use crate::format::layout::*;
use crate::format::origin::{Origin, SnapshotEnd};
use crate::format::verdict::{Evidence, FrameFault};
use crate::read::evidence;
use crate::read::segment_file::{
    SegmentFile, check_id, open_one, read_first_frame, segment_numbers,
};

/// The segments that a scan reads, and what it need not read.
pub(crate) struct OpenSegments<F> {
    /// In order and without a gap, from the first one to be read to the last one that exists.
    pub(crate) segments: Vec<SegmentFile<F>>,
    /// What the first frame continues.
    pub(crate) predecessor: Predecessor,
    /// The number of segments that a snapshot makes unnecessary, and their size.
    pub(crate) older_segments: u64,
    pub(crate) older_bytes: u64,
}

/// Opens the segments that a scan from this origin reads, and checks names, headers and sizes.
pub(crate) fn open<D: Disk>(
    disk: &D,
    origin: Origin,
) -> Result<OpenSegments<D::File>, JournalError> {
    let numbers = segment_numbers(disk)?;
    match origin.stands_in() {
        Some(snapshot) if !numbers.is_empty() => open_behind(disk, &numbers, snapshot),
        _ => open_all(disk, &numbers),
    }
}

fn open_all<D: Disk>(disk: &D, numbers: &[u64]) -> Result<OpenSegments<D::File>, JournalError> {
    let mut segments: Vec<SegmentFile<D::File>> = Vec::with_capacity(numbers.len());
    for (expected, &number) in (1..).zip(numbers) {
        if number != expected {
            return Err(number_missing(disk, number, expected, 0));
        }
        let segment = open_one(disk, number)?;
        check_id(segments.first(), &segment)?;
        segments.push(segment);
    }
    Ok(OpenSegments {
        segments,
        predecessor: Predecessor::default(),
        older_segments: 0,
        older_bytes: 0,
    })
}

/// Goes back from the newest segment to the one that holds the snapshot's last frame: the one whose
/// first frame starts at or below the snapshot's end. Opens older segments only for their size.
fn open_behind<D: Disk>(
    disk: &D,
    numbers: &[u64],
    snapshot: SnapshotEnd,
) -> Result<OpenSegments<D::File>, JournalError> {
    let mut segments: Vec<SegmentFile<D::File>> = Vec::new();
    let mut first_frame = Err(FrameFault::ZeroLength);
    for &number in numbers.iter().rev() {
        if segments.last().is_some_and(|behind| number + 1 != behind.header.number) {
            break;
        }
        let segment = open_one(disk, number)?;
        check_id(segments.last(), &segment)?;
        first_frame = read_first_frame(&segment)?;
        segments.push(segment);
        if first_frame.is_ok_and(|head| head.first_sequence <= snapshot.sequence) {
            break;
        }
    }
    let older = &numbers[..numbers.len() - segments.len()];
    segments.reverse();
    let predecessor = predecessor_of(disk, &segments, first_frame, snapshot)?;
    let mut older_bytes = 0;
    for &number in older {
        older_bytes += file_bytes(disk, number)?;
    }
    Ok(OpenSegments { segments, predecessor, older_segments: older.len() as u64, older_bytes })
}

/// What the first of these segments continues. Refuses if the snapshot does not reach up to it.
fn predecessor_of<D: Disk>(
    disk: &D,
    segments: &[SegmentFile<D::File>],
    first_frame: Result<Head, FrameFault>,
    snapshot: SnapshotEnd,
) -> Result<Predecessor, JournalError> {
    let first = &segments[0];
    let number = first.header.number;
    if number == 1 {
        return Ok(Predecessor::default());
    }
    let sequence = snapshot.sequence.saturating_add(1);
    match first_frame {
        // A frame never starts at sequence 0.
        Ok(head) if head.first_sequence <= sequence => Ok(head.predecessor()),
        Ok(_) => Err(number_missing(disk, number, number - 1, sequence)),
        Err(fault) => {
            let start = SEGMENT_HEADER_BYTES as u64;
            let sequence = snapshot.sequence;
            let aftermath = evidence::collect_after(segments, start, sequence, sequence)?;
            if fault == FrameFault::ZeroLength && aftermath.end == start {
                return Err(number_missing(disk, number, number - 1, sequence));
            }
            let evidence = Evidence::Frame { fault, following: aftermath.following };
            Err(JournalError::refused(first.place.clone(), start, sequence, &evidence))
        }
    }
}

fn number_missing<D: Disk>(disk: &D, found: u64, missing: u64, sequence: u64) -> JournalError {
    let evidence = Evidence::NumberMissing { missing: disk.place(&segment_name(missing)) };
    JournalError::refused(disk.place(&segment_name(found)), 0, sequence, &evidence)
}

/// The size of a file; 0 if it was pruned since the directory was listed.
fn file_bytes<D: Disk>(disk: &D, number: u64) -> Result<u64, JournalError> {
    let name = segment_name(number);
    match disk.open(&name, Access::Read).and_then(|file| file.bytes()) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(0),
        measured => measured.map_err(JournalError::io("measure", disk.place(&name), 0)),
    }
}
