//! The headers that mean something to us.
//!
//! Owns their syntax: one pass over the header map finds them and notices repeats. Never decides
//! what a request needs: that is its route's. Next: `service`, `routes`.

use super::conditions::Condition;
use crate::domain::model::ids::{INTEGER_END, Traceparent};
use crate::http::response::problem::{Problem, Refused};
use hyper::header::{HeaderMap, HeaderValue};
use std::borrow::Cow;

/// Bytes of an idempotency key at most (API 1).
const KEY_BYTES_MAX: usize = 255;

macro_rules! names {
    ($($name:ident $text:literal,)*) => {
        /// A header that is looked at.
        #[derive(Debug, Clone, Copy)]
        pub(in crate::http) enum Name { $($name,)* }

        const NAMES: usize = [$($text,)*].len();

        impl Name {
            fn of(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }

            pub(in crate::http) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

names! {
    Host "host",
    TransferEncoding "transfer-encoding",
    Expect "expect",
    Origin "origin",
    ContentType "content-type",
    ContentEncoding "content-encoding",
    IdempotencyKey "idempotency-key",
    IfMatch "if-match",
    IfNoneMatch "if-none-match",
    RequestTimeout "request-timeout-ms",
    Traceparent "traceparent",
    Accept "accept",
    LastEventId "last-event-id",
    ServerTiming "server-timing",
    Authorization "authorization",
    SecFetchSite "sec-fetch-site",
    AccessControlRequestMethod "access-control-request-method",
}

/// The headers of one request, found.
#[derive(Debug)]
pub(in crate::http) struct RequestHeaders<'h> {
    headers: &'h HeaderMap,
    values: [Option<&'h HeaderValue>; NAMES],
    repeated: u32,
}

impl<'h> RequestHeaders<'h> {
    pub(in crate::http) fn of(headers: &'h HeaderMap) -> Self {
        let mut head = Self { headers, values: [None; NAMES], repeated: 0 };
        for (name, value) in headers {
            let Some(name) = Name::of(name.as_str()) else { continue };
            if head.values[name as usize].replace(value).is_some() {
                head.repeated |= 1 << (name as u32);
            }
        }
        head
    }

    pub(in crate::http) fn value(&self, name: Name) -> Option<&'h HeaderValue> {
        self.values[name as usize]
    }

    pub(in crate::http) fn bytes(&self, name: Name) -> Option<&'h [u8]> {
        self.value(name).map(HeaderValue::as_bytes)
    }

    pub(in crate::http) fn is_repeated(&self, name: Name) -> bool {
        self.repeated & (1 << (name as u32)) != 0
    }

    /// The value, where two of them would be ambiguous.
    pub(in crate::http) fn one(&self, name: Name) -> Result<Option<&'h [u8]>, Refused> {
        if self.is_repeated(name) {
            return Err(Problem::malformed(format!("the header {} is repeated", name.as_str())));
        }
        Ok(self.bytes(name))
    }

    /// `Idempotency-Key`, unquoted.
    pub(in crate::http) fn idempotency_key(&self) -> Result<Option<Cow<'h, [u8]>>, Refused> {
        self.one(Name::IdempotencyKey)?.map(unquoted_key).transpose()
    }

    pub(in crate::http) fn if_match(&self) -> Result<Condition<'h>, Refused> {
        self.condition(Name::IfMatch, "If-Match")
    }

    /// `If-None-Match`.
    pub(in crate::http) fn if_none_match(&self) -> Result<Condition<'h>, Refused> {
        self.condition(Name::IfNoneMatch, "If-None-Match")
    }

    fn condition(&self, name: Name, told: &'static str) -> Result<Condition<'h>, Refused> {
        if self.value(name).is_none() {
            return Ok(Condition::None);
        }
        let lines = self.headers.get_all(name.as_str()).iter().map(HeaderValue::as_bytes);
        Condition::read(told, lines)
    }

    /// When `Request-Timeout-Ms` from `now_ms` is over. Most requests need not ask for the time.
    pub(in crate::http) fn deadline_ms(
        &self,
        now_ms: impl FnOnce() -> u64,
    ) -> Result<Option<u64>, Refused> {
        let Some(bytes) = self.one(Name::RequestTimeout)? else { return Ok(None) };
        let timeout_ms = str::from_utf8(bytes)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse::<u64>().ok())
            .filter(|timeout_ms| (1..INTEGER_END).contains(timeout_ms))
            .ok_or_else(|| {
                Problem::malformed("Request-Timeout-Ms must be a plain integer from 1, below 2^53")
            })?;
        Ok(Some(now_ms().saturating_add(timeout_ms)))
    }

    /// `traceparent` if it is valid; an invalid one is to be ignored (W3C Trace Context, 3.2).
    pub(in crate::http) fn traceparent(&self) -> Option<(Traceparent, &'h HeaderValue)> {
        if self.is_repeated(Name::Traceparent) {
            return None;
        }
        let value = self.value(Name::Traceparent)?;
        traceparent(value.as_bytes()).map(|trace| (trace, value))
    }
}

/// `"k"` and `k` are one key. A quoted one is a structured-field string (RFC 9651, 3.3.3).
pub(in crate::http) fn unquoted_key(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refused> {
    let bad = || {
        Problem::malformed(
            "an idempotency key is 1..=255 printable ASCII characters, or such a \
                            text in double quotes",
        )
    };
    let key = match bytes.strip_prefix(b"\"") {
        None => Cow::Borrowed(bytes),
        Some(rest) => {
            let inner = rest.strip_suffix(b"\"").ok_or_else(bad)?;
            if inner.contains(&b'\\') || inner.contains(&b'"') {
                Cow::Owned(unescaped(inner).ok_or_else(bad)?)
            } else {
                Cow::Borrowed(inner)
            }
        }
    };
    // Without an end in the middle, so that many bytes are looked at in one step.
    let printable = key.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    if !printable || !(1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Err(bad());
    }
    Ok(key)
}

fn unescaped(inner: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = inner.iter();
    let mut key = Vec::with_capacity(inner.len());
    while let Some(byte) = bytes.next() {
        key.push(match byte {
            b'"' => return None,
            b'\\' => *bytes.next().filter(|escaped| matches!(escaped, b'"' | b'\\'))?,
            plain => *plain,
        });
    }
    Some(key)
}

/// Version 00, or the part of a later version that looks the same.
fn traceparent(bytes: &[u8]) -> Option<Traceparent> {
    let (known, rest) = bytes.split_at_checked(55)?;
    let mut parts = known.split(|byte| *byte == b'-');
    let [version] = hex(parts.next()?)?;
    let trace = Traceparent {
        trace: hex(parts.next()?)?,
        parent: hex(parts.next()?)?,
        flags: hex::<1>(parts.next()?)?[0],
    };
    let sized = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    let named = trace.trace != [0; 16] && trace.parent != [0; 8];
    (sized && named && parts.next().is_none()).then_some(trace)
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::problem::Code;
    use crate::http::testing::headers;

    fn check_key(text: &str, expected: Result<Option<&str>, Code>) {
        let headers = headers(text);
        let key = RequestHeaders::of(&headers).idempotency_key();
        let key = key.map(|key| key.map(|key| String::from_utf8(key.into_owned()).unwrap()));
        let key = key.as_ref().map(Option::as_deref).map_err(|refused| refused.code);
        assert_eq!(key, expected, "{text}");
    }

    #[test]
    fn a_key_is_the_same_quoted_or_not() {
        check_key("", Ok(None));
        check_key("Idempotency-Key: k", Ok(Some("k")));
        check_key("idempotency-key: \"k\"", Ok(Some("k")));
        check_key("idempotency-key: a b\"c", Ok(Some("a b\"c")));
        check_key(r#"idempotency-key: "a\"b\\c""#, Ok(Some("a\"b\\c")));
        check_key(&format!("idempotency-key: {}", "k".repeat(255)), Ok(Some(&"k".repeat(255))));
        check_key(&format!("idempotency-key: \"{}\"", "k".repeat(255)), Ok(Some(&"k".repeat(255))));
    }

    #[test]
    fn a_key_that_is_none_is_malformed() {
        let long = format!("idempotency-key: {}", "k".repeat(256));
        for text in [
            "idempotency-key: ",
            "idempotency-key: \"\"",
            "idempotency-key: \"",
            "idempotency-key: \"k",
            r#"idempotency-key: "a"b""#,
            r#"idempotency-key: "a\b""#,
            r#"idempotency-key: "a\""#,
            "idempotency-key: ä",
            "idempotency-key: a\tb",
            "idempotency-key: k\nIdempotency-Key: k",
            &long,
        ] {
            check_key(text, Err(Code::Malformed));
        }
    }

    #[test]
    fn tags_may_stand_in_several_lines() {
        let headers = headers("If-Match: \"1\"\nIf-None-Match: *\nif-match: \"2\", \"x\"");
        let head = RequestHeaders::of(&headers);
        let tags: [&[u8]; 3] = [b"\"1\"", b"\"2\"", b"\"x\""];
        assert_eq!(head.if_match().unwrap(), Condition::Tags(tags.into_iter().collect()));
        assert_eq!(head.if_none_match().unwrap(), Condition::Any);
    }

    #[test]
    fn a_timeout_is_a_plain_integer_from_1() {
        let check = |text: &str, expected: Result<Option<u64>, Code>| {
            let headers = headers(text);
            let read =
                RequestHeaders::of(&headers).deadline_ms(|| 1000).map_err(|refused| refused.code);
            assert_eq!(read, expected, "{text}");
        };
        check("", Ok(None));
        check("Request-Timeout-Ms: 250", Ok(Some(1250)));
        check("Request-Timeout-Ms: 9007199254740991", Ok(Some((1 << 53) + 999)));
        for bad in
            ["0", "", "-1", "+1", "1.0", "1s", "9007199254740992", "1\nRequest-Timeout-Ms: 1"]
        {
            check(&format!("Request-Timeout-Ms: {bad}"), Err(Code::Malformed));
        }
    }

    #[test]
    fn a_valid_traceparent_is_taken_and_any_other_ignored() {
        let check = |value: &str, taken: bool| {
            let headers = headers(&format!("traceparent: {value}"));
            assert_eq!(RequestHeaders::of(&headers).traceparent().is_some(), taken, "{value}");
        };
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        check(&format!("00-{ids}-01"), true);
        check(&format!("01-{ids}-01"), true);
        check(&format!("01-{ids}-01-what-comes"), true);
        check(&format!("00-{ids}-01-"), false);
        check(&format!("01-{ids}-01what"), false);
        check(&format!("ff-{ids}-01"), false);
        check(&format!("00-{}-01", ids.to_uppercase()), false);
        check(&format!("00-{ids}-0"), false);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false);
        check(&format!("00-{ids}-01\ntraceparent: 00-{ids}-01"), false);
        let headers = headers(&format!("traceparent: 00-{ids}-01"));
        let (trace, _) = RequestHeaders::of(&headers).traceparent().unwrap();
        assert_eq!((trace.trace[0], trace.parent[7], trace.flags), (0x0a, 0x31, 1));
    }
}
