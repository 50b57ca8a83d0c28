//! The segments of a directory, opened for reading.
//!
//! Owns the checks before any frame: names, numbers without a gap, headers, sizes. Never writes and
//! never reads a frame. Read `scan.rs` next.

use std::io;

use crate::disk::{Access, Disk, DiskFile};
use crate::error::{JournalError, Refusal};
use crate::format::*;
use crate::segment::SegmentHeader;
use crate::verdict::{Evidence, judge};

/// A segment opened for reading, its header checked.
pub(crate) struct OpenSegment<F> {
    pub(crate) header: SegmentHeader,
    pub(crate) place: String,
    pub(crate) file: F,
}

/// Opens every segment, lowest number first, and checks names, headers and sizes.
pub(crate) fn open_all<D: Disk>(disk: &D) -> Result<Vec<OpenSegment<D::File>>, JournalError> {
    let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
    let mut numbers = Vec::new();
    for name in &names {
        match segment_number(name) {
            Some(Some(number)) => numbers.push(number),
            Some(None) => return Err(refusal(disk.place(name), 0, 0, &Evidence::OtherName)),
            None => {}
        }
    }
    numbers.sort_unstable();
    let mut segments: Vec<OpenSegment<D::File>> = Vec::with_capacity(numbers.len());
    for (expected, &number) in (1..).zip(&numbers) {
        let place = disk.place(&segment_name(number));
        if number != expected {
            let missing = disk.place(&segment_name(expected));
            return Err(refusal(place, 0, 0, &Evidence::NumberMissing { missing }));
        }
        let segment = open_one(disk, number, place)?;
        let id = segment.header.id;
        if segments.first().is_some_and(|first| first.header.id != id) {
            return Err(refusal(segment.place, 0, 0, &Evidence::OtherJournal { id }));
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn open_one<D: Disk>(
    disk: &D,
    number: u64,
    place: String,
) -> Result<OpenSegment<D::File>, JournalError> {
    let name = segment_name(number);
    let file =
        disk.open(&name, Access::Read).map_err(JournalError::io("open", place.clone(), 0))?;
    let bytes = file.bytes().map_err(JournalError::io("measure", place.clone(), 0))?;
    let short = |bytes_expected| Evidence::FileShort { bytes, bytes_expected };
    if bytes < SEGMENT_HEADER_BYTES as u64 {
        return Err(refusal(place, bytes, 0, &short(SEGMENT_HEADER_BYTES as u64)));
    }
    let mut page = [0; SEGMENT_HEADER_BYTES];
    file.read_exact_at(&mut page, 0).map_err(JournalError::io("read", place.clone(), 0))?;
    let header = match SegmentHeader::decode(&page) {
        Ok(header) => header,
        Err(evidence) => return Err(refusal(place, 0, 0, &evidence)),
    };
    let evidence = if header.number != number {
        Evidence::OtherNumber { number: header.number }
    } else if bytes < header.bytes {
        short(header.bytes)
    } else if bytes > header.bytes {
        Evidence::FileLong { bytes, bytes_expected: header.bytes }
    } else {
        return Ok(OpenSegment { header, place, file });
    };
    Err(refusal(place, bytes.min(header.bytes), 0, &evidence))
}

pub(crate) fn refusal(
    file: String,
    offset: u64,
    sequence: u64,
    evidence: &Evidence,
) -> JournalError {
    let (verdict, detail) = (judge(evidence), evidence.detail());
    JournalError::Refused(Box::new(Refusal { verdict, file, offset, sequence, detail }))
}

/// The segment that an end mark names. Missing when the directory was listed, it may have been put
/// in place since by a live server.
///
/// `end` and `sequence` are where the one that is left ends.
pub(crate) fn open_successor<D: Disk>(
    disk: &D,
    left: &OpenSegment<D::File>,
    end: u64,
    sequence: u64,
) -> Result<OpenSegment<D::File>, JournalError> {
    let number = left.header.number + 1;
    let place = disk.place(&segment_name(number));
    match open_one(disk, number, place.clone()) {
        Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
            let evidence = Evidence::SuccessorMissing { missing: place };
            Err(refusal(left.place.clone(), end, sequence, &evidence))
        }
        Ok(segment) if segment.header.id != left.header.id => {
            Err(refusal(place, 0, 0, &Evidence::OtherJournal { id: segment.header.id }))
        }
        other => other,
    }
}
