//! How many requests may be under way: fewer, as soon as answers take too long.
//!
//! Owns one IO thread's limit. It watches the wait for the writer, from the ring to the durable
//! answer, without the time of the syncs that all requests share, and without what the IO thread
//! itself takes to collect the answer: a refusal costs that thread nearly as much as an answer, so
//! it would refuse, and be late, for ever.
//!
//! A request waits for its own sync, and for the one under way when it came. However many requests
//! come, these take no longer, so refusing one of them helps no other. Only a wait beyond them is a
//! queue (`Wait`). A sync under way is no silence either, as long as it takes no more than twice as
//! long as the one before; a disk that stands still is.
//!
//! Like CoDel (RFC 8289) it judges by the least wait of an interval, so that a burst which drains
//! by itself is not refused. Like TCP Vegas and its heirs it shrinks in proportion to how far the
//! least wait is beyond its bound. Where syncs are short, and more requests than are answered in
//! the time of the bound wait all through an interval, it shrinks to that number (Little's law). It
//! grows by a quarter up to where it last was too much, from there on by a sixteenth. While no
//! answer comes at all, the silence is the wait, so a writer or a disk that stands still is noticed
//! within an interval.
//!
//! Measured waits show a queue only after it exists. While the writer is busy (deciding takes a
//! quarter of the interval or more), the limit is also capped in advance: at the number of requests
//! that it decides in half of the bound, or at the least limit. The other half is left for the
//! disk, which is late now and then; requests that are decided and wait for the disk alone do not
//! count. At its usual speed of microseconds a request the writer never reaches this cap.
//!
//! Ranks reach the limit one after the other: lists at a half of it, orders at seven eighths,
//! orders of the priority class at all of it, and what is urgent never. Never reads a clock. Next:
//! `control`, `ring::rank`.

use crate::ring::{Load, Rank, Syncs};
use std::cell::Cell;

/// Waits are judged this often.
const INTERVAL_MS: u64 = 100;
/// So many may be under way in any case: enough for a disk that syncs slowly but surely.
const LIMIT_MIN: usize = 256;
/// The limit is this at most.
const LIMIT_MAX: usize = 8192;
/// After a pause, so many intervals bring the limit from least to most.
const INTERVALS_MAX: u64 = 32;
/// The writer is busy when deciding, for whichever thread, takes a quarter of an interval or more:
/// less may be one decision that waited for memory.
const BUSY_PART: u64 = 4;
/// So many decisions tell how long one takes.
const DECISIONS_MIN: u64 = 64;

/// A sync under way is waited for this many times as long as the last one took.
const SYNCS_MAX: u64 = 2;

/// How long an answer was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Wait {
    /// After others, in milliseconds.
    queued_ms: u64,
    /// For syncs that would have taken as long without other requests, in milliseconds.
    owed_ms: u64,
}

impl Wait {
    /// So long in all, of which so much is owed to syncs.
    pub(super) fn of(in_all_ns: u64, owed_ns: u64) -> Self {
        let owed_ns = owed_ns.min(in_all_ns);
        Self { queued_ms: (in_all_ns - owed_ns) / 1_000_000, owed_ms: owed_ns / 1_000_000 }
    }
}

/// The limit of one IO thread.
#[derive(Debug)]
pub(super) struct AdaptiveLimit {
    limit: Cell<usize>,
    /// The writer decides so many of this thread's in half of the time of the bound, while it is
    /// busy.
    decidable: Cell<usize>,
    /// There is a bound.
    bounded: Cell<bool>,
    began_ms: Cell<u64>,
    /// The least wait in this interval, of each rank, without what is owed to syncs.
    least_ms: [Cell<Option<u64>>; Rank::ALL.len()],
    /// The most that was owed to syncs in this interval.
    owed_ms: Cell<u64>,
    /// The most that were under way in this interval, and the fewest.
    most: Cell<usize>,
    fewest: Cell<usize>,
    /// The last answer came then, or nothing was under way.
    heard_ms: Cell<u64>,
    /// Answers so far, and when this interval began.
    answers: Cell<u64>,
    answers_before: Cell<u64>,
    /// What deciding had taken when it was last told, and when that was.
    deciding_before_ns: Cell<u64>,
    deciding_told_ms: Cell<u64>,
    /// What could be borne when it last was too much.
    known: Cell<usize>,
}

impl AdaptiveLimit {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            limit: Cell::new(LIMIT_MAX),
            decidable: Cell::new(LIMIT_MAX),
            bounded: Cell::new(true),
            began_ms: Cell::new(now_ms),
            least_ms: Default::default(),
            owed_ms: Cell::new(0),
            most: Cell::new(0),
            fewest: Cell::new(0),
            heard_ms: Cell::new(now_ms),
            answers: Cell::new(0),
            answers_before: Cell::new(0),
            deciding_before_ns: Cell::new(0),
            deciding_told_ms: Cell::new(now_ms),
            known: Cell::new(LIMIT_MAX),
        }
    }

    /// Looks at how much is under way; a bound of 0 is none. To be called before the others.
    pub(super) fn update(
        &self,
        load: Load,
        syncs: impl FnOnce() -> Syncs,
        now_ms: u64,
        bound_ms: u64,
    ) {
        let Load { unanswered: in_flight, answers, .. } = load;
        if self.answers.replace(answers) != answers || in_flight == 0 {
            self.heard_ms.set(now_ms);
        }
        self.most.set(self.most.get().max(in_flight));
        self.fewest.set(self.fewest.get().min(in_flight));
        self.bounded.set(bound_ms > 0);
        if now_ms.saturating_sub(self.began_ms.get()) >= INTERVAL_MS {
            self.judge(load, &syncs(), now_ms, bound_ms);
        }
    }

    /// Says whether a request of this rank may go on at this load. Those that are not decided yet
    /// are counted only where that could be too many.
    pub(super) fn admits(&self, rank: Rank, load: Load, undecided: impl FnOnce() -> usize) -> bool {
        let share = |limit: usize| match rank {
            Rank::Urgent => usize::MAX,
            Rank::Preferred => limit,
            Rank::Ordinary => limit - limit / 8,
            Rank::List => limit / 2,
        };
        !self.bounded.get() || self.has_room(share, load, undecided)
    }

    fn has_room(
        &self,
        share: impl Fn(usize) -> usize,
        load: Load,
        undecided: impl FnOnce() -> usize,
    ) -> bool {
        let decidable = share(self.decidable.get());
        load.unanswered < share(self.limit.get())
            && (load.unanswered < decidable || undecided() < decidable)
    }

    /// An answer to a request of this rank came that was waited for so long.
    pub(super) fn record_wait(&self, rank: Rank, wait: Wait) {
        let kept = &self.least_ms[rank as usize];
        let queued_ms = wait.queued_ms;
        kept.set(Some(kept.get().map_or(queued_ms, |least_ms| least_ms.min(queued_ms))));
        self.owed_ms.set(self.owed_ms.get().max(wait.owed_ms));
    }

    /// How long no answer came that was not owed to syncs: the last one, and the one under way.
    fn silence_ms(&self, syncs: &Syncs, now_ms: u64) -> u64 {
        let heard_ms = self.heard_ms.get();
        let last_ms = syncs.last.within(heard_ms * 1_000_000, now_ms * 1_000_000) / 1_000_000;
        let under_way_ms = syncs.since_ms.map_or(0, |since_ms| {
            let age_ms = now_ms.saturating_sub(since_ms.max(heard_ms));
            age_ms.min(SYNCS_MAX * syncs.last.took_ns() / 1_000_000)
        });
        now_ms.saturating_sub(heard_ms).saturating_sub(last_ms + under_way_ms)
    }

    /// The least wait of the rank that waited longest: a request of a rank that goes first waits
    /// little however many stand behind him. Lists come last, so their wait counts where they are
    /// alone. None if no request was answered.
    fn take_least_ms(&self) -> Option<u64> {
        let [urgent, preferred, ordinary, list] = self.least_ms.each_ref().map(Cell::take);
        urgent.max(preferred).max(ordinary).or(list)
    }

    /// Lines of batches wait while so much is under way.
    pub(super) fn holds_bulk(&self, load: Load, undecided: impl FnOnce() -> usize) -> bool {
        !self.has_room(|limit| limit * 3 / 4, load, undecided)
    }

    /// The limit as it is, on what is under way or on what is not decided, whichever is less.
    pub(super) fn limit(&self) -> usize {
        self.limit.get().min(self.decidable.get())
    }

    fn judge(&self, load: Load, syncs: &Syncs, now_ms: u64, bound_ms: u64) {
        let Load { unanswered: in_flight, answers, deciding_ns } = load;
        let wait_ms = match self.take_least_ms() {
            Some(least_ms) => least_ms,
            None if in_flight > 0 => self.silence_ms(syncs, now_ms),
            None => 0,
        };
        let owed_ms = self.owed_ms.take().max(syncs.last.took_ns() / 1_000_000);
        let lasted_ms = now_ms.saturating_sub(self.began_ms.replace(now_ms)).max(1);
        let most = self.most.replace(in_flight);
        // A slow sync alone has many under way at its end, and few once it is over.
        let standing = self.fewest.replace(in_flight);
        let answered = answers - self.answers_before.replace(answers);
        let deciding_ns = deciding_ns.saturating_sub(self.deciding_before_ns.replace(deciding_ns));
        // It is told with the answers, of all the time since the answers before.
        let since_ms = self.deciding_told_ms.get().min(now_ms - lasted_ms.min(now_ms));
        if deciding_ns > 0 || in_flight == 0 {
            self.deciding_told_ms.set(now_ms);
        }
        let told = (deciding_ns, now_ms - since_ms);
        self.judge_deciding(in_flight, answered, told, bound_ms);
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
        } else if owed_ms <= bound_ms / 4 && wait_ms > bound_ms / 4 && standing > borne {
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

    /// So many of this thread's were answered while deciding took so long of a time. Without
    /// answers and with many who wait, what was known before still holds.
    fn judge_deciding(
        &self,
        in_flight: usize,
        answered: u64,
        (deciding_ns, lasted_ms): (u64, u64),
        bound_ms: u64,
    ) {
        // A turn that began before is counted here as a whole.
        let deciding_ms = (deciding_ns / 1_000_000).min(lasted_ms);
        let is_busy = deciding_ms >= lasted_ms / BUSY_PART;
        let is_told = answered >= DECISIONS_MIN;
        if bound_ms > 0 && is_told && is_busy {
            let answered = usize::try_from(answered).unwrap_or(usize::MAX);
            let decidable = scaled(answered, bound_ms / 2, deciding_ms.max(1));
            self.decidable.set(decidable.clamp(LIMIT_MIN, LIMIT_MAX));
        } else if bound_ms == 0 || is_told || in_flight < DECISIONS_MIN as usize {
            self.decidable.set(LIMIT_MAX);
        }
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
#[path = "concurrency_limit_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "concurrency_limit_sync_tests.rs"]
mod sync_tests;
