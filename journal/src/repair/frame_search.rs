//! A segment as a row of frames and gaps, however damaged.
//!
//! Owns the search for the next frame after bytes that are none: it tries every 8-byte offset,
//! because nothing tells where the next frame starts. Never fails on content and never judges it.
//! `dump.rs` shows everything with it, and `salvage.rs` lists what a repair would lose.

use crate::disk::traits::DiskFile;
use crate::error::JournalError;
use crate::format::frame::{self, Frame, Position, is_zero};
use crate::format::layout::*;
use crate::read::block_reader::BlockReader;

/// The bytes between two valid frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Zeros, at least a sector of them.
    Zeros,
    /// Bytes that start like a frame, but are none.
    BadFrame,
    /// Bytes that are no frame and do not start like one.
    Noise,
    /// Whole pages that the device cannot read.
    Unreadable,
}

/// A part of a segment.
pub(crate) enum Region<'a> {
    Frame(Frame<'a>),
    Gap(Gap),
}

/// The visitor: it gets the offset of the region, its length in bytes, and the region.
pub(crate) type Visit<'s> = &'s mut dyn FnMut(u64, u64, Region<'_>) -> Result<(), JournalError>;

/// Visits every byte from `start` to `limit`, each in one region, in order.
pub(crate) fn visit_regions<F: DiskFile>(
    blocks: &mut BlockReader<'_, F>,
    seed: u32,
    start: u64,
    limit: u64,
    visit: Visit<'_>,
) -> Result<(), JournalError> {
    let mut gap: Option<(u64, Gap)> = None;
    let mut offset = start;
    while offset < limit {
        blocks.at(offset)?;
        let unreadable = blocks.unreadable_end(offset);
        let bytes = blocks.at(offset)?;
        let (step, found) = if let Some(end) = unreadable {
            (end - offset, Region::Gap(Gap::Unreadable))
        } else {
            next_region(bytes, Position { seed, offset }, gap.map(|(_, kind)| kind))
        };
        match (found, gap) {
            (Region::Gap(kind), Some((_, before))) if kind == before => {}
            (Region::Gap(kind), before) => {
                visit_gap(before, offset, visit)?;
                gap = Some((offset, kind));
            }
            (frame, before) => {
                visit_gap(before, offset, visit)?;
                gap = None;
                visit(offset, step, frame)?;
            }
        }
        offset += step;
    }
    visit_gap(gap, offset, visit)
}

fn visit_gap(gap: Option<(u64, Gap)>, end: u64, visit: Visit<'_>) -> Result<(), JournalError> {
    gap.map_or(Ok(()), |(start, kind)| visit(start, end - start, Region::Gap(kind)))
}

/// The region at the start of `bytes`, and its least length; `before` is the gap that it may
/// continue.
fn next_region(bytes: &[u8], position: Position, before: Option<Gap>) -> (u64, Region<'_>) {
    // Only up to the end of the page: the next one may be unreadable.
    let page_left = PAGE_BYTES - (position.offset % PAGE_BYTES as u64) as usize;
    let page = &bytes[..bytes.len().min(page_left)];
    if is_zero(page) {
        return (page.len() as u64, Region::Gap(Gap::Zeros));
    }
    if let Ok(frame) = frame::parse(bytes, position) {
        return (frame.bytes(), Region::Frame(frame));
    }
    let word = &page[..page.len().min(FRAME_ALIGN_BYTES)];
    let sector = &page[..page.len().min(SECTOR_BYTES)];
    let zeros = is_zero(word) && (before == Some(Gap::Zeros) || is_zero(sector));
    let like_a_frame =
        word.len() == FRAME_ALIGN_BYTES && frame::length_of(read_u32(word, 0)).is_some();
    let gap = match before {
        _ if zeros => Gap::Zeros,
        Some(before @ (Gap::BadFrame | Gap::Noise)) => before,
        _ if like_a_frame => Gap::BadFrame,
        _ => Gap::Noise,
    };
    (word.len() as u64, Region::Gap(gap))
}
