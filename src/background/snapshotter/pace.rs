//! How the snapshotter makes room for those who buy meanwhile, and when it no longer does.
//!
//! Owns how long a rest follows a piece of work. The lowest priority is not enough: on a machine
//! without an idle core the thread still gets whole slices, and takes every moment in which the
//! writer waits for the disk (measured on 2 cores: 70 % of one, and orders waited 3 times as long).
//! But the journal behind the newest snapshot is what the next start replays, so the further it
//! grows past what was configured, the less is rested. Never decides when a snapshot is due. Next:
//! `snapshotter`.

use crate::domain::model::ids::Sequence;
use crate::ring::Cursors;
use crate::shared::clock::Clock;
use std::cell::Cell;
use std::time::Duration;

/// While the writer is at work and snapshots keep up, so much rest follows a time of work.
const REST_PER_WORK: u64 = 3;
/// From so many times the configured events behind the snapshot on, as much rest as work.
const LATE: u64 = 2;
/// From so many times the configured events behind the snapshot on, none.
const TOO_LATE: u64 = 4;
/// Less work in one piece is not worth a rest, in microseconds.
const WORKED_US_MIN: u64 = 200;
/// More in one piece was not work but waiting, in microseconds.
const WORKED_US_MAX: u64 = 10_000;

/// Who is watched: the journal, for whether anybody buys, and how far it is from its snapshot.
pub(super) struct Pace<'p> {
    cursors: &'p Cursors,
    clock: &'p Clock,
    /// The newest snapshot when this one was begun; 0 = there was none.
    snapshot: Sequence,
    /// A snapshot is due after so many events.
    every_events: u64,
    /// How far the journal was settled at the last rest.
    settled: Cell<Sequence>,
    /// When the last rest ended, on `Clock::elapsed_us`.
    since_us: Cell<u64>,
}

impl<'p> Pace<'p> {
    pub(super) fn new(
        cursors: &'p Cursors,
        clock: &'p Clock,
        snapshot: Sequence,
        every_events: u64,
    ) -> Self {
        let (settled, since_us) = (Cell::new(cursors.settled()), Cell::new(clock.elapsed_us()));
        Self { cursors, clock, snapshot, every_events, settled, since_us }
    }

    /// Rests if the writer is at work; costs nothing where nobody buys. Says what time it is, on
    /// `Clock::elapsed_us`.
    pub(super) fn rest(&self) -> u64 {
        let now_us = self.clock.elapsed_us();
        let worked_us = now_us - self.since_us.get();
        if worked_us < WORKED_US_MIN {
            return now_us;
        }
        let settled = self.cursors.settled();
        if self.settled.replace(settled) != settled {
            let rest_us =
                rest_us(worked_us, settled.saturating_sub(self.snapshot), self.every_events);
            self.clock.sleep(Duration::from_micros(rest_us));
        }
        let now_us = self.clock.elapsed_us();
        self.since_us.set(now_us);
        now_us
    }
}

/// The rest that a piece of work earns while the writer is at work too, in microseconds.
fn rest_us(worked_us: u64, events_behind: u64, every_events: u64) -> u64 {
    let worked_us = worked_us.min(WORKED_US_MAX);
    match events_behind / every_events.max(1) {
        0..LATE => worked_us * REST_PER_WORK,
        LATE..TOO_LATE => worked_us,
        TOO_LATE.. => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_buy_come_first_while_snapshots_keep_up() {
        assert_eq!(rest_us(1_000, 0, 1_000_000), 3_000);
        assert_eq!(rest_us(1_000, 1_999_999, 1_000_000), 3_000);
        assert_eq!(rest_us(1_000, u64::MAX, u64::MAX), 3_000);
    }

    #[test]
    fn the_further_snapshots_fall_behind_the_less_is_rested() {
        assert_eq!(rest_us(1_000, 2_000_000, 1_000_000), 1_000);
        assert_eq!(rest_us(1_000, 3_999_999, 1_000_000), 1_000);
        assert_eq!(rest_us(1_000, 4_000_000, 1_000_000), 0);
        assert_eq!(rest_us(1_000, u64::MAX, 1), 0);
    }

    #[test]
    fn waiting_for_the_disk_earns_no_rest() {
        assert_eq!(rest_us(60_000_000, 0, 1_000_000), 30_000);
    }
}
