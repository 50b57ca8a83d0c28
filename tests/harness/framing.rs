//! Messages whose beginning and end are in doubt: odd lengths and chunks, headers in several forms,
//! requests inside of requests, requests that are cut.
//!
//! Owns which of them may be taken for the request that they hold, as a whole, and which never may.
//! Never sends anything. Next: `hostile`.

use doorbuster_test_support::client::Ask;
use doorbuster_test_support::random::Random;

/// Bytes for one connection.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    /// The server may take it for the request that it was made of, or refuse it; otherwise nothing
    /// of it is ever done.
    pub(crate) may_be_done: bool,
}

/// An order that nobody asks for: if it is done, the journal has what no client noted.
fn planted(random: &mut Random) -> String {
    let body = r#"{"user":"smuggled","lines":[{"sku":"A","qty":1}]}"#;
    format!(
        "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer east\r\n\
         Content-Type: application/json\r\nIdempotency-Key: smuggled{}\r\nContent-Length: {}\r\n\
         \r\n{body}",
        random.below(1_000_000),
        body.len(),
    )
}

/// The head without its empty line and without a length, and the body.
fn parts(ask: &Ask) -> (String, String) {
    let body = ask.body.clone().unwrap_or_default();
    let bare = Ask { body: None, ..ask.clone() };
    let mut head = String::from_utf8(bare.bytes()).expect("a head is text");
    head.truncate(head.len() - 2);
    (head, body)
}

/// The request, cut before its last byte.
pub(crate) fn cut(random: &mut Random, ask: &Ask) -> Message {
    let mut bytes = ask.bytes();
    // Nearly whole ones are the most dangerous.
    let most = bytes.len() - 1;
    let length =
        if random.percent(40) { most - random.place(most.min(4)) } else { random.place(most) };
    bytes.truncate(length);
    Message { bytes, may_be_done: false }
}

/// The request in some form that it should not have.
pub(crate) fn odd(random: &mut Random, ask: &Ask) -> Message {
    let message = |text: String, may_be_done| Message { bytes: text.into_bytes(), may_be_done };
    let (head, body) = parts(ask);
    let length = body.len();
    match random.below(10) {
        0 | 1 => chunked(random, &head, &body),
        2 => {
            let (value, may_be_done) = odd_length(random, length);
            message(format!("{head}Content-Length: {value}\r\n\r\n{body}"), may_be_done)
        }
        3 => {
            let second = if random.percent(50) { length } else { length / 2 };
            let lengths = format!("Content-Length: {length}\r\nContent-Length: {second}\r\n");
            message(format!("{head}{lengths}\r\n{body}"), second == length)
        }
        4 => both_framings(random, &head),
        5 => {
            let inner = planted(random);
            message(format!("{head}Content-Length: {}\r\n\r\n{inner}", inner.len()), false)
        }
        6 => odd_head(random, &head, &body),
        7 => message(format!("{head}{}Content-Length: {length}\r\n\r\n{body}", many(random)), true),
        8 => {
            let target = format!("{} http://localhost{} HTTP/1.1", ask.method, ask.path);
            let (_, rest) = head.split_once("\r\n").expect("a head has lines");
            message(format!("{target}\r\n{rest}Content-Length: {length}\r\n\r\n{body}"), true)
        }
        _ => noise(random),
    }
}

/// Bytes that are no request.
fn noise(random: &mut Random) -> Message {
    let mut bytes: Vec<u8> = match random.below(5) {
        0 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        1 => vec![0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3],
        2 => b"GET /v1/skus\r\n".to_vec(),
        3 => b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n".to_vec(),
        _ => Vec::new(),
    };
    bytes.extend((0..random.below(300)).map(|_| random.below(256) as u8));
    Message { bytes, may_be_done: false }
}

/// Many headers, or one long one.
fn many(random: &mut Random) -> String {
    match random.percent(50) {
        true => "X-Many: 1\r\n".repeat(random.between(50, 200) as usize),
        false => format!("X-Long: {}\r\n", "x".repeat(random.between(1_000, 70_000) as usize)),
    }
}

/// A body in chunks: well, or broken in a way that leaves it without an end.
fn chunked(random: &mut Random, head: &str, body: &str) -> Message {
    let mut bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    let broken_at = random.percent(60).then(|| random.below(3));
    let mut rest = body.as_bytes();
    let mut number = 0;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(random.between(1, rest.len() as u64) as usize);
        let size = chunk.len();
        let size = match random.below(9) {
            _ if broken_at != Some(number) => match random.below(4) {
                0 => format!("{size:X}"),
                1 => format!("000{size:x}"),
                2 => format!("{size:x};name=value"),
                _ => format!("{size:x}"),
            },
            0 => format!("-{size:x}"),
            1 => format!("0x{size:x}"),
            2 => "FFFFFFFFFFFFFFFFF".to_owned(),
            3 => format!("{:x}", size + 1),
            4 => format!("+{size:x}"),
            5 => String::new(),
            6 => format!("{size:x} {size:x}"),
            7 => "8000000000000000".to_owned(),
            _ => "g".to_owned(),
        };
        bytes.extend_from_slice(format!("{size}\r\n").as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        rest = behind;
        number += 1;
    }
    let is_broken = broken_at.is_some_and(|at| at < number);
    bytes.extend_from_slice(b"0\r\n\r\n");
    Message { bytes, may_be_done: !is_broken }
}

/// A length as it should not be written. What says another length leaves no whole body: it is
/// either cut or waited for.
fn odd_length(random: &mut Random, length: usize) -> (String, bool) {
    match random.below(10) {
        0 => (format!("+{length}"), true),
        1 => (format!("00{length}"), true),
        2 => (format!("{length}, {length}"), true),
        3 => (format!("{length};"), true),
        4 => (format!("0x{length:x}"), false),
        5 => (format!("{}", length + random.between(1, 20) as usize), false),
        6 if length > 1 => (format!("{}", random.between(1, length as u64 - 1)), false),
        7 => ("18446744073709551616".to_owned(), false),
        8 => ("-1".to_owned(), false),
        _ => ("9223372036854775807".to_owned(), false),
    }
}

/// Chunks and a length at once, around an order that nobody asks for. The outer body ends early by
/// one of both and then means nothing.
fn both_framings(random: &mut Random, head: &str) -> Message {
    let encodings = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
    ];
    let encoding = encodings[random.place(encodings.len())];
    let body = format!("0\r\n\r\n{}", planted(random));
    let length = if random.percent(50) { body.len() } else { 5 };
    let text = format!("{head}Content-Length: {length}\r\n{encoding}\r\n\r\n{body}");
    Message { bytes: text.into_bytes(), may_be_done: false }
}

/// A head that says what it says in a form that it should not have.
fn odd_head(random: &mut Random, head: &str, body: &str) -> Message {
    let (start, rest) = head.split_once("\r\n").expect("a head has lines");
    let more = [
        "Host: localhost\r\n",
        "Host: evil.example\r\n",
        "X-Fold: a\r\n b\r\n",
        "X-Null: a\0b\r\n",
        "X Space: 1\r\n",
        "X-Colon : 1\r\n",
        ": 1\r\n",
        "X-Return: a\rb\r\n",
        "NoColon\r\n",
        "Expect: 100-continue\r\n",
        "Expect: 200-ok\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "Connection: close\r\n",
        "Connection: Content-Length\r\n",
        "X-Line: 1\n",
        "Content-Encoding: identity\r\n",
        "Origin: http://evil.example\r\n",
        "X-HTTP-Method-Override: DELETE\r\n",
    ];
    let versions =
        ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 "];
    let version = versions[random.place(versions.len())];
    let start = start.strip_suffix("HTTP/1.1").expect("its version").to_owned() + version;
    let more = more[random.place(more.len())];
    let text = format!("{start}\r\n{more}{rest}Content-Length: {}\r\n\r\n{body}", body.len());
    Message { bytes: text.into_bytes(), may_be_done: true }
}
