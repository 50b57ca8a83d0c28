//! One call: a JSON body to an endpoint, and its answer; to the next endpoint where there is none.
//!
//! Owns connections (a fresh one a call: calls are rare), times, bounds, the token of a user, and
//! the knowledge whether a call may have been carried out. Never judges an answer. Next: `mod.rs`.

use super::endpoints::Endpoints;
use crate::client::Origin;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An endpoint that has not answered by then is passed over. A cluster that elects a leader takes
/// one to two seconds, and the next attempt is the caller's.
const ATTEMPT: Duration = Duration::from_millis(1_500);
/// A register has some hundred bytes; nothing that is asked for here is near this.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Codes of gRPC with which a call was certainly not carried out: an argument, a permission, an
/// identity, something that is not there.
const NOT_CARRIED_OUT: &[i64] = &[3, 5, 7, 12, 16];
const UNAUTHENTICATED: i64 = 16;

/// Calls to one etcd cluster.
#[derive(Debug)]
pub(super) struct Gateway {
    endpoints: Endpoints,
    /// The endpoint that answered last.
    good: AtomicUsize,
    token: Mutex<Option<HeaderValue>>,
}

/// Why no endpoint has given an answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// It was not carried out and will not be.
    Refused(String),
    /// It may have been carried out, or may still be.
    Unanswered(String),
}

impl CallError {
    pub(super) fn cause(&self) -> &str {
        match self {
            Self::Refused(cause) | Self::Unanswered(cause) => cause,
        }
    }
}

/// An error as the gateway tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    message: String,
    error: String,
    code: i64,
}

/// What one endpoint made of a call.
enum Attempt {
    Answered(Bytes),
    /// Nothing was carried out.
    Refused(String),
    /// The token has run out.
    Unauthenticated(String),
    Unanswered(String),
}

impl Gateway {
    pub(super) fn new(endpoints: Endpoints) -> Self {
        Self { endpoints, good: AtomicUsize::new(0), token: Mutex::new(None) }
    }

    pub(super) fn origins(&self) -> &[Origin] {
        self.endpoints.origins()
    }

    /// Asks one endpoint after the other, the one that answered last first, until one answers. So a
    /// call may be carried out twice.
    pub(super) async fn call(&self, path: &'static str, ask: &Value) -> Result<Bytes, CallError> {
        let count = self.origins().len();
        let first = self.good.load(Ordering::Relaxed);
        let (mut causes, mut perhaps) = (Vec::new(), false);
        for number in (0..count).map(|offset| (first + offset) % count) {
            match self.call_one(number, path, ask).await {
                Ok(body) => {
                    self.good.store(number, Ordering::Relaxed);
                    return Ok(body);
                }
                Err(error) => {
                    perhaps |= matches!(error, CallError::Unanswered(_));
                    causes.push(format!("{}: {}", self.origins()[number].place(), error.cause()));
                }
            }
        }
        let told = format!("etcd has not answered: {}", causes.join("; "));
        Err(if perhaps { CallError::Unanswered(told) } else { CallError::Refused(told) })
    }

    /// Asks one endpoint, with a fresh token where the one at hand has run out.
    pub(super) async fn call_one(
        &self,
        number: usize,
        path: &'static str,
        ask: &Value,
    ) -> Result<Bytes, CallError> {
        let mut renewed = false;
        loop {
            let token = self.token(number).await?;
            match self.attempt(number, path, ask, token).await {
                Attempt::Answered(body) => return Ok(body),
                Attempt::Refused(cause) => return Err(CallError::Refused(cause)),
                Attempt::Unanswered(cause) => return Err(CallError::Unanswered(cause)),
                Attempt::Unauthenticated(cause) if renewed => {
                    return Err(CallError::Refused(cause));
                }
                Attempt::Unauthenticated(_) => {
                    renewed = true;
                    self.keep(None);
                }
            }
        }
    }

    fn keep(&self, token: Option<HeaderValue>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The token of the user, if there is one: the one at hand, or a fresh one.
    async fn token(&self, number: usize) -> Result<Option<HeaderValue>, CallError> {
        let Some(credentials) = self.endpoints.credentials() else { return Ok(None) };
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.is_some() {
            return Ok(kept);
        }
        let ask = json!({ "name": credentials.user, "password": credentials.password });
        let body = match self.attempt(number, "/v3/auth/authenticate", &ask, None).await {
            Attempt::Answered(body) => body,
            Attempt::Refused(cause)
            | Attempt::Unauthenticated(cause)
            | Attempt::Unanswered(cause) => {
                let told = format!("the user {} was not let in: {cause}", credentials.user);
                return Err(CallError::Refused(told));
            }
        };
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let token = answer.as_ref().and_then(|answer| answer["token"].as_str());
        let token = token.and_then(|token| HeaderValue::from_str(token).ok()).map(|mut token| {
            token.set_sensitive(true);
            token
        });
        let token = token.ok_or_else(|| CallError::Refused("etcd gave no token".to_owned()))?;
        self.keep(Some(token.clone()));
        Ok(Some(token))
    }

    async fn attempt(
        &self,
        number: usize,
        path: &'static str,
        ask: &Value,
        token: Option<HeaderValue>,
    ) -> Attempt {
        let mut sent = false;
        let exchange = exchange(&self.origins()[number], path, ask, token, &mut sent);
        let cause = match tokio::time::timeout(ATTEMPT, exchange).await {
            Ok(Ok((status, body))) => return judged(status, body),
            Ok(Err(cause)) => cause,
            Err(_) => format!("no answer within {} ms", ATTEMPT.as_millis()),
        };
        if sent { Attempt::Unanswered(cause) } else { Attempt::Refused(cause) }
    }
}

fn judged(status: StatusCode, body: Bytes) -> Attempt {
    if status.is_success() {
        return Attempt::Answered(body);
    }
    let told: Told = serde_json::from_slice(&body).unwrap_or_default();
    let said = if told.message.is_empty() { told.error } else { told.message };
    let cause = if said.is_empty() { format!("status {status}") } else { said };
    // Older gateways say 401 by the status and the code of another.
    if told.code == UNAUTHENTICATED || status == StatusCode::UNAUTHORIZED {
        return Attempt::Unauthenticated(cause);
    }
    let refused = NOT_CARRIED_OUT.contains(&told.code) || status == StatusCode::NOT_FOUND;
    if refused { Attempt::Refused(cause) } else { Attempt::Unanswered(cause) }
}

async fn exchange(
    origin: &Origin,
    path: &'static str,
    ask: &Value,
    token: Option<HeaderValue>,
    sent: &mut bool,
) -> Result<(StatusCode, Bytes), String> {
    let socket = origin.connect().await.map_err(|cause| format!("cannot connect: {cause}"))?;
    let handshake = http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = handshake.map_err(|cause| cause.to_string())?;
    // It ends when its sender is dropped; the exchange is told how it ended.
    tokio::spawn(async move { drop(connection.await) });
    let mut request = Request::new(Full::new(Bytes::from(ask.to_string())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = hyper::Uri::from_static(path);
    let host = HeaderValue::from_str(origin.host());
    let headers = request.headers_mut();
    headers.insert(header::HOST, host.map_err(|_| "the host cannot be a header".to_owned())?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.extend(token.map(|token| (header::AUTHORIZATION, token)));
    *sent = true;
    let response = sender.send_request(request).await.map_err(|cause| cause.to_string())?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    Ok((head.status, body.map_err(|cause| cause.to_string())?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, body: &'static str) -> Attempt {
        judged(StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn only_what_was_certainly_not_done_counts_as_refused() {
        assert!(matches!(judge(200, "{}"), Attempt::Answered(_)));
        assert!(matches!(judge(400, r#"{"code":3,"message":"bad"}"#), Attempt::Refused(_)));
        assert!(matches!(judge(403, r#"{"code":7}"#), Attempt::Refused(_)));
        assert!(matches!(judge(401, r#"{"code":16}"#), Attempt::Unauthenticated(_)));
        for code in [2, 4, 8, 10, 13, 14] {
            let told = Told { code, ..Told::default() };
            assert!(!NOT_CARRIED_OUT.contains(&told.code), "{code}");
        }
        assert!(matches!(judge(503, r#"{"code":14}"#), Attempt::Unanswered(_)));
        assert!(matches!(judge(502, "<html>"), Attempt::Unanswered(_)));
    }

    #[test]
    fn what_etcd_says_is_told() {
        let Attempt::Unanswered(told) =
            judge(503, r#"{"error":"etcdserver: no leader","code":14}"#)
        else {
            panic!("it is not known");
        };
        assert_eq!(told, "etcdserver: no leader");
    }
}
