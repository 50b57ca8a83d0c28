//! The epoch that a start begins: what of it can be refused, and its first events.
//!
//! Owns the order: all that may be refused is decided before anything is written. The start of a
//! server that is alone and a takeover go the same way, from a state that holds the whole journal.
//! Never reads a directory. Next: `resume`, which comes between the two.

use super::{LIFE_DRAWS_MAX, RecoveryError};
use crate::codec;
use crate::config::Config;
use crate::domain::model::event::{Event, Record, Started};
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::model::lives::Life;
use crate::domain::model::settings::Settings;
use crate::domain::rules::apply::apply;
use crate::domain::rules::sweep;
use crate::domain::state::tables::State;
use crate::engine::replay::DataDirectory;
use crate::shared::clock::{Clock, Stamps};
use doorbuster_journal::{Disk, Journal};

/// Which epoch a start begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewEpoch {
    /// One more than the last: no other machine writes this journal.
    Next,
    /// The one that an arbiter granted to this process alone. It skips those of processes that
    /// ended before they wrote.
    Granted(u32),
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

/// What a journal ends with, seals included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastRecord {
    /// Its last sequence; 0 for none.
    pub(crate) sequence: Sequence,
    /// The stamp of its last frame.
    pub(crate) stamp_ms: Stamp,
}

/// What a start is about to begin.
pub(crate) struct EpochPlan {
    granted: NewEpoch,
    drawn: Drawn,
    stamps: Stamps,
    lost_from: Option<Sequence>,
}

/// A writer's state and journal, with the start of the epoch applied, appended and synced.
pub(crate) struct Begun<D: Disk> {
    pub(crate) state: State,
    pub(crate) journal: Journal<D>,
    pub(crate) stamps: Stamps,
    /// Events before the start.
    pub(crate) replayed: Sequence,
    /// As it was told to the plan.
    pub(crate) lost_from: Option<Sequence>,
}

impl EpochPlan {
    /// Plans the epoch after a state, which holds all that the journal does. Answers from
    /// `lost_from` on, if there were any, are lost.
    ///
    /// # Errors
    /// When the epoch was not granted above the last, the clock is refused, or no life can be
    /// drawn. Nothing was written.
    pub(crate) fn new<P: DataDirectory + ?Sized>(
        data: &P,
        (state, last, lost_from): (&State, LastRecord, Option<Sequence>),
        config: &Config,
        (clock, granted): (Clock, NewEpoch),
    ) -> Result<Self, RecoveryError> {
        let epoch = granted.after(state.epoch)?;
        let last_stamp = (last.sequence > 0).then_some(state.stamp.max(last.stamp_ms));
        let stamps = Stamps::start(clock, clock.wall_ms(), last_stamp, config.accept_clock)?;
        let hash_key = data.random();
        let drawn = Drawn { epoch, hash_key, life: draw_life(state, || data.random())? };
        Ok(Self { granted, drawn, stamps, lost_from })
    }

    /// Appends and syncs the first events of the epoch: its start, settings that changed, grace
    /// for what came due meanwhile.
    ///
    /// # Errors
    /// When the journal cannot be appended to or synced.
    pub(crate) fn begin<D: Disk>(
        self,
        state: State,
        mut journal: Journal<D>,
        rules: &Settings,
        config: &Config,
    ) -> Result<Begun<D>, RecoveryError> {
        let Self { granted, drawn, mut stamps, lost_from } = self;
        if let NewEpoch::Granted(_) = granted {
            // What the copies hold of the tail is not known yet, and the frames of the start must
            // not vouch for it.
            journal.set_copied(journal.watermark());
        }
        let replayed = state.sequence;
        let mut start = Start { state, journal, now: stamps.now() };
        start.epoch(rules, config, lost_from, drawn)?;
        let Start { state, journal, .. } = start;
        Ok(Begun { state, journal, stamps, replayed, lost_from })
    }
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
