//! What a repair would do, worked out without changing a byte.
//!
//! Owns the search for the longest prefix that can be kept, or for the frames that continue a
//! snapshot, the list of everything that would be lost, and the steps of the repair. Never writes.
//! Read `salvage.rs` for how the files are read, `execute.rs` for how a plan is carried out.

use std::collections::BTreeMap;
use std::fmt;

use crate::disk::traits::{Disk, DiskFile};
use crate::error::{JournalError, Refusal};
use crate::format::frame::Predecessor;
use crate::format::layout::*;
use crate::format::origin::{Origin, SnapshotEnd};
use crate::format::segment::SegmentHeader;
use crate::format::verdict::{Evidence, Verdict};
use crate::read::scan::scan;
use crate::read::walk::Walk;
use crate::repair::loss::Loss;
use crate::repair::new_segment::{Content, NewSegment, StartMark};
use crate::repair::relocate;
use crate::repair::salvage::{
    Candidate, SegmentSurveys, assess_loss, find_start, select_candidates,
};
use crate::repair::survey::SegmentSurvey;

/// Why files are removed whose frames after a snapshot get new places.
const RELOCATED_REASON: &str =
    "the frames before the snapshot's end are damaged, those behind it are stored anew";

/// What a repair would do, and what it would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairPlan {
    /// Why the journal is refused.
    pub refusal: Refusal,
    /// The origin of the repaired journal: its start, or a snapshot.
    pub origin: Origin,
    /// The first sequence that neither the repaired journal nor the snapshot holds. A person names
    /// it to accept the loss.
    pub first_sequence_lost: u64,
    /// The highest sequence in a valid frame that is lost; 0 if there is none. More may have been
    /// lost.
    pub last_sequence_seen: u64,
    /// Everything that is lost, file by file.
    pub losses: Vec<Loss>,
    pub(crate) steps: Vec<Step>,
}

/// One change. Every file that a step changes or removes is copied to quarantine before the first
/// step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Remove { name: String },
    Put(NewSegment),
}

/// Works out how to repair a journal that a scan refuses; `None` if the scan does not refuse it.
///
/// Without a snapshot, the longest prefix is kept. With one, frames after the snapshot are kept as
/// far as they can be read; if the frames before do not even reach the snapshot's end, a new
/// journal starts right after the snapshot, with the frames after the snapshot at new places.
/// Headers and file sizes are mended where the frames tell what they were. Snapshots that hold more
/// than is kept must be moved away before the repaired journal is used.
///
/// # Errors
/// [`JournalError::NotRepairable`] if another version wrote it, the snapshot is of another history,
/// or nothing tells which journal this is; [`JournalError::Io`].
pub fn plan_repair<D: Disk>(
    disk: &D,
    snapshot: Option<SnapshotEnd>,
) -> Result<Option<RepairPlan>, JournalError> {
    let origin = snapshot.map_or(Origin::Genesis, Origin::Snapshot);
    let refusal = match scan(disk, origin) {
        Ok(_) => return Ok(None),
        Err(JournalError::Refused(refusal)) => refusal,
        Err(error) => return Err(error),
    };
    let no = |reason| JournalError::NotRepairable { reason, refusal: refusal.clone() };
    let found = SegmentSurveys::open_all(disk)?;
    let other_version =
        |file: &SegmentSurvey<D::File>| matches!(file.header, Err(Evidence::OtherFormat { .. }));
    if refusal.verdict == Verdict::OtherFormat || found.files.values().any(other_version) {
        return Err(no("another version wrote it"));
    }
    if snapshot.is_some_and(|snapshot| snapshot.sequence >= u64::MAX - 1) {
        return Err(no("the snapshot ends with the last sequence there is"));
    }
    let id = found.id().ok_or_else(|| no("no segment tells which journal this is"))?;
    let draft = Draft::walk(found, id, origin)?;
    if draft.snapshot_is_foreign {
        return Err(no("the snapshot is of another history"));
    }
    let plan = draft.conclude(disk, *refusal.clone())?;
    if plan.steps.is_empty() {
        return Err(no("there is nothing that a change could mend"));
    }
    Ok(Some(plan))
}

struct Draft<F> {
    origin: Origin,
    id: JournalId,
    candidates: BTreeMap<u64, Candidate<F>>,
    /// The names of files that do not belong to this journal.
    strays: Vec<String>,
    walk: Walk,
    /// Segments whose frames stay, but whose header or size is mended.
    mended: Vec<NewSegment>,
    /// The segment in which or before which the frames end; `None` if no frame can be kept.
    cut: Option<u64>,
    snapshot_is_foreign: bool,
}

impl<F: DiskFile> Draft<F> {
    /// Follows the frames from the start, or from the snapshot, as far as they go.
    fn walk(found: SegmentSurveys<F>, id: JournalId, origin: Origin) -> Result<Self, JournalError> {
        let (candidates, strays) = select_candidates(found, id);
        let start = find_start(&candidates, origin)?;
        let mut draft = Self {
            origin,
            id,
            candidates,
            strays,
            walk: Walk::new(origin, start.map_or_else(Predecessor::default, |(_, before)| before)),
            mended: Vec::new(),
            cut: None,
            snapshot_is_foreign: false,
        };
        let Some((first, _)) = start else { return Ok(draft) };
        for number in first.. {
            draft.cut = Some(number);
            let Some(candidate) = draft.candidates.get(&number) else { break };
            draft.walk.enter(&candidate.segment);
            let at = match draft.walk.walk_frames(&candidate.segment, &mut |_| Ok(())) {
                Err(JournalError::Refused(_)) => {
                    draft.snapshot_is_foreign = true;
                    break;
                }
                walked => walked?,
            };
            if at.is_some() {
                break;
            }
            if !candidate.sound {
                draft.mended.push(NewSegment {
                    header: candidate.segment.header,
                    content: Content::Kept { end: draft.walk.end },
                });
            }
        }
        Ok(draft)
    }

    fn conclude<D: Disk<File = F>>(
        mut self,
        disk: &D,
        refusal: Refusal,
    ) -> Result<RepairPlan, JournalError> {
        let snapshot = self.origin.stands_in();
        let reached = snapshot.is_none_or(|snapshot| snapshot.sequence < self.walk.next_sequence());
        let mut losses = Vec::new();
        let mut steps = Vec::new();
        let first_sequence_lost = match snapshot {
            Some(snapshot) if !reached => {
                self.start_after_snapshot(disk, snapshot, &mut losses, &mut steps)?
            }
            _ => {
                self.cut_off(disk, &mut losses, &mut steps)?;
                self.walk.next_sequence()
            }
        };
        let seen = losses.iter().filter_map(|loss: &Loss| loss.sequences);
        let last_sequence_seen = seen.map(|(_, last)| last).max().unwrap_or(0);
        Ok(RepairPlan {
            refusal,
            origin: self.origin,
            first_sequence_lost,
            last_sequence_seen,
            losses,
            steps,
        })
    }

    /// Plans new segments that start right after the snapshot and hold all frames after it. The
    /// first of them gets its name last, and its number leaves a gap of one to all others: from
    /// then on the snapshot and the new segments are the journal, and all other segments are older.
    /// Returns the first sequence lost.
    fn start_after_snapshot<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        snapshot: SnapshotEnd,
        losses: &mut Vec<Loss>,
        steps: &mut Vec<Step>,
    ) -> Result<u64, JournalError> {
        let last = self.candidates.keys().next_back().copied().unwrap_or(0);
        let (number, bytes) = (last.saturating_add(2), self.usual_bytes());
        let header = SegmentHeader { id: self.id, number, bytes };
        let first = relocate::find_first(&self.candidates, snapshot.sequence.saturating_add(1))?;
        let (reason, (epoch, stamp_ms)) = match first {
            Some(first) => (RELOCATED_REASON, (first.epoch, first.stamp_ms)),
            None => ("the frames do not reach the snapshot", self.newest()?),
        };
        let mark = StartMark { snapshot, epoch, stamp_ms };
        let (segments, next_sequence) =
            relocate::plan_layout(&self.candidates, mark, first, header)?;
        for candidate in self.candidates.values() {
            let start = SEGMENT_HEADER_BYTES as u64;
            losses.push(assess_loss(&candidate.segment, start, next_sequence - 1, reason)?.0);
        }
        steps.extend(segments.into_iter().rev().map(Step::Put));
        self.remove_strays(disk, losses, steps);
        for &number in self.candidates.keys().rev() {
            steps.push(Step::Remove { name: segment_name(number) });
        }
        Ok(next_sequence)
    }

    /// The highest epoch and the highest stamp of any frame.
    fn newest(&self) -> Result<(u32, u64), JournalError> {
        self.candidates.values().try_fold((0, 0), |(epoch, stamp_ms), candidate| {
            let start = SEGMENT_HEADER_BYTES as u64;
            let (_, newest) = assess_loss(&candidate.segment, start, u64::MAX, "")?;
            Ok((newest.0.max(epoch), newest.1.max(stamp_ms)))
        })
    }

    /// Plans the removal of everything after the last frame that continues, highest number first:
    /// until the last step, which mends the first fault, the journal is refused as before. Only if
    /// no header that stays is whole, the segment in which the frames end comes first: the removed
    /// files are then the only ones that tell whose journal it is, and without them no plan could
    /// be made again.
    fn cut_off<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        losses: &mut Vec<Loss>,
        steps: &mut Vec<Step>,
    ) -> Result<(), JournalError> {
        let cut = self.cut.unwrap_or(1);
        let held = self.origin.vouched();
        self.remove_strays(disk, losses, steps);
        let open = self.cut_segment(disk, cut, losses)?;
        for (&number, behind) in self.candidates.range(cut + 1..).rev() {
            let start = SEGMENT_HEADER_BYTES as u64;
            let (loss, _) = assess_loss(&behind.segment, start, held, "it is behind the damage")?;
            let is_spare = behind.sound && number == cut + 1 && loss.bytes == 0;
            if !is_spare {
                losses.push(loss);
                steps.push(Step::Remove { name: segment_name(number) });
            }
        }
        let mended = std::mem::take(&mut self.mended);
        let told = self.candidates.range(..=cut).any(|(_, candidate)| candidate.sound);
        let place = if told { steps.len() } else { 0 };
        steps.splice(place..place, open.into_iter().map(Step::Put));
        steps.extend(mended.into_iter().rev().map(Step::Put));
        losses.sort_by(|one, other| (&one.file, one.offset).cmp(&(&other.file, other.offset)));
        Ok(())
    }

    /// The segment in which the frames end, as it should be; `None` if it is so already.
    fn cut_segment<D: Disk<File = F>>(
        &self,
        disk: &D,
        cut: u64,
        losses: &mut Vec<Loss>,
    ) -> Result<Option<NewSegment>, JournalError> {
        let Some(candidate) = self.candidates.get(&cut) else {
            let header = SegmentHeader { id: self.id, number: cut, bytes: self.usual_bytes() };
            losses.push(Loss {
                file: disk.place(&segment_name(cut)),
                offset: 0,
                bytes: 0,
                frames: 0,
                sequences: None,
                reason: "it is missing",
            });
            let end = SEGMENT_HEADER_BYTES as u64;
            return Ok(Some(NewSegment { header, content: Content::Kept { end } }));
        };
        let kept_end = self.walk.end;
        let held = self.origin.vouched();
        let (loss, _) =
            assess_loss(&candidate.segment, kept_end, held, "no frame continues there")?;
        let clean = loss.bytes == 0;
        if !clean {
            losses.push(loss);
        }
        let header = candidate.segment.header;
        let open = NewSegment { header, content: Content::Kept { end: kept_end } };
        Ok((!clean || !candidate.sound).then_some(open))
    }

    fn remove_strays<D: Disk<File = F>>(
        &self,
        disk: &D,
        losses: &mut Vec<Loss>,
        steps: &mut Vec<Step>,
    ) {
        for name in self.strays.iter().rev() {
            losses.push(Loss {
                file: disk.place(name),
                offset: 0,
                bytes: 0,
                frames: 0,
                sequences: None,
                reason: "it is not of this journal or not of this place",
            });
            steps.push(Step::Remove { name: name.clone() });
        }
    }

    /// The size for a new segment: that of the newest sound one.
    fn usual_bytes(&self) -> u64 {
        let sound = self.candidates.values().rev().find(|candidate| candidate.sound);
        sound.map_or(SEGMENT_BYTES_DEFAULT, |candidate| candidate.segment.header.bytes)
    }
}

impl fmt::Display for RepairPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.refusal)?;
        writeln!(f, "What would go, from sequence {} on:", self.first_sequence_lost)?;
        self.losses.iter().try_for_each(|loss| writeln!(f, "  {loss}"))
    }
}
