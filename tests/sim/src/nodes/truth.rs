//! What is settled: every frame of it, as it lay where it was settled first.
//!
//! Owns the one history of a run. Never asks a node what it holds: it looks at the disks. Next:
//! `judging`.

use super::machine::Machine;
use crate::disk::SimDisk;
use doorbuster::codec;
use doorbuster::domain::model::ids::Sequence;
use doorbuster_journal::{
    FramePlace, JournalEnd, JournalError, MemoryDisk, Origin, RawTail, SEGMENT_BYTES_MIN, scan_with,
};
use doorbuster_witness::Entry;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::ControlFlow;

/// A frame that is settled.
pub(super) struct Frame {
    pub(super) place: FramePlace,
    pub(super) bytes: Vec<u8>,
    /// The last sequence up to its end.
    pub(super) sequence: Sequence,
}

/// What is settled.
pub(super) struct Truth {
    /// The end of its last record.
    pub(super) end: JournalEnd,
    pub(super) frames: Vec<Frame>,
    /// Frames behind the last record that is settled: a seal may still go.
    pub(super) pending: Vec<(FramePlace, Vec<u8>)>,
    /// Where it is read on, and of which life.
    pub(super) tail: Option<(usize, u64, RawTail<SimDisk>)>,
}

impl Truth {
    pub(super) fn new() -> Self {
        Self { end: JournalEnd::GENESIS, frames: Vec::new(), pending: Vec::new(), tail: None }
    }

    /// Reads on, at the node that says that more is settled.
    pub(super) fn read_on(
        &mut self,
        disk: &SimDisk,
        (place, life): (usize, u64),
        settled: Sequence,
    ) -> Result<(), JournalError> {
        let mut tail = match self.tail.take() {
            Some((of, its, tail)) if (of, its) == (place, life) => tail,
            _ => self.tail_at_the_end(disk)?,
        };
        while self.end.sequence < settled {
            let before = tail.end();
            read_frame(&mut tail, disk, settled, &mut self.pending)?;
            let end = tail.end();
            if end == before {
                break;
            }
            if end.sequence > before.sequence {
                let sequence = end.sequence;
                let frames = self.pending.drain(..);
                let frame = |(place, bytes)| Frame { place, bytes, sequence };
                self.frames.extend(frames.map(frame));
                self.end = end;
            }
        }
        self.tail = Some((place, life, tail));
        Ok(())
    }

    pub(super) fn tail_at_the_end(
        &mut self,
        disk: &SimDisk,
    ) -> Result<RawTail<SimDisk>, JournalError> {
        if self.frames.is_empty() {
            let (tail, header) = RawTail::at_segment_of(disk, 1)?;
            self.pending = vec![(FramePlace { segment: 1, offset: 0 }, header)];
            return Ok(tail);
        }
        match RawTail::at(disk, &self.end) {
            Ok(tail) => {
                self.pending.clear();
                Ok(tail)
            }
            // Its end lies in a segment that a snapshot has replaced; the end mark is known.
            Err(JournalError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                Ok(RawTail::at_segment_of(disk, self.end.sequence + 1)?.0)
            }
            Err(error) => Err(error),
        }
    }

    /// Every record, as the journal of all of this has it.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        let mut segments: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for frame in &self.frames {
            let segment = segments.entry(frame.place.segment).or_default();
            let (start, end) =
                (frame.place.offset as usize, frame.place.offset as usize + frame.bytes.len());
            segment.resize(end.max(SEGMENT_BYTES_MIN as usize), 0);
            segment[start..end].copy_from_slice(&frame.bytes);
        }
        let disk = MemoryDisk::default();
        for (number, bytes) in segments {
            disk.put(&segment_name(number), bytes);
        }
        let mut entries = Vec::new();
        scan_with(&disk, Origin::Genesis, &mut |frame| {
            for (sequence, bytes) in frame.records() {
                let (stamp, epoch) = (frame.stamp_ms(), frame.epoch());
                let record = codec::decode_record(bytes)?;
                entries.push(Entry { sequence, stamp, epoch, record });
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// The first settled frame from this one on that a disk does not hold synced.
    pub(super) fn missing(&self, machine: &Machine, from: usize) -> Option<String> {
        let medium = machine.disk.medium();
        let newest = medium.newest_durable_snapshot();
        for frame in &self.frames[from..] {
            let Frame { place, bytes, sequence } = frame;
            let name = format!("journal/{}", segment_name(place.segment));
            let (start, end) = (place.offset as usize, place.offset as usize + bytes.len());
            let is_there = match medium.durable(&name) {
                Some(stored) => stored.get(start..end) == Some(bytes.as_slice()),
                // What a snapshot holds may go.
                None => newest >= *sequence,
            };
            if !is_there {
                return Some(format!("{place}, up to sequence {sequence}"));
            }
        }
        None
    }
}

pub(super) fn segment_name(number: u64) -> String {
    format!("{number:08}.segment")
}

/// Goes past one frame that is stored, and keeps it with the header before it.
pub(super) fn read_frame(
    tail: &mut RawTail<SimDisk>,
    disk: &SimDisk,
    until: Sequence,
    out: &mut Vec<(FramePlace, Vec<u8>)>,
) -> Result<(), JournalError> {
    let mut is_shown = false;
    let mut header = None;
    tail.read(disk, until, &mut |place, bytes| {
        if is_shown {
            return ControlFlow::Break(());
        }
        if place.offset == 0 {
            header = Some((place, bytes.to_vec()));
            return ControlFlow::Continue(());
        }
        is_shown = true;
        out.extend(header.take());
        out.push((place, bytes.to_vec()));
        ControlFlow::Continue(())
    })
}
