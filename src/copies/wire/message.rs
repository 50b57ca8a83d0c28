//! What two nodes say to one another.
//!
//! Owns the words and their bounds. Never says when they are said: that is `sender`, `receiver` and
//! `node`. Next: `encode`, `decoder`.

use crate::cluster::node::Name;
use crate::cluster::register::{Epoch, Version};
use crate::copies::hello::Hello;
use crate::domain::model::ids::Sequence;
use doorbuster_journal::{FramePlace, JournalEnd, JournalHistory};

/// Bytes of a message at most, until both sides know one another.
pub const HELLO_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a reason at most; what is longer is cut.
pub const REASON_BYTES_MAX: usize = 1024;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first of a node that has dialled.
    Hello(Box<Hello>),
    /// The answer of the writer.
    Welcome(Box<Welcome>),
    /// The answer of a node that does not write.
    NotWriter {
        /// The highest epoch that it has seen.
        epoch: Epoch,
        /// Who writes, as far as it knows.
        writer: Option<Name>,
    },
    /// The copy follows, and has all up to here.
    Join {
        /// Its end; [`JournalEnd::GENESIS`] where it holds nothing.
        end: JournalEnd,
        /// Its directory began empty, as its `Seen` says.
        began_empty: bool,
    },
    /// What the copy has does not help it: it begins anew, with what follows.
    Restart(Restart),
    /// The next bytes of the snapshot.
    SnapshotPiece(Vec<u8>),
    /// All of the snapshot was sent.
    SnapshotEnd,
    /// Frames as they lie, and the headers of segments.
    Frames(Frames),
    /// The writer is there.
    Beat(Beat),
    /// The copy has synced.
    Acknowledgement {
        /// The epoch it follows.
        epoch: Epoch,
        /// The last record that it has synced.
        end: Sequence,
        /// The newest moment of sending that it has seen, as it came.
        sent_ms: u64,
        /// Its wall clock.
        wall_ms: u64,
    },
    /// The digest of the state at a sequence.
    Digest {
        /// The sequence.
        sequence: Sequence,
        /// The digest.
        digest: [u8; 32],
    },
    /// The writer of this epoch has ended, and all is settled.
    Surrender {
        /// Its epoch.
        epoch: Epoch,
    },
    /// There is an epoch above the one that the other side shows.
    Outdated {
        /// That epoch.
        epoch: Epoch,
    },
    /// The connection ends, and why.
    Close {
        /// For the log of the other side.
        reason: String,
    },
}

/// What the writer says to a copy that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Who it is.
    pub hello: Hello,
    /// The epoch it writes in.
    pub epoch: Epoch,
    /// The version of the register that it knows.
    pub version: Version,
    /// Its epochs. The end lies behind every place: it goes on writing.
    pub history: JournalHistory,
}

/// How a copy begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// The journal that it becomes a copy of.
    pub journal: [u8; 16],
    /// The snapshot that comes first; none where the journal begins with its first segment.
    pub snapshot: Option<SentSnapshot>,
}

/// The snapshot that a copy begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentSnapshot {
    /// The last record that it holds.
    pub sequence: Sequence,
    /// The checksum of the frame with which it ends.
    pub chain: u32,
    /// How long the file is.
    pub bytes: u64,
}

/// Frames, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames {
    /// Of the writer that sends them.
    pub epoch: Epoch,
    /// When they were sent, by the clock of the writer.
    pub sent_ms: u64,
    /// What is settled.
    pub settled: Sequence,
    /// Places and bytes; a header lies at offset 0.
    pub frames: Vec<(FramePlace, Vec<u8>)>,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Of the writer that sends it.
    pub epoch: Epoch,
    /// When it was sent, by the clock of the writer.
    pub sent_ms: u64,
    /// What is settled.
    pub settled: Sequence,
    /// The wall clock of the writer.
    pub wall_ms: u64,
}
