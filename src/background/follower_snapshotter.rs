//! The snapshotter of a node that follows: it rests while the directory is changed.
//!
//! Owns its thread, from one cut of the journal to the next, and over a takeover: the journal goes
//! on then, and so does this. Never decides when a snapshot is due. Next:
//! `snapshotter`.

use crate::background::snapshotter::{Snapshotter, SnapshotterParts};
use crate::engine::follower::Background;
use crate::engine::replay::DataDirectory;
use crate::shared::snapshots::{Ask, Snapshots};
use doorbuster_journal::{JournalId, Pruner};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Puts together what a snapshotter works with.
type Make<P> = Box<
    dyn Fn(JournalId, Pruner<<P as DataDirectory>::Disk>, Receiver<Ask>) -> SnapshotterParts<P>
        + Send,
>;

/// Takes snapshots beside a follower.
pub struct FollowerSnapshotter<P: DataDirectory> {
    snapshots: Arc<Snapshots>,
    make: Make<P>,
    /// Where it hears what to do, while no thread does.
    asked: Option<Receiver<Ask>>,
    thread: SnapshotterThread,
}

/// The thread of a snapshotter, if one runs.
#[derive(Debug, Clone, Default)]
pub struct SnapshotterThread(Arc<Mutex<Option<JoinHandle<Receiver<Ask>>>>>);

impl SnapshotterThread {
    /// Waits for its end, which somebody has asked for.
    pub fn join(&self) {
        let _ = self.end();
    }

    fn end(&self) -> Option<Receiver<Ask>> {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // One that panicked is told by the panic; snapshots then end with it.
        thread.join().ok()
    }

    fn runs(&self, thread: JoinHandle<Receiver<Ask>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }
}

impl<P: DataDirectory> FollowerSnapshotter<P> {
    /// Does nothing before the follower has a journal.
    #[must_use]
    pub fn new(snapshots: Arc<Snapshots>, asked: Receiver<Ask>, make: Make<P>) -> Self {
        Self { snapshots, make, asked: Some(asked), thread: SnapshotterThread::default() }
    }

    /// Its thread, for who waits for its end.
    #[must_use]
    pub fn thread(&self) -> SnapshotterThread {
        self.thread.clone()
    }
}

impl<P: DataDirectory + Send + 'static> Background<P::Disk> for FollowerSnapshotter<P> {
    fn begin(&mut self, journal: JournalId, pruner: Pruner<P::Disk>) {
        let Some(asked) = self.asked.take() else { return };
        let snapshotter = Snapshotter::new((self.make)(journal, pruner, asked));
        let named = thread::Builder::new().name("snapshotter".to_owned());
        match named.spawn(move || snapshotter.run()) {
            Ok(thread) => self.thread.runs(thread),
            Err(cause) => {
                let cause = format!("there is no thread for it: {cause}");
                tracing::warn!(cause, "no snapshots are taken");
                self.snapshots.failed(cause);
            }
        }
    }

    fn pause(&mut self) {
        if self.asked.is_some() {
            return;
        }
        self.snapshots.pause();
        self.asked = self.thread.end();
        self.snapshots.resume();
    }
}
