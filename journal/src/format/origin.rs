//! Where a scan starts: at the first sequence, or after a snapshot.
//!
//! Owns the types for it. Never reads a file: `read/open_segments.rs` finds the segment, and
//! `read/scan.rs` walks from there.

/// The end of a snapshot: how much of the history it holds, and of which history.
///
/// A snapshot holds only synced records, so it vouches for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotEnd {
    /// The last sequence that it holds; always the last of its frame.
    pub sequence: u64,
    /// The checksum of the frame of records that ends with this sequence
    /// ([`crate::Frame::snapshot_end`]); not that of a seal or an end mark after it, which a power
    /// cut may still take away.
    pub chain: u32,
}

/// The origin of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The start: the scan reads every segment from number 1 on and shows every frame.
    #[default]
    Genesis,
    /// As [`Genesis`](Self::Genesis), but there is a snapshot too. It vouches for what it holds,
    /// and must be of the same history.
    GenesisBeside(SnapshotEnd),
    /// A snapshot: the scan reads only the segment with the snapshot's last frame and later ones,
    /// and shows only frames after the snapshot. Older segments may be gone.
    Snapshot(SnapshotEnd),
}

impl Origin {
    /// The snapshot, if there is one and it is not empty.
    pub(crate) fn snapshot(self) -> Option<SnapshotEnd> {
        match self {
            Self::Genesis => None,
            Self::GenesisBeside(snapshot) | Self::Snapshot(snapshot) => {
                Some(snapshot).filter(|snapshot| snapshot.sequence > 0)
            }
        }
    }

    /// The highest sequence that the snapshot vouches for; 0 without a snapshot.
    pub(crate) fn vouched(self) -> u64 {
        self.snapshot().map_or(0, |snapshot| snapshot.sequence)
    }

    /// The snapshot that replaces all segments before its end.
    pub(crate) fn stands_in(self) -> Option<SnapshotEnd> {
        matches!(self, Self::Snapshot(_)).then(|| self.snapshot())?
    }
}
