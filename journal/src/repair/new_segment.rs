//! A segment as a repair will make it.
//!
//! Owns the description only: `plan.rs` and `relocate.rs` decide it, `execute.rs` writes it.

use crate::format::origin::ImageEnd;
use crate::format::segment::SegmentHeader;

/// A segment as it will be: header, content, zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) content: Content,
}

/// What a segment will hold behind its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// What the file of that name holds, up to this offset.
    Kept { end: u64 },
    /// Frames at other places than they were.
    Relocated(RelocatedFrames),
}

/// A frame where it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) number: u64,
    pub(crate) offset: u64,
}

/// What a segment holds that is stored anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelocatedFrames {
    pub(crate) start: Start,
    pub(crate) frames: Vec<Source>,
    /// Another segment follows.
    pub(crate) has_successor: bool,
}

/// What comes before the frames of a segment that is stored anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The seal that says where a journal without its first segments starts.
    Mark(StartMark),
    /// The segment before it, which ends with this checksum.
    Chain(u32),
}

/// The seal that says where a journal without its first segments starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartMark {
    pub(crate) image: ImageEnd,
    pub(crate) epoch: u32,
    pub(crate) stamp_ms: u64,
}
