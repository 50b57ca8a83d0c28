//! A copy of the journal on another machine, as far as the world must know it.
//!
//! Owns how far the copy is, by the ends of the frames that it took: its bytes are those of the
//! writer's journal, so what it holds is a place there. Also owns what a follower of the feed was
//! told. Never decides which bytes a copy accepts: that is the journal's own test. Next: `copies`.

use crate::disk::SimDisk;
use crate::disk::copies::Files;
use doorbuster::codec;
use doorbuster::domain::model::event::Record;
use doorbuster::domain::model::ids::{Sequence, Stamp};
use doorbuster::shared::feed::{FeedEvent, Form, Position};
use doorbuster_journal::{JournalEnd, JournalError, RawTail};
use doorbuster_test_support::random::Random;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::ControlFlow;

/// Frames that a copy takes at once, at most.
const FRAMES_MAX: u64 = 6;
/// An event of the feed as it is written here: a sequence and a check.
pub(crate) const EVENT_BYTES: usize = 12;

/// The copy, as the world knows it.
pub(crate) struct Replica {
    /// Chance of its own: a run without copies does what it did before there were any.
    pub(crate) random: Random,
    /// The ends of the frames that it stored, from the one up to which it has synced.
    pub(crate) ends: Vec<JournalEnd>,
    /// Answers wait for it.
    pub(crate) counts: bool,
    pub(crate) away_until_us: u64,
    /// What it has told the writer.
    pub(crate) acknowledged: Sequence,
    /// The highest sequence that was ever settled.
    pub(crate) settled: Sequence,
    /// The last epoch that was granted.
    pub(crate) epoch: u32,
    pub(crate) takeover: Option<Takeover>,
    /// Where the follower is.
    pub(crate) after: Position,
    /// What it was told, by sequence.
    pub(crate) told: BTreeMap<Sequence, u32>,
}

/// The directory of a machine that was lost, and how much of it the copy holds.
pub(crate) struct Takeover {
    pub(crate) files: Files,
    pub(crate) end: JournalEnd,
    pub(crate) snapshot_sequence: Sequence,
}

impl Replica {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed ^ 0x02C0_91E5),
            ends: vec![JournalEnd::GENESIS],
            counts: true,
            away_until_us: 0,
            acknowledged: 0,
            settled: 0,
            epoch: 0,
            takeover: None,
            after: Position { epoch: None, sequence: 0 },
            told: BTreeMap::new(),
        }
    }

    pub(crate) fn synced(&self) -> JournalEnd {
        self.ends[0]
    }

    pub(crate) fn stored(&self) -> JournalEnd {
        *self.ends.last().expect("there is always one")
    }

    pub(crate) fn sync(&mut self) {
        self.ends = vec![self.stored()];
    }

    /// Takes some frames that the writer has stored.
    pub(crate) fn store(&mut self, disk: &SimDisk, appended: Sequence) -> Result<(), JournalError> {
        let mut tail = RawTail::at(disk, &self.stored())?;
        for _ in 0..self.random.between(1, FRAMES_MAX) {
            let before = tail.end();
            read_frame(&mut tail, disk, appended)?;
            if tail.end() == before {
                break;
            }
            self.ends.push(tail.end());
        }
        Ok(())
    }

    /// Takes all that the writer has stored, known or not, and syncs it.
    pub(crate) fn store_the_rest(&mut self, disk: &SimDisk) {
        let Ok(mut tail) = RawTail::at(disk, &self.stored()) else { return };
        loop {
            let before = tail.end();
            // It is an error that nothing is there any more.
            let read = read_frame(&mut tail, disk, Sequence::MAX - 1);
            if tail.end() != before {
                self.ends.push(tail.end());
            }
            if read.is_err() || tail.end() == before {
                break;
            }
        }
        self.sync();
    }

    /// Begins again with all that the writer has stored.
    pub(crate) fn begin_again(
        &mut self,
        disk: &SimDisk,
        appended: Sequence,
    ) -> Result<(), JournalError> {
        let (mut tail, _) = RawTail::at_segment_of(disk, appended.max(1))?;
        loop {
            let before = tail.end();
            read_frame(&mut tail, disk, appended)?;
            if tail.end() == before {
                break;
            }
        }
        (self.ends, self.counts) = (vec![tail.end()], false);
        Ok(())
    }
}

/// Goes past one frame, if it is stored.
fn read_frame(
    tail: &mut RawTail<SimDisk>,
    disk: &SimDisk,
    appended: Sequence,
) -> Result<(), JournalError> {
    let mut shown = false;
    tail.read(disk, appended, &mut |place, _| {
        let is_frame = place.offset > 0;
        match is_frame && std::mem::replace(&mut shown, true) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })
}

pub(crate) fn is_pruned(error: &JournalError) -> bool {
    matches!(error, JournalError::Io { cause, .. } if cause.kind() == ErrorKind::NotFound)
}

pub(crate) fn check(record: &Record, stamp: Stamp) -> u32 {
    let mut bytes = stamp.to_le_bytes().to_vec();
    codec::encode_record(record, &mut bytes);
    crc32fast::hash(&bytes)
}

/// How the feed writes an event here.
pub(crate) fn write_event(_: Form, bytes: &mut Vec<u8>, event: &FeedEvent<'_>) -> bool {
    bytes.extend_from_slice(&event.sequence.to_le_bytes());
    bytes.extend_from_slice(&check(event.record, event.stamp).to_le_bytes());
    true
}
