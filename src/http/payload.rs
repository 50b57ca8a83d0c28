//! The body of a response: whole, or bit by bit.
//!
//! Owns that a connection counts as serving until a stream has ended. Never makes bytes. Next:
//! `batch`.

use super::peer::Peer;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What hyper sends.
pub(super) enum Payload {
    Whole(Full<Bytes>),
    Stream(Stream),
}

/// A body that comes bit by bit.
pub(super) struct Stream {
    peer: Rc<Peer>,
    pieces: Box<dyn Pieces>,
}

/// Where the bytes of a stream come from.
pub(super) trait Pieces: 'static {
    /// The next bytes; none behind the last.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

impl Stream {
    pub(super) fn new(peer: Rc<Peer>, pieces: impl Pieces) -> Self {
        Self { peer, pieces: Box::new(pieces) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.peer.answered();
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Stream(stream) => {
                stream.pieces.poll_piece(context).map(|piece| piece.map(Frame::data).map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
