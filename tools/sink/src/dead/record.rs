//! What stands in a file of dead letters, one JSON object a line.
//!
//! Owns the words. Never reads a file. Next: `letters`.

use crate::event::Event;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
pub(super) enum Record {
    /// An event that did not get there; the last line of an event counts.
    Dead(Letter),
    /// It got there after all, or was dropped.
    Done { seq: u64 },
    /// An operator asks for something.
    Requested(Request),
    /// All that was asked up to here is done.
    Answered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) event: Event,
    /// Why it did not get there.
    pub(crate) error: String,
    pub(crate) at: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fate {
    Retry,
    Drop,
}

/// What is to happen, with all letters or with those that hang together with a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) fate: Fate,
    pub(crate) subject: Option<String>,
}
