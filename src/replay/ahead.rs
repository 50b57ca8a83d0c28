//! Reads a journal on a thread of its own, ahead of whoever applies what it holds.
//!
//! Reading, checking and decoding cost about as much as applying, so a replay takes half the time on
//! two cores. Bounded: a few hundred records a bundle, a few bundles ahead. Never judges what it
//! read: an error stands where it was found, behind everything that came before it. Next: `replay`.

use super::ReplayError;
use crate::codec;
use crate::domain::event::Record;
use crate::domain::ids::{Sequence, Stamp};
use doorbuster_journal::{
    FileDisk, Frame, JournalError, Kind, Origin, Scan, VisitError, scan_with,
};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Records or frames in a bundle before it is handed on; a frame is never cut.
const PER_BUNDLE: usize = 256;
/// Bundles that wait to be applied at most.
const BUNDLES_AHEAD: usize = 8;

/// Frames that follow each other.
#[derive(Default)]
pub(super) struct Bundle {
    pub(super) frames: Vec<ReadFrame>,
    /// Those of all its frames, in their order.
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
/// what is wrong behind the last one. `Ok(None)` where `apply` had enough.
pub(super) fn read(
    journal: &FileDisk,
    origin: Origin,
    mut apply: impl FnMut(Bundle) -> Result<(), Option<JournalError>>,
) -> Result<Result<Option<Scan>, JournalError>, ReplayError> {
    thread::scope(|scope| {
        let (bundles, read) = sync_channel(BUNDLES_AHEAD);
        let reader = Reader { bundle: Bundle::default(), bundles };
        let reader = thread::Builder::new()
            .name("journal-reader".to_owned())
            .spawn_scoped(scope, move || reader.scan(journal, origin))
            .map_err(|cause| ReplayError::Thread { cause })?;
        // Leaving the loop early drops the receiving end, which ends the reader.
        let ended = read.into_iter().find_map(|bundle| apply(bundle).err());
        let scanned = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(match ended {
            Some(None) => Ok(None),
            Some(Some(error)) => Err(error),
            None => scanned.map(Some),
        })
    })
}

/// Nobody wants more.
#[derive(Debug, thiserror::Error)]
#[error("enough was read")]
struct Enough;

struct Reader {
    bundle: Bundle,
    bundles: SyncSender<Bundle>,
}

impl Reader {
    fn scan(mut self, journal: &FileDisk, origin: Origin) -> Result<Scan, JournalError> {
        let scanned = scan_with(journal, origin, &mut |frame| self.frame(frame));
        // Also before an error: what stands before it comes first. That nobody wants it is no error.
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
        let room = Bundle { frames: Vec::new(), records: Vec::with_capacity(PER_BUNDLE) };
        let bundle = std::mem::replace(&mut self.bundle, room);
        self.bundles.send(bundle).map_err(|_| Enough)
    }
}
