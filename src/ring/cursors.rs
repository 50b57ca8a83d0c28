//! How far the journal is, here and on its copies; cursors count journal sequences.
//!
//! Written by the writer, and by `copy_progress` for the copies; read by every IO thread. What is
//! *settled* is synced here and on every copy that counts, and nothing can take it back. An answer
//! leaves when what it rests on is at or below `answerable`, and while the lease is good: until then
//! no other node writes. Without copies both rest on this disk alone, and the lease has no end.
//! Next: `copy_progress`, `lane`.

use super::seam::{AtomicBool, AtomicU64, AtomicWaker, Ordering, fence};
use super::timings::{SyncSpan, TURNS_KEPT, TurnTimes};
use crate::domain::model::ids::Sequence;
use std::task::Waker;

const NO_SYNC: u64 = u64::MAX;
/// What the copies hold where there is none to wait for.
pub const NO_COPIES: Sequence = Sequence::MAX;
/// The lease where nobody else may write.
pub const NO_LEASE: u64 = u64::MAX;

/// The data syncs that whoever waits may wait for: the last one, and the one under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Syncs {
    /// The last that is over.
    pub last: SyncSpan,
    /// Since when one is under way, on `Clock::elapsed_ms`.
    pub since_ms: Option<u64>,
}

/// The progress of the writer and of the copies.
#[derive(Debug)]
pub struct Cursors {
    appended: AtomicU64,
    synced: AtomicU64,
    /// Durable on this disk, as the mode asks.
    durable: AtomicU64,
    /// Synced on every copy that counts; `NO_COPIES` where there is none.
    copied: AtomicU64,
    /// Until when answers may leave, on `Clock::boottime_ms`, that moment included; `NO_LEASE` for
    /// ever.
    good_until_ms: AtomicU64,
    /// A lane holds answers back until the lease is extended.
    is_lease_missed: AtomicBool,
    journal_bytes: AtomicU64,
    /// What deciding took so far, in nanoseconds.
    deciding_ns: AtomicU64,
    poisoned: AtomicBool,
    /// Since when a data sync is under way, on `Clock::elapsed_ms`; `NO_SYNC` for none.
    sync_since_ms: AtomicU64,
    /// The last sync that is over, on `Clock::elapsed_ns`.
    sync_began_ns: AtomicU64,
    sync_ended_ns: AtomicU64,
    /// Who follows the journal and has seen all that was answerable.
    follower: AtomicWaker,
    /// Whoever ships the journal has begun to: once it has, it goes on.
    is_shipped: AtomicBool,
    /// Who ships the journal and has seen all that was appended.
    shipper: AtomicWaker,
    turns: Box<[TurnTimes; TURNS_KEPT]>,
    /// Turns that began, requests or not.
    turns_begun: AtomicU64,
}

impl Default for Cursors {
    fn default() -> Self {
        Self {
            appended: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            copied: AtomicU64::new(NO_COPIES),
            good_until_ms: AtomicU64::new(NO_LEASE),
            is_lease_missed: AtomicBool::new(false),
            journal_bytes: AtomicU64::new(0),
            deciding_ns: AtomicU64::new(0),
            poisoned: AtomicBool::new(false),
            sync_since_ms: AtomicU64::new(NO_SYNC),
            sync_began_ns: AtomicU64::new(0),
            sync_ended_ns: AtomicU64::new(0),
            follower: AtomicWaker::new(),
            is_shipped: AtomicBool::new(false),
            shipper: AtomicWaker::new(),
            turns: Box::new(std::array::from_fn(|_| TurnTimes::default())),
            turns_begun: AtomicU64::new(0),
        }
    }
}

impl Cursors {
    /// Publishes what is stored, before it is synced: copies need not wait for this disk.
    pub fn publish_appended(&self, appended: Sequence) {
        self.appended.store(appended, Ordering::Release);
        // Where nobody ships this is all. Who has just begun to may be seen by the `publish` of the
        // same turn only, behind its fence.
        self.wake_shipper();
    }

    /// Publishes how far the journal is on this disk; `durable` is what the durability mode asks.
    pub fn publish(&self, appended: Sequence, synced: Sequence, durable: Sequence) {
        assert!(synced <= appended && durable <= appended);
        self.appended.store(appended, Ordering::Release);
        self.synced.store(synced, Ordering::Release);
        self.durable.store(durable, Ordering::Release);
        // And in `publish_copied`: where both publish at the same time, one at least sees both
        // values, and wakes the lanes that wait for the lower one.
        fence(Ordering::SeqCst);
        // One atomic step where nothing follows.
        self.follower.wake();
        self.wake_shipper();
    }

    fn wake_shipper(&self) {
        if self.is_shipped.load(Ordering::Relaxed) {
            self.shipper.wake();
        }
    }

    /// Publishes what every copy that counts has synced, and returns whether that made more
    /// answerable.
    pub(super) fn publish_copied(&self, copied: Sequence) -> bool {
        // Only one thread writes it.
        let before = self.copied.load(Ordering::Relaxed);
        self.copied.store(copied, Ordering::Release);
        fence(Ordering::SeqCst);
        let more = self.durable.load(Ordering::Acquire) > before;
        if more {
            self.follower.wake();
        }
        more
    }

    /// Extends the lease, or ends it, and returns whether a lane holds answers back that may leave
    /// now.
    pub(super) fn publish_lease(&self, good_until_ms: u64) -> bool {
        self.good_until_ms.store(good_until_ms, Ordering::Release);
        // And in `is_good`: of a lane that misses the lease and its extension at the same time, one
        // at least sees the other.
        fence(Ordering::SeqCst);
        self.is_lease_missed.swap(false, Ordering::AcqRel)
    }

    /// Answers may leave now, by `Clock::boottime_ms`, which is read only where there is a lease.
    /// Where they may not, the next extension of the lease wakes the lanes.
    pub fn is_good(&self, now_ms: impl Fn() -> u64) -> bool {
        let is_over = || match self.good_until_ms.load(Ordering::Acquire) {
            NO_LEASE => false,
            good_until_ms => now_ms() > good_until_ms,
        };
        if !is_over() {
            return true;
        }
        self.is_lease_missed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        !is_over()
    }

    /// Until when answers may leave, on `Clock::boottime_ms`; [`NO_LEASE`] for ever.
    #[must_use]
    pub fn good_until_ms(&self) -> u64 {
        self.good_until_ms.load(Ordering::Acquire)
    }

    /// Wakes once when more is appended, synced or not. Whoever waits looks at the cursors once more
    /// after this: what moved before is not told. One waits at a time.
    pub fn wake_when_appended(&self, waker: &Waker) {
        self.is_shipped.store(true, Ordering::Release);
        // And in `publish`: at least one of the two sees the other.
        fence(Ordering::SeqCst);
        self.shipper.register(waker);
    }

    /// Wakes once when the cursors move. Whoever waits looks at them once more after this: what
    /// moved before is not told. One waits at a time.
    pub fn wake_when_moved(&self, waker: &Waker) {
        self.follower.register(waker);
    }

    /// Stored here; a killed process does not lose it.
    #[must_use]
    pub fn appended(&self) -> Sequence {
        self.appended.load(Ordering::Acquire)
    }

    /// On this disk; a power cut does not lose it.
    #[must_use]
    pub fn synced(&self) -> Sequence {
        self.synced.load(Ordering::Acquire)
    }

    /// Synced on every copy that counts; [`NO_COPIES`] where there is none to wait for.
    #[must_use]
    pub fn copied(&self) -> Sequence {
        self.copied.load(Ordering::Acquire)
    }

    /// Synced here and on every copy that counts: nothing can take it back.
    #[must_use]
    pub fn settled(&self) -> Sequence {
        self.synced().min(self.copied())
    }

    /// Durable as the mode asks, here and on every copy that counts.
    #[must_use]
    pub fn answerable(&self) -> Sequence {
        self.durable.load(Ordering::Acquire).min(self.copied())
    }

    /// Says that the writer lives: it begins a turn.
    pub fn count_turn(&self) {
        // Only the writer counts.
        let begun = self.turns_begun.load(Ordering::Relaxed);
        self.turns_begun.store(begun.wrapping_add(1), Ordering::Relaxed);
    }

    /// How many turns began; a number that moves is a writer that lives.
    #[must_use]
    pub fn turns_begun(&self) -> u64 {
        self.turns_begun.load(Ordering::Relaxed)
    }

    /// Says when a turn was stored and when durable, and which sync was before it, before the
    /// cursors say that it is.
    pub fn time_turn(&self, turn: u32, stored_ns: u64, durable_ns: u64, before: SyncSpan) {
        self.turns[turn as usize % TURNS_KEPT].set(stored_ns, durable_ns, before);
    }

    /// When a turn that the cursors have passed was stored and durable, and the sync before it. Of
    /// a turn that is long past, a later one's.
    pub(super) fn turn_times(&self, turn: u32) -> (u64, u64, SyncSpan) {
        self.turns[turn as usize % TURNS_KEPT].get()
    }

    /// Says what deciding took so far, that of the turns before the cursors move included.
    pub fn publish_deciding(&self, deciding_ns: u64) {
        self.deciding_ns.store(deciding_ns, Ordering::Relaxed);
    }

    /// What deciding took so far, in nanoseconds.
    #[must_use]
    pub fn deciding_ns(&self) -> u64 {
        self.deciding_ns.load(Ordering::Relaxed)
    }

    /// Says how large the journal is on disk, in bytes.
    pub fn publish_journal_bytes(&self, bytes: u64) {
        self.journal_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The journal's size on disk, in bytes.
    #[must_use]
    pub fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Ordering::Relaxed)
    }

    /// A data sync begins, now on `Clock::elapsed_ms`.
    pub fn begin_sync(&self, now_ms: u64) {
        self.sync_since_ms.store(now_ms, Ordering::Relaxed);
    }

    /// It is over.
    pub fn end_sync(&self, sync: SyncSpan) {
        self.sync_began_ns.store(sync.began_ns, Ordering::Relaxed);
        self.sync_ended_ns.store(sync.ended_ns, Ordering::Relaxed);
        self.sync_since_ms.store(NO_SYNC, Ordering::Relaxed);
    }

    /// The last data sync, and the one under way.
    #[must_use]
    pub fn syncs(&self) -> Syncs {
        let read = |moment: &AtomicU64| moment.load(Ordering::Relaxed);
        let since_ms = Some(read(&self.sync_since_ms)).filter(|since_ms| *since_ms != NO_SYNC);
        let last =
            SyncSpan { began_ns: read(&self.sync_began_ns), ended_ns: read(&self.sync_ended_ns) };
        Syncs { last, since_ms }
    }

    /// How long a data sync has been under way, in milliseconds; 0 if there is none.
    #[must_use]
    pub fn sync_age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.sync_since_ms.load(Ordering::Relaxed))
    }

    /// Says that the writer stopped in the middle: what is durable is unknown until the next start.
    pub fn poison(&self) {
        self.poisoned.store(true, Ordering::SeqCst);
    }

    /// The writer stopped in the middle.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::SeqCst)
    }
}
