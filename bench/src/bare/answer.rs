//! The one answer of bare hyper, as another server gave it.
//!
//! Owns what is sent whatever was asked; the test that counts allocations compares with the same.
//! Next: `bare`.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;

/// What every request is answered.
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The answer that came as this text; none if it is no HTTP.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let (status, lines) = head.split_once("\r\n")?;
        let status = status.split_whitespace().nth(1)?.parse().ok()?;
        let mut headers = HeaderMap::new();
        for line in lines.split("\r\n") {
            let (name, value) = line.split_once(": ")?;
            let name: HeaderName = name.parse().ok()?;
            // hyper writes these by itself.
            if ![CONNECTION, CONTENT_LENGTH, DATE].contains(&name) {
                headers.append(name, HeaderValue::from_str(value).ok()?);
            }
        }
        Some(Self { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) })
    }

    /// Answers a request once all of its body is there.
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        // Header by header, as any server must: a whole map is not cheaper to clone.
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(response)
    }
}
