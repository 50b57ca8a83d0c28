//! The journal as it was read bit by bit while it grew: segments go, this stays.
//!
//! Owns the records seen so far, and the ids of all that were ever seen, those that were taken back
//! included. Never reads what the server does not yet call synced. Next: `world`.

use crate::disk::SimDisk;
use doorbuster::codec;
use doorbuster::domain::model::ids::{OrderId, Sequence};
use doorbuster::domain::model::lives::Lives;
use doorbuster_journal::{JournalError, Origin, SnapshotEnd, scan_with};
use doorbuster_witness::{Entry, lives_of};
use std::collections::BTreeMap;

/// All records, from the first.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// Where the frames end.
    ends: Vec<SnapshotEnd>,
    /// Of the starts among the records.
    pub(crate) lives: Lives,
    /// Every id that a record ever had, with what it was the id of; and whether the record is
    /// there.
    given: BTreeMap<String, Given>,
    /// The id of two records.
    pub(crate) twice: Option<String>,
}

#[derive(Debug)]
struct Given {
    check: u32,
    kept: bool,
}

impl History {
    /// Reads on, up to this sequence.
    pub(crate) fn read_on(&mut self, disk: &SimDisk, until: Sequence) -> Result<(), JournalError> {
        let origin = self.ends.last().map_or(Origin::Genesis, |end| Origin::Snapshot(*end));
        scan_with(&disk.within("journal"), origin, &mut |frame| {
            let Some(end) = frame.snapshot_end().filter(|end| end.sequence <= until) else {
                return Ok(());
            };
            for (sequence, bytes) in frame.records() {
                let record = codec::decode_record(bytes)?;
                let (stamp, epoch) = (frame.stamp_ms(), frame.epoch());
                self.take(Entry { sequence, stamp, epoch, record }, crc32fast::hash(bytes));
            }
            self.ends.push(end);
            Ok(())
        })
        .map(drop)
    }

    fn take(&mut self, entry: Entry, check: u32) {
        if let doorbuster::domain::model::event::Event::Started(started) = &entry.record.event {
            // One that does not fit is a finding of the witness.
            let _ = self.lives.begin(started.epoch, started.life, entry.sequence);
        }
        let id = OrderId { epoch: entry.epoch, sequence: entry.sequence };
        let text = self.lives.text(id).to_string();
        // The stamp tells two records apart that say the same.
        let check = check ^ crc32fast::hash(&entry.stamp.to_le_bytes());
        let before = self.given.insert(text.clone(), Given { check, kept: true });
        if before.is_some_and(|before| before.check != check) {
            self.twice = Some(text);
        }
        self.entries.push(entry);
    }

    /// The history goes on from before this sequence.
    pub(crate) fn rewind(&mut self, sequence: Sequence) {
        self.entries.retain(|entry| entry.sequence < sequence);
        self.ends.retain(|end| end.sequence < sequence);
        self.settle();
    }

    /// What is known now, without what was taken back.
    pub(crate) fn at_its_end(&self) -> Self {
        let (entries, ends) = (self.entries.clone(), self.ends.clone());
        Self { entries, ends, ..Self::default() }
    }

    /// The history goes on from what was known then.
    pub(crate) fn go_back_to(&mut self, then: &Self) {
        (self.entries, self.ends) = (then.entries.clone(), then.ends.clone());
        self.settle();
    }

    /// Tells anew what is there of all that was given out.
    fn settle(&mut self) {
        self.lives = lives_of(&self.entries);
        self.given.values_mut().for_each(|given| given.kept = false);
        for entry in &self.entries {
            let id = OrderId { epoch: entry.epoch, sequence: entry.sequence };
            if let Some(given) = self.given.get_mut(self.lives.text(id).as_str()) {
                given.kept = true;
            }
        }
    }

    /// Every id that a record ever had, and whether the record is there.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&str, bool)> {
        self.given.iter().map(|(text, given)| (text.as_str(), given.kept))
    }

    /// A record had this id, and is there no more.
    pub(crate) fn is_lost(&self, text: &str) -> bool {
        self.given.get(text).is_some_and(|given| !given.kept)
    }
}
