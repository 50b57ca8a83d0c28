//! From a data directory to a writer that may serve: lock, replay, store again, start.
//!
//! Nothing is served before everything that was visible is durable, and before the new epoch's
//! start is: a key that is answered again must not be lost by the next power cut. A start alone
//! reads, resumes and begins in a row; a node that follows another has read and resumed long before
//! it begins (`follower`). Next: `resume`, `epoch`, then `replay`, `writer`.

mod epoch;
mod lock;
mod resume;

pub use epoch::NewEpoch;
pub(crate) use epoch::{Begun, EpochPlan, LastRecord};
pub use lock::{Lock, lock};
pub(crate) use resume::resume;

use crate::config::Config;
use crate::domain::model::ids::Sequence;
use crate::domain::model::settings::{Caps, Settings};
use crate::domain::state::tables::State;
use crate::engine::replay::{
    DataDirectory, From, Progress, ReplayError, Replayed, journal_directory, make_directory,
    replay, snapshot_directory,
};
use crate::shared::clock::{Clock, ClockError, Stamps};
use crate::testing::failpoints::{self, Failpoint};
use doorbuster_journal::{Disk, Dropped, FileDisk, Journal, JournalError};
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
    Replay(ReplayError),
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

impl std::convert::From<ReplayError> for RecoveryError {
    /// What the system refuses is told as that, whoever asked it.
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Io { operation, path, cause } => Self::Io { operation, path, cause },
            other => Self::Replay(other),
        }
    }
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
    prepare(lock, rules, config)?;
    recover_in(&config.data, rules, config, (clock, NewEpoch::Next), progress)
}

/// What comes before anything in a locked directory is read: there is memory for the tables, and
/// the directories of journal and snapshots are there, the former locked as well.
///
/// # Errors
/// When the system gives no memory or no directory, or another process has the journal's.
pub fn prepare(lock: &Lock, rules: &Settings, config: &Config) -> Result<(), RecoveryError> {
    check_memory(&rules.caps)?;
    make_directory(&journal_directory(&config.data))?;
    lock.hold_journal(&journal_directory(&config.data))?;
    make_directory(&snapshot_directory(&config.data))?;
    Ok(())
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
    // In a mode that answers before the sync, an unclean stop may have lost answered records
    // after the last visible one.
    let unclean = state.epoch > 0 && !drained;
    let lost_from = (unclean && state.answers_before_sync).then_some(scan.last_sequence + 1);
    let last = LastRecord { sequence: scan.last_sequence, stamp_ms: scan.last_stamp_ms };
    // Before anything is written: a refused clock leaves the directory as it was.
    let plan = EpochPlan::new(data, (&state, last, lost_from), config, (clock, granted))?;
    let dropped = scan.dropped.clone();
    let journal = resume(data, config.segment_bytes, scan)?;
    let Begun { state, journal, stamps, replayed, lost_from } =
        plan.begin(state, journal, rules, config)?;
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

/// Reserves what the tables will, and gives it back: later there would be nobody to tell.
///
/// # Errors
/// When the system does not give as much address space.
pub fn check_memory(caps: &Caps) -> Result<(), RecoveryError> {
    let bytes = State::reserved_bytes(caps);
    let reserved =
        usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    if reserved { Ok(()) } else { Err(RecoveryError::Memory { bytes }) }
}
