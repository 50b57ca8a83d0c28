//! A connection's bytes on their way to hyper and back.
//!
//! Owns the notes that the sweep of `listener` acts on: whether a head has begun, whether writing
//! stands still. Shows every byte read to `framing`. Reads through one buffer per IO thread, because
//! hyper's own can only be filled, not looked at, in safe code. Never interprets anything. Next:
//! `framing`.

use super::listener::{Peer, Stage};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As much as hyper asks for at first.
const READ_BYTES: usize = 8 * 1024;
/// An endless request line gets this answer before hyper gives it up as too many headers.
const URI_TOO_LONG: &[u8] =
    b"HTTP/1.1 414 URI Too Long\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

thread_local! {
    static BUFFER: RefCell<[u8; READ_BYTES]> = const { RefCell::new([0; READ_BYTES]) };
}

/// The socket, or what stands in for it, and the notes about it.
pub(super) struct Stream<S> {
    pub(super) socket: S,
    peer: Rc<Peer>,
    request_line_bytes_max: usize,
}

impl<S> Stream<S> {
    pub(super) fn new(socket: S, peer: Rc<Peer>, request_line_bytes_max: usize) -> Self {
        Self { socket, peer, request_line_bytes_max }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        BUFFER.with_borrow_mut(|buffer| {
            let room = into.remaining().min(buffer.len());
            let mut read = ReadBuf::new(buffer.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut this.socket).poll_read(context, &mut read))?;
            let bytes = read.filled();
            if bytes.is_empty() {
                this.peer.ended();
                return Poll::Ready(Ok(()));
            }
            if this.peer.stage() == Stage::Idle {
                this.peer.enter(Stage::Head);
            }
            if this.peer.saw(bytes) > this.request_line_bytes_max {
                // Nothing else was being written; if this does not fit, the client goes without.
                let _ = Pin::new(&mut this.socket).poll_write(context, URI_TOO_LONG);
                return Poll::Ready(Ok(()));
            }
            into.put_slice(bytes);
            Poll::Ready(Ok(()))
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.peer.writes(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
