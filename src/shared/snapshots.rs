//! What the background says of snapshots, and how to ask it for one. A leaf between the server's
//! parts: the snapshotter fills it in, HTTP and the writer look and ask. Takes no snapshot itself.
//! Next: `snapshotter`.

use crate::domain::model::ids::Sequence;
use crate::testing::failpoints::{Failpoint, armed};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Asks that may wait; more are refused.
const ASKS_MAX: usize = 16;

/// What the snapshotter is told.
pub enum Ask {
    /// Enough has happened since the last snapshot.
    Due,
    /// Take a snapshot now, and answer its sequence or why there is none.
    Now(oneshot::Sender<Result<Sequence, NoSnapshot>>),
    /// Take one of exactly this sequence, or look at the one that is there, and answer its digest or
    /// why there is none. What two nodes answer for one sequence is the same.
    At(Sequence, oneshot::Sender<Result<[u8; 32], String>>),
    /// Take no more, and end: the directory is about to change.
    Pause,
    /// Take a last one before this, on `Clock::elapsed_ms`, and end.
    Stop(u64),
}

/// Why there is no new snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSnapshot {
    /// The disk has no room.
    NoSpace,
    /// For this reason.
    Failed(String),
}

/// How the snapshots of this server stand.
#[derive(Debug)]
pub struct Snapshots {
    /// The sequence of the newest snapshot; 0 = there is none.
    sequence: AtomicU64,
    /// When that was taken, or found at the start, on `Clock::elapsed_ms`.
    taken_ms: AtomicU64,
    failure: Mutex<Option<String>>,
    /// What is damaged in the journal's history.
    damage: Mutex<Option<String>>,
    /// There is no room for the next segment.
    space_short: AtomicBool,
    /// Whoever takes one is to stop as soon as it can.
    is_hurried: AtomicBool,
    /// Whether a check was requested and not begun.
    nudged: AtomicBool,
    asks: SyncSender<Ask>,
}

fn read(place: &Mutex<Option<String>>) -> Option<String> {
    place.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set(place: &Mutex<Option<String>>, text: Option<String>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = text;
}

impl Snapshots {
    /// Nothing known yet; the asks come out at the other end.
    #[must_use]
    pub fn new() -> (Self, Receiver<Ask>) {
        let (asks, asked) = sync_channel(ASKS_MAX);
        let snapshots = Self {
            sequence: AtomicU64::new(0),
            taken_ms: AtomicU64::new(0),
            failure: Mutex::new(None),
            damage: Mutex::new(None),
            space_short: AtomicBool::new(false),
            is_hurried: AtomicBool::new(false),
            nudged: AtomicBool::new(false),
            asks,
        };
        (snapshots, asked)
    }

    /// The sequence of the newest snapshot.
    #[must_use]
    pub fn sequence(&self) -> Option<Sequence> {
        Some(self.sequence.load(Ordering::Acquire)).filter(|sequence| *sequence > 0)
    }

    /// Why the last attempt failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        read(&self.failure)
    }

    /// When the newest snapshot was taken, or found at the start, on `Clock::elapsed_ms`.
    #[must_use]
    pub fn taken_ms(&self) -> u64 {
        self.taken_ms.load(Ordering::Relaxed)
    }

    /// There is a snapshot, as of now.
    pub fn took(&self, sequence: Sequence, now_ms: u64) {
        self.taken_ms.store(now_ms, Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Release);
        set(&self.failure, None);
    }

    /// There is none, for this reason.
    pub(crate) fn failed(&self, why: String) {
        set(&self.failure, Some(why));
    }

    /// What is damaged in the journal's history, as far as it has been read again.
    #[must_use]
    pub fn damage(&self) -> Option<String> {
        read(&self.damage)
    }

    pub(crate) fn found_damage(&self, what: String) {
        set(&self.damage, Some(what));
    }

    /// The journal finds no room for its next segment, or finds room again. A snapshot may let
    /// older segments go.
    pub(crate) fn set_space_short(&self, short: bool) {
        self.space_short.store(short, Ordering::Release);
        if short {
            self.request_check();
        }
    }

    pub(crate) fn space_short(&self) -> bool {
        self.space_short.load(Ordering::Acquire)
    }

    /// Asks for a snapshot now; the receiver hears its sequence, or why there is none. None if too
    /// many have asked already.
    #[must_use]
    pub fn ask(&self) -> Option<oneshot::Receiver<Result<Sequence, NoSnapshot>>> {
        if armed(Failpoint::SnapshotAsks) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(Ask::Now(answer)).ok().map(|()| answered)
    }

    /// Asks for the digest of exactly this sequence, as of a snapshot; the receiver hears it, or why
    /// there is none. None if too many have asked already.
    #[must_use]
    pub fn ask_at(
        &self,
        sequence: Sequence,
    ) -> Option<oneshot::Receiver<Result<[u8; 32], String>>> {
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(Ask::At(sequence, answer)).ok().map(|()| answered)
    }

    /// Asks for the end without a last snapshot, and that the one under way be given up.
    pub(crate) fn pause(&self) {
        self.is_hurried.store(true, Ordering::Release);
        // A snapshotter that is gone has stopped.
        let _ = self.asks.send(Ask::Pause);
    }

    /// From here on snapshots are taken again.
    pub(crate) fn resume(&self) {
        self.is_hurried.store(false, Ordering::Release);
    }

    pub(crate) fn is_hurried(&self) -> bool {
        self.is_hurried.load(Ordering::Acquire)
    }

    /// Says that enough has happened; never waits.
    pub(crate) fn request_check(&self) {
        // One that waits already will do, and must not take the place of a request.
        if !self.nudged.swap(true, Ordering::AcqRel) && self.asks.try_send(Ask::Due).is_err() {
            self.take_request();
        }
    }

    /// From here on the next request for a check counts.
    pub(crate) fn take_request(&self) {
        self.nudged.store(false, Ordering::Release);
    }

    /// Asks for a last snapshot and the end.
    pub fn stop(&self, before_ms: u64) {
        // A snapshotter that is gone has stopped.
        let _ = self.asks.send(Ask::Stop(before_ms));
    }
}
