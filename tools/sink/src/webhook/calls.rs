//! Calls of one endpoint: one after another, several subjects at a time, or many events in one.
//!
//! Owns the headers of a call and what its answer means. Next: `signature`, `post`.

use super::signature::Secrets;
use crate::config::SinkSettings;
use crate::event::Event;
use crate::failure::Failure;
use crate::post::{Address, Answer};
use bytes::Bytes;
use doorbuster::shared::clock;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// A receiver may take so long by default.
const TIMEOUT_MS: u64 = 20_000;

/// Where calls go, and what signs them.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: Address,
    secrets: Option<Secrets>,
    within: Duration,
}

/// What became of several calls.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) taken: HashSet<u64>,
    /// Why the first of those failed that did.
    pub(super) failure: Option<Failure>,
}

impl Endpoint {
    pub(super) fn new(settings: &SinkSettings) -> Result<Self, Failure> {
        let address = Address::new(&settings.url, settings.ca_file.as_deref());
        let address = address.map_err(|told| Failure::Final(format!("url: {told}")))?;
        let secrets = settings.secret().map_err(Failure::away)?;
        let secrets = secrets.as_deref().map(Secrets::parse).transpose();
        let secrets =
            secrets.map_err(|told| Failure::away(format!("secret_file: {told}; put it right")))?;
        let within = Duration::from_millis(settings.timeout_ms.unwrap_or(TIMEOUT_MS));
        Ok(Self { address, secrets, within })
    }

    /// Whether there is a server that speaks what the URL says; tells it nothing.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        self.address.connects(self.within).await.map_err(Failure::away)
    }

    /// One after another, up to the first that fails.
    pub(super) async fn call_in_turn(&self, events: &[&Event]) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for event in events {
            match self.call_with(event).await {
                Ok(()) => drop(outcomes.taken.insert(event.seq())),
                Err(failure) => {
                    outcomes.failure = Some(failure);
                    break;
                }
            }
        }
        outcomes
    }

    /// Those of a subject one after another, so many subjects at a time. A subject's failure holds
    /// up that subject; which failure counts is that of the earliest event.
    pub(super) async fn call_by_subject(&self, events: &[&Event], in_flight: usize) -> Outcomes {
        let mut queues: HashMap<&str, VecDeque<&Event>> = HashMap::new();
        let mut subjects = VecDeque::new();
        for event in events {
            let queue = queues.entry(&event.subject).or_default();
            if queue.is_empty() {
                subjects.push_back(event.subject.as_str());
            }
            queue.push_back(event);
        }
        let mut outcomes = Outcomes::default();
        let mut failed: Option<(u64, Failure)> = None;
        let mut calls = FuturesUnordered::new();
        loop {
            while calls.len() < in_flight
                && let Some(subject) = subjects.pop_front()
            {
                if let Some(event) = queues.get_mut(subject).and_then(VecDeque::pop_front) {
                    calls.push(async move { (event, self.call_with(event).await) });
                }
            }
            let Some((event, called)) = calls.next().await else { break };
            match called {
                Ok(()) => {
                    outcomes.taken.insert(event.seq());
                    subjects.push_back(&event.subject);
                }
                Err(failure) => {
                    let first = failed.as_ref().is_none_or(|(seq, _)| event.seq() < *seq);
                    if first {
                        failed = Some((event.seq(), failure));
                    }
                }
            }
        }
        outcomes.failure = failed.map(|(_, failure)| failure);
        outcomes
    }

    async fn call_with(&self, event: &Event) -> Result<(), Failure> {
        let mut headers =
            vec![(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"))];
        for (name, value) in [
            ("ce-id", &event.id),
            ("ce-source", &event.source),
            ("ce-type", &event.kind),
            ("ce-subject", &event.subject),
            ("ce-time", &event.time),
        ] {
            headers.push((HeaderName::from_static(name), text(value)));
        }
        if let Some(trace) = &event.traceparent {
            headers.push((HeaderName::from_static("traceparent"), text(trace)));
        }
        self.call(&event.id, headers, event.text()).await
    }

    /// All in one call. Its id is made of the first and the last of theirs; each event has its own.
    pub(super) async fn call_with_all(&self, events: &[Event]) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let kind = HeaderValue::from_static("application/cloudevents-batch+json");
        let texts: Vec<_> = events.iter().map(Event::text).collect();
        let id = if first.id == last.id {
            first.id.clone()
        } else {
            format!("{}..{}", first.id, last.id)
        };
        self.call(&id, vec![(CONTENT_TYPE, kind)], format!("[{}]", texts.join(","))).await
    }

    async fn call(
        &self,
        id: &str,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        body: String,
    ) -> Result<(), Failure> {
        let timestamp = clock::wall_ms() / 1000;
        headers.push((HeaderName::from_static("webhook-id"), text(id)));
        headers.push((HeaderName::from_static("webhook-timestamp"), HeaderValue::from(timestamp)));
        if let Some(secrets) = &self.secrets {
            let signature = secrets.sign(id, timestamp, body.as_bytes());
            headers.push((HeaderName::from_static("webhook-signature"), text(&signature)));
        }
        match self.address.post(&headers, Bytes::from(body), self.within).await {
            Ok(answer) => judge(&answer),
            Err(cause) => Err(Failure::away(cause)),
        }
    }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static("unprintable"))
}

fn judge(answer: &Answer) -> Result<(), Failure> {
    let Answer { status, retry_after_ms, text } = answer;
    let told = format!("the receiver answers {status} {text}");
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(Failure::away(format!(
            "{told}: redirects are not followed; put the address that it names into url"
        ))),
        410 => Err(Failure::Final(format!(
            "{told}: it wants no more calls; take the sink out, or start it again"
        ))),
        408 | 425 | 429 | 500..=599 => Err(Failure::Away { why: told, wait_ms: *retry_after_ms }),
        _ => Err(Failure::refused(told)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_waited_for_or_final() {
        let answered =
            |status| judge(&Answer { status, retry_after_ms: Some(7_000), text: "no".to_owned() });
        assert_eq!(answered(204), Ok(()));
        for later in [408, 425, 429, 500, 503] {
            let told = answered(later);
            assert!(matches!(told, Err(Failure::Away { wait_ms: Some(7_000), .. })), "{later}");
        }
        assert!(matches!(answered(302), Err(Failure::Away { .. })));
        assert!(matches!(answered(410), Err(Failure::Final(_))));
        for refused in [400, 401, 404, 413, 422] {
            assert!(matches!(answered(refused), Err(Failure::Refused(_))), "{refused}");
        }
    }
}
