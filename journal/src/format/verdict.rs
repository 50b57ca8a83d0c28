//! The table: what a scan found where it expected a frame, and what that means.
//!
//! Owns the types for evidence and for verdicts, and the one match between them. Never reads a
//! file: `read/scan.rs` and `read/evidence.rs` collect the evidence. The table at [`Verdict`] has
//! the reasons.

use crate::format::layout::{FORMAT_VERSION, JournalId};

/// The fault of a frame: what is there instead of the next valid frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFault {
    /// The length word is zero: no frame was stored, or not to the end.
    ZeroLength,
    /// The checksum is wrong, and the frame's part of some sector is all zero.
    ZeroSector,
    /// The length word is impossible, or the checksum is wrong although no sector is missing.
    BadBytes,
    /// The checksum is right, but the frame does not belong here.
    Foreign,
}

/// What follows a bad frame; the strongest evidence comes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Following {
    /// Zeros to the end of the segment, and at most one unused spare.
    Zeros,
    /// Bytes, but no valid frame.
    Bytes,
    /// Valid frames whose watermark does not reach the bad frame.
    Frames,
    /// Bytes, but no valid frame, in a segment that should be an unused spare.
    SpareBytes { file: String },
    /// A frame in the same segment says that the bad frame was synced.
    Watermark { watermark: u64, offset: u64 },
    /// A later segment was in use. No segment is used before the one before it is synced.
    Segment { file: String },
    /// A snapshot holds the records of the bad frame.
    Snapshot { sequence: u64 },
}

/// Everything that a scan can find wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// There is no valid frame where one was expected.
    Frame { fault: FrameFault, following: Following },
    /// The file is shorter than its header, or than its header says.
    FileShort { bytes: u64, bytes_expected: u64 },
    /// The file is longer than its header says.
    FileLong { bytes: u64, bytes_expected: u64 },
    /// The first page is no header, its checksum is wrong, or its size is out of bounds.
    HeaderDamaged,
    /// The device cannot read the header page.
    HeaderUnreadable { cause: String },
    /// The header is intact and of another format.
    OtherFormat { format: u32 },
    /// The header is intact and names another journal.
    OtherJournal { id: JournalId },
    /// The header is intact and its number is not that of the file's name.
    OtherNumber { number: u64 },
    /// The file is named like a segment, but not by this journal.
    OtherName,
    /// A number is missing before the last segment.
    NumberMissing { missing: String },
    /// The last segment ends with a mark, and the segment that the mark names is missing.
    SuccessorMissing { missing: String },
    /// A snapshot exists, but no segment.
    AllMissing { sequence: u64 },
    /// The last frame of a snapshot has another checksum than the snapshot says.
    SnapshotOfOtherHistory { sequence: u64, chain: u32, found: u32 },
    /// A snapshot ends in the middle of a frame.
    SnapshotEndsInside { sequence: u64, last: u64 },
}

/// The conclusion of a scan.
///
/// A checksum alone cannot tell a write that a power cut tore from data that rotted after the
/// client had its answer (Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage",
/// FAST 2018). So the verdict depends on two questions: does the frame look as if part of it never
/// reached the disk (etcd's rule: some 512-byte sector is all zero), and does anything vouch that
/// it was synced? The kernel writes pages back in any order, so a valid frame after a gap may be
/// the rest of a turn that no client had an answer for; the chain of checksums alone therefore
/// vouches for nothing.
///
/// | where a frame was expected | what follows | verdict | what happens |
/// |---|---|---|---|
/// | zero length word | zeros, at most one unused spare | [`CleanEnd`](Self::CleanEnd) | go on |
/// | zero length word or a zero sector | nothing valid | [`TornTail`](Self::TornTail) | drop, zero, sync, announce |
/// | zero length word or a zero sector | valid frames, every watermark below | [`ReorderedTail`](Self::ReorderedTail) | drop all of it, zero, sync, announce |
/// | anything bad | a watermark at or past it, a later segment in use, or a snapshot at or past it | [`AnsweredDataDamaged`](Self::AnsweredDataDamaged) | refuse |
/// | wrong bytes, no sector missing | nothing that vouches | [`Ambiguous`](Self::Ambiguous) | refuse; a person may accept the loss |
/// | anything bad | bytes without a valid frame in the spare | [`Ambiguous`](Self::Ambiguous) | refuse |
/// | right checksum, wrong sequence, chain or shape | anything | [`Foreign`](Self::Foreign) | refuse |
/// | header names another journal or number, or the file name is not ours | | [`Foreign`](Self::Foreign) | refuse |
/// | header of another format | | [`OtherFormat`](Self::OtherFormat) | refuse |
/// | header damaged | | [`HeaderDamaged`](Self::HeaderDamaged) | refuse |
/// | file shorter than its header says | | [`FileShort`](Self::FileShort) | refuse |
/// | file longer than its header says | | [`FileLong`](Self::FileLong) | refuse |
/// | segment missing: the first (unless a snapshot holds all that is missing), one between, or the one an end mark names | | [`SegmentMissing`](Self::SegmentMissing) | refuse |
/// | right frame where a snapshot ends, but with another checksum than the snapshot names, or the snapshot ends inside it | | [`SnapshotForeign`](Self::SnapshotForeign) | refuse |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The journal ends where its last frame ends.
    CleanEnd,
    /// The last turn did not reach the disk whole. No client had an answer for it.
    TornTail,
    /// Parts of the last turns reached the disk out of order. No client had an answer for them.
    ReorderedTail,
    /// Synced data cannot be read any more.
    AnsweredDataDamaged,
    /// The last answered turn rotted, or a turn was stored in part: nothing tells which.
    Ambiguous,
    /// Something here belongs to another journal or to another position.
    Foreign,
    /// Another version wrote it.
    OtherFormat,
    /// The identity of a segment cannot be read.
    HeaderDamaged,
    /// A segment was truncated.
    FileShort,
    /// A segment was extended.
    FileLong,
    /// A segment is missing.
    SegmentMissing,
    /// The snapshot is of another history than the journal.
    SnapshotForeign,
}

/// Applies the table of [`Verdict`], row by row.
pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    use Following::{Bytes, Frames, Segment, Snapshot, SpareBytes, Watermark, Zeros};
    match evidence {
        Evidence::Frame { fault: FrameFault::Foreign, .. } => Verdict::Foreign,
        Evidence::Frame {
            following: Watermark { .. } | Segment { .. } | Snapshot { .. }, ..
        } => Verdict::AnsweredDataDamaged,
        Evidence::Frame { following: SpareBytes { .. }, .. } => Verdict::Ambiguous,
        Evidence::Frame { fault: FrameFault::BadBytes, .. } => Verdict::Ambiguous,
        Evidence::Frame { fault: FrameFault::ZeroLength, following: Zeros } => Verdict::CleanEnd,
        Evidence::Frame {
            fault: FrameFault::ZeroLength | FrameFault::ZeroSector,
            following: Zeros | Bytes,
        } => Verdict::TornTail,
        Evidence::Frame {
            fault: FrameFault::ZeroLength | FrameFault::ZeroSector,
            following: Frames,
        } => Verdict::ReorderedTail,
        Evidence::OtherJournal { .. } | Evidence::OtherNumber { .. } | Evidence::OtherName => {
            Verdict::Foreign
        }
        Evidence::OtherFormat { .. } => Verdict::OtherFormat,
        Evidence::HeaderDamaged | Evidence::HeaderUnreadable { .. } => Verdict::HeaderDamaged,
        Evidence::FileShort { .. } => Verdict::FileShort,
        Evidence::FileLong { .. } => Verdict::FileLong,
        Evidence::NumberMissing { .. }
        | Evidence::SuccessorMissing { .. }
        | Evidence::AllMissing { .. } => Verdict::SegmentMissing,
        Evidence::SnapshotOfOtherHistory { .. } | Evidence::SnapshotEndsInside { .. } => {
            Verdict::SnapshotForeign
        }
    }
}

impl Verdict {
    /// Returns whether a server may continue from here without a person's decision.
    pub fn is_resumable(self) -> bool {
        matches!(self, Self::CleanEnd | Self::TornTail | Self::ReorderedTail)
    }

    /// The verdict in a few words.
    pub fn label(self) -> &'static str {
        match self {
            Self::CleanEnd => "clean end",
            Self::TornTail => "torn tail",
            Self::ReorderedTail => "reordered tail",
            Self::AnsweredDataDamaged => "answered data is damaged",
            Self::Ambiguous => "ambiguous damage at the tail",
            Self::Foreign => "foreign data",
            Self::OtherFormat => "another format version",
            Self::HeaderDamaged => "damaged segment header",
            Self::FileShort => "segment too short",
            Self::FileLong => "segment too long",
            Self::SegmentMissing => "segment missing",
            Self::SnapshotForeign => "snapshot and journal do not belong together",
        }
    }

    /// The advice for the operator.
    pub fn advice(self) -> &'static str {
        match self {
            Self::CleanEnd | Self::TornTail | Self::ReorderedTail => "Nothing needs doing",
            Self::AnsweredDataDamaged => {
                "Keep a copy of the directory, check the device, and restore this file from a backup"
            }
            Self::Ambiguous => {
                "If losing everything from this sequence on is acceptable, run \
                 `doorbusterctl journal repair --accept-tail-loss`; otherwise restore a backup"
            }
            Self::Foreign => {
                "Move what does not belong to this journal out of the directory, or restore the \
                 file that does"
            }
            Self::OtherFormat => "Start the version of the server that wrote it",
            Self::HeaderDamaged | Self::FileShort | Self::SegmentMissing => {
                "Keep a copy of the directory and restore this file from a backup"
            }
            Self::SnapshotForeign => {
                "Restore journal and snapshots from the same backup, or move the snapshot out of its \
                 directory so that an older one or the whole journal is read"
            }
            Self::FileLong => {
                "Find out what wrote to the file; no version of this server extends a segment"
            }
        }
    }
}

impl Evidence {
    /// The evidence in words, for the operator.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Frame { fault, following } => {
                format!("{}, {}", fault.detail(), following.detail())
            }
            Self::FileShort { bytes, bytes_expected }
            | Self::FileLong { bytes, bytes_expected } => {
                format!("the file has {bytes} bytes instead of {bytes_expected}")
            }
            Self::HeaderDamaged => "the first page is no intact segment header".into(),
            Self::HeaderUnreadable { cause } => format!("the first page cannot be read: {cause}"),
            Self::OtherFormat { format } => {
                format!("the segment has format {format}, this is {}", FORMAT_VERSION)
            }
            Self::OtherJournal { id } => format!("the segment belongs to journal {id}"),
            Self::OtherNumber { number } => format!("the segment is number {number}"),
            Self::OtherName => "the file is named like a segment, but not by this journal".into(),
            Self::NumberMissing { missing } => {
                format!("{missing} should come before it, and no snapshot stands in for it")
            }
            Self::SuccessorMissing { missing } => format!("its end mark names {missing}"),
            Self::AllMissing { sequence } => {
                format!("there is a snapshot of sequence {sequence}, but no segment")
            }
            Self::SnapshotOfOtherHistory { sequence, chain, found } => format!(
                "the snapshot says that the frame of sequence {sequence} has checksum {chain:08x}, \
                 but it has {found:08x}"
            ),
            Self::SnapshotEndsInside { sequence, last } => {
                format!(
                    "the snapshot ends with sequence {sequence}, but the frame goes on to {last}"
                )
            }
        }
    }
}

impl FrameFault {
    fn detail(self) -> &'static str {
        match self {
            Self::ZeroLength => "no frame is stored",
            Self::ZeroSector => "a sector of the frame is missing",
            Self::BadBytes => "the frame's bytes are wrong, though no sector is missing",
            Self::Foreign => "the frame is intact, but does not continue what is before it",
        }
    }
}

impl Following {
    fn detail(&self) -> String {
        match self {
            Self::Zeros => "nothing follows".into(),
            Self::Bytes => "no valid frame follows".into(),
            Self::Frames => "the frames that follow do not say it was synced".into(),
            Self::SpareBytes { file } => format!("the unused {file} is not empty"),
            Self::Watermark { watermark, offset } => {
                format!("the frame at byte {offset} says that {watermark} was synced")
            }
            Self::Segment { file } => format!("{file} was begun after it was synced"),
            Self::Snapshot { sequence } => format!("a snapshot holds sequence {sequence}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(fault: FrameFault, following: Following) -> Verdict {
        judge(&Evidence::Frame { fault, following })
    }

    #[test]
    fn only_what_is_torn_and_not_vouched_for_is_dropped() {
        for fault in [
            FrameFault::ZeroLength,
            FrameFault::ZeroSector,
            FrameFault::BadBytes,
            FrameFault::Foreign,
        ] {
            for following in [
                Following::Watermark { watermark: 1, offset: 8 },
                Following::Segment { file: "next".into() },
                Following::Snapshot { sequence: 1 },
                Following::SpareBytes { file: "next".into() },
            ] {
                assert!(!frame(fault, following).is_resumable());
            }
        }
        for following in [Following::Zeros, Following::Bytes, Following::Frames] {
            assert!(frame(FrameFault::ZeroSector, following.clone()).is_resumable());
            assert!(!frame(FrameFault::BadBytes, following.clone()).is_resumable());
            assert!(!frame(FrameFault::Foreign, following).is_resumable());
        }
    }

    #[test]
    fn an_end_is_clean_only_if_nothing_follows() {
        assert_eq!(frame(FrameFault::ZeroLength, Following::Zeros), Verdict::CleanEnd);
        assert_eq!(frame(FrameFault::ZeroLength, Following::Bytes), Verdict::TornTail);
        assert_eq!(frame(FrameFault::ZeroLength, Following::Frames), Verdict::ReorderedTail);
        assert_eq!(frame(FrameFault::ZeroSector, Following::Zeros), Verdict::TornTail);
    }
}
