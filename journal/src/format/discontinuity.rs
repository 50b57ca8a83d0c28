//! What of a frame made elsewhere does not continue a journal.
//!
//! Owns the typed reasons and their words. Touches no disk and decides nothing: `append/copy.rs`
//! compares a frame that is copied, `read/verify_end.rs` an end.

use crate::format::history::FramePlace;

/// What differs; the first that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Discontinuity {
    /// The frame is of another place than the one where the next frame goes.
    #[error("the next frame goes to {expected}")]
    Place {
        /// Where the next frame goes.
        expected: FramePlace,
    },
    /// The bytes are not exactly one frame long.
    #[error("{bytes} bytes are not one frame")]
    Length {
        /// Their number.
        bytes: usize,
    },
    /// The checksum is wrong for these bytes in this place of this journal.
    #[error("the checksum is not that of these bytes in this place of this journal")]
    Checksum,
    /// The checksum is right, but the frame contradicts itself.
    #[error("the frame contradicts itself")]
    Shape,
    /// The frame repeats another checksum than that of the frame before it.
    #[error("it continues a frame with checksum {found:08x}, not {expected:08x}")]
    Chain {
        /// The checksum of the frame before.
        expected: u32,
        /// The checksum that the frame repeats.
        found: u32,
    },
    /// The frame starts with another sequence than the next one.
    #[error("it starts with sequence {found}, not {expected}")]
    Sequence {
        /// The next sequence.
        expected: u64,
        /// The frame's.
        found: u64,
    },
    /// The frame is of an older epoch than the frame before it.
    #[error("it is of epoch {found}, which is older than {newest}")]
    Epoch {
        /// The epoch of the frame before.
        newest: u32,
        /// The frame's.
        found: u32,
    },
    /// The frame does not leave space for the end mark of its segment.
    #[error("it does not leave space for the end mark of its segment")]
    Space,
    /// An end mark names another segment than the next one.
    #[error("it names segment {found} as the next one, not {expected}")]
    Successor {
        /// The next number.
        expected: u64,
        /// The number in the end mark.
        found: u64,
    },
    /// An end mark came before the header of the segment that it names.
    #[error("the header of the next segment must come before the end mark")]
    HeaderMissing,
    /// The page is no header of the next segment of this journal.
    #[error("it is no header of segment {number} of this journal: {detail}")]
    Header {
        /// The number of the segment.
        number: u64,
        /// What it is instead.
        detail: String,
    },
    /// No frame starts or ends in this place.
    #[error("no frame ends there")]
    NoBoundary,
}
