//! How the copy of a journal begins after a snapshot, in a directory without one.
//!
//! Owns the segment in which the snapshot ends, while it is taken frame by frame from another
//! journal: under a name that no start reads, until it holds the end of the snapshot, is synced and
//! was read back. Until then the directory holds no journal, whatever happens; from the rename on it
//! holds one that is whole. Never takes an end mark: its successor would be missing. Read `copy.rs`
//! for how the journal grows from there.

use crate::append::copy::Watermark;
use crate::append::journal::{Journal, Start};
use crate::append::prepare::{prepare_unnamed, put_in_place};
use crate::disk::remove::remove_leftovers;
use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::discontinuity::Discontinuity;
use crate::format::frame::{self, Kind, Position};
use crate::format::history::FramePlace;
use crate::format::layout::*;
use crate::format::options::Options;
use crate::format::origin::SnapshotEnd;
use crate::format::segment::SegmentHeader;
use crate::format::verdict::Evidence;
use crate::read::segment_file::SegmentFile;
use crate::read::verify_end::walk_to;

/// The first segment of a copy, on its way to the end of the snapshot.
pub struct JournalBeginning<D: Disk> {
    journal: Journal<D>,
    snapshot: SnapshotEnd,
    is_empty: bool,
}

impl<D: Disk> Journal<D> {
    /// Begins a copy after a snapshot, in a directory without a journal. `header` is the header
    /// page of the segment in which the snapshot ends, or which starts right after it.
    ///
    /// # Errors
    /// [`JournalError::AlreadyExists`] if there is a segment; [`JournalError::Options`];
    /// [`JournalError::NotContinued`] if the page is no header; [`JournalError::Io`].
    pub fn begin_at(
        disk: D,
        options: Options,
        header: &[u8],
        snapshot: SnapshotEnd,
    ) -> Result<JournalBeginning<D>, JournalError> {
        options.check()?;
        let header = decode(header)?;
        remove_leftovers(&disk)?;
        let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
        if let Some(file) = names.into_iter().find(|name| segment_number(name).is_some()) {
            return Err(JournalError::AlreadyExists { directory: disk.place(""), file });
        }
        let ready = prepare_unnamed(&disk, header)?;
        let journal = Self::assemble(disk, options, ready, Start::new());
        Ok(JournalBeginning { journal, snapshot, is_empty: true })
    }
}

fn decode(page: &[u8]) -> Result<SegmentHeader, JournalError> {
    let differs = |number, discontinuity| JournalError::NotContinued {
        place: FramePlace { segment: number, offset: 0 },
        discontinuity,
    };
    let page =
        page.try_into().map_err(|_| differs(0, Discontinuity::Length { bytes: page.len() }))?;
    let header = SegmentHeader::decode(page).map_err(|evidence| {
        differs(0, Discontinuity::Header { number: 0, detail: evidence.detail() })
    })?;
    let is_countable = (1..u64::MAX - 1).contains(&header.number);
    let detail = || Evidence::OtherNumber { number: header.number }.detail();
    match is_countable {
        true => Ok(header),
        false => Err(differs(0, Discontinuity::Header { number: 0, detail: detail() })),
    }
}

impl<D: Disk> JournalBeginning<D> {
    /// The identity of the journal, as the header page has it.
    pub fn id(&self) -> JournalId {
        self.journal.id()
    }

    /// Where the next frame goes.
    pub fn place(&self) -> FramePlace {
        self.journal.end().place
    }

    /// Returns whether the end of the snapshot was reached.
    pub fn is_complete(&self) -> bool {
        !self.is_empty && self.journal.appended() >= self.snapshot.sequence
    }

    /// Takes the next frame of the segment, up to the one with which the snapshot ends; more may
    /// follow. What the first frame continues is taken as it says.
    ///
    /// # Errors
    /// As [`Journal::copy`]; an end mark, or a first frame after the snapshot that does not
    /// continue it, is no frame to begin with. [`JournalError::Refused`] if the snapshot is of
    /// another history.
    pub fn copy(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), JournalError> {
        let before = (self.journal.appended, self.journal.open.chain);
        if self.is_empty {
            self.take_predecessor(place, bytes)?;
        }
        let copied = self
            .check_snapshot(place, bytes)
            .and_then(|()| self.journal.copy_if(place, bytes, Watermark::IsNotRead));
        match copied {
            Ok(()) => self.is_empty = false,
            Err(_) => (self.journal.appended, self.journal.open.chain) = before,
        }
        copied
    }

    /// What the first frame continues is not stored here: it says so itself.
    fn take_predecessor(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), JournalError> {
        let differs = |discontinuity| JournalError::NotContinued { place, discontinuity };
        let expected = self.place();
        if place != expected {
            return Err(differs(Discontinuity::Place { expected }));
        }
        let position = Position { seed: self.journal.open.seed, offset: place.offset };
        let frame = frame::parse(bytes, position).map_err(|_| differs(Discontinuity::Checksum))?;
        let predecessor = frame.head.predecessor();
        let follows = self.snapshot.sequence.saturating_add(1);
        let is_first = place.segment == 1 && predecessor.last_sequence > 0;
        if is_first || frame.first_sequence() > follows {
            let expected = if is_first { 1 } else { follows };
            let found = frame.first_sequence();
            return Err(differs(Discontinuity::Sequence { expected, found }));
        }
        // Right after a snapshot, the chain alone tells whether it is of this history.
        if frame.first_sequence() == follows && predecessor.chain != self.snapshot.chain {
            let (expected, found) = (self.snapshot.chain, predecessor.chain);
            return Err(differs(Discontinuity::Chain { expected, found }));
        }
        self.journal.appended = predecessor.last_sequence;
        self.journal.open.chain = predecessor.chain;
        Ok(())
    }

    /// Refuses a frame that shows that the snapshot is of another history, as a scan would.
    fn check_snapshot(&self, place: FramePlace, bytes: &[u8]) -> Result<(), JournalError> {
        let position = Position { seed: self.journal.open.seed, offset: place.offset };
        // What is no frame is told by the journal itself.
        let Ok(frame) = frame::parse(bytes, position) else { return Ok(()) };
        let sequence = self.snapshot.sequence;
        let last = frame.next_sequence() - 1;
        let holds =
            frame.kind() == Kind::Records && (frame.first_sequence()..=last).contains(&sequence);
        let evidence = if holds && last != sequence {
            Evidence::SnapshotEndsInside { sequence, last }
        } else if holds && frame.crc != self.snapshot.chain {
            let (chain, found) = (self.snapshot.chain, frame.crc);
            Evidence::SnapshotOfOtherHistory { sequence, chain, found }
        } else {
            return Ok(());
        };
        let file = self.journal.disk.place(&segment_name(place.segment));
        Err(JournalError::refused(file, place.offset, frame.first_sequence(), &evidence))
    }

    /// Syncs what was taken, reads it back, and gives the segment its name: from then on the
    /// directory holds a journal, which goes on by [`Journal::copy`].
    ///
    /// # Errors
    /// [`JournalError::SnapshotNotReached`]; [`JournalError::Io`].
    pub fn finish(mut self) -> Result<Journal<D>, JournalError> {
        if !self.is_complete() {
            let (sequence, reached) = (self.snapshot.sequence, self.journal.appended());
            return Err(JournalError::SnapshotNotReached { sequence, reached });
        }
        let header = self.journal.open.header;
        self.journal.sync()?;
        self.read_back(header)?;
        put_in_place(&*self.journal.disk, header.number)?;
        Ok(self.journal)
    }

    fn read_back(&self, header: SegmentHeader) -> Result<(), JournalError> {
        let disk = &*self.journal.disk;
        let name = preparing_name(header.number);
        let place = disk.place(&name);
        let io = |operation| JournalError::io(operation, place.clone(), 0);
        let file = disk.open(&name, Access::Read).map_err(io("open"))?;
        file.forget_cached().map_err(io("drop the cached pages of"))?;
        let end = self.journal.end();
        let mut page = [0; SEGMENT_HEADER_BYTES];
        file.read_exact_at(&mut page, 0).map_err(io("read"))?;
        let is_same = page == header.encode();
        let segment =
            SegmentFile { header, place: place.clone(), file, readable_bytes: header.bytes };
        let found = walk_to(&segment, end.place.offset)?.predecessor;
        if is_same && (found.last_sequence, found.chain) == (end.sequence, end.chain) {
            return Ok(());
        }
        Err(io("read back")(std::io::ErrorKind::InvalidData.into()))
    }
}
