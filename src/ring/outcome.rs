//! What comes back from the writer for a request.

use super::timings::StageTimes;
use crate::domain::model::answer::Answered;

/// An outcome where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterReply {
    pub outcome: Outcome,
    /// How long it took on the way.
    pub times: StageTimes,
}

/// The outcome of a request that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Decided or read, and durable in the configured mode.
    Answered(Answered),
    /// Its deadline passed before it was sequenced; nothing was decided.
    DeadlineExceeded,
    /// The journal has no room for what it might record; nothing was decided.
    NoSpace,
    /// So much is due first that it takes more than this turn; nothing was decided.
    Busy,
    /// Deciding panicked, a fault of ours; nothing was decided.
    Internal,
    /// The server stops and the record may be durable or not.
    Unknown,
}

/// Why a request was not taken; nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitError {
    /// The ring or the table of waiting requests is full.
    Overloaded,
    /// The server is stopping.
    Draining,
}
