//! One request in, one response out, in the order of checks of API 1.
//!
//! Owns that order: HTTP limits and framing, address, phase, who asks, origin, place and method, then
//! shape (`routes`), then `admission`, then the sold-out edge (`refuse`), then the writer (`Lane`),
//! then the rendering (`answers`). Never parses a body itself. Next: `routes`.

use super::admission::{self, Guest};
use super::ask::Ask;
use super::framing::Fault;
use super::head::{Head, Name};
use super::identity::{Identity, identify};
use super::limits::{Held, HttpLimits};
use super::lines::Lines;
use super::listener::Worker;
use super::observe::Note;
use super::payload::{Payload, Stream};
use super::peer::{Peer, Stage};
use super::problem::{Code, Problem, Refused};
use super::refuse::refuse;
use super::reply::{Kind, Reply};
use super::routes::batch::Asker;
use super::routes::events::Follow;
use super::routes::{self, Input, Place, Question, Wanted};
use super::{Front, Phase, answers, batch, events, look, mode};
use crate::feed::Form;
use crate::ring::{Arrived, Rank};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use hyper::{Method, Response, Uri, Version};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// All methods of all places, for `OPTIONS *`.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Where a body may be longer than elsewhere.
const BATCH_PATH: &str = "/v1/batch";

/// A reply, and the stream that is its body, if it has one.
struct Answering {
    reply: Reply,
    stream: Option<Stream>,
}

impl From<Reply> for Answering {
    fn from(reply: Reply) -> Self {
        Self { reply, stream: None }
    }
}

/// Answers one request of a connection.
pub(super) async fn serve<A: Ask>(
    worker: Rc<Worker<A>>,
    peer: Rc<Peer>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Payload>, Infallible> {
    peer.enter(Stage::Serving);
    let fault = peer.next_request();
    let (parts, body) = request.into_parts();
    let head = Head::of(&parts.headers);
    let front = &*worker.front;
    let limits = worker.limits.get();
    let mut note = Note::begin(front);
    let found = check_http(&limits, &parts, &head, &body, fault)
        .and_then(|()| find(&worker, &peer, &parts, &head));
    let answered = answer(&worker, &peer, found, &parts, &head, body, &mut note).await;
    let Answering { mut reply, stream } =
        answered.unwrap_or_else(|refused| Reply::from(refused).into());
    reply.closes |= front.phase() == Phase::Draining || peer.is_spent(&worker.limits.get());
    let wants_timing = head.bytes(Name::ServerTiming) == Some(b"1");
    note.end(&worker, &parts.method, &mut reply, wants_timing);
    let traceparent = head.traceparent().map(|(_, value)| value);
    // A stream says so itself, at its end.
    let whole = stream.is_none();
    let response = reply.into_response(traceparent, stream);
    if whole {
        peer.answered();
    }
    Ok(response)
}

async fn answer<A: Ask>(
    worker: &Rc<Worker<A>>,
    peer: &Rc<Peer>,
    found: Result<Step<'_>, Refused>,
    parts: &hyper::http::request::Parts,
    head: &Head<'_>,
    body: Incoming,
    note: &mut Note,
) -> Result<Answering, Refused> {
    let front = &*worker.front;
    if let Ok(Step::Found(found)) = &found {
        note.found(found.place.number());
    }
    let streams = matches!(&found, Ok(Step::Found(found)) if found.place == Place::Batch)
        && parts.method == Method::POST;
    let (body, streamed) = match &found {
        _ if streams => (Bytes::new(), Some(body)),
        _ if body.is_end_stream() => (Bytes::new(), None),
        Err(refused) if refused.closes => (Bytes::new(), None),
        // A client that waits for leave to send the body need not send it at all. Whether it does
        // cannot be told, so what follows may be anything.
        Err(_) if head.value(Name::Expect).is_some() => {
            return found.map(|_| Reply::empty().into()).map_err(Problem::closing);
        }
        // The body is read before a refusal, too, so that the connection can stay.
        _ => (read(&worker.limits, body).await?, None),
    };
    let Found { place, identity, client } = match found? {
        Step::Done(reply) => return Ok(reply.into()),
        Step::Found(found) => found,
    };
    let unknown_key = [0; 16];
    let input = Input {
        method: &parts.method,
        query: parts.uri.query(),
        head,
        body: &body,
        principal: &identity.principal,
        role: identity.role,
        // Without one the phase lets nobody past that would need it.
        hash_key: front.hash_key.get().unwrap_or(&unknown_key),
        now_ms: |front| front.clock.elapsed_ms(),
    };
    let wanted = routes::parse(front, place, &input);
    let principal = identity.principal.name.as_str();
    if matches!(wanted, Ok(Wanted::Follow(_) | Wanted::TakeImage)) {
        worker.charge(Guest { principal, client, user: None, rank: Rank::Urgent }, Some(note))?;
    }
    let question = match (wanted, streamed) {
        (Ok(Wanted::Reply(reply)), _) => return Ok(reply.into()),
        // Boxed, like all that is rare: the future of every request has room for what it waits for.
        (Ok(Wanted::Follow(follow)), _) => {
            return Box::pin(answer_events(worker, peer, follow)).await;
        }
        (Ok(Wanted::TakeImage), _) => {
            return Box::pin(take_image(front)).await.map(Answering::from);
        }
        (Ok(Wanted::Change(change)), _) => return Ok(mode::change(front, change).into()),
        (Ok(Wanted::Batch(asker)), Some(body)) => {
            return Box::pin(answer_lines(worker, peer, (*asker, client), body)).await;
        }
        (Err(refused), Some(body)) => {
            return Err(Box::pin(pass(&worker.limits, head, body, refused)).await);
        }
        (Ok(Wanted::Batch(_)), None) => unreachable!("the body of a batch is a stream"),
        (Ok(Wanted::Ask(question)), _) => *question,
        (Err(refused), None) => return Err(refused),
    };
    drop(body);
    let Question { request, deadline_ms, asked } = question;
    mode::admits(front, &request.command)?;
    let rank = Rank::of(&request.command, identity.preferred);
    let guest = Guest { principal, client, user: admission::user(&request.command), rank };
    let admitted = worker.admit(guest, note)?;
    if let Some(refused) = refuse(worker, &request) {
        note.refused(worker, &request.command);
        return Ok(refused.into());
    }
    note.asks(worker, &request.command);
    let comes_behind = look::may_be_coming(&*worker.lane, &request);
    let arrived = if comes_behind {
        let looked = Box::pin(look::look(&*worker.lane, request, deadline_ms)).await;
        looked.inspect(|_| worker.meter().count_published())
    } else {
        match worker.lane.ask(request, rank, deadline_ms) {
            Ok(waiting) => {
                worker.meter().count_published();
                Ok(waiting.await)
            }
            Err(why) => Err(why),
        }
    };
    let Arrived { outcome, times } = arrived.map_err(|why| {
        note.not_taken();
        worker.not_taken(&admitted, why);
        answers::not_taken(why)
    })?;
    worker.heard(&admitted, times);
    note.arrived(times);
    Ok(answers::reply(front, asked.as_ref(), outcome).into())
}

/// Answers a batch: a plain refusal until there is a first line, then 200 and a line each.
async fn answer_lines<A: Ask>(
    worker: &Rc<Worker<A>>,
    peer: &Rc<Peer>,
    (asker, client): (Asker, IpAddr),
    body: Incoming,
) -> Result<Answering, Refused> {
    let mut lines = Lines::new(body, &worker.limits.get());
    let first = poll_fn(|context| lines.poll_line(context)).await?;
    let reply = Reply::stream(Kind::Lines);
    let Some(first) = first else { return Ok(reply.into()) };
    let answers = batch::begin(worker.clone(), (asker, client), first, lines);
    Ok(Answering { reply, stream: Some(Stream::new(peer.clone(), answers)) })
}

/// Answers with events: one page, or a stream that goes on.
async fn answer_events<A: Ask>(
    worker: &Worker<A>,
    peer: &Rc<Peer>,
    follow: Follow,
) -> Result<Answering, Refused> {
    if follow.form == Form::List {
        return events::page(&worker.front, follow).await.map(Answering::from);
    }
    let (tokens, follows) = (worker.tokens.clone(), peer.clone());
    let may_follow = Box::new(move || follows.acquaintance.holds(&tokens));
    let (reply, follower) = events::stream(&worker.front, follow, may_follow).await?;
    Ok(Answering { reply, stream: Some(Stream::new(peer.clone(), follower)) })
}

/// Reads past the body of a stream that is refused, so that the connection can stay where it can.
async fn pass(limits: &Held, head: &Head<'_>, body: Incoming, refused: Refused) -> Refused {
    if body.is_end_stream() {
        return refused;
    }
    if head.value(Name::Expect).is_some() {
        return refused.closing();
    }
    match read(limits, body).await {
        Err(unread) if unread.closes => refused.closing(),
        _ => refused,
    }
}

/// Waits for an image to be taken in the background; the writer is not asked.
async fn take_image(front: &Front) -> Result<Reply, Refused> {
    let busy = || Problem::new(Code::Overloaded, "too many images have been asked for");
    let taken = front.images.ask().ok_or_else(busy)?.await;
    match taken {
        Ok(Ok(sequence)) => Ok(answers::image_taken(sequence)),
        Ok(Err(why)) => Err(Problem::new(Code::Internal, why)),
        Err(_) => Err(Problem::new(Code::Draining, "the server takes no new requests")),
    }
}

/// Framing and limits that hyper does not check, or not strictly. What leaves the bytes behind it in
/// doubt closes.
fn check_http(
    limits: &HttpLimits,
    parts: &hyper::http::request::Parts,
    head: &Head<'_>,
    body: &Incoming,
    fault: Option<Fault>,
) -> Result<(), Refused> {
    let uri = &parts.uri;
    let uri_too_long = || Problem::new(Code::UriTooLong, "the request target is too long");
    match fault {
        Some(Fault::LongLine) => return Err(uri_too_long().closing()),
        Some(Fault::Ambiguous) => {
            return Err(Problem::bad_framing(
                "the length of the body is given twice or unreadable",
            ));
        }
        Some(Fault::Fragment) => {
            return Err(Problem::bad_framing("a request target has no fragment"));
        }
        None => {}
    }
    // Whoever is in front of us might believe in it and read on in that other protocol.
    if head.value(Name::Upgrade).is_some() {
        return Err(Problem::bad_framing("there is no other protocol to go over to"));
    }
    if head.is_repeated(Name::TransferEncoding)
        || head.bytes(Name::TransferEncoding).is_some_and(|te| !te.eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Problem::bad_framing("the only transfer encoding taken is chunked"));
    }
    check_target(&parts.method, uri, head, parts.version)?;
    // Read and dropped, so that the connection can stay, unless that would take long, or the
    // client waits for leave to send it.
    let waits = head.value(Name::Expect).is_some();
    let bytes_max = match waits {
        _ if uri.path() == BATCH_PATH => limits.batch_bytes_max,
        true => limits.body_bytes_max as u64,
        false => limits.dropped_bytes_max,
    };
    if body.size_hint().lower() > bytes_max {
        return Err(too_large(bytes_max).closing());
    }
    if uri.path().len() + uri.query().map_or(0, |query| query.len() + 1) > limits.uri_bytes_max {
        return Err(uri_too_long());
    }
    if head.is_repeated(Name::Expect)
        || head.bytes(Name::Expect).is_some_and(|e| !e.eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(Problem::malformed("the only expectation met is 100-continue"));
    }
    let bodied = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
    if !bodied && !body.is_end_stream() {
        // Others do not read such a body, and take it for the next request.
        return Err(Problem::bad_framing("this method takes no body"));
    }
    Ok(())
}

/// One host, and the same in target and header (RFC 9112, 3.2).
fn check_target(
    method: &Method,
    uri: &Uri,
    head: &Head<'_>,
    version: Version,
) -> Result<(), Refused> {
    let host = head.bytes(Name::Host);
    if head.is_repeated(Name::Host) || (host.is_none() && version == Version::HTTP_11) {
        return Err(Problem::bad_framing("exactly one Host header is needed"));
    }
    if !host.is_none_or(is_host) {
        return Err(Problem::bad_framing("the Host header names no host"));
    }
    let absolute = match uri.authority() {
        None => true,
        Some(authority) => {
            // The scheme is that of the front, which may end TLS before us.
            matches!(uri.scheme_str(), Some("http" | "https"))
                && host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes()))
        }
    };
    if !absolute || *method == Method::CONNECT {
        return Err(Problem::bad_framing("the request target is none of this server's"));
    }
    Ok(())
}

/// A name or an address, with a port or without; empty where there is none. What else the grammar of
/// hosts would allow nobody has, and proxies read it in different ways.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let (address, port) = rest.split_at(end);
            let hex = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
            if address.is_empty() || !address.iter().all(hex) {
                return false;
            }
            (&[][..], &port[1..])
        }
        None => host.split_at(host.iter().position(|byte| *byte == b':').unwrap_or(host.len())),
    };
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_~".contains(byte);
    let digits = port.strip_prefix(b":").unwrap_or(port);
    let ported = port.is_empty() || port.len() > digits.len();
    name.iter().all(named) && ported && digits.iter().all(u8::is_ascii_digit)
}

fn too_large(bytes_max: u64) -> Refused {
    Problem::new(Code::TooLarge, format!("a body has at most {bytes_max} bytes"))
}

/// A place, and who may do there what they want.
struct Found<'p> {
    place: Place<'p>,
    identity: Identity,
    /// Whose request it is, by address.
    client: IpAddr,
}

enum Step<'p> {
    Done(Reply),
    Found(Found<'p>),
}

/// Address, phase, authentication, origin, route, method, role.
fn find<'p, A: Ask>(
    worker: &Worker<A>,
    peer: &Peer,
    parts: &'p hyper::http::request::Parts,
    head: &Head<'_>,
) -> Result<Step<'p>, Refused> {
    let client = worker.client(peer, &parts.headers)?;
    let path = parts.uri.path();
    if !matches!(path, "/livez" | "/readyz")
        && let Some(refused) = routes::not_ready(worker.front.phase())
    {
        return Err(refused);
    }
    let place = Place::find(path);
    let open = place.as_ref().is_ok_and(|place| place.deed(&parts.method).is_none());
    let identity = match open {
        true => Identity::nobody(),
        false => identify(&worker.tokens, &peer.acquaintance, head)?,
    };
    check_origin(head)?;
    if path == "*" && parts.method == Method::OPTIONS {
        return Ok(Step::Done(Reply::options(METHODS)));
    }
    let place = place?;
    place.check(&parts.method)?;
    place.deed(&parts.method).map_or(Ok(()), |deed| identity.role.allows(deed))?;
    Ok(Step::Found(Found { place, identity, client }))
}

/// A page from elsewhere must not act through somebody's browser.
fn check_origin(head: &Head<'_>) -> Result<(), Refused> {
    let Some(origin) = head.bytes(Name::Origin) else { return Ok(()) };
    let host = head.bytes(Name::Host).unwrap_or_default();
    if !head.is_repeated(Name::Origin) && is_own_origin(origin, host) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "requests from pages of other origins are not taken"))
}

fn is_own_origin(origin: &[u8], host: &[u8]) -> bool {
    [(b"http://".as_slice(), b":80".as_slice()), (b"https://", b":443")].into_iter().any(
        |(scheme, port)| {
            let bare = |authority: &[u8]| -> Vec<u8> {
                authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase()
            };
            let own = origin.strip_prefix(scheme);
            own.is_some_and(|authority| !host.is_empty() && bare(authority) == bare(host))
        },
    )
}

/// The whole body. Mostly it is there with the head, in one piece, and taken as it is.
async fn read(limits: &Held, mut body: Incoming) -> Result<Bytes, Refused> {
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
        let bytes_max = limits.get().body_bytes_max;
        return if first.len() > bytes_max { Err(too_large(bytes_max as u64)) } else { Ok(first) };
    }
    let limits = limits.get();
    let limit = Duration::from_millis(limits.body_timeout_ms);
    // Boxed, because the future of every request would be as large as this rare one otherwise.
    let rest = Box::pin(tokio::time::timeout(limit, rest(limits, first, body)));
    rest.await.unwrap_or_else(|_| {
        Err(Problem::new(Code::Timeout, "the body did not come in time").closing())
    })
}

async fn rest(limits: Rc<HttpLimits>, first: Bytes, mut body: Incoming) -> Result<Bytes, Refused> {
    let mut whole = BytesMut::from(first);
    let mut dropped: u64 = 0;
    loop {
        if whole.len() > limits.body_bytes_max {
            dropped += whole.len() as u64;
            whole.clear();
        }
        if dropped > limits.dropped_bytes_max {
            return Err(too_large(limits.body_bytes_max as u64).closing());
        }
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None if dropped > 0 => return Err(too_large(limits.body_bytes_max as u64)),
            None => return Ok(whole.freeze()),
            // Trailers do not get here: to `framing` they are bad framing.
            Some(frame) => {
                let data = frame.map_err(broken)?.into_data().unwrap_or_default();
                whole.extend_from_slice(&data);
            }
        }
    }
}

fn broken(_: hyper::Error) -> Refused {
    Problem::bad_framing("the body ends early or is framed wrongly")
}
