//! How many requests may be under way: fewer, as soon as answers take too long.
//!
//! Owns one IO thread's limit. What it watches is the whole wait behind it, from the ring to the
//! durable answer. Like CoDel (RFC 8289) it goes by the least wait of an interval, so that a burst
//! which drains by itself sheds nobody; like TCP Vegas and its heirs it shrinks in proportion to how
//! far that wait is beyond its bound, and grows by a quarter while it is within. While no answer
//! comes at all, the silence is the wait, so a writer or a disk that stands still is noticed within
//! an interval. Ranks reach the limit one after the other: lists at a half of it, orders at seven
//! eighths, orders of the priority class at all of it, and what is urgent never. Never reads a
//! clock. Next: `mod`, `ring::rank`.

use crate::ring::Rank;
use std::cell::Cell;

/// Waits are judged this often.
const INTERVAL_MS: u64 = 100;
/// So many may be under way in any case: enough for a disk that syncs slowly but surely.
const LIMIT_MIN: usize = 256;
/// And so many at most.
const LIMIT_MAX: usize = 8192;
/// After a pause, so many intervals bring the limit from least to most.
const INTERVALS_MAX: u64 = 32;

/// The limit of one IO thread.
#[derive(Debug)]
pub(super) struct Gate {
    limit: Cell<usize>,
    began_ms: Cell<u64>,
    /// The least wait in this interval.
    least_ms: Cell<Option<u64>>,
    /// The most that were under way in this interval.
    most: Cell<usize>,
    /// The last answer came then, or nothing was under way.
    heard_ms: Cell<u64>,
}

impl Gate {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            limit: Cell::new(LIMIT_MAX),
            began_ms: Cell::new(now_ms),
            least_ms: Cell::new(None),
            most: Cell::new(0),
            heard_ms: Cell::new(now_ms),
        }
    }

    /// A request of this rank may go on, so many being under way; a bound of 0 is none.
    pub(super) fn admits(&self, rank: Rank, under_way: usize, now_ms: u64, bound_ms: u64) -> bool {
        if under_way == 0 {
            self.heard_ms.set(now_ms);
        }
        self.most.set(self.most.get().max(under_way));
        if now_ms.saturating_sub(self.began_ms.get()) >= INTERVAL_MS {
            self.judge(under_way, now_ms, bound_ms);
        }
        bound_ms == 0 || under_way < self.limit_of(rank)
    }

    /// An answer came that was waited for so long.
    pub(super) fn heard(&self, wait_ms: u64, now_ms: u64) {
        self.heard_ms.set(now_ms);
        let least_ms = self.least_ms.get().map_or(wait_ms, |least_ms| least_ms.min(wait_ms));
        self.least_ms.set(Some(least_ms));
    }

    /// An answer came to somebody whose wait tells nothing: a line of a batch, which waits for room.
    pub(super) fn heard_some(&self, now_ms: u64) {
        self.heard_ms.set(now_ms);
    }

    /// Lines of batches wait while so many are under way.
    pub(super) fn holds_bulk(&self, under_way: usize) -> bool {
        under_way >= self.limit.get() * 3 / 4
    }

    /// The limit as it is.
    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    fn limit_of(&self, rank: Rank) -> usize {
        let limit = self.limit.get();
        match rank {
            Rank::Urgent => usize::MAX,
            Rank::Preferred => limit,
            Rank::Ordinary => limit - limit / 8,
            Rank::List => limit / 2,
        }
    }

    fn judge(&self, under_way: usize, now_ms: u64, bound_ms: u64) {
        let silence_ms = now_ms.saturating_sub(self.heard_ms.get());
        let wait_ms = match self.least_ms.take() {
            Some(least_ms) => least_ms,
            None if under_way > 0 => silence_ms,
            None => 0,
        };
        let intervals = now_ms.saturating_sub(self.began_ms.replace(now_ms)) / INTERVAL_MS;
        let most = self.most.replace(under_way);
        let mut limit = self.limit.get();
        if bound_ms == 0 {
            limit = LIMIT_MAX;
        } else if wait_ms > bound_ms {
            // What was not used says nothing of what can be borne.
            let used = limit.min(most);
            let bearable = used as u64 * bound_ms / wait_ms;
            limit = usize::try_from(bearable).unwrap_or(used).max(used / 2);
        } else {
            for _ in 0..intervals.min(INTERVALS_MAX) {
                limit = (limit + limit / 4).min(LIMIT_MAX);
            }
        }
        self.limit.set(limit.clamp(LIMIT_MIN, LIMIT_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND_MS: u64 = 50;

    /// Intervals, each with so many under way and answers that took so long; none is a silence.
    fn after(gate: &Gate, from_ms: u64, under_way: usize, waits: &[Option<u64>]) -> u64 {
        let mut now_ms = from_ms;
        for wait_ms in waits {
            gate.admits(Rank::Ordinary, under_way, now_ms, BOUND_MS);
            if let Some(wait_ms) = wait_ms {
                gate.heard(*wait_ms, now_ms + 1);
            }
            now_ms += INTERVAL_MS;
        }
        gate.admits(Rank::Ordinary, under_way, now_ms, BOUND_MS);
        now_ms
    }

    #[test]
    fn a_quick_writer_is_given_all_there_is() {
        let gate = Gate::new(0);
        after(&gate, 0, 8000, &[Some(5); 20]);
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn waits_beyond_the_bound_shrink_the_limit_in_proportion() {
        let gate = Gate::new(0);
        let now_ms = after(&gate, 0, 4000, &[Some(5), Some(60)]);
        assert_eq!(gate.limit(), 4000 * 50 / 60);
        // Never by more than a half at once, and never below the least.
        let now_ms = after(&gate, now_ms, gate.limit(), &[Some(10_000)]);
        assert_eq!(gate.limit(), 1666);
        after(&gate, now_ms, 4000, &[Some(10_000); 10]);
        assert_eq!(gate.limit(), LIMIT_MIN);
    }

    #[test]
    fn a_burst_that_drains_within_an_interval_sheds_nobody() {
        let gate = Gate::new(0);
        gate.admits(Rank::Ordinary, 4000, 0, BOUND_MS);
        for wait_ms in [400, 300, 200, 3] {
            gate.heard(wait_ms, 90);
        }
        assert!(gate.admits(Rank::Ordinary, 4000, 100, BOUND_MS));
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn a_writer_that_stands_still_is_noticed_and_comes_back_to_full_service() {
        let gate = Gate::new(0);
        let stopped_ms = after(&gate, 0, 2000, &[Some(2), None, None, None, None, None]);
        assert_eq!(gate.limit(), LIMIT_MIN);
        for (rank, admitted) in [
            (Rank::Urgent, true),
            (Rank::Preferred, false),
            (Rank::Ordinary, false),
            (Rank::List, false),
        ] {
            assert_eq!(gate.admits(rank, 2000, stopped_ms, BOUND_MS), admitted, "{rank:?}");
        }
        // It goes on: within two seconds the limit is what it was.
        after(&gate, stopped_ms, 200, &[Some(2); 18]);
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn ranks_reach_the_limit_one_after_the_other() {
        let gate = Gate::new(0);
        gate.limit.set(800);
        for (under_way, admitted) in [
            (399, [true, true, true, true]),
            (400, [true, true, true, false]),
            (699, [true, true, true, false]),
            (700, [true, true, false, false]),
            (799, [true, true, false, false]),
            (800, [true, false, false, false]),
            (8000, [true, false, false, false]),
        ] {
            let found = Rank::ALL.map(|rank| gate.admits(rank, under_way, 0, BOUND_MS));
            assert_eq!(found, admitted, "{under_way}");
        }
        assert!(gate.holds_bulk(600) && !gate.holds_bulk(599));
    }

    #[test]
    fn a_batch_alone_is_no_silence() {
        let gate = Gate::new(0);
        for interval in 1..50 {
            gate.heard_some(interval * INTERVAL_MS - 1);
            assert!(gate.admits(Rank::Ordinary, 6000, interval * INTERVAL_MS, BOUND_MS));
        }
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn a_pause_without_requests_is_no_silence() {
        let gate = Gate::new(0);
        gate.limit.set(LIMIT_MIN);
        // Nothing was under way when the pause began, and the first request of many comes.
        gate.admits(Rank::Ordinary, 0, 60_000, BOUND_MS);
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn without_a_bound_nothing_is_shed() {
        let gate = Gate::new(0);
        gate.limit.set(LIMIT_MIN);
        for now_ms in [100, 200, 5000] {
            assert!(gate.admits(Rank::List, 9000, now_ms, 0));
        }
        assert_eq!(gate.limit(), LIMIT_MAX);
    }
}
