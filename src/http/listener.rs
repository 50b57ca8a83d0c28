//! Connections: accepting them, watching over them, letting them go.
//!
//! Owns the cap on connections, their deadlines, and the drain. One sweep per IO thread looks at all
//! of its connections ten times a second; a timer in each would cost every request an entry in
//! the timer wheel. Never looks into a request. Next: `stream`, `service`.

use super::admission::{Seat, Usher};
use super::ask::Ask;
use super::framing::{Fault, Framing};
use super::identity::Acquaintance;
use super::linger::linger;
use super::refuse::Refuser;
use super::reloadable::Kept;
use super::service;
use super::stream::Stream;
use super::tls::Secured;
use super::tokens::Tokens;
use super::{Front, HttpLimits, Phase};
use crate::metrics::{Hot, IoMeter};
use crate::ring::Lane;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What is counted of hot SKUs is halved this often.
const HOT_HALF_MS: u64 = 60_000;
/// Deadlines of connections are kept this exactly.
const SWEEP_MS: u64 = 100;
/// After the end of a drain, what is told to those who still wait has this long to leave.
const GIVEN_UP_MS: u64 = 200;
/// A connection that was accepted while draining has this long to ask its question.
const FRESH_MS: u64 = 500;

/// What a connection is doing, as far as its deadlines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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
enum Wish {
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
    framing: RefCell<Framing>,
    requests: Cell<u64>,
    born_ms: u64,
    ended: Cell<bool>,
    /// At the other end of it.
    pub(super) address: IpAddr,
    /// Whoever speaks on it.
    pub(super) acquaintance: Acquaintance,
    /// Accepted while draining, at this time. It hears that, and holds the drain up no longer.
    fresh_since_ms: Option<u64>,
}

impl Peer {
    fn new(now_ms: Rc<Cell<u64>>, limits: &HttpLimits, fresh: bool, address: IpAddr) -> Self {
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
            acquaintance: Acquaintance::default(),
            fresh_since_ms: fresh.then(|| now_ms.get()),
            now_ms,
        }
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
        !self.framing.borrow().is_lost()
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

    fn is_late(&self, limits: &HttpLimits) -> bool {
        let now_ms = self.now_ms.get();
        let over = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) > limit_ms;
        let stage_over = match self.stage.get() {
            Stage::Handshake => over(self.since_ms.get(), limits.handshake_timeout_ms),
            Stage::Idle => over(self.since_ms.get(), limits.idle_ms),
            Stage::Head => over(self.since_ms.get(), limits.header_timeout_ms),
            Stage::Serving => false,
        };
        let stuck = self.stuck_since_ms.get();
        stage_over || stuck.is_some_and(|since_ms| over(since_ms, limits.write_timeout_ms))
    }

    /// What a drain wants of it. A head that has begun is heard, to be told that the server drains.
    fn wish_of_drain(&self) -> Wish {
        if self.wish.get() == Wish::End {
            return Wish::End;
        }
        let over = self
            .fresh_since_ms
            .map(|since_ms| self.now_ms.get().saturating_sub(since_ms) > FRESH_MS);
        match (over, self.stage.get()) {
            (Some(false), _) | (None, Stage::Head) => Wish::Stay,
            (_, Stage::Handshake) | (Some(true), Stage::Idle | Stage::Head) => Wish::End,
            (Some(true), Stage::Serving) | (None, Stage::Idle | Stage::Serving) => Wish::Finish,
        }
    }

    fn wish(&self, wish: Wish) {
        self.wish.set(wish);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn wake_with(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }
}

/// What one IO thread serves with.
#[derive(Debug)]
pub(super) struct Worker<A> {
    pub(super) front: Arc<Front>,
    pub(super) lane: Rc<A>,
    pub(super) tokens: Rc<Kept<Tokens>>,
    pub(super) usher: Usher,
    peers: RefCell<Vec<Rc<Peer>>>,
    now_ms: Rc<Cell<u64>>,
    /// What buyers ask for, and when that was last halved.
    hot: RefCell<Hot>,
    hot_since_ms: Cell<u64>,
    /// What this thread refuses by itself.
    pub(super) refuser: Refuser,
    /// A connection came.
    enrolled: Notify,
    /// Answers to lines of batches that clients have not taken yet, in bytes.
    pub(super) answers_bytes: Rc<Cell<usize>>,
}

impl<A: Ask> Worker<A> {
    pub(super) fn new(front: Arc<Front>, lane: Rc<A>) -> Rc<Self> {
        let now_ms = Rc::new(Cell::new(front.clock.elapsed_ms()));
        Rc::new(Self {
            tokens: Rc::new(Kept::new(front.tokens.clone())),
            usher: Usher::new(&front.doors, now_ms.get()),
            refuser: Refuser::at(&front.edge),
            front,
            lane,
            peers: RefCell::default(),
            hot: RefCell::default(),
            hot_since_ms: Cell::new(now_ms.get()),
            now_ms,
            enrolled: Notify::new(),
            answers_bytes: Rc::default(),
        })
    }

    /// What this thread counts.
    pub(super) fn meter(&self) -> &IoMeter {
        self.front.meters.io(self.lane.number())
    }

    /// When the connections were last looked at, in milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// Counts SKUs that an order asks for.
    pub(super) fn count_hot<'n>(&self, skus: impl Iterator<Item = &'n str>) {
        let mut hot = self.hot.borrow_mut();
        skus.for_each(|sku| hot.count(sku));
    }

    fn show_hot(&self) {
        let mut hot = self.hot.borrow_mut();
        if self.now_ms.get().saturating_sub(self.hot_since_ms.get()) >= HOT_HALF_MS {
            self.hot_since_ms.set(self.now_ms.get());
            hot.halve();
        }
        self.meter().show_hot(&hot);
    }

    /// Looks at every connection once; says how many there are.
    fn sweep(&self) -> usize {
        self.now_ms.set(self.front.clock.elapsed_ms());
        self.show_hot();
        self.meter().set_limit(self.usher.limit() as u64);
        let draining = self.front.phase() == Phase::Draining;
        for peer in self.peers.borrow().iter() {
            if peer.is_late(&self.front.limits) {
                peer.wish(Wish::End);
            } else if draining && peer.wish.get() != peer.wish_of_drain() {
                peer.wish(peer.wish_of_drain());
            } else if peer.stage() == Stage::Idle && peer.is_spent(&self.front.limits) {
                peer.wish(Wish::Finish);
            }
        }
        let open = self.peers.borrow().len();
        // With nobody there it may be long until the next look.
        self.refuser.hand_in(&*self.lane, self.now_ms.get(), open == 0);
        open
    }

    /// Connections that were there when the drain began.
    fn holds_drain(&self) -> bool {
        self.peers.borrow().iter().any(|peer| peer.fresh_since_ms.is_none())
    }

    /// Sleeps while there is no connection to look after, so that an idle server costs nothing.
    async fn rest(&self) {
        let mut drained = pin!(self.front.drained.notified());
        // From here on a drain wakes; one that began before shows in the phase.
        drained.as_mut().enable();
        if self.front.phase() != Phase::Draining {
            tokio::select! { () = drained => (), () = self.enrolled.notified() => () }
        }
    }

    /// Takes a place among the connections; none if there is none left for this address.
    fn enrol(self: &Rc<Self>, address: IpAddr) -> Option<Enrolled<A>> {
        let address = address.to_canonical();
        let seat = self.seat(address)?;
        // Nobody sweeps while there are no connections.
        self.now_ms.set(self.front.clock.elapsed_ms());
        self.enrolled.notify_one();
        let fresh = self.front.phase() == Phase::Draining;
        let limits = &self.front.limits;
        let peer = Rc::new(Peer::new(self.now_ms.clone(), limits, fresh, address));
        let mut peers = self.peers.borrow_mut();
        peer.place.set(peers.len());
        peers.push(peer.clone());
        Some(Enrolled { worker: self.clone(), peer, _seat: seat })
    }
}

/// A place among the connections, given back when it is dropped.
struct Enrolled<A: Ask> {
    worker: Rc<Worker<A>>,
    peer: Rc<Peer>,
    /// Its place among those of its address, where they are counted.
    _seat: Option<Seat>,
}

impl<A: Ask> Drop for Enrolled<A> {
    fn drop(&mut self) {
        let mut peers = self.worker.peers.borrow_mut();
        let place = self.peer.place.get();
        peers.swap_remove(place);
        if let Some(moved) = peers.get(place) {
            moved.place.set(place);
        }
        self.worker.front.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts and serves connections on this IO thread until `Front::drain`, then until the last of
/// them has ended or the drain's time is over. Meanwhile it goes on accepting, so that whoever asks
/// hears that the server drains; those who come then do not make it last. Must run where
/// `spawn_local` works.
pub async fn serve(listener: TcpListener, front: Arc<Front>, lane: Rc<Lane>) {
    let worker = Worker::new(front, lane);
    let accepting = tokio::task::spawn_local(accept(listener, worker.clone()));
    let mut ticks = tokio::time::interval(Duration::from_millis(SWEEP_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let open = worker.sweep();
        if worker.front.phase() == Phase::Draining {
            let end_ms = worker.front.drain_end_ms.load(Ordering::Acquire);
            let late = worker.now_ms.get() >= end_ms;
            if late {
                // Whoever waits for the writer hears that, and need not guess.
                worker.lane.give_up();
            }
            if late || !worker.holds_drain() {
                accepting.abort();
            }
            if open == 0 || worker.now_ms.get() >= end_ms.saturating_add(GIVEN_UP_MS) {
                break;
            }
        } else if open == 0 {
            worker.rest().await;
        }
        ticks.tick().await;
    }
    worker.peers.borrow().iter().for_each(|peer| peer.wish(Wish::End));
    // No connection is served between this and the end of the thread's requests.
    worker.refuser.end(&*worker.lane);
}

async fn accept<A: Ask>(listener: TcpListener, worker: Rc<Worker<A>>) {
    let builder = Rc::new(builder(&worker.front.limits));
    loop {
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                worker.front.accepting.failed(&error, worker.front.clock.elapsed_ms()).await;
                continue;
            }
        };
        let Some(enrolled) = worker.enrol(address.ip()) else { continue };
        // Without it answers wait for acknowledgements; it fails only on a dead socket.
        let _ = socket.set_nodelay(true);
        let builder = builder.clone();
        if worker.front.handshakes.is_some() {
            tokio::task::spawn_local(secured(socket, enrolled, builder));
        } else {
            tokio::task::spawn_local(connection(socket, enrolled, builder));
        }
    }
}

/// A connection that begins with a handshake.
async fn secured<A: Ask>(socket: TcpStream, enrolled: Enrolled<A>, builder: Rc<http1::Builder>) {
    if let Some(stream) = shaken(socket, &enrolled).await {
        enrolled.peer.enter(Stage::Idle);
        connection(stream, enrolled, builder).await;
    }
}

async fn shaken<A: Ask>(socket: TcpStream, enrolled: &Enrolled<A>) -> Option<Secured> {
    let Enrolled { worker, peer, .. } = enrolled;
    peer.enter(Stage::Handshake);
    let handshakes = worker.front.handshakes.as_ref()?;
    let mut shaking = pin!(handshakes.shake(worker.lane.number(), socket));
    poll_fn(|context| {
        peer.wake_with(context.waker());
        match peer.wish.get() {
            Wish::End => Poll::Ready(None),
            _ => shaking.as_mut().poll(context),
        }
    })
    .await
}

fn builder(limits: &HttpLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_headers(limits.headers_max)
        .max_header_size(limits.header_bytes_max)
        // Bounds what a connection can make us keep; hyper takes no less than 8 KiB.
        .max_buf_size((2 * limits.header_bytes_max).max(16 * 1024))
        // A client that has sent all it wants to send still waits for its answer.
        .half_close(true)
        // The sweep sees to that.
        .header_read_timeout(None);
    builder
}

async fn connection<S, A>(socket: S, enrolled: Enrolled<A>, builder: Rc<http1::Builder>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Ask,
{
    let Enrolled { worker, peer, .. } = &enrolled;
    let stream = Stream::new(socket, peer.clone());
    let service = service_fn(|request| service::serve(worker.clone(), peer.clone(), request));
    let mut connection = builder.serve_connection(stream, service);
    let mut told = false;
    let ended = poll_fn(|context| {
        peer.wake_with(context.waker());
        match peer.wish.get() {
            Wish::End => return Poll::Ready(false),
            Wish::Finish if !told => {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            _ => {}
        }
        // How it ended is the client's affair; it was told what there was to tell.
        Pin::new(&mut connection).poll(context).map(|_| true)
    })
    .await;
    if ended && !peer.ended.get() {
        linger(connection.into_parts().io.socket).await;
    }
}

#[cfg(feature = "doors")]
#[path = "doors.rs"]
pub mod doors;

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
