//! What a scan found.
//!
//! Owns the description only: `walk.rs` fills it in, and `append/resume.rs` continues from it.

use crate::format::layout::JournalId;
use crate::format::origin::{ImageEnd, Origin};
use crate::format::segment::SegmentHeader;
use crate::format::verdict::Verdict;

/// What a journal holds, up to where it can be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What the scan started from.
    pub origin: Origin,
    /// The image's last frame was read and has the image's checksum. `false` without an image, and
    /// where the first segment there is starts right behind the image.
    pub image_checked: bool,
    /// Segments older than the first one read, which an image made unnecessary.
    pub older_segments: u64,
    /// Their size, in bytes.
    pub older_bytes: u64,
    /// Whose journal this is; `None` if the directory holds no segment.
    pub id: Option<JournalId>,
    /// How the journal ends; always resumable, a refusal is an error instead.
    pub end: Verdict,
    /// The last sequence that can be read; 0 if there is none.
    pub last_sequence: u64,
    /// The highest sequence that something on disk says was synced. What lies between this and
    /// `last_sequence` was readable, and no more is known; in a mode that answers before syncing,
    /// more may have been answered than `last_sequence`.
    pub vouched: u64,
    /// The epoch of the last frame; 0 if there is none.
    pub last_epoch: u32,
    /// The stamp of the last frame, in milliseconds; 0 if there is none.
    pub last_stamp_ms: u64,
    /// The checksum of the last frame, which the next one repeats; 0 if there is none.
    pub chain: u32,
    /// The segments that were read and hold frames or are open for them, in order.
    pub segments: Vec<SegmentScan>,
    /// What cannot be kept, though nobody was answered for it.
    pub dropped: Option<Dropped>,
    /// The segments whose pages may be newer in memory than on disk; the open segment last.
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) records_chain: u32,
    pub(crate) spare: Option<SegmentHeader>,
}

impl Scan {
    /// The number of the unused segment behind the open one, if there is one.
    pub fn spare(&self) -> Option<u64> {
        self.spare.map(|header| header.number)
    }

    /// What an image of everything up to `last_sequence` says of itself.
    pub fn image_end(&self) -> ImageEnd {
        ImageEnd { sequence: self.last_sequence, chain: self.records_chain }
    }
}

/// One segment as scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentScan {
    /// Its number, from 1.
    pub number: u64,
    /// Where a person finds it.
    pub file: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The sequence of its first record, or of the next one if it holds none.
    pub first_sequence: u64,
    /// Its valid frames.
    pub frames: u64,
    /// Where its last valid frame ends, in bytes from the start of the file.
    pub end: u64,
}

/// A tail that nobody was answered for and that resuming removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Where a person finds the segment.
    pub file: String,
    /// Where the tail starts, in bytes.
    pub offset: u64,
    /// From here to the last byte that is not zero, in bytes.
    pub bytes: u64,
    /// The first sequence that is lost.
    pub first_sequence_lost: u64,
    /// Valid frames among what is dropped.
    pub frames: u64,
}

/// A segment of which the pages from `from` on may be newer in memory than on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub(crate) header: SegmentHeader,
    pub(crate) from: u64,
    pub(crate) end: u64,
}
