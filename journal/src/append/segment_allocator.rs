//! The thread that makes the next segment before the writer needs it.
//!
//! Owns the preparation of one spare at a time in the background, its retries, and the unmapping of
//! full segments, so that the writer spends no time on either. Never stores a frame and never
//! poisons the journal: a spare that cannot be made is reported, and made when it is requested
//! again. Read `prepare.rs` for the preparation itself, `spares.rs` for the requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::append::prepare::{ReadySegment, prepare, reopen};
use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::segment::SegmentHeader;

/// The pause after a failure, doubled with each further failure in a row: short enough that sales
/// resume soon after there is space, long enough to leave a full disk alone.
const RETRY_PAUSE_MS_MIN: u64 = 50;
const RETRY_PAUSE_MS_MAX: u64 = 5_000;

/// The segment that the writer needs next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SegmentRequest {
    /// A segment that does not exist yet.
    New(SegmentHeader),
    /// An unused segment that a scan found.
    Existing(SegmentHeader),
}

impl SegmentRequest {
    pub(crate) fn header(&self) -> &SegmentHeader {
        match self {
            Self::New(header) | Self::Existing(header) => header,
        }
    }

    /// Makes the segment, or opens the existing one. `None` if `stop` was set meanwhile.
    pub(crate) fn fetch<D: Disk>(
        self,
        disk: &D,
        stop: &AtomicBool,
    ) -> Result<Option<ReadySegment<D>>, JournalError> {
        match self {
            Self::New(header) => prepare(disk, header, stop),
            Self::Existing(header) => reopen(disk, header).map(Some),
        }
    }
}

/// One job of the thread.
pub(crate) struct AllocatorJob<D: Disk> {
    pub(crate) request: SegmentRequest,
    /// Failures in a row before this request.
    pub(crate) failures: u32,
    /// A full segment that the thread unmaps.
    pub(crate) retired: Option<<D::File as DiskFile>::Mapped>,
}

type Answer<D> = Result<ReadySegment<D>, JournalError>;

/// The writer's end: at most one job and one answer at a time. It waits for neither.
pub(crate) struct AllocatorHandle<D: Disk> {
    jobs: Option<SyncSender<AllocatorJob<D>>>,
    answers: Receiver<Answer<D>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<D: Disk> AllocatorHandle<D> {
    pub(crate) fn start(disk: Arc<D>) -> Result<Self, JournalError> {
        let (mut handle, allocator) = Self::without_thread(disk);
        let thread = std::thread::Builder::new()
            .name("journal-preparer".into())
            .spawn(move || allocator.serve())
            .map_err(|_| JournalError::Allocator { operation: "start" })?;
        handle.thread = Some(thread);
        Ok(handle)
    }

    /// Both ends, for a caller that makes the segments step by step.
    pub(crate) fn without_thread(disk: Arc<D>) -> (Self, SegmentAllocator<D>) {
        let (jobs, incoming) = sync_channel(1);
        let (outgoing, answers) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let allocator = SegmentAllocator { disk, jobs: incoming, answers: outgoing, stop: stopped };
        (Self { jobs: Some(jobs), answers, stop, thread: None }, allocator)
    }

    /// Sends a job. There is at most one at a time, so the channel always has space for it.
    pub(crate) fn send(&self, job: AllocatorJob<D>) {
        if let Some(jobs) = &self.jobs {
            // Fails only if the thread has ended, which `stop` reports.
            let _ = jobs.try_send(job);
        }
    }

    /// Takes the answer if there is one. A thread that panicked answers with an error.
    pub(crate) fn poll(&self) -> Option<Result<ReadySegment<D>, JournalError>> {
        match self.answers.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(JournalError::Allocator { operation: "reach" }))
            }
        }
    }

    /// Stops the thread and waits for it: at most for one step of a preparation.
    pub(crate) fn stop(&mut self) -> Result<(), JournalError> {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(JournalError::Allocator { operation: "end" }),
            _ => Ok(()),
        }
    }
}

impl<D: Disk> Drop for AllocatorHandle<D> {
    fn drop(&mut self) {
        // A panic of the thread was printed, and no caller is left for the error.
        let _ = self.stop();
    }
}

/// The other end: makes the segments that the writer requests. Runs on a thread of its own, unless
/// a caller runs it step by step.
pub struct SegmentAllocator<D: Disk> {
    disk: Arc<D>,
    jobs: Receiver<AllocatorJob<D>>,
    answers: SyncSender<Answer<D>>,
    stop: Arc<AtomicBool>,
}

impl<D: Disk> SegmentAllocator<D> {
    fn serve(self) {
        while let Ok(job) = self.jobs.recv() {
            if job.failures > 0 {
                let doubled = RETRY_PAUSE_MS_MIN << (job.failures - 1).min(16);
                let pause = Duration::from_millis(doubled.min(RETRY_PAUSE_MS_MAX));
                // No second job is sent before the answer, so this ends early only when the sender
                // is dropped.
                let woken = self.jobs.recv_timeout(pause);
                if woken.is_err_and(|error| error != RecvTimeoutError::Timeout) {
                    return;
                }
            }
            if !self.make(job) {
                return;
            }
        }
    }

    /// Does one job if there is one, without a pause after a failure. Returns whether there was
    /// one.
    pub fn step(&self) -> bool {
        self.jobs.try_recv().is_ok_and(|job| self.make(job))
    }

    /// Returns whether the writer may still send a job.
    fn make(&self, AllocatorJob { request, retired, .. }: AllocatorJob<D>) -> bool {
        drop(retired);
        let made = request.fetch(&*self.disk, &self.stop).transpose();
        made.is_some_and(|answer| self.answers.send(answer).is_ok())
    }
}
