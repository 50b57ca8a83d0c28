//! What can go wrong, said with operation, file, offset and cause.
//!
//! Owns the one error type of the crate and the list of damages. Never logs: an error is logged
//! once, where it is handled. Read `reader.rs` next for what each damage rests on.

use std::io;

use doorbuster_journal::JournalId;

use crate::format::{FORMAT_VERSION, KEPT_IMAGES_MIN, PAYLOAD_BYTES_MAX, TOTALS_BYTES_MAX};

/// What somebody who loads an image may fail with; the image is then passed over.
pub type LoadError = Box<dyn std::error::Error + Send + Sync>;

/// Every way in which images fail.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The disk said no.
    #[error("image: cannot {operation} {file} at byte {offset}: {cause}")]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or directory it was tried on.
        file: String,
        /// Where in the file, in bytes; 0 where an offset has no meaning.
        offset: u64,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// What is stored is not what was written. Nothing of it may be used.
    #[error("image: {file} is damaged at byte {offset}: {damage}")]
    Damaged {
        /// The file.
        file: String,
        /// Where in the file, in bytes.
        offset: u64,
        /// What was seen there.
        damage: Damage,
    },
    /// A whole header, of another journal.
    #[error(
        "image: {file} belongs to journal {found}, not to {expected}; move it to the data \
         directory it came from"
    )]
    ForeignJournal {
        /// The file.
        file: String,
        /// Whose image it is.
        found: JournalId,
        /// Whose image was asked for.
        expected: JournalId,
    },
    /// A whole header, of a format that this version does not know.
    #[error(
        "image: {file} has format {format}, but this version reads formats up to \
         {FORMAT_VERSION}; start the newer version that wrote it, or move the file away to start \
         from an older image and the journal"
    )]
    NewerVersion {
        /// The file.
        file: String,
        /// Its format.
        format: u32,
    },
    /// An image of this sequence exists. It is left as it is.
    #[error("image: cannot write {file}: an image of this sequence exists")]
    AlreadyExists {
        /// The file.
        file: String,
    },
    /// The totals are too long.
    #[error("image: the totals have {bytes} bytes, but at most {TOTALS_BYTES_MAX} are kept")]
    Totals {
        /// Their length, in bytes.
        bytes: usize,
    },
    /// The payload is too long.
    #[error("image: the payload has {bytes} bytes, but at most {PAYLOAD_BYTES_MAX} are written")]
    PayloadTooLong {
        /// The length announced, in bytes.
        bytes: u64,
    },
    /// The payload is not as long as was announced; the image was given up.
    #[error("image: {file} was to hold {announced} bytes, but was given {given}")]
    PayloadLength {
        /// The file.
        file: String,
        /// The length announced, in bytes.
        announced: u64,
        /// The length given so far, in bytes.
        given: u64,
    },
    /// Something failed earlier: this reader or writer does nothing more.
    #[error("image: {file} failed earlier; begin anew")]
    Ended {
        /// The file.
        file: String,
    },
    /// The pause between two steps asked to stop.
    #[error("image: stopped between two steps, as asked, at byte {offset} of {file}")]
    Stopped {
        /// The file.
        file: String,
        /// What was written or verified so far, in bytes.
        offset: u64,
    },
    /// What was written and synced reads differently; the image was given up.
    #[error("image: what was just written does not read back: {cause}")]
    ReadBack {
        /// What was found.
        #[source]
        cause: Box<SnapshotError>,
    },
    /// An undamaged image could not be loaded.
    #[error("image: {file} cannot be loaded: {cause}")]
    Rejected {
        /// The file.
        file: String,
        /// What whoever loaded it said.
        #[source]
        cause: LoadError,
    },
    /// A policy would keep too few.
    #[error(
        "image: cannot keep only {images}: at least {KEPT_IMAGES_MIN} are kept, so that a damaged \
         one has a substitute"
    )]
    Keep {
        /// How many were to be kept.
        images: usize,
    },
}

/// What makes an image unusable. Offsets are in the error that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The name is none that this crate gives.
    #[error("the name is not that of an image")]
    Name,
    /// The header names another sequence than the file's name.
    #[error("it holds sequence {sequence}, not that of its name")]
    Sequence {
        /// The sequence in the header.
        sequence: u64,
    },
    /// The header's magic or checksum is wrong; all zero, if it was never finished.
    #[error("the header is not whole")]
    Header,
    /// A whole header says what no version wrote.
    #[error("a field of the header is out of its bounds")]
    HeaderField,
    /// The file is shorter or longer than its header says.
    #[error("the file has {found} bytes, not {expected}")]
    Length {
        /// The file's length, in bytes.
        found: u64,
        /// The length its header asks for, in bytes.
        expected: u64,
    },
    /// A block is not as long as its place in the image demands.
    #[error("a block says it holds {found} bytes, not {expected}")]
    BlockLength {
        /// The length in its prefix, in bytes.
        found: u32,
        /// The length it must have, in bytes.
        expected: u32,
    },
    /// A block's checksum is wrong, or it belongs to another place or image.
    #[error("the checksum of a block is wrong")]
    BlockChecksum,
    /// The trailer is damaged or belongs to another header.
    #[error("the trailer is not whole")]
    Trailer,
    /// Every block passes, and yet their payload is not what was written.
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

/// So that what encodes and decodes through [`io::Write`] and [`io::Read`] can say what happened.
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
