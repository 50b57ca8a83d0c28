//! One HTTP POST after another to one address: webhooks and alerts.
//!
//! Owns connections kept alive, the time an answer may take, and how much of it is read. Follows no
//! redirect and never asks twice. Under TLS the address must show a certificate that is believed.
//! Next: `webhook`, `alert`.

use bytes::Bytes;
use doorbuster::client::Origin;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Connections kept for later.
const IDLE_MAX: usize = 16;
/// What an answer says is only shown to people.
const ANSWER_BYTES_MAX: usize = 16 << 10;

type Sender = SendRequest<Full<Bytes>>;

/// An address.
#[derive(Debug)]
pub(crate) struct Address {
    origin: Origin,
    host: HeaderValue,
    path: String,
    idle: Mutex<Vec<Sender>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) text: String,
}

impl Address {
    /// Of a URL, path and query included.
    pub(crate) fn new(url: &str, authorities: Option<&Path>) -> Result<Self, String> {
        let start = url.find("://").map_or(0, |at| at + 3);
        let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
        let (base, path) = url.split_at(end);
        let origin = Origin::new(base, authorities).map_err(|error| error.to_string())?;
        let host = HeaderValue::from_str(origin.host()).map_err(|error| error.to_string())?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        path.parse::<hyper::Uri>().map_err(|error| format!("{url}: {error}"))?;
        Ok(Self { origin, host, path, idle: Mutex::new(Vec::new()) })
    }

    /// Posts once. A kept connection that turns out to be closed is replaced, as long as nothing
    /// was sent over it.
    pub(crate) async fn post(
        &self,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, String> {
        let exchange = async {
            loop {
                let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some(mut sender) = kept else { break };
                if sender.ready().await.is_err() {
                    continue;
                }
                match sender.try_send_request(self.request(headers, body.clone())).await {
                    Ok(response) => return self.whole(sender, response).await,
                    Err(mut error) => {
                        // Handed back whole, it was not sent.
                        if error.take_message().is_none() {
                            return Err(error.into_error().to_string());
                        }
                    }
                }
            }
            let mut sender = self.connect().await?;
            let response = sender.send_request(self.request(headers, body.clone())).await;
            self.whole(sender, response.map_err(|error| error.to_string())?).await
        };
        match tokio::time::timeout(within, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("no answer within {} ms", within.as_millis())),
        }
    }

    /// Whether a connection comes about, TLS included.
    pub(crate) async fn connects(&self, within: Duration) -> Result<(), String> {
        match tokio::time::timeout(within, self.connect()).await {
            Ok(connected) => connected.map(drop),
            Err(_) => Err(format!("no connection within {} ms", within.as_millis())),
        }
    }

    async fn connect(&self) -> Result<Sender, String> {
        let failed = |cause| format!("cannot connect to {}: {cause}", self.origin.place());
        let socket = self.origin.connect().await.map_err(failed)?;
        let handshake = http1::handshake(TokioIo::new(socket)).await;
        let (sender, connection) = handshake.map_err(|cause| cause.to_string())?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn request(&self, own: &[(HeaderName, HeaderValue)], body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.path.parse().expect("it was parsed before");
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        let agent =
            HeaderValue::from_static(concat!("doorbuster-sink/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        headers.extend(own.iter().cloned());
        request
    }

    async fn whole(&self, sender: Sender, response: Response<Incoming>) -> Result<Answer, String> {
        let (head, body) = response.into_parts();
        let seconds = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after_ms =
            seconds.and_then(|text| text.parse::<u64>().ok()).and_then(|s| s.checked_mul(1000));
        let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let status = head.status.as_u16();
        // The status is what counts; a body that is too long only costs its connection.
        let Ok(read) = read else {
            return Ok(Answer { status, retry_after_ms, text: String::new() });
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(sender);
        }
        drop(idle);
        let text = String::from_utf8_lossy(&read.to_bytes()).trim().chars().take(200).collect();
        Ok(Answer { status, retry_after_ms, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_path_and_a_query() {
        for (url, path) in [
            ("http://127.0.0.1:1", "/"),
            ("http://127.0.0.1:1/", "/"),
            ("http://127.0.0.1:1/hook/a?b=c", "/hook/a?b=c"),
            ("http://127.0.0.1:1?b=c", "/?b=c"),
        ] {
            assert_eq!(Address::new(url, None).expect("an address").path, path, "{url}");
        }
        assert!(Address::new("http://user@host/", None).is_err());
        assert!(Address::new("http://127.0.0.1:1/a b", None).is_err());
    }
}
