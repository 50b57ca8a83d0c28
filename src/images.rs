//! What the background says of images, and how to ask it for one. A leaf between the server's
//! parts: the snapshotter fills it in, HTTP and the writer look and ask. Takes no image itself.
//! Next: `snapshotter`.

use crate::domain::ids::Sequence;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Asks that may wait; more are refused.
const ASKS_MAX: usize = 16;

/// What the snapshotter is told.
pub enum Ask {
    /// Enough has happened since the last image.
    Due,
    /// Somebody wants one now, and to hear its sequence or why there is none.
    Now(oneshot::Sender<Result<Sequence, String>>),
    /// Take a last one before this, on `Clock::elapsed_ms`, and end.
    Stop(u64),
}

/// How the images of this server stand.
#[derive(Debug)]
pub struct Images {
    /// The sequence of the newest image; 0 = there is none.
    sequence: AtomicU64,
    failure: Mutex<Option<String>>,
    asks: SyncSender<Ask>,
}

impl Images {
    /// Nothing known yet; the asks come out at the other end.
    pub(crate) fn new() -> (Self, Receiver<Ask>) {
        let (asks, asked) = sync_channel(ASKS_MAX);
        let failure = Mutex::new(None);
        (Self { sequence: AtomicU64::new(0), failure, asks }, asked)
    }

    /// The sequence of the newest image.
    #[must_use]
    pub fn sequence(&self) -> Option<Sequence> {
        Some(self.sequence.load(Ordering::Acquire)).filter(|sequence| *sequence > 0)
    }

    /// Why the last attempt failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// There is an image.
    pub(crate) fn took(&self, sequence: Sequence) {
        self.sequence.store(sequence, Ordering::Release);
        self.set_failure(None);
    }

    /// There is none, for this reason.
    pub(crate) fn failed(&self, why: String) {
        self.set_failure(Some(why));
    }

    fn set_failure(&self, why: Option<String>) {
        *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = why;
    }

    /// Asks for an image now; the receiver hears its sequence, or why there is none. None if too
    /// many have asked already.
    #[must_use]
    pub fn ask(&self) -> Option<oneshot::Receiver<Result<Sequence, String>>> {
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(Ask::Now(answer)).ok().map(|()| answered)
    }

    /// Says that enough has happened; never waits.
    pub(crate) fn nudge(&self) {
        // Where so many wait already, one of them will do.
        let _ = self.asks.try_send(Ask::Due);
    }

    /// Asks for a last image and the end.
    pub(crate) fn stop(&self, before_ms: u64) {
        // A snapshotter that is gone has stopped.
        let _ = self.asks.send(Ask::Stop(before_ms));
    }
}
