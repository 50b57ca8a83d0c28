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
//! Waits tell of a queue when it stands. What deciding takes is known before, from those who were few
//! enough: as soon as it keeps the writer busy, no more are let in than it decides in half of the time
//! of the bound; the other half is for the disk, which is late now and then. A writer that is quick, as
//! it is but where its machine makes it slow, is never busy so.
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
/// The writer is busy with deciding when that takes a quarter of an interval or more: less may be one
/// decision that waited for memory.
const BUSY_PART: u64 = 4;
/// So many decisions tell how long one takes.
const DECISIONS_MIN: u64 = 64;

/// The limit of one IO thread.
#[derive(Debug)]
pub(super) struct Gate {
    /// IO threads that share the writer, each with a gate of its own.
    sharers: u64,
    limit: Cell<usize>,
    /// The writer decides so many of this thread's in half of the time of the bound, if it is busy with
    /// that.
    decidable: Cell<usize>,
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
    /// What deciding them took, when this interval began.
    deciding_before_ns: Cell<u64>,
    /// What could be borne when it last was too much.
    known: Cell<usize>,
}

impl Gate {
    /// One of so many gates in front of one writer.
    pub(super) fn new(sharers: usize, now_ms: u64) -> Self {
        Self {
            sharers: sharers as u64,
            limit: Cell::new(LIMIT_MAX),
            decidable: Cell::new(LIMIT_MAX),
            began_ms: Cell::new(now_ms),
            least_ms: Default::default(),
            most: Cell::new(0),
            fewest: Cell::new(0),
            heard_ms: Cell::new(now_ms),
            answers: Cell::new(0),
            answers_before: Cell::new(0),
            deciding_before_ns: Cell::new(0),
            known: Cell::new(LIMIT_MAX),
        }
    }

    /// A request of this rank may go on, so many being under way; a bound of 0 is none.
    pub(super) fn admits(&self, rank: Rank, load: Load, now_ms: u64, bound_ms: u64) -> bool {
        let Load { unanswered: under_way, answers, deciding_ns } = load;
        if self.answers.replace(answers) != answers || under_way == 0 {
            self.heard_ms.set(now_ms);
        }
        self.most.set(self.most.get().max(under_way));
        self.fewest.set(self.fewest.get().min(under_way));
        if now_ms.saturating_sub(self.began_ms.get()) >= INTERVAL_MS {
            self.judge(under_way, deciding_ns, now_ms, bound_ms);
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
        under_way >= self.limit() * 3 / 4
    }

    /// The limit as it is.
    pub(super) fn limit(&self) -> usize {
        self.limit.get().min(self.decidable.get())
    }

    fn limit_of(&self, rank: Rank) -> usize {
        let limit = self.limit();
        match rank {
            Rank::Urgent => usize::MAX,
            Rank::Preferred => limit,
            Rank::Ordinary => limit - limit / 8,
            Rank::List => limit / 2,
        }
    }

    fn judge(&self, under_way: usize, deciding_ns: u64, now_ms: u64, bound_ms: u64) {
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
        let deciding_ns = deciding_ns - self.deciding_before_ns.replace(deciding_ns);
        self.decidable.set(self.decidable_of(answered, deciding_ns, lasted_ms, bound_ms));
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

    /// What the writer decides in half of the time of the bound, where so many took it so long.
    fn decidable_of(&self, count: u64, deciding_ns: u64, lasted_ms: u64, bound_ms: u64) -> usize {
        let by_all_ms = deciding_ns.saturating_mul(self.sharers) / 1_000_000;
        if bound_ms == 0 || count < DECISIONS_MIN || by_all_ms < lasted_ms / BUSY_PART {
            return LIMIT_MAX;
        }
        scaled(count as usize, bound_ms / 2, by_all_ms.max(1)).clamp(LIMIT_MIN, LIMIT_MAX)
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
#[path = "gate_tests.rs"]
mod tests;
