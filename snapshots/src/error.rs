//! All errors of the crate, each with operation, file, offset and cause.
//!
//! Owns the one error type and the list of damages. Never logs: an error is logged once, where it
//! is handled. Read `reader.rs` next for how each damage is found.

use std::io;

use doorbuster_journal::JournalId;

use crate::format::{FORMAT_VERSION, KEPT_SNAPSHOTS_MIN, PAYLOAD_BYTES_MAX, TOTALS_BYTES_MAX};

/// The error of a caller that loads a snapshot. The snapshot is then passed over.
pub type LoadError = Box<dyn std::error::Error + Send + Sync>;

/// Every way in which the work on snapshots fails.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A disk operation failed.
    #[error("snapshot: cannot {operation} {file} at byte {offset}: {cause}")]
    Io {
        /// The operation, as a verb.
        operation: &'static str,
        /// The file or directory.
        file: String,
        /// The offset in the file, in bytes; 0 where an offset has no meaning.
        offset: u64,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The stored bytes are not those that were written. No part of the snapshot may be used.
    #[error("snapshot: {file} is damaged at byte {offset}: {damage}")]
    Damaged {
        /// The file.
        file: String,
        /// The offset in the file, in bytes.
        offset: u64,
        /// The damage.
        damage: Damage,
    },
    /// The header is whole and names another journal.
    #[error(
        "snapshot: {file} belongs to journal {found}, not to {expected}; move it to the data \
         directory it came from"
    )]
    ForeignJournal {
        /// The file.
        file: String,
        /// The journal in the header.
        found: JournalId,
        /// The journal that the caller named.
        expected: JournalId,
    },
    /// The header is whole and of a format that this version does not know.
    #[error(
        "snapshot: {file} has format {format}, but this version reads formats up to \
         {FORMAT_VERSION}; start the newer version that wrote it, or move the file away to start \
         from an older snapshot and the journal"
    )]
    NewerVersion {
        /// The file.
        file: String,
        /// Its format.
        format: u32,
    },
    /// A snapshot of this sequence exists. It is not changed.
    #[error("snapshot: cannot write {file}: a snapshot of this sequence exists")]
    AlreadyExists {
        /// The file.
        file: String,
    },
    /// The totals are too long.
    #[error("snapshot: the totals have {bytes} bytes, but at most {TOTALS_BYTES_MAX} are kept")]
    Totals {
        /// Their length, in bytes.
        bytes: usize,
    },
    /// The payload is too long.
    #[error("snapshot: the payload has {bytes} bytes, but at most {PAYLOAD_BYTES_MAX} are written")]
    PayloadTooLong {
        /// The length announced, in bytes.
        bytes: u64,
    },
    /// The payload does not have the announced length. The snapshot was given up.
    #[error("snapshot: {file} was to hold {announced} bytes, but was given {given}")]
    PayloadLength {
        /// The file.
        file: String,
        /// The length announced, in bytes.
        announced: u64,
        /// The length given so far, in bytes.
        given: u64,
    },
    /// An earlier call failed: this reader or writer does nothing more.
    #[error("snapshot: {file} failed earlier; begin anew")]
    Ended {
        /// The file.
        file: String,
    },
    /// The pause between two steps asked the operation to stop.
    #[error("snapshot: stopped between two steps, as asked, at byte {offset} of {file}")]
    Stopped {
        /// The file.
        file: String,
        /// The bytes written or verified so far.
        offset: u64,
    },
    /// The written and synced bytes read differently. The snapshot was given up.
    #[error("snapshot: what was just written does not read back: {cause}")]
    ReadBack {
        /// The error of the verification.
        #[source]
        cause: Box<SnapshotError>,
    },
    /// The caller could not load an undamaged snapshot.
    #[error("snapshot: {file} cannot be loaded: {cause}")]
    Rejected {
        /// The file.
        file: String,
        /// The error of the caller.
        #[source]
        cause: LoadError,
    },
    /// A policy would keep too few snapshots.
    #[error(
        "snapshot: cannot keep only {snapshots}: at least {KEPT_SNAPSHOTS_MIN} are kept, so that a damaged \
         one has a substitute"
    )]
    Keep {
        /// The number that it would keep.
        snapshots: usize,
    },
}

/// The damage that makes a snapshot unusable. The error that carries it has the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// This crate gives no such name.
    #[error("the name is not that of a snapshot")]
    Name,
    /// The sequence in the header is not that in the file's name.
    #[error("it holds sequence {sequence}, not that of its name")]
    Sequence {
        /// The sequence in the header.
        sequence: u64,
    },
    /// The header's magic or checksum is wrong; all zero if it was never finished.
    #[error("the header is not whole")]
    Header,
    /// The header is whole, but no version writes such a field.
    #[error("a field of the header is out of its bounds")]
    HeaderField,
    /// The file is shorter or longer than its header says.
    #[error("the file has {found} bytes, not {expected}")]
    Length {
        /// The file's length, in bytes.
        found: u64,
        /// The length that its header demands, in bytes.
        expected: u64,
    },
    /// A block does not have the length that its position in the snapshot demands.
    #[error("a block says it holds {found} bytes, not {expected}")]
    BlockLength {
        /// The length in its prefix, in bytes.
        found: u32,
        /// The length it must have, in bytes.
        expected: u32,
    },
    /// A block's checksum is wrong, or the block belongs to another position or snapshot.
    #[error("the checksum of a block is wrong")]
    BlockChecksum,
    /// The trailer is damaged or belongs to another header.
    #[error("the trailer is not whole")]
    Trailer,
    /// Every block is right, but their payload is not the one that was written.
    #[error("the payload does not have the hash in the trailer")]
    PayloadHash,
}

impl SnapshotError {
    /// Wraps an error of the disk; for use with `map_err`.
    pub(crate) fn io(
        operation: &'static str,
        file: String,
        offset: u64,
    ) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { operation, file, offset, cause }
    }
}

/// For encoders and decoders that use [`io::Write`] and [`io::Read`].
impl From<SnapshotError> for io::Error {
    fn from(error: SnapshotError) -> Self {
        let kind = match &error {
            SnapshotError::Io { cause, .. } => cause.kind(),
            SnapshotError::Damaged { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
