//! The result of a scan.
//!
//! Owns the types only: `walk.rs` builds them, and `append/resume.rs` continues from them.

use crate::format::history::{EpochTable, FramePlace, JournalEnd, JournalHistory};
use crate::format::layout::JournalId;
use crate::format::origin::{Origin, SnapshotEnd};
use crate::format::segment::SegmentHeader;
use crate::format::verdict::Verdict;

/// The content of a journal, up to where it can be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The origin of the scan.
    pub origin: Origin,
    /// Whether the scan read the snapshot's last frame and found the snapshot's checksum. `false`
    /// without a snapshot, and where the first segment starts right after the snapshot.
    pub snapshot_checked: bool,
    /// The number of segments before the first one that was read, which a snapshot made
    /// unnecessary.
    pub older_segments: u64,
    /// Their size, in bytes.
    pub older_bytes: u64,
    /// The identity of the journal; `None` if the directory holds no segment.
    pub id: Option<JournalId>,
    /// How the journal ends. Always resumable: a refusal is an error instead.
    pub end: Verdict,
    /// The last readable sequence; 0 if there is none.
    pub last_sequence: u64,
    /// The highest sequence that is known to be synced. Of the sequences between this and
    /// `last_sequence` it is known only that they are readable. In a mode that answers before it
    /// syncs, clients may have answers for more than `last_sequence`.
    pub vouched: u64,
    /// The epoch of the last frame; 0 if there is none.
    pub last_epoch: u32,
    /// The stamp of the last frame, in milliseconds; 0 if there is none.
    pub last_stamp_ms: u64,
    /// The checksum of the last frame, which the next one repeats; 0 without a frame.
    pub chain: u32,
    /// The epochs of the frames that were read.
    pub epochs: EpochTable,
    /// The segments that were read, in order, without the unused spare.
    pub segments: Vec<SegmentScan>,
    /// The tail that cannot be kept. No client had an answer for it.
    pub dropped: Option<Dropped>,
    /// The segments with pages that may be newer in memory than on disk; the open segment last.
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) records_chain: u32,
    pub(crate) spare: Option<SegmentHeader>,
}

impl Scan {
    /// The number of the unused segment after the open one, if there is one.
    pub fn spare(&self) -> Option<u64> {
        self.spare.map(|header| header.number)
    }

    /// Where the journal ends, once what is [dropped](Self::dropped) is gone. That of a new journal
    /// if there is no segment.
    pub fn journal_end(&self) -> JournalEnd {
        self.segments.last().map_or(JournalEnd::GENESIS, |open| JournalEnd {
            place: FramePlace { segment: open.number, offset: open.end },
            sequence: self.last_sequence,
            chain: self.chain,
        })
    }

    /// What another journal of the same identity compares with its own.
    pub fn history(&self) -> JournalHistory {
        JournalHistory::new(&self.epochs, self.journal_end())
    }

    /// The end of a snapshot of everything up to `last_sequence`.
    pub fn snapshot_end(&self) -> SnapshotEnd {
        SnapshotEnd { sequence: self.last_sequence, chain: self.records_chain }
    }
}

/// One segment of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentScan {
    /// Its number, from 1.
    pub number: u64,
    /// Its path.
    pub file: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The sequence of its first record, or the next sequence if it holds no record.
    pub first_sequence: u64,
    /// The number of its valid frames.
    pub frames: u64,
    /// The offset at which its last valid frame ends, in bytes.
    pub end: u64,
}

/// A tail that no client had an answer for, and that resuming removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The path of the segment.
    pub file: String,
    /// The offset at which the tail starts, in bytes.
    pub offset: u64,
    /// Its length up to the last byte that is not zero, in bytes.
    pub bytes: u64,
    /// The first sequence that is lost.
    pub first_sequence_lost: u64,
    /// The number of valid frames in it.
    pub frames: u64,
}

/// A segment whose pages from `from` on may be newer in memory than on disk. A start stores them
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub(crate) header: SegmentHeader,
    pub(crate) from: u64,
    pub(crate) end: u64,
}
