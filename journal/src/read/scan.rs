//! Reading a journal from its first byte to its last, changing none.
//!
//! Owns the order of the reading. Never writes, never maps, never decides: the table in
//! `format/verdict.rs` does. Read `open_segments.rs` for the checks before the first frame,
//! `walk.rs` for the way from frame to frame, `append/resume.rs` for what a start does with a
//! [`Scan`].

use crate::disk::traits::Disk;
use crate::error::{JournalError, VisitError};
use crate::format::frame::Frame;
use crate::format::layout::segment_name;
use crate::format::origin::Origin;
use crate::format::verdict::{Evidence, Verdict};
use crate::read::open_segments::{OpenSegments, open};
use crate::read::scan_result::Scan;
use crate::read::segment_file::open_successor;
use crate::read::walk::Walk;

/// Scans without showing the frames to a visitor. See [`scan_with`].
///
/// # Errors
/// As [`scan_with`].
pub fn scan<D: Disk>(disk: &D, origin: Origin) -> Result<Scan, JournalError> {
    scan_with(disk, origin, &mut |_| Ok(()))
}

/// Reads every segment once and shows each valid frame to `visit`, in order, before it is known how
/// the journal ends.
///
/// From an [snapshot](Origin::Snapshot) it reads the segment with the snapshot's last frame and
/// later ones, however long the history is. It checks frames that the snapshot holds, but does not
/// show them, and the snapshot's last frame must have the checksum that the snapshot names. It
/// never shows a [`crate::Kind::Seal`] that only marks where a repaired journal starts.
///
/// Changes no byte and uses plain reads only, so it may run while a server runs; the tail that it
/// then reports is that of a moment.
///
/// # Errors
/// [`JournalError::Refused`] for every verdict that is not resumable, [`JournalError::Io`] if the
/// disk fails, [`JournalError::Visitor`] if the visitor fails.
pub fn scan_with<D: Disk>(
    disk: &D,
    origin: Origin,
    visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), VisitError>,
) -> Result<Scan, JournalError> {
    let OpenSegments { mut segments, predecessor, older_segments, older_bytes } =
        open(disk, origin)?;
    if segments.is_empty() && origin.vouched() > 0 {
        let evidence = Evidence::AllMissing { sequence: origin.vouched() };
        return Err(JournalError::refused(disk.place(&segment_name(1)), 0, 1, &evidence));
    }
    let mut walk = Walk::new(origin, predecessor);
    let concluded = |walk: Walk, segments: &[_], open, end, dropped| Scan {
        older_segments,
        older_bytes,
        ..walk.conclude(segments, open, end, dropped)
    };
    let mut index = 0;
    while index < segments.len() {
        let behind = &segments[index..];
        walk.enter(&behind[0]);
        if let Some((end, dropped)) = walk.walk_segment(behind, visit)? {
            return Ok(concluded(walk, &segments, index, end, dropped));
        }
        index += 1;
        if index == segments.len() {
            let successor =
                open_successor(disk, &segments[index - 1], walk.end, walk.next_sequence())?;
            segments.push(successor);
        }
    }
    Ok(concluded(walk, &segments, 0, Verdict::CleanEnd, None))
}
