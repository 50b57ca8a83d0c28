//! Reading a journal from its first byte to its last, changing none.
//!
//! Owns the way from frame to frame and what is learned on it. Never writes, never maps, never
//! decides: the table in `verdict.rs` does. Read `opened.rs` for the checks before the first frame,
//! `resume.rs` for what a start does with a [`Scan`].

use crate::disk::{Disk, DiskFile};
use crate::error::{JournalError, VisitError};
use crate::format::*;
use crate::frame::{self, Frame, Kind, Place};
use crate::opened::{Entry, OpenSegment, Opened, open, open_successor, refusal};
use crate::origin::{ImageEnd, Origin};
use crate::segment::SegmentHeader;
use crate::verdict::{At, Evidence, Verdict, judge};
use crate::vouch;
use crate::window::Window;

/// What a journal holds, up to where it can be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What the scan started from.
    pub origin: Origin,
    /// The image's last frame was read and has the image's checksum. `false` without an image, and
    /// where the first segment there is starts right behind the image.
    pub image_checked: bool,
    /// Segments older than the first one read, which an image made unnecessary.
    pub older_segments: u64,
    /// Their size, in bytes.
    pub older_bytes: u64,
    /// Whose journal this is; `None` if the directory holds no segment.
    pub id: Option<JournalId>,
    /// How the journal ends; always resumable, a refusal is an error instead.
    pub end: Verdict,
    /// The last sequence that can be read; 0 if there is none.
    pub last_sequence: u64,
    /// The highest sequence that something on disk says was synced. What lies between this and
    /// `last_sequence` was readable, and no more is known; in a mode that answers before syncing,
    /// more may have been answered than `last_sequence`.
    pub vouched: u64,
    /// The epoch of the last frame; 0 if there is none.
    pub last_epoch: u32,
    /// The stamp of the last frame, in milliseconds; 0 if there is none.
    pub last_stamp_ms: u64,
    /// The checksum of the last frame, which the next one repeats; 0 if there is none.
    pub chain: u32,
    /// The segments that were read and hold frames or are open for them, in order.
    pub segments: Vec<SegmentScan>,
    /// What cannot be kept, though nobody was answered for it.
    pub dropped: Option<Dropped>,
    /// The segments whose pages may be newer in memory than on disk; the open segment last.
    pub(crate) restores: Vec<Restore>,
    pub(crate) records_chain: u32,
    pub(crate) spare: Option<SegmentHeader>,
}

impl Scan {
    /// The number of the unused segment behind the open one, if there is one.
    pub fn spare(&self) -> Option<u64> {
        self.spare.map(|header| header.number)
    }

    /// What an image of everything up to `last_sequence` says of itself.
    pub fn image_end(&self) -> ImageEnd {
        ImageEnd { sequence: self.last_sequence, chain: self.records_chain }
    }
}

/// One segment as scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentScan {
    /// Its number, from 1.
    pub number: u64,
    /// Where a person finds it.
    pub file: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The sequence of its first record, or of the next one if it holds none.
    pub first_sequence: u64,
    /// Its valid frames.
    pub frames: u64,
    /// Where its last valid frame ends, in bytes from the start of the file.
    pub end: u64,
}

/// A tail that nobody was answered for and that resuming removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Where a person finds the segment.
    pub file: String,
    /// Where the tail starts, in bytes.
    pub offset: u64,
    /// From here to the last byte that is not zero, in bytes.
    pub bytes: u64,
    /// The first sequence that is lost.
    pub first_sequence_lost: u64,
    /// Valid frames among what is dropped.
    pub frames: u64,
}

/// A segment of which the pages from `from` on may be newer in memory than on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restore {
    pub(crate) header: SegmentHeader,
    pub(crate) from: u64,
    pub(crate) end: u64,
}

/// Scans without looking at what the frames hold. See [`scan_with`].
///
/// # Errors
/// As [`scan_with`].
pub fn scan<D: Disk>(disk: &D, origin: Origin) -> Result<Scan, JournalError> {
    scan_with(disk, origin, &mut |_| Ok(()))
}

/// Reads every segment once and shows each valid frame to `visit`, in order, before it is known how
/// the journal ends.
///
/// From an [image](Origin::Image) it reads the segment with the image's last frame and what follows,
/// however long the history is; frames the image holds are checked, but not shown, and the image's
/// last one must have the checksum the image names. A [`Kind::Seal`] that only marks where a repaired
/// journal starts is never shown.
///
/// Changes no byte, and reads with plain reads only, so it may run beside a live server; what it then
/// says of the tail is a moment's view.
///
/// # Errors
/// [`JournalError::Refused`] for every verdict that is not resumable, [`JournalError::Io`] if the
/// disk fails, [`JournalError::Visitor`] if the visitor does.
pub fn scan_with<D: Disk>(
    disk: &D,
    origin: Origin,
    visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), VisitError>,
) -> Result<Scan, JournalError> {
    let Opened { mut segments, entry, older_segments, older_bytes } = open(disk, origin)?;
    if segments.is_empty() && origin.vouched() > 0 {
        let evidence = Evidence::AllMissing { sequence: origin.vouched() };
        return Err(refusal(disk.place(&segment_name(1)), 0, 1, &evidence));
    }
    let mut walk = Walk::new(origin, entry);
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

/// The state that one frame hands to the next.
#[derive(Default)]
struct Walk {
    origin: Origin,
    image_checked: bool,
    last_sequence: u64,
    chain: u32,
    /// The checksum of the last frame of records; the image's while there was none behind it.
    records_chain: u32,
    epoch: u32,
    stamp_ms: u64,
    watermark: u64,
    /// Where the last valid frame of the current segment ends.
    end: u64,
    segments: Vec<SegmentScan>,
    /// The first frame that starts in each page of the current segment: offset and sequence.
    starts: Vec<(u64, u64)>,
    /// The same of the segment before; any frame in the current one vouches for all of it.
    starts_before: Vec<(u64, u64)>,
}

impl Walk {
    fn new(origin: Origin, entry: Entry) -> Self {
        let image = origin.image().filter(|image| image.sequence == entry.last_sequence);
        Self {
            origin,
            last_sequence: entry.last_sequence,
            chain: entry.chain,
            records_chain: image.map_or(0, |image| image.chain),
            ..Self::default()
        }
    }

    fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    fn refuse<F>(
        &self,
        segment: &OpenSegment<F>,
        offset: u64,
        evidence: &Evidence,
    ) -> JournalError {
        refusal(segment.place.clone(), offset, self.next_sequence(), evidence)
    }

    /// Shows every frame of the first of `segments`. Returns `None` behind an end mark, or how the
    /// journal ends.
    fn walk_segment<F: DiskFile>(
        &mut self,
        segments: &[OpenSegment<F>],
        visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), VisitError>,
    ) -> Result<Option<(Verdict, Option<Dropped>)>, JournalError> {
        let segment = &segments[0];
        while let Some(at) = self.walk_frames(segment, visit)? {
            let (offset, sequence) = (self.end, self.next_sequence());
            let aftermath = vouch::look_behind(segments, offset, sequence, self.origin.vouched())?;
            let evidence = Evidence::Frame { at, later: aftermath.later };
            let end = judge(&evidence);
            if end == Verdict::CleanEnd {
                return Ok(Some((end, None)));
            }
            // A live server stores a frame before anything that follows it: if it is whole now, it
            // was being stored when it was read. Damage does not heal.
            if at != At::Foreign && vouch::is_whole(segment, offset)? {
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

    /// Shows frames up to an end mark, or to where none continues: says what is there instead.
    fn walk_frames<F: DiskFile>(
        &mut self,
        segment: &OpenSegment<F>,
        visit: &mut dyn FnMut(&Frame<'_>) -> Result<(), VisitError>,
    ) -> Result<Option<At>, JournalError> {
        let header = segment.header;
        let seed = header.seed();
        let mut window = Window::new(&segment.file, &segment.place, header.bytes);
        loop {
            let offset = self.end;
            let frame = match frame::parse(window.at(offset)?, Place { seed, offset }) {
                Ok(frame) if self.continues(&frame, &header) => frame,
                Ok(_) => return Ok(Some(At::Foreign)),
                Err(at) => return Ok(Some(at)),
            };
            if let Some(evidence) = self.contradicts_image(&frame) {
                return Err(refusal(
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
            self.take(&frame);
            if frame.kind() == Kind::EndMark {
                return Ok(None);
            }
        }
    }

    fn enter<F>(&mut self, segment: &OpenSegment<F>) {
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

    /// Does a valid frame belong exactly here?
    fn continues(&self, frame: &Frame<'_>, header: &SegmentHeader) -> bool {
        let end = self.end + frame.bytes();
        let placed = match frame.successor() {
            Some(successor) => end <= header.bytes && successor == header.number + 1,
            // Every other frame leaves room for the end mark.
            None => end + END_MARK_BYTES as u64 <= header.bytes,
        };
        placed
            && frame.first_sequence() == self.next_sequence()
            && frame.head.chain == self.chain
            && frame.next_sequence() < u64::MAX
    }

    /// Does the frame that the image ends with, or ends in, show that it is of another history?
    fn contradicts_image(&mut self, frame: &Frame<'_>) -> Option<Evidence> {
        let image = self.origin.image()?;
        let last = frame.next_sequence() - 1;
        let holds = frame.kind() == Kind::Records
            && (frame.first_sequence()..=last).contains(&image.sequence);
        if !holds {
            return None;
        }
        if last != image.sequence {
            return Some(Evidence::ImageEndsInside { sequence: image.sequence, last });
        }
        if frame.crc != image.chain {
            return Some(Evidence::ImageOfOtherHistory {
                sequence: image.sequence,
                chain: image.chain,
                found: frame.crc,
            });
        }
        self.image_checked = true;
        None
    }

    /// Is it behind the image, and not the mark that a repair starts a journal with?
    fn is_shown(&self, frame: &Frame<'_>, header: &SegmentHeader) -> bool {
        let behind =
            self.origin.stands_in().is_none_or(|image| frame.first_sequence() > image.sequence);
        let is_start_mark = header.number > 1
            && self.end == SEGMENT_HEADER_BYTES as u64
            && frame.totals().is_some_and(<[u8]>::is_empty);
        behind && !is_start_mark
    }

    fn take(&mut self, frame: &Frame<'_>) {
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

    fn conclude<F>(
        self,
        segments: &[OpenSegment<F>],
        open: usize,
        end: Verdict,
        dropped: Option<Dropped>,
    ) -> Scan {
        let vouched = self.watermark.max(self.origin.vouched());
        let headers: Vec<_> = segments.iter().map(|segment| segment.header).collect();
        let mut restores = Vec::new();
        if let Some(&header) = headers.get(open) {
            // An end mark may be newer than the last sync, too.
            if let (true, Some(before)) = (self.starts.is_empty(), open.checked_sub(1)) {
                let from = restore_from(&self.starts_before, vouched);
                restores.push(Restore {
                    header: headers[before],
                    from,
                    end: self.segments[before].end,
                });
            }
            restores.push(Restore {
                header,
                from: restore_from(&self.starts, vouched),
                end: self.end,
            });
        }
        Scan {
            origin: self.origin,
            image_checked: self.image_checked,
            older_segments: 0,
            older_bytes: 0,
            id: headers.first().map(|header| header.id),
            end,
            last_sequence: self.last_sequence,
            vouched,
            last_epoch: self.epoch,
            last_stamp_ms: self.stamp_ms,
            chain: self.chain,
            segments: self.segments,
            dropped,
            restores,
            records_chain: self.records_chain,
            spare: headers.get(open + 1).copied(),
        }
    }
}

/// Everything before this offset is vouched for: the last known frame that holds, or comes before,
/// a vouched sequence lies here.
fn restore_from(starts: &[(u64, u64)], vouched: u64) -> u64 {
    let known = starts.partition_point(|&(_, first_sequence)| first_sequence <= vouched);
    known.checked_sub(1).map_or(SEGMENT_HEADER_BYTES as u64, |last| starts[last].0)
}
