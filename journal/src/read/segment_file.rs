//! One segment file, opened for reading.
//!
//! Owns the checks of one file (name, header, size), the check that the next one is of the same
//! journal, and the reading of the first frame. Never writes. Read `open_segments.rs` next for
//! which files a scan opens.

use std::io;

use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::frame::{self, Head, Position};
use crate::format::layout::*;
use crate::format::segment::SegmentHeader;
use crate::format::verdict::{Evidence, FrameFault};
use crate::read::block_reader::BlockReader;

/// A segment that is open for reading. Its header was checked.
pub(crate) struct SegmentFile<F> {
    pub(crate) header: SegmentHeader,
    pub(crate) place: String,
    pub(crate) file: F,
    /// The readable bytes: the size in the header, except in a repair.
    pub(crate) readable_bytes: u64,
}

impl<F: DiskFile> SegmentFile<F> {
    pub(crate) fn blocks(&self) -> BlockReader<'_, F> {
        BlockReader::new(&self.file, &self.place, self.readable_bytes)
    }
}

/// The numbers of all segments, lowest first.
pub(crate) fn segment_numbers<D: Disk>(disk: &D) -> Result<Vec<u64>, JournalError> {
    let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
    let mut numbers = Vec::new();
    for name in &names {
        match segment_number(name) {
            Some(Some(number)) => numbers.push(number),
            Some(None) => {
                return Err(JournalError::refused(disk.place(name), 0, 0, &Evidence::OtherName));
            }
            None => {}
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(crate) fn open_one<D: Disk>(
    disk: &D,
    number: u64,
) -> Result<SegmentFile<D::File>, JournalError> {
    let name = segment_name(number);
    let place = disk.place(&name);
    let file =
        disk.open(&name, Access::Read).map_err(JournalError::io("open", place.clone(), 0))?;
    let bytes = file.bytes().map_err(JournalError::io("measure", place.clone(), 0))?;
    let short = |bytes_expected| Evidence::FileShort { bytes, bytes_expected };
    if bytes < SEGMENT_HEADER_BYTES as u64 {
        return Err(JournalError::refused(place, bytes, 0, &short(SEGMENT_HEADER_BYTES as u64)));
    }
    let mut page = [0; SEGMENT_HEADER_BYTES];
    file.read_exact_at(&mut page, 0).map_err(JournalError::io("read", place.clone(), 0))?;
    let header = match SegmentHeader::decode(&page) {
        Ok(header) => header,
        Err(evidence) => return Err(JournalError::refused(place, 0, 0, &evidence)),
    };
    let evidence = if header.number != number {
        Evidence::OtherNumber { number: header.number }
    } else if bytes < header.bytes {
        short(header.bytes)
    } else if bytes > header.bytes {
        Evidence::FileLong { bytes, bytes_expected: header.bytes }
    } else {
        return Ok(SegmentFile { header, place, file, readable_bytes: bytes });
    };
    Err(JournalError::refused(place, bytes.min(header.bytes), 0, &evidence))
}

/// Opens the segment that an end mark names. It was missing when the directory was listed, but a
/// running server may have made it since.
///
/// `end` and `sequence` are the end of the segment that is left.
pub(crate) fn open_successor<D: Disk>(
    disk: &D,
    left: &SegmentFile<D::File>,
    end: u64,
    sequence: u64,
) -> Result<SegmentFile<D::File>, JournalError> {
    let number = left.header.number + 1;
    match open_one(disk, number) {
        Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
            let missing = disk.place(&segment_name(number));
            let evidence = Evidence::SuccessorMissing { missing };
            Err(JournalError::refused(left.place.clone(), end, sequence, &evidence))
        }
        Ok(segment) => check_id(Some(left), &segment).map(|()| segment),
        other => other,
    }
}

/// Refuses a segment of another journal than the one before.
pub(crate) fn check_id<F>(
    known: Option<&SegmentFile<F>>,
    segment: &SegmentFile<F>,
) -> Result<(), JournalError> {
    let id = segment.header.id;
    if known.is_some_and(|known| known.header.id != id) {
        return Err(JournalError::refused(
            segment.place.clone(),
            0,
            0,
            &Evidence::OtherJournal { id },
        ));
    }
    Ok(())
}

/// The head of the first frame, or its fault.
pub(crate) fn read_first_frame<F: DiskFile>(
    segment: &SegmentFile<F>,
) -> Result<Result<Head, FrameFault>, JournalError> {
    let offset = SEGMENT_HEADER_BYTES as u64;
    let readable = segment.readable_bytes.saturating_sub(offset);
    let mut bytes = vec![0; readable.min(FRAME_BYTES_MAX as u64) as usize];
    if bytes.is_empty() {
        return Ok(Err(FrameFault::ZeroLength));
    }
    let read = segment.file.read_exact_at(&mut bytes, offset);
    read.map_err(JournalError::io("read", segment.place.clone(), offset))?;
    let position = Position { seed: segment.header.seed(), offset };
    Ok(frame::parse(&bytes, position).map(|frame| frame.head))
}
