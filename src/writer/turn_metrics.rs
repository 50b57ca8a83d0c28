//! What the writer counts and times, a few nanoseconds a request.
//!
//! Owns the clock readings of a turn: one when it begins, one after each request, one when it is
//! stored and one when it is durable. Decides nothing. Next: `metrics::meters`.

use crate::domain::model::ids::Stamp;
use crate::domain::model::sku::RefusalReason;
use crate::domain::rules::{read, sweep};
use crate::domain::state::tables::State;
use crate::metrics::Meters;
use crate::ring::{Cursors, DecisionTimes, SyncSpan};
use crate::shared::clock::Clock;
use std::sync::Arc;

/// The writer's eye on itself.
pub(super) struct TurnMetrics {
    clock: Clock,
    meters: Arc<Meters>,
    timed: bool,
    turn: u32,
    requests: u64,
    /// The last reading.
    moment_ns: u64,
    stored_ns: u64,
    /// The last data sync, and the one before the turn.
    sync: SyncSpan,
    before: SyncSpan,
    /// What deciding took so far.
    deciding_ns: u64,
}

impl TurnMetrics {
    pub(super) fn new(clock: Clock, meters: Arc<Meters>, timed: bool) -> Self {
        Self {
            clock,
            meters,
            timed,
            turn: 0,
            requests: 0,
            moment_ns: 0,
            stored_ns: 0,
            sync: SyncSpan::default(),
            before: SyncSpan::default(),
            deciding_ns: 0,
        }
    }

    fn read(&self) -> u64 {
        if self.timed { self.clock.elapsed_ns() } else { 0 }
    }

    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        self.requests = 0;
        self.before = self.sync;
    }

    /// The first of some requests is taken.
    pub(super) fn take(&mut self) {
        self.moment_ns = self.read();
    }

    /// One request is decided; the next one is taken.
    pub(super) fn decided(&mut self) -> DecisionTimes {
        let taken_ns = self.moment_ns;
        self.moment_ns = self.read();
        self.requests += 1;
        DecisionTimes { taken_ns, decided_ns: self.moment_ns, turn: self.turn }
    }

    /// Deciding what was asked in this turn took so long.
    pub(super) const fn took(&mut self, deciding_ns: u64) {
        if self.requests > 0 {
            self.deciding_ns += deciding_ns;
        }
    }

    /// How many the turn has decided.
    pub(super) const fn requests(&self) -> u64 {
        self.requests
    }

    /// What the turn recorded is stored.
    pub(super) fn stored(&mut self) {
        if self.requests > 0 {
            self.stored_ns = self.read();
        }
    }

    /// Ends the times of a turn, which is durable as far as the mode asks.
    pub(super) fn end_turn(&self, cursors: &Cursors) {
        if self.requests > 0 {
            cursors.time_turn(self.turn, self.stored_ns, self.read(), self.before);
            cursors.publish_deciding(self.deciding_ns);
            self.meters.writer.count_turn(self.requests);
        }
    }

    /// Runs a data sync, which is worth two readings in any case.
    pub(super) fn time_sync<T>(&mut self, cursors: &Cursors, sync: impl FnOnce() -> T) -> T {
        let before_ns = self.clock.elapsed_ns();
        cursors.begin_sync(before_ns / 1_000_000);
        let synced = sync();
        self.sync = SyncSpan { began_ns: before_ns, ended_ns: self.clock.elapsed_ns() };
        cursors.end_sync(self.sync);
        self.meters.writer.record_sync(self.sync.took_ns());
        synced
    }

    /// What the last data sync took; 0 if there was none.
    pub(super) const fn sync_ns(&self) -> u64 {
        self.sync.took_ns()
    }

    pub(super) fn refused(&self, reason: RefusalReason) {
        self.meters.writer.count_refusal(reason as usize);
    }

    /// Refusals were journaled whole.
    pub(super) fn kept(&self, count: u64) {
        self.meters.writer.count_kept(count);
    }

    /// Refusals could not be kept whole.
    pub(super) fn not_kept(&self, count: u64) {
        self.meters.writer.count_not_kept(count);
    }

    /// Shows how the state stands.
    pub(super) fn show(&self, state: &State, now: Stamp, segments: u64) {
        let writer = &self.meters.writer;
        let held = state.orders.deadlines().len() as u64;
        writer.set_holds(held, sweep::expiry_lag_ms(state, now));
        writer.set_tables(read::tables(state).iter().map(|table| (table.used, table.cap)));
        writer.set_segments(segments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Labels, Possible};

    /// What deciding took is added up over turns in which somebody asked.
    #[test]
    fn what_deciding_took_is_added_up_over_turns() {
        let cursors = Cursors::default();
        let labels = Labels {
            routes: &[],
            methods: &[],
            outcomes: &[],
            commands: &[],
            reasons: &[],
            admission: &[],
            possible: Possible::default,
        };
        let meters = Arc::new(Meters::new(1, labels, &[]));
        let mut watch = TurnMetrics::new(Clock::start(), meters, false);
        for (asked, took_ns, in_all_ns) in [(2, 50, 50), (0, 7, 50), (1, 3, 53)] {
            watch.begin_turn();
            for _ in 0..asked {
                watch.decided();
            }
            watch.took(took_ns);
            watch.end_turn(&cursors);
            assert_eq!(cursors.deciding_ns(), in_all_ns);
        }
    }
}
