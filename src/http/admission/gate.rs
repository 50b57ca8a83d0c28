//! How many requests may be under way: fewer, as soon as answers take too long.
//!
//! Owns one IO thread's limit. What it watches is the wait for the writer and the disk, from the ring
//! to the durable answer, and not what the thread itself takes to collect it: turning people away
//! costs that thread nearly as much as serving them, so it would shed, and be late, for ever.
//!
//! Like CoDel (RFC 8289) it goes by the least of an interval, so that a burst which drains by itself
//! sheds nobody, nor a disk that syncs slowly but all at once. Like TCP Vegas and its heirs it shrinks
//! in proportion to how far the least wait is beyond its bound; and by Little's law to what is answered
//! in the time of the bound, as soon as more than that stands all through an interval. It grows by a
//! quarter up to where it last was too much, from there on by a sixteenth. While no answer comes at
//! all, the silence is the wait, so a writer or a disk that stands still is noticed within an interval.
//!
//! Ranks reach the limit one after the other: lists at a half of it, orders at seven eighths, orders of
//! the priority class at all of it, and what is urgent never. Never reads a clock. Next: `mod`,
//! `ring::rank`.

use crate::ring::{Load, Rank};
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
    /// The least wait in this interval, of each rank.
    least_ms: [Cell<Option<u64>>; Rank::ALL.len()],
    /// The most that were under way in this interval, and the fewest.
    most: Cell<usize>,
    fewest: Cell<usize>,
    /// The last answer came then, or nothing was under way.
    heard_ms: Cell<u64>,
    /// Answers so far, and when this interval began.
    answers: Cell<u64>,
    answers_before: Cell<u64>,
    /// What could be borne when it last was too much.
    known: Cell<usize>,
}

impl Gate {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            limit: Cell::new(LIMIT_MAX),
            began_ms: Cell::new(now_ms),
            least_ms: Default::default(),
            most: Cell::new(0),
            fewest: Cell::new(0),
            heard_ms: Cell::new(now_ms),
            answers: Cell::new(0),
            answers_before: Cell::new(0),
            known: Cell::new(LIMIT_MAX),
        }
    }

    /// A request of this rank may go on, so many being under way; a bound of 0 is none.
    pub(super) fn admits(&self, rank: Rank, load: Load, now_ms: u64, bound_ms: u64) -> bool {
        let Load { unanswered: under_way, answers } = load;
        if self.answers.replace(answers) != answers || under_way == 0 {
            self.heard_ms.set(now_ms);
        }
        self.most.set(self.most.get().max(under_way));
        self.fewest.set(self.fewest.get().min(under_way));
        if now_ms.saturating_sub(self.began_ms.get()) >= INTERVAL_MS {
            self.judge(under_way, now_ms, bound_ms);
        }
        bound_ms == 0 || under_way < self.limit_of(rank)
    }

    /// An answer to a request of this rank came that was waited for so long.
    pub(super) fn heard(&self, rank: Rank, wait_ms: u64) {
        let kept = &self.least_ms[rank as usize];
        kept.set(Some(kept.get().map_or(wait_ms, |least_ms| least_ms.min(wait_ms))));
    }

    /// The least wait of the rank that waited longest: whoever goes before others waits little however
    /// many stand behind him. Lists come last, so their wait counts where they are alone. None if nobody
    /// was answered.
    fn take_least_ms(&self) -> Option<u64> {
        let [urgent, preferred, ordinary, list] = self.least_ms.each_ref().map(Cell::take);
        urgent.max(preferred).max(ordinary).or(list)
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
        let wait_ms = match self.take_least_ms() {
            Some(least_ms) => least_ms,
            None if under_way > 0 => silence_ms,
            None => 0,
        };
        let lasted_ms = now_ms.saturating_sub(self.began_ms.replace(now_ms)).max(1);
        let most = self.most.replace(under_way);
        // A slow sync alone has many under way at its end, and few once it is over.
        let standing = self.fewest.replace(under_way);
        let answers = self.answers.get();
        let answered = answers - self.answers_before.replace(answers);
        let answered = usize::try_from(answered).unwrap_or(usize::MAX);
        // So many are answered in the time of the bound: Little's law.
        let borne = scaled(answered, bound_ms, lasted_ms);
        let limit = self.limit.get();
        // What was not used says nothing of what can be borne.
        let used = limit.min(most);
        let next = if bound_ms == 0 {
            LIMIT_MAX
        } else if wait_ms > bound_ms {
            scaled(used, bound_ms, wait_ms).max(used / 2)
        } else if wait_ms > bound_ms / 4 && standing > borne {
            limit.min(borne.max(used / 2))
        } else {
            self.grown(limit, lasted_ms / INTERVAL_MS)
        };
        let next = next.clamp(LIMIT_MIN, LIMIT_MAX);
        if next < limit && answered > 0 {
            self.known.set(next.max(borne));
        } else if bound_ms == 0 || most == 0 {
            // Long ago, or never.
            self.known.set(LIMIT_MAX);
        }
        self.limit.set(next);
    }

    /// The limit after so many intervals in which all went well.
    fn grown(&self, limit: usize, intervals: u64) -> usize {
        (0..intervals.min(INTERVALS_MAX)).fold(limit, |limit, _| {
            let step = if limit < self.known.get() { limit / 4 } else { limit / 16 };
            (limit + step).min(LIMIT_MAX)
        })
    }
}

/// So many, times a ratio.
fn scaled(count: usize, of: u64, to: u64) -> usize {
    usize::try_from(count as u64 * of / to).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND_MS: u64 = 50;

    /// So many are under way, and so many answers came in all.
    fn load(unanswered: usize, answers: u64) -> Load {
        Load { unanswered, answers }
    }

    /// Intervals, each with so many under way and as many answers that took so long; none is a
    /// silence.
    fn after(gate: &Gate, from_ms: u64, under_way: usize, waits: &[Option<u64>]) -> u64 {
        let mut now_ms = from_ms;
        let mut answers = gate.answers.get();
        for wait_ms in waits {
            gate.admits(Rank::Ordinary, load(under_way, answers), now_ms, BOUND_MS);
            if let Some(wait_ms) = wait_ms {
                answers += under_way as u64;
                gate.heard(Rank::Ordinary, *wait_ms);
                gate.admits(Rank::Ordinary, load(under_way, answers), now_ms + 1, BOUND_MS);
            }
            now_ms += INTERVAL_MS;
        }
        gate.admits(Rank::Ordinary, load(under_way, answers), now_ms, BOUND_MS);
        now_ms
    }

    /// Offers so many a millisecond to a writer that decides so many a millisecond, in order and in
    /// turns of a length, for five seconds; the waits of those who got in, in their order.
    fn waits(offered: usize, decides: usize, turn_ms: u64) -> Vec<u64> {
        let gate = Gate::new(0);
        let (mut queue, mut waits) = (std::collections::VecDeque::new(), Vec::new());
        for now_ms in 1..=5_000 {
            for _ in 0..offered {
                let load = load(queue.len(), waits.len() as u64);
                if gate.admits(Rank::Ordinary, load, now_ms, BOUND_MS) {
                    queue.push_back(now_ms);
                }
            }
            if now_ms.is_multiple_of(turn_ms) {
                for _ in 0..decides * usize::try_from(turn_ms).unwrap() {
                    let Some(came_ms) = queue.pop_front() else { break };
                    gate.heard(Rank::Ordinary, now_ms - came_ms);
                    waits.push(now_ms - came_ms);
                }
            }
        }
        waits
    }

    #[test]
    fn whatever_is_offered_those_who_get_in_wait_hardly_longer_than_the_bound() {
        for (offered, turn_ms) in [(8, 1), (8, 20), (12, 1), (12, 20), (40, 1), (40, 20)] {
            let waits = waits(offered, 8, turn_ms);
            let case = format!("{offered} a millisecond, turns of {turn_ms} ms");
            // The writer is never idle for it, but for a moment after the first has been too many.
            assert!(waits.len() > 39_000, "{case}: {} served", waits.len());
            // What came before anything was known of the writer has gone after two seconds.
            let worst_ms = waits.iter().skip(16_000).max().unwrap();
            assert!(*worst_ms <= 2 * BOUND_MS, "{case}: {worst_ms} ms");
        }
    }

    #[test]
    fn a_disk_that_syncs_slowly_but_all_at_once_sheds_nobody() {
        for (offered, sync_ms) in [(1, 30), (5, 30), (20, 30), (5, 45), (20, 45)] {
            let gate = Gate::new(0);
            let (mut waiting, mut syncing, mut answers) = (Vec::new(), Vec::new(), 0);
            for now_ms in 1..=5_000_u64 {
                for _ in 0..offered {
                    let load = load(waiting.len() + syncing.len(), answers);
                    let admitted = gate.admits(Rank::Ordinary, load, now_ms, BOUND_MS);
                    assert!(admitted, "{offered} a millisecond, syncs of {sync_ms} ms: {now_ms}");
                    waiting.push(now_ms);
                }
                if now_ms.is_multiple_of(sync_ms) {
                    answers += syncing.len() as u64;
                    syncing.iter().for_each(|came_ms| gate.heard(Rank::Ordinary, now_ms - came_ms));
                    syncing = std::mem::take(&mut waiting);
                }
            }
        }
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
    fn whoever_goes_before_others_does_not_hide_how_long_they_wait() {
        let gate = Gate::new(0);
        gate.admits(Rank::Ordinary, load(4000, 0), 0, BOUND_MS);
        for (rank, wait_ms) in [
            (Rank::Urgent, 1),
            (Rank::Ordinary, 80),
            (Rank::Preferred, 2),
            (Rank::Ordinary, 70),
            (Rank::Urgent, 3),
        ] {
            gate.heard(rank, wait_ms);
        }
        gate.admits(Rank::Ordinary, load(4000, 4000), INTERVAL_MS, BOUND_MS);
        assert_eq!(gate.limit(), 4000 * 50 / 70);
    }

    #[test]
    fn lists_that_wait_behind_all_others_shed_nobody() {
        let gate = Gate::new(0);
        gate.admits(Rank::Ordinary, load(4000, 0), 0, BOUND_MS);
        for (rank, wait_ms) in [(Rank::Ordinary, 300), (Rank::Ordinary, 3), (Rank::List, 300)] {
            gate.heard(rank, wait_ms);
        }
        gate.admits(Rank::Ordinary, load(4000, 4000), INTERVAL_MS, BOUND_MS);
        assert_eq!(gate.limit(), LIMIT_MAX);
        // Alone, they are what there is to go by.
        gate.heard(Rank::List, 300);
        gate.admits(Rank::List, load(4000, 4001), 2 * INTERVAL_MS, BOUND_MS);
        assert!(gate.limit() < LIMIT_MAX);
    }

    #[test]
    fn a_burst_that_drains_within_an_interval_sheds_nobody() {
        let gate = Gate::new(0);
        gate.admits(Rank::Ordinary, load(4000, 0), 0, BOUND_MS);
        for wait_ms in [400, 300, 200, 3] {
            gate.heard(Rank::Ordinary, wait_ms);
        }
        assert!(gate.admits(Rank::Ordinary, load(4000, 4000), 100, BOUND_MS));
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
            assert_eq!(
                gate.admits(rank, load(2000, gate.answers.get()), stopped_ms, BOUND_MS),
                admitted,
                "{rank:?}"
            );
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
            let found = Rank::ALL.map(|rank| gate.admits(rank, load(under_way, 0), 0, BOUND_MS));
            assert_eq!(found, admitted, "{under_way}");
        }
        assert!(gate.holds_bulk(600) && !gate.holds_bulk(599));
    }

    #[test]
    fn a_batch_alone_is_no_silence() {
        let gate = Gate::new(0);
        for interval in 1..50 {
            // Its lines wait for room, so their waits tell nothing.
            gate.admits(
                Rank::Urgent,
                load(6000, 600 * interval),
                interval * INTERVAL_MS - 1,
                BOUND_MS,
            );
            let load = load(6000, 600 * interval);
            assert!(gate.admits(Rank::Ordinary, load, interval * INTERVAL_MS, BOUND_MS));
        }
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn a_pause_without_requests_is_no_silence() {
        let gate = Gate::new(0);
        gate.limit.set(LIMIT_MIN);
        // Nothing was under way when the pause began, and the first request of many comes.
        gate.admits(Rank::Ordinary, load(0, 0), 60_000, BOUND_MS);
        assert_eq!(gate.limit(), LIMIT_MAX);
    }

    #[test]
    fn without_a_bound_nothing_is_shed() {
        let gate = Gate::new(0);
        gate.limit.set(LIMIT_MIN);
        for now_ms in [100, 200, 5000] {
            assert!(gate.admits(Rank::List, load(9000, 0), now_ms, 0));
        }
        assert_eq!(gate.limit(), LIMIT_MAX);
    }
}
