//! Following what happens (API 5).
//!
//! Owns where a follower is, and that it goes on there after any loss: with the last event that it
//! handed over, never with one that came in part. Hands each event over once, in order. Next:
//! `retry` for how long it tries to come back.

use super::attempt::Stream;
use super::error::Error;
use super::handle::Client;
use super::request::{Ask, path, with_parameters};
use super::retry::{Failure, Next, Tries};
use super::servers::Round;
use bytes::BytesMut;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The server says something every 15 s; after this much silence it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// No event is near this long.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Something that happened (CloudEvents 1.0).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Its own for ever; a place to follow from. Opaque but for its end: a dash and the sequence.
    pub id: String,
    /// Whose journal, as a URI.
    pub source: String,
    /// What happened, such as `doorbuster.order.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to, such as `orders/7k3v9q2m-17`.
    pub subject: String,
    /// When it happened, in RFC 3339.
    pub time: String,
    /// The trace of the request that made it.
    pub traceparent: Option<String>,
    /// The rest of it.
    pub data: Value,
}

/// A follower of the events of one journal.
#[derive(Debug)]
pub struct Events {
    client: Client,
    /// After this, as the server is told.
    place: String,
    /// The sequence in it.
    seen: u64,
    stream: Option<Stream>,
    /// The beginning of an event whose end is not here yet.
    begun: BytesMut,
    /// Since when nothing was heard, on the client's clock, and what was tried since.
    lost: Option<(u64, Tries)>,
    /// Which server is asked next, where there are several.
    round: Round,
}

/// Why there is no event.
enum Gap {
    /// The way to the server.
    Lost(Failure),
    /// What came is no event.
    Unreadable(String),
}

impl Client {
    /// Follows what happens after a place: an event's id, a `seq`, or `0` for everything that is
    /// kept. Connects when first asked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no place.
    pub fn events(&self, after: &str) -> Result<Events, Error> {
        let seen = sequence(after)
            .ok_or_else(|| Error::invalid("place", "must be the id of an event, or a sequence"))?;
        Ok(Events {
            client: self.clone(),
            place: after.to_owned(),
            seen,
            stream: None,
            begun: BytesMut::new(),
            lost: None,
            round: self.servers.round(),
        })
    }
}

impl Events {
    /// Where it is: the id of the last event that was handed over. Whoever writes it down goes on
    /// from there after a restart.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The next event; waits for as long as none happens. A lost server is sought again, as long as
    /// the policy allows, counted from when it was last heard of. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// See [`Error`]; afterwards it may be asked again, and goes on at the same place. Refusals are
    /// `compacted` and `diverged`, after which a follower has to begin anew, and `forbidden`.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let failure = match self.read().await {
                Ok(event) => return Ok(event),
                Err(Gap::Lost(failure)) => failure,
                Err(Gap::Unreadable(cause)) => {
                    self.let_go();
                    return Err(Error::Unreadable { status: 200, cause });
                }
            };
            self.let_go();
            let now_ms = self.client.clock.elapsed_ms();
            let (policy, servers) = (self.client.policy, self.client.servers.clone());
            let next = servers.next(&self.round, failure.named_writer().as_deref());
            let fresh = || (now_ms, Tries::new(policy, true, servers.are_several()));
            let (since_ms, tries) = self.lost.get_or_insert_with(fresh);
            match (tries.after(failure, now_ms - *since_ms, None, next.is_some()), next) {
                (Next::Stop(error), _) => {
                    self.lost = None;
                    self.round = servers.round();
                    return Err(error);
                }
                (Next::Elsewhere, Some(next)) => self.round = next,
                (Next::Elsewhere, None) => unreachable!("there is another server"),
                (Next::Wait { wait_ms }, _) => {
                    self.round = servers.round();
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
            }
        }
    }

    fn let_go(&mut self) {
        self.stream = None;
        self.begun.clear();
    }

    /// Reads until there is an event that was not handed over before.
    async fn read(&mut self) -> Result<Event, Gap> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(event);
            }
            let stream = match &mut self.stream {
                Some(stream) => stream,
                None => {
                    let stream = self.open().await.map_err(Gap::Lost)?;
                    self.client.servers.writes(&self.round);
                    self.round = self.client.servers.round();
                    self.stream.insert(stream)
                }
            };
            let heard = tokio::time::timeout(SILENCE_MAX, stream.piece()).await;
            let lost = |cause: &str| Gap::Lost(Failure::NotSent(cause.to_owned()));
            let piece = match heard {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Err(lost("the server ended the stream")),
                Ok(Err(cause)) => return Err(lost(&cause)),
                Err(_) => return Err(lost("the server fell silent")),
            };
            self.lost = None;
            self.begun.extend_from_slice(&piece);
        }
    }

    async fn open(&self) -> Result<Stream, Failure> {
        let given = [("after", Some(self.place.as_str()))];
        let ask = Ask::get(with_parameters(path(["events"]), given));
        let servers = &self.client.servers;
        let limits = Tries::new(self.client.policy, true, servers.are_several()).limits(0);
        servers.place(&self.round).open(&ask, "application/x-ndjson", limits).await
    }

    /// An event out of what has come; blank lines only say that nothing happens.
    fn take(&mut self) -> Result<Option<Event>, Gap> {
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line = self.begun.split_to(end + 1);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let event = serde_json::from_slice(&line);
            let event: Event = event.map_err(|cause| Gap::Unreadable(cause.to_string()))?;
            let sequence = sequence(&event.id)
                .ok_or_else(|| Gap::Unreadable(format!("{:?} is no event's id", event.id)))?;
            if sequence > self.seen {
                self.seen = sequence;
                self.place.clone_from(&event.id);
                return Ok(Some(event));
            }
        }
        if self.begun.len() > EVENT_BYTES_MAX {
            return Err(Gap::Unreadable(format!("an event of over {EVENT_BYTES_MAX} bytes")));
        }
        Ok(None)
    }
}

/// The sequence in a place: what follows its last dash. The rest is the server's affair.
fn sequence(place: &str) -> Option<u64> {
    let (start, sequence) = place.rsplit_once('-').unwrap_or(("0", place));
    let plain = !sequence.is_empty() && sequence.bytes().all(|byte| byte.is_ascii_digit());
    let word = !start.is_empty() && start.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sequence.parse().ok().filter(|_| plain && word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_id_or_a_sequence() {
        for place in ["17", "3-17", "7k3v9q2m-17"] {
            assert_eq!(sequence(place), Some(17));
        }
        for place in ["", "-", "3-", "-17", "+3", "3-17-1", "3-18446744073709551616", "x"] {
            assert_eq!(sequence(place), None, "{place}");
        }
    }
}
