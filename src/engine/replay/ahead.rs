//! Reads a journal on a thread of its own, ahead of the thread that applies what it holds.
//!
//! Reading, checking and decoding cost about as much as applying, so a replay takes half the time
//! on two cores. Bounded: two thousand records a bundle, a few bundles ahead. Never judges what it
//! read: an error stands where it was found, after everything that came before it. Next: `replay`.

use super::ReplayError;
use crate::background::prefault_thread::Preparer;
use crate::codec;
use crate::domain::model::event::Record;
use crate::domain::model::ids::{Sequence, Stamp};
use doorbuster_journal::{Disk, Frame, JournalError, Kind, Origin, Scan, VisitError, scan_with};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Records or frames in a bundle before it is handed on; a frame is never cut. Handing one on
/// mostly wakes the other thread, which costs more than applying a record; and what does not fit a
/// cache has to be waited for. (Replays of a million orders, 32 each: 0.39 s with 512, 0.33 with
/// 1,024, 0.32 with 2,048, 0.36 with 4,096.)
const PER_BUNDLE: usize = 2048;
/// Bundles that wait to be applied at most.
const BUNDLES_AHEAD: usize = 3;

/// Frames that follow each other.
#[derive(Default)]
pub(super) struct Bundle {
    pub(super) frames: Vec<ReadFrame>,
    /// The records of all its frames, in their order.
    pub(super) records: Vec<Record>,
}

/// A frame of records or a seal, as read.
pub(super) struct ReadFrame {
    pub(super) first_sequence: Sequence,
    /// The last sequence it says it holds.
    pub(super) last_sequence: Sequence,
    pub(super) stamp: Stamp,
    pub(super) checksum: u32,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// So many records of the bundle; and, where the next one does not decode, why.
    Records(usize, Option<VisitError>),
    /// What a seal says of the state.
    Totals(Vec<u8>),
}

/// Shows a journal to `apply`, bundle by bundle, until that has enough or an error of its own.
///
/// # Errors
/// The first thing that is wrong, in the order of the journal: what `apply` says of a bundle, or
/// what is wrong after the last one. `Ok(None)` where `apply` had enough.
pub(super) fn read<D: Disk>(
    journal: &D,
    origin: Origin,
    preparer: Preparer,
    mut apply: impl FnMut(&mut Bundle) -> Result<(), Option<JournalError>>,
) -> Result<Result<Option<Scan>, JournalError>, ReplayError> {
    thread::scope(|scope| {
        let (bundles, read) = sync_channel(BUNDLES_AHEAD);
        let (done, applied) = sync_channel(BUNDLES_AHEAD);
        let reader = Reader { bundle: Bundle::default(), bundles, applied, preparer };
        let reader = thread::Builder::new()
            .name("journal-reader".to_owned())
            .spawn_scoped(scope, move || reader.scan(journal, origin))
            .map_err(|cause| ReplayError::Thread { cause })?;
        // Leaving the loop early drops the receiving end, which ends the reader.
        let ended = read.into_iter().find_map(|mut bundle| {
            let ended = apply(&mut bundle).err();
            // Its memory is filled again. That there is enough of it under way is no error.
            let _ = done.try_send(bundle);
            ended
        });
        let scanned = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(match ended {
            Some(None) => Ok(None),
            Some(Some(error)) => Err(error),
            None => scanned.map(Some),
        })
    })
}

/// The reader has read enough.
#[derive(Debug, thiserror::Error)]
#[error("enough was read")]
struct Enough;

struct Reader {
    bundle: Bundle,
    bundles: SyncSender<Bundle>,
    /// Bundles that were applied.
    applied: Receiver<Bundle>,
    /// Makes memory ready for the thread that applies: reading alone leaves much of the time.
    preparer: Preparer,
}

impl Reader {
    fn scan<D: Disk>(mut self, journal: &D, origin: Origin) -> Result<Scan, JournalError> {
        let scanned = scan_with(journal, origin, &mut |frame| self.frame(frame));
        // Also before an error: what stands before it comes first. That nobody wants it is no
        // error.
        let _ = self.hand_on();
        scanned
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), VisitError> {
        let content = match (frame.totals(), frame.kind()) {
            (Some(totals), _) => Content::Totals(totals.to_vec()),
            (None, Kind::Records) => self.decode(frame),
            (None, _) => return Ok(()),
        };
        self.bundle.frames.push(ReadFrame {
            first_sequence: frame.first_sequence(),
            last_sequence: frame.first_sequence() + u64::from(frame.count()) - 1,
            stamp: frame.stamp_ms(),
            checksum: frame.checksum(),
            content,
        });
        let full = self.bundle.records.len().max(self.bundle.frames.len()) >= PER_BUNDLE;
        if full { self.hand_on().map_err(Into::into) } else { Ok(()) }
    }

    fn decode(&mut self, frame: &Frame<'_>) -> Content {
        let before = self.bundle.records.len();
        let mut broken = None;
        for (sequence, bytes) in frame.records() {
            match codec::decode_record(bytes) {
                Ok(record) => self.bundle.records.push(record),
                Err(error) => {
                    broken = Some(format!("sequence {sequence}: {error}").into());
                    break;
                }
            }
        }
        Content::Records(self.bundle.records.len() - before, broken)
    }

    fn hand_on(&mut self) -> Result<(), Enough> {
        let mut room = self.applied.try_recv().unwrap_or_default();
        room.frames.clear();
        room.records.clear();
        let bundle = std::mem::replace(&mut self.bundle, room);
        self.preparer.turn();
        self.bundles.send(bundle).map_err(|_| Enough)
    }
}

#[cfg(test)]
mod tests {
    use crate::codec;
    use crate::domain::model::event::{Event, Record, RefusalCount, Started};
    use crate::domain::model::ids::{OrderId, Sequence, SkuId};
    use crate::domain::model::sku::RefusalReason;
    use crate::engine::replay::{From, ReplayError, journal_directory, replay};
    use doorbuster_journal::{
        FileDisk, Journal, JournalError, JournalId, Options, SEGMENT_BYTES_MIN,
    };
    use std::fs;
    use std::path::Path;

    /// More than one bundle.
    const RECORDS: Sequence = 3_000;

    fn mark(sequence: Sequence) -> String {
        format!("mark-{sequence:08}")
    }

    /// A frame each, synced, so that each vouches for those before it.
    fn write(data: &Path, unfit: Option<Sequence>) {
        fs::create_dir(journal_directory(data)).expect("a directory of ours");
        let disk = FileDisk::open(journal_directory(data)).expect("it is there");
        let options = Options { segment_bytes: SEGMENT_BYTES_MIN };
        let mut journal =
            Journal::create(disk, options, JournalId([7; 16])).expect("there is room");
        for sequence in 1..=RECORDS {
            let event = if sequence == 1 {
                let hash_key = [7; 16];
                let lost_from = None;
                Event::Started(Started {
                    epoch: 1,
                    hash_key,
                    answers_before_sync: false,
                    lost_from,
                    life: None,
                })
            } else if Some(sequence) == unfit {
                Event::OrderConfirmed(OrderId { epoch: 1, sequence: 1 })
            } else {
                let sku = SkuId::parse(&mark(sequence)).expect("an id");
                let reason = RefusalReason::SoldOut;
                Event::RefusalsCounted(vec![RefusalCount { sku, reason, count: 1 }])
            };
            let record = Record { origin: None, event };
            journal.begin(1, 1_000);
            journal.push(|bytes| codec::encode_record(&record, bytes)).expect("there is room");
            journal.finish().expect("there is room");
            if sequence.is_multiple_of(100) {
                journal.sync().expect("the disk works");
            }
        }
        journal.close().expect("no allocator was started");
    }

    fn damage(data: &Path, sequence: Sequence) {
        let directory = fs::read_dir(journal_directory(data)).expect("a directory of ours");
        let mark = mark(sequence);
        for entry in directory {
            let path = entry.expect("it reads").path();
            let mut bytes = fs::read(&path).expect("a segment");
            if let Some(at) = bytes.windows(mark.len()).position(|part| part == mark.as_bytes()) {
                bytes[at] ^= 0x20;
                return fs::write(&path, bytes).expect("a segment of ours");
            }
        }
        panic!("no segment holds {mark}");
    }

    fn replayed(
        unfit: Option<Sequence>,
        damaged: Option<Sequence>,
    ) -> Result<Sequence, ReplayError> {
        let data = tempfile::tempdir().expect("a directory");
        write(data.path(), unfit);
        if let Some(sequence) = damaged {
            damage(data.path(), sequence);
        }
        replay(data.path(), From::Genesis, None, &mut |_| {})
            .map(|replayed| replayed.state.sequence)
    }

    /// Of two errors the one that stands first in the journal is told. The reader finds the damage
    /// while bundles before it still wait, whatever the two are up to.
    #[test]
    fn the_first_error_in_the_journal_is_told() {
        assert_eq!(replayed(None, None).expect("nothing is wrong"), RECORDS);
        for (unfit, damaged) in [(700, 701), (700, 760), (700, 2_800), (3, 4)] {
            match replayed(Some(unfit), Some(damaged)) {
                Err(ReplayError::Journal(JournalError::Visitor { first_sequence, .. })) => {
                    assert_eq!(first_sequence, unfit);
                }
                other => panic!("{unfit}, {damaged}: {other:?}"),
            }
        }
        for (damaged, unfit) in [(700, 701), (700, 2_800), (3, 4)] {
            match replayed(Some(unfit), Some(damaged)) {
                Err(ReplayError::Journal(JournalError::Refused(refusal))) => {
                    assert!(refusal.to_string().contains(&damaged.to_string()), "{refusal}");
                }
                other => panic!("{damaged}, {unfit}: {other:?}"),
            }
        }
    }
}
