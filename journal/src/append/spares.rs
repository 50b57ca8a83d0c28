//! The next segment, from the writer's side: wanted, asked for, in hand.
//!
//! Owns what is known of one spare at a time. Never waits: a spare is in hand or it is not. Read
//! `segment_allocator.rs` next for the thread at the other end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::append::prepare::ReadySegment;
use crate::append::segment_allocator::{Preparer, Request, SpareMaker, Wanted};
use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;

/// How things stand with the spare segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// [`crate::Journal::start_preparer`] was not called yet; a spare is made in place when needed.
    OnDemand,
    /// In hand: the next roll costs two stores and a sync.
    Ready,
    /// Being made.
    Preparing,
    /// Could not be made; asked for again with each turn, tried again after a bounded pause.
    Failed,
}

/// Where the next segment comes from.
pub(crate) struct Spares<D: Disk> {
    preparer: Option<Preparer<D>>,
    next: Wanted,
    ready: Option<ReadySegment<D>>,
    asked: bool,
    failures: u32,
    failure: Option<JournalError>,
}

impl<D: Disk> Spares<D> {
    pub(crate) fn new(next: Wanted) -> Self {
        Self { preparer: None, next, ready: None, asked: false, failures: 0, failure: None }
    }

    pub(crate) fn start_preparer(&mut self, disk: &Arc<D>) -> Result<(), JournalError> {
        if self.preparer.is_none() {
            self.preparer = Some(Preparer::start(Arc::clone(disk))?);
            self.ask(None);
        }
        Ok(())
    }

    pub(crate) fn spare_maker(&mut self, disk: &Arc<D>) -> SpareMaker<D> {
        assert!(self.preparer.is_none(), "segments are made in one place");
        let (preparer, maker) = Preparer::without_thread(Arc::clone(disk));
        self.preparer = Some(preparer);
        self.ask(None);
        maker
    }

    pub(crate) fn stop_preparer(&mut self) -> Result<(), JournalError> {
        self.preparer.as_mut().map_or(Ok(()), Preparer::stop)
    }

    /// How things stand, and the size of the next segment if it can be had at once, in bytes.
    pub(crate) fn state(&self) -> (Spare, Option<u64>) {
        match &self.ready {
            Some(ready) => (Spare::Ready, Some(ready.header.bytes)),
            None if self.preparer.is_none() => (Spare::OnDemand, Some(self.next.header().bytes)),
            None if self.failures > 0 => (Spare::Failed, None),
            None => (Spare::Preparing, None),
        }
    }

    pub(crate) fn take_failure(&mut self) -> Option<JournalError> {
        self.failure.take()
    }

    /// Says which segment comes next, now that the one before is full.
    pub(crate) fn want(&mut self, next: Wanted, full: <D::File as DiskFile>::Mapped) {
        self.next = next;
        self.ask(Some(full));
    }

    /// Hands the request to the thread, and the full segment with it.
    fn ask(&mut self, retired: Option<<D::File as DiskFile>::Mapped>) {
        if let Some(preparer) = &self.preparer {
            preparer.ask(Request { wanted: self.next, failures: self.failures, retired });
            self.asked = true;
        }
    }

    /// Takes the thread's answer if it is there, and asks again after a failure.
    pub(crate) fn poll(&mut self) {
        let answer = match &self.preparer {
            Some(preparer) if self.asked => preparer.poll(),
            _ => None,
        };
        match answer {
            None => {}
            Some(Ok(ready)) => {
                self.asked = false;
                self.failures = 0;
                self.ready = Some(ready);
            }
            Some(Err(failure)) => {
                self.failures = self.failures.saturating_add(1);
                self.failure = Some(failure);
                self.ask(None);
            }
        }
    }

    /// The next segment, if it is in hand; made in place as long as no thread does it.
    pub(crate) fn take(&mut self, disk: &D) -> Result<Option<ReadySegment<D>>, JournalError> {
        self.poll();
        if self.ready.is_none() && self.preparer.is_none() {
            return self.next.fetch(disk, &AtomicBool::new(false));
        }
        Ok(self.ready.take())
    }
}
