//! Connections: accepting them, watching over them, letting them go.
//!
//! Owns the cap on connections, the sweep that keeps their deadlines, and the drain. One sweep per
//! IO thread looks at all of its connections ten times a second; a timer in each would cost every
//! request an entry in the timer wheel. Never looks into a request. Next: `connection_state`,
//! `stream`, `service`.

use super::connection_state::{CloseRequest, ConnectionState, Stage};
use super::hello;
use super::introduction;
use super::linger::linger;
use super::proxy_protocol::Source;
use super::stream::{Stream, has_unread};
use super::tls::Secured;
use crate::http::admission::{ConnectionPermit, ConnectionPlace, Reason};
use crate::http::handlers::service;
use crate::http::handlers::submit::Submit;
use crate::http::worker::Worker;
use crate::http::{Front, HttpLimits, Phase};
use crate::ring::Lane;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// What is counted of hot SKUs is halved this often.
const HOT_HALF_MS: u64 = 60_000;
/// Deadlines of connections are kept this exactly.
const SWEEP_MS: u64 = 100;
/// The shortest pause between sweeps, for lives of moments: else many would end in one sweep.
const SWEEP_MS_MIN: u64 = 10;
/// Sweeps in a life, at least.
const SWEEPS_IN_LIFE: u64 = 50;
/// Whether a stream's client may still have it is looked at this often.
const STREAMS_MS: u64 = 500;
/// So many connections are served between two looks at the sockets, at most. Few, so that what one
/// look brings is still in the cache when it is served (refusals of 256 connections in three pairs:
/// 0.82 to 0.85 of bare hyper's rate, and 0.71 to 0.76 with tokio's 61).
pub const EVENT_INTERVAL: u32 = 24;
/// Connections closed in one step of a sweep. Thousands that connected together time out together,
/// and closing them in one go would delay requests, so the sweep yields after this many. It must
/// stay below half of `EVENT_INTERVAL`, or closing would take every slot between two polls.
const ENDED_TOGETHER: usize = 8;
const _: () = assert!(ENDED_TOGETHER < EVENT_INTERVAL as usize / 2);
/// After the end of a drain, the last answers have this long to leave.
const GIVEN_UP_MS: u64 = 200;

impl<A: Submit> Worker<A> {
    fn show_hot(&self) {
        let mut hot = self.hot.borrow_mut();
        if self.now_ms.get().saturating_sub(self.hot_since_ms.get()) >= HOT_HALF_MS {
            self.hot_since_ms.set(self.now_ms.get());
            hot.halve();
        }
        self.meter().show_hot(&hot);
    }

    /// Looks at every connection once; says how many there are.
    async fn sweep(&self) -> usize {
        self.now_ms.set(self.front.clock.elapsed_ms());
        self.show_hot();
        self.meter().set_limit(self.admission.limit() as u64);
        self.limits.renew();
        self.look_after_streams();
        // From the last to the first: whoever leaves meanwhile is replaced by one that was looked
        // at.
        let mut left = self.peers.borrow().len();
        while left > 0 {
            left = self.look_at_some(left);
            if left > 0 {
                tokio::task::yield_now().await;
                // Ending thousands takes longer than deadlines may be late.
                self.now_ms.set(self.front.clock.elapsed_ms());
            }
        }
        let open = self.peers.borrow().len();
        // Without connections it may be long until the next sweep.
        self.sold_out.report_refusals(&*self.lane, self.now_ms.get(), open == 0);
        open
    }

    /// Tokens and addresses may have been taken back, or run out.
    fn look_after_streams(&self) {
        if self.now_ms.get().saturating_sub(self.streams_ms.get()) >= STREAMS_MS {
            self.streams_ms.set(self.now_ms.get());
            self.peers.borrow().iter().for_each(|peer| peer.look_after_stream());
        }
    }

    /// Until the next sweep.
    fn pause(&self) -> Duration {
        let life_ms = self.limits.get().lifetime_ms;
        Duration::from_millis((life_ms / SWEEPS_IN_LIFE).clamp(SWEEP_MS_MIN, SWEEP_MS))
    }

    /// Looks at the first so many connections, the last of them first, until some were ended; says
    /// how many are left to look at.
    fn look_at_some(&self, first: usize) -> usize {
        let draining = self.front.phase() == Phase::Draining;
        let limits = self.limits.get();
        let peers = self.peers.borrow();
        let mut ended = 0;
        for (place, peer) in peers.iter().enumerate().take(first).rev() {
            let request = match () {
                () if peer.is_late(&limits) => CloseRequest::Now,
                () if draining => peer.close_for_drain(),
                () => peer.close_for_idleness(&limits),
            };
            if peer.close_request() != request {
                if request == CloseRequest::Now && peer.stage() == Stage::Handshake {
                    self.count_refused(Reason::HandshakeTimeout);
                }
                peer.request_close(request);
                ended += 1;
            }
            if ended == ENDED_TOGETHER {
                return place;
            }
        }
        0
    }

    /// Connections that were there when the drain began.
    fn holds_drain(&self) -> bool {
        self.peers.borrow().iter().any(|peer| !peer.is_fresh())
    }

    /// Sleeps while there is no connection to look after, so that an idle server costs nothing.
    async fn rest(&self) {
        let mut drained = pin!(self.front.drained.notified());
        // From here on a drain wakes; one that began before shows in the phase.
        drained.as_mut().enable();
        if self.front.phase() != Phase::Draining {
            tokio::select! { () = drained => (), () = self.registered.notified() => () }
        }
    }

    /// Takes a place among the connections; none if there is none left for this address. A proxy
    /// may have said whose address it is.
    fn register(
        self: &Rc<Self>,
        address: IpAddr,
        proxy: Option<IpAddr>,
    ) -> Option<Registration<A>> {
        let address = address.to_canonical();
        self.limits.renew();
        let ConnectionPlace { permit, reserved } = self.take_place(address)?;
        // There is no sweep while there are no connections.
        self.now_ms.set(self.front.clock.elapsed_ms());
        self.registered.notify_one();
        let fresh = self.front.phase() == Phase::Draining;
        let peer = ConnectionState::new(self.now_ms.clone(), &self.limits.get(), fresh, address);
        let peer = Rc::new(peer.behind(proxy).in_reserve(reserved));
        if reserved {
            self.reserve.enter(peer.clone());
        }
        let mut peers = self.peers.borrow_mut();
        peer.move_to(peers.len());
        peers.push(peer.clone());
        Some(Registration { worker: self.clone(), peer, _permit: permit })
    }
}

/// A place among the connections, given back when it is dropped.
struct Registration<A: Submit> {
    worker: Rc<Worker<A>>,
    peer: Rc<ConnectionState>,
    /// Its place among those of its address, where they are counted.
    _permit: Option<ConnectionPermit>,
}

impl<A: Submit> Drop for Registration<A> {
    fn drop(&mut self) {
        let mut peers = self.worker.peers.borrow_mut();
        let place = self.peer.place();
        peers.swap_remove(place);
        if let Some(moved) = peers.get(place) {
            moved.move_to(place);
        }
        let front = &*self.worker.front;
        front.ended.fetch_add(1, Ordering::Relaxed);
        match self.peer.is_reserved() {
            true => self.worker.reserve.leave(&self.peer, &front.reserved),
            false => drop(front.connections.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}

/// Accepts and serves connections on this IO thread until `Front::drain`, then until the last of
/// them has ended or the drain's time is over. Meanwhile it goes on accepting, so that clients hear
/// that the server drains; connections that come then do not prolong it. Must run where
/// `spawn_local` works.
pub async fn serve(listener: TcpListener, front: Arc<Front>, lane: Rc<Lane>) {
    let worker = Worker::new(front, lane);
    let accepting = tokio::task::spawn_local(accept(listener, worker.clone()));
    loop {
        let open = worker.sweep().await;
        if worker.front.phase() == Phase::Draining {
            let end_ms = worker.front.drain_end_ms.load(Ordering::Acquire);
            let late = worker.now_ms.get() >= end_ms;
            if late {
                // Requests that wait for the writer are answered, and their clients need not guess.
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
        tokio::time::sleep(worker.pause()).await;
    }
    worker.peers.borrow().iter().for_each(|peer| peer.request_close(CloseRequest::Now));
    // No connection is served between this and the end of the thread's requests.
    worker.sold_out.end(&*worker.lane);
}

async fn accept<A: Submit>(listener: TcpListener, worker: Rc<Worker<A>>) {
    let mut generation = worker.limits.generation();
    let mut heads = Rc::new(builder(&worker.limits.get()));
    loop {
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                worker.front.accepting.failed(&error, worker.front.clock.elapsed_ms()).await;
                continue;
            }
        };
        let Some(registration) = worker.register(address.ip(), None) else { continue };
        // Without it answers wait for acknowledgements; it fails only on a dead socket.
        let _ = socket.set_nodelay(true);
        if generation != worker.limits.generation() {
            generation = worker.limits.generation();
            heads = Rc::new(builder(&worker.limits.get()));
        }
        let builder = heads.clone();
        if worker.is_to_introduce(&registration.peer) {
            tokio::task::spawn_local(introduced(socket, registration, builder));
        } else {
            begin(socket, registration, builder);
        }
    }
}

/// A connection that begins with the word of its proxy whose it is; from there on it is that
/// client's.
async fn introduced<A: Submit>(
    mut socket: TcpStream,
    registration: Registration<A>,
    builder: Rc<http1::Builder>,
) {
    let (worker, proxy) = (registration.worker.clone(), registration.peer.address);
    let Some(source) = introduction::hear(&mut socket, &worker, &registration.peer).await else {
        return;
    };
    let registration = match source {
        Source::Proxy => {
            registration.peer.enter(Stage::Idle);
            Some(registration)
        }
        Source::Client(address) => {
            drop(registration);
            worker.register(address, Some(proxy))
        }
    };
    if let Some(registration) = registration {
        begin(socket, registration, builder);
    }
}

fn begin<A: Submit>(socket: TcpStream, registration: Registration<A>, builder: Rc<http1::Builder>) {
    if registration.worker.front.handshakes.is_some() {
        tokio::task::spawn_local(secured(socket, registration, builder));
    } else {
        tokio::task::spawn_local(connection(socket, registration, builder, has_unread));
    }
}

/// A connection that begins with a handshake.
async fn secured<A: Submit>(
    socket: TcpStream,
    registration: Registration<A>,
    builder: Rc<http1::Builder>,
) {
    if let Some(stream) = tls_handshake(socket, &registration).await {
        registration.peer.enter(Stage::Idle);
        let has_unread = |stream: &Secured| stream.get_ref().0.has_unread();
        connection(stream, registration, builder, has_unread).await;
    }
}

async fn tls_handshake<A: Submit>(
    socket: TcpStream,
    registration: &Registration<A>,
) -> Option<Secured> {
    let Registration { worker, peer, .. } = registration;
    peer.enter(Stage::Handshake);
    let handshakes = worker.front.handshakes.as_ref()?;
    // A client that has not said all of its hello costs a connection, and no place among
    // handshakes.
    let mut handshake = pin!(async {
        hello::whole(&socket).await.ok()?;
        handshakes.secure(worker.lane.number(), socket).await
    });
    poll_fn(|context| {
        peer.wake_with(context.waker());
        match peer.close_request() {
            CloseRequest::Now => Poll::Ready(None),
            _ => handshake.as_mut().poll(context),
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

/// Serves a connection; `has_unread` tells whether bytes are in its socket that were not read.
async fn connection<S, A>(
    socket: S,
    registration: Registration<A>,
    builder: Rc<http1::Builder>,
    has_unread: fn(&S) -> bool,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Submit,
{
    let Registration { worker, peer, .. } = &registration;
    let stream = Stream::new(socket, peer.clone(), has_unread);
    let service = service_fn(|request| service::serve(worker.clone(), peer.clone(), request));
    let mut connection = builder.serve_connection(stream, service);
    let (mut told, mut left) = (false, false);
    let ended = poll_fn(|context| {
        peer.wake_with(context.waker());
        peer.begin_turn();
        match peer.close_request() {
            CloseRequest::Now => return Poll::Ready(false),
            CloseRequest::AfterResponse if !told && peer.stage() == Stage::Serving => {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            _ => {}
        }
        // How it ended is the client's affair; it was told what there was to tell.
        let ended = Pin::new(&mut connection).poll(context).map(|_| true);
        if ended.is_ready() || told || !peer.may_leave() {
            return ended;
        }
        (told, left) = (true, true);
        Pin::new(&mut connection).graceful_shutdown();
        Pin::new(&mut connection).poll(context).map(|_| true)
    })
    .await;
    // Where nothing was under way there is no answer that could be lost. A place in the reserve is
    // for the next one: what its client still sends is not waited for.
    if ended && !left && !peer.has_ended() && !peer.is_reserved() {
        let mut socket = connection.into_parts().io.socket;
        if peer.is_unasked() {
            introduction::refuse(&mut socket, worker, peer).await;
        }
        linger(socket).await;
    }
}

#[cfg(feature = "doors")]
#[path = "doors.rs"]
pub mod doors;

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
