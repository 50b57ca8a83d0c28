//! A typed client of the HTTP API for Rust: shops, tests and measurements.
//!
//! Owns asking: one key for all attempts of a request, how long to wait before the next attempt,
//! and when to stop. Repeats only what is safe to repeat, never what was decided, and never says
//! that nothing happened when it cannot know. Speaks HTTP/1.1, under TLS where the URL says
//! `https`. Next: `retry` for when to ask again, `origin` and `attempt` for the connection,
//! `orders`, `skus`, `draws` and `operations` for what can be asked, `batch` for much of it at
//! once, `events` for what happened.
//!
//! ```no_run
//! use doorbuster::client::{Action, Client, Error, Key, NewOrder, NewSku, Options, Precondition};
//!
//! # async fn sell() -> Result<(), Error> {
//! let client = Client::new("http://127.0.0.1:7070", Options::default())?;
//! client.put_sku("sneaker-42", &NewSku::of(1000), Precondition::IfAbsent).await?;
//!
//! // The key belongs to the purchase, not to the attempt: keep it with the cart, and a crash of
//! // this program changes nothing either.
//! let key = Key::new("cart-8f2a")?;
//! let order = match client.create_order(&NewOrder::of("ada", "sneaker-42", 1), &key).await {
//!     Ok(answer) => answer.body,
//!     Err(Error::Refused(problem)) if problem.code == "sold_out" => return Ok(()),
//!     // Perhaps it was created. Ask again with the same key, whenever: there will be one order.
//!     Err(error @ Error::OutcomeUnknown { .. }) => return Err(error),
//!     Err(error) => return Err(error),
//! };
//! client.act(&order.id, &Action::confirm(), None).await?;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod batch;
mod draws;
mod error;
mod events;
mod key;
mod operations;
mod orders;
mod origin;
mod retry;
mod skus;

pub use batch::{Line, LineAnswer};
pub use draws::{Draw, Entry, EntryPage, EntryReason, NewDraw, Prize};
pub use error::{Error, Problem};
pub use events::{Event, Events};
pub use key::Key;
pub use operations::{Remembered, Status, Table};
pub use orders::{Action, LineUnits, NewOrder, Order, OrderFilter, OrderLine, OrderStatus};
pub use origin::{Duplex, Origin, Socket};
pub use retry::Policy;
pub use skus::{Adjustment, Change, NewSku, Precondition, Sku, SkuChanges, SkuSettings};

use crate::shared::clock::Clock;
use attempt::{Attempt, Place, Whole};
use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use retry::{Failure, Next, Tries};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How to ask.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The bearer token; none where the server has no tokens.
    pub token: Option<String>,
    /// For `https`: a PEM file of the certificate authorities to believe; none means the system's.
    pub authorities: Option<PathBuf>,
    /// How often and how long to try.
    pub policy: Policy,
}

/// A client of one server; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    place: Arc<Place>,
    policy: Policy,
    clock: Clock,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The first answer to this key, given again.
    pub replayed: bool,
    /// How many attempts it took, from 1.
    pub attempts: u32,
    /// What it says.
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

/// A request, ready to be sent as often as needed.
#[derive(Debug, Clone)]
struct Ask {
    method: Method,
    path: String,
    key: Option<Key>,
    precondition: Option<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
    /// Of the body.
    media_type: &'static str,
    /// Doing it twice is the same as doing it once.
    repeats: bool,
}

impl Ask {
    fn get(path: String) -> Self {
        Self::new(Method::GET, path, true)
    }

    fn new(method: Method, path: String, repeats: bool) -> Self {
        let media_type = "application/json";
        Self { method, path, key: None, precondition: None, body: None, media_type, repeats }
    }

    /// With a key any request may be repeated.
    fn keyed(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self.repeats = true;
        self
    }

    fn json(mut self, body: &impl serde::Serialize) -> Self {
        let text = serde_json::to_vec(body).expect("numbers and text are JSON");
        self.body = Some(text.into());
        self
    }

    fn lines(mut self, text: Vec<u8>) -> Self {
        self.body = Some(text.into());
        self.media_type = "application/x-ndjson";
        self
    }
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:7070`. Connects when first asked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL that is not `http(s)://host[:port]`, certificate authorities
    /// that cannot be read, a token that is not printable ASCII, or a policy without any attempt.
    pub fn new(url: &str, options: Options) -> Result<Self, Error> {
        let Options { token, authorities, policy } = options;
        if policy.attempts_max == 0 || policy.attempt_ms_max == 0 || policy.deadline_ms == 0 {
            return Err(Error::invalid("policy", "attempts and times must be at least 1"));
        }
        let place =
            Arc::new(Place::new(Origin::new(url, authorities.as_deref())?, token.as_deref())?);
        Ok(Self { place, policy, clock: Clock::start() })
    }

    /// The same server and connections, asked with another policy.
    #[must_use]
    pub fn with_policy(&self, policy: Policy) -> Self {
        Self { policy, ..self.clone() }
    }

    async fn ask<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Answer<T>, Error> {
        self.settle(ask, |accepted, attempts| Ok(accepted.read(attempts))).await
    }

    /// Asks until there is an answer to use; `read` looks at a 2xx and may find that it says too
    /// little.
    async fn settle<T>(
        &self,
        ask: &Ask,
        read: impl Fn(Whole, u32) -> Result<Result<T, Error>, Failure>,
    ) -> Result<T, Error> {
        let begun_ms = self.clock.elapsed_ms();
        let mut tries = Tries::new(self.policy, ask.repeats);
        loop {
            let spent_ms = self.clock.elapsed_ms() - begun_ms;
            let within_ms = tries.within_ms(spent_ms);
            let attempt = self.place.attempt(ask, Duration::from_millis(within_ms)).await;
            let failure = match attempt {
                Attempt::Answered(answer) => match answer.accepted() {
                    Ok(accepted) => match read(accepted, tries.count() + 1) {
                        Ok(settled) => return settled,
                        Err(failure) => failure,
                    },
                    Err(problem) => Failure::Refused(problem),
                },
                Attempt::NotSent(cause) => Failure::NotSent(cause),
                Attempt::NoAnswer(cause) => Failure::NoAnswer(cause),
            };
            let spent_ms = self.clock.elapsed_ms() - begun_ms;
            match tries.after(failure, spent_ms, ask.key.as_ref()) {
                Next::Wait { wait_ms } => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                Next::Stop(error) => return Err(error),
            }
        }
    }
}

/// A path below `/v1`: the segments, each percent-encoded.
fn path<const N: usize>(segments: [&str; N]) -> String {
    let mut path = "/v1".to_owned();
    for segment in segments {
        path.push('/');
        encode(&mut path, segment);
    }
    path
}

/// Appends `?name=value&…` of those that have a value.
fn with_parameters<const N: usize>(mut path: String, given: [(&str, Option<&str>); N]) -> String {
    let mut joint = '?';
    for (name, value) in given {
        if let Some(value) = value {
            path.push(joint);
            path.push_str(name);
            path.push('=');
            encode(&mut path, value);
            joint = '&';
        }
    }
    path
}

/// All but the unreserved characters of RFC 3986 is escaped.
fn encode(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("a string takes text");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_keys_of_any_kind_fit_into_paths() {
        assert_eq!(path(["skus", "a/b c"]), "/v1/skus/a%2Fb%20c");
        assert_eq!(path(["requests", "50%?"]), "/v1/requests/50%25%3F");
        let given = [("limit", Some("5")), ("cursor", None), ("sku", Some("a@b"))];
        assert_eq!(with_parameters(path(["orders"]), given), "/v1/orders?limit=5&sku=a%40b");
    }
}
