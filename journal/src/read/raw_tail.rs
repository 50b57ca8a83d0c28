//! Reading on beside the writer, frames as they lie, for a copy of the journal.
//!
//! Owns a position in a journal and the way from frame to frame after it: records, seals, end marks
//! and, before an end mark, the header of the segment that it leads to. Each frame is checked
//! against the one before it. Changes no byte, uses plain reads, judges no tail. Read
//! `append/copy.rs` for the other end, `tail.rs` for followers that want records.

use std::io::ErrorKind;
use std::ops::ControlFlow;

use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::frame::{self, Position};
use crate::format::history::{FramePlace, JournalEnd};
use crate::format::layout::*;
use crate::read::segment_file::{SegmentFile, open_one, read_first_frame};
use crate::read::tail::{SeekResult, Tail, next_segment};
use crate::read::verify_end::verify_end;

/// A position in a journal, before a frame, after an end that a copy has.
pub struct RawTail<D: Disk> {
    tail: Tail<D>,
    chain: u32,
}

/// What a raw tail shows: the place, and the bytes that lie there.
pub type RawVisit<'v> = &'v mut dyn FnMut(FramePlace, &[u8]) -> ControlFlow<()>;

impl<D: Disk> RawTail<D> {
    /// A position after an end that this journal has, or had before more was appended. Reads the
    /// frames of its segment up to there.
    ///
    /// # Errors
    /// [`JournalError::NotContinued`] if the journal never had this end; [`JournalError::Refused`] if
    /// a segment's header is not intact; [`JournalError::Io`], of kind `NotFound` if the segment was
    /// pruned.
    pub fn at(disk: &D, end: &JournalEnd) -> Result<Self, JournalError> {
        verify_end(disk, end)?;
        let segment = open_one(disk, end.place.segment)?;
        let tail = Tail::before(segment, end.place.offset, end.sequence + 1);
        Ok(Self { tail, chain: end.chain })
    }

    /// A position before the first frame of a segment, and the header page of the segment, for a
    /// copy that begins with it. The segment is the one that holds a sequence which is known to be
    /// stored.
    ///
    /// # Errors
    /// As [`at`](Self::at); of kind `NotFound` if the sequence was pruned.
    pub fn at_segment_of(disk: &D, sequence: u64) -> Result<(Self, Vec<u8>), JournalError> {
        let gone = |operation| JournalError::io(operation, disk.place(""), 0);
        let tail = match Tail::seek(disk, sequence)? {
            SeekResult::Tail(tail) => tail,
            SeekResult::Gone { .. } => {
                return Err(gone("find the segment of a sequence in")(ErrorKind::NotFound.into()));
            }
        };
        let header = header_page(tail.segment())?;
        let first = read_first_frame(tail.segment())?.map_err(|_| tail.damaged())?;
        Ok((Self { tail, chain: first.chain }, header))
    }

    /// The end of what was shown.
    pub fn end(&self) -> JournalEnd {
        JournalEnd {
            place: self.tail.frame_place(),
            sequence: self.tail.next_sequence() - 1,
            chain: self.chain,
        }
    }

    /// Shows every frame up to the sequence `appended`, which must be known to be stored, and the
    /// seals and end marks after it that are stored whole by now. Before an end mark it shows the
    /// header page of the next segment, as offset 0 of that segment. A frame at which `visit` breaks
    /// is shown again next time, with the header page before it.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the disk fails, if a stored frame is not whole or does not continue
    /// the one before, or, of kind `NotFound`, if the next segment was removed meanwhile.
    /// [`JournalError::Refused`] if the next segment's header is not intact.
    pub fn read(
        &mut self,
        disk: &D,
        appended: u64,
        visit: RawVisit<'_>,
    ) -> Result<(), JournalError> {
        // The block may be older than frames stored since.
        self.tail.forget();
        loop {
            let is_stored = self.tail.next_sequence() <= appended;
            let place = self.tail.frame_place();
            let next_sequence = self.tail.next_sequence();
            let (seed, bytes) = self.tail.next_bytes()?;
            let frame = match frame::parse(bytes, Position { seed, offset: place.offset }) {
                Ok(frame)
                    if frame.first_sequence() == next_sequence
                        && frame.head.chain == self.chain =>
                {
                    frame
                }
                // Whatever is there was not known to be stored.
                _ if !is_stored => return Ok(()),
                _ => return Err(self.tail.damaged()),
            };
            if frame.next_sequence() > appended.saturating_add(1) {
                return Ok(());
            }
            let (length, crc, next) = (frame.bytes(), frame.crc, frame.next_sequence());
            let bytes = &bytes[..length as usize];
            if frame.successor().is_some() {
                let mark = bytes.to_vec();
                if self.leave(disk, place, &mark, visit)?.is_break() {
                    return Ok(());
                }
            } else if visit(place, bytes).is_break() {
                return Ok(());
            } else {
                self.tail.advance(length, next);
            }
            self.chain = crc;
        }
    }

    /// Shows the header of the next segment and the end mark, and goes over to that segment.
    fn leave(
        &mut self,
        disk: &D,
        place: FramePlace,
        mark: &[u8],
        visit: RawVisit<'_>,
    ) -> Result<ControlFlow<()>, JournalError> {
        let end = place.offset + mark.len() as u64;
        let next = next_segment(disk, self.tail.segment(), end, self.tail.next_sequence())?;
        let header = header_page(&next)?;
        let before = FramePlace { segment: next.header.number, offset: 0 };
        if visit(before, &header).is_break() || visit(place, mark).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.tail.enter(next);
        Ok(ControlFlow::Continue(()))
    }
}

fn header_page<F: DiskFile>(segment: &SegmentFile<F>) -> Result<Vec<u8>, JournalError> {
    let mut page = vec![0; SEGMENT_HEADER_BYTES];
    let read = segment.file.read_exact_at(&mut page, 0);
    read.map_err(JournalError::io("read", segment.place.clone(), 0))?;
    Ok(page)
}
