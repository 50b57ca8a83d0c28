//! How a journal came to be, epoch by epoch, and how far two journals have the same past.
//!
//! Owns where a frame goes, an end of a journal, the table of epochs and the comparison of two of
//! them. Touches no disk. It takes one process for the writer of an epoch: whoever grants epochs
//! grants each once. So what two journals hold of one epoch is the same as far as the shorter one
//! goes. Read `read/verify_end.rs` for how an end is checked against stored frames.

use std::collections::VecDeque;
use std::fmt;

use crate::format::layout::SEGMENT_HEADER_BYTES;

/// The most epochs that a journal keeps in memory; the oldest are forgotten.
pub const EPOCHS_MAX: usize = 1024;

/// Where a frame starts, or would start. The order of places is the order of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FramePlace {
    /// The number of the segment.
    pub segment: u64,
    /// From the start of the segment, in bytes.
    pub offset: u64,
}

impl FramePlace {
    /// The place of the first frame of a segment.
    pub const fn first_in(segment: u64) -> Self {
        Self { segment, offset: SEGMENT_HEADER_BYTES as u64 }
    }
}

impl fmt::Display for FramePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} of segment {}", self.offset, self.segment)
    }
}

/// An end that a journal has, or had before more was appended: where the next frame goes, and what
/// that frame continues. After an end mark, that is the start of the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JournalEnd {
    /// Where the next frame goes.
    pub place: FramePlace,
    /// The last sequence before it; 0 if there is none.
    pub sequence: u64,
    /// The checksum of the frame before it, of any kind; 0 if there is none.
    pub chain: u32,
}

impl JournalEnd {
    /// The end of a journal that holds nothing yet.
    pub const GENESIS: Self = Self { place: FramePlace::first_in(1), sequence: 0, chain: 0 };
}

impl fmt::Display for JournalEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, sequence, chain } = self;
        write!(f, "sequence {sequence} at {place}, checksum {chain:08x}")
    }
}

/// An epoch, and the end of everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// Its number.
    pub epoch: u32,
    /// The end of the journal before its first frame.
    pub before: JournalEnd,
    /// Whether its first frame was seen. `false` if reading started after a snapshot, in the
    /// middle of it: then `before` is the end before the first frame that was read.
    pub is_whole: bool,
}

impl EpochStart {
    /// The sequence that its first record has or would have.
    pub fn first_sequence(&self) -> u64 {
        self.before.sequence.saturating_add(1)
    }
}

/// The epochs of a journal in the order of their frames: the newest [`EPOCHS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochTable {
    starts: VecDeque<EpochStart>,
}

impl EpochTable {
    /// Takes the space of all epochs that the table will ever keep.
    pub(crate) fn reserve(&mut self) {
        self.starts.reserve_exact((EPOCHS_MAX + 1).saturating_sub(self.starts.len()));
    }

    /// Takes note of the epoch of a frame that is stored after `before`.
    pub(crate) fn note(&mut self, epoch: u32, before: JournalEnd) {
        if self.newest() == Some(epoch) {
            return;
        }
        let is_whole = !self.starts.is_empty() || before == JournalEnd::GENESIS;
        self.starts.push_back(EpochStart { epoch, before, is_whole });
        if self.starts.len() > EPOCHS_MAX {
            self.starts.pop_front();
        }
    }

    /// The epochs, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &EpochStart> {
        self.starts.iter()
    }

    /// The newest epoch.
    pub fn newest(&self) -> Option<u32> {
        self.starts.back().map(|newest| newest.epoch)
    }
}

/// What two journals compare: their epochs, and where they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalHistory {
    /// The epochs, oldest first.
    pub epochs: Vec<EpochStart>,
    /// The end of the journal.
    pub end: JournalEnd,
}

impl JournalHistory {
    pub(crate) fn new(table: &EpochTable, end: JournalEnd) -> Self {
        Self { epochs: table.iter().copied().collect(), end }
    }

    /// The end of the epoch at this index: where the next one starts, or the end of the journal.
    fn end_of(&self, index: usize) -> JournalEnd {
        self.epochs.get(index + 1).map_or(self.end, |next| next.before)
    }
}

/// How far two journals have the same past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommonEnd {
    /// The last epoch that both have; 0 if one of them holds nothing.
    pub epoch: u32,
    /// The end of what both have of it, as the shorter one has it.
    pub end: JournalEnd,
}

/// Finds how far two journals of one identity have the same past: the last epoch that both have with
/// the same end before it, and of that epoch the shorter end. `None` if the tables show no common
/// past. Both sides come to the same.
///
/// Never cut to a watermark instead: a copy that counts may hold answered records that it was not
/// yet told of. The result rests on what the other side says of itself: whoever has frames after
/// the end checks the chain there against its own ([`crate::verify_end`]; [`crate::cut`] does).
pub fn common_end(mine: &JournalHistory, theirs: &JournalHistory) -> Option<CommonEnd> {
    if [mine.end, theirs.end].contains(&JournalEnd::GENESIS) {
        return Some(CommonEnd { epoch: 0, end: JournalEnd::GENESIS });
    }
    mine.epochs.iter().enumerate().rev().find_map(|(index, start)| {
        let epoch = start.epoch;
        let other = theirs.epochs.iter().rposition(|other| other.epoch == epoch)?;
        let exact = start.is_whole && theirs.epochs[other].is_whole;
        if exact && start.before != theirs.epochs[other].before {
            return None;
        }
        let (one, two) = (mine.end_of(index), theirs.end_of(other));
        let end = if two.place < one.place { two } else { one };
        Some(CommonEnd { epoch, end })
    })
}
