//! The segments of a directory, opened for reading.
//!
//! Owns the checks before any frame is shown: names, numbers without a gap, headers, sizes, and with
//! which segment a scan that starts from an image begins. Never writes. Read `scan.rs` next.

use std::io;

use crate::disk::file_disk::{Access, Disk, DiskFile};
use crate::error::{JournalError, Refusal};
use crate::format::frame::{self, Head, Place};
use crate::format::layout::*;
use crate::format::origin::{ImageEnd, Origin};
use crate::format::segment::SegmentHeader;
use crate::format::verdict::{At, Evidence, judge};
use crate::read::block_reader::Window;
use crate::read::evidence;

/// A segment opened for reading, its header checked.
pub(crate) struct OpenSegment<F> {
    pub(crate) header: SegmentHeader,
    pub(crate) place: String,
    pub(crate) file: F,
    /// How much of it can be read, in bytes: all the header says, except where a repair looks.
    pub(crate) readable_bytes: u64,
}

impl<F: DiskFile> OpenSegment<F> {
    pub(crate) fn window(&self) -> Window<'_, F> {
        Window::new(&self.file, &self.place, self.readable_bytes)
    }
}

/// What a scan reads, and what it may leave unread.
pub(crate) struct Opened<F> {
    /// In order and without a gap, from the first that is read to the last there is.
    pub(crate) segments: Vec<OpenSegment<F>>,
    /// What the first frame continues.
    pub(crate) entry: Entry,
    /// Segments that an image makes unnecessary: how many, and their bytes.
    pub(crate) older_segments: u64,
    pub(crate) older_bytes: u64,
}

/// What the first frame that is read continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) last_sequence: u64,
    pub(crate) chain: u32,
}

/// Opens the segments that a scan from this origin reads, and checks names, headers and sizes.
pub(crate) fn open<D: Disk>(disk: &D, origin: Origin) -> Result<Opened<D::File>, JournalError> {
    let numbers = segment_numbers(disk)?;
    match origin.stands_in() {
        Some(image) if !numbers.is_empty() => open_behind(disk, &numbers, image),
        _ => open_all(disk, &numbers),
    }
}

/// The numbers of all segments, lowest first.
pub(crate) fn segment_numbers<D: Disk>(disk: &D) -> Result<Vec<u64>, JournalError> {
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
    Ok(numbers)
}

fn open_all<D: Disk>(disk: &D, numbers: &[u64]) -> Result<Opened<D::File>, JournalError> {
    let mut segments: Vec<OpenSegment<D::File>> = Vec::with_capacity(numbers.len());
    for (expected, &number) in (1..).zip(numbers) {
        if number != expected {
            return Err(number_missing(disk, number, expected, 0));
        }
        let segment = open_one(disk, number)?;
        check_id(segments.first(), &segment)?;
        segments.push(segment);
    }
    Ok(Opened { segments, entry: Entry::default(), older_segments: 0, older_bytes: 0 })
}

/// Goes back from the newest segment to the one that holds the image's last frame: its first frame
/// starts at or below the image's end. What is older is not even opened, but for its size.
fn open_behind<D: Disk>(
    disk: &D,
    numbers: &[u64],
    image: ImageEnd,
) -> Result<Opened<D::File>, JournalError> {
    let mut segments: Vec<OpenSegment<D::File>> = Vec::new();
    let mut first_frame = Err(At::ZeroLength);
    for &number in numbers.iter().rev() {
        if segments.last().is_some_and(|behind| number + 1 != behind.header.number) {
            break;
        }
        let segment = open_one(disk, number)?;
        check_id(segments.last(), &segment)?;
        first_frame = read_first_frame(&segment)?;
        segments.push(segment);
        if first_frame.is_ok_and(|head| head.first_sequence <= image.sequence) {
            break;
        }
    }
    let older = &numbers[..numbers.len() - segments.len()];
    segments.reverse();
    let entry = entry_behind(disk, &segments, first_frame, image)?;
    let mut older_bytes = 0;
    for &number in older {
        older_bytes += file_bytes(disk, number)?;
    }
    Ok(Opened { segments, entry, older_segments: older.len() as u64, older_bytes })
}

/// What the first of these segments continues, if the image reaches up to it.
fn entry_behind<D: Disk>(
    disk: &D,
    segments: &[OpenSegment<D::File>],
    first_frame: Result<Head, At>,
    image: ImageEnd,
) -> Result<Entry, JournalError> {
    let first = &segments[0];
    let number = first.header.number;
    if number == 1 {
        return Ok(Entry::default());
    }
    let sequence = image.sequence.saturating_add(1);
    match first_frame {
        // A frame never starts at sequence 0.
        Ok(head) if head.first_sequence <= sequence => {
            Ok(Entry { last_sequence: head.first_sequence - 1, chain: head.chain })
        }
        Ok(_) => Err(number_missing(disk, number, number - 1, sequence)),
        Err(at) => {
            let start = SEGMENT_HEADER_BYTES as u64;
            let sequence = image.sequence;
            let aftermath = evidence::look_behind(segments, start, sequence, sequence)?;
            if at == At::ZeroLength && aftermath.end == start {
                return Err(number_missing(disk, number, number - 1, sequence));
            }
            let evidence = Evidence::Frame { at, later: aftermath.later };
            Err(refusal(first.place.clone(), start, sequence, &evidence))
        }
    }
}

/// What the first frame says, or what is in its place.
pub(crate) fn read_first_frame<F: DiskFile>(
    segment: &OpenSegment<F>,
) -> Result<Result<Head, At>, JournalError> {
    let offset = SEGMENT_HEADER_BYTES as u64;
    let readable = segment.readable_bytes.saturating_sub(offset);
    let mut bytes = vec![0; readable.min(FRAME_BYTES_MAX as u64) as usize];
    if bytes.is_empty() {
        return Ok(Err(At::ZeroLength));
    }
    let read = segment.file.read_exact_at(&mut bytes, offset);
    read.map_err(JournalError::io("read", segment.place.clone(), offset))?;
    let place = Place { seed: segment.header.seed(), offset };
    Ok(frame::parse(&bytes, place).map(|frame| frame.head))
}

fn check_id<F>(
    known: Option<&OpenSegment<F>>,
    segment: &OpenSegment<F>,
) -> Result<(), JournalError> {
    let id = segment.header.id;
    if known.is_some_and(|known| known.header.id != id) {
        return Err(refusal(segment.place.clone(), 0, 0, &Evidence::OtherJournal { id }));
    }
    Ok(())
}

fn number_missing<D: Disk>(disk: &D, found: u64, missing: u64, sequence: u64) -> JournalError {
    let evidence = Evidence::NumberMissing { missing: disk.place(&segment_name(missing)) };
    refusal(disk.place(&segment_name(found)), 0, sequence, &evidence)
}

/// The size of a file; 0 if it was pruned since the directory was listed.
fn file_bytes<D: Disk>(disk: &D, number: u64) -> Result<u64, JournalError> {
    let name = segment_name(number);
    match disk.open(&name, Access::Read).and_then(|file| file.bytes()) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(0),
        measured => measured.map_err(JournalError::io("measure", disk.place(&name), 0)),
    }
}

pub(crate) fn open_one<D: Disk>(
    disk: &D,
    number: u64,
) -> Result<OpenSegment<D::File>, JournalError> {
    let name = segment_name(number);
    let place = disk.place(&name);
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
        return Ok(OpenSegment { header, place, file, readable_bytes: bytes });
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
    match open_one(disk, number) {
        Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
            let missing = disk.place(&segment_name(number));
            let evidence = Evidence::SuccessorMissing { missing };
            Err(refusal(left.place.clone(), end, sequence, &evidence))
        }
        Ok(segment) => check_id(Some(left), &segment).map(|()| segment),
        other => other,
    }
}
