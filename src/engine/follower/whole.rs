//! A journal that a start would read, open for what the writer sends, and the state behind it.
//!
//! Owns how far both are: stored, synced, settled, applied, in this order. Settled is what the
//! journal vouches for or the writer has told, and only what is synced here counts. Next: `applied`.

use super::applied::Applied;
use super::options::SpareSource;
use crate::domain::model::ids::Sequence;
use crate::domain::state::tables::State;
use crate::engine::recovery::{RecoveryError, resume};
use crate::engine::replay::{DataDirectory, From, Progress, Replayed, replay};
use doorbuster_journal::{
    Disk, FramePlace, FreeSpace, Journal, JournalError, JournalId, Origin, Scan, SnapshotEnd,
    Spare, journal_id, scan, turn_bytes_max,
};
use doorbuster_snapshots::{PassedOver, SnapshotState, list};
use std::time::Duration;

/// Between two looks at a segment that is being made.
const SPARE_PAUSE: Duration = Duration::from_millis(1);
/// The first frames of an epoch are no longer than this, in records and bytes, but after a long
/// stop with millions of holds; then the segment after it takes the rest.
const EPOCH_RECORDS: usize = 256;
const EPOCH_BYTES: usize = 1 << 20;

/// A whole directory.
pub(super) struct Whole<D: Disk> {
    pub(super) journal: Journal<D>,
    disk: D,
    applied: Applied<D>,
    settled: Sequence,
    /// Newer snapshots that could not be used at the start.
    pub(super) passed_over: Vec<PassedOver>,
}

impl<D: Disk> Whole<D> {
    /// Reads a directory: the state up to what its journal vouches for, the rest stays on disk. None
    /// where there is no journal.
    pub(super) fn open<P: DataDirectory<Disk = D> + ?Sized>(
        data: &P,
        segment_bytes: u64,
        spares: SpareSource,
        progress: Progress<'_>,
    ) -> Result<Option<Self>, RecoveryError> {
        let Some(scan) = scan_directory(data)? else { return Ok(None) };
        let Replayed { state, passed_over, .. } =
            replay(data, From::NewestSnapshot, Some(scan.vouched), progress)?;
        let journal = resume(data, segment_bytes, scan)?;
        let whole = Self::with(journal, data.journal()?, Applied::new(state), passed_over);
        whole.started(spares).map(Some)
    }

    /// A journal that has just begun, behind the newest snapshot.
    pub(super) fn begun<P: DataDirectory<Disk = D> + ?Sized>(
        data: &P,
        journal: Journal<D>,
        snapshot: SnapshotEnd,
        spares: SpareSource,
    ) -> Result<Self, RecoveryError> {
        let until = Some(snapshot.sequence);
        let replayed = replay(data, From::NewestSnapshot, until, &mut |_| {})?;
        let applied = Applied::new(replayed.state);
        Self::with(journal, data.journal()?, applied, replayed.passed_over).started(spares)
    }

    fn with(
        journal: Journal<D>,
        disk: D,
        applied: Applied<D>,
        passed_over: Vec<PassedOver>,
    ) -> Self {
        let settled = applied.state().sequence;
        Self { journal, disk, applied, settled, passed_over }
    }

    fn started(mut self, spares: SpareSource) -> Result<Self, RecoveryError> {
        if let SpareSource::Thread(_) = spares {
            self.journal.start_allocator()?;
        }
        Ok(self)
    }

    /// Lets the journal go, to be changed by something else, and opens it again afterwards. What is
    /// applied must still be in it.
    pub(super) fn around<P: DataDirectory<Disk = D> + ?Sized, T>(
        self,
        data: &P,
        (segment_bytes, spares): (u64, SpareSource),
        change: impl FnOnce() -> T,
    ) -> Result<(Self, T), RecoveryError> {
        let Self { journal, disk, mut applied, settled, passed_over } = self;
        journal.close()?;
        let changed = change();
        applied.forget_place();
        let scan = scan_directory(data)?
            .ok_or_else(|| JournalError::Empty { directory: disk.place("") })?;
        let journal = resume(data, segment_bytes, scan)?;
        let whole = Self { journal, disk, applied, settled, passed_over };
        Ok((whole.started(spares)?, changed))
    }

    pub(super) fn state(&self) -> &State {
        self.applied.state()
    }

    /// What is settled as far as this node can know: told by the writer, or by a frame.
    pub(super) fn settled(&self) -> Sequence {
        self.settled.max(self.journal.watermark())
    }

    pub(super) fn store(
        &mut self,
        place: FramePlace,
        bytes: &[u8],
        spares: SpareSource,
    ) -> Result<(), JournalError> {
        loop {
            match (self.journal.copy(place, bytes), spares) {
                (Err(JournalError::NoSpare), SpareSource::Thread(clock)) => {
                    if let Some(failure) = self.journal.take_spare_failure() {
                        return Err(failure);
                    }
                    clock.sleep(SPARE_PAUSE);
                }
                (stored, _) => return stored,
            }
        }
    }

    /// Applies what is settled of what is synced.
    pub(super) fn settle(&mut self, told: Sequence) -> Result<(), JournalError> {
        let settled = self.settled().max(told).min(self.journal.synced());
        self.settled = self.settled.max(settled);
        self.applied.apply_to(&self.disk, self.settled, self.journal.end().place)
    }

    /// Applies all that there is, and waits for room for the first frames of an epoch. What is
    /// applied may be more than is settled: the caller has been made the writer, and it will be.
    pub(super) fn finish(
        mut self,
        spares: SpareSource,
    ) -> Result<(State, Journal<D>, Vec<PassedOver>), JournalError> {
        let all = self.journal.sync()?;
        self.applied.apply_to(&self.disk, all, self.journal.end().place)?;
        if let SpareSource::Thread(clock) = spares {
            let needed = turn_bytes_max(EPOCH_RECORDS, EPOCH_BYTES);
            while is_making(self.journal.free_space(), needed) {
                clock.sleep(SPARE_PAUSE);
                // Looks whether it is ready; nothing is stored of the turn.
                self.journal.begin(self.journal.epoch(), self.journal.stamp_ms());
            }
        }
        Ok((self.applied.into_state(), self.journal, self.passed_over))
    }
}

fn is_making(room: FreeSpace, needed: u64) -> bool {
    room.spare == Spare::Preparing && !room.fits(needed)
}

/// What a journal holds and how it ends; of one that begins behind a snapshot, from there on. Shows
/// nothing to anybody: how much of it may be applied is known only at its end.
fn scan_directory<P: DataDirectory + ?Sized>(data: &P) -> Result<Option<Scan>, RecoveryError> {
    let disk = data.journal()?;
    let Some(id) = journal_id(&disk)? else { return Ok(None) };
    let origin = newest_snapshot(data, id)?.map_or(Origin::Genesis, Origin::Snapshot);
    Ok(Some(scan(&disk, origin)?))
}

/// The end of the newest snapshot, as its header tells.
pub(super) fn newest_snapshot<P: DataDirectory + ?Sized>(
    data: &P,
    id: JournalId,
) -> Result<Option<SnapshotEnd>, RecoveryError> {
    if !data.has_snapshots() {
        return Ok(None);
    }
    let listed = list(&data.snapshots()?, id).map_err(crate::engine::replay::ReplayError::from)?;
    Ok(listed.iter().find_map(|snapshot| match &snapshot.state {
        SnapshotState::Valid(meta) => {
            Some(SnapshotEnd { sequence: meta.sequence, chain: meta.chain })
        }
        _ => None,
    }))
}
