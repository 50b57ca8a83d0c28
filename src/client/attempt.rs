//! One attempt: a connection, a request, its answer.
//!
//! Owns connections, kept alive and lent to one request at a time, and the knowledge whether a
//! request went out. Never asks twice, but takes another connection if a kept one turns out to be
//! closed before anything was sent. Next: `retry`.

use super::answer::Answer;
use super::error::{Error, Problem};
use super::origin::Origin;
use super::request::Ask;
use super::retry::{Failure, Limits};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Connections kept for later; more are closed after their answer.
const IDLE_MAX: usize = 64;
/// No answer of the API but a stream is near this.
const ANSWER_BYTES_MAX: usize = 16 << 20;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout-ms");

type Sender = SendRequest<Full<Bytes>>;

/// A server: where it is, who asks, and connections to it.
#[derive(Debug)]
pub(super) struct Place {
    origin: Origin,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    idle: Mutex<Vec<Sender>>,
}

/// The outcome of an attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    Answered(Whole),
    /// The server cannot have seen it.
    NotSent(String),
    /// The server may have seen it, and may have decided.
    NoAnswer(String),
}

/// An answer with its whole body.
#[derive(Debug)]
pub(super) struct Whole {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Place {
    pub(super) fn new(origin: Origin, token: Option<&str>) -> Result<Self, Error> {
        let host = HeaderValue::from_str(origin.host())
            .map_err(|_| Error::invalid("URL", "its host cannot be a header"))?;
        let authorization = token.map(|token| {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let authorization = authorization
            .transpose()
            .map_err(|_| Error::invalid("token", "must be printable ASCII"))?;
        Ok(Self { origin, host, authorization, idle: Mutex::new(Vec::new()) })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Asks once, within a time.
    pub(super) async fn attempt(&self, ask: &Ask, limits: Limits) -> Attempt {
        let mut sent = false;
        let exchange = self.exchange(ask, limits, &mut sent);
        let cause = match tokio::time::timeout(limits.whole, exchange).await {
            Ok(Ok(whole)) => return Attempt::Answered(whole),
            Ok(Err(cause)) => cause,
            Err(_) => format!("no answer within {} ms", limits.whole.as_millis()),
        };
        if sent { Attempt::NoAnswer(cause) } else { Attempt::NotSent(cause) }
    }

    async fn exchange(&self, ask: &Ask, limits: Limits, sent: &mut bool) -> Result<Whole, String> {
        // Each turn takes one away of those kept, so this ends.
        while let Some(mut sender) = self.kept() {
            if sender.ready().await.is_ok() {
                let tried = self.send(sender, ask, limits.decide, sent).await;
                // Closed by the server before anything of this went out.
                if *sent || tried.is_ok() {
                    return tried;
                }
            }
        }
        let sender = self.connect(limits.connect).await?;
        self.send(sender, ask, limits.decide, sent).await
    }

    async fn send(
        &self,
        mut sender: Sender,
        ask: &Ask,
        within: Duration,
        sent: &mut bool,
    ) -> Result<Whole, String> {
        let request = self.request(ask, within)?;
        // From here on it cannot be taken back, whatever this future is told.
        *sent = true;
        match sender.try_send_request(request).await {
            Ok(response) => self.whole(sender, response).await,
            Err(mut error) => {
                // Handed back whole, it was not sent.
                *sent = error.take_message().is_none();
                Err(error.into_error().to_string())
            }
        }
    }

    fn kept(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(sender);
        }
    }

    async fn connect(&self, within: Duration) -> Result<Sender, String> {
        let failed = |cause| format!("cannot connect to {}: {cause}", self.origin.place());
        let connected = tokio::time::timeout(within, self.origin.connect()).await;
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let socket = connected.map_err(late).flatten().map_err(failed)?;
        let handshake = http1::handshake(TokioIo::new(socket)).await;
        let (sender, connection) = handshake.map_err(|cause| cause.to_string())?;
        // It ends when its sender is dropped; whoever waits for an answer is told how it ended.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn request(&self, ask: &Ask, within: Duration) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(ask.body.clone().unwrap_or_default()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = ask.path.parse().map_err(|_| "the path is too long".to_owned())?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if ask.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(ask.media_type));
        }
        if let Some(key) = &ask.key {
            headers.insert(&IDEMPOTENCY_KEY, key.header());
        }
        if let Some((name, value)) = &ask.precondition {
            headers.insert(name, value.clone());
        }
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        headers.insert(&REQUEST_TIMEOUT, HeaderValue::from(within_ms));
        Ok(request)
    }

    /// Asks for a stream, on a connection of its own.
    pub(super) async fn open(
        &self,
        ask: &Ask,
        accept: &'static str,
        limits: Limits,
    ) -> Result<Stream, Failure> {
        let opening = async {
            let mut sender = self.connect(limits.connect).await?;
            let mut request = self.request(ask, limits.decide)?;
            request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
            let response = sender.send_request(request).await.map_err(|cause| cause.to_string())?;
            if response.status().is_success() {
                return Ok(Ok(Stream { body: response.into_body(), _sender: sender }));
            }
            Ok(Err(self.whole(sender, response).await?.problem()))
        };
        match tokio::time::timeout(limits.whole, opening).await {
            Ok(Ok(opened)) => opened.map_err(Failure::Refused),
            Ok(Err(cause)) => Err(Failure::NotSent(cause)),
            Err(_) => {
                let cause = format!("no answer within {} ms", limits.whole.as_millis());
                Err(Failure::NotSent(cause))
            }
        }
    }

    async fn whole(&self, sender: Sender, response: Response<Incoming>) -> Result<Whole, String> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|cause| cause.to_string())?.to_bytes();
        self.keep(sender);
        Ok(Whole { status: head.status, headers: head.headers, body })
    }
}

/// A body that goes on, and the connection that it comes on.
#[derive(Debug)]
pub(super) struct Stream {
    body: Incoming,
    _sender: Sender,
}

impl Stream {
    /// The next bytes; none after the last. Dropping the future loses nothing.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        let frame = self.body.frame().await.transpose().map_err(|cause| cause.to_string())?;
        Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }
}

impl Whole {
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Itself if it is a 2xx, or the problem that it is.
    pub(super) fn accepted(self) -> Result<Self, Box<Problem>> {
        if self.status.is_success() { Ok(self) } else { Err(self.problem()) }
    }

    fn problem(self) -> Box<Problem> {
        let problem: Option<Problem> = serde_json::from_slice(&self.body).ok();
        // Something between here and the server may refuse in words of its own.
        let foreign = || Problem {
            status: self.status.as_u16(),
            code: "unknown".to_owned(),
            detail: format!("an answer of status {} without a problem", self.status),
            retryable: matches!(self.status.as_u16(), 429 | 503),
            retry_after_ms: None,
            seq: None,
            members: Default::default(),
        };
        let mut problem = problem.unwrap_or_else(foreign);
        problem.retry_after_ms = problem.retry_after_ms.or_else(|| self.retry_after_ms());
        Box::new(problem)
    }

    fn retry_after_ms(&self) -> Option<u64> {
        let seconds: u64 = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        seconds.checked_mul(1000)
    }

    pub(super) fn read<T: DeserializeOwned>(self, attempts: u32) -> Result<Answer<T>, Error> {
        // A 204 says nothing.
        let text = if self.body.is_empty() { &b"null"[..] } else { &self.body };
        let status = self.status.as_u16();
        let body = serde_json::from_slice(text)
            .map_err(|cause| Error::Unreadable { status, cause: cause.to_string() })?;
        let replayed = self.headers.get(&IDEMPOTENT_REPLAYED).is_some_and(|value| value == "true");
        Ok(Answer { status, replayed, attempts, body })
    }
}
