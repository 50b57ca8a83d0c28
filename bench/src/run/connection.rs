//! A raw keep-alive connection, under TLS or not: bytes out, one whole answer in, within a time.

use super::wire::{Seen, parse};
use doorbuster::client::{Origin, Socket};
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
    socket: Socket,
    answer: Vec<u8>,
    /// Which of the run's servers it goes to.
    at: usize,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    TimedOut,
    Broken,
}

impl Connection {
    /// Connects to the address that was found for an origin, so that names are looked up once a
    /// run.
    pub(crate) async fn open(origin: &Origin, address: SocketAddr) -> io::Result<Self> {
        let socket = origin.over(TcpStream::connect(address).await?).await?;
        Ok(Self { socket, answer: Vec::with_capacity(4096), at: 0 })
    }

    /// The same, known as the one to this of several servers.
    pub(crate) fn to(self, at: usize) -> Self {
        Self { at, ..self }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
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
        self.socket.flush().await?;
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
