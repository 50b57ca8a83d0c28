//! A connection's bytes on their way to hyper and back.
//!
//! Owns the notes that the sweep of `listener` acts on: whether a head has begun, whether writing
//! stands still. Shows every byte read to `framing` and hands on what gets through; after a fault
//! hyper sees the end. Reads through one buffer per IO thread, because hyper's own can only be
//! filled, not looked at, in safe code. Has a last look at the socket before a connection is closed
//! that has nothing to do, so that no request is lost that is there already. Never interprets
//! anything. Next: `framing`.

use super::connection_state::{ConnectionState, Stage};
use hyper::rt::{Read, ReadBufCursor, Write};
use socket2::SockRef;
use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// As much as hyper asks for at first.
const READ_BYTES: usize = 8 * 1024;
thread_local! {
    static BUFFER: RefCell<[u8; READ_BYTES]> = const { RefCell::new([0; READ_BYTES]) };
}

/// The socket, or what stands in for it, and the notes about it.
pub(in crate::http) struct Stream<S> {
    pub(in crate::http) socket: S,
    peer: Rc<ConnectionState>,
    /// Whether bytes have come that were not read.
    has_unread: fn(&S) -> bool,
    /// So many bytes of what stands in for a faulty head were handed on.
    stood_in: usize,
}

impl<S> Stream<S> {
    pub(in crate::http) fn new(
        socket: S,
        peer: Rc<ConnectionState>,
        has_unread: fn(&S) -> bool,
    ) -> Self {
        Self { socket, peer, has_unread, stood_in: 0 }
    }
}

/// Whether bytes, or an end, have come that were not read. Asks the kernel: the event loop hears
/// of them only when it looks again.
pub(in crate::http) fn has_unread(socket: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let peeked = SockRef::from(socket).peek(&mut byte);
    !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
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
            // What comes after a fault is left to the socket: to hyper it is the end.
            while this.peer.is_read() {
                let mut read = ReadBuf::new(buffer.get_mut(..room).unwrap_or_default());
                let Poll::Ready(done) = Pin::new(&mut this.socket).poll_read(context, &mut read)
                else {
                    this.peer.saw_nothing(|| (this.has_unread)(&this.socket));
                    return Poll::Pending;
                };
                done?;
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
            let left = this.peer.stand_in().get(this.stood_in..).unwrap_or_default();
            let now = left.get(..room).unwrap_or(left);
            into.put_slice(now);
            this.stood_in += now.len();
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
