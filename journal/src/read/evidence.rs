//! What follows a bad frame, and whether it vouches for it.
//!
//! Owns the search: after a bad frame it tries every 8-byte offset up to the end of the segment,
//! because nothing tells where the next frame starts. Never decides: it hands [`Following`] to the
//! table in `format/verdict.rs`.

use crate::disk::traits::DiskFile;
use crate::error::JournalError;
use crate::format::frame::{self, Position, is_zero};
use crate::format::layout::*;
use crate::format::verdict::Following;
use crate::read::segment_file::SegmentFile;

/// What follows a bad frame.
#[derive(Debug)]
pub(crate) struct Aftermath {
    pub(crate) following: Following,
    /// The number of valid frames in the searched rest of the segment.
    pub(crate) frames: u64,
    /// The offset after the last byte that is not zero.
    pub(crate) end: u64,
}

/// Collects the evidence after the bad frame at `offset` of `segments[0]`, which should have held
/// `sequence`.
pub(crate) fn collect_after<F: DiskFile>(
    segments: &[SegmentFile<F>],
    offset: u64,
    sequence: u64,
    vouched_by_snapshot: u64,
) -> Result<Aftermath, JournalError> {
    let (segment, rest) = segments.split_first().expect("the segment with the bad frame");
    let found = search(segment, offset, sequence)?;
    let strongest = if vouched_by_snapshot >= sequence {
        Following::Snapshot { sequence: vouched_by_snapshot }
    } else if let Some((watermark, offset)) = found.vouching {
        Following::Watermark { watermark, offset }
    } else if let Some(voucher) = examine_next(rest)? {
        voucher
    } else if found.frames > 0 {
        Following::Frames
    } else if found.end > offset {
        Following::Bytes
    } else {
        Following::Zeros
    };
    Ok(Aftermath { following: strongest, frames: found.frames, end: found.end })
}

/// Reads again, and returns whether there is a whole frame at this offset.
pub(crate) fn is_whole<F: DiskFile>(
    segment: &SegmentFile<F>,
    offset: u64,
) -> Result<bool, JournalError> {
    let mut blocks = segment.blocks();
    let position = Position { seed: segment.header.seed(), offset };
    Ok(frame::parse(blocks.at(offset)?, position).is_ok())
}

/// Examines the segments after it: at most one, and that unused, unless the segment before was left
/// for good.
fn examine_next<F: DiskFile>(
    segments: &[SegmentFile<F>],
) -> Result<Option<Following>, JournalError> {
    let Some(next) = segments.first() else { return Ok(None) };
    let start = SEGMENT_HEADER_BYTES as u64;
    let found = search(next, start, u64::MAX)?;
    let file = next.place.clone();
    // A spare is made only after its predecessor was opened, which is after all frames before are
    // synced.
    Ok(if found.frames > 0 || segments.len() > 1 {
        Some(Following::Segment { file })
    } else if found.end > start {
        Some(Following::SpareBytes { file })
    } else {
        None
    })
}

struct Findings {
    frames: u64,
    end: u64,
    /// The watermark that reaches the sequence, and the offset of the frame that carries it.
    vouching: Option<(u64, u64)>,
}

/// Tries every aligned offset from `start` to the end of the segment, or to the first watermark
/// that reaches `sequence`.
fn search<F: DiskFile>(
    segment: &SegmentFile<F>,
    start: u64,
    sequence: u64,
) -> Result<Findings, JournalError> {
    let limit = segment.readable_bytes;
    let seed = segment.header.seed();
    let mut blocks = segment.blocks();
    let mut found = Findings { frames: 0, end: start, vouching: None };
    let mut offset = start;
    while offset < limit {
        let bytes = blocks.at(offset)?;
        let page = &bytes[..bytes.len().min(PAGE_BYTES)];
        if is_zero(page) {
            offset += page.len() as u64;
            continue;
        }
        let word = &page[..page.len().min(FRAME_ALIGN_BYTES)];
        let mut step = word.len() as u64;
        if let Some(last) = word.iter().rposition(|&byte| byte != 0) {
            found.end = offset + last as u64 + 1;
        }
        if let Ok(frame) = frame::parse(bytes, Position { seed, offset }) {
            found.frames += 1;
            step = frame.bytes();
            found.end = offset + step;
            if frame.watermark() >= sequence {
                found.vouching = Some((frame.watermark(), offset));
                break;
            }
        }
        offset += step;
    }
    Ok(found)
}
