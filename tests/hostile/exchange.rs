//! Bytes out, and everything that comes back until the server ends the connection.
//!
//! Sends nothing more behind its bytes, so that the server ends too, and no clock is needed. Judges
//! nothing. Next: `main`.

use crate::corpus::Expected;
use doorbuster_test_support::client::socket;
use serde_json::Value;
use std::fmt;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// It says that the connection ends.
    pub(crate) closes: bool,
    /// Its body came bit by bit.
    pub(crate) streams: bool,
    is_problem: bool,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn is(&self, expected: &Expected) -> bool {
        let code = self.is_problem.then(|| self.json()["code"].clone());
        let code = code.as_ref().and_then(Value::as_str);
        self.status == expected.status && code == expected.code.as_deref()
    }

    /// The body, or null if it is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// All that came back.
pub(crate) struct Heard {
    pub(crate) answers: Vec<Answer>,
    /// It ends in the middle of an answer, or is none.
    broken: bool,
}

impl Heard {
    /// New orders and SKUs.
    pub(crate) fn created(&self) -> u64 {
        self.answers.iter().filter(|answer| answer.status == 201).count() as u64
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Answer { status, closes, body, .. } in &self.answers {
            let body: String = String::from_utf8_lossy(body).chars().take(200).collect();
            write!(f, "{status} closes={closes} {body}; ")?;
        }
        f.write_str(if self.broken { "and then something broken" } else { "and the end" })
    }
}

/// Sends `bytes`, `piece_bytes` at a time, and hears the server out. The answer to a HEAD has no
/// body.
pub(crate) fn exchange(
    address: SocketAddr,
    bytes: &[u8],
    piece_bytes: usize,
    to_head: bool,
) -> Heard {
    let mut reader = socket(address).expect("the server takes a connection");
    let mut writer = reader.try_clone().expect("a second handle");
    let mut heard = Vec::new();
    thread::scope(|scope| {
        // The server may answer, and stop reading, long before the last byte.
        scope.spawn(move || {
            for piece in bytes.chunks(piece_bytes) {
                if writer.write_all(piece).is_err() {
                    return;
                }
            }
            let _ = writer.shutdown(Shutdown::Write);
        });
        // A connection that is reset has been heard out as well.
        let _ = reader.read_to_end(&mut heard);
    });
    parsed(&heard, to_head)
}

fn parsed(mut rest: &[u8], to_head: bool) -> Heard {
    let mut answers = Vec::new();
    while !rest.is_empty() {
        match answer(rest, to_head && answers.is_empty()) {
            // Leave to go on is no answer.
            Some((answer, behind)) if answer.status < 200 => rest = behind,
            Some((answer, behind)) => {
                answers.push(answer);
                rest = behind;
            }
            None => return Heard { answers, broken: true },
        }
    }
    Heard { answers, broken: false }
}

fn answer(bytes: &[u8], to_head: bool) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut behind = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let headers: Vec<(String, &str)> = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value)))
        .collect::<Option<_>>()?;
    let header = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
    let streams = header("transfer-encoding") == Some("chunked");
    let mut body = Vec::new();
    if streams && !to_head {
        loop {
            let line = behind.windows(2).position(|two| two == b"\r\n")?;
            let size = std::str::from_utf8(&behind[..line]).ok()?;
            let size = usize::from_str_radix(size, 16).ok()?;
            let chunk = behind.get(line + 2..line + 2 + size)?;
            body.extend_from_slice(chunk);
            behind = behind.get(line + 2 + size + 2..)?;
            if size == 0 {
                break;
            }
        }
    } else if !to_head && status >= 200 && status != 204 {
        let length = header("content-length").map_or(Some(0), |length| length.parse().ok())?;
        (body, behind) = (behind.get(..length)?.to_vec(), &behind[length..]);
    }
    let closes = header("connection") == Some("close");
    let is_problem = header("content-type") == Some("application/problem+json") && !to_head;
    Some((Answer { status, closes, streams, is_problem, body }, behind))
}
