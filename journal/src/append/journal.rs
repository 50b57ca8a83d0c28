//! The append side: one writer's open frame, open segment and cursors.
//!
//! Owns the way of a record into the mapping, and the sync after it. Never reads stored bytes,
//! never retries a failed sync, never waits for a spare segment. Read `copy.rs` for frames that
//! another journal made, `resume.rs` for how an existing journal is opened, `spares.rs` for where
//! the next segment comes from.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::append::prepare::ReadySegment;
use crate::append::segment_allocator::{SegmentAllocator, SegmentRequest};
use crate::append::spares::{Spare, Spares};
use crate::disk::file_disk::FileDisk;
use crate::disk::remove::remove_leftovers;
use crate::disk::traits::{Disk, DiskFile, Mapped};
use crate::error::JournalError;
use crate::format::frame::{self, Head, Kind, Position};
use crate::format::history::{EpochTable, FramePlace, JournalEnd, JournalHistory};
use crate::format::layout::*;
use crate::format::options::Options;
use crate::format::segment::SegmentHeader;
use crate::upkeep::prune::{ClosedSegments, Pruner};

/// A journal that is open for appending. A plain value: one process may have two of them.
///
/// One turn is [`begin`](Self::begin), [`push`](Self::push) for each record,
/// [`finish`](Self::finish), and [`sync`](Self::sync) as the durability mode asks.
pub struct Journal<D: Disk = FileDisk> {
    pub(super) disk: Arc<D>,
    options: Options,
    pub(super) open: OpenEnd<D>,
    /// The segments that were left and not pruned.
    closed: Arc<ClosedSegments>,
    pub(super) epoch: u32,
    pub(super) stamp_ms: u64,
    pub(super) epochs: EpochTable,
    /// The highest watermark of a stored frame.
    pub(super) watermark: u64,
    /// The segment that another journal goes over to next, as its header tells.
    pub(super) announced: Option<SegmentHeader>,
    /// The open frame: a header of zeros, then records. Keeps its capacity.
    frame: Vec<u8>,
    /// The length of `frame` up to its last whole record; an encoder that panicked left the rest.
    frame_filled: usize,
    pub(super) frame_count: u32,
    /// The record that did not fit, while its frame is stored. Keeps its capacity.
    overflow: Vec<u8>,
    pub(super) appended: u64,
    pub(super) synced: u64,
    /// The highest sequence that every copy that counts has synced; `u64::MAX` without copies.
    copied: u64,
    /// Whether a frame was stored since the last sync.
    pub(super) unsynced: bool,
    poisoned: bool,
    pub(super) spares: Spares<D>,
}

// The writer moves to its thread.
const _: () = {
    const fn assert_send<T: Send>() {}
    assert_send::<Journal<FileDisk>>();
};

/// The open segment, and the position of the next frame in it.
pub(super) struct OpenEnd<D: Disk> {
    pub(super) header: SegmentHeader,
    pub(super) mapped: <D::File as DiskFile>::Mapped,
    pub(super) seed: u32,
    pub(super) offset: u64,
    pub(super) chain: u32,
}

/// Where the journal continues: from a scan, or from the start of a new journal.
pub(crate) struct Start {
    pub(crate) offset: u64,
    pub(crate) chain: u32,
    pub(crate) last_sequence: u64,
    pub(crate) epoch: u32,
    pub(crate) stamp_ms: u64,
    pub(crate) epochs: EpochTable,
    /// The highest watermark of a frame before it, or the end of the snapshot that stands in.
    pub(crate) watermark: u64,
    pub(crate) spare: Option<SegmentHeader>,
    pub(crate) closed_bytes: u64,
    pub(crate) closed_segments: u64,
}

impl Start {
    /// The start of the first frame of a segment, with nothing before it.
    pub(super) fn new() -> Self {
        Self {
            offset: SEGMENT_HEADER_BYTES as u64,
            chain: 0,
            last_sequence: 0,
            epoch: 0,
            stamp_ms: 0,
            epochs: EpochTable::default(),
            watermark: 0,
            spare: None,
            closed_bytes: 0,
            closed_segments: 0,
        }
    }
}

/// The bytes that can be appended for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// The bytes that are left for frames in the open segment.
    pub segment_bytes_left: u64,
    /// The state of the next segment.
    pub spare: Spare,
    /// The bytes for frames in the spare; 0 unless it is ready or made on demand.
    pub spare_bytes: u64,
}

impl FreeSpace {
    /// Returns whether a turn of `bytes` bytes fits, as [`turn_bytes_max`] counts them.
    pub fn fits(&self, bytes: u64) -> bool {
        bytes <= self.segment_bytes_left.max(self.spare_bytes)
    }
}

impl<D: Disk> Journal<D> {
    /// Creates a journal in a directory without one. Makes its first segment before it returns.
    ///
    /// `id` must be random: it tells the bytes of this journal from those of all others.
    ///
    /// # Errors
    /// [`JournalError::AlreadyExists`] if there is a segment; [`JournalError::Options`];
    /// [`JournalError::Io`].
    pub fn create(disk: D, options: Options, id: JournalId) -> Result<Self, JournalError> {
        options.check()?;
        remove_leftovers(&disk)?;
        let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
        if let Some(file) = names.into_iter().find(|name| segment_number(name).is_some()) {
            return Err(JournalError::AlreadyExists { directory: disk.place(""), file });
        }
        let header = SegmentHeader { id, number: 1, bytes: options.segment_bytes };
        let ready = SegmentRequest::New(header)
            .fetch(&disk, &AtomicBool::new(false))?
            .expect("nothing stops a preparation in place");
        Ok(Self::assemble(disk, options, ready, Start::new()))
    }

    pub(crate) fn assemble(
        disk: D,
        options: Options,
        ready: ReadySegment<D>,
        start: Start,
    ) -> Self {
        let ReadySegment { header, mapped } = ready;
        let mut frame =
            Vec::with_capacity(FRAME_BYTES_MAX + RECORD_PREFIX_BYTES + RECORD_BYTES_MAX);
        frame.resize(FRAME_HEADER_BYTES, 0);
        let next = match start.spare {
            Some(spare) => SegmentRequest::Existing(spare),
            None => SegmentRequest::New(header.successor(&options)),
        };
        let mut epochs = start.epochs;
        // The first frame of an epoch asks for no memory either.
        epochs.reserve();
        Self {
            disk: Arc::new(disk),
            options,
            open: OpenEnd {
                seed: header.seed(),
                header,
                mapped,
                offset: start.offset,
                chain: start.chain,
            },
            closed: Arc::new(ClosedSegments::new(start.closed_segments, start.closed_bytes)),
            epoch: start.epoch,
            stamp_ms: start.stamp_ms,
            epochs,
            watermark: start.watermark,
            announced: None,
            frame,
            frame_filled: FRAME_HEADER_BYTES,
            frame_count: 0,
            overflow: Vec::with_capacity(RECORD_PREFIX_BYTES + RECORD_BYTES_MAX),
            appended: start.last_sequence,
            synced: start.last_sequence,
            copied: u64::MAX,
            unsynced: false,
            poisoned: false,
            spares: Spares::new(next),
        }
    }

    /// Starts the thread that keeps a spare segment ready, and requests the first one. Call it once
    /// serving has begun; a second call changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Allocator`] if the system has no thread.
    pub fn start_allocator(&mut self) -> Result<(), JournalError> {
        self.spares.start_allocator(&self.disk)
    }

    /// As [`start_allocator`](Self::start_allocator), but without a thread: the caller runs the
    /// allocator step by step.
    ///
    /// # Panics
    /// If an allocator was started before.
    pub fn segment_allocator(&mut self) -> SegmentAllocator<D> {
        self.spares.segment_allocator(&self.disk)
    }

    /// The identity of this journal.
    pub fn id(&self) -> JournalId {
        self.open.header.id
    }

    /// The highest stored sequence. It survives a kill of the process, but not always a power cut.
    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// The highest sequence that survives a power cut.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The highest sequence that is synced here and on every copy that counts: the watermark of the
    /// next frame.
    pub fn settled(&self) -> u64 {
        self.synced.min(self.copied)
    }

    /// The epoch of the last frame, or of the turn that was begun after it; 0 without either.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The stamp of the last frame, or of the turn that was begun after it, in milliseconds.
    pub fn stamp_ms(&self) -> u64 {
        self.stamp_ms
    }

    /// Sets the highest sequence that every copy that counts has synced; `u64::MAX`, as it is at
    /// first, where there is none. A frame's watermark must be true on every copy's disk, and a
    /// copy may store the frame before it has synced those before it.
    pub fn set_copied(&mut self, sequence: u64) {
        self.copied = sequence;
    }

    /// The highest watermark of a stored frame: everything up to it is known to be settled. What
    /// a copy may apply, and never more.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// Where the next frame goes, and what it continues.
    pub fn end(&self) -> JournalEnd {
        let place = FramePlace { segment: self.open.header.number, offset: self.open.offset };
        JournalEnd { place, sequence: self.appended, chain: self.open.chain }
    }

    /// What another journal of the same identity compares with its own.
    pub fn history(&self) -> JournalHistory {
        JournalHistory::new(&self.epochs, self.end())
    }

    /// The size of all segments that hold frames, the open one included, in bytes.
    pub fn bytes(&self) -> u64 {
        self.closed.bytes() + self.open.header.bytes
    }

    /// The number of segments that hold frames, the open one included.
    pub fn segments(&self) -> u64 {
        self.closed.segments() + 1
    }

    /// A handle that removes closed segments on another thread and keeps [`bytes`](Self::bytes)
    /// right.
    pub fn pruner(&self) -> Pruner<D> {
        Pruner { disk: Arc::clone(&self.disk), closed: Arc::clone(&self.closed) }
    }

    /// The bytes that can be appended for certain, once the turn has [begun](Self::begin). Does not
    /// count an open frame.
    pub fn free_space(&self) -> FreeSpace {
        let reserved = self.open.offset + END_MARK_BYTES as u64;
        let segment_bytes_left = self.open.header.bytes.saturating_sub(reserved);
        let usable = |bytes: u64| bytes - (SEGMENT_HEADER_BYTES + END_MARK_BYTES) as u64;
        let (spare, bytes) = self.spares.state();
        FreeSpace { segment_bytes_left, spare, spare_bytes: bytes.map_or(0, usable) }
    }

    /// The error that prevented the last spare, returned once.
    pub fn take_spare_failure(&mut self) -> Option<JournalError> {
        self.spares.take_failure()
    }

    /// Begins a turn and sets what its frames carry. Also takes the spare if it is ready, and
    /// requests one again that failed; it waits for neither.
    ///
    /// # Panics
    /// If the turn before was not [finished](Self::finish).
    pub fn begin(&mut self, epoch: u32, stamp_ms: u64) {
        assert_eq!(self.frame_count, 0, "a turn begins before the last one was finished");
        self.epoch = epoch;
        self.stamp_ms = stamp_ms;
        self.spares.poll();
    }

    /// Encodes one record into the open frame and returns its sequence. Stores the frame first if
    /// the record would make it longer than [`FRAME_BYTES_MAX`].
    ///
    /// # Errors
    /// As [`finish`](Self::finish); the record is then not stored and its sequence not used.
    ///
    /// # Panics
    /// If the record is longer than [`RECORD_BYTES_MAX`]. An encoder may panic: its record is then
    /// not stored.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<u64, JournalError> {
        self.check_poison()?;
        let start = self.frame_filled;
        let body = start + RECORD_PREFIX_BYTES;
        self.frame.resize(start, 0);
        self.frame.extend_from_slice(&[0; RECORD_PREFIX_BYTES]);
        encode(&mut self.frame);
        let record_bytes = self.frame.len().checked_sub(body).expect("an encoder only appends");
        assert!(record_bytes <= RECORD_BYTES_MAX, "a record of {record_bytes} bytes is too long");
        write_at(&mut self.frame, start, (record_bytes as u32).to_le_bytes());
        if closed_bytes(self.frame.len()) > FRAME_BYTES_MAX {
            self.overflow.clear();
            self.overflow.extend_from_slice(&self.frame[start..]);
            self.finish()?;
            self.frame.extend_from_slice(&self.overflow);
        }
        self.frame_filled = self.frame.len();
        self.frame_count += 1;
        Ok(self.appended + u64::from(self.frame_count))
    }

    /// Stores the open frame if it holds a record: body first, length word last. Rolls to the spare
    /// if the frame does not fit into the segment, and syncs the segment that it leaves.
    ///
    /// # Errors
    /// [`JournalError::NoSpare`] if it needs a spare and none is ready; the frame stays open and
    /// the call may be repeated. [`JournalError::Io`], and from then on [`JournalError::Poisoned`],
    /// if it cannot sync the segment that it leaves.
    pub fn finish(&mut self) -> Result<(), JournalError> {
        self.check_poison()?;
        if self.frame_count > 0 {
            self.frame.truncate(self.frame_filled);
            self.append(Kind::Records)?;
        }
        Ok(())
    }

    /// Stores a seal: no record, but a new watermark and the writer's totals. The caller decides
    /// when, and syncs.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    ///
    /// # Panics
    /// If a turn is not finished, or if the totals are longer than [`SEAL_TOTALS_BYTES_MAX`].
    pub fn seal(&mut self, epoch: u32, stamp_ms: u64, totals: &[u8]) -> Result<(), JournalError> {
        assert!(totals.len() <= SEAL_TOTALS_BYTES_MAX, "totals of {} bytes", totals.len());
        self.check_poison()?;
        self.begin(epoch, stamp_ms);
        self.frame.truncate(FRAME_HEADER_BYTES);
        frame::append_body(&mut self.frame, totals);
        let sealed = self.append(Kind::Seal);
        self.frame.truncate(FRAME_HEADER_BYTES);
        sealed
    }

    /// Makes everything stored durable and returns the highest synced sequence.
    ///
    /// # Errors
    /// [`JournalError::Io`] once, from then on [`JournalError::Poisoned`]: after a failed sync the
    /// kernel may have marked pages clean that never reached the disk, so a second sync could
    /// succeed without the data. Only the next start can find out what the disk holds.
    pub fn sync(&mut self) -> Result<u64, JournalError> {
        self.check_poison()?;
        if self.unsynced {
            if let Err(cause) = self.open.mapped.sync() {
                self.poisoned = true;
                let file = self.disk.place(&segment_name(self.open.header.number));
                let offset = self.open.offset;
                return Err(JournalError::Io { operation: "sync", file, offset, cause });
            }
            self.unsynced = false;
            self.synced = self.appended;
        }
        Ok(self.synced)
    }

    /// Stops the allocator and waits for it. Syncs nothing: unsynced frames are as safe as after a
    /// kill.
    ///
    /// # Errors
    /// [`JournalError::Allocator`] if its thread had panicked.
    pub fn close(mut self) -> Result<(), JournalError> {
        self.spares.stop_allocator()
    }

    pub(super) fn check_poison(&self) -> Result<(), JournalError> {
        if self.poisoned { Err(JournalError::Poisoned) } else { Ok(()) }
    }

    /// Closes and stores `frame`, and empties it. Leaves it unchanged on an error.
    fn append(&mut self, kind: Kind) -> Result<(), JournalError> {
        let bytes = closed_bytes(self.frame.len()) as u64;
        if bytes > self.free_space().segment_bytes_left {
            self.roll()?;
        }
        let mut frame = std::mem::take(&mut self.frame);
        self.store(&mut frame, kind, self.frame_count);
        frame.truncate(FRAME_HEADER_BYTES);
        self.frame = frame;
        self.frame_filled = FRAME_HEADER_BYTES;
        self.frame_count = 0;
        Ok(())
    }

    fn store(&mut self, frame: &mut Vec<u8>, kind: Kind, count: u32) {
        let head = Head {
            kind,
            chain: self.open.chain,
            epoch: self.epoch,
            shard: 0,
            count,
            first_sequence: self.appended + 1,
            stamp_ms: self.stamp_ms,
            watermark: self.settled(),
        };
        let position = Position { seed: self.open.seed, offset: self.open.offset };
        let crc = frame::close(frame, &head, position);
        self.store_closed(frame, &head, crc);
    }

    /// Stores a closed frame after the last one: body first, length word last.
    pub(super) fn store_closed(&mut self, frame: &[u8], head: &Head, crc: u32) {
        self.epochs.note(head.epoch, self.end());
        self.watermark = self.watermark.max(head.watermark);
        self.open.mapped.store(self.open.offset, frame);
        self.open.chain = crc;
        self.open.offset += frame.len() as u64;
        self.appended += u64::from(head.count);
        self.unsynced = true;
    }

    /// Leaves the segment for good. The end mark and all frames before it are synced before the
    /// successor takes a frame; therefore a frame there vouches for everything here.
    fn roll(&mut self) -> Result<(), JournalError> {
        let ready = self.spares.take(&*self.disk)?.ok_or(JournalError::NoSpare)?;
        let mut mark = vec![0; FRAME_HEADER_BYTES];
        frame::append_body(&mut mark, &ready.header.number.to_le_bytes());
        self.store(&mut mark, Kind::EndMark, 0);
        self.sync()?;
        let next = ready.header.successor(&self.options);
        self.enter(ready, next);
        Ok(())
    }

    /// Goes over to a new segment, after a synced end mark, and requests the one after it.
    pub(super) fn enter(&mut self, ready: ReadySegment<D>, next: SegmentHeader) {
        let open = OpenEnd {
            seed: ready.header.seed(),
            header: ready.header,
            mapped: ready.mapped,
            offset: SEGMENT_HEADER_BYTES as u64,
            chain: self.open.chain,
        };
        let left = std::mem::replace(&mut self.open, open);
        // Before the successor takes a frame, and so before the segment that was left can be
        // pruned.
        self.closed.add(left.header.bytes);
        self.spares.request(SegmentRequest::New(next), left.mapped);
    }
}
