//! The journal as it was read bit by bit while it grew: segments go, this stays.
//!
//! Owns the records seen so far. Never reads what the server does not yet call synced. Next:
//! `world`.

use crate::disk::SimDisk;
use doorbuster::codec;
use doorbuster::domain::ids::Sequence;
use doorbuster_journal::{ImageEnd, JournalError, Origin, scan_with};
use doorbuster_witness::Entry;

/// All records, from the first.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// Where the frames end.
    ends: Vec<ImageEnd>,
}

impl History {
    /// Reads on, up to this sequence.
    pub(crate) fn read_on(&mut self, disk: &SimDisk, until: Sequence) -> Result<(), JournalError> {
        let origin = self.ends.last().map_or(Origin::Genesis, |end| Origin::Image(*end));
        let (entries, ends) = (&mut self.entries, &mut self.ends);
        scan_with(&disk.within("journal"), origin, &mut |frame| {
            let Some(end) = frame.image_end().filter(|end| end.sequence <= until) else {
                return Ok(());
            };
            for (sequence, bytes) in frame.records() {
                let record = codec::decode_record(bytes)?;
                let (stamp, epoch) = (frame.stamp_ms(), frame.epoch());
                entries.push(Entry { sequence, stamp, epoch, record });
            }
            ends.push(end);
            Ok(())
        })
        .map(drop)
    }

    /// The history goes on from before this sequence.
    pub(crate) fn rewind(&mut self, sequence: Sequence) {
        self.entries.retain(|entry| entry.sequence < sequence);
        self.ends.retain(|end| end.sequence < sequence);
    }
}
