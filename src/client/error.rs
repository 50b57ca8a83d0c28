//! Why there is no answer to use, and why a key is refused.

use super::key::Key;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The outcome of a request that has no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said no, and nothing changed. Where the problem is retryable, the policy's
    /// attempts or time ended first.
    #[error("{}: {} ({})", .0.code, .0.detail, .0.status)]
    Refused(Box<Problem>),
    /// No attempt reached the server: nothing was decided.
    #[error("the server was not reached in {attempts} attempts, the last: {cause}")]
    NotReached {
        /// Attempts made.
        attempts: u32,
        /// What the last one met.
        cause: String,
    },
    /// It may or may not have happened. With a key, asking again with the same key is safe and
    /// tells; without one, read the state.
    #[error("it may or may not have happened ({cause}); {}", advice(.key.as_ref()))]
    OutcomeUnknown {
        /// The key to ask again with.
        key: Option<Key>,
        /// Attempts made.
        attempts: u32,
        /// What the last one met.
        cause: String,
    },
    /// The answer is good by its status, but not what this client can read.
    #[error("an answer of status {status} cannot be read: {cause}")]
    Unreadable {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        cause: String,
    },
    /// The caller's mistake, found before anything was sent.
    #[error("{what}: {reason}")]
    Invalid {
        /// What is wrong.
        what: &'static str,
        /// Why that is wrong.
        reason: String,
    },
}

fn advice(key: Option<&Key>) -> String {
    match key {
        Some(key) => format!("ask again with the same key, {key}"),
        None => "read the state before asking again".to_owned(),
    }
}

impl Key {
    /// A key of the caller's making, such as the id of a cart.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is empty, too long, not printable ASCII, or has a quotation mark or
    /// a space at an end, which mean something else in a header.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        Self::parse(text.into()).map_err(|reason| Error::invalid("key", reason))
    }

    /// A key that no other request has: 128 random bits.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the system has no randomness to give.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|cause| Error::invalid("key", cause.to_string()))?;
        Ok(Self::of_bits(u128::from_le_bytes(bytes)))
    }
}

impl Error {
    pub(super) fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { what, reason: reason.into() }
    }

    /// The problem's code, if the server refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

/// A refusal (RFC 9457).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A word that programs compare, such as `sold_out`.
    pub code: String,
    /// An explanation for people.
    #[serde(default)]
    pub detail: String,
    /// The same request may succeed later.
    #[serde(default)]
    pub retryable: bool,
    /// How long to stay away, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The sequence it was decided at; none if it was refused before anything was looked at.
    pub seq: Option<u64>,
    /// All other members, such as `lines` of `sold_out`.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}
