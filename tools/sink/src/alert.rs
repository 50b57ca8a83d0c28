//! Calls to `alert.url` when a sink fails again and again, stops, or does its work again.
//!
//! Owns what such a call says. Tries once and waits for nobody: the log and the metrics say the same.
//! Next: `worker`.

use crate::post::Address;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

const WITHIN: Duration = Duration::from_secs(10);

/// Whom to call.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    address: Arc<Address>,
}

impl Alert {
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let address = Address::new(url, None).map_err(|told| format!("alert.url: {told}"))?;
        Ok(Self { address: Arc::new(address) })
    }

    /// Calls in the background; at most once for each change, so these cannot pile up.
    pub(crate) fn call(&self, sink: &str, state: &'static str, why: &str) -> JoinHandle<()> {
        let body = serde_json::json!({"sink": sink, "state": state, "reason": why}).to_string();
        let (address, sink) = (self.address.clone(), sink.to_owned());
        tokio::spawn(async move {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
            let answered = address.post(&headers, Bytes::from(body), WITHIN).await;
            let told = match answered {
                Ok(answer) if answer.status < 300 => return,
                Ok(answer) => format!("it answers {}", answer.status),
                Err(cause) => cause,
            };
            tracing::warn!(sink, "alert.url was not reached: {told}");
        })
    }
}
