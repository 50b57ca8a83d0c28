//! Reading on from a sequence beside the writer, for followers of a live journal.
//!
//! Owns a position in a segment and the way from frame to frame after it. Reads only what the
//! caller knows to be stored, synced or not, so every frame must be whole, and one that is not is
//! damage. Changes no byte, uses plain reads, judges no tail. Read `scan.rs` for what a start does.

use std::io;
use std::ops::ControlFlow;

use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::frame::{self, Frame, Position};
use crate::format::history::FramePlace;
use crate::format::layout::*;
use crate::read::segment_file::{
    SegmentFile, open_one, open_successor, read_first_frame, segment_numbers,
};

/// The bytes of one read: at least one frame of any length.
const BLOCK_BYTES: usize = 2 * FRAME_BYTES_MAX;
/// The attempts to find a segment while others are pruned.
const TRIES: u32 = 3;

/// A position in a journal, before a frame.
pub struct Tail<D: Disk> {
    segment: SegmentFile<D::File>,
    offset: u64,
    next_sequence: u64,
    block: Vec<u8>,
    block_start: u64,
}

/// The result of [`Tail::seek`].
pub enum SeekResult<D: Disk> {
    /// A position at or before the frame of the sequence, in the same segment.
    Tail(Tail<D>),
    /// The sequence was pruned with its segment.
    Gone {
        /// The first sequence that is left.
        oldest: u64,
    },
}

impl<D: Disk> Tail<D> {
    /// Finds the segment of a sequence that is known to be stored.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if a segment's header is not intact, [`JournalError::Io`].
    pub fn seek(disk: &D, sequence: u64) -> Result<SeekResult<D>, JournalError> {
        let mut tries = 1;
        loop {
            match Self::try_seek(disk, sequence) {
                // The segment was pruned since the directory was listed.
                Err(JournalError::Io { cause, .. })
                    if cause.kind() == io::ErrorKind::NotFound && tries < TRIES =>
                {
                    tries += 1;
                }
                sought => return sought,
            }
        }
    }

    fn try_seek(disk: &D, sequence: u64) -> Result<SeekResult<D>, JournalError> {
        let numbers = segment_numbers(disk)?;
        let (mut low, mut high) = (0, numbers.len());
        let (mut found, mut oldest) = (None, sequence + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let segment = open_one(disk, numbers[middle])?;
            // A spare holds no frame yet.
            match read_first_frame(&segment)? {
                Ok(head) if head.first_sequence <= sequence => {
                    found = Some((segment, head.first_sequence));
                    low = middle + 1;
                }
                Ok(head) => {
                    oldest = head.first_sequence;
                    high = middle;
                }
                Err(_) => high = middle,
            }
        }
        Ok(match found {
            None => SeekResult::Gone { oldest },
            Some((segment, next_sequence)) => {
                let start = SEGMENT_HEADER_BYTES as u64;
                SeekResult::Tail(Self::before(segment, start, next_sequence))
            }
        })
    }

    /// A position before the frame at this offset.
    pub(super) fn before(segment: SegmentFile<D::File>, offset: u64, next_sequence: u64) -> Self {
        Self { segment, offset, next_sequence, block: Vec::new(), block_start: 0 }
    }

    pub(super) fn segment(&self) -> &SegmentFile<D::File> {
        &self.segment
    }

    /// The place of the next frame.
    pub(super) fn frame_place(&self) -> FramePlace {
        FramePlace { segment: self.segment.header.number, offset: self.offset }
    }

    /// The first sequence of the next frame.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Shows every frame of records up to `stored`, which must be known to be stored. A frame at
    /// which `visit` breaks is shown again next time.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the disk fails, if a stored frame is not whole, or, of kind
    /// `NotFound`, if the next segment was removed meanwhile. [`JournalError::Refused`] if the next
    /// segment's header is not intact.
    pub fn read(
        &mut self,
        disk: &D,
        stored: u64,
        visit: &mut dyn FnMut(&Frame<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.forget();
        while self.next_sequence <= stored {
            let (offset, next_sequence) = (self.offset, self.next_sequence);
            let (seed, bytes) = self.next_bytes()?;
            let frame = match frame::parse(bytes, Position { seed, offset }) {
                Ok(frame) if frame.first_sequence() == next_sequence => frame,
                _ => return Err(self.damaged()),
            };
            if frame.successor().is_some() {
                let end = offset + frame.bytes();
                let next = next_segment(disk, &self.segment, end, next_sequence)?;
                self.enter(next);
                continue;
            }
            let holds = frame.count() > 0;
            if holds && (frame.next_sequence() > stored + 1 || visit(&frame).is_break()) {
                break;
            }
            let (bytes, next) = (frame.bytes(), frame.next_sequence());
            self.advance(bytes, next);
        }
        Ok(())
    }

    /// Shows every frame of records up to the sequence `settled`, and the seals between and behind
    /// them, as far as the place `end`, before which everything is known to be stored. A frame at
    /// which `visit` breaks is shown again next time.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with_seals(
        &mut self,
        disk: &D,
        (settled, end): (u64, FramePlace),
        visit: &mut dyn FnMut(&Frame<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.forget();
        while self.frame_place() < end {
            let (offset, next_sequence) = (self.offset, self.next_sequence);
            let (seed, bytes) = self.next_bytes()?;
            let frame = match frame::parse(bytes, Position { seed, offset }) {
                Ok(frame) if frame.first_sequence() == next_sequence => frame,
                _ => return Err(self.damaged()),
            };
            if frame.successor().is_some() {
                let end = offset + frame.bytes();
                let next = next_segment(disk, &self.segment, end, next_sequence)?;
                self.enter(next);
                continue;
            }
            if frame.next_sequence() > settled.saturating_add(1) || visit(&frame).is_break() {
                break;
            }
            let (bytes, next) = (frame.bytes(), frame.next_sequence());
            self.advance(bytes, next);
        }
        Ok(())
    }

    /// Forgets the block: it may be older than frames stored since.
    pub(super) fn forget(&mut self) {
        self.block.clear();
    }

    /// Goes past a frame.
    pub(super) fn advance(&mut self, bytes: u64, next_sequence: u64) {
        self.offset += bytes;
        self.next_sequence = next_sequence;
    }

    /// Goes over to the next segment.
    pub(super) fn enter(&mut self, next: SegmentFile<D::File>) {
        self.segment = next;
        self.offset = SEGMENT_HEADER_BYTES as u64;
        self.block.clear();
    }

    /// The seed of the segment's checksums, and bytes that hold the whole next frame.
    pub(super) fn next_bytes(&mut self) -> Result<(u32, &[u8]), JournalError> {
        self.load()?;
        let skip = usize::try_from(self.offset - self.block_start).unwrap_or(usize::MAX);
        Ok((self.segment.header.seed(), self.block.get(skip..).unwrap_or_default()))
    }

    /// Makes sure that the block holds the whole next frame.
    fn load(&mut self) -> Result<(), JournalError> {
        let limit = self.segment.header.bytes;
        let wanted = limit.min(self.offset + FRAME_BYTES_MAX as u64);
        if !self.block.is_empty() && wanted <= self.block_start + self.block.len() as u64 {
            return Ok(());
        }
        let bytes = limit.saturating_sub(self.offset).min(BLOCK_BYTES as u64);
        self.block.resize(bytes as usize, 0);
        self.block_start = self.offset;
        let read = self.segment.file.read_exact_at(&mut self.block, self.offset);
        read.map_err(|cause| {
            self.block.clear();
            JournalError::io("read", self.segment.place.clone(), self.offset)(cause)
        })
    }

    pub(super) fn damaged(&self) -> JournalError {
        let cause =
            io::Error::new(io::ErrorKind::InvalidData, "no whole frame where one is stored");
        JournalError::io("read on in", self.segment.place.clone(), self.offset)(cause)
    }
}

/// As [`open_successor`], but `NotFound` for a segment that was pruned.
pub(super) fn next_segment<D: Disk>(
    disk: &D,
    left: &SegmentFile<D::File>,
    end: u64,
    sequence: u64,
) -> Result<SegmentFile<D::File>, JournalError> {
    match open_one(disk, left.header.number + 1) {
        Ok(_) => open_successor(disk, left, end, sequence),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, JournalId, MemoryDisk, Options, SEGMENT_BYTES_MIN, prune};

    fn written(turns: u64) -> (MemoryDisk, Journal<MemoryDisk>) {
        let disk = MemoryDisk::default();
        let options = Options { segment_bytes: SEGMENT_BYTES_MIN };
        let mut journal = Journal::create(disk.clone(), options, JournalId([3; 16])).unwrap();
        write(&mut journal, turns);
        (disk, journal)
    }

    /// Each turn holds two records; six or so fill a segment.
    fn write(journal: &mut Journal<MemoryDisk>, turns: u64) {
        for _ in 0..turns {
            journal.begin(1, 1000);
            for _ in 0..2 {
                journal.push(|frame| frame.resize(frame.len() + 20_000, 1)).unwrap();
            }
            journal.finish().unwrap();
        }
        journal.sync().unwrap();
    }

    fn tail(disk: &MemoryDisk, sequence: u64) -> Tail<MemoryDisk> {
        match Tail::seek(disk, sequence).unwrap() {
            SeekResult::Tail(tail) => tail,
            SeekResult::Gone { oldest } => panic!("{sequence} is gone, {oldest} is left"),
        }
    }

    fn read(tail: &mut Tail<MemoryDisk>, disk: &MemoryDisk, synced: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let mut visit = |frame: &Frame<'_>| {
            found.extend(frame.records().map(|(sequence, _)| sequence));
            ControlFlow::Continue(())
        };
        tail.read(disk, synced, &mut visit).unwrap();
        found
    }

    /// A tail reads on over segments and never beyond what is synced.
    #[test]
    fn a_tail_reads_over_segments_and_never_past_what_is_synced() {
        let (disk, mut journal) = written(20);
        for sequence in 1..=40 {
            let mut tail = tail(&disk, sequence);
            let first = tail.next_sequence();
            assert!(first <= sequence && first + 13 > sequence, "{first} for {sequence}");
            assert_eq!(read(&mut tail, &disk, 40), (first..=40).collect::<Vec<_>>());
            assert_eq!(read(&mut tail, &disk, 40), Vec::<u64>::new());
        }
        let mut tail = tail(&disk, 1);
        // A frame is shown whole or not at all.
        assert_eq!(read(&mut tail, &disk, 7), (1..=6).collect::<Vec<_>>());
        assert_eq!(read(&mut tail, &disk, 40), (7..=40).collect::<Vec<_>>());
        write(&mut journal, 10);
        assert_eq!(read(&mut tail, &disk, 60), (41..=60).collect::<Vec<_>>());
    }

    /// Seals are shown where they lie, the last one too, and nothing beyond what is settled.
    #[test]
    fn a_tail_with_seals_shows_them_between_the_records() {
        let (disk, mut journal) = written(1);
        for _ in 0..9 {
            journal.seal(1, 1000, &[7]).unwrap();
            write(&mut journal, 1);
        }
        journal.seal(1, 1000, &[7]).unwrap();
        let mut tail = tail(&disk, 1);
        let mut shown = Vec::new();
        for settled in [0, 2, 5, 20] {
            let mut visit = |frame: &Frame<'_>| {
                shown.push((frame.first_sequence(), frame.totals().is_some()));
                ControlFlow::Continue(())
            };
            tail.read_with_seals(&disk, (settled, journal.end().place), &mut visit).unwrap();
        }
        let turn = |turn: u64| [(2 * turn + 1, false), (2 * turn + 3, true)];
        assert_eq!(shown, (0..10).flat_map(turn).collect::<Vec<_>>());
    }

    #[test]
    fn a_frame_that_the_visitor_breaks_at_is_shown_again() {
        let (disk, _journal) = written(3);
        let mut tail = tail(&disk, 1);
        let mut shown = Vec::new();
        for _ in 0..2 {
            let mut visit = |frame: &Frame<'_>| {
                shown.push(frame.first_sequence());
                if frame.first_sequence() == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            tail.read(&disk, 6, &mut visit).unwrap();
        }
        assert_eq!(shown, [1, 3, 3]);
    }

    #[test]
    fn what_was_pruned_is_gone_and_said_so() {
        let (disk, mut journal) = written(20);
        let mut behind = tail(&disk, 1);
        journal.seal(1, 1000, &[]).unwrap();
        journal.sync().unwrap();
        let pruned = prune(&disk, 30).unwrap();
        assert!(pruned.segments > 1, "{pruned:?}");
        let Ok(SeekResult::Gone { oldest }) = Tail::seek(&disk, 1) else { panic!("it is there") };
        assert_eq!(tail(&disk, oldest).next_sequence(), oldest);
        assert!(matches!(Tail::seek(&disk, oldest - 1), Ok(SeekResult::Gone { .. })));
        let gone = behind.read(&disk, 40, &mut |_| ControlFlow::Continue(()));
        let Err(JournalError::Io { cause, .. }) = gone else { panic!("{gone:?}") };
        assert_eq!(cause.kind(), io::ErrorKind::NotFound);
    }
}
