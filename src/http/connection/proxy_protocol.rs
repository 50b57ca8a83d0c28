//! The PROXY protocol, versions 1 and 2: what a proxy that passes bytes on writes in front of them,
//! to say whose they are.
//!
//! Owns the syntax of that header and its bounds (the specification is HAProxy's
//! `proxy-protocol.txt`), and that no byte after it is read. Never guesses whether there is one:
//! who must send it, and who must not, is the operator's word (`admission`). Never decides who may
//! come. Next: `introduction`.

use memchr::memchr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How version 1 begins: a line of text.
const TEXT: &[u8] = b"PROXY ";
/// What may follow that, to tell it from a method of HTTP.
const PROTOCOLS: [&[u8]; 3] = [b"TCP4 ", b"TCP6 ", b"UNKNOWN"];
/// The longest line, its end included (2.1 of the specification).
const TEXT_BYTES_MAX: usize = 107;
/// How version 2 begins (2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, the kind of addresses, and how long the rest is.
const BINARY_HEAD_BYTES: usize = 16;
/// A header of version 2 at most. What proxies add behind the addresses takes some hundred bytes, a
/// client certificate's name included; the field for the length would allow 64 KiB.
const BINARY_BYTES_MAX: usize = 4096;
/// No header is shorter than `PROXY UNKNOWN` with the end of its line, so this many bytes of one
/// can be read without looking for its end.
const BYTES_MIN: usize = 15;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Source {
    /// The proxy's own, to see whether the server lives; or it names no address.
    Proxy,
    /// A client's.
    Client(IpAddr),
}

/// What the bytes so far come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Step {
    /// So many more bytes belong to the header, at least.
    Needs(usize),
    /// The header is whole.
    Done(Source),
    /// A header that is not taken, and why.
    Bad(&'static str),
}

/// Why there is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Unread {
    /// The peer closed the connection before it said anything.
    Silent,
    /// What it said is none.
    Bad(&'static str),
}

/// These first bytes of a connection begin a header.
pub(in crate::http) fn begins(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(TEXT);
    let named = |rest: &[u8]| PROTOCOLS.iter().any(|protocol| rest.starts_with(protocol));
    bytes.starts_with(SIGNATURE) || text.is_some_and(named)
}

/// Reads a header to its end, and nothing after it.
pub(in crate::http) async fn read<S: AsyncRead + Unpin>(socket: &mut S) -> Result<Source, Unread> {
    let mut header = Vec::with_capacity(TEXT_BYTES_MAX);
    loop {
        let needs = match step(&header) {
            Step::Needs(needs) => needs,
            Step::Done(source) => return Ok(source),
            Step::Bad(why) => return Err(Unread::Bad(why)),
        };
        match (&mut *socket).take(needs as u64).read_buf(&mut header).await {
            Ok(1..) => {}
            Ok(0) if header.is_empty() => return Err(Unread::Silent),
            Ok(0) => return Err(Unread::Bad("the header ends in the middle")),
            Err(_) => return Err(Unread::Silent),
        }
    }
}

/// What these bytes come to, which are the first of a connection.
pub(in crate::http) fn step(header: &[u8]) -> Step {
    let begins = |how: &[u8]| header.iter().zip(how).all(|(byte, expected)| byte == expected);
    match (begins(TEXT), begins(SIGNATURE)) {
        (false, false) => Step::Bad("the connection does not begin with a header"),
        (true, false) => text(header),
        _ if header.len() < BYTES_MIN => Step::Needs(BYTES_MIN - header.len()),
        _ => binary(header),
    }
}

fn text(header: &[u8]) -> Step {
    match memchr(b'\n', header) {
        // After the shortest header it is read byte by byte, so nothing follows the end.
        Some(end) if end + 1 == header.len() && header.len() >= BYTES_MIN => {
            line(header).map_or(Step::Bad("the line is not one of version 1"), Step::Done)
        }
        Some(_) => Step::Bad("the line is not one of version 1"),
        None if header.len() < BYTES_MIN => Step::Needs(BYTES_MIN - header.len()),
        None if header.len() < TEXT_BYTES_MAX => Step::Needs(1),
        None => Step::Bad("the line of version 1 is longer than 107 bytes"),
    }
}

/// Whose connection a line of version 1 says it is.
fn line(line: &[u8]) -> Option<Source> {
    let words = line.strip_prefix(TEXT)?.strip_suffix(b"\r\n")?;
    if let Some(rest) = words.strip_prefix(b"UNKNOWN") {
        // Whatever follows is to be ignored.
        return (rest.is_empty() || rest.starts_with(b" ")).then_some(Source::Proxy);
    }
    let mut words = str::from_utf8(words).ok()?.split(' ');
    let source = match words.next()? {
        "TCP4" => IpAddr::V4(two_addresses::<Ipv4Addr>(&mut words)?),
        "TCP6" => IpAddr::V6(two_addresses::<Ipv6Addr>(&mut words)?),
        _ => return None,
    };
    let ports = is_port(words.next()?) && is_port(words.next()?);
    (ports && words.next().is_none()).then_some(Source::Client(source.to_canonical()))
}

/// The first of two addresses of the same kind: where the connection comes from.
fn two_addresses<'w, A: FromStr>(words: &mut impl Iterator<Item = &'w str>) -> Option<A> {
    let source = words.next()?.parse().ok()?;
    words.next()?.parse::<A>().ok()?;
    Some(source)
}

/// An integer up to 65,535 without zeros in front of it.
fn is_port(word: &str) -> bool {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    plain && (word == "0" || !word.starts_with('0')) && word.parse::<u16>().is_ok()
}

fn binary(header: &[u8]) -> Step {
    let Some((head, rest)) = header.split_first_chunk::<BINARY_HEAD_BYTES>() else {
        return Step::Needs(BINARY_HEAD_BYTES.saturating_sub(header.len()).max(1));
    };
    let [.., command, kind, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if BINARY_HEAD_BYTES + length > BINARY_BYTES_MAX {
        return Step::Bad("the header of version 2 is longer than 4,096 bytes");
    }
    // Of what cannot be good no more is waited for.
    let addresses_bytes = match (command, kind) {
        // The proxy's own connection, whatever else stands there.
        (0x20, _) => 0,
        // No address to be had: an unknown protocol, a local socket.
        (0x21, 0x00) => 0,
        (0x21, 0x31) => 216,
        (0x21, 0x11) => 12,
        (0x21, 0x21) => 36,
        (0x21, 0x12 | 0x22 | 0x32) => return Step::Bad("the header is one of datagrams"),
        (0x21, _) => return Step::Bad("the header names an unknown kind of addresses"),
        _ => return Step::Bad("the header is of an unknown version or command"),
    };
    if length < addresses_bytes {
        return Step::Bad("the header is shorter than its addresses");
    }
    if rest.len() < length {
        return Step::Needs(length - rest.len());
    }
    // What follows the addresses says nothing to us.
    match (command, kind) {
        (0x21, 0x11) => rest.first_chunk::<4>().map_or(Source::Proxy, |octets| client(*octets)),
        (0x21, 0x21) => rest.first_chunk::<16>().map_or(Source::Proxy, |octets| client(*octets)),
        _ => Source::Proxy,
    }
    .into()
}

fn client(octets: impl Into<IpAddr>) -> Source {
    Source::Client(octets.into().to_canonical())
}

impl From<Source> for Step {
    fn from(source: Source) -> Self {
        Self::Done(source)
    }
}

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
