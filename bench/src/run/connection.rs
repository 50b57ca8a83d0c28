//! A raw keep-alive connection: bytes out, one whole answer in, within a time.

use super::wire::{Seen, parse};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer of a run is far below this.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A connection with one request under way at most.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    TimedOut,
    Broken,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, answer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for its answer. After an error the connection is of no use.
    pub(crate) async fn ask(&mut self, request: &[u8], within: Duration) -> Result<Seen<'_>, Lost> {
        match tokio::time::timeout(within, self.exchange(request)).await {
            Err(_) => return Err(Lost::TimedOut),
            Ok(Err(_)) => return Err(Lost::Broken),
            Ok(Ok(())) => {}
        }
        parse(&self.answer).ok().flatten().ok_or(Lost::Broken)
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<()> {
        self.answer.clear();
        self.socket.write_all(request).await?;
        loop {
            if self.socket.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match parse(&self.answer) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if self.answer.len() < ANSWER_BYTES_MAX => {}
                Ok(None) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}
