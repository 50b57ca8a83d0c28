//! From a data directory to a writer that may serve: lock, replay, store again, start.
//!
//! Nothing is served before everything that was visible is durable, and before the new epoch's
//! start is: a key that is answered again must not be lost by the next power cut. The only caller
//! of `Journal::resume`, which drops torn tails; a tail that another machine's history replaces is
//! for the journal's `cut`. Next: `replay`, `writer`.

mod directories;
mod lock;

pub use lock::{Lock, lock};

use crate::codec;
use crate::config::Config;
use crate::domain::model::event::{Event, Record, Started};
use crate::domain::model::ids::Sequence;
use crate::domain::model::lives::Life;
use crate::domain::model::settings::{Caps, Settings};
use crate::domain::rules::apply::apply;
use crate::domain::rules::sweep;
use crate::domain::state::tables::State;
use crate::engine::replay::{
    DataDirectory, From, Progress, ReplayError, Replayed, journal_directory, replay,
    snapshot_directory,
};
use crate::shared::clock::{Clock, ClockError, Stamps};
use crate::testing::failpoints::{self, Failpoint};
use directories::make_directory;
use doorbuster_journal::{Disk, Dropped, FileDisk, Journal, JournalError, JournalId, Options};
use doorbuster_snapshots::PassedOver;
use std::io;

/// A life is drawn so often at most. One draw in eleven thousand is all digits; one that was drawn
/// before is not to be expected in a million starts.
const LIFE_DRAWS_MAX: u32 = 100;

/// Why a start is refused.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Another process serves this directory already.
    #[error("{directory} is in use by another process: two must never write one journal")]
    Locked {
        /// The data directory.
        directory: String,
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
    /// The journal cannot be continued.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The directory cannot be read back.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The tables cannot be made.
    #[error(
        "the tables' caps ask for {bytes} bytes of address space, which the system does not give: \
         lower caps.orders, caps.keys, caps.uses or caps.users"
    )]
    Memory { bytes: u64 },
    /// What the system calls random is not.
    #[error(
        "the system's random numbers repeat: {LIFE_DRAWS_MAX} of them gave no new life, without \
         which ids would be given out twice"
    )]
    Random,
    /// The directory is ahead of what was granted.
    #[error("epoch {granted} was granted to write in, and the journal holds epoch {last} already")]
    EpochPast {
        /// By the arbiter.
        granted: u32,
        /// The journal's last.
        last: u32,
    },
    /// The wall clock is not to be trusted.
    #[error(transparent)]
    Clock(#[from] ClockError),
}

/// Which epoch a start begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewEpoch {
    /// One more than the last: no other machine writes this journal.
    Next,
    /// The one that an arbiter granted to this process alone. It skips those of processes that
    /// ended before they wrote.
    Granted(u32),
}

/// A writer's state and journal, ready to serve.
pub struct Recovered<D: Disk = FileDisk> {
    /// With this epoch's start applied.
    pub state: State,
    /// Synced, ready to append.
    pub journal: Journal<D>,
    /// At or past the state's stamp.
    pub stamps: Stamps,
    /// Events that the directory held.
    pub replayed: Sequence,
    /// The sequence of the snapshot that the state was put together from; 0 = from the first event.
    pub snapshot_sequence: Sequence,
    /// A tail that no answer rested on, and that is gone now.
    pub dropped: Option<Dropped>,
    /// In a mode that answers before the sync: answers from here on, if there were any, are lost.
    pub lost_from: Option<Sequence>,
    /// Newer snapshots that could not be used.
    pub passed_over: Vec<PassedOver>,
}

/// Brings a locked directory back to where it was, and starts the next epoch in it.
///
/// # Errors
/// When the journal is damaged, or the disk or the clock refuses. Nothing was lost by trying.
pub fn recover(
    lock: &Lock,
    rules: &Settings,
    config: &Config,
    clock: Clock,
    progress: Progress<'_>,
) -> Result<Recovered, RecoveryError> {
    failpoints::hold(Failpoint::Recovery, &clock);
    check_memory(&rules.caps)?;
    make_directory(&journal_directory(&config.data))?;
    lock.hold_journal(&journal_directory(&config.data))?;
    make_directory(&snapshot_directory(&config.data))?;
    recover_in(&config.data, rules, config, (clock, NewEpoch::Next), progress)
}

/// As [`recover`], in a directory that is made and that no other process uses, whatever it is on;
/// where that is, the settings are not asked.
///
/// # Errors
/// As [`recover`].
pub fn recover_in<P: DataDirectory + ?Sized>(
    data: &P,
    rules: &Settings,
    config: &Config,
    (clock, granted): (Clock, NewEpoch),
    progress: Progress<'_>,
) -> Result<Recovered<P::Disk>, RecoveryError> {
    let Replayed { state, snapshot_sequence, scan, drained, passed_over, .. } =
        replay(data, From::NewestSnapshot, None, progress)?;
    let scan = scan.expect("a replay without an end in mind reads to the end");
    let epoch = granted.after(state.epoch)?;
    let last_stamp = (scan.last_sequence > 0).then_some(state.stamp.max(scan.last_stamp_ms));
    // Before anything is written: a refused clock leaves the directory as it was.
    let mut stamps = Stamps::start(clock, clock.wall_ms(), last_stamp, config.accept_clock)?;
    // In a mode that answers before the sync, an unclean stop may have lost answered records
    // after the last visible one.
    let unclean = state.epoch > 0 && !drained;
    let lost_from = (unclean && state.answers_before_sync).then_some(scan.last_sequence + 1);
    let dropped = scan.dropped.clone();
    let drawn =
        Drawn { epoch, hash_key: data.random(), life: draw_life(&state, || data.random())? };
    let disk = data.journal()?;
    let options = Options { segment_bytes: config.segment_bytes };
    let mut journal = match scan.id {
        None => Journal::create(disk, options, JournalId(data.random())),
        Some(_) => Journal::resume(disk, options, scan),
    }?;
    if let NewEpoch::Granted(_) = granted {
        // What the copies hold of the tail is not known yet, and the frames of the start must not
        // vouch for it.
        journal.set_copied(journal.watermark());
    }
    let replayed = state.sequence;
    let mut start = Start { state, journal, now: stamps.now() };
    start.epoch(rules, config, lost_from, drawn)?;
    let Start { state, journal, .. } = start;
    Ok(Recovered {
        state,
        journal,
        stamps,
        replayed,
        snapshot_sequence,
        dropped,
        lost_from,
        passed_over,
    })
}

impl NewEpoch {
    fn after(self, last: u32) -> Result<u32, RecoveryError> {
        match self {
            Self::Next => Ok(last + 1),
            Self::Granted(granted) if granted > last => Ok(granted),
            Self::Granted(granted) => Err(RecoveryError::EpochPast { granted, last }),
        }
    }
}

/// Reserves what the tables will, and gives it back: later there would be nobody to tell.
fn check_memory(caps: &Caps) -> Result<(), RecoveryError> {
    let bytes = State::reserved_bytes(caps);
    let reserved =
        usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    if reserved { Ok(()) } else { Err(RecoveryError::Memory { bytes }) }
}

/// A life that no start of this journal drew. It comes in the event of the start, so that a replay
/// draws nothing; and before anything is written, so that a start without one changes nothing.
fn draw_life(state: &State, random: impl Fn() -> [u8; 16]) -> Result<Life, RecoveryError> {
    let fresh = |_| {
        let [a, b, c, d, e, ..] = random();
        let life = Life::of_bits(u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]))?;
        (!state.lives.has(life)).then_some(life)
    };
    (0..LIFE_DRAWS_MAX).find_map(fresh).ok_or(RecoveryError::Random)
}

/// What a start draws or is granted.
struct Drawn {
    epoch: u32,
    /// For the first start.
    hash_key: [u8; 16],
    life: Life,
}

/// The first events of an epoch.
struct Start<D: Disk> {
    state: State,
    journal: Journal<D>,
    now: u64,
}

impl<D: Disk> Start<D> {
    fn epoch(
        &mut self,
        rules: &Settings,
        config: &Config,
        lost_from: Option<u64>,
        drawn: Drawn,
    ) -> Result<(), RecoveryError> {
        let first = self.state.epoch == 0;
        let epoch = drawn.epoch;
        self.now = self.now.max(self.state.stamp);
        self.journal.begin(epoch, self.now);
        self.append(Event::Started(Started {
            epoch,
            hash_key: if first { drawn.hash_key } else { self.state.hash_key },
            answers_before_sync: config.durability.answers_before_sync(),
            lost_from,
            life: Some(drawn.life),
        }))?;
        if self.state.settings != *rules {
            self.append(Event::SettingsChanged(Box::new(rules.clone())))?;
        }
        for event in sweep::grace(&self.state, self.now) {
            self.append(event)?;
        }
        self.journal.finish()?;
        self.journal.sync()?;
        Ok(())
    }

    fn append(&mut self, event: Event) -> Result<(), RecoveryError> {
        let record = Record { origin: None, event };
        apply(&mut self.state, &record, self.now);
        let sequence = self.journal.push(|bytes| codec::encode_record(&record, bytes))?;
        assert_eq!(sequence, self.state.sequence, "one event, one sequence");
        Ok(())
    }
}
