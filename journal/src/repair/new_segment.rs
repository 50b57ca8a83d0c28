//! A segment that a repair will write.
//!
//! Owns the types only: `plan.rs` and `relocate.rs` build them, `execute.rs` writes the segment.

use crate::format::origin::SnapshotEnd;
use crate::format::segment::SegmentHeader;

/// A segment as the repair leaves it: header, content, zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) content: Content,
}

/// The content after the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The content of the existing file of that name, up to this offset.
    Kept { end: u64 },
    /// Frames at new positions.
    Relocated(RelocatedFrames),
}

/// The present position of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) number: u64,
    pub(crate) offset: u64,
}

/// The frames of a new segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelocatedFrames {
    pub(crate) start: Start,
    pub(crate) frames: Vec<Source>,
    /// Whether another segment follows, so that it ends with an end mark.
    pub(crate) has_successor: bool,
}

/// What comes before the first of these frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The seal with which a journal without its first segments starts.
    Mark(StartMark),
    /// The segment before, whose last frame has this checksum.
    Chain(u32),
}

/// The seal with which a journal without its first segments starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartMark {
    pub(crate) snapshot: SnapshotEnd,
    pub(crate) epoch: u32,
    pub(crate) stamp_ms: u64,
}
