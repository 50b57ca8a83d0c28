//! A request as it is sent: method, path, key, body, and whether it may be repeated.
//!
//! Owns how texts become paths. Never sends. Next: `handle`, `attempt`.

use super::key::Key;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use std::fmt::Write;

/// A request, ready to be sent as often as needed.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) key: Option<Key>,
    pub(super) precondition: Option<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Bytes>,
    /// Of the body.
    pub(super) media_type: &'static str,
    /// Doing it twice is the same as doing it once.
    pub(super) repeats: bool,
    /// Any node of a cluster answers it, about itself.
    pub(super) is_of_a_node: bool,
}

impl Ask {
    pub(super) fn get(path: String) -> Self {
        Self::new(Method::GET, path, true)
    }

    pub(super) fn new(method: Method, path: String, repeats: bool) -> Self {
        let media_type = "application/json";
        let (key, precondition, body, is_of_a_node) = (None, None, None, false);
        Self { method, path, key, precondition, body, media_type, repeats, is_of_a_node }
    }

    /// With a key any request may be repeated.
    pub(super) fn keyed(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self.repeats = true;
        self
    }

    pub(super) fn json(mut self, body: &impl serde::Serialize) -> Self {
        let text = serde_json::to_vec(body).expect("numbers and text are JSON");
        self.body = Some(text.into());
        self
    }

    pub(super) fn lines(mut self, text: Vec<u8>) -> Self {
        self.body = Some(text.into());
        self.media_type = "application/x-ndjson";
        self
    }
}

/// A path below `/v1`: the segments, each percent-encoded.
pub(super) fn path<const N: usize>(segments: [&str; N]) -> String {
    let mut path = "/v1".to_owned();
    for segment in segments {
        path.push('/');
        encode(&mut path, segment);
    }
    path
}

/// Appends `?name=value&…` of those that have a value.
pub(super) fn with_parameters<const N: usize>(
    mut path: String,
    given: [(&str, Option<&str>); N],
) -> String {
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
