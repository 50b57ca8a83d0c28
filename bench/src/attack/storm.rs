//! Requests without a pause, as a principal or a stranger sends them who does not care what is
//! answered.
//!
//! Owns the thread and its connections, and counts the answers by status and problem code. A round
//! is a batch, or requests that are sent ahead of their answers; where a connection ends the next
//! one takes its place. They come from an address of their own. Next: `silent`, for those that send
//! nothing.

use super::shop::Token;
use crate::error::{BenchError, io_error};
use crate::load;
use crate::tables::flood;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_local;

/// Where attackers come from; the honest come from another address.
const ATTACKERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Before a connection is made in place of one that ended.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What one connection sends before it reads.
pub(super) enum Round {
    /// Lines of a batch.
    Batch { token: Token, lines: String },
    /// So many requests, one after the other.
    Ahead { bytes: Vec<u8>, answers: usize },
}

/// What was answered so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// By the status and, of a refusal, the code: `201`, `503 capacity`.
    counts: BTreeMap<String, u64>,
    /// Rounds whose connection ended before the last answer.
    pub(super) broken: u64,
    /// The latest `expires_at` of all; it sorts as it is written.
    pub(super) expires_at: String,
}

impl Told {
    /// Answers in all.
    pub(super) fn all(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Those that begin so.
    pub(super) fn count(&self, what: &str) -> u64 {
        let matching = self.counts.iter().filter(|(own, _)| own.starts_with(what));
        matching.map(|(_, count)| count).sum()
    }

    fn add(&mut self, status: &str, body: &str) {
        let code = if status.starts_with('2') { None } else { member(body, "code") };
        let what = code.map_or_else(|| status.to_owned(), |code| format!("{status} {code}"));
        *self.counts.entry(what).or_default() += 1;
        if let Some(expires_at) = member(body, "expires_at").filter(|at| *at > &*self.expires_at) {
            expires_at.clone_into(&mut self.expires_at);
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.counts.iter().map(|(what, count)| format!("{count} x {what}"));
        let broken = (self.broken > 0).then(|| format!("{} connections ended", self.broken));
        f.write_str(&counts.chain(broken).collect::<Vec<_>>().join(", "))
    }
}

/// A text of an object that the server wrote, of which nothing is escaped.
pub(super) fn member<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let begins = format!("\"{name}\":\"");
    let (_, rest) = body.split_once(&begins)?;
    rest.split_once('"').map(|(value, _)| value)
}

/// A connection from where attackers come from.
pub(super) async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((ATTACKERS, 0).into())?;
    let socket = socket.connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Rounds under way.
pub(super) struct Storm {
    stop: Arc<AtomicBool>,
    told: Arc<Mutex<Told>>,
    thread: Option<JoinHandle<Result<(), BenchError>>>,
}

/// What all connections have in common.
#[derive(Clone)]
struct Shared {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    number: Arc<AtomicU64>,
    told: Arc<Mutex<Told>>,
    make: Arc<dyn Fn(u64) -> Option<Round> + Send + Sync>,
}

impl Storm {
    /// Sends the rounds 0, 1, 2 … over some connections, until it is stopped or none is made any
    /// more.
    pub(super) fn begin(
        address: SocketAddr,
        connections: u32,
        make: impl Fn(u64) -> Option<Round> + Send + Sync + 'static,
    ) -> Self {
        let (stop, told): (Arc<AtomicBool>, Arc<Mutex<Told>>) = Default::default();
        let shared = Shared {
            address,
            stop: stop.clone(),
            number: Arc::default(),
            told: told.clone(),
            make: Arc::new(make),
        };
        let thread = thread::spawn(move || {
            load::with_event_loop(Duration::MAX, async {
                let begin = |_| spawn_local(shared.clone().send());
                let connections: Vec<_> = (0..connections).map(begin).collect();
                for connection in connections {
                    connection.await.expect("an attacker's task does not panic");
                }
                Ok(())
            })
        });
        Self { stop, told, thread: Some(thread) }
    }

    /// What was answered so far.
    pub(super) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No round begins any more; what was answered to all.
    pub(super) fn stop(mut self) -> Result<Told, BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        self.wait()
    }

    /// Waits until all rounds were sent, which must be bounded.
    pub(super) fn wait(&mut self) -> Result<Told, BenchError> {
        let thread = self.thread.take().map(JoinHandle::join);
        thread.map_or(Ok(()), |ended| ended.expect("the attackers' thread does not panic"))?;
        Ok(self.told())
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Where a measurement failed, its error counts and not this one's.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// One connection after the other, until no round is left.
    async fn send(self) {
        let mut socket = None;
        while !self.stop.load(Ordering::Relaxed) {
            let Some(round) = (self.make)(self.number.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            if self.send_round(&mut socket, &round).await.is_err() {
                socket = None;
                self.told.lock().unwrap_or_else(PoisonError::into_inner).broken += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    async fn send_round(
        &self,
        kept: &mut Option<TcpStream>,
        round: &Round,
    ) -> Result<(), BenchError> {
        if kept.is_none() {
            *kept = Some(connect(self.address).await.map_err(io_error("connect"))?);
        }
        let socket = kept.as_mut().expect("it was just made");
        match round {
            Round::Batch { token, lines } => {
                let answer = flood::batch(socket, &token.line(), lines).await?;
                let body = flood::dechunked(&answer);
                let body = String::from_utf8_lossy(&body);
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                for line in body.lines() {
                    let status = line.strip_prefix("{\"status\":").and_then(|rest| rest.get(..3));
                    told.add(status.unwrap_or("no answer"), line);
                }
            }
            Round::Ahead { bytes, answers } => {
                let failed = io_error("exchange requests");
                self.exchange(socket, bytes, *answers).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Sends and reads at once: a server that waits for its answers to be taken reads no further.
    async fn exchange(
        &self,
        socket: &mut TcpStream,
        bytes: &[u8],
        answers: usize,
    ) -> std::io::Result<()> {
        let (mut reader, mut writer) = socket.split();
        let read = async {
            let (mut buffer, mut left) = (Vec::with_capacity(16 * 1024), answers);
            while left > 0 {
                if reader.read_buf(&mut buffer).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                while let Some(length) = answer_bytes(&buffer) {
                    let answer = String::from_utf8_lossy(&buffer[..length]);
                    let status = answer.get(9..12).unwrap_or("no answer");
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.add(status, &answer);
                    drop(told);
                    buffer.drain(..length);
                    left = left.saturating_sub(1);
                }
            }
            Ok(())
        };
        // An answer to the head may come, and the connection end, before all is sent.
        let (_, read) = tokio::join!(writer.write_all(bytes), read);
        read
    }
}

/// How long the first answer is, if it is there to its last byte.
fn answer_bytes(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head + length?;
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_status_and_code() {
        let mut told = Told::default();
        told.add(
            "201",
            r#"{"status":201,"body":{"id":"1-2","expires_at":"2026-01-02T00:00:00Z"}}"#,
        );
        told.add(
            "201",
            r#"{"status":201,"body":{"id":"1-1","expires_at":"2026-01-01T00:00:00Z"}}"#,
        );
        told.add("503", r#"{"status":503,"body":{"code":"capacity"}}"#);
        assert_eq!((told.count("201"), told.count("503"), told.all()), (2, 1, 3));
        assert_eq!((told.count("503 capacity"), told.count("503 overloaded")), (1, 0));
        assert_eq!(told.expires_at, "2026-01-02T00:00:00Z");
        assert_eq!(told.to_string(), "2 x 201, 1 x 503 capacity");
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let one = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..one.len() {
            assert_eq!(answer_bytes(&one[..end]), None, "{end}");
        }
        assert_eq!(answer_bytes(&one.repeat(2)), Some(one.len()));
    }
}
