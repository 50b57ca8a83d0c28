//! `GET /v1/events`: pages of events, and streams of them that go on (API 5).
//!
//! Owns what a follower sees: beats while nothing happens, the end when the server drains, the
//! follower's token ends, its address is denied, or what it would read next is gone. Holds one
//! piece at most. Reads no file: it asks the feeder, which followers at the same place share. Next:
//! `feed`, `cloud_events` for the text.

use crate::http::response::json_writer::{self, Json};
use crate::http::response::payload::Pieces;
use crate::http::response::problem::{Code, Member, Problem, Refused};
use crate::http::response::reply::{Kind, Reply};
use crate::http::routes::events::Follow;
use crate::http::{Front, Phase};
use crate::shared::feed::{FeedReply, Form, Piece, Position};
use bytes::Bytes;
use hyper::StatusCode;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// A follower hears something at least this often (API 5).
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(in crate::http) async fn page(front: &Front, follow: Follow) -> Result<Reply, Refused> {
    let Piece { bytes, end, reach } = piece(front, follow.after, Form::List, follow.limit).await?;
    let mut json = Json::new();
    json.raw("{\"events\":[");
    json.rendered(&bytes);
    json.raw("],\"next_after\":\"");
    json.raw(&end.text(front.lives()));
    json.raw("\"");
    json_writer::end(&mut json, reach);
    Ok(Reply::json(StatusCode::OK, json))
}

/// A stream, if there is one from this place.
pub(in crate::http) async fn stream(
    front: &Arc<Front>,
    follow: Follow,
    may_follow: Box<dyn Fn() -> bool>,
) -> Result<(Reply, Follower), Refused> {
    let place = piece(front, follow.after, follow.form, 0).await?;
    let kind = if follow.form == Form::Lines { Kind::Lines } else { Kind::ServerEvents };
    let follower = Follower {
        front: front.clone(),
        may_follow,
        form: follow.form,
        after: place.end,
        next: None,
        heartbeat: None,
    };
    Ok((Reply::stream(kind), follower))
}

async fn piece(front: &Front, after: Position, form: Form, limit: usize) -> Result<Piece, Refused> {
    let busy = || Problem::new(Code::Overloaded, "too many ask for events");
    let given = front.feed.ask(after, form, Some(limit)).ok_or_else(busy)?.await;
    match given {
        Ok(FeedReply::Piece(piece)) => Ok(piece),
        Ok(FeedReply::Compacted { oldest }) => {
            let oldest = oldest.text(front.lives());
            let detail = format!("events up to {oldest} are no longer kept");
            Err(Problem::new(Code::Compacted, detail).with("oldest", Member::Text(oldest.into())))
        }
        Ok(FeedReply::Diverged) => Err(Problem::diverged()),
        Ok(FeedReply::Failed(why)) => Err(Problem::new(Code::Internal, why)),
        Err(_) => Err(Problem::new(Code::Draining, "the server takes no new requests")),
    }
}

/// The body of a stream.
pub(in crate::http) struct Follower {
    front: Arc<Front>,
    /// The follower's token is still good, and its address not denied.
    may_follow: Box<dyn Fn() -> bool>,
    form: Form,
    after: Position,
    next: Option<oneshot::Receiver<FeedReply>>,
    /// Runs while nothing happens.
    heartbeat: Option<Pin<Box<Sleep>>>,
}

impl Follower {
    /// The next piece that holds anything; none where there will be no more.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let next = match &mut self.next {
                Some(next) => next,
                None => match self.front.feed.ask(self.after, self.form, None) {
                    Some(next) => self.next.insert(next),
                    None => return Poll::Ready(None),
                },
            };
            let given = ready!(Pin::new(next).poll(context));
            self.next = None;
            let Ok(FeedReply::Piece(piece)) = given else { return Poll::Ready(None) };
            self.after = piece.end;
            if !piece.bytes.is_empty() {
                return Poll::Ready(Some(piece.bytes));
            }
        }
    }

    /// What says that nothing happens: a comment, or a blank line where there are none.
    fn heartbeat(&self) -> Bytes {
        Bytes::from_static(if self.form == Form::ServerEvents { b": \n\n" } else { b"\n" })
    }
}

impl Pieces for Follower {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.front.phase() == Phase::Draining || !(self.may_follow)() {
            return Poll::Ready(None);
        }
        let piece = match self.poll_next(context) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                let heartbeat =
                    self.heartbeat.get_or_insert_with(|| Box::pin(tokio::time::sleep(HEARTBEAT)));
                ready!(heartbeat.as_mut().poll(context));
                Some(self.heartbeat())
            }
        };
        self.heartbeat = None;
        Poll::Ready(piece)
    }
}
