//! What may be found wrong.
//!
//! Owns the words. Next: `judge`, which finds it.

use doorbuster::cluster::role::EndReason;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// What a writer shows as settled is not what was answered before.
    TwoHistories,
    /// A node that the register counts, its writer among them, lacks what was answered.
    AnswerMissing,
    /// A writer may answer a read that misses what was answered.
    StaleRead,
    /// A node has ended for a reason that is not there.
    Ended(EndReason),
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TwoHistories => "two histories",
            Self::AnswerMissing => "an answer is missing where it counts",
            Self::StaleRead => "a stale read",
            Self::Ended(_) => "an end without a reason",
        })
    }
}
