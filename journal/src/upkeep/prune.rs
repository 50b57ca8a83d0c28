//! Removal of segments that a snapshot has made unnecessary.
//!
//! Owns the removal of closed segments, oldest first, each durable before the next, so that the
//! rest has no gap whatever happens. Never touches the open segment, its spare, or a segment whose
//! successor is not known to be synced; never writes into a file. Runs on any thread beside the
//! writer: it reads the directory and its files, nothing of the writer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::traits::Disk;
use crate::error::JournalError;
use crate::format::frame::{self, Position};
use crate::format::layout::*;
use crate::format::verdict::Evidence;
use crate::read::segment_file::{SegmentFile, open_one, read_first_frame, segment_numbers};

/// The result of a pruning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The number of removed segments.
    pub segments: u64,
    /// Their size, in bytes.
    pub bytes: u64,
    /// The number of the oldest segment that was kept; 0 if there is none.
    pub first_kept: u64,
}

/// Counts the segments that the writer has left for good. The writer adds one when it leaves it,
/// and the pruner subtracts it.
#[derive(Debug)]
pub(crate) struct ClosedSegments {
    segments: AtomicU64,
    bytes: AtomicU64,
}

impl ClosedSegments {
    pub(crate) fn new(segments: u64, bytes: u64) -> Self {
        Self { segments: AtomicU64::new(segments), bytes: AtomicU64::new(bytes) }
    }

    pub(crate) fn segments(&self) -> u64 {
        self.segments.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds one of this size in bytes.
    pub(crate) fn add(&self, bytes: u64) {
        self.segments.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: u64) {
        self.segments.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Prunes beside a live writer and keeps its [`crate::Journal::bytes`] right. Clones share the
/// count.
#[derive(Debug)]
pub struct Pruner<D> {
    pub(crate) disk: Arc<D>,
    pub(crate) closed: Arc<ClosedSegments>,
}

impl<D> Clone for Pruner<D> {
    fn clone(&self) -> Self {
        Self { disk: Arc::clone(&self.disk), closed: Arc::clone(&self.closed) }
    }
}

impl<D: Disk> Pruner<D> {
    /// As the function [`prune`]. Two calls must not run at once.
    ///
    /// # Errors
    /// As [`prune`]; segments removed before the error are counted.
    pub fn prune(&self, keep_from_sequence: u64) -> Result<Pruned, JournalError> {
        prune_with(&*self.disk, keep_from_sequence, &mut |bytes| {
            self.closed.remove(bytes);
        })
    }
}

/// Removes every segment all of whose records are below `keep_from_sequence`, oldest first.
///
/// Pass the sequence of the oldest snapshot that is kept, not the next one: then the segment with
/// the last frame of this snapshot stays, and a start can tell that the two belong together.
///
/// No writer may use the directory. Beside a live writer use [`crate::Journal::pruner`].
///
/// # Errors
/// [`JournalError::Refused`] if a segment to be removed, or the next one, is not an intact segment
/// of this journal: it removes only what it can identify. [`JournalError::Io`]. Segments removed
/// before the error stay removed, and the rest has no gap.
pub fn prune<D: Disk>(disk: &D, keep_from_sequence: u64) -> Result<Pruned, JournalError> {
    prune_with(disk, keep_from_sequence, &mut |_| {})
}

fn prune_with<D: Disk>(
    disk: &D,
    keep_from_sequence: u64,
    on_removed: &mut dyn FnMut(u64),
) -> Result<Pruned, JournalError> {
    let numbers = segment_numbers(disk)?;
    let first_kept = numbers.first().copied().unwrap_or(0);
    let mut pruned = Pruned { first_kept, ..Pruned::default() };
    for pair in numbers.windows(2) {
        let (number, next) = (pair[0], pair[1]);
        let successor = open_one(disk, next)?;
        match synced_first_sequence(disk, &successor)? {
            Some(first_sequence) if first_sequence <= keep_from_sequence => {}
            _ => break,
        }
        let segment = open_one(disk, number)?;
        let id = segment.header.id;
        if id != successor.header.id {
            let evidence = Evidence::OtherJournal { id };
            return Err(JournalError::refused(segment.place, 0, 0, &evidence));
        }
        let bytes = segment.header.bytes;
        let place = segment.place;
        disk.remove(&segment_name(number)).map_err(JournalError::io("remove", place.clone(), 0))?;
        on_removed(bytes);
        disk.sync_directory().map_err(JournalError::io("sync the directory of", place, 0))?;
        pruned.segments += 1;
        pruned.bytes += bytes;
        pruned.first_kept = next;
    }
    Ok(pruned)
}

/// The first sequence of a segment whose first frame is known to be synced: then the segment before
/// was left for good, and no power cut opens it again.
fn synced_first_sequence<D: Disk>(
    disk: &D,
    segment: &SegmentFile<D::File>,
) -> Result<Option<u64>, JournalError> {
    let mut blocks = segment.blocks();
    let seed = segment.header.seed();
    let mut offset = SEGMENT_HEADER_BYTES as u64;
    let mut first_sequence = None;
    // A live writer may be storing the next frame; before it is whole it tells nothing.
    while let Ok(frame) = frame::parse(blocks.at(offset)?, Position { seed, offset }) {
        let first = *first_sequence.get_or_insert(frame.first_sequence());
        if frame.watermark() >= first {
            return Ok(Some(first));
        }
        if let Some(number) = frame.successor() {
            // The writer stores a frame there only after it has synced everything here.
            return match open_one(disk, number) {
                Ok(next) => Ok(read_first_frame(&next)?.is_ok().then_some(first)),
                Err(JournalError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                    Ok(None)
                }
                Err(error) => Err(error),
            };
        }
        offset += frame.bytes();
    }
    Ok(None)
}
