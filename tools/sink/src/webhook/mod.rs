//! Calls to a service of the shop, at least once, by Standard Webhooks.
//!
//! Owns the order of calls and what an answer means: 2xx is taken; 408, 425, 429 and 5xx come later;
//! 410 ends the endpoint; any other 4xx refuses the event; a redirect is not followed. The position
//! is in a file of ours, so a sudden end sends again what was under way, with the same ids. Next:
//! `signature`, `calls`.

mod calls;
mod signature;

use crate::config::{Begin, Ordered, SinkSettings};
use crate::event::{Event, Position};
use crate::failure::Failure;
use crate::place::Place;
use crate::sink::{Batch, Beginning, Sink};
use crate::source::Source;
use calls::Endpoint;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// An endpoint as a target.
#[derive(Debug)]
pub(crate) struct Webhook {
    settings: SinkSettings,
    directory: PathBuf,
    place: Option<Place>,
    endpoint: Option<Endpoint>,
    /// Taken by the endpoint, though an event before them was not.
    taken: HashSet<u64>,
}

/// Events that are taken from the feed at once: the position is stored once for all of them.
const CHUNK: usize = 64;

impl Webhook {
    pub(crate) fn new(settings: &SinkSettings, directory: &Path) -> Self {
        Self {
            settings: settings.clone(),
            directory: directory.to_owned(),
            place: None,
            endpoint: None,
            taken: HashSet::new(),
        }
    }

    /// Events of a batch of the loop: one call's, or as many single calls.
    pub(crate) fn chunk(settings: &SinkSettings) -> usize {
        match settings.batch() {
            1 => CHUNK.max(settings.in_flight() * 4),
            many => many,
        }
    }

    fn write(&self, position: &Position) -> Result<(), Failure> {
        self.place.as_ref().map_or(Ok(()), |place| place.write(position))
    }

    /// How far all of a batch was taken, and why not further.
    async fn send(&mut self, events: &[Event]) -> (usize, Result<(), Failure>) {
        let Some(endpoint) = &self.endpoint else {
            return (0, Err(Failure::away("not connected")));
        };
        if self.settings.batch() > 1 {
            let sent = endpoint.call_with_all(events).await;
            return (if sent.is_ok() { events.len() } else { 0 }, sent);
        }
        let new: Vec<&Event> =
            events.iter().filter(|event| !self.taken.contains(&event.seq())).collect();
        let outcomes = match self.settings.ordered {
            Ordered::All => endpoint.call_in_turn(&new).await,
            Ordered::Subject => endpoint.call_by_subject(&new, self.settings.in_flight()).await,
        };
        self.taken.extend(outcomes.taken);
        let far = events.iter().take_while(|event| self.taken.contains(&event.seq())).count();
        (far, outcomes.failure.map_or(Ok(()), Err))
    }
}

impl Sink for Webhook {
    fn beginning(&self) -> Beginning {
        if self.settings.begin == Some(Begin::Oldest) { Beginning::Oldest } else { Beginning::Now }
    }

    async fn check(&mut self) -> Result<String, Failure> {
        let endpoint = Endpoint::new(&self.settings)?;
        endpoint.reach().await?;
        Ok(format!("webhook {}", self.settings.url))
    }

    async fn open(&mut self) -> Result<Option<Position>, Failure> {
        if self.place.is_none() {
            self.place = Some(Place::open(&self.directory, &self.settings.name)?);
        }
        self.endpoint = Some(Endpoint::new(&self.settings)?);
        self.place.as_ref().map_or(Ok(None), Place::read)
    }

    async fn begin(&mut self, _: Option<&Position>, to: &Position) -> Result<(), Failure> {
        self.write(to)
    }

    async fn rebuild(&mut self, _: Option<&Position>, _: &Source) -> Result<Position, Failure> {
        Err(Failure::refused("a webhook has no tables"))
    }

    async fn apply(&mut self, batch: &Batch<'_>, _: &Source) -> Result<(), Failure> {
        let again = batch.from == batch.to;
        if again {
            // A dead letter: it may have been taken long ago, or never.
            self.taken.retain(|seq| batch.events.iter().all(|event| event.seq() != *seq));
        }
        let (far, sent) = self.send(batch.events).await;
        if again {
            return sent;
        }
        if sent.is_ok() {
            self.taken.retain(|seq| *seq > batch.to.seq);
            return self.write(batch.to);
        }
        if let Some(last) = far.checked_sub(1).and_then(|at| batch.events.get(at)) {
            self.write(&last.position())?;
        }
        sent
    }

    fn reload(&mut self, settings: &SinkSettings) {
        self.settings = settings.clone();
    }
}
