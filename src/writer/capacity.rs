//! Whether the journal has room for what a decision might append, asked before deciding.
//!
//! What exists must be confirmable and cancellable to the end, so new orders stop first: the last
//! part of the room serves actions on existing orders and expiry, the last of that the seal.

use doorbuster_journal::{RECORD_BYTES_MAX, turn_bytes_max};

/// Bytes kept for actions on existing orders when there is no spare segment; at most a quarter of
/// what a segment holds, for small segments.
const EXISTING_BYTES: u64 = 1 << 20;
/// Bytes kept for the seal at the end.
const SEAL_BYTES: u64 = 4096;
/// A turn takes so many requests at least, whatever the room.
const REQUESTS_MIN: u64 = 16;
/// What tells of refusals that were not kept, length prefixes included.
const NOT_KEPT_BYTES_MAX: usize = 64;
/// An action on an order, or an expiry, records this much at most: ids, 16 lines, origin.
const ACTION_BYTES_MAX: usize = 4096;

/// The room of one turn.
#[derive(Debug)]
pub(super) struct JournalCapacity {
    segment_bytes: u64,
    bytes: u64,
    kept_for_existing: u64,
    records: usize,
    payload_bytes: usize,
}

impl JournalCapacity {
    pub(super) fn of(segment_bytes: u64) -> Self {
        Self { segment_bytes, bytes: 0, kept_for_existing: 0, records: 0, payload_bytes: 0 }
    }

    pub(super) fn begin(&mut self, room: doorbuster_journal::FreeSpace) {
        self.bytes = room.segment_bytes_left.max(room.spare_bytes);
        // With a spare in hand, the next turn has a segment of its own.
        let spare = room.spare_bytes > 0;
        self.kept_for_existing = if spare { 0 } else { EXISTING_BYTES.min(self.segment_bytes / 4) };
        self.records = 0;
        self.payload_bytes = 0;
    }

    /// Counts a record that was appended in this turn.
    pub(super) fn used(&mut self, bytes: usize) {
        self.records += 1;
        self.payload_bytes += bytes;
    }

    fn fits(&self, more_bytes: usize, kept: u64) -> bool {
        let needed = turn_bytes_max(self.records + 2, self.payload_bytes + more_bytes);
        needed + kept <= self.bytes
    }

    /// Requests that one turn may take: each may record as much as an action at most, mostly far
    /// less, and those that find no room are told so.
    pub(super) fn requests_max(&self) -> u64 {
        (self.bytes / (2 * ACTION_BYTES_MAX as u64)).max(REQUESTS_MIN)
    }

    /// There is room for anything that may be decided.
    pub(super) fn for_new(&self) -> bool {
        self.fits(RECORD_BYTES_MAX, SEAL_BYTES + self.kept_for_existing)
    }

    /// There is room for a record of refusals of so many bytes, and then still for anything that
    /// may be decided.
    pub(super) fn for_refusals(&self, bytes: usize) -> bool {
        self.fits(
            bytes + NOT_KEPT_BYTES_MAX + RECORD_BYTES_MAX,
            SEAL_BYTES + self.kept_for_existing,
        )
    }

    /// There is room for an action on an order that exists, and its expiry before that.
    pub(super) fn for_existing(&self) -> bool {
        self.fits(2 * ACTION_BYTES_MAX, SEAL_BYTES)
    }

    /// There is room for a seal.
    pub(super) fn for_seal(&self) -> bool {
        self.fits(0, SEAL_BYTES)
    }
}
