//! The feed by pages (API 5): to look at some events, or to learn a place.
//!
//! Owns one page at a time. Following it is `events`.

use super::error::Error;
use super::events::Event;
use super::handle::Client;
use super::request::{Ask, path, with_parameters};
use serde::Deserialize;

/// Some of what happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventPage {
    /// In order; empty at the end.
    pub events: Vec<Event>,
    /// The place after them, as an id: it names the journal's life, which a bare sequence does not.
    pub next_after: String,
    /// The sequence that the page was read at.
    pub seq: u64,
}

impl Client {
    /// Up to so many events after a place: an event's id, a `seq`, or `0`.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `compacted`, `diverged`, `forbidden`, and `invalid` for a limit
    /// that is not 1 to 1,000.
    pub async fn event_page(&self, after: &str, limit: u32) -> Result<EventPage, Error> {
        let limit = limit.to_string();
        let given = [("after", Some(after)), ("limit", Some(limit.as_str()))];
        let ask = Ask::get(with_parameters(path(["events"]), given));
        self.ask(&ask).await.map(|answer| answer.body)
    }
}
