//! Answers as callers get them: one, or a page of a list.
//!
//! Owns what all answers have in common. Next: `attempt`, which reads them.

use serde::Deserialize;

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The first answer to this key, given again.
    pub replayed: bool,
    /// How many attempts it took, from 1.
    pub attempts: u32,
    /// The body, as the type that was asked for.
    pub body: T,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Page<T> {
    /// At most 100; a filtered page may be empty and still not be the last.
    #[serde(alias = "skus", alias = "orders")]
    pub entries: Vec<T>,
    /// Where the next page begins; none after the last.
    pub next_cursor: Option<String>,
    /// The sequence that the page was read at.
    pub seq: u64,
}
