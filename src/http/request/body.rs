//! The body of a request, read within its limits of size and time, or passed by.
//!
//! Owns when a body is read at all, and what is said of one that is too long, too slow or broken.
//! Never knows what is in it. Next: `service`; `ndjson` for bodies that are read line by line.

use super::headers::{Name, RequestHeaders};
use crate::http::connection::limits::HttpLimits;
use crate::http::handlers::submit::Submit;
use crate::http::operations::request_metrics::RequestRecord;
use crate::http::response::problem::{Code, Problem, Refused};
use crate::http::routes::Route;
use crate::http::worker::Worker;
use bytes::{Bytes, BytesMut};
use hyper::Uri;
use hyper::body::{Body, Incoming};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// A body, as far as it was read: the whole, or one that is a stream.
pub(in crate::http) enum BodyState {
    Whole(Bytes),
    Stream(Incoming),
    /// It stays where it is, and the connection ends: the client waits for leave to send it and is
    /// not given that, or too many that nobody looks at are read by already.
    Unread,
}

/// A body that is too long is read and dropped, so that the connection can stay, unless that would
/// take long, or the client waits for leave to send it.
pub(in crate::http) fn check_length(
    limits: &HttpLimits,
    uri: &Uri,
    head: &RequestHeaders<'_>,
    bytes: u64,
) -> Result<(), Refused> {
    let bytes_max = limits.body_bytes_max as u64;
    if bytes <= bytes_max {
        return Ok(());
    }
    let (bytes_max, passed_max) = match Route::find(uri.path()) {
        Ok(Route::Batch) => (limits.batch_bytes_max, limits.batch_bytes_max),
        _ if head.value(Name::Expect).is_some() => (bytes_max, bytes_max),
        _ => (bytes_max, limits.dropped_bytes_max),
    };
    if bytes > passed_max { Err(too_large(bytes_max).closing()) } else { Ok(()) }
}

/// Reads the body, unless it is one that `streams`, or `refused` says that it is not worth it.
pub(in crate::http) async fn take<A: Submit>(
    worker: &Worker<A>,
    (streams, refused): (bool, Option<&Refused>),
    head: &RequestHeaders<'_>,
    body: Incoming,
    record: &mut RequestRecord,
) -> Result<BodyState, Refused> {
    match refused {
        _ if streams => Ok(BodyState::Stream(body)),
        _ if body.is_end_stream() => Ok(BodyState::Whole(Bytes::new())),
        Some(refused) if refused.closes => Ok(BodyState::Whole(Bytes::new())),
        // A client that waits for leave to send the body need not send it at all. Whether it does
        // cannot be told, so what follows may be anything.
        Some(_) if head.value(Name::Expect).is_some() => Ok(BodyState::Unread),
        // The body is read before a refusal, too, so that the connection can stay; nothing of it is
        // kept.
        Some(_) => match Passage::begin(worker) {
            Some(_passage) => {
                pass_by(worker, body, record).await.map(|()| BodyState::Whole(Bytes::new()))
            }
            None => Ok(BodyState::Unread),
        },
        None => read(worker, body, record).await.map(BodyState::Whole),
    }
}

/// Reads past the body of a stream that is refused, so that the connection can stay where it can.
pub(in crate::http) async fn pass<A: Submit>(
    worker: &Worker<A>,
    head: &RequestHeaders<'_>,
    body: Incoming,
    refused: Refused,
) -> Refused {
    if body.is_end_stream() {
        return refused;
    }
    if head.value(Name::Expect).is_some() {
        return refused.closing();
    }
    let Some(_passage) = Passage::begin(worker) else { return refused.closing() };
    // The writer is not asked after it.
    match pass_by(worker, body, &mut RequestRecord::default()).await {
        Err(unread) if unread.closes => refused.closing(),
        _ => refused,
    }
}

/// One of the bodies that an IO thread reads past. A connection holds its buffers meanwhile, so
/// there is a bound; beyond it the answer ends the connection, and what still comes is dropped
/// without any.
struct Passage<'p>(&'p Cell<usize>);

impl<'p> Passage<'p> {
    fn begin<A: Submit>(worker: &'p Worker<A>) -> Option<Self> {
        let all = &worker.bodies_passed_by;
        (all.get() < worker.limits.get().passed_bodies_max).then(|| {
            all.set(all.get() + 1);
            Self(all)
        })
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Reads past a body, piece by piece, and keeps none.
async fn pass_by<A: Submit>(
    worker: &Worker<A>,
    body: Incoming,
    record: &mut RequestRecord,
) -> Result<(), Refused> {
    let limits = worker.limits.get();
    let limit = Duration::from_millis(limits.body_timeout_ms);
    let passed = Box::pin(tokio::time::timeout(limit, drop_all(limits, body))).await;
    record.came_late(&worker.front);
    passed.unwrap_or_else(|_| Err(too_slow()))
}

async fn drop_all(limits: Rc<HttpLimits>, mut body: Incoming) -> Result<(), Refused> {
    let mut dropped: u64 = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let data = frame.map_err(broken)?.into_data().unwrap_or_default();
        dropped += data.len() as u64;
        if dropped > limits.dropped_bytes_max {
            return Err(too_large(limits.body_bytes_max as u64).closing());
        }
    }
    match dropped > limits.body_bytes_max as u64 {
        true => Err(too_large(limits.body_bytes_max as u64)),
        false => Ok(()),
    }
}

fn too_slow() -> Refused {
    Problem::new(Code::Timeout, "the body did not come in time").closing()
}

/// Bytes of bodies that one IO thread keeps until the rest of them is there.
#[derive(Debug)]
struct Kept<'k> {
    whole: BytesMut,
    all: &'k Cell<usize>,
}

impl Kept<'_> {
    /// Keeps some more, unless the thread keeps as much as it may already.
    fn keep(&mut self, data: &[u8], bytes_max: usize) -> Result<(), Refused> {
        let all = self.all.get() + data.len();
        if all > bytes_max {
            let detail = "too many bodies are under way: there is no room for more of this one";
            return Err(Problem::new(Code::Overloaded, detail).closing());
        }
        self.all.set(all);
        self.whole.extend_from_slice(data);
        Ok(())
    }

    fn clear(&mut self) {
        self.all.set(self.all.get() - self.whole.len());
        self.whole.clear();
    }

    /// All of it, which is the request's from here on.
    fn into_whole(mut self) -> Bytes {
        self.all.set(self.all.get() - self.whole.len());
        std::mem::take(&mut self.whole).freeze()
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

pub(in crate::http) fn too_large(bytes_max: u64) -> Refused {
    Problem::new(Code::TooLarge, format!("a body has at most {bytes_max} bytes"))
}

/// The whole body. Mostly it is there with the head, in one piece, and taken as it is.
async fn read<A: Submit>(
    worker: &Worker<A>,
    mut body: Incoming,
    record: &mut RequestRecord,
) -> Result<Bytes, Refused> {
    let at_once = poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending => Poll::Ready(None),
    })
    .await;
    let first = match at_once {
        Some(None) => return Ok(Bytes::new()),
        Some(Some(frame)) => frame.map_err(broken)?.into_data().unwrap_or_default(),
        None => Bytes::new(),
    };
    if body.is_end_stream() {
        let bytes_max = worker.limits.get().body_bytes_max;
        return if first.len() > bytes_max { Err(too_large(bytes_max as u64)) } else { Ok(first) };
    }
    let limits = worker.limits.get();
    let limit = Duration::from_millis(limits.body_timeout_ms);
    // Boxed, because the future of every request would be as large as this rare one otherwise.
    let kept = Kept { whole: BytesMut::new(), all: &worker.bodies_bytes };
    let rest = Box::pin(tokio::time::timeout(limit, rest(limits, kept, first, body)));
    let whole = rest.await.unwrap_or_else(|_| Err(too_slow()));
    record.came_late(&worker.front);
    whole
}

async fn rest(
    limits: Rc<HttpLimits>,
    mut kept: Kept<'_>,
    first: Bytes,
    mut body: Incoming,
) -> Result<Bytes, Refused> {
    kept.keep(&first, limits.bodies_bytes_max)?;
    drop(first);
    let mut dropped: u64 = 0;
    loop {
        if kept.whole.len() > limits.body_bytes_max {
            dropped += kept.whole.len() as u64;
            kept.clear();
        }
        if dropped > limits.dropped_bytes_max {
            return Err(too_large(limits.body_bytes_max as u64).closing());
        }
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None if dropped > 0 => return Err(too_large(limits.body_bytes_max as u64)),
            None => return Ok(kept.into_whole()),
            // Trailers do not get here: to `framing` they are bad framing.
            Some(frame) => {
                let data = frame.map_err(broken)?.into_data().unwrap_or_default();
                kept.keep(&data, limits.bodies_bytes_max)?;
            }
        }
    }
}

fn broken(_: hyper::Error) -> Refused {
    Problem::bad_framing("the body ends early or is framed wrongly")
}
