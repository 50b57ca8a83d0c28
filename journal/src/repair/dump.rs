//! Everything in the directory of a journal, whatever its condition.
//!
//! Owns the order in which files and their parts are shown. Never fails on any content, never
//! writes, and never says whether a journal can be continued: [`crate::scan`] does. Read
//! `frame_search.rs` for how frames are found after damage.

use crate::disk::traits::{Disk, DiskFile};
use crate::error::{JournalError, VisitError};
use crate::format::frame::{Frame, Kind};
use crate::format::layout::*;
use crate::read::block_reader::BlockReader;
use crate::repair::frame_search::{Gap, Region, visit_regions};
use crate::repair::survey::{SegmentSurvey, majority_id};

/// One part of one file.
#[derive(Clone, Debug)]
pub struct DumpItem<'a> {
    /// The path of the file.
    pub file: &'a str,
    /// The offset at which the part starts, in bytes.
    pub offset: u64,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Its content.
    pub content: DumpContent<'a>,
}

/// The content of a part of a file. The parts of a file follow each other without a gap.
#[derive(Clone, Debug)]
pub enum DumpContent<'a> {
    /// The header of a segment.
    Header {
        /// The identity of the journal.
        id: JournalId,
        /// The segment's number.
        number: u64,
        /// The size in the header, in bytes.
        segment_bytes: u64,
    },
    /// A first page that is no header of this format. Frames after it are searched as those of the
    /// segment that the name says, in the journal of most other segments.
    BadHeader {
        /// The reason.
        detail: String,
    },
    /// A valid frame: records, a seal or an end mark.
    Frame {
        /// The frame.
        frame: Frame<'a>,
        /// Whether its sequence and chain follow the frame shown before it.
        continues: bool,
    },
    /// Bytes that are no frame.
    Gap(Gap),
    /// Only zeros after the header: an unused spare.
    Spare,
}

/// Shows every segment file in the order of the names, each part by part. Damage is shown as it is:
/// frames after it are found again at any 8-byte offset.
///
/// Changes no byte and uses plain reads only, so it may run while a server runs.
///
/// # Errors
/// [`JournalError::Io`] if the directory or a file cannot be opened, [`JournalError::Visitor`] if
/// the visitor fails; never for any content of a file, nor for pages that cannot be read.
pub fn dump<D: Disk>(
    disk: &D,
    visit: &mut dyn FnMut(&DumpItem<'_>) -> Result<(), VisitError>,
) -> Result<(), JournalError> {
    let mut names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
    names.retain(|name| segment_number(name).is_some());
    names.sort_unstable_by_key(|name| (segment_number(name).flatten(), name.clone()));
    let mut files = Vec::with_capacity(names.len());
    for name in &names {
        files.push(SegmentSurvey::open(disk, name)?);
    }
    let id = majority_id(files.iter().filter_map(|file| file.header.as_ref().ok()));
    let mut previous = None;
    for file in &files {
        file.dump(id, &mut previous, visit)?;
    }
    Ok(())
}

impl<F: DiskFile> SegmentSurvey<F> {
    fn dump(
        &self,
        id: Option<JournalId>,
        previous: &mut Option<(u64, u32)>,
        visit: &mut dyn FnMut(&DumpItem<'_>) -> Result<(), VisitError>,
    ) -> Result<(), JournalError> {
        let file = self.place.as_str();
        let mut visit = |offset: u64, bytes: u64, content: DumpContent<'_>, sequence: u64| {
            visit(&DumpItem { file, offset, bytes, content })
                .map_err(|cause| JournalError::Visitor { first_sequence: sequence, cause })
        };
        let start = self.file_bytes.min(SEGMENT_HEADER_BYTES as u64);
        visit(0, start, self.first_page(), 0)?;
        // Without an identity no frame is valid; all bytes are shown as gaps.
        let seed = self.identity(id).map_or(0, |header| header.seed());
        let mut blocks = BlockReader::skipping_errors(&self.file, file, self.file_bytes);
        visit_regions(&mut blocks, seed, start, self.file_bytes, &mut |offset, bytes, region| {
            let whole = (offset, bytes) == (start, self.file_bytes - start);
            match region {
                Region::Gap(Gap::Zeros) if whole && self.header.is_ok() => {
                    visit(offset, bytes, DumpContent::Spare, 0)
                }
                Region::Gap(gap) => visit(offset, bytes, DumpContent::Gap(gap), 0),
                Region::Frame(frame) => {
                    let first = frame.first_sequence();
                    let continues = previous.unwrap_or((1, 0)) == (first, frame.head.chain);
                    *previous = Some((frame.next_sequence(), frame.crc));
                    visit(offset, bytes, DumpContent::Frame { frame, continues }, first)
                }
            }
        })
    }

    fn first_page(&self) -> DumpContent<'static> {
        match &self.header {
            Ok(header) => DumpContent::Header {
                id: header.id,
                number: header.number,
                segment_bytes: header.bytes,
            },
            Err(evidence) => DumpContent::BadHeader { detail: evidence.detail() },
        }
    }
}

impl DumpContent<'_> {
    /// The kind of content in a word or two.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Header { .. } => "header",
            Self::BadHeader { .. } => "bad header",
            Self::Frame { frame, .. } => match frame.kind() {
                Kind::Records => "records",
                Kind::Seal => "seal",
                Kind::EndMark => "end mark",
            },
            Self::Gap(Gap::Zeros) => "zeros",
            Self::Gap(Gap::BadFrame) => "bad frame",
            Self::Gap(Gap::Noise) => "noise",
            Self::Gap(Gap::Unreadable) => "unreadable",
            Self::Spare => "unused spare",
        }
    }
}
