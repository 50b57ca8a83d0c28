//! One connection, as its stream, its requests and the sweep share it.
//!
//! Owns what it is doing and since when, and what is wanted of it. Never reads a clock: times are those
//! of the sweep, and acting on a wish is the connection's own. Next: `listener`, `stream`.

use super::HttpLimits;
use super::framing::{Fault, Framing};
use super::identity::Acquaintance;
use super::proxy_protocol;
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;

/// A connection that was accepted while draining has this long to ask its question.
pub(super) const FRESH_MS: u64 = 500;

/// What a connection is doing, as far as its deadlines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The proxy that brings it has not said yet whose it is, as it must.
    Introduction,
    /// It is not under TLS yet, as it must be.
    Handshake,
    /// No byte of a next request is here.
    Idle,
    /// A head has begun.
    Head,
    /// A request is being answered; bodies have a timeout of their own.
    Serving,
}

/// What the sweep wants of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Stay,
    /// End after the current request.
    Finish,
    /// End now.
    End,
}

/// One connection, as its stream, its requests and the sweep share it. Times are the sweep's.
#[derive(Debug)]
pub(super) struct Peer {
    now_ms: Rc<Cell<u64>>,
    /// Its place among the connections of its IO thread.
    place: Cell<usize>,
    stage: Cell<Stage>,
    since_ms: Cell<u64>,
    stuck_since_ms: Cell<Option<u64>>,
    wish: Cell<Wish>,
    waker: RefCell<Option<Waker>>,
    pub(super) framing: RefCell<Framing>,
    pub(super) requests: Cell<u64>,
    born_ms: u64,
    ended: Cell<bool>,
    /// At the other end of it; of a connection that a proxy brings, at the end behind the proxy.
    pub(super) address: IpAddr,
    /// The proxy that brings it, if that says whose it is.
    pub(super) proxy: Option<IpAddr>,
    /// It began with the header of a proxy that is not to send one.
    unasked: Cell<bool>,
    /// Whoever speaks on it.
    pub(super) acquaintance: Acquaintance,
    /// Accepted while draining, at this time. It hears that, and holds the drain up no longer.
    fresh_since_ms: Option<u64>,
}

impl Peer {
    pub(super) fn new(
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
            wish: Cell::new(Wish::Stay),
            waker: RefCell::new(None),
            framing: RefCell::new(Framing::new(request_line_bytes_max)),
            requests: Cell::new(0),
            born_ms: now_ms.get(),
            ended: Cell::new(false),
            address,
            proxy: None,
            unasked: Cell::new(false),
            acquaintance: Acquaintance::default(),
            fresh_since_ms: fresh.then(|| now_ms.get()),
            now_ms,
        }
    }

    /// A connection that this proxy brings.
    pub(super) fn behind(self, proxy: Option<IpAddr>) -> Self {
        Self { proxy, ..self }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.since_ms.set(self.now_ms.get());
    }

    /// A request is answered. The next may have begun to come before that.
    pub(super) fn answered(&self) {
        let begun = self.framing.borrow().is_in_head();
        self.enter(if begun { Stage::Head } else { Stage::Idle });
    }

    /// Takes note of bytes read; says how many of them hyper may see.
    pub(super) fn saw(&self, bytes: &mut [u8]) -> usize {
        // A client that still sends what it has to say need not read yet.
        if self.stuck_since_ms.get().is_some() {
            self.stuck_since_ms.set(Some(self.now_ms.get()));
        }
        self.framing.borrow_mut().feed(bytes)
    }

    /// What the client sends still gets through to hyper.
    pub(super) fn is_read(&self) -> bool {
        !self.unasked.get() && !self.framing.borrow().is_lost()
    }

    /// A head begins with these bytes. The first one of a connection may be no head at all.
    pub(super) fn begins_head(&self, bytes: &[u8]) {
        self.enter(Stage::Head);
        self.unasked.set(self.requests.get() == 0 && proxy_protocol::begins(bytes));
    }

    /// It began with the header of a proxy that is not to send one.
    pub(super) fn is_unasked(&self) -> bool {
        self.unasked.get()
    }

    /// hyper was given the start of a request line only.
    pub(super) fn has_cut_line(&self) -> bool {
        self.framing.borrow().has_cut_line()
    }

    /// The client sends nothing any more.
    pub(super) fn ended(&self) {
        self.ended.set(true);
    }

    /// Writing goes on, or the client does not take what is written.
    pub(super) fn writes(&self, stuck: bool) {
        match (stuck, self.stuck_since_ms.get()) {
            (true, None) => self.stuck_since_ms.set(Some(self.now_ms.get())),
            (false, Some(_)) => self.stuck_since_ms.set(None),
            _ => {}
        }
    }

    /// Counts a request; says what is wrong with its head, if hyper does not see it.
    pub(super) fn next_request(&self) -> Option<Fault> {
        let number = self.requests.get();
        self.requests.set(number + 1);
        self.framing.borrow().fault_of_head(number)
    }

    /// It is to end behind the request under way.
    pub(super) fn is_spent(&self, limits: &HttpLimits) -> bool {
        let old = self.now_ms.get().saturating_sub(self.born_ms) > limits.lifetime_ms;
        old || (limits.requests_max > 0 && self.requests.get() >= limits.requests_max)
    }

    /// It has taken longer than it may.
    pub(super) fn is_late(&self, limits: &HttpLimits) -> bool {
        let now_ms = self.now_ms.get();
        let over = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) > limit_ms;
        let stage_over = match self.stage.get() {
            Stage::Introduction => over(self.since_ms.get(), limits.header_timeout_ms),
            Stage::Handshake => over(self.since_ms.get(), limits.handshake_timeout_ms),
            Stage::Idle => over(self.since_ms.get(), limits.idle_ms),
            Stage::Head => over(self.since_ms.get(), limits.header_timeout_ms),
            Stage::Serving => false,
        };
        let stuck = self.stuck_since_ms.get();
        stage_over || stuck.is_some_and(|since_ms| over(since_ms, limits.write_timeout_ms))
    }

    /// What the sweep wants of it.
    pub(super) fn wished(&self) -> Wish {
        self.wish.get()
    }

    /// It was accepted while draining.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh_since_ms.is_some()
    }

    /// Its client sends nothing any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Its place among the connections of its IO thread.
    pub(super) fn place(&self) -> usize {
        self.place.get()
    }

    pub(super) fn move_to(&self, place: usize) {
        self.place.set(place);
    }

    /// What a drain wants of it. A head that has begun is heard, to be told that the server drains.
    pub(super) fn wish_of_drain(&self) -> Wish {
        if self.wish.get() == Wish::End {
            return Wish::End;
        }
        let over = self
            .fresh_since_ms
            .map(|since_ms| self.now_ms.get().saturating_sub(since_ms) > FRESH_MS);
        match (over, self.stage.get()) {
            (Some(false), _) | (None, Stage::Head) => Wish::Stay,
            (_, Stage::Introduction | Stage::Handshake)
            | (Some(true), Stage::Idle | Stage::Head) => Wish::End,
            (Some(true), Stage::Serving) | (None, Stage::Idle | Stage::Serving) => Wish::Finish,
        }
    }

    /// Has its task act on a wish.
    pub(super) fn wish(&self, wish: Wish) {
        self.wish.set(wish);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Whose task a wish is to wake.
    pub(super) fn wake_with(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}
