//! Cutting a journal back to an end that it had: the tail that another writer's journal replaces.
//!
//! Owns what may go (nothing up to a watermark or a snapshot: a tail was never answered), and the
//! order that makes a crash harmless. First everything that goes is set aside, synced and read back.
//! Then, from the newest segment to the oldest, a segment's frames are overwritten with zeros and
//! synced, and only then the segment after it, which is empty by now, is removed. So at every step
//! the journal opens, with everything that stays and perhaps a part of the tail, and the same cut
//! finishes it. Never truncates a file and never judges what is damaged: a cut of a journal whose
//! kept frames are not whole is an error. Read `set_aside.rs` for the copies,
//! `format/history.rs` for how two journals find the end.

use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::discontinuity::Discontinuity;
use crate::format::frame::Kind;
use crate::format::history::JournalEnd;
use crate::format::layout::*;
use crate::read::segment_file::{SegmentFile, check_id, open_one, segment_numbers};
use crate::read::verify_end::verify_end;
use crate::repair::frame_search::{Gap, Region, visit_regions};
use crate::repair::set_aside::{Part, check_apart, set_aside};

/// What may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutLimits {
    /// The last sequence of the newest snapshot; 0 without one. A snapshot holds nothing that may go.
    pub snapshot_sequence: u64,
    /// The most bytes that may be set aside.
    pub set_aside_bytes_max: u64,
}

/// A cut journal, and what went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CutTail {
    /// The number of whole frames that went, of any kind.
    pub frames: u64,
    /// The first and last sequence in them, if there are any.
    pub sequences: Option<(u64, u64)>,
    /// The size of what went, up to the last byte that is not zero in each segment, in bytes.
    pub bytes: u64,
    /// The number of segments that were removed, unused ones included.
    pub segments: u64,
    /// The paths of the copies of what went.
    pub copies: Vec<String>,
}

/// Cuts a journal back to `end`, which it must have had. What goes is copied to `aside` first, a
/// directory for this cut alone: name it after the epoch that replaces the tail and the last
/// sequence that stays, `set-aside/<epoch>-<sequence>/`, so that the same cut finds it again. Each
/// copy has the name of its segment, the header and the frames that went at their places, so that
/// [`crate::dump`] shows them.
///
/// A crash at any step leaves a journal that opens and holds everything up to `end`, perhaps with a
/// part of the tail; the same cut finishes it. Hold the lock of the data directory, and have no
/// [`crate::Journal`] open on it.
///
/// # Errors
/// Before the first change: [`JournalError::NotContinued`] if the journal never had this end;
/// [`JournalError::NotATail`] if a watermark of the journal or the snapshot holds more;
/// [`JournalError::SetAsideTooLarge`]; [`JournalError::Quarantine`] if `aside` is the journal's own
/// directory or holds other copies; [`JournalError::Refused`] if the header of a segment that goes
/// is not intact. [`JournalError::Io`] also later.
pub fn cut<D: Disk, A: Disk>(
    disk: &D,
    aside: &A,
    end: &JournalEnd,
    limits: CutLimits,
) -> Result<CutTail, JournalError> {
    let parts = survey(disk, end, limits)?;
    let mut cut = CutTail { bytes: parts.iter().map(Part::bytes).sum(), ..CutTail::default() };
    for part in &parts {
        cut.frames += part.frames;
        cut.sequences = match (part.sequences, cut.sequences) {
            (Some((first, last)), Some((so_far_first, so_far_last))) => {
                Some((first.min(so_far_first), last.max(so_far_last)))
            }
            (some, so_far) => some.or(so_far),
        };
    }
    if cut.bytes > limits.set_aside_bytes_max {
        let (bytes, bytes_max) = (cut.bytes, limits.set_aside_bytes_max);
        return Err(JournalError::SetAsideTooLarge { bytes, bytes_max });
    }
    if cut.bytes > 0 {
        check_apart(disk, aside)?;
    }
    for part in parts.iter().filter(|part| part.bytes() > 0) {
        set_aside(disk, aside, part)?;
        cut.copies.push(aside.place(&part.name()));
    }
    cut.segments = remove(disk, &parts)?;
    Ok(cut)
}

/// What goes, oldest first: the rest of the segment in which the journal ends, and all later ones.
fn survey<D: Disk>(
    disk: &D,
    end: &JournalEnd,
    limits: CutLimits,
) -> Result<Vec<Part>, JournalError> {
    verify_end(disk, end)?;
    let numbers = segment_numbers(disk)?;
    let place = end.place;
    if place.offset == SEGMENT_HEADER_BYTES as u64 && numbers.first() == Some(&place.segment) {
        // After a snapshot, a journal without its first frame is none.
        let is_genesis = place.segment == 1;
        if !is_genesis {
            return Err(JournalError::NotContinued {
                place,
                discontinuity: Discontinuity::NoBoundary,
            });
        }
    }
    let not_a_tail =
        |held, reason| Err(JournalError::NotATail { sequence: end.sequence, held, reason });
    if limits.snapshot_sequence > end.sequence {
        return not_a_tail(limits.snapshot_sequence, "a snapshot holds");
    }
    let first = open_one(disk, place.segment)?;
    let mut watermark = 0;
    let mut parts = vec![survey_part(&first, place.offset, &mut watermark)?];
    for &number in numbers.iter().filter(|&&number| number > place.segment) {
        let segment = open_one(disk, number)?;
        check_id(Some(&first), &segment)?;
        parts.push(survey_part(&segment, SEGMENT_HEADER_BYTES as u64, &mut watermark)?);
    }
    // A frame that stays cannot say more than the end does.
    if watermark > end.sequence {
        return not_a_tail(watermark, "the journal says that clients have answers up to");
    }
    Ok(parts)
}

fn survey_part<F: DiskFile>(
    segment: &SegmentFile<F>,
    start: u64,
    watermark: &mut u64,
) -> Result<Part, JournalError> {
    let (seed, limit) = (segment.header.seed(), segment.readable_bytes);
    let mut part = Part { header: segment.header, start, end: start, frames: 0, sequences: None };
    visit_regions(&mut segment.blocks(), seed, start, limit, &mut |offset, bytes, region| {
        match region {
            Region::Gap(Gap::Zeros) => return Ok(()),
            Region::Gap(_) => {}
            Region::Frame(frame) => {
                *watermark = frame.watermark().max(*watermark);
                part.frames += 1;
                if frame.kind() == Kind::Records {
                    let (first, last) = (frame.first_sequence(), frame.next_sequence() - 1);
                    let (so_far, _) = part.sequences.unwrap_or((first, last));
                    part.sequences = Some((so_far.min(first), last));
                }
            }
        }
        part.end = offset + bytes;
        Ok(())
    })?;
    Ok(part)
}

/// Overwrites the frames of each segment with zeros, newest segment first, and removes the one
/// after it. Returns how many were removed. Also syncs where an attempt before, which was killed,
/// has left nothing to do: its removals and its zeros may be in memory only, and each must be
/// durable before the next one is made.
fn remove<D: Disk>(disk: &D, parts: &[Part]) -> Result<u64, JournalError> {
    disk.sync_directory().map_err(JournalError::io("sync", disk.place(""), 0))?;
    let mut removed = 0;
    let mut after: Option<&Part> = None;
    for part in parts.iter().rev() {
        overwrite(disk, part)?;
        if let Some(empty) = after {
            let io = |operation| JournalError::io(operation, disk.place(&empty.name()), 0);
            disk.remove(&empty.name()).map_err(io("remove"))?;
            disk.sync_directory().map_err(io("sync the directory of"))?;
            removed += 1;
        }
        after = Some(part);
    }
    Ok(removed)
}

/// Overwrites what goes with zeros. In 4 KiB pieces, for the reason given at
/// [`crate::append::prepare::prepare`].
fn overwrite<D: Disk>(disk: &D, part: &Part) -> Result<(), JournalError> {
    let name = part.name();
    let io = |operation, offset| JournalError::io(operation, disk.place(&name), offset);
    let file = disk.open(&name, Access::ReadAndWrite).map_err(io("open", 0))?;
    let first = part.start - part.start % PAGE_BYTES as u64;
    let pages = if part.bytes() > 0 { first..part.end } else { 0..0 };
    for offset in pages.step_by(PAGE_BYTES) {
        let mut page = [0; PAGE_BYTES];
        let kept = part.start.saturating_sub(offset).min(PAGE_BYTES as u64) as usize;
        file.read_exact_at(&mut page[..kept], offset).map_err(io("read", offset))?;
        file.write_all_at(&page, offset).map_err(io("write", offset))?;
    }
    file.sync().map_err(io("sync", part.start))
}
