//! Frames that another journal made, stored as they are: how a copy of a live journal grows.
//!
//! Owns the comparison of such a frame with the open end, and the change of the segment after an
//! end mark. Stores only what continues the open end exactly; everything else is a typed error that
//! changes nothing. Encodes nothing again and never judges who may write: the caller refuses epochs
//! that were replaced. Read `journal.rs` for the way of a frame into the mapping, `read/raw_tail.rs`
//! for the other end.

use crate::append::journal::Journal;
use crate::disk::traits::Disk;
use crate::error::JournalError;
use crate::format::discontinuity::Discontinuity;
use crate::format::frame::{self, Frame, Kind, Position};
use crate::format::history::FramePlace;
use crate::format::layout::*;
use crate::format::segment::SegmentHeader;
use crate::format::verdict::{Evidence, FrameFault};

/// Whether what a frame says is settled must be synced here before the frame is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Watermark {
    MustHold,
    /// No start reads the segment before all of it is synced.
    IsNotRead,
}

impl<D: Disk> Journal<D> {
    /// Stores what a [`crate::RawTail`] of another journal of the same identity showed: a frame, or
    /// the header of a segment, which comes at offset 0 before the end mark that leads to it. Also
    /// seals and end marks. Does not sync: the caller syncs what has come together, and tells the
    /// other side only then.
    ///
    /// A frame says what is settled, and that must be true on this disk before the frame is on it,
    /// or a power cut would leave what a start takes for damage. For a copy that counts it is true;
    /// one that is catching up syncs first.
    ///
    /// An end mark is synced, with everything before it, and then the journal goes on in the spare,
    /// which has the size that its header said. After a call for each frame the bytes are those of
    /// the other journal, in the same places. The same value can append by itself afterwards.
    ///
    /// # Errors
    /// [`JournalError::NotContinued`] if it does not continue the journal exactly: place, checksum
    /// (of this journal, segment and offset), sequence, chain, or an epoch before the newest;
    /// nothing is changed then. [`JournalError::NoSpare`] for an end mark whose spare is not ready:
    /// the same call succeeds later. [`JournalError::Io`], and from then on
    /// [`JournalError::Poisoned`], if the segment that is left cannot be synced.
    ///
    /// # Panics
    /// If a turn of this journal was begun and not [finished](Self::finish).
    pub fn copy(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), JournalError> {
        self.copy_if(place, bytes, Watermark::MustHold)
    }

    pub(super) fn copy_if(
        &mut self,
        place: FramePlace,
        bytes: &[u8],
        watermark: Watermark,
    ) -> Result<(), JournalError> {
        assert_eq!(self.frame_count, 0, "a frame is copied into an open turn");
        self.check_poison()?;
        let differs = |discontinuity| JournalError::NotContinued { place, discontinuity };
        if place.offset == 0 {
            let header = self.announced_by(place, bytes).map_err(differs)?;
            self.announced = Some(header);
            self.spares.expect(header);
            return Ok(());
        }
        let expected = self.end().place;
        if place != expected {
            return Err(differs(Discontinuity::Place { expected }));
        }
        let position = Position { seed: self.open.seed, offset: self.open.offset };
        let frame = parse_whole(bytes, position).map_err(differs)?;
        self.compare(&frame).map_err(differs)?;
        if watermark == Watermark::MustHold && frame.watermark() > self.synced {
            self.sync()?;
        }
        if frame.kind() == Kind::EndMark {
            return self.leave(place, bytes, &frame);
        }
        self.store_copied(bytes, &frame);
        Ok(())
    }

    /// The header of the next segment, if these bytes are it.
    fn announced_by(
        &self,
        place: FramePlace,
        bytes: &[u8],
    ) -> Result<SegmentHeader, Discontinuity> {
        let number = self.open.header.number + 1;
        let expected = FramePlace { segment: number, offset: 0 };
        if place != expected {
            return Err(Discontinuity::Place { expected });
        }
        let bytes = bytes.try_into().map_err(|_| Discontinuity::Length { bytes: bytes.len() })?;
        let evidence = match SegmentHeader::decode(bytes) {
            Ok(header) if header.id != self.id() => Evidence::OtherJournal { id: header.id },
            Ok(header) if header.number != number => {
                Evidence::OtherNumber { number: header.number }
            }
            Ok(header) => return Ok(header),
            Err(evidence) => evidence,
        };
        Err(Discontinuity::Header { number, detail: evidence.detail() })
    }

    /// Compares a whole frame of this place with what is before it.
    fn compare(&self, frame: &Frame<'_>) -> Result<(), Discontinuity> {
        let (expected, found) = (self.appended + 1, frame.first_sequence());
        if found != expected {
            return Err(Discontinuity::Sequence { expected, found });
        }
        let (expected, found) = (self.open.chain, frame.head.chain);
        if found != expected {
            return Err(Discontinuity::Chain { expected, found });
        }
        let newest = self.epochs.newest().unwrap_or(0);
        if frame.epoch() < newest {
            return Err(Discontinuity::Epoch { newest, found: frame.epoch() });
        }
        let end = self.open.offset + frame.bytes();
        let Some(found) = frame.successor() else {
            // Every other frame leaves space for the end mark.
            let fits = end + END_MARK_BYTES as u64 <= self.open.header.bytes;
            return if fits { Ok(()) } else { Err(Discontinuity::Space) };
        };
        let expected = self.open.header.number + 1;
        if found != expected {
            return Err(Discontinuity::Successor { expected, found });
        }
        if end > self.open.header.bytes {
            return Err(Discontinuity::Space);
        }
        let is_announced = self.announced.is_some_and(|next| next.number == expected);
        if is_announced { Ok(()) } else { Err(Discontinuity::HeaderMissing) }
    }

    fn store_copied(&mut self, bytes: &[u8], frame: &Frame<'_>) {
        self.epoch = frame.epoch();
        self.stamp_ms = frame.stamp_ms();
        self.store_closed(bytes, &frame.head, frame.crc);
    }

    /// Stores an end mark, and leaves the segment as [`finish`](Self::finish) does: the mark and
    /// all frames before it are synced before the successor takes a frame.
    fn leave(
        &mut self,
        place: FramePlace,
        bytes: &[u8],
        frame: &Frame<'_>,
    ) -> Result<(), JournalError> {
        let missing =
            JournalError::NotContinued { place, discontinuity: Discontinuity::HeaderMissing };
        let header = self.announced.ok_or(missing)?;
        let ready = self.spares.take(&*self.disk)?.ok_or(JournalError::NoSpare)?;
        assert_eq!(ready.header, header, "the spare is the segment that was announced");
        self.store_copied(bytes, frame);
        self.sync()?;
        self.announced = None;
        // As large as this one: the other journal most likely has no other size.
        let next = SegmentHeader { number: header.number + 1, ..header };
        self.enter(ready, next);
        Ok(())
    }
}

/// The frame that these bytes are, from the first to the last.
fn parse_whole(bytes: &[u8], position: Position) -> Result<Frame<'_>, Discontinuity> {
    let is_one_frame = bytes.len() >= FRAME_BYTES_MIN
        && frame::length_of(read_u32(bytes, FRAME_LENGTH_AT)) == Some(bytes.len());
    if !is_one_frame {
        return Err(Discontinuity::Length { bytes: bytes.len() });
    }
    let frame = frame::parse(bytes, position).map_err(|fault| match fault {
        FrameFault::Foreign => Discontinuity::Shape,
        FrameFault::ZeroLength | FrameFault::ZeroSector | FrameFault::BadBytes => {
            Discontinuity::Checksum
        }
    })?;
    // No journal reaches the last sequence there could be.
    if frame.next_sequence() < u64::MAX { Ok(frame) } else { Err(Discontinuity::Shape) }
}
