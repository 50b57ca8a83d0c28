//! What damaged segments still hold, for a repair plan.
//!
//! Owns which files are taken as segments of the journal, what their headers should be, where the
//! frames start, and what a part of a segment holds that nothing else holds. Never writes and never
//! decides what stays: `plan.rs` does.

use std::collections::BTreeMap;

use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::frame::{Kind, Predecessor};
use crate::format::layout::*;
use crate::format::origin::Origin;
use crate::format::segment::SegmentHeader;
use crate::read::segment_file::{SegmentFile, read_first_frame};
use crate::repair::frame_search::{Gap, Region, visit_regions};
use crate::repair::loss::Loss;
use crate::repair::survey::{SegmentSurvey, majority_id};

/// All files that are named like a segment.
pub(crate) struct SegmentSurveys<F> {
    pub(crate) files: BTreeMap<String, SegmentSurvey<F>>,
}

impl<F: DiskFile> SegmentSurveys<F> {
    pub(crate) fn open_all<D: Disk<File = F>>(disk: &D) -> Result<Self, JournalError> {
        let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
        let mut files = BTreeMap::new();
        for name in names.into_iter().filter(|name| segment_number(name).is_some()) {
            let survey = SegmentSurvey::open(disk, &name)?;
            files.insert(name, survey);
        }
        Ok(Self { files })
    }

    pub(crate) fn id(&self) -> Option<JournalId> {
        majority_id(self.files.values().filter_map(|file| file.header.as_ref().ok()))
    }
}

/// A file that is taken as a segment of this journal, with its header as it should be.
pub(crate) struct Candidate<F> {
    pub(crate) segment: SegmentFile<F>,
    /// Whether header and size are already as they should be.
    pub(crate) sound: bool,
}

/// Separates the files that may be segments of this journal from the names of the others.
pub(crate) fn select_candidates<F: DiskFile>(
    found: SegmentSurveys<F>,
    id: JournalId,
) -> (BTreeMap<u64, Candidate<F>>, Vec<String>) {
    let mut candidates = BTreeMap::new();
    let mut strays = Vec::new();
    for (name, survey) in found.files {
        let SegmentSurvey { number, place, file, file_bytes, header } = survey;
        let header = match (number, header) {
            (Some(number), Ok(header)) if (header.id, header.number) == (id, number) => Ok(header),
            (Some(number), Err(_)) => {
                Err(SegmentHeader { id, number, bytes: allowed_bytes(file_bytes) })
            }
            _ => {
                strays.push(name);
                continue;
            }
        };
        let sound = header.is_ok_and(|header| header.bytes == file_bytes);
        let header = header.unwrap_or_else(|guessed| guessed);
        let readable_bytes = file_bytes.min(header.bytes);
        let segment = SegmentFile { header, place, file, readable_bytes };
        candidates.insert(header.number, Candidate { segment, sound });
    }
    (candidates, strays)
}

/// The next allowed size of a segment for a file of this length.
fn allowed_bytes(file_bytes: u64) -> u64 {
    let clamped = file_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    clamped.next_multiple_of(PAGE_BYTES as u64)
}

/// The number of the first segment to read, and what its first frame continues.
pub(crate) fn find_start<F: DiskFile>(
    candidates: &BTreeMap<u64, Candidate<F>>,
    origin: Origin,
) -> Result<Option<(u64, Predecessor)>, JournalError> {
    let Some(snapshot) = origin.stands_in() else {
        return Ok(candidates.contains_key(&1).then(|| (1, Predecessor::default())));
    };
    let mut start = None;
    for (&number, candidate) in candidates.iter().rev() {
        let Ok(head) = read_first_frame(&candidate.segment)? else { continue };
        let predecessor = head.predecessor();
        if head.first_sequence <= snapshot.sequence {
            return Ok(Some((
                number,
                if number == 1 { Predecessor::default() } else { predecessor },
            )));
        }
        if head.first_sequence == snapshot.sequence.saturating_add(1) {
            start = Some((number, predecessor));
        }
    }
    Ok(start)
}

/// Describes the loss of a segment from `start` on, less what a snapshot up to `held` holds. Also
/// returns the highest epoch and the highest stamp in it.
pub(crate) fn assess_loss<F: DiskFile>(
    segment: &SegmentFile<F>,
    start: u64,
    held: u64,
    reason: &'static str,
) -> Result<(Loss, (u32, u64)), JournalError> {
    let file = segment.place.clone();
    let mut loss = Loss { file, offset: start, bytes: 0, frames: 0, sequences: None, reason };
    let mut newest = (0, 0);
    let limit = segment.readable_bytes;
    let seed = segment.header.seed();
    visit_regions(&mut segment.blocks(), seed, start, limit, &mut |offset, bytes, region| {
        match region {
            Region::Gap(Gap::Zeros) => return Ok(()),
            Region::Gap(_) => {}
            Region::Frame(frame) => {
                newest = (newest.0.max(frame.epoch()), newest.1.max(frame.stamp_ms()));
                let (first, last) =
                    (frame.first_sequence().max(held.saturating_add(1)), frame.next_sequence() - 1);
                if frame.kind() == Kind::Records && last > held {
                    let (so_far_first, so_far_last) = loss.sequences.unwrap_or((first, last));
                    loss.sequences = Some((so_far_first.min(first), so_far_last.max(last)));
                    loss.frames += 1;
                }
            }
        }
        loss.bytes = offset + bytes - start;
        Ok(())
    })?;
    Ok((loss, newest))
}
