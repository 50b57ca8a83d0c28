//! Lines in batches, one batch after the other on two connections, and what they are answered.
//!
//! Owns no opinion on the answers but their status. Next: `mod`.

use crate::error::{BenchError, io_error};
use crate::load;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LINES: u64 = 1_000;
const CONNECTIONS: usize = 2;

/// What lines were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// 200 or 201.
    pub(super) taken: u64,
    /// 503 `capacity`.
    pub(super) capacity: u64,
    /// Anything else.
    pub(super) other: u64,
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, capacity, other } = self;
        write!(f, "{taken} taken, {capacity} refused for want of room, {other} answered otherwise")
    }
}

/// A line that orders a unit under a key of its own.
pub(super) fn order(number: u64, user: &str) -> String {
    let sku = load::SKU;
    format!(
        r#"{{"op":"order","key":"k{number:09}","user":"{user}","lines":[{{"sku":"{sku}","qty":1}}]}}"#
    )
}

/// Sends the lines from 0 on.
pub(super) fn flood(
    address: SocketAddr,
    total: u64,
    line: impl Fn(u64) -> String + 'static,
) -> Result<Answered, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let (line, next) = (Rc::new(line), Rc::new(Cell::new(0)));
    let answered = Rc::new(RefCell::new(Answered::default()));
    let sending = answered.clone();
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let tasks: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let (line, next, answered) = (line.clone(), next.clone(), sending.clone());
                tokio::task::spawn_local(async move {
                    let socket = TcpStream::connect(address).await;
                    let mut socket = socket.map_err(io_error("connect"))?;
                    while next.get() < total {
                        let from = next.get();
                        let to = total.min(from + LINES);
                        next.set(to);
                        let lines: Vec<String> = (from..to).map(|number| line(number)).collect();
                        let told = batch(&mut socket, "", &lines.join("\n")).await?;
                        count(&told, &mut answered.borrow_mut());
                    }
                    Ok::<(), BenchError>(())
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a connection's task does not panic")?;
        }
        Ok::<(), BenchError>(())
    })?;
    let answered = *answered.borrow();
    Ok(answered)
}

/// Sends a batch and reads its whole answer; `common` are lines of the head, such as a token's.
pub(crate) async fn batch(
    socket: &mut TcpStream,
    common: &str,
    lines: &str,
) -> Result<Vec<u8>, BenchError> {
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\n{common}\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        lines.len()
    );
    let (mut reader, mut writer) = socket.split();
    let send = async {
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(lines.as_bytes()).await
    };
    let mut told = Vec::new();
    let read = async {
        while !told.ends_with(b"\r\n0\r\n\r\n") {
            told.reserve(256 * 1024);
            if reader.read_buf(&mut told).await? == 0 {
                break;
            }
        }
        Ok(())
    };
    let (sent, read) = tokio::join!(send, read);
    sent.and(read).map_err(io_error("exchange a batch"))?;
    if told.starts_with(b"HTTP/1.1 200 ") { Ok(told) } else { Err(load::unexpected(&told)) }
}

/// Where a line's answer is cut by a chunk's end, its beginning is still found: chunks end after a
/// line or far inside it.
fn count(told: &[u8], answered: &mut Answered) {
    const START: &[u8] = b"{\"status\":";
    let text = dechunked(told);
    for line in text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(START)) {
        let code = b"\"code\":\"capacity\"";
        let full = || line.windows(code.len()).any(|here| here == code);
        match line.get(START.len()..START.len() + 3) {
            Some(b"200" | b"201") => answered.taken += 1,
            Some(b"503") if full() => answered.capacity += 1,
            _ => answered.other += 1,
        }
    }
}

/// The body of an answer in chunks.
pub(crate) fn dechunked(told: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(told.len());
    let head = told.windows(4).position(|four| four == b"\r\n\r\n").map_or(told.len(), |at| at + 4);
    let mut rest = &told[head..];
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = str::from_utf8(&rest[..end]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(chunk) = size.and_then(|size| rest.get(end + 2..end + 2 + size)) else { break };
        if chunk.is_empty() {
            break;
        }
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + chunk.len()..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_their_status_wherever_chunks_end() {
        let told = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                     5\r\n{\"sta\r\n21\r\ntus\":201}\n{\"status\":409,\"code\":\"x\r\n\
                     26\r\n\"}\n{\"status\":503,\"code\":\"capacity\"}\n\r\n0\r\n\r\n";
        let mut answered = Answered::default();
        count(told, &mut answered);
        assert_eq!(answered, Answered { taken: 1, capacity: 1, other: 1 });
    }
}
