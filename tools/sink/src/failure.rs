//! Why a step failed, and what that means.
//!
//! Owns the few kinds that there are: whether it is tried again, and who has to act. What it says
//! names the remedy. Next: `worker/steps`, which acts upon it.

use std::fmt::{self, Display, Formatter};

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may go well later.
    Away {
        why: String,
        /// How long the target asked to be left alone.
        wait_ms: Option<u64>,
    },
    /// It cannot go well, however often it is tried.
    Refused(String),
    /// Nothing that comes after it can go well either, until a person acts.
    Final(String),
    /// Another instance of this sink writes there.
    Fenced(String),
}

impl Failure {
    pub(crate) fn away(why: impl Display) -> Self {
        Self::Away { why: why.to_string(), wait_ms: None }
    }

    pub(crate) fn refused(why: impl Display) -> Self {
        Self::Refused(why.to_string())
    }
}

impl Display for Failure {
    fn fmt(&self, form: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { why, .. } | Self::Refused(why) | Self::Final(why) | Self::Fenced(why) => {
                form.write_str(why)
            }
        }
    }
}
