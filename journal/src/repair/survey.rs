//! A file that is named like a segment, read without any expectation.
//!
//! Owns what its name, size and header say, and which journal most files are of. Never fails on any
//! content and never writes.

use std::collections::BTreeMap;

use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::layout::*;
use crate::format::segment::SegmentHeader;
use crate::format::verdict::Evidence;

/// Name, size and header of a file that is named like a segment, whatever its condition.
pub(crate) struct SegmentSurvey<F> {
    /// The number in the name; `None` if this journal gives no such name.
    pub(crate) number: Option<u64>,
    pub(crate) place: String,
    pub(crate) file: F,
    pub(crate) file_bytes: u64,
    pub(crate) header: Result<SegmentHeader, Evidence>,
}

impl<F: DiskFile> SegmentSurvey<F> {
    pub(crate) fn open<D: Disk<File = F>>(disk: &D, name: &str) -> Result<Self, JournalError> {
        let place = disk.place(name);
        let io = |operation| JournalError::io(operation, disk.place(name), 0);
        let file = disk.open(name, Access::Read).map_err(io("open"))?;
        let file_bytes = file.bytes().map_err(io("measure"))?;
        let mut page = [0; SEGMENT_HEADER_BYTES];
        let readable = file_bytes.min(SEGMENT_HEADER_BYTES as u64);
        let read = file.read_exact_at(&mut page[..readable as usize], 0);
        let header = if let Err(cause) = read {
            Err(Evidence::HeaderUnreadable { cause: cause.to_string() })
        } else if readable < SEGMENT_HEADER_BYTES as u64 {
            let bytes_expected = SEGMENT_HEADER_BYTES as u64;
            Err(Evidence::FileShort { bytes: file_bytes, bytes_expected })
        } else {
            SegmentHeader::decode(&page)
        };
        let number = segment_number(name).flatten();
        Ok(Self { number, place, file, file_bytes, header })
    }

    /// The identity with which the frames are read: that of the header, or else that of the name.
    pub(crate) fn identity(&self, id: Option<JournalId>) -> Option<SegmentHeader> {
        let guess =
            || Some(SegmentHeader { id: id?, number: self.number?, bytes: self.file_bytes });
        self.header.as_ref().ok().copied().or_else(guess)
    }
}

/// The journal that most of these headers name.
pub(crate) fn majority_id<'h>(
    headers: impl Iterator<Item = &'h SegmentHeader>,
) -> Option<JournalId> {
    let mut counts: BTreeMap<[u8; 16], usize> = BTreeMap::new();
    for header in headers {
        *counts.entry(header.id.0).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map(|(id, _)| JournalId(id))
}
