//! Ways in for the fuzzers of `tests/fuzz`: a connection over any stream, and what bytes mean
//! without one. In builds with the feature `doors` only.
//!
//! Owns nothing and decides nothing: each is the code that a served request runs through. Next:
//! `listener`, `routes`.

use super::{Registration, Worker, builder, connection};
use crate::domain::model::answer::TABLES;
use crate::domain::model::command::{Principal, Reach};
use crate::domain::model::ids::{KeyClaim, PrincipalName, Stamp};
use crate::domain::model::lives::{Life, Lives};
use crate::http::connection::proxy_protocol::{self, Source, Step};
use crate::http::request::headers::{RequestHeaders, unquoted_key};
use crate::http::request::json::{self, Value};
use crate::http::request::target;
use crate::http::response::problem::{Code, Refused};
use crate::http::routes::{self, Input, Parsed, Route, WriterRequest};
use crate::http::{
    Cells, Front, HttpLimits, LABELS, Reloadable, ReplicationLimits, Role, Rules, Shared,
    SharedAdmission, Tokens,
};
use crate::metrics::Meters;
use crate::ring::{Cursors, Lane};
use crate::shared::clock::Clock;
use crate::shared::feed::Feed;
use crate::shared::instant;
use crate::shared::snapshots::Snapshots;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::{Method, Uri};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Who every connection comes from.
const ANYBODY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A front that serves behind one lane, with nobody who takes snapshots or tells events.
fn front(cursors: Arc<Cursors>, hash_key: [u8; 16], lives: Arc<Lives>) -> Front {
    let front = Front::new(Shared {
        clock: Clock::start(),
        durability: "group".to_owned(),
        limits: Arc::new(Reloadable::new(HttpLimits::default())),
        stall_ms: 1000,
        stop: std::sync::mpsc::channel().0,
        admission: SharedAdmission::new(
            Arc::new(Reloadable::new(Rules::default())),
            Cells::default(),
        ),
        tokens: Arc::new(Reloadable::new(Tokens::none())),
        handshakes: None,
        cursors,
        edge: Arc::default(),
        snapshots: Arc::new(Snapshots::new().0),
        feed: Feed::new().0,
        meters: Arc::new(Meters::new(1, LABELS, &TABLES)),
        timed: false,
        standing: Arc::default(),
        replication: ReplicationLimits::default(),
        handover: None,
    });
    front.serve_with(hash_key, lives);
    front
}

/// Every code of a problem, with its status.
pub fn codes() -> impl Iterator<Item = (&'static str, u16)> {
    Code::ALL.iter().map(|code| (code.as_str(), code.status()))
}

/// Connections without sockets, on one thread.
pub struct Door {
    worker: Rc<Worker<Lane>>,
    builder: Rc<http1::Builder>,
}

impl Door {
    /// Serves what comes through this lane.
    #[must_use]
    pub fn open(lane: Lane, cursors: Arc<Cursors>, hash_key: [u8; 16], lives: Arc<Lives>) -> Self {
        let worker = Worker::new(Arc::new(front(cursors, hash_key, lives)), Rc::new(lane));
        let builder = Rc::new(builder(&worker.limits.get()));
        Self { worker, builder }
    }

    /// Serves a connection to its end. Must run where `spawn_local` works.
    ///
    /// # Panics
    /// When there are as many connections as the limits allow.
    pub fn serve<S>(&self, socket: S) -> impl Future<Output = ()> + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let registration: Registration<Lane> =
            self.worker.register(ANYBODY, None).expect("a free place");
        connection(socket, registration, self.builder.clone(), |_| false)
    }
}

/// The outcome of a request before anything is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sense {
    /// This status and code.
    Refused(u16, &'static str),
    /// A command for the writer, as its own text, and the claim of its key.
    Asks(String, Option<KeyClaim>),
    /// Something that needs no writer.
    Else,
}

fn sense_of(found: Result<WriterRequest, Refused>) -> Sense {
    match found {
        Ok(question) => {
            let command = format!("{:?}", question.request.command);
            Sense::Asks(command, question.request.key)
        }
        Err(refused) => Sense::Refused(refused.code.status(), refused.code.as_str()),
    }
}

thread_local! {
    static FRONT: Front = front(Arc::default(), HASH_KEY, epochs());
}

const HASH_KEY: [u8; 16] = *b"0123456789abcdef";

/// A journal that began without lives and has drawn one: ids of both kinds are some order's.
fn epochs() -> Arc<Lives> {
    let mut lives = Lives::new();
    let began = lives.begin(1, None, 1) && lives.begin(2, Life::parse("7k3v9q2m"), 1_000);
    assert!(began, "they follow one another");
    Arc::new(lives)
}

/// The outcome of a request; none where it is no HTTP.
#[must_use]
pub fn sense(method: &str, uri: &[u8], lines: &[(&str, &[u8])], body: &[u8]) -> Option<Sense> {
    let method: Method = method.parse().ok()?;
    let uri = Uri::try_from(uri).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    let sense = |front: &Front| {
        let place = Route::find(uri.path())?;
        place.check(&method)?;
        let input = Input {
            method: &method,
            query: uri.query(),
            head: &RequestHeaders::of(&headers),
            body,
            principal: &Principal { name: PrincipalName::local(), reach: Reach::All },
            role: Role::Admin,
            hash_key: &HASH_KEY,
            lives: front.lives(),
            now_ms: |_| 1000,
        };
        routes::parse(front, place, &input)
    };
    Some(match FRONT.with(sense) {
        Ok(Parsed::Submit(question)) => sense_of(Ok(question)),
        Ok(_) => Sense::Else,
        Err(refused) => sense_of(Err(refused)),
    })
}

/// What a line of a batch comes to.
///
/// # Panics
/// Never: the head of the batch is a good one.
#[must_use]
pub fn sense_of_line(line: &[u8]) -> Sense {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-ndjson"));
    let begin = |front: &Front| {
        let input = Input {
            method: &Method::POST,
            query: None,
            head: &RequestHeaders::of(&headers),
            body: &[],
            principal: &Principal { name: PrincipalName::local(), reach: Reach::All },
            role: Role::Admin,
            hash_key: &HASH_KEY,
            lives: front.lives(),
            now_ms: |_| 1000,
        };
        routes::parse(front, Route::Batch, &input)
    };
    match FRONT.with(begin) {
        Ok(Parsed::Batch(asker)) => sense_of(routes::batch::question(line, &asker)),
        other => panic!("the head of a batch came to {other:?}"),
    }
}

/// A value as the JSON reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A plain integer from 0.
    Natural(u64),
    /// A plain integer below 0.
    Negative(i64),
    /// Any other number.
    OtherNumber,
    /// A string.
    Text(String),
    List(Vec<Json>),
    /// An object, its members in their order.
    Object(Vec<(String, Json)>),
}

impl Json {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Natural(number) => Self::Natural(number),
            Value::Negative(number) => Self::Negative(number),
            Value::OtherNumber => Self::OtherNumber,
            Value::Text(text) => Self::Text(text.into_owned()),
            Value::List(list) => Self::List(list.into_iter().map(Self::of).collect()),
            Value::Object(members) => Self::of_members(members),
        }
    }

    fn of_members(members: json::Members<'_>) -> Self {
        let member =
            |(name, value): (std::borrow::Cow<'_, str>, _)| (name.into_owned(), Self::of(value));
        Self::Object(members.into_iter().map(member).collect())
    }
}

/// What a body holds; none where it is refused.
#[must_use]
pub fn json(body: &[u8]) -> Option<Json> {
    json::object(body).ok().map(Json::of_members)
}

/// The segments of a path; the code of the refusal where it has none.
///
/// # Errors
/// Where a request with this path is refused for it.
pub fn segments(path: &str) -> Result<Vec<String>, &'static str> {
    let found = target::segments(path).map_err(|refused| refused.code.as_str())?;
    Ok(found.into_iter().map(std::borrow::Cow::into_owned).collect())
}

/// The idempotency key that a header's value names; none where it is none.
#[must_use]
pub fn key(value: &[u8]) -> Option<Vec<u8>> {
    unquoted_key(value).ok().map(std::borrow::Cow::into_owned)
}

/// An instant's milliseconds; none where the text is none of ours.
#[must_use]
pub fn instant(text: &str) -> Option<Stamp> {
    instant::parse(text).ok()
}

/// An instant as answers show it.
#[must_use]
pub fn instant_text(stamp: Stamp) -> String {
    instant::text(stamp)
}

/// What the first bytes of a connection come to, as a header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introduction {
    /// So many more bytes are needed, at least.
    Needs(usize),
    /// The header ends here; it names a client at this address, or none.
    Ends(Option<IpAddr>),
    /// There is no valid header.
    Refused,
}

/// Reads the first bytes of a connection as such a header.
#[must_use]
pub fn introduction(bytes: &[u8]) -> Introduction {
    match proxy_protocol::step(bytes) {
        Step::Needs(bytes) => Introduction::Needs(bytes),
        Step::Done(Source::Proxy) => Introduction::Ends(None),
        Step::Done(Source::Client(address)) => Introduction::Ends(Some(address)),
        Step::Bad(_) => Introduction::Refused,
    }
}
