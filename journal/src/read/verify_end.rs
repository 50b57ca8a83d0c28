//! Whether a journal has, or had, a given end: its frames are read up to it and compared.
//!
//! Owns that comparison for one segment at a time. Changes no byte, judges no damage: an end that is
//! not there is an error, whatever is there instead. Read `format/history.rs` for what an end is,
//! `repair/cut.rs` and `raw_tail.rs` for the use of it.

use std::io;

use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::discontinuity::Discontinuity;
use crate::format::frame::{self, Kind, Position, Predecessor};
use crate::format::history::{FramePlace, JournalEnd};
use crate::format::layout::*;
use crate::read::segment_file::{SegmentFile, open_one, read_first_frame};

/// What the journal ends with before the frame at some place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) predecessor: Predecessor,
    /// Whether the last frame before it is an end mark.
    pub(crate) is_left: bool,
}

/// Checks that this journal has this end, or had it before more was appended. Reads the frames of
/// its segment up to there.
///
/// # Errors
/// [`JournalError::NotContinued`] if it has not; [`JournalError::Refused`] if a segment's header is
/// not intact; [`JournalError::Io`], of kind `NotFound` if the segment is not there.
pub fn verify_end<D: Disk>(disk: &D, end: &JournalEnd) -> Result<(), JournalError> {
    let segment = open_one(disk, end.place.segment)?;
    let start = SEGMENT_HEADER_BYTES as u64;
    let reached = if end.place.offset == start {
        before_segment(disk, &segment, end)?
    } else {
        walk_to(&segment, end.place.offset)?
    };
    // Behind an end mark the journal goes on in the next segment.
    if reached.is_left && end.place.offset > start {
        return Err(differs(end.place, Discontinuity::NoBoundary));
    }
    compare(end, reached.predecessor)
}

fn compare(end: &JournalEnd, found: Predecessor) -> Result<(), JournalError> {
    let discontinuity = if found.last_sequence != end.sequence {
        Discontinuity::Sequence {
            expected: found.last_sequence.saturating_add(1),
            found: end.sequence.saturating_add(1),
        }
    } else if found.chain != end.chain {
        Discontinuity::Chain { expected: found.chain, found: end.chain }
    } else {
        return Ok(());
    };
    Err(differs(end.place, discontinuity))
}

fn differs(place: FramePlace, discontinuity: Discontinuity) -> JournalError {
    JournalError::NotContinued { place, discontinuity }
}

/// What the first frame of a segment continues: the end mark of the segment before, or what the
/// first frame itself says if that segment is gone.
fn before_segment<D: Disk>(
    disk: &D,
    segment: &SegmentFile<D::File>,
    end: &JournalEnd,
) -> Result<Reached, JournalError> {
    let number = segment.header.number;
    if number == 1 {
        return Ok(Reached { predecessor: Predecessor::default(), is_left: false });
    }
    match open_one(disk, number - 1) {
        Ok(before) => {
            let reached = walk_to(&before, u64::MAX)?;
            if reached.is_left {
                Ok(reached)
            } else {
                Err(differs(end.place, Discontinuity::NoBoundary))
            }
        }
        Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
            let first = read_first_frame(segment)?;
            let head = first.map_err(|_| differs(end.place, Discontinuity::NoBoundary))?;
            Ok(Reached { predecessor: head.predecessor(), is_left: true })
        }
        Err(error) => Err(error),
    }
}

/// Follows the frames of a segment up to this offset, or to its end mark if that comes first.
///
/// # Errors
/// [`JournalError::NotContinued`] if no frame ends there, or the frames before do not follow one
/// another; [`JournalError::Io`].
pub(crate) fn walk_to<F: DiskFile>(
    segment: &SegmentFile<F>,
    end: u64,
) -> Result<Reached, JournalError> {
    let number = segment.header.number;
    let seed = segment.header.seed();
    let mut blocks = segment.blocks();
    let mut offset = SEGMENT_HEADER_BYTES as u64;
    let mut reached: Option<Reached> = None;
    while offset < end && reached.is_none_or(|reached| !reached.is_left) {
        let position = Position { seed, offset };
        let wrong = |discontinuity| differs(FramePlace { segment: number, offset }, discontinuity);
        let frame = frame::parse(blocks.at(offset)?, position)
            .map_err(|_| wrong(Discontinuity::NoBoundary))?;
        if let Some(Reached { predecessor, .. }) = reached
            && frame.head.predecessor() != predecessor
        {
            let (expected, found) = (predecessor.chain, frame.head.chain);
            return Err(wrong(Discontinuity::Chain { expected, found }));
        }
        let last_sequence = frame.next_sequence() - 1;
        reached = Some(Reached {
            predecessor: Predecessor { last_sequence, chain: frame.crc },
            is_left: frame.kind() == Kind::EndMark,
        });
        offset += frame.bytes();
    }
    let exact = end == u64::MAX || offset == end;
    reached.filter(|_| exact).ok_or_else(|| {
        differs(FramePlace { segment: number, offset: end }, Discontinuity::NoBoundary)
    })
}
