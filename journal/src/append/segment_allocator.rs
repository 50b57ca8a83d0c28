//! The thread that has the next segment ready before the writer needs it.
//!
//! Owns the background preparation of one spare at a time, its retries, and the unmapping of
//! segments that are full, so that the writer spends no time on either. Never stores a frame and
//! never poisons the journal: a spare that cannot be made is reported and made anew when asked
//! again. Read `segment.rs` for the preparation itself, `spares.rs` for who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::append::prepare::{ReadySegment, prepare, reopen};
use crate::disk::traits::{Disk, DiskFile};
use crate::error::JournalError;
use crate::format::segment::SegmentHeader;

/// How long the thread pauses after a failure, doubled with each further one in a row: short
/// enough that sales resume soon after space is found, long enough to leave a full disk alone.
const RETRY_PAUSE_MS_MIN: u64 = 50;
const RETRY_PAUSE_MS_MAX: u64 = 5_000;

/// Which segment is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SegmentRequest {
    /// One that does not exist yet.
    New(SegmentHeader),
    /// An unused one that a scan found.
    Existing(SegmentHeader),
}

impl SegmentRequest {
    pub(crate) fn header(&self) -> &SegmentHeader {
        match self {
            Self::New(header) | Self::Existing(header) => header,
        }
    }

    /// Makes it, or picks it up; `None` if told to stop meanwhile.
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

/// One request to the thread.
pub(crate) struct AllocatorJob<D: Disk> {
    pub(crate) request: SegmentRequest,
    /// Failures in a row before this request.
    pub(crate) failures: u32,
    /// A full segment, to be unmapped.
    pub(crate) retired: Option<<D::File as DiskFile>::Mapped>,
}

type Answer<D> = Result<ReadySegment<D>, JournalError>;

/// The writer's end: a request and an answer at a time, neither ever waited for.
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

    /// Both ends, for somebody who makes the segments step by step.
    pub(crate) fn without_thread(disk: Arc<D>) -> (Self, SegmentAllocator<D>) {
        let (jobs, incoming) = sync_channel(1);
        let (outgoing, answers) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let allocator = SegmentAllocator { disk, jobs: incoming, answers: outgoing, stop: stopped };
        (Self { jobs: Some(jobs), answers, stop, thread: None }, allocator)
    }

    /// Asks for a segment. At most one request is out at a time, so there is always room for it.
    pub(crate) fn send(&self, job: AllocatorJob<D>) {
        if let Some(jobs) = &self.jobs {
            // Fails only if the thread is gone, which `stop` reports.
            let _ = jobs.try_send(job);
        }
    }

    /// Takes the answer if it is there; a thread that panicked answers with an error.
    pub(crate) fn poll(&self) -> Option<Result<ReadySegment<D>, JournalError>> {
        match self.answers.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(JournalError::Allocator { operation: "reach" }))
            }
        }
    }

    /// Ends the thread and waits for it: at most for one step of a preparation.
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
        // A panic of the thread has been printed; there is nobody left to tell.
        let _ = self.stop();
    }
}

/// The other end: makes the segments that the writer asks for. On a thread of its own, unless
/// somebody takes its steps.
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
                // No second request comes while one is out: this ends early only when the sender
                // goes.
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

    /// Makes the segment that is asked for, if there is one, without a pause after a failure. Says
    /// whether there was.
    pub fn step(&self) -> bool {
        self.jobs.try_recv().is_ok_and(|job| self.make(job))
    }

    /// Whether anybody may still want one.
    fn make(&self, AllocatorJob { request, retired, .. }: AllocatorJob<D>) -> bool {
        drop(retired);
        let made = request.fetch(&*self.disk, &self.stop).transpose();
        made.is_some_and(|answer| self.answers.send(answer).is_ok())
    }
}
