//! The body of a response: whole, or bit by bit.
//!
//! Owns that a connection counts as serving until a stream has ended, and that a long body goes out
//! in turns: others have theirs between two pieces, and of what a client does not read little is
//! copied for it. Never makes bytes. Next: `batch`.

use crate::http::connection::connection_state::ConnectionState;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A longer body goes out in pieces of so many bytes, as many as hyper keeps for a connection with
/// the default limits. Two at a turn: hyper looks for more once before it lets others have theirs.
const PIECE_BYTES: usize = 16 * 1024;

/// What hyper sends.
pub(in crate::http) enum Payload {
    Whole(Whole),
    Stream(Stream),
}

/// A body that is there.
pub(in crate::http) struct Whole {
    rest: Bytes,
    /// A piece has gone; others may come before the next.
    pauses: bool,
}

impl Whole {
    pub(in crate::http) const fn new(bytes: Bytes) -> Self {
        Self { rest: bytes, pauses: false }
    }

    fn poll_piece(&mut self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        if std::mem::take(&mut self.pauses) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.len() > PIECE_BYTES {
            self.pauses = true;
            return Poll::Ready(Some(self.rest.split_to(PIECE_BYTES)));
        }
        let last = std::mem::take(&mut self.rest);
        Poll::Ready((!last.is_empty()).then_some(last))
    }
}

/// A body that comes bit by bit.
pub(in crate::http) struct Stream {
    peer: Rc<ConnectionState>,
    pieces: Box<dyn Pieces>,
}

/// Where the bytes of a stream come from.
pub(in crate::http) trait Pieces: 'static {
    /// The next bytes; none after the last.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

impl Stream {
    pub(in crate::http) fn new(peer: Rc<ConnectionState>, pieces: impl Pieces) -> Self {
        peer.set_streams(true);
        Self { peer, pieces: Box::new(pieces) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.peer.set_streams(false);
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
            Self::Whole(whole) => whole.poll_piece(context),
            Self::Stream(stream) => stream.pieces.poll_piece(context),
        }
        .map(|piece| piece.map(Frame::data).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.rest.is_empty(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => SizeHint::with_exact(whole.rest.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The pieces that a body of so many bytes goes out in, and how often it calls for its next
    /// turn.
    fn pieces(length: usize) -> (Vec<usize>, usize) {
        let text: Bytes = (0..=u8::MAX).cycle().take(length).collect();
        let mut payload = Payload::Whole(Whole::new(text.clone()));
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(calls.clone());
        let (mut pieces, mut sent) = (Vec::new(), Vec::new());
        loop {
            assert_eq!(payload.size_hint().exact(), Some((length - sent.len()) as u64));
            assert_eq!(payload.is_end_stream(), sent.len() == length);
            match Pin::new(&mut payload).poll_frame(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(frame)) => {
                    let piece = frame.unwrap().into_data().unwrap();
                    pieces.push(piece.len());
                    sent.extend_from_slice(&piece);
                }
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
        }
        assert_eq!(sent, text);
        (pieces, calls.0.load(Ordering::Relaxed))
    }

    #[test]
    fn a_long_body_lets_others_have_their_turn_and_arrives_whole() {
        const P: usize = PIECE_BYTES;
        assert_eq!(pieces(0), (vec![], 0));
        assert_eq!(pieces(1), (vec![1], 0));
        assert_eq!(pieces(P), (vec![P], 0));
        assert_eq!(pieces(P + 1), (vec![P, 1], 1));
        assert_eq!(pieces(3 * P), (vec![P, P, P], 2));
    }
}
