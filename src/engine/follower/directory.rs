//! What is asked of a directory that follows: open, compare, cut, store, sync, settle, begin, and
//! be made the writer's.
//!
//! Owns in which order these may come, and what the cursors show of each. Never decides whom to
//! follow, where to cut, or that this node writes: that is `cluster::role`. Next: `whole`.

use super::bootstrap::{Bootstrap, BootstrapStart};
use super::discard;
use super::error::FollowerError;
use super::options::FollowerOptions;
use super::whole::{Whole, newest_snapshot};
use crate::config::Config;
use crate::domain::model::ids::Sequence;
use crate::domain::model::settings::Settings;
use crate::domain::state::tables::State;
use crate::engine::recovery::{Begun, EpochPlan, LastRecord, NewEpoch, Recovered, RecoveryError};
use crate::engine::replay::{DataDirectory, Progress};
use crate::ring::CopyProgress;
use crate::shared::clock::Clock;
use doorbuster_journal::{
    CutLimits, CutTail, Disk, FramePlace, JournalEnd, JournalError, JournalHistory, JournalId, cut,
};

/// A data directory that follows another machine's.
pub struct Follower<P: DataDirectory> {
    data: P,
    options: FollowerOptions<P::Disk>,
    progress: CopyProgress,
    stage: Stage<P>,
}

enum Stage<P: DataDirectory> {
    Empty,
    Begins(Bootstrap<P::Disk>),
    Whole(Box<Whole<P::Disk>>),
    /// A step failed in the middle.
    Failed,
}

impl<P: DataDirectory> Follower<P> {
    /// Reads the directory, whose parts are made: the state up to what the journal vouches for as
    /// settled, the tail stays on disk only. One without a journal is fine.
    ///
    /// # Errors
    /// When the journal is damaged, or the disk refuses. Nothing was lost by trying.
    pub fn open(
        data: P,
        options: FollowerOptions<P::Disk>,
        progress: Progress<'_>,
    ) -> Result<Self, RecoveryError> {
        discard::go_on(&data)?;
        let (bytes, spares) = (options.segment_bytes, options.spares);
        let stage = match Whole::open(&data, bytes, spares, progress)? {
            Some(whole) => Stage::Whole(Box::new(whole)),
            None => Stage::Empty,
        };
        let progress = CopyProgress::of(options.cursors.clone());
        let mut follower = Self { data, options, progress, stage };
        follower.show();
        follower.begin_background();
        Ok(follower)
    }

    fn whole(&self) -> Option<&Whole<P::Disk>> {
        match &self.stage {
            Stage::Whole(whole) => Some(whole),
            _ => None,
        }
    }

    /// Whose journal it holds; none where it has none yet.
    #[must_use]
    pub fn journal_id(&self) -> Option<JournalId> {
        self.whole().map(|whole| whole.journal.id())
    }

    /// What another journal compares with its own.
    #[must_use]
    pub fn history(&self) -> JournalHistory {
        self.whole().map_or_else(
            || JournalHistory { epochs: Vec::new(), end: JournalEnd::GENESIS },
            |whole| whole.journal.history(),
        )
    }

    /// What is settled as far as this node knows. Nothing up to here is ever cut.
    #[must_use]
    pub fn settled(&self) -> Sequence {
        self.whole().map_or(0, Whole::settled)
    }

    /// Where the next frame goes, and what it continues.
    #[must_use]
    pub fn end(&self) -> JournalEnd {
        self.whole().map_or(JournalEnd::GENESIS, |whole| whole.journal.end())
    }

    /// The highest sequence that survives a power cut here.
    #[must_use]
    pub fn synced(&self) -> Sequence {
        self.whole().map_or(0, |whole| whole.journal.synced())
    }

    /// The epoch of the last frame; 0 without any.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.whole().map_or(0, |whole| whole.journal.epoch())
    }

    /// The state, as far as it is applied: what was settled at the last call of `settle`. None
    /// where there is no journal yet.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.whole().map(Whole::state)
    }

    /// The directory.
    #[must_use]
    pub fn data(&self) -> &P {
        &self.data
    }

    /// Cuts the journal back to an end that it had, where the history of the writer of `epoch`
    /// begins to differ. What goes is set aside. Gives nothing where it ends there already.
    ///
    /// # Errors
    /// [`JournalError::NotATail`] where a snapshot, a frame or the writer has said that more is
    /// settled, and as [`cut`]: nothing was changed then.
    pub fn cut_to(
        &mut self,
        epoch: u32,
        end: &JournalEnd,
    ) -> Result<Option<CutTail>, FollowerError> {
        if self.end() == *end {
            return Ok(None);
        }
        let held = self.settled();
        if end.sequence < held {
            let reason = "the writer, or the journal, says that clients have answers up to";
            return Err(JournalError::NotATail { sequence: end.sequence, held, reason }.into());
        }
        let whole = self.take_whole()?;
        self.options.background.pause();
        let reopened = (self.options.segment_bytes, self.options.spares);
        let data = &self.data;
        let bytes_max = self.options.set_aside_bytes_max;
        let (whole, tail) =
            whole.around(data, reopened, || cut_tail(data, epoch, end, bytes_max))?;
        self.stage = Stage::Whole(Box::new(whole));
        self.show();
        self.begin_background();
        Ok(Some(tail?))
    }

    fn take_whole(&mut self) -> Result<Whole<P::Disk>, FollowerError> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Whole(whole) => Ok(*whole),
            other => {
                self.stage = other;
                Err(self.no_journal())
            }
        }
    }

    fn no_journal(&self) -> FollowerError {
        match self.stage {
            Stage::Failed => FollowerError::Failed,
            _ => FollowerError::NoJournal,
        }
    }

    /// Stores what a [`RawTail`](doorbuster_journal::RawTail) of the writer's journal showed: a
    /// frame, or the header page of a segment. Does not sync.
    ///
    /// A directory that [begins](Self::begin_bootstrap) takes the header page of the segment in
    /// which its snapshot ends first, and then its frames; with the end of the snapshot it is whole.
    ///
    /// # Errors
    /// As [`Journal::copy`](doorbuster_journal::Journal::copy). Where no segment could be made, as
    /// on a full disk, the same call may succeed later.
    pub fn store(&mut self, place: FramePlace, bytes: &[u8]) -> Result<(), FollowerError> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Whole(mut whole) => {
                let stored = whole.store(place, bytes, self.options.spares);
                self.stage = Stage::Whole(whole);
                Ok(stored?)
            }
            Stage::Begins(bootstrap) => {
                let bytes_of = self.options.segment_bytes;
                let bootstrap = bootstrap.store(&self.data, bytes_of, (place, bytes))?;
                self.go_on_beginning(bootstrap)
            }
            other => {
                self.stage = other;
                Err(self.no_journal())
            }
        }
    }

    fn go_on_beginning(&mut self, bootstrap: Bootstrap<P::Disk>) -> Result<(), FollowerError> {
        match bootstrap.finished()? {
            Err(bootstrap) => self.stage = Stage::Begins(bootstrap),
            Ok((journal, snapshot)) => {
                let whole = Whole::begun(&self.data, journal, snapshot, self.options.spares)?;
                self.stage = Stage::Whole(Box::new(whole));
                self.show();
                self.begin_background();
            }
        }
        Ok(())
    }

    /// Makes all that was stored durable, and gives the highest sequence that is.
    ///
    /// # Errors
    /// When the disk fails; then only a start can tell what it holds.
    pub fn sync(&mut self) -> Result<Sequence, FollowerError> {
        let synced = match &mut self.stage {
            Stage::Whole(whole) => whole.journal.sync()?,
            Stage::Empty | Stage::Begins(_) => 0,
            Stage::Failed => return Err(FollowerError::Failed),
        };
        self.show();
        Ok(synced)
    }

    /// Takes what the writer says is settled. What of it is synced here is applied, and shown to
    /// whoever folds snapshots.
    ///
    /// # Errors
    /// When the files cannot be read, or a record or a seal does not fit the state: this node does
    /// not hold what the writer does, and must not count.
    pub fn settle(&mut self, settled: Sequence) -> Result<(), FollowerError> {
        if let Stage::Whole(whole) = &mut self.stage {
            let applied = whole.settle(settled);
            if applied.is_err() {
                self.stage = Stage::Failed;
            }
            applied?;
            self.show();
        }
        Ok(())
    }

    /// Begins a journal in a directory that has none. One that has a journal gives it up first:
    /// only for one that was compared with the writer's, and whose next frame the writer no longer
    /// has.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin_bootstrap(&mut self, start: BootstrapStart) -> Result<(), FollowerError> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Whole(whole) => {
                self.options.background.pause();
                whole.journal.close()?;
                discard::discard(&self.data)?;
            }
            Stage::Failed => return Err(FollowerError::Failed),
            // What was begun before leaves nothing.
            Stage::Empty | Stage::Begins(_) => {}
        }
        self.stage = Stage::Begins(Bootstrap::begin(&self.data, start)?);
        Ok(())
    }

    /// Takes the next bytes of the snapshot's file.
    ///
    /// # Errors
    /// When more come than were announced, none was begun, or the disk refuses.
    pub fn snapshot_piece(&mut self, bytes: &[u8]) -> Result<(), FollowerError> {
        match &mut self.stage {
            Stage::Begins(bootstrap) => bootstrap.snapshot_piece(bytes),
            _ => Err(FollowerError::NoSnapshot),
        }
    }

    /// The snapshot has come: it is read back and gets its name.
    ///
    /// # Errors
    /// When it is not whole, or of another journal.
    pub fn finish_snapshot(&mut self) -> Result<(), FollowerError> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Begins(bootstrap) => {
                self.stage = Stage::Empty;
                self.stage = Stage::Begins(bootstrap.finish_snapshot()?);
                Ok(())
            }
            other => {
                self.stage = other;
                Err(FollowerError::NoSnapshot)
            }
        }
    }

    /// A takeover is a start: the rest of the own log is applied, and the epoch that the register
    /// granted is begun, as a start alone begins one. Answers from `lost_from` on may be lost: where
    /// an operator has made this node the writer, or copies were not waited for.
    ///
    /// # Errors
    /// As [`recover`](crate::engine::recovery::recover); without a journal there is nothing to go
    /// on from.
    pub fn promote(
        self,
        epoch: u32,
        lost_from: Option<Sequence>,
        (rules, config): (&Settings, &Config),
        clock: Clock,
    ) -> Result<Recovered<P::Disk>, RecoveryError> {
        let Self { data, options, stage, .. } = self;
        let Stage::Whole(whole) = stage else {
            return Err(JournalError::Empty { directory: data.journal()?.place("") }.into());
        };
        let (state, journal, passed_over) = whole.finish(options.spares)?;
        let last = LastRecord { sequence: journal.appended(), stamp_ms: journal.stamp_ms() };
        let granted = (clock, NewEpoch::Granted(epoch));
        let plan = EpochPlan::new(&data, (&state, last, lost_from), config, granted)?;
        let Begun { state, journal, stamps, replayed, lost_from } =
            plan.begin(state, journal, rules, config)?;
        let snapshot = newest_snapshot(&data, journal.id())?;
        Ok(Recovered {
            state,
            journal,
            stamps,
            replayed,
            snapshot_sequence: snapshot.map_or(0, |snapshot| snapshot.sequence),
            dropped: None,
            lost_from,
            passed_over,
        })
    }

    /// Shows how far the journal is. What is settled counts as copied: it is what may be folded.
    fn show(&mut self) {
        let Stage::Whole(whole) = &self.stage else { return };
        let (appended, synced) = (whole.journal.appended(), whole.journal.synced());
        let settled = whole.state().sequence;
        let cursors = self.progress.cursors();
        cursors.publish_journal_bytes(whole.journal.bytes());
        cursors.publish(appended, synced, synced);
        self.progress.publish(settled);
    }

    fn begin_background(&mut self) {
        if let Stage::Whole(whole) = &self.stage {
            self.options.background.begin(whole.journal.id(), whole.journal.pruner());
        }
    }
}

/// Cuts the tail off, with everything that goes set aside by the name of the cut.
fn cut_tail<P: DataDirectory>(
    data: &P,
    epoch: u32,
    end: &JournalEnd,
    set_aside_bytes_max: u64,
) -> Result<CutTail, FollowerError> {
    let disk = data.journal()?;
    let id = doorbuster_journal::journal_id(&disk)?.ok_or(FollowerError::NoJournal)?;
    let snapshot = newest_snapshot(data, id)?;
    let snapshot_sequence = snapshot.map_or(0, |snapshot| snapshot.sequence);
    let aside = data.set_aside(&format!("{epoch}-{}", end.sequence))?;
    Ok(cut(&disk, &aside, end, CutLimits { snapshot_sequence, set_aside_bytes_max })?)
}
