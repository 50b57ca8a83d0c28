//! A response before it is hyper's.
//!
//! Owns the headers that every response carries. Never knows why it says what it says. Next:
//! `service`.

use super::json_writer::{self, Json};
use super::payload::{Payload, Stream, Whole};
use super::problem::{Code, Problem, Refused};
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What kind of text a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Kind {
    /// There is no body.
    Empty,
    /// `application/json`.
    Json,
    /// `application/problem+json`.
    Problem,
    /// `application/x-ndjson`.
    Lines,
    /// `text/event-stream`.
    ServerEvents,
    /// `text/plain`.
    Text,
    /// What Prometheus scrapes, in the text format 0.0.4.
    Metrics,
    /// The same as OpenMetrics 1.0.
    OpenMetrics,
}

impl Kind {
    /// Its body comes bit by bit, and each bit is waited for.
    fn is_streamed(self) -> bool {
        matches!(self, Self::Lines | Self::ServerEvents)
    }

    fn content_type(self) -> Option<HeaderValue> {
        macro_rules! fixed {
            ($text:literal) => {
                // Checked when it is compiled, and not once more for each answer.
                Some(const { HeaderValue::from_static($text) })
            };
        }
        match self {
            Self::Empty => None,
            Self::Json => fixed!("application/json"),
            Self::Problem => fixed!("application/problem+json"),
            Self::Lines => fixed!("application/x-ndjson"),
            Self::ServerEvents => fixed!("text/event-stream"),
            Self::Text => fixed!("text/plain; charset=utf-8"),
            Self::Metrics => fixed!("text/plain; version=0.0.4; charset=utf-8"),
            Self::OpenMetrics => {
                fixed!("application/openmetrics-text; version=1.0.0; charset=utf-8")
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(in crate::http) struct Reply {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) kind: Kind,
    pub(in crate::http) body: Bytes,
    /// Of a refusal.
    pub(in crate::http) code: Option<Code>,
    pub(in crate::http) server_timing: Option<HeaderValue>,
    pub(in crate::http) location: Option<HeaderValue>,
    pub(in crate::http) etag: Option<HeaderValue>,
    pub(in crate::http) allow: Option<&'static str>,
    pub(in crate::http) retry_after_s: Option<u64>,
    /// `RateLimit-Policy` and `RateLimit`; boxed, because most servers have no buckets.
    pub(in crate::http) rates: Option<Box<(HeaderValue, HeaderValue)>>,
    pub(in crate::http) replayed: bool,
    pub(in crate::http) closes: bool,
}

impl Reply {
    pub(in crate::http) fn json(status: StatusCode, json: Json) -> Self {
        Self::with_body(status, Kind::Json, json.into_bytes())
    }

    pub(in crate::http) fn fixed(text: &'static str) -> Self {
        Self::fixed_bytes(Bytes::from_static(text.as_bytes()))
    }

    /// 200 with JSON that is there already.
    pub(in crate::http) fn fixed_bytes(body: Bytes) -> Self {
        Self::with_body(StatusCode::OK, Kind::Json, body)
    }

    /// 200 with text that is no JSON.
    pub(in crate::http) fn text(kind: Kind, text: String) -> Self {
        Self::with_body(StatusCode::OK, kind, text.into())
    }

    /// A refusal, rendered.
    pub(in crate::http) fn problem(code: Code, retry_after_ms: Option<u64>, json: Json) -> Self {
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after_s = retry_after_ms.map(|after_ms| after_ms.div_ceil(1000).max(1));
        let reply = Self::with_body(status, Kind::Problem, json.into_bytes());
        Self { code: Some(code), retry_after_s, ..reply }
    }

    /// 204.
    pub(in crate::http) fn empty() -> Self {
        Self::with_body(StatusCode::NO_CONTENT, Kind::Empty, Bytes::new())
    }

    /// 204 with what may be done here, for OPTIONS.
    pub(in crate::http) fn options(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::empty() }
    }

    /// 200 with a body that comes bit by bit.
    pub(in crate::http) fn stream(kind: Kind) -> Self {
        Self::with_body(StatusCode::OK, kind, Bytes::new())
    }

    fn with_body(status: StatusCode, kind: Kind, body: Bytes) -> Self {
        Self {
            status,
            kind,
            body,
            code: None,
            server_timing: None,
            location: None,
            etag: None,
            allow: None,
            retry_after_s: None,
            rates: None,
            replayed: false,
            closes: false,
        }
    }

    /// The response on the wire, its headers in this map, with the trace it belongs to. A stream
    /// stands in for the body.
    pub(in crate::http) fn into_response(
        self,
        room: HeaderMap,
        traceparent: Option<HeaderValue>,
        stream: Option<Stream>,
    ) -> Response<Payload> {
        let payload = match stream {
            Some(stream) => Payload::Stream(stream),
            None => Payload::Whole(Whole::new(self.body)),
        };
        let mut response = Response::new(payload);
        *response.status_mut() = self.status;
        *response.headers_mut() = room;
        let headers = response.headers_mut();
        if let Some(content_type) = self.kind.content_type() {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        headers.insert(header::CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
        if self.kind.is_streamed() {
            // nginx, and others after its example, keep an answer back until it is long, or whole.
            headers.insert(&ACCEL_BUFFERING, const { HeaderValue::from_static("no") });
        }
        if let Some(location) = self.location {
            headers.insert(header::LOCATION, location);
        }
        if let Some(etag) = self.etag {
            headers.insert(header::ETAG, etag);
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.code == Some(Code::Unauthenticated) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(rates) = self.rates {
            headers.insert(&RATE_LIMIT_POLICY, rates.0);
            headers.insert(&RATE_LIMIT, rates.1);
        }
        if self.replayed {
            headers.insert(&IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(server_timing) = self.server_timing {
            headers.insert(&SERVER_TIMING, server_timing);
        }
        if let Some(traceparent) = traceparent {
            headers.insert(&TRACEPARENT, traceparent);
        }
        if self.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        let mut json = Json::new();
        json_writer::problem(&mut json, &refused);
        let Problem { code, retry_after_ms, allow, closes, .. } = *refused;
        Self { allow, closes, ..Self::problem(code, retry_after_ms, json) }
    }
}
