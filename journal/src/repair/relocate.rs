//! Frames after a snapshot that are still readable although the frames before them are not: found,
//! and given new places in new segments.
//!
//! Owns where such frames start, how new segments are filled with them, and their new bytes: the
//! checksum of a frame depends on its position and on the frame before it, so both change, while
//! records, sequences, epochs and stamps stay. Never writes and never decides what is lost:
//! `plan.rs` does. Read `execute.rs` for how the segments are written.

use std::collections::BTreeMap;

use crate::disk::traits::DiskFile;
use crate::error::JournalError;
use crate::format::frame::{self, Frame, Head, Kind, Position};
use crate::format::layout::*;
use crate::format::segment::SegmentHeader;
use crate::repair::frame_search::{Region, visit_regions};
use crate::repair::new_segment::{Content, NewSegment, RelocatedFrames, Source, Start, StartMark};
use crate::repair::salvage::Candidate;

type Candidates<F> = BTreeMap<u64, Candidate<F>>;

/// The first frame after a snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct First {
    source: Source,
    chain: u32,
    pub(crate) epoch: u32,
    pub(crate) stamp_ms: u64,
}

/// Finds the frame of records that starts with this sequence.
pub(crate) fn find_first<F: DiskFile>(
    candidates: &Candidates<F>,
    sequence: u64,
) -> Result<Option<First>, JournalError> {
    let mut found = None;
    for (&number, Candidate { segment, .. }) in candidates {
        let (seed, limit) = (segment.header.seed(), segment.readable_bytes);
        let start = SEGMENT_HEADER_BYTES as u64;
        visit_regions(&mut segment.blocks(), seed, start, limit, &mut |offset, _, region| {
            if let Region::Frame(frame) = region
                && (frame.kind(), frame.first_sequence()) == (Kind::Records, sequence)
            {
                let (epoch, stamp_ms) = (frame.epoch(), frame.stamp_ms());
                let source = Source { number, offset };
                found.get_or_insert(First { source, chain: frame.head.chain, epoch, stamp_ms });
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// Plans segments of the size of `header`, from its number on, that hold a start mark and, if there
/// is a first frame, this frame and all that continue it. Returns the segments and the next
/// sequence.
pub(crate) fn plan_layout<F: DiskFile>(
    candidates: &Candidates<F>,
    mark: StartMark,
    first: Option<First>,
    header: SegmentHeader,
) -> Result<(Vec<NewSegment>, u64), JournalError> {
    let mut next_sequence = mark.snapshot.sequence.saturating_add(1);
    let mut layout = Layout::begin(header, mark);
    let Some(First { source, mut chain, .. }) = first else {
        return Ok((layout.finish(), next_sequence));
    };
    let mut offset = source.offset;
    for (&number, Candidate { segment, .. }) in candidates.range(source.number..) {
        let seed = segment.header.seed();
        let mut blocks = segment.blocks();
        let successor = loop {
            let frame = match frame::parse(blocks.at(offset)?, Position { seed, offset }) {
                Ok(frame)
                    if frame.first_sequence() == next_sequence
                        && frame.head.chain == chain
                        && frame.next_sequence() < u64::MAX =>
                {
                    frame
                }
                _ => return Ok((layout.finish(), next_sequence)),
            };
            (chain, next_sequence) = (frame.crc, frame.next_sequence());
            if frame.kind() == Kind::EndMark {
                break frame.successor();
            }
            layout.push(Source { number, offset }, &frame);
            offset += frame.bytes();
        };
        // Only the next segment can continue it.
        if successor.is_none_or(|next| next != number + 1 || !candidates.contains_key(&next)) {
            break;
        }
        offset = SEGMENT_HEADER_BYTES as u64;
    }
    Ok((layout.finish(), next_sequence))
}

/// The used bytes of a segment of relocated frames.
pub(crate) fn compose<F: DiskFile>(
    candidates: &Candidates<F>,
    header: SegmentHeader,
    relocated: &RelocatedFrames,
) -> Result<Vec<u8>, JournalError> {
    let mut composer = Composer::begin(header, relocated.start);
    let mut frames = relocated.frames.iter().peekable();
    while let Some(source) = frames.peek() {
        let number = source.number;
        let Candidate { segment, .. } = &candidates[&number];
        let seed = segment.header.seed();
        let mut blocks = segment.blocks();
        while let Some(&Source { offset, .. }) = frames.next_if(|next| next.number == number) {
            let frame = frame::parse(blocks.at(offset)?, Position { seed, offset });
            composer.push(&frame.map_err(|_| JournalError::PlanOutdated)?);
        }
    }
    if relocated.has_successor {
        composer.leave();
    }
    Ok(composer.bytes)
}

/// The used bytes of a segment that holds only a start mark. Its header stays zero.
pub(crate) fn compose_start(header: SegmentHeader, mark: StartMark) -> Vec<u8> {
    Composer::begin(header, Start::Mark(mark)).bytes
}

/// Segments that are filled one after the other.
struct Layout {
    composer: Composer,
    segment: RelocatedFrames,
    done: Vec<NewSegment>,
}

impl Layout {
    fn begin(header: SegmentHeader, mark: StartMark) -> Self {
        let start = Start::Mark(mark);
        let segment = RelocatedFrames { start, frames: Vec::new(), has_successor: false };
        Self { composer: Composer::begin(header, start), segment, done: Vec::new() }
    }

    fn push(&mut self, source: Source, frame: &Frame<'_>) {
        let header = self.composer.header;
        let end = self.composer.bytes.len() as u64 + frame.bytes();
        if end + END_MARK_BYTES as u64 > header.bytes {
            self.composer.leave();
            let start = Start::Chain(self.composer.last.chain);
            let next = SegmentHeader { number: header.number + 1, ..header };
            let segment = RelocatedFrames { start, frames: Vec::new(), has_successor: false };
            let last = self.composer.last;
            self.composer = Composer { last, ..Composer::begin(next, start) };
            let left = RelocatedFrames {
                has_successor: true,
                ..std::mem::replace(&mut self.segment, segment)
            };
            self.done.push(NewSegment { header, content: Content::Relocated(left) });
        }
        self.composer.push(frame);
        self.segment.frames.push(source);
    }

    fn finish(mut self) -> Vec<NewSegment> {
        let header = self.composer.header;
        self.done.push(NewSegment { header, content: Content::Relocated(self.segment) });
        self.done
    }
}

/// The bytes of a segment while it is filled.
struct Composer {
    header: SegmentHeader,
    bytes: Vec<u8>,
    /// The head of the last frame, but with that frame's own checksum as chain.
    last: Head,
}

impl Composer {
    fn begin(header: SegmentHeader, start: Start) -> Self {
        let (chain, mark) = match start {
            Start::Mark(mark) => (mark.snapshot.chain, Some(mark)),
            Start::Chain(chain) => (chain, None),
        };
        let last = Head {
            kind: Kind::Seal,
            chain,
            epoch: mark.map_or(0, |mark| mark.epoch),
            shard: 0,
            count: 0,
            first_sequence: mark.map_or(0, |mark| mark.snapshot.sequence + 1),
            stamp_ms: mark.map_or(0, |mark| mark.stamp_ms),
            watermark: mark.map_or(0, |mark| mark.snapshot.sequence),
        };
        let mut composer = Self { header, bytes: vec![0; SEGMENT_HEADER_BYTES], last };
        if mark.is_some() {
            let mut body = Vec::new();
            frame::append_body(&mut body, &[]);
            composer.store(last, &body);
        }
        composer
    }

    fn push(&mut self, frame: &Frame<'_>) {
        self.store(frame.head, frame.bodies());
    }

    /// Ends the segment with the mark that names the next one. Everything before it is synced
    /// before the next segment is used.
    fn leave(&mut self) {
        let first_sequence = self.last.first_sequence + u64::from(self.last.count);
        let watermark = first_sequence - 1;
        let mut body = Vec::new();
        frame::append_body(&mut body, &(self.header.number + 1).to_le_bytes());
        let head = Head { kind: Kind::EndMark, count: 0, first_sequence, watermark, ..self.last };
        self.store(head, &body);
    }

    fn store(&mut self, head: Head, bodies: &[u8]) {
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        frame.extend_from_slice(bodies);
        let head = Head { chain: self.last.chain, ..head };
        let position = Position { seed: self.header.seed(), offset: self.bytes.len() as u64 };
        let chain = frame::close(&mut frame, &head, position);
        self.bytes.extend_from_slice(&frame);
        self.last = Head { chain, ..head };
    }
}
