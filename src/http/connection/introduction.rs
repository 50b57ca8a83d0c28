//! The first bytes of a connection, where a proxy says in them whose it is.
//!
//! Owns the outcome of a connection whose header is missing or bad, and of one that begins with a
//! header which is not expected: each is refused with the reason, counted, and told to the operator
//! once a minute. One whose header does not come in time is closed, like any head that does not.
//! Never parses a header: that is `proxy_protocol`. Next: `listener`.

use super::connection_state::{CloseRequest, ConnectionState, Stage};
use super::linger::linger;
use super::proxy_protocol::{self, Source, Unread};
use crate::http::admission::Reason;
use crate::http::handlers::submit::Submit;
use crate::http::response::problem::Problem;
use crate::http::response::reply::Reply;
use crate::http::worker::Worker;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// A refusal is short; a client that does not take it within this does without.
const SAYING: Duration = Duration::from_millis(500);

/// Reads whose connection it is, which this peer must say. None where it does not in time, or the
/// connection is to end; then it was told why, if it can be.
pub(in crate::http) async fn hear<S, A>(
    socket: &mut S,
    worker: &Worker<A>,
    peer: &ConnectionState,
) -> Option<Source>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Submit,
{
    peer.enter(Stage::Introduction);
    let heard = {
        let mut reading = pin!(proxy_protocol::read(socket));
        poll_fn(|context| {
            peer.wake_with(context.waker());
            match peer.close_request() {
                CloseRequest::Now => Poll::Ready(Err(Unread::Silent)),
                _ => reading.as_mut().poll(context),
            }
        })
        .await
    };
    match heard {
        Ok(source) => Some(source),
        Err(Unread::Silent) => None,
        Err(Unread::Bad(why)) => {
            worker.count_refused(Reason::ProxyHeader);
            if worker.front.introductions.is_due(worker.now_ms()) {
                tracing::warn!(
                    peer = %peer.address,
                    why = %why,
                    "refused a connection that must begin with a PROXY protocol header \
                     (address.proxy_protocol = on)"
                );
            }
            // To a client of TLS it would be noise.
            if worker.front.handshakes.is_none() {
                say(socket, &format!("this server expects a PROXY protocol header here: {why}"))
                    .await;
            }
            linger(socket).await;
            None
        }
    }
}

/// Refuses a connection that begins with a header, from a peer that is not to send one.
pub(in crate::http) async fn refuse<S, A>(
    socket: &mut S,
    worker: &Worker<A>,
    peer: &ConnectionState,
) where
    S: AsyncWrite + Unpin,
    A: Submit,
{
    worker.count_refused(Reason::ProxyHeader);
    if worker.front.introductions.is_due(worker.now_ms()) {
        tracing::warn!(
            peer = %peer.address,
            "refused a connection that begins with a PROXY protocol header: they are taken from \
             address.trusted_proxies only, and with address.proxy_protocol = on"
        );
    }
    say(socket, "a PROXY protocol header is not taken from this address").await;
}

/// Says in HTTP why a connection ends whose first bytes are none.
async fn say<S: AsyncWrite + Unpin>(socket: &mut S, why: &str) {
    let Reply { body, .. } = Problem::malformed(why.to_owned()).closing().into();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n\
         Cache-Control: no-store\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), &body].concat();
    // A client that does not read it is closed all the same.
    let _ = tokio::time::timeout(SAYING, socket.write_all(&answer)).await;
}
