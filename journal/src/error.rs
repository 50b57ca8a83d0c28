//! What can go wrong, said with operation, file, offset and cause.
//!
//! Owns the one error type of the crate and the shape of a refusal to start. Never logs: an error is
//! logged once, where it is handled. Read `verdict.rs` next for what each refusal rests on.

use std::io;

use crate::format::layout::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::format::verdict::{Evidence, Verdict, judge};

/// What a visitor of frames may fail with; it ends the scan.
pub type VisitError = Box<dyn std::error::Error + Send + Sync>;

/// Every way in which the journal fails.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk said no.
    #[error("journal: cannot {operation} {file} at byte {offset}: {cause}")]
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
    /// What is stored cannot be continued from, or not without a person's decision.
    #[error("journal: {0}")]
    Refused(Box<Refusal>),
    /// A sync failed earlier: what is on disk is unknown, and stays unknown until the next start.
    #[error("journal: an earlier sync failed; nothing more is stored until the next start")]
    Poisoned,
    /// The open frame does not fit the segment and no spare is in hand. Nothing was lost: the same
    /// call succeeds once a spare is ready. [`crate::Journal::free_space`] says so beforehand.
    #[error("journal: the segment is full and no spare segment is ready")]
    NoSpare,
    /// A journal was to be created where one exists.
    #[error("journal: cannot create a journal in {directory}: it already holds {file}")]
    AlreadyExists {
        /// The directory.
        directory: String,
        /// The first segment in it.
        file: String,
    },
    /// A journal was to be resumed where none exists.
    #[error("journal: there is no journal in {directory} to resume; create one")]
    Empty {
        /// The directory.
        directory: String,
    },
    /// A setting is out of its bounds.
    #[error(
        "journal: segment_bytes is {segment_bytes}, but must be a multiple of 4096 from \
         {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}"
    )]
    Options {
        /// The size asked for, in bytes.
        segment_bytes: u64,
    },
    /// The visitor of frames gave up.
    #[error("journal: reading stopped at sequence {first_sequence}: {cause}")]
    Visitor {
        /// The first sequence of the frame it was shown.
        first_sequence: u64,
        /// What it said.
        #[source]
        cause: VisitError,
    },
    /// No repair can help.
    #[error("journal: cannot be repaired, {reason}: {refusal}")]
    NotRepairable {
        /// Why not.
        reason: &'static str,
        /// Why it is refused as it is.
        refusal: Box<Refusal>,
    },
    /// What a person accepted to lose is not what a repair would lose.
    #[error(
        "journal: the repair loses everything from sequence {first_sequence_lost} on, but what was \
         accepted is the loss from {accepted} on; nothing was changed"
    )]
    NotAccepted {
        /// What was accepted.
        accepted: u64,
        /// What would be lost.
        first_sequence_lost: u64,
    },
    /// The journal is not what the plan was made for.
    #[error("journal: it has changed since the repair was planned; nothing was changed")]
    PlanOutdated,
    /// The place for the originals is not usable.
    #[error("journal: cannot keep the originals in {file}: {reason}; nothing was changed")]
    Quarantine {
        /// The file or directory.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The caller asked to stop.
    #[error("journal: stopped as asked")]
    Stopped,
    /// The thread that prepares spare segments could not be started, or panicked.
    #[error("journal: cannot {operation} the thread that prepares segments")]
    Allocator {
        /// What was tried, as a verb.
        operation: &'static str,
    },
}

impl JournalError {
    /// A file would be larger than the process may have any: room would not help.
    pub fn is_file_too_large(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::FileTooLarge)
    }

    /// The refusal that this evidence leads to.
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

/// Why a journal is not continued from, where it was found, and what a person can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} in {file} at byte {offset}, at sequence {sequence}: {detail}. {}",
    verdict.label(),
    verdict.advice()
)]
pub struct Refusal {
    /// The row of the table.
    pub verdict: Verdict,
    /// The file.
    pub file: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The first sequence that cannot be vouched for from here on.
    pub sequence: u64,
    /// What was seen there.
    pub detail: String,
}
