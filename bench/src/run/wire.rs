//! Requests and answers as bytes, by hand: a generator that is slower than the server measures
//! itself.
//!
//! Owns no socket. Reads of an answer only what outcomes and checks need. Next: `drive`.

use super::scenario::{Order, Plan, Verb, What};
use serde::Deserialize;
use std::borrow::Cow;
use std::io::Write;

/// What all requests of a run have in common.
#[derive(Debug)]
pub(crate) struct Heads {
    /// Host, and authorization if there is a token; whole lines.
    common: String,
}

impl Heads {
    pub(crate) fn new(host: &str, token: Option<&str>) -> Self {
        let mut common = format!("host: {host}\r\n");
        if let Some(token) = token {
            common.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        Self { common }
    }

    /// Writes the request; `id` is the order's, where one is named.
    pub(crate) fn render(&self, out: &mut Vec<u8>, plan: &Plan, what: What, id: &str) {
        out.clear();
        match what {
            What::Order { number } => self.order(out, plan, &plan.order(number)),
            What::Act { verb, .. } => {
                let verb = match verb {
                    Verb::Confirm => "confirm",
                    Verb::Cancel => "cancel",
                };
                self.write(
                    out,
                    format_args!("POST /v1/orders/{id}/{verb}"),
                    "content-length: 0\r\n",
                );
            }
            What::ReadOrder { .. } => self.write(out, format_args!("GET /v1/orders/{id}"), ""),
            What::ReadSku { sku } => {
                self.write(out, format_args!("GET /v1/skus/{}", plan.sku(sku)), "");
            }
            What::ReadKey { number } => {
                let key = plan.key(plan.order(number).key);
                self.write(out, format_args!("GET /v1/requests/{key}"), "");
            }
        }
    }

    fn order(&self, out: &mut Vec<u8>, plan: &Plan, order: &Order) {
        let mut body = Vec::with_capacity(160);
        let user = plan.user(order.user);
        write!(body, r#"{{"user":"{user}","lines":["#).expect("memory takes all bytes");
        for (at, sku) in order.skus.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(body, r#"{comma}{{"sku":"{}","qty":1}}"#, plan.sku(*sku))
                .expect("memory takes all bytes");
        }
        body.extend_from_slice(b"]}");
        let key = plan.key(order.key);
        let length = body.len();
        write!(
            out,
            "POST /v1/orders HTTP/1.1\r\n{}content-type: application/json\r\n\
             idempotency-key: {key}\r\ncontent-length: {length}\r\n\r\n",
            self.common
        )
        .expect("memory takes all bytes");
        out.extend_from_slice(&body);
    }

    fn write(&self, out: &mut Vec<u8>, start: std::fmt::Arguments<'_>, more: &str) {
        write!(out, "{start} HTTP/1.1\r\n{}{more}\r\n", self.common)
            .expect("memory takes all bytes");
    }
}

/// An answer that has come whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen<'a> {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    /// The server closes the connection after it.
    pub(crate) closes: bool,
    pub(crate) body: &'a [u8],
}

/// What comes in is no HTTP of the kind that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotHttp;

/// The answer, as soon as it is whole. One request is under way, so nothing may follow it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Seen<'_>>, NotHttp> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..head]).map_err(|_| NotHttp)?;
    let mut lines = text.split("\r\n");
    let start = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = start.and_then(|rest| rest.get(..3)?.parse().ok()).ok_or(NotHttp)?;
    let (mut length, mut replayed, mut closes) = (None, false, false);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(NotHttp)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>().map_err(|_| NotHttp)?);
        } else if name.eq_ignore_ascii_case("idempotent-replayed") {
            replayed = value == "true";
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let length = if status == 204 { 0 } else { length.ok_or(NotHttp)? };
    let body = &bytes[head + 4..];
    match body.len().cmp(&length) {
        std::cmp::Ordering::Less => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(Seen { status, replayed, closes, body })),
        std::cmp::Ordering::Greater => Err(NotHttp),
    }
}

/// What is remembered of a created order.
#[derive(Debug, Deserialize)]
pub(crate) struct Created<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) created_at: Cow<'a, str>,
}

/// Why something was refused.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused<'a> {
    #[serde(borrow)]
    pub(crate) code: Cow<'a, str>,
    /// Where the writer is, as one says that is not it.
    #[serde(borrow, default)]
    pub(crate) writer: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole_and_not_before() {
        let text =
            b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nIdempotent-Replayed: true\r\n\r\nbody";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(None), "{end}");
        }
        let seen = Seen { status: 201, replayed: true, closes: false, body: b"body" };
        assert_eq!(parse(text), Ok(Some(seen)));
        let closing = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        let seen = Seen { status: 204, replayed: false, closes: true, body: b"" };
        assert_eq!(parse(closing), Ok(Some(seen)));
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        for bad in [
            "HTTP/1.1 abc\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        ] {
            assert_eq!(parse(bad.as_bytes()), Err(NotHttp), "{bad:?}");
        }
    }
}
