//! The token buckets of all owners, in a table that never grows.
//!
//! Owns the table and its arithmetic. A bucket is one number, the time up to which its owner has
//! paid ahead (the generic cell rate algorithm, ITU-T I.371, annex A): empty where that lies a
//! whole window ahead, full where it has passed. All IO threads charge the same cells by compare
//! and swap, so a limit is exact over all of them.
//!
//! Where a set of cells is taken, a newcomer takes over the cell that has paid ahead least (as in
//! Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements", 2005). Of
//! its debt the newcomer takes over one request at most, and none where that would be its first: in
//! a crowd of more owners than cells a first request is always let in. An owner in debt keeps its
//! cell as long as another in its set owes less, so strangers who ask a little free no heavy
//! debtor. Which owners share a set is a secret of the process. Never reads a clock. Next:
//! `control`.
//!
//! A client that brings made-up owners by the million keeps no other client out. It takes the cells
//! of owners that owe little, which forgives their debt; it costs a newcomer one request of
//! several, and never the first. To free one debtor it has to bring eight owners that owe more to
//! the debtor's set, and as it cannot know the set, to every set: cells times the debt, in one
//! window, out of its own quota. So clients are not counted by how many cells they fill. More cells
//! forgive less in a crowd.

use std::hash::{BuildHasher, Hash, RandomState};
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Cells of a set; one more byte for each of them is the set's.
const WAYS: usize = 8;
/// Threads may have read the clock this far apart.
const APART_NS: u64 = 1_000_000_000;
/// Before the thread that inserts is given time to run.
const SPINS: u32 = 64;

/// So many requests at once, and so many in each window of time after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests, from 1 to 1,000,000.
    pub requests: u32,
    /// Seconds, from 1 to 3,600.
    pub window_s: u32,
}

impl Quota {
    const fn interval_ns(self) -> u64 {
        self.window_s as u64 * 1_000_000_000 / self.requests as u64
    }

    /// How far one may pay ahead.
    const fn ahead_ns(self, share: Share) -> u64 {
        let all = self.interval_ns() * self.requests as u64;
        match share {
            Share::Own => all,
            Share::Twice => 2 * all,
        }
    }

    /// How far ahead an owner can have paid under this quota; what is beyond is of another one.
    const fn most_ns(self, now_ns: u64) -> u64 {
        now_ns + self.ahead_ns(Share::Twice) + APART_NS
    }

    /// How far a newcomer may have paid ahead by the cell that it takes over.
    const fn taken_over_ns(self, now_ns: u64) -> u64 {
        if self.requests == 1 { now_ns } else { now_ns + self.interval_ns() }
    }

    /// When the bucket would be paid up to, or for how long there is nothing in it.
    fn pay(self, paid_ns: u64, now_ns: u64, share: Share) -> Result<u64, u64> {
        let paid_ns = paid_ns.max(now_ns) + self.interval_ns();
        match (paid_ns - now_ns).checked_sub(self.ahead_ns(share)) {
            None | Some(0) => Ok(paid_ns),
            Some(wait_ns) => Err(wait_ns),
        }
    }
}

/// How much of a bucket a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Share {
    /// What the quota says.
    Own,
    /// As much again: what is urgent goes on where orders have emptied the bucket, and is bounded.
    Twice,
}

impl Share {
    /// That of what is urgent, or of what is not.
    pub(in crate::http) const fn of_urgent(urgent: bool) -> Self {
        if urgent { Self::Twice } else { Self::Own }
    }
}

/// How a bucket stands after a charge, or a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// Requests that are left in it.
    pub(super) left: u64,
    /// Until it is full again.
    pub(super) full_in_ns: u64,
}

/// A charge that was made, to be given back where the request is refused all the same.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Charge {
    set: usize,
    way: usize,
    tag: u64,
    interval_ns: u64,
    pub(super) level: Level,
}

/// Nothing was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Empty {
    /// Until there is something in it again.
    pub(super) wait_ns: u64,
    pub(super) level: Level,
}

#[derive(Debug)]
pub(super) struct Buckets {
    sets: Box<[Set]>,
    secret: RandomState,
}

#[derive(Debug, Default)]
struct Set {
    cells: [Cell; WAYS],
    /// A thread puts a newcomer in.
    inserting: AtomicBool,
}

#[derive(Debug, Default)]
struct Cell {
    /// Of its owner; 0 while it never had one.
    tag: AtomicU64,
    paid_ns: AtomicU64,
}

impl Buckets {
    /// A table of so many cells, rounded up to a power of two; its memory is taken at once.
    pub(super) fn with_cells(cells: usize) -> Self {
        Self::with_sets(cells.div_ceil(WAYS).next_power_of_two())
    }

    fn with_sets(sets: usize) -> Self {
        let sets = (0..sets).map(|_| Set::default()).collect();
        Self { sets, secret: RandomState::new() }
    }

    /// Takes one request out of the bucket of `owner`.
    pub(super) fn charge(
        &self,
        owner: &impl Hash,
        quota: Quota,
        share: Share,
        now_ns: u64,
    ) -> Result<Charge, Empty> {
        let empty = |paid_ns: u64, wait_ns| Empty { wait_ns, level: level(quota, paid_ns, now_ns) };
        let (set, way, tag) = self.seek(owner, quota, now_ns);
        let cell = &self.sets[set].cells[way];
        let paid = &cell.paid_ns;
        let mut before_ns = cell.paid_up_to(quota.most_ns(now_ns));
        loop {
            let after_ns =
                quota.pay(before_ns, now_ns, share).map_err(|wait_ns| empty(before_ns, wait_ns))?;
            let swap = Ordering::Relaxed;
            match paid.compare_exchange_weak(before_ns, after_ns, swap, Ordering::Relaxed) {
                Err(now_there_ns) => before_ns = now_there_ns,
                Ok(_) => {
                    let level = level(quota, after_ns, now_ns);
                    return Ok(Charge { set, way, tag, interval_ns: quota.interval_ns(), level });
                }
            }
        }
    }

    /// Takes one request more out of the bucket of `owner`, whether it has one or not: a debt,
    /// which grows no further than what is urgent may pay ahead.
    pub(super) fn owe(&self, owner: &impl Hash, quota: Quota, now_ns: u64) -> Level {
        let (set, way, _) = self.seek(owner, quota, now_ns);
        let cell = &self.sets[set].cells[way];
        cell.paid_up_to(quota.most_ns(now_ns));
        let most_ns = now_ns + quota.ahead_ns(Share::Twice);
        let owed = |paid_ns: u64| {
            let more_ns = paid_ns.max(now_ns) + quota.interval_ns();
            paid_ns.max(more_ns.min(most_ns))
        };
        let update = |paid_ns| Some(owed(paid_ns));
        let (swap, read) = (Ordering::Relaxed, Ordering::Relaxed);
        let (Ok(paid_ns) | Err(paid_ns)) = cell.paid_ns.fetch_update(swap, read, update);
        level(quota, owed(paid_ns), now_ns)
    }

    /// The cell of `owner`, which gets one where it has none: its set, its way in there, and its
    /// tag.
    fn seek(&self, owner: &impl Hash, quota: Quota, now_ns: u64) -> (usize, usize, u64) {
        let hash = self.secret.hash_one(owner);
        // The set by the upper half, the tag by all of it: 0 is nobody's.
        let set = (hash >> 32) as usize % self.sets.len();
        let tag = hash.max(1);
        let cells = &self.sets[set];
        let way = match cells.find(tag) {
            Some(way) => way,
            None => cells.insert(tag, quota.most_ns(now_ns), quota.taken_over_ns(now_ns)),
        };
        (set, way, tag)
    }

    /// Gives a charge back. Where the cell has become another's, they keep it.
    pub(super) fn give_back(&self, charge: &Charge) {
        let cell = &self.sets[charge.set].cells[charge.way];
        if cell.tag.load(Ordering::Acquire) == charge.tag {
            // A debt that was struck out meanwhile may be less than the charge.
            let less = |paid_ns: u64| Some(paid_ns.saturating_sub(charge.interval_ns));
            let _ = cell.paid_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

fn level(quota: Quota, paid_ns: u64, now_ns: u64) -> Level {
    let full_in_ns = paid_ns.saturating_sub(now_ns);
    let left_ns = quota.ahead_ns(Share::Own).saturating_sub(full_in_ns);
    Level { left: left_ns / quota.interval_ns(), full_in_ns }
}

impl Cell {
    /// Returns the time up to which the owner has paid, capped at what the quota in force could
    /// have allowed: a debt from an older, larger quota is forgiven.
    fn paid_up_to(&self, most_ns: u64) -> u64 {
        let paid_ns = self.paid_ns.load(Ordering::Relaxed);
        if paid_ns <= most_ns {
            return paid_ns;
        }
        self.paid_ns.fetch_min(most_ns, Ordering::Relaxed).min(most_ns)
    }
}

impl Set {
    fn find(&self, tag: u64) -> Option<usize> {
        self.cells.iter().position(|cell| cell.tag.load(Ordering::Acquire) == tag)
    }

    /// Gives a newcomer the cell that has paid ahead least, paid up to `taken_over_ns` at most. One
    /// thread at a time, for some loads and two stores, so that no owner has two cells.
    fn insert(&self, tag: u64, most_ns: u64, taken_over_ns: u64) -> usize {
        let _turn = Turn::take(&self.inserting);
        if let Some(way) = self.find(tag) {
            return way;
        }
        let paid = self.cells.iter().map(|cell| cell.paid_up_to(most_ns));
        let least = paid.enumerate().min_by_key(|(_, paid_ns)| *paid_ns);
        let (way, _) = least.expect("a set has cells");
        let cell = &self.cells[way];
        // Before its tag: who finds the newcomer finds what it owes, not what another did.
        cell.paid_ns.fetch_min(taken_over_ns, Ordering::Relaxed);
        cell.tag.store(tag, Ordering::Release);
        way
    }
}

/// A thread's turn to insert.
struct Turn<'s>(&'s AtomicBool);

impl<'s> Turn<'s> {
    fn take(inserting: &'s AtomicBool) -> Self {
        let mut spins = 0;
        while inserting.swap(true, Ordering::Acquire) {
            spins += 1;
            if spins % SPINS == 0 { thread::yield_now() } else { hint::spin_loop() }
        }
        Self(inserting)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
