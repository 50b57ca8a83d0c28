//! From a data directory to its state: the newest snapshot that is whole, and the journal after
//! it.
//!
//! Only reads, takes no lock, runs beside a live server; what it then shows is a moment's view.
//! Recovery, the snapshotter and the operator's tools all come through here, so every snapshot and
//! every look at a directory is a recovery drill. Next: `ahead`, `recovery`, `snapshotter`.

mod ahead;
mod apply;
mod directory;

use crate::background::prefault_thread;
use crate::codec::{self, StateReader};
use crate::domain::memory::prefetch::{TOGETHER_MAX, warm};
use crate::domain::model::event::Record;
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::model::lives::Lives;
use crate::domain::state::tables::State;
use ahead::{Bundle, Content, ReadFrame};
pub(crate) use apply::{apply_stored, compare};
pub use directory::{DataDirectory, journal_directory, make_directory, open, snapshot_directory};
use doorbuster_journal::{
    Disk, JournalError, JournalId, Origin, Scan, SnapshotEnd, VisitError, journal_id,
};
use doorbuster_snapshots::{
    Listed, LoadError, Newest, PassedOver, SnapshotError, SnapshotReader, SnapshotState, list,
    newest_valid,
};
use std::io;

/// Why a directory has no state to show.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal is damaged, or cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal cannot stand in for snapshots that are damaged.
    #[error("{cause} What could not be used instead: {snapshots}")]
    BehindSnapshots {
        /// The snapshots that were passed over, and why.
        snapshots: String,
        /// What is wrong with the journal.
        #[source]
        cause: Box<JournalError>,
    },
    /// The snapshots cannot be looked at.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The journal is read on a thread of its own.
    #[error("cannot start the thread that reads the journal: {cause}")]
    Thread {
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// The system said no.
    #[error("cannot {operation} {path}: {cause}")]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        path: String,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// A directory cannot be opened.
    #[error("cannot open {directory}: {cause}")]
    Directory {
        directory: String,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
}

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the newest snapshot that is whole and not beyond the replay's end.
    NewestSnapshot,
    /// At the oldest snapshot there is: as much history as a pruned journal still shows.
    OldestSnapshot,
    /// At the first event.
    Genesis,
}

/// Where a replay ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Where the journal does.
    End,
    /// After the last frame that holds nothing beyond this sequence: where a snapshot may end.
    Frame(Sequence),
    /// After this event, in the middle of a turn if need be. Nothing that is later is used.
    Sequence(Sequence),
    /// After the last event stamped at or before. Nothing that is later is used.
    Stamp(Stamp),
}

impl Until {
    /// A snapshot of this is not beyond the end.
    fn reaches(self, sequence: Sequence, stamp: Stamp) -> bool {
        match self {
            Self::End => true,
            Self::Frame(until) | Self::Sequence(until) => sequence <= until,
            Self::Stamp(until) => stamp <= until,
        }
    }

    fn ends_before(self, frame: &ReadFrame) -> bool {
        match self {
            Self::End => false,
            Self::Frame(until) => frame.last_sequence > until,
            Self::Sequence(until) => frame.first_sequence > until,
            Self::Stamp(until) => frame.stamp > until,
        }
    }
}

/// What a directory holds.
pub struct Replayed {
    /// The state at the end of what was read.
    pub state: State,
    /// Where that is, as a snapshot of it would say; of a replay that ended inside a frame, the end
    /// of the frame before.
    pub end: SnapshotEnd,
    /// The sequence of the snapshot it began at; 0 = at the first event.
    pub snapshot_sequence: Sequence,
    /// How the journal is stored and how it ends; none if the replay ended before.
    pub scan: Option<Scan>,
    /// The journal ends in the seal of an orderly stop.
    pub drained: bool,
    /// Newer snapshots that could not be used.
    pub passed_over: Vec<PassedOver>,
}

/// The lives that the newest snapshot tells that can be read so far; none where there is no such
/// snapshot. What the journal tells of later starts is not among them. For who shows a journal in
/// whatever condition it is.
///
/// # Errors
/// When the directory cannot be looked at.
pub fn lives<P: DataDirectory + ?Sized>(data: &P) -> Result<Lives, ReplayError> {
    let Some(id) = journal_id(&data.journal()?)?.filter(|_| data.has_snapshots()) else {
        return Ok(Lives::new());
    };
    let disk = data.snapshots()?;
    let snapshots = list(&disk, id)?;
    Ok(snapshots.iter().find_map(|snapshot| lives_of(&disk, &snapshot.name)).unwrap_or_default())
}

fn lives_of<D: Disk>(disk: &D, name: &str) -> Option<Lives> {
    let mut snapshot = SnapshotReader::open(disk, name).ok()?;
    let mut lives = codec::LivesReader::default();
    while let Some(block) = snapshot.next_block().ok()? {
        if !lives.take(block).ok()? {
            break;
        }
    }
    Some(lives.finish())
}

fn seed<P: DataDirectory + ?Sized>(data: &P) -> u64 {
    let bytes = data.random();
    u64::from_le_bytes(*bytes.first_chunk().expect("sixteen bytes"))
}

/// Told now and then how far a replay is: the last sequence applied, 0 while a snapshot is read.
/// Called after each small piece of work.
pub type Progress<'p> = &'p mut dyn FnMut(Sequence);

/// Shown each record with the state before it and its stamp.
pub type Watch<'w> = &'w mut dyn FnMut(&State, &Record, Stamp);

/// Reads a data directory up to its end, or to the last frame that ends at or before `until`.
///
/// # Errors
/// When it is damaged, cannot be read, or does not make sense.
pub fn replay<P: DataDirectory + ?Sized>(
    data: &P,
    from: From,
    until: Option<Sequence>,
    progress: Progress<'_>,
) -> Result<Replayed, ReplayError> {
    replay_watched(data, from, until.map_or(Until::End, Until::Frame), progress, None)
}

/// As [`replay`], ending where it is told to, and showing what it applies.
///
/// # Errors
/// As [`replay`].
pub fn replay_watched<P: DataDirectory + ?Sized>(
    data: &P,
    from: From,
    until: Until,
    progress: Progress<'_>,
    watch: Option<Watch<'_>>,
) -> Result<Replayed, ReplayError> {
    let journal = data.journal()?;
    let snapshot = match (from, journal_id(&journal)?) {
        (From::Genesis, _) | (_, None) => Newest { snapshot: None, passed_over: Vec::new() },
        (from, Some(id)) => find_snapshot(data, id, from, until, progress)?,
    };
    let mut replay = Replay::new(State::new(seed(data)), until, progress, watch);
    let mut origin = Origin::Genesis;
    if let Some((verified, state)) = snapshot.snapshot {
        replay.state = state;
        replay.end = SnapshotEnd { sequence: verified.meta.sequence, chain: verified.meta.chain };
        origin = Origin::Snapshot(replay.end);
    }
    let snapshot_sequence = replay.end.sequence;
    let (mut prepared, preparer) = prefault_thread::pair();
    let apply = |bundle: &mut Bundle| {
        prepared.turn(&mut replay.state);
        replay.bundle(bundle)
    };
    let scan = ahead::read(&journal, origin, preparer, apply)?
        .map_err(|error| blame(error, &snapshot.passed_over))?;
    let Replay { state, end, drained, .. } = replay;
    let passed_over = snapshot.passed_over;
    Ok(Replayed { state, end, snapshot_sequence, scan, drained, passed_over })
}

/// A segment may be missing only because the snapshots that made it unnecessary are damaged.
fn blame(error: JournalError, passed_over: &[PassedOver]) -> ReplayError {
    if passed_over.is_empty() || !matches!(error, JournalError::Refused(_)) {
        return error.into();
    }
    let snapshots: Vec<String> =
        passed_over.iter().map(|snapshot| snapshot.why.to_string()).collect();
    ReplayError::BehindSnapshots { snapshots: snapshots.join("; "), cause: Box::new(error) }
}

/// No snapshots at all is an ordinary case: a directory that has none yet.
fn find_snapshot<P: DataDirectory + ?Sized>(
    data: &P,
    id: JournalId,
    from: From,
    until: Until,
    progress: Progress<'_>,
) -> Result<Newest<State>, ReplayError> {
    if !data.has_snapshots() {
        return Ok(Newest { snapshot: None, passed_over: Vec::new() });
    }
    let disk = data.snapshots()?;
    let mut oldest = None;
    if from == From::OldestSnapshot {
        let whole = |snapshot: &Listed| matches!(snapshot.state, SnapshotState::Valid(_));
        oldest = list(&disk, id)?
            .iter()
            .rfind(|snapshot| whole(snapshot))
            .map(|snapshot| snapshot.sequence);
    }
    let mut unwanted = Vec::new();
    let mut newest = newest_valid(&disk, id, |snapshot| {
        let (sequence, stamp) = (snapshot.meta().sequence, snapshot.meta().stamp_ms);
        let wanted = oldest.is_none_or(|oldest| sequence == oldest);
        if !wanted || !until.reaches(sequence, stamp) {
            unwanted.push(sequence);
            return Err("it is newer than what was asked for".into());
        }
        load(snapshot, seed(data), progress)
    })?;
    newest.passed_over.retain(|snapshot| !unwanted.contains(&snapshot.sequence));
    Ok(newest)
}

fn load<D: Disk>(
    snapshot: &mut SnapshotReader<D>,
    seed: u64,
    progress: Progress<'_>,
) -> Result<State, LoadError> {
    let mut reader = StateReader::new(seed);
    while let Some(block) = snapshot.next_block()? {
        for piece in block.chunks(SNAPSHOT_PIECE_BYTES) {
            reader.take(piece)?;
            progress(0);
        }
    }
    let state = reader.finish()?;
    // The digest is that of the encoding, which the payload is.
    if snapshot.payload_sha256() != snapshot.meta().digest
        || state.sequence != snapshot.meta().sequence
    {
        return Err("what it holds is not what its header says".into());
    }
    Ok(state)
}

/// Why no more is applied.
enum Stop {
    /// This is where it was asked to end.
    Enough,
    /// What was read does not make sense.
    Bad(VisitError),
}

/// Frames between two reports of progress.
const FRAMES_PER_REPORT: u32 = 16;
/// How much of a snapshot is read between two, in bytes.
const SNAPSHOT_PIECE_BYTES: usize = 64 * 1024;

/// Applies what a scan shows.
struct Replay<'p, 'w> {
    state: State,
    end: SnapshotEnd,
    drained: bool,
    until: Until,
    progress: Progress<'p>,
    watch: Option<Watch<'w>>,
    frames: u32,
}

impl<'p, 'w> Replay<'p, 'w> {
    fn new(state: State, until: Until, progress: Progress<'p>, watch: Option<Watch<'w>>) -> Self {
        let end = SnapshotEnd { sequence: 0, chain: 0 };
        Self { state, end, drained: false, until, progress, watch, frames: 0 }
    }

    /// `Err(None)` = enough.
    fn bundle(&mut self, bundle: &mut Bundle) -> Result<(), Option<JournalError>> {
        let mut records = Records { records: &bundle.records, next: 0 };
        for frame in bundle.frames.drain(..) {
            let first_sequence = frame.first_sequence;
            self.frame(frame, &mut records).map_err(|stop| match stop {
                Stop::Enough => None,
                Stop::Bad(cause) => Some(JournalError::Visitor { first_sequence, cause }),
            })?;
        }
        Ok(())
    }

    fn frame(&mut self, frame: ReadFrame, records: &mut Records<'_>) -> Result<(), Stop> {
        let ends_before = self.until.ends_before(&frame);
        let (count, broken) = match frame.content {
            Content::Totals(totals) => return self.compare(&totals).map_err(Stop::Bad),
            Content::Records(count, broken) => (count, broken),
        };
        if ends_before {
            return Err(Stop::Enough);
        }
        for sequence in (frame.first_sequence..).take(count) {
            self.stop_at_sequence()?;
            let record = records.next(&mut self.state);
            self.record(sequence, record, frame.stamp).map_err(Stop::Bad)?;
        }
        if let Some(broken) = broken {
            self.stop_at_sequence()?;
            return Err(Stop::Bad(broken));
        }
        self.end = SnapshotEnd { sequence: frame.last_sequence, chain: frame.checksum };
        self.drained = false;
        self.frames += 1;
        if self.frames.is_multiple_of(FRAMES_PER_REPORT) {
            (self.progress)(frame.last_sequence);
        }
        Ok(())
    }

    fn stop_at_sequence(&self) -> Result<(), Stop> {
        let enough = self.until == Until::Sequence(self.state.sequence);
        if enough { Err(Stop::Enough) } else { Ok(()) }
    }

    fn record(
        &mut self,
        sequence: Sequence,
        record: &Record,
        stamp: Stamp,
    ) -> Result<(), VisitError> {
        let follows = sequence == self.state.sequence + 1;
        if let (Some(watch), true) = (&mut self.watch, follows) {
            watch(&self.state, record, stamp);
        }
        apply_stored(&mut self.state, sequence, record, stamp)
    }

    fn compare(&mut self, totals: &[u8]) -> Result<(), VisitError> {
        self.drained = compare(&self.state, totals)?;
        Ok(())
    }
}

/// The records of a bundle, one after the other.
struct Records<'b> {
    records: &'b [Record],
    next: usize,
}

impl<'b> Records<'b> {
    fn next(&mut self, state: &mut State) -> &'b Record {
        if self.next.is_multiple_of(TOGETHER_MAX) {
            warm(state, self.records[self.next..].iter().map(Into::into));
        }
        self.next += 1;
        &self.records[self.next - 1]
    }
}
