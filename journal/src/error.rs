//! All errors of the crate, each with operation, file, offset and cause.
//!
//! Owns the one error type and the shape of a refusal to start. Never logs: an error is logged
//! once, where it is handled. Read `format/verdict.rs` next for the reasons of a refusal.

use std::io;

use crate::format::discontinuity::Discontinuity;
use crate::format::history::FramePlace;
use crate::format::layout::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::format::verdict::{Evidence, Verdict, judge};

/// The error of a visitor of frames. It ends the scan.
pub type VisitError = Box<dyn std::error::Error + Send + Sync>;

/// Every way in which the journal fails.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A disk operation failed.
    #[error("journal: cannot {operation} {file} at byte {offset}: {cause}")]
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
    /// The stored journal cannot be continued, or only after a person's decision.
    #[error("journal: {0}")]
    Refused(Box<Refusal>),
    /// A sync failed earlier. The content of the disk is unknown until the next start.
    #[error("journal: an earlier sync failed; nothing more is stored until the next start")]
    Poisoned,
    /// The open frame does not fit into the segment and no spare segment is ready. Nothing is lost:
    /// the same call succeeds once a spare is ready. [`crate::Journal::free_space`] tells
    /// beforehand.
    #[error("journal: the segment is full and no spare segment is ready")]
    NoSpare,
    /// The directory already holds a journal, so none can be created in it.
    #[error("journal: cannot create a journal in {directory}: it already holds {file}")]
    AlreadyExists {
        /// The directory.
        directory: String,
        /// The first segment that was found.
        file: String,
    },
    /// The directory holds no journal that could be resumed.
    #[error("journal: there is no journal in {directory} to resume; create one")]
    Empty {
        /// The directory.
        directory: String,
    },
    /// A setting is outside its bounds.
    #[error(
        "journal: segment_bytes is {segment_bytes}, but must be a multiple of 4096 from \
         {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}"
    )]
    Options {
        /// The requested size, in bytes.
        segment_bytes: u64,
    },
    /// A frame made elsewhere, or an end that another journal tells, does not continue this journal.
    /// Nothing was changed.
    #[error("journal: what comes to {place} does not continue the journal: {discontinuity}")]
    NotContinued {
        /// The place that the frame or the end is of.
        place: FramePlace,
        /// What differs.
        discontinuity: Discontinuity,
    },
    /// A journal that begins after a snapshot was not given the frame with which it ends.
    #[error("journal: it ends with {reached}, before the end of the snapshot, {sequence}")]
    SnapshotNotReached {
        /// The last sequence of the snapshot.
        sequence: u64,
        /// The last sequence that the journal was given.
        reached: u64,
    },
    /// What is to be cut off is more than a tail that no client had an answer for.
    #[error(
        "journal: cannot be cut after sequence {sequence}: {reason} {held}; nothing was changed"
    )]
    NotATail {
        /// The last sequence that the cut would keep.
        sequence: u64,
        /// The last sequence that must be kept.
        held: u64,
        /// Who says so.
        reason: &'static str,
    },
    /// What is to be cut off is more than may be set aside.
    #[error("journal: {bytes} bytes would have to be set aside, but {bytes_max} may be")]
    SetAsideTooLarge {
        /// The size of what goes, in bytes.
        bytes: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// The visitor of frames failed.
    #[error("journal: reading stopped at sequence {first_sequence}: {cause}")]
    Visitor {
        /// The first sequence of the frame that the visitor was given.
        first_sequence: u64,
        /// The error of the visitor.
        #[source]
        cause: VisitError,
    },
    /// No repair is possible.
    #[error("journal: cannot be repaired, {reason}: {refusal}")]
    NotRepairable {
        /// The reason.
        reason: &'static str,
        /// The refusal that made the repair necessary.
        refusal: Box<Refusal>,
    },
    /// The loss that a person accepted is not the loss that the repair causes.
    #[error(
        "journal: the repair loses everything from sequence {first_sequence_lost} on, but what was \
         accepted is the loss from {accepted} on; nothing was changed"
    )]
    NotAccepted {
        /// The first sequence of the accepted loss.
        accepted: u64,
        /// The first sequence that the repair loses.
        first_sequence_lost: u64,
    },
    /// The journal has changed since the plan was made.
    #[error("journal: it has changed since the repair was planned; nothing was changed")]
    PlanOutdated,
    /// The quarantine cannot take the originals.
    #[error("journal: cannot keep the originals in {file}: {reason}; nothing was changed")]
    Quarantine {
        /// The file or directory.
        file: String,
        /// The reason.
        reason: &'static str,
    },
    /// The caller asked the operation to stop.
    #[error("journal: stopped as asked")]
    Stopped,
    /// The thread that makes spare segments could not be started, or it panicked.
    #[error("journal: cannot {operation} the thread that prepares segments")]
    Allocator {
        /// The operation, as a verb.
        operation: &'static str,
    },
}

impl JournalError {
    /// Returns whether the file would exceed the file size limit of the process. Free disk space
    /// does not help then.
    pub fn is_file_too_large(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::FileTooLarge)
    }

    /// Builds the refusal for this evidence.
    pub(crate) fn refused(file: String, offset: u64, sequence: u64, evidence: &Evidence) -> Self {
        let (verdict, detail) = (judge(evidence), evidence.detail());
        Self::Refused(Box::new(Refusal { verdict, file, offset, sequence, detail }))
    }

    /// Wraps an error of the disk; for use with `map_err`.
    pub(crate) fn io(
        operation: &'static str,
        file: String,
        offset: u64,
    ) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { operation, file, offset, cause }
    }
}

/// Why a journal cannot be continued: the verdict, where it was found, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} in {file} at byte {offset}, at sequence {sequence}: {detail}. {}",
    verdict.label(),
    verdict.advice()
)]
pub struct Refusal {
    /// The row of the table at [`Verdict`].
    pub verdict: Verdict,
    /// The file.
    pub file: String,
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// The first sequence from which on nothing is certain.
    pub sequence: u64,
    /// The evidence in words.
    pub detail: String,
}
