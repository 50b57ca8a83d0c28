//! The next segment as the writer sees it: requested, being made, ready.
//!
//! Owns the state of one spare at a time. Never waits: a spare is ready or it is not. Read
//! `segment_allocator.rs` next for the thread at the other end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::append::prepare::ReadySegment;
use crate::append::segment_allocator::{
    AllocatorHandle, AllocatorJob, SegmentAllocator, SegmentRequest,
};
use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::segment::SegmentHeader;

/// The state of the spare segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// [`crate::Journal::start_allocator`] was not called yet; the writer makes a spare when
    /// it needs one.
    OnDemand,
    /// Ready: the next roll costs two stores and a sync.
    Ready,
    /// Being made.
    Preparing,
    /// Making it failed. Each turn requests it again; the thread retries after a bounded pause.
    Failed,
}

/// Where the next segment comes from.
pub(crate) struct Spares<D: Disk> {
    allocator: Option<AllocatorHandle<D>>,
    next: SegmentRequest,
    ready: Option<ReadySegment<D>>,
    is_requested: bool,
    failures: u32,
    failure: Option<JournalError>,
}

impl<D: Disk> Spares<D> {
    pub(crate) fn new(next: SegmentRequest) -> Self {
        Self { allocator: None, next, ready: None, is_requested: false, failures: 0, failure: None }
    }

    pub(crate) fn start_allocator(&mut self, disk: &Arc<D>) -> Result<(), JournalError> {
        if self.allocator.is_none() {
            self.allocator = Some(AllocatorHandle::start(Arc::clone(disk))?);
            self.send_job(None);
        }
        Ok(())
    }

    pub(crate) fn segment_allocator(&mut self, disk: &Arc<D>) -> SegmentAllocator<D> {
        assert!(self.allocator.is_none(), "segments are made in one place");
        let (handle, allocator) = AllocatorHandle::without_thread(Arc::clone(disk));
        self.allocator = Some(handle);
        self.send_job(None);
        allocator
    }

    pub(crate) fn stop_allocator(&mut self) -> Result<(), JournalError> {
        self.allocator.as_mut().map_or(Ok(()), AllocatorHandle::stop)
    }

    /// The state, and the size of the next segment in bytes if it can be used at once.
    pub(crate) fn state(&self) -> (Spare, Option<u64>) {
        match &self.ready {
            Some(ready) => (Spare::Ready, Some(ready.header.bytes)),
            None if self.allocator.is_none() => (Spare::OnDemand, Some(self.next.header().bytes)),
            None if self.failures > 0 => (Spare::Failed, None),
            None => (Spare::Preparing, None),
        }
    }

    pub(crate) fn take_failure(&mut self) -> Option<JournalError> {
        self.failure.take()
    }

    /// Requests the next segment, and hands the full one over to be unmapped.
    pub(crate) fn request(&mut self, next: SegmentRequest, full: <D::File as DiskFile>::Mapped) {
        self.next = next;
        self.send_job(Some(full));
    }

    /// Makes this segment the next one. One that was made in its place is made anew: it gets the
    /// name of the other by a rename.
    pub(crate) fn expect(&mut self, header: SegmentHeader) {
        if *self.next.header() == header {
            return;
        }
        self.next = SegmentRequest::New(header);
        let other = self.ready.take().map(|ready| ready.mapped);
        // A request on its way is answered first; `poll` then sends this one.
        if !self.is_requested {
            self.send_job(other);
        }
    }

    /// Sends the request to the thread, and the full segment with it.
    fn send_job(&mut self, retired: Option<<D::File as DiskFile>::Mapped>) {
        if let Some(allocator) = &self.allocator {
            allocator.send(AllocatorJob { request: self.next, failures: self.failures, retired });
            self.is_requested = true;
        }
    }

    /// Takes the answer of the thread if there is one, and requests again after a failure.
    pub(crate) fn poll(&mut self) {
        let answer = match &self.allocator {
            Some(allocator) if self.is_requested => allocator.poll(),
            _ => None,
        };
        match answer {
            None => {}
            Some(Ok(ready)) => {
                self.is_requested = false;
                self.failures = 0;
                if ready.header == *self.next.header() {
                    self.ready = Some(ready);
                } else {
                    self.send_job(Some(ready.mapped));
                }
            }
            Some(Err(failure)) => {
                self.failures = self.failures.saturating_add(1);
                self.failure = Some(failure);
                self.send_job(None);
            }
        }
    }

    /// Takes the next segment if it is ready; makes it here as long as there is no thread.
    pub(crate) fn take(&mut self, disk: &D) -> Result<Option<ReadySegment<D>>, JournalError> {
        self.poll();
        if self.ready.is_none() && self.allocator.is_none() {
            return self.next.fetch(disk, &AtomicBool::new(false));
        }
        Ok(self.ready.take())
    }
}
