//! One connection, as its stream, its requests and the sweep share it.
//!
//! Owns what it is doing and since when, and what is wanted of it. Never reads a clock: times are
//! those of the sweep, and acting on a request to close is the connection's own. Next: `listener`,
//! `stream`.

use super::framing::{Fault, Framing};
use super::proxy_protocol;
use crate::http::HttpLimits;
use crate::http::auth::identity::AuthCache;
use crate::http::response::problem::jitter;
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::task::Waker;

/// A connection in the reserve must have sent a head within this, from the accept on.
pub const RESERVED_HEAD_MS: u64 = 1_000;

/// A connection that was accepted while draining has this long to ask its question.
pub(in crate::http) const FRESH_MS: u64 = 500;
/// A connection that was answered so short a while ago when a drain begins is busy: its next
/// request is heard, and told that it is the last.
pub(in crate::http) const BUSY_MS: u64 = 200;
/// What was told to leave has this long to be gone.
const LEAVING_MS: u64 = 1_000;
/// Lives of connections that came together end apart, by a tenth to either side; in thousandths.
const LIFE: RangeInclusive<u64> = 900..=1_100;

/// What a connection is doing, as far as its deadlines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Stage {
    /// The proxy that brings it has not said yet whose it is, as it must.
    Introduction,
    /// The TLS handshake is not done.
    Handshake,
    /// No byte of a next request is here.
    Idle,
    /// A head has begun.
    RequestHeaders,
    /// A request is being answered; bodies have a timeout of their own.
    Serving,
}

/// When the sweep wants a connection to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum CloseRequest {
    None,
    /// End after the current request, or the next if it is there, and else now. Answers say so.
    AfterResponse,
    /// End now.
    Now,
}

/// One connection, as its stream, its requests and the sweep share it. Times are the sweep's.
#[derive(Debug)]
pub(in crate::http) struct ConnectionState {
    now_ms: Rc<Cell<u64>>,
    /// Its place among the connections of its IO thread.
    place: Cell<usize>,
    stage: Cell<Stage>,
    since_ms: Cell<u64>,
    stuck_since_ms: Cell<Option<u64>>,
    close_request: Cell<CloseRequest>,
    waker: RefCell<Option<Waker>>,
    pub(in crate::http) framing: RefCell<Framing>,
    pub(in crate::http) requests: Cell<u64>,
    born_ms: u64,
    /// How long it lives, in thousandths of what is set.
    life: u64,
    /// Its life was over when it was looked at then, and since.
    spent_since_ms: Cell<Option<u64>>,
    /// The socket was found empty in this turn of its task.
    is_empty: Cell<bool>,
    /// A request of it was answered in this turn of its task, or the turn was given to others.
    turn_is_used: Cell<bool>,
    /// Its answer comes bit by bit.
    streams: Cell<bool>,
    ended: Cell<bool>,
    /// At the other end of it; of a connection that a proxy brings, at the end behind the proxy.
    pub(in crate::http) address: IpAddr,
    /// The proxy that brings it, if that says whose it is.
    pub(in crate::http) proxy: Option<IpAddr>,
    /// Its place is one of the reserve.
    reserved: bool,
    /// Whether it began with the header of a proxy that is not to send one.
    unasked: Cell<bool>,
    /// The identity that was last found for it.
    pub(in crate::http) auth_cache: AuthCache,
    /// Accepted while draining, at this time. It hears that, and holds the drain up no longer.
    fresh_since_ms: Option<u64>,
}

impl ConnectionState {
    pub(in crate::http) fn new(
        now_ms: Rc<Cell<u64>>,
        limits: &HttpLimits,
        fresh: bool,
        address: IpAddr,
    ) -> Self {
        // Of the room for a head, its first line may take half.
        let request_line_bytes_max = limits.header_bytes_max / 2;
        Self {
            place: Cell::new(0),
            stage: Cell::new(Stage::Idle),
            since_ms: Cell::new(now_ms.get()),
            stuck_since_ms: Cell::new(None),
            close_request: Cell::new(CloseRequest::None),
            waker: RefCell::new(None),
            framing: RefCell::new(Framing::new(request_line_bytes_max)),
            requests: Cell::new(0),
            born_ms: now_ms.get(),
            life: jitter(LIFE),
            spent_since_ms: Cell::new(None),
            is_empty: Cell::new(false),
            turn_is_used: Cell::new(false),
            streams: Cell::new(false),
            ended: Cell::new(false),
            address,
            proxy: None,
            reserved: false,
            unasked: Cell::new(false),
            auth_cache: AuthCache::default(),
            fresh_since_ms: fresh.then(|| now_ms.get()),
            now_ms,
        }
    }

    /// A connection that this proxy brings.
    pub(in crate::http) fn behind(self, proxy: Option<IpAddr>) -> Self {
        Self { proxy, ..self }
    }

    /// A connection with a place of the reserve, or with an ordinary one.
    pub(in crate::http) fn in_reserve(self, reserved: bool) -> Self {
        Self { reserved, ..self }
    }

    /// Its place is one of the reserve.
    pub(in crate::http) fn is_reserved(&self) -> bool {
        self.reserved
    }

    pub(in crate::http) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(in crate::http) fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.since_ms.set(self.now_ms.get());
    }

    /// A request is answered. The next may have begun to come before that.
    pub(in crate::http) fn answered(&self) {
        self.turn_is_used.set(true);
        let begun = self.framing.borrow().is_in_head();
        self.enter(if begun { Stage::RequestHeaders } else { Stage::Idle });
    }

    /// Takes note of bytes read; says how many of them hyper may see.
    pub(in crate::http) fn saw(&self, bytes: &mut [u8]) -> usize {
        // A client that still sends what it has to say need not read yet.
        if self.stuck_since_ms.get().is_some() {
            self.stuck_since_ms.set(Some(self.now_ms.get()));
        }
        self.framing.borrow_mut().feed(bytes)
    }

    /// What the client sends still gets through to hyper.
    pub(in crate::http) fn is_read(&self) -> bool {
        !self.unasked.get() && !self.framing.borrow().is_lost()
    }

    /// A head begins with these bytes. The first one of a connection may be no head at all.
    pub(in crate::http) fn begins_head(&self, bytes: &[u8]) {
        self.enter(Stage::RequestHeaders);
        self.unasked.set(self.requests.get() == 0 && proxy_protocol::begins(bytes));
    }

    /// Whether it began with the header of a proxy that is not to send one.
    pub(in crate::http) fn is_unasked(&self) -> bool {
        self.unasked.get()
    }

    /// What hyper is to be given in place of what does not get through.
    pub(in crate::http) fn stand_in(&self) -> &'static [u8] {
        self.framing.borrow().stand_in()
    }

    /// There is nothing to read, as far as the event loop has heard.
    pub(in crate::http) fn saw_nothing(&self, has_unread: impl FnOnce() -> bool) {
        if self.close_request.get() == CloseRequest::AfterResponse {
            self.is_empty.set(!has_unread());
        }
    }

    /// Its task has its turn.
    pub(in crate::http) fn begin_turn(&self) {
        self.is_empty.set(false);
        self.turn_is_used.set(false);
    }

    /// What it does next is for its next turn: a large body costs more than many small requests.
    pub(in crate::http) fn gives_way(&self) {
        self.turn_is_used.set(true);
    }

    /// A request of it was answered in this turn: what its client sent ahead is for the next one.
    pub(in crate::http) fn has_had_its_turn(&self) -> bool {
        self.turn_is_used.get()
    }

    /// Says whether it is to close, has nothing to do, and has answered all that the client sent.
    pub(in crate::http) fn may_leave(&self) -> bool {
        self.close_request.get() == CloseRequest::AfterResponse
            && self.stage.get() == Stage::Idle
            && self.is_empty.get()
            && self.framing.borrow().is_behind(self.requests.get())
    }

    /// Its answer comes bit by bit, or has come.
    pub(in crate::http) fn set_streams(&self, streams: bool) {
        self.streams.set(streams);
    }

    /// Has a stream looked after, whether it may go on.
    pub(in crate::http) fn look_after_stream(&self) {
        if self.streams.get() {
            self.wake();
        }
    }

    /// The client sends nothing any more.
    pub(in crate::http) fn ended(&self) {
        self.ended.set(true);
    }

    /// Writing goes on, or the client does not take what is written.
    pub(in crate::http) fn writes(&self, stuck: bool) {
        match (stuck, self.stuck_since_ms.get()) {
            (true, None) => self.stuck_since_ms.set(Some(self.now_ms.get())),
            (false, Some(_)) => self.stuck_since_ms.set(None),
            _ => {}
        }
    }

    /// Counts a request; says what is wrong with its head, if hyper does not see it.
    pub(in crate::http) fn next_request(&self) -> Option<Fault> {
        let number = self.requests.get();
        self.requests.set(number + 1);
        self.framing.borrow().fault_of_head(number)
    }

    /// Says whether it is to end after the request under way.
    pub(in crate::http) fn is_spent(&self, limits: &HttpLimits) -> bool {
        let life_ms = limits.lifetime_ms.saturating_mul(self.life) / 1_000;
        let old = self.now_ms.get().saturating_sub(self.born_ms) > life_ms;
        old || (limits.requests_max > 0 && self.requests.get() >= limits.requests_max)
    }

    /// The next answer says that it is the last.
    pub(in crate::http) fn parts(&self, limits: &HttpLimits) -> bool {
        self.reserved || self.close_request.get() != CloseRequest::None || self.is_spent(limits)
    }

    /// What the sweep wants of it because nothing comes any more. Where its life is over, a client
    /// that is busy has a while to hear that with an answer.
    pub(in crate::http) fn close_for_idleness(&self, limits: &HttpLimits) -> CloseRequest {
        let now_ms = self.now_ms.get();
        let over = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) > limit_ms;
        let spent = self.is_spent(limits);
        let spent_since_ms = self.spent_since_ms.get().unwrap_or(now_ms);
        self.spent_since_ms.set(spent.then_some(spent_since_ms));
        if self.stage.get() != Stage::Idle || self.close_request.get() == CloseRequest::Now {
            return self.close_request.get();
        }
        let idle_since_ms = self.since_ms.get();
        let left_ms = match over(idle_since_ms, limits.idle_ms) {
            true => Some(idle_since_ms.saturating_add(limits.idle_ms)),
            false => {
                let since_ms = spent_since_ms.max(idle_since_ms);
                (spent && over(since_ms, limits.idle_grace_ms))
                    .then(|| since_ms.saturating_add(limits.idle_grace_ms))
            }
        };
        match left_ms {
            None => self.close_request.get(),
            Some(since_ms)
                if over(since_ms, LEAVING_MS)
                    && self.close_request.get() == CloseRequest::AfterResponse =>
            {
                CloseRequest::Now
            }
            Some(_) => CloseRequest::AfterResponse,
        }
    }

    /// Says whether it has taken longer than it may.
    pub(in crate::http) fn is_late(&self, limits: &HttpLimits) -> bool {
        let now_ms = self.now_ms.get();
        let over = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) > limit_ms;
        let stage_over = match self.stage.get() {
            Stage::Introduction => over(self.since_ms.get(), limits.header_timeout_ms),
            Stage::Handshake => over(self.since_ms.get(), limits.handshake_timeout_ms),
            Stage::RequestHeaders => over(self.since_ms.get(), limits.header_timeout_ms),
            // One that never asked anything has no claim to stay for long.
            Stage::Idle if self.requests.get() == 0 => {
                over(self.since_ms.get(), limits.header_timeout_ms)
            }
            Stage::Idle | Stage::Serving => false,
        };
        let unheard = self.reserved && self.requests.get() == 0;
        let stage_over = stage_over || (unheard && over(self.born_ms, RESERVED_HEAD_MS));
        let stuck = self.stuck_since_ms.get();
        stage_over || stuck.is_some_and(|since_ms| over(since_ms, limits.write_timeout_ms))
    }

    /// For how long nothing has come from it, with what never asked anything before all others;
    /// none if it is not idle, was busy just now, or ends already. Newcomers take its place. The
    /// reserve has an order of its own.
    pub(in crate::http) fn idleness(&self) -> Option<(bool, u64)> {
        let idle_ms = self.now_ms.get().saturating_sub(self.since_ms.get());
        let never_asked = self.requests.get() == 0;
        let idle = match self.stage.get() {
            Stage::Idle => never_asked || idle_ms > BUSY_MS,
            Stage::Introduction | Stage::Handshake => idle_ms > BUSY_MS,
            Stage::RequestHeaders | Stage::Serving => false,
        };
        (idle && !self.reserved && self.close_request.get() != CloseRequest::Now)
            .then_some((never_asked, idle_ms))
    }

    /// What the sweep wants of it.
    pub(in crate::http) fn close_request(&self) -> CloseRequest {
        self.close_request.get()
    }

    /// Says whether it was accepted while draining.
    pub(in crate::http) fn is_fresh(&self) -> bool {
        self.fresh_since_ms.is_some()
    }

    /// Its client sends nothing any more.
    pub(in crate::http) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Its place among the connections of its IO thread.
    pub(in crate::http) fn place(&self) -> usize {
        self.place.get()
    }

    pub(in crate::http) fn move_to(&self, place: usize) {
        self.place.set(place);
    }

    /// What a drain wants of it. A head that has begun is heard, to be told that the server drains.
    pub(in crate::http) fn close_for_drain(&self) -> CloseRequest {
        if self.close_request.get() == CloseRequest::Now {
            return CloseRequest::Now;
        }
        let over = |since_ms: u64, limit_ms| self.now_ms.get().saturating_sub(since_ms) > limit_ms;
        let is_busy = !over(self.since_ms.get(), BUSY_MS);
        match (self.fresh_since_ms.map(|since_ms| over(since_ms, FRESH_MS)), self.stage.get()) {
            (Some(false), _) | (None, Stage::RequestHeaders) => CloseRequest::None,
            (None, Stage::Idle) if is_busy => CloseRequest::None,
            (_, Stage::Introduction | Stage::Handshake)
            | (Some(true), Stage::Idle | Stage::RequestHeaders) => CloseRequest::Now,
            (Some(true), Stage::Serving) | (None, Stage::Idle | Stage::Serving) => {
                CloseRequest::AfterResponse
            }
        }
    }

    /// Has its task act on a request to close.
    pub(in crate::http) fn request_close(&self, request: CloseRequest) {
        self.close_request.set(request);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Sets the task that a request to close is to wake.
    pub(in crate::http) fn wake_with(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}
