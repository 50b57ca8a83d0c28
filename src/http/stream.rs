//! A connection's bytes on their way to hyper and back.
//!
//! Owns the notes that the sweep of `listener` acts on: whether a head has begun, whether writing
//! stands still. Shows every byte read to `framing` and hands on what gets through; behind a fault
//! hyper sees the end. Reads through one buffer per IO thread, because hyper's own can only be
//! filled, not looked at, in safe code. Never interprets anything. Next: `framing`.

use super::peer::{Peer, Stage};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As much as hyper asks for at first.
const READ_BYTES: usize = 8 * 1024;
/// What follows on a request line that was cut. hyper takes it for a request of its own, so that its
/// 414 comes in its turn, behind the answers to the requests before it.
const REST_OF_LINE: &[u8] = b" HTTP/1.1\r\n\r\n";

thread_local! {
    static BUFFER: RefCell<[u8; READ_BYTES]> = const { RefCell::new([0; READ_BYTES]) };
}

/// The socket, or what stands in for it, and the notes about it.
pub(super) struct Stream<S> {
    pub(super) socket: S,
    peer: Rc<Peer>,
    /// What is left to hand on in place of a request line's rest.
    rest_of_line: &'static [u8],
}

impl<S> Stream<S> {
    pub(super) fn new(socket: S, peer: Rc<Peer>) -> Self {
        Self { socket, peer, rest_of_line: REST_OF_LINE }
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
            // What comes behind a fault is left to the socket: to hyper it is the end.
            while this.peer.is_read() {
                let mut read = ReadBuf::new(buffer.get_mut(..room).unwrap_or_default());
                ready!(Pin::new(&mut this.socket).poll_read(context, &mut read))?;
                let bytes = read.filled_mut();
                if bytes.is_empty() {
                    this.peer.ended();
                    return Poll::Ready(Ok(()));
                }
                if this.peer.stage() == Stage::Idle {
                    this.peer.begins_head(bytes);
                    if !this.peer.is_read() {
                        break;
                    }
                }
                let passed = this.peer.saw(bytes);
                let passed = bytes.get(..passed).unwrap_or_default();
                if !passed.is_empty() {
                    into.put_slice(passed);
                    return Poll::Ready(Ok(()));
                }
            }
            if this.peer.has_cut_line() {
                let (now, later) = this.rest_of_line.split_at(this.rest_of_line.len().min(room));
                into.put_slice(now);
                this.rest_of_line = later;
            }
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
        // Under TLS what was written may still be on its way to the socket.
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        self.peer.writes(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer.is_unasked() {
            // It is still to hear why (`introduction`).
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
