//! Reads the feed ahead of a sink, into a channel of bounded length.
//!
//! Owns coming back after any loss of the server, at the place after the last event that was handed
//! over. What a full channel does is wait: a slow target slows its own reader and nobody else's.
//! Next: `worker`, which takes from the channel.

use super::addresses::{Source, is_final};
use crate::event::{Event, Position};
use doorbuster::client::{Error, Events};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const WAIT_MS: u64 = 50;
const WAIT_MS_MAX: u64 = 2_000;
/// So many failures in a row are told, and from then on every so many.
const TOLD_AFTER: u32 = 3;
const TOLD_EVERY: u32 = 30;

/// Why there will be no more events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The events after the place are no longer kept; the oldest place that is.
    Compacted { oldest: String },
    /// The server never held the place.
    Diverged(String),
}

/// What a reader hands over.
#[derive(Debug)]
pub(crate) enum Item {
    Event(Box<Event>),
    End(End),
}

/// A reader under way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) items: mpsc::Receiver<Item>,
    task: JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reading {
    /// Reads from a place on, so many events ahead.
    pub(crate) fn start(source: Arc<Source>, name: &str, from: &Position, ahead: usize) -> Self {
        let (sender, items) = mpsc::channel(ahead);
        let place = if from.id.is_empty() { from.seq.to_string() } else { from.id.clone() };
        let reader = Reader { source, name: name.to_owned(), place, failures: 0 };
        Self { items, task: tokio::spawn(reader.run(sender)) }
    }
}

struct Reader {
    source: Arc<Source>,
    name: String,
    place: String,
    /// In a row.
    failures: u32,
}

impl Reader {
    async fn run(mut self, sender: mpsc::Sender<Item>) {
        loop {
            let url = self.source.url();
            let ended = match self.connect() {
                Ok(events) => self.hand_over(events, &sender).await,
                Err(told) => Ended::Lost { told, elsewhere: false },
            };
            match ended {
                Ended::Closed => return,
                Ended::Over(end) => {
                    let _ = sender.send(Item::End(end)).await;
                    return;
                }
                Ended::Lost { told, elsewhere } => {
                    if elsewhere {
                        self.source.leave(&url);
                    }
                    self.wait(&url, &told).await;
                }
            }
        }
    }

    fn connect(&self) -> Result<Events, String> {
        let client = self.source.client().map_err(|failure| failure.to_string())?;
        client.events(&self.place).map_err(|error| error.to_string())
    }

    async fn hand_over(&mut self, mut events: Events, sender: &mpsc::Sender<Item>) -> Ended {
        loop {
            match events.next().await {
                Ok(event) => {
                    if self.failures >= TOLD_AFTER {
                        tracing::info!(sink = self.name, "the server is followed again");
                    }
                    self.failures = 0;
                    self.place.clone_from(&event.id);
                    if sender.send(Item::Event(Box::new(event.into()))).await.is_err() {
                        return Ended::Closed;
                    }
                }
                Err(error) => return Ended::of(&error),
            }
        }
    }

    async fn wait(&mut self, url: &str, told: &str) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= TOLD_AFTER && (self.failures - TOLD_AFTER).is_multiple_of(TOLD_EVERY) {
            tracing::warn!(sink = self.name, url, failures = self.failures, "no feed: {told}");
        }
        let doubled = WAIT_MS << (self.failures - 1).min(6);
        let wait_ms = doubled.min(WAIT_MS_MAX);
        let roll = RandomState::new().build_hasher().finish();
        tokio::time::sleep(Duration::from_millis(wait_ms / 2 + roll % (wait_ms / 2 + 1))).await;
    }
}

enum Ended {
    /// Nobody listens any more.
    Closed,
    Over(End),
    Lost {
        told: String,
        /// Another address may do better.
        elsewhere: bool,
    },
}

impl Ended {
    fn of(error: &Error) -> Self {
        if let Error::Refused(problem) = error {
            let oldest = problem.members.get("oldest").and_then(|oldest| oldest.as_str());
            match (problem.code.as_str(), oldest) {
                ("compacted", Some(oldest)) => {
                    return Self::Over(End::Compacted { oldest: oldest.to_owned() });
                }
                ("diverged", _) => return Self::Over(End::Diverged(problem.detail.clone())),
                _ => {}
            }
        }
        Self::Lost { told: error.to_string(), elsewhere: !is_final(error) }
    }
}
