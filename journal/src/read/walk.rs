//! From frame to frame.
//!
//! Owns what one frame hands to the next, which frame may follow, and which frames are shown. Never
//! decides what a bad frame means: the table in `format/verdict.rs` does. Read `scan.rs` for the
//! use of it.

use crate::disk::traits::DiskFile;
use crate::error::{JournalError, VisitError};
use crate::format::frame::{self, Frame, Kind, Position, Predecessor};
use crate::format::history::{EpochTable, FramePlace, JournalEnd};
use crate::format::layout::*;
use crate::format::origin::Origin;
use crate::format::segment::SegmentHeader;
use crate::format::verdict::{Evidence, FrameFault, Verdict, judge};
use crate::read::evidence;
use crate::read::scan_result::{Dropped, Rewrite, Scan, SegmentScan};
use crate::read::segment_file::SegmentFile;

/// The state that one frame hands to the next.
#[derive(Default)]
pub(crate) struct Walk {
    origin: Origin,
    snapshot_checked: bool,
    pub(crate) last_sequence: u64,
    pub(crate) chain: u32,
    /// The checksum of the last frame of records; that of the snapshot before the first one after
    /// it.
    records_chain: u32,
    pub(crate) epoch: u32,
    pub(crate) stamp_ms: u64,
    watermark: u64,
    /// The offset at which the last valid frame of the current segment ends.
    pub(crate) end: u64,
    epochs: EpochTable,
    segments: Vec<SegmentScan>,
    /// Offset and sequence of the first frame that starts in each page of the current segment.
    starts: Vec<(u64, u64)>,
    /// The same of the segment before. Any frame in the current segment vouches for all of it.
    starts_before: Vec<(u64, u64)>,
}

impl Walk {
    pub(crate) fn new(origin: Origin, predecessor: Predecessor) -> Self {
        let snapshot =
            origin.snapshot().filter(|snapshot| snapshot.sequence == predecessor.last_sequence);
        Self {
            origin,
            last_sequence: predecessor.last_sequence,
            chain: predecessor.chain,
            records_chain: snapshot.map_or(0, |snapshot| snapshot.chain),
            ..Self::default()
        }
    }

    /// The number of frames of the current segment so far.
    pub(crate) fn frames(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.frames)
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    fn refuse<F>(
        &self,
        segment: &SegmentFile<F>,
        offset: u64,
        evidence: &Evidence,
    ) -> JournalError {
        JournalError::refused(segment.place.clone(), offset, self.next_sequence(), evidence)
    }

    /// Shows every frame of the first of `segments`. Returns `None` after an end mark, or else how
    /// the journal ends.
    pub(crate) fn walk_segment<F: DiskFile>(
        &mut self,
        segments: &[SegmentFile<F>],
        visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), VisitError>,
    ) -> Result<Option<(Verdict, Option<Dropped>)>, JournalError> {
        let segment = &segments[0];
        while let Some(fault) = self.walk_frames(segment, visit)? {
            let (offset, sequence) = (self.end, self.next_sequence());
            let aftermath =
                evidence::collect_after(segments, offset, sequence, self.origin.vouched())?;
            let evidence = Evidence::Frame { fault, following: aftermath.following };
            let end = judge(&evidence);
            if end == Verdict::CleanEnd {
                return Ok(Some((end, None)));
            }
            // A running server stores a frame before anything that follows it. If the frame is
            // whole now, it was being stored when it was read: damage does not heal.
            if fault != FrameFault::Foreign && evidence::is_whole(segment, offset)? {
                continue;
            }
            if !end.is_resumable() {
                return Err(self.refuse(segment, offset, &evidence));
            }
            let dropped = Dropped {
                file: segment.place.clone(),
                offset,
                bytes: aftermath.end - offset,
                first_sequence_lost: sequence,
                frames: aftermath.frames,
            };
            return Ok(Some((end, Some(dropped))));
        }
        Ok(None)
    }

    /// Shows frames up to an end mark, or up to the first fault, which it returns.
    pub(crate) fn walk_frames<F: DiskFile>(
        &mut self,
        segment: &SegmentFile<F>,
        visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), VisitError>,
    ) -> Result<Option<FrameFault>, JournalError> {
        let header = segment.header;
        let seed = header.seed();
        let mut blocks = segment.blocks();
        loop {
            let offset = self.end;
            let frame = match frame::parse(blocks.at(offset)?, Position { seed, offset }) {
                Ok(frame) if self.continues(&frame, &header) => frame,
                Ok(_) => return Ok(Some(FrameFault::Foreign)),
                Err(fault) => return Ok(Some(fault)),
            };
            if let Some(evidence) = self.contradicts_snapshot(&frame) {
                return Err(JournalError::refused(
                    segment.place.clone(),
                    offset,
                    frame.first_sequence(),
                    &evidence,
                ));
            }
            if self.is_shown(&frame, &header) {
                visit(&frame).map_err(|cause| JournalError::Visitor {
                    first_sequence: frame.first_sequence(),
                    cause,
                })?;
            }
            self.advance(&frame);
            if frame.kind() == Kind::EndMark {
                return Ok(None);
            }
        }
    }

    pub(crate) fn enter<F>(&mut self, segment: &SegmentFile<F>) {
        self.end = SEGMENT_HEADER_BYTES as u64;
        self.starts_before = std::mem::take(&mut self.starts);
        self.segments.push(SegmentScan {
            number: segment.header.number,
            file: segment.place.clone(),
            bytes: segment.header.bytes,
            first_sequence: self.next_sequence(),
            frames: 0,
            end: self.end,
        });
    }

    /// Returns whether a valid frame belongs exactly here.
    fn continues(&self, frame: &Frame<'_>, header: &SegmentHeader) -> bool {
        let end = self.end + frame.bytes();
        let placed = match frame.successor() {
            Some(successor) => end <= header.bytes && successor == header.number + 1,
            // Every other frame leaves space for the end mark.
            None => end + END_MARK_BYTES as u64 <= header.bytes,
        };
        placed
            && frame.first_sequence() == self.next_sequence()
            && frame.head.chain == self.chain
            && frame.next_sequence() < u64::MAX
    }

    /// Returns the evidence if the frame in which the snapshot ends shows that the snapshot is of
    /// another history.
    fn contradicts_snapshot(&mut self, frame: &Frame<'_>) -> Option<Evidence> {
        let snapshot = self.origin.snapshot()?;
        let last = frame.next_sequence() - 1;
        let holds = frame.kind() == Kind::Records
            && (frame.first_sequence()..=last).contains(&snapshot.sequence);
        if !holds {
            return None;
        }
        if last != snapshot.sequence {
            return Some(Evidence::SnapshotEndsInside { sequence: snapshot.sequence, last });
        }
        if frame.crc != snapshot.chain {
            return Some(Evidence::SnapshotOfOtherHistory {
                sequence: snapshot.sequence,
                chain: snapshot.chain,
                found: frame.crc,
            });
        }
        self.snapshot_checked = true;
        None
    }

    /// Returns whether the frame comes after the snapshot and is not the mark with which a repair
    /// starts a journal.
    fn is_shown(&self, frame: &Frame<'_>, header: &SegmentHeader) -> bool {
        let behind = self
            .origin
            .stands_in()
            .is_none_or(|snapshot| frame.first_sequence() > snapshot.sequence);
        let is_start_mark = header.number > 1
            && self.end == SEGMENT_HEADER_BYTES as u64
            && frame.totals().is_some_and(<[u8]>::is_empty);
        behind && !is_start_mark
    }

    /// Takes note of the epoch of the next frame.
    fn note_epoch(&mut self, frame: &Frame<'_>) {
        let segment = self.segments.last().expect("a segment was entered").number;
        let place = FramePlace { segment, offset: self.end };
        let before = JournalEnd { place, sequence: self.last_sequence, chain: self.chain };
        self.epochs.note(frame.epoch(), before);
    }

    fn advance(&mut self, frame: &Frame<'_>) {
        self.note_epoch(frame);
        let page = |offset: u64| offset / PAGE_BYTES as u64;
        if self.starts.last().is_none_or(|&(last, _)| page(last) < page(self.end)) {
            self.starts.push((self.end, frame.first_sequence()));
        }
        self.end += frame.bytes();
        self.last_sequence = frame.next_sequence() - 1;
        self.chain = frame.crc;
        if frame.kind() == Kind::Records {
            self.records_chain = frame.crc;
        }
        self.epoch = frame.epoch();
        self.stamp_ms = frame.stamp_ms();
        self.watermark = self.watermark.max(frame.watermark());
        let segment = self.segments.last_mut().expect("a segment was entered");
        segment.frames += 1;
        segment.end = self.end;
    }

    pub(crate) fn conclude<F>(
        self,
        segments: &[SegmentFile<F>],
        open: usize,
        end: Verdict,
        dropped: Option<Dropped>,
    ) -> Scan {
        let vouched = self.watermark.max(self.origin.vouched());
        let headers: Vec<_> = segments.iter().map(|segment| segment.header).collect();
        let mut rewrites = Vec::new();
        if let Some(&header) = headers.get(open) {
            // The end mark before may be newer than the last sync, too.
            if let (true, Some(before)) = (self.starts.is_empty(), open.checked_sub(1)) {
                let from = rewrite_from(&self.starts_before, vouched);
                rewrites.push(Rewrite {
                    header: headers[before],
                    from,
                    end: self.segments[before].end,
                });
            }
            rewrites.push(Rewrite {
                header,
                from: rewrite_from(&self.starts, vouched),
                end: self.end,
            });
        }
        Scan {
            origin: self.origin,
            snapshot_checked: self.snapshot_checked,
            older_segments: 0,
            older_bytes: 0,
            id: headers.first().map(|header| header.id),
            end,
            last_sequence: self.last_sequence,
            vouched,
            last_epoch: self.epoch,
            last_stamp_ms: self.stamp_ms,
            chain: self.chain,
            epochs: self.epochs,
            segments: self.segments,
            dropped,
            rewrites,
            records_chain: self.records_chain,
            spare: headers.get(open + 1).copied(),
        }
    }
}

/// The offset up to which everything is vouched for: that of the last known frame that starts at or
/// before the vouched sequence.
fn rewrite_from(starts: &[(u64, u64)], vouched: u64) -> u64 {
    let known = starts.partition_point(|&(_, first_sequence)| first_sequence <= vouched);
    known.checked_sub(1).map_or(SEGMENT_HEADER_BYTES as u64, |last| starts[last].0)
}
