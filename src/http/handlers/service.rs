//! One request in, one response out, in the order of checks of API 1.
//!
//! Owns that order: HTTP limits and framing (`http_rules`), address (its lists, its bucket), phase,
//! who asks, origin, place and method, then shape (`routes`), then `admission`, then the sold-out
//! edge (`sold_out`), then the writer (`Lane`), then the rendering (`answers`). Never parses a body
//! itself. Next: `routes`.

use super::batch_times::BatchTimes;
use super::sold_out::refuse;
use super::submit::Submit;
use super::{batch, events, mode, read_after_write, replication};
use crate::http::admission::{self, Admitted, Requester, Share, Toll};
use crate::http::auth::identity::{Identity, identify};
use crate::http::auth::origin::Page;
use crate::http::auth::roles::{Permission, Role};
use crate::http::connection::connection_state::{ConnectionState, Stage};
use crate::http::connection::framing::Fault;
use crate::http::operations::request_metrics::{RequestRecord, count_hot};
use crate::http::request::body::{self, BodyState};
use crate::http::request::headers::{Name, RequestHeaders};
use crate::http::request::http_rules::check_http;
use crate::http::request::ndjson::Lines;
use crate::http::response::answers;
use crate::http::response::answers::OrderEcho;
use crate::http::response::payload::{Payload, Stream};
use crate::http::response::problem::{Problem, Refused};
use crate::http::response::reply::{Kind, Reply};
use crate::http::routes::batch::BatchContext;
use crate::http::routes::events::Follow;
use crate::http::routes::{self, Input, Parsed, Route, WriterRequest};
use crate::http::worker::Worker;
use crate::ring::{Rank, SubmitError, WriterReply};
use crate::shared::feed::Form;
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Response};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

/// All methods of all places, for `OPTIONS *`.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// From this size on a body takes an IO thread as long as dozens of small requests.
const LARGE_BODY_BYTES: usize = 8 * 1024;
/// Turns that such a body leaves to others before it is looked at.
const LARGE_BODY_TURNS: u32 = 4;
/// A connection keeps room for so many headers at most, about 100 bytes each.
const HEADERS_KEPT_MAX: usize = 24;

/// A reply, and the stream that is its body, if it has one.
struct ResponseParts {
    reply: Reply,
    stream: Option<Stream>,
}

impl From<Reply> for ResponseParts {
    fn from(reply: Reply) -> Self {
        Self { reply, stream: None }
    }
}

/// The outcome of a request once all of it is there.
enum Act<'r, A: Submit> {
    Answer(Reply),
    /// The writer is asked.
    Submit(Asking<A>),
    /// Rare, and boxed: the future of every request has room for what it waits for, and is moved.
    Later(Pin<Box<dyn Future<Output = Result<ResponseParts, Refused>> + 'r>>),
}

/// A request that is on its way to the writer.
struct Asking<A: Submit> {
    coming: Coming<A>,
    asked: Option<OrderEcho>,
    admitted: Admitted,
}

/// What the ring came to.
type Submitted = Result<WriterReply, SubmitError>;

enum Coming<A: Submit> {
    Once(A::PendingReply),
    Looked(Pin<Box<dyn Future<Output = Submitted>>>),
    /// Of a node with copies: what it shows waits for them, but not for ever.
    Read(Pin<Box<dyn Future<Output = Result<Submitted, Refused>>>>),
}

/// Answers one request of a connection.
pub(in crate::http) fn serve<A: Submit>(
    worker: Rc<Worker<A>>,
    peer: Rc<ConnectionState>,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<Response<Payload>, Infallible>> {
    peer.enter(Stage::Serving);
    let fault = peer.next_request();
    let (mut parts, body) = request.into_parts();
    // By reference: an async block keeps a value that it passes on twice, and hyper moves this
    // future.
    async move {
        if peer.has_had_its_turn() && worker.has_others() {
            next_turn(&peer).await;
        }
        Ok(respond(&worker, &peer, &mut parts, body, fault).await)
    }
}

/// Lets others go before a body that takes long to read, so that not each of a crowd with such
/// bodies stands before a small request, but one in so many.
async fn give_way<A: Submit>(worker: &Worker<A>, peer: &ConnectionState) {
    for _ in 0..LARGE_BODY_TURNS {
        if worker.has_others() {
            peer.gives_way();
            next_turn(peer).await;
        }
    }
}

/// Waits until those have had a turn whose bytes are there. hyper looks at a request more than once
/// in a turn, so a look is not yet the next one.
async fn next_turn(peer: &ConnectionState) {
    let mut pause = pin!(tokio::task::yield_now());
    let mut pauses = false;
    poll_fn(|context| {
        if !peer.has_had_its_turn() {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut pauses, true) {
            // It wakes this task after the others.
            let _ = pause.as_mut().poll(context);
        }
        Poll::Pending
    })
    .await;
}

async fn respond<A: Submit>(
    worker: &Rc<Worker<A>>,
    peer: &Rc<ConnectionState>,
    lent: &mut Parts,
    body: Incoming,
    fault: Option<Fault>,
) -> Response<Payload> {
    let (parts, front) = (&*lent, &*worker.front);
    let head = RequestHeaders::of(&parts.headers);
    let mut record = RequestRecord::begin(front);
    let page = worker.admission.sites(|sites| sites.page(&head));
    let checked = check_http(&worker.limits.get(), parts, &head, &body, fault);
    let mut toll = None;
    let mut found = find(worker, peer, parts, (&head, page), checked, (&record, &mut toll))
        .and_then(|step| check_unsent(step, parts, &head, &body));
    if peer.is_reserved() {
        // Nor is a body waited for.
        found = found.map_err(Problem::closing);
    }
    let mut sees_stages = false;
    if let Ok(Step::Found(found)) = &found {
        record.found(found.place.number());
        sees_stages = matches!(found.identity.role, Role::Metrics | Role::Admin);
    }
    let streams = matches!(&found, Ok(Step::Found(found)) if found.place == Route::Batch)
        && parts.method == Method::POST;
    let how = (streams, found.as_ref().err());
    let taken = body::take(worker, how, &head, body, &mut record).await;
    if let Ok(BodyState::Whole(body)) = &taken
        && body.len() >= LARGE_BODY_BYTES
    {
        // Boxed, because every request would be as large as this rare one otherwise.
        Box::pin(give_way(worker, peer)).await;
    }
    let answered = match taken {
        Ok(taken) => match act(worker, peer, (found, taken), (parts, &head), &mut record) {
            Ok(Act::Answer(reply)) => Ok(reply.into()),
            Ok(Act::Submit(asking)) => hear(worker, asking, &mut record).await,
            Ok(Act::Later(later)) => later.await,
            Err(refused) => Err(refused),
        },
        Err(refused) => Err(refused),
    };
    if let Some(toll) = &mut toll {
        let refused = answered.as_ref().err();
        refused.inspect(|refused| worker.settle(toll, refused));
        record.tell_toll(toll);
    }
    let ResponseParts { mut reply, stream } =
        answered.unwrap_or_else(|refused| Reply::from(refused).into());
    reply.closes |= front.is_leaving() || peer.parts(&worker.limits.get());
    let wants_timing = head.bytes(Name::ServerTiming) == Some(b"1");
    let detail = wants_timing.then_some(sees_stages);
    record.end(worker, &parts.method, &mut reply, detail);
    let traceparent = head.traceparent().map(|(_, value)| value.clone());
    let cross = worker.admission.sites(|sites| sites.cross(page, parts, &head));
    // A stream says so itself, at its end.
    let whole = stream.is_none();
    let headers = emptied(&mut lent.headers);
    let mut response = reply.into_response(headers, traceparent, stream);
    cross.tell(response.headers_mut());
    if whole {
        peer.answered();
    }
    response
}

/// The room of a request's headers, for those of its answer; hyper keeps it for the next request.
fn emptied(headers: &mut HeaderMap) -> HeaderMap {
    let mut headers = std::mem::take(headers);
    if headers.capacity() > HEADERS_KEPT_MAX {
        return HeaderMap::new();
    }
    headers.clear();
    headers
}

/// Everything between the whole request and the writer; nothing in it waits.
fn act<'r, A: Submit>(
    worker: &'r Rc<Worker<A>>,
    peer: &'r Rc<ConnectionState>,
    (found, taken): (Result<Step<'r>, Refused>, BodyState),
    (parts, head): (&'r Parts, &'r RequestHeaders<'r>),
    record: &mut RequestRecord,
) -> Result<Act<'r, A>, Refused> {
    let front = &*worker.front;
    let (body, streamed) = match taken {
        BodyState::Whole(body) => (body, None),
        BodyState::Stream(body) => (Bytes::new(), Some(body)),
        BodyState::Unread => {
            return found.map(|_| Act::Answer(Reply::empty())).map_err(Problem::closing);
        }
    };
    let Found { place, identity, client } = match found? {
        Step::Done(reply) => return Ok(Act::Answer(*reply)),
        Step::Found(found) => found,
    };
    let input = Input {
        method: &parts.method,
        query: parts.uri.query(),
        head,
        body: &body,
        principal: &identity.principal,
        role: identity.role,
        hash_key: front.hash_key(),
        lives: front.lives(),
        now_ms: |front| front.clock.elapsed_ms(),
    };
    let wanted = routes::parse(front, place, &input);
    let principal = identity.principal.name.as_str();
    if matches!(wanted, Ok(Parsed::Follow(_) | Parsed::TakeSnapshot | Parsed::HandOver(_))) {
        worker.charge(Requester { principal, user: None, rank: Rank::Urgent }, Some(record))?;
    }
    let question = match (wanted, streamed) {
        (Ok(Parsed::Submit(question)), _) => question,
        (Ok(Parsed::Reply(reply)), _) => return Ok(Act::Answer(reply)),
        (Ok(Parsed::Change(change)), _) => return Ok(Act::Answer(mode::change(front, change))),
        (Ok(Parsed::Follow(follow)), _) => {
            return Ok(Act::Later(Box::pin(answer_events(worker, peer, (follow, client)))));
        }
        (Ok(Parsed::TakeSnapshot), _) => {
            let taken = async move { mode::take_snapshot(front).await.map(Into::into) };
            return Ok(Act::Later(Box::pin(taken)));
        }
        (Ok(Parsed::HandOver(to)), _) => {
            let done = async move { replication::hand_over(front, to).await.map(Into::into) };
            return Ok(Act::Later(Box::pin(done)));
        }
        (Ok(Parsed::Batch(asker)), Some(body)) => {
            let begun = (*asker, client, BatchTimes::of(record));
            let answer = answer_lines(worker, peer, begun, body);
            return Ok(Act::Later(Box::pin(answer)));
        }
        (Err(refused), Some(body)) => {
            let pass = async move { Err(body::pass(worker, head, body, refused).await) };
            return Ok(Act::Later(Box::pin(pass)));
        }
        (Ok(Parsed::Batch(_)), None) => unreachable!("the body of a batch is a stream"),
        (Err(refused), None) => return Err(refused),
    };
    ask(worker, question, &identity, record)
}

/// Lets a question in, refuses what can only be sold out, and asks the writer the rest.
fn ask<'r, A: Submit>(
    worker: &Rc<Worker<A>>,
    question: WriterRequest,
    identity: &Identity,
    record: &mut RequestRecord,
) -> Result<Act<'r, A>, Refused> {
    let WriterRequest { request, deadline_ms } = question;
    mode::admits(&worker.front, &request.command)?;
    let rank = Rank::of(&request.command, identity.preferred);
    let principal = identity.principal.name.as_str();
    let requester = Requester { principal, user: admission::user(&request.command), rank };
    let admitted = worker.admit(requester, record)?;
    if let Some(refused) = refuse(worker, &request) {
        record.refused(worker, &request.command);
        return Ok(Act::Answer(refused));
    }
    record.asks(worker, &request.command);
    let waits = replication::waits_for_copies(&worker.front, &request.command);
    let asked = OrderEcho::of(&request);
    let coming = if read_after_write::may_be_coming(&*worker.lane, &request) {
        let worker = worker.clone();
        Coming::Looked(Box::pin(async move {
            let looked = read_after_write::look(&*worker.lane, request, deadline_ms).await;
            looked.inspect(|_| worker.meter().count_published())
        }))
    } else {
        let waiting = worker.lane.ask(request, rank, deadline_ms);
        let waiting = waiting.map_err(|why| not_taken(worker, &admitted, record, why))?;
        worker.meter().count_published();
        Coming::Once(waiting)
    };
    let coming = match coming {
        Coming::Once(once) if waits => {
            let (front, once) = (worker.front.clone(), async { Ok(once.await) });
            Coming::Read(Box::pin(async move { replication::hear(&front, once).await }))
        }
        Coming::Looked(looked) if waits => {
            let front = worker.front.clone();
            Coming::Read(Box::pin(async move { replication::hear(&front, looked).await }))
        }
        coming => coming,
    };
    Ok(Act::Submit(Asking { coming, asked, admitted }))
}

/// Waits for the writer's answer.
async fn hear<A: Submit>(
    worker: &Rc<Worker<A>>,
    asking: Asking<A>,
    record: &mut RequestRecord,
) -> Result<ResponseParts, Refused> {
    let Asking { coming, asked, admitted } = asking;
    let arrived = match coming {
        Coming::Once(waiting) => Ok(waiting.await),
        Coming::Looked(looked) => looked.await,
        Coming::Read(read) => read.await?,
    };
    let WriterReply { outcome, times } =
        arrived.map_err(|why| not_taken(worker, &admitted, record, why))?;
    worker.record_answer(&admitted, times);
    record.arrived(&worker.front, times);
    count_hot(worker, asked.as_ref(), &outcome);
    Ok(answers::reply(&worker.front, asked.as_ref(), outcome).into())
}

fn not_taken<A: Submit>(
    worker: &Worker<A>,
    admitted: &Admitted,
    record: &mut RequestRecord,
    why: SubmitError,
) -> Refused {
    record.not_taken();
    worker.not_taken(admitted, why);
    answers::not_taken(why)
}

/// Answers a batch: a plain refusal until there is a first line, then 200 and a line each.
async fn answer_lines<A: Submit>(
    worker: &Rc<Worker<A>>,
    peer: &Rc<ConnectionState>,
    begun: (BatchContext, IpAddr, BatchTimes),
    body: Incoming,
) -> Result<ResponseParts, Refused> {
    let mut lines = Lines::new(body, &worker.limits.get());
    let first = poll_fn(|context| lines.poll_line(context)).await?;
    let reply = Reply::stream(Kind::Lines);
    let Some(first) = first else { return Ok(reply.into()) };
    let answers = batch::begin((worker.clone(), peer.clone()), begun, first, lines);
    Ok(ResponseParts { reply, stream: Some(Stream::new(peer.clone(), answers)) })
}

/// Answers with events: one page, or a stream that goes on.
async fn answer_events<A: Submit>(
    worker: &Rc<Worker<A>>,
    peer: &Rc<ConnectionState>,
    (follow, client): (Follow, IpAddr),
) -> Result<ResponseParts, Refused> {
    if follow.form == Form::List {
        return events::page(&worker.front, follow).await.map(ResponseParts::from);
    }
    let (asked, follows) = (worker.clone(), peer.clone());
    let may_follow = Box::new(move || asked.still_admits(&follows, client).is_ok());
    let (reply, follower) = events::stream(&worker.front, follow, may_follow).await?;
    Ok(ResponseParts { reply, stream: Some(Stream::new(peer.clone(), follower)) })
}

/// What the head alone decides is told to a client that waits for leave to send its body before it
/// is given that. The head of a batch is looked at before its body in any case.
fn check_unsent<'p>(
    step: Step<'p>,
    parts: &Parts,
    head: &RequestHeaders<'_>,
    body: &Incoming,
) -> Result<Step<'p>, Refused> {
    if let Step::Found(Found { place, .. }) = &step
        && head.value(Name::Expect).is_some()
        && !body.is_end_stream()
        && *place != Route::Batch
    {
        let is_bodied = body.size_hint().lower() > 0;
        routes::check_head(place, (&parts.method, parts.uri.query()), head, is_bodied)?;
    }
    Ok(step)
}

/// A place, and who may do there what they want.
struct Found<'p> {
    place: Route<'p>,
    identity: Identity,
    /// Whose request it is, by address.
    client: IpAddr,
}

enum Step<'p> {
    Done(Box<Reply>),
    Found(Found<'p>),
}

/// How much of its address's bucket a request may use; none for a probe, which costs next to
/// nothing: a client that watches the server must not be kept out by a crowd behind the same proxy.
fn share(place: &Result<Route<'_>, Refused>, method: &Method) -> Option<Share> {
    match place {
        Ok(Route::Live | Route::Ready) if matches!(*method, Method::GET | Method::HEAD) => None,
        Ok(place) => {
            Some(Share::of_urgent(place.permission(method).is_some_and(Permission::is_urgent)))
        }
        Err(_) => Some(Share::Own),
    }
}

/// Address, browsers where there are no tokens, phase, authentication, origin, route, method, role.
/// Where HTTP was not as it should be, that is all there is to say, and its address is charged for
/// it.
fn find<'p, A: Submit>(
    worker: &Worker<A>,
    peer: &ConnectionState,
    parts: &'p Parts,
    (head, page): (&RequestHeaders<'_>, Page<'_>),
    checked: Result<(), Refused>,
    (record, toll): (&RequestRecord, &mut Option<Toll>),
) -> Result<Step<'p>, Refused> {
    if let Err(refused) = checked {
        if let Ok(client) = worker.admission.client((peer.address, peer.proxy), &parts.headers) {
            *toll = worker.toll(client, None, record).0;
        }
        return Err(refused);
    }
    let client = worker.client(peer, &parts.headers)?;
    let path = parts.uri.path();
    let place = Route::find(path);
    let passed;
    (*toll, passed) = worker.toll(client, share(&place, &parts.method), record);
    passed?;
    if worker.tokens.with(|_, tokens| tokens.is_none()) {
        worker.admission.sites(|sites| sites.guard(page, parts, head))?;
    }
    if page.is_preflight(parts, head) {
        // At any time and place: a page learns nothing of a refusal but from the request itself.
        let allow = place.as_ref().map_or(METHODS, |place| place.allow());
        return Ok(Step::Done(Box::new(Reply::options(allow))));
    }
    if !matches!(path, "/livez" | "/readyz")
        && let Some(refused) =
            mode::not_served(&worker.front, place.as_ref().is_ok_and(Route::is_of_any_node))
    {
        return Err(refused);
    }
    let open = place.as_ref().is_ok_and(|place| place.permission(&parts.method).is_none());
    let identity = match open {
        true => Identity::nobody(),
        false => identify(&worker.tokens, &peer.auth_cache, head)?,
    };
    page.check()?;
    if path == "*" && parts.method == Method::OPTIONS {
        return Ok(Step::Done(Box::new(Reply::options(METHODS))));
    }
    let place = place?;
    place.check(&parts.method)?;
    let permission = place.permission(&parts.method);
    permission.map_or(Ok(()), |permission| identity.role.allows(permission))?;
    if peer.is_reserved() {
        worker.check_reserved(&place, permission, &identity)?;
    }
    Ok(Step::Found(Found { place, identity, client }))
}
