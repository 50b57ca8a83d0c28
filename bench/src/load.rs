//! Closed-loop load: so many connections, each with one request under way.
//!
//! For CPU per request, not for latency under a given rate: a closed loop waits with the server.
//! Each request is an order of its own: fresh user, fresh key. One loop for all servers; what they
//! speak is in `protocol`.

use crate::error::{BenchError, io_error};
use crate::protocol::{Order, Protocol, Verdict};
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// A minute; what takes longer counts as this.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// What is not over so long after it should be hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// A request that is told to come again so often never ends.
const ATTEMPTS_MAX: u32 = 100;
/// Of an answer that was not expected.
const TOLD_CHARS_MAX: usize = 500;

/// What is ordered where nothing else is said, with more stock than any load takes.
pub(crate) const SKU: &str = "bench";
pub(crate) const STOCK: u64 = 1_000_000_000;

/// What a load found.
pub(crate) struct Measured {
    pub(crate) requests: u64,
    /// Of those, how many were not refused.
    pub(crate) accepted: u64,
    /// Answers that said to come again, as was done.
    pub(crate) repeated: u64,
    pub(crate) took: Duration,
    /// From sending to the answer that counts, of each request.
    pub(crate) latency_ns: Histogram<u64>,
}

/// What the answers must be, or the load measures something else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Accepted,
    Refused,
    Either,
}

/// What to send.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) connections: u64,
    /// Ends after so many requests,
    pub(crate) requests: u64,
    /// or when no request begins any more since this has passed.
    pub(crate) lasts_max: Duration,
    /// Tells the users and keys of this load from those of loads before.
    pub(crate) run: u64,
    pub(crate) sku: &'static str,
    pub(crate) expected: Expected,
}

impl Load {
    /// Orders that must all be taken.
    pub(crate) fn orders(connections: u64, requests: u64, run: u64) -> Self {
        let lasts_max = Duration::MAX;
        Self { connections, requests, lasts_max, run, sku: SKU, expected: Expected::Accepted }
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

struct Shared {
    load: Load,
    begun: Instant,
    left: Cell<u64>,
    number: Cell<u64>,
    accepted: Cell<u64>,
    repeated: Cell<u64>,
    latency_ns: RefCell<Histogram<u64>>,
}

/// Sends `requests` orders over `connections` connections to a server with Doorbuster's contract.
pub(crate) fn orders(
    address: SocketAddr,
    connections: u64,
    requests: u64,
    run: u64,
) -> Result<Measured, BenchError> {
    let load = Load::orders(connections, requests, run);
    measure(address, &Protocol::Http, &load, || Ok(0)).map(|(measured, _)| measured)
}

/// Runs a load; also says by how much `counter` went up in between. Connections are made before
/// and closed after both readings: what a server spends on them is not what is measured.
pub(crate) fn measure(
    address: SocketAddr,
    protocol: &Protocol,
    load: &Load,
    counter: impl Fn() -> Result<u64, BenchError>,
) -> Result<(Measured, u64), BenchError> {
    let histogram =
        Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are in order");
    with_event_loop(load.lasts_max, async {
        let mut connections = Vec::new();
        for _ in 0..load.connections {
            connections.push(Connection::open(address, protocol).await?);
        }
        let before = counter()?;
        let shared = Rc::new(Shared {
            load: load.clone(),
            begun: now(),
            left: Cell::new(load.requests),
            number: Cell::new(0),
            accepted: Cell::new(0),
            repeated: Cell::new(0),
            latency_ns: RefCell::new(histogram),
        });
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|connection| tokio::task::spawn_local(send(connection, shared.clone())))
            .collect();
        let mut connections = Vec::new();
        for task in tasks {
            connections.push(task.await.expect("a connection's task does not panic")?);
        }
        let took = shared.begun.elapsed();
        let counted = counter()?.saturating_sub(before);
        drop(connections);
        let latency_ns = shared.latency_ns.borrow().clone();
        let (requests, accepted) = (shared.number.get(), shared.accepted.get());
        let repeated = shared.repeated.get();
        Ok((Measured { requests, accepted, repeated, took, latency_ns }, counted))
    })
    .inspect(|(measured, _)| {
        if measured.repeated > 0 {
            println!("{} answers said to come again; the orders were repeated", measured.repeated);
        }
    })
}

/// Sends a request over a connection of its own; the answer.
pub(crate) fn ask(
    address: SocketAddr,
    protocol: &Protocol,
    request: Vec<u8>,
) -> Result<Vec<u8>, BenchError> {
    with_event_loop(Duration::ZERO, async {
        let mut connection = Connection::open(address, protocol).await?;
        connection.request = request;
        connection.ask().await?;
        Ok(connection.answer)
    })
}

/// Creates what is ordered.
pub(crate) fn put_sku(
    address: SocketAddr,
    protocol: &Protocol,
    sku: &str,
    stock: u64,
) -> Result<(), BenchError> {
    let answer = ask(address, protocol, protocol.put_sku(sku, stock))?;
    match protocol.verdict(&answer) {
        Verdict::Accepted(_) => Ok(()),
        Verdict::Refused | Verdict::Other => Err(unexpected(&answer)),
    }
}

/// What came instead, as far as it is worth telling: its first line, and of an HTTP answer what is
/// after its head too.
pub(crate) fn unexpected(answer: &[u8]) -> BenchError {
    let text = String::from_utf8_lossy(answer);
    let first = text.lines().next().unwrap_or("nothing");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let answer = format!("{first} {body}").trim_end().chars().take(TOLD_CHARS_MAX).collect();
    BenchError::Answer { server: "the server".to_owned(), answer }
}

/// The id of the order in an answer to a request for one.
pub(crate) fn order_id(answer: &[u8]) -> Result<String, BenchError> {
    let text = String::from_utf8_lossy(answer);
    let id = text.split_once("\"id\":\"").and_then(|(_, rest)| rest.split_once('"'));
    id.map(|(id, _)| id.to_owned()).ok_or_else(|| unexpected(answer))
}

pub(crate) fn with_event_loop<T>(
    lasts_max: Duration,
    doing: impl Future<Output = Result<T, BenchError>>,
) -> Result<T, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let bounded = async {
        let hangs = |_| io_error("get answers in time")(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(lasts_max.saturating_add(PATIENCE), doing).await.map_err(hangs)?
    };
    LocalSet::new().block_on(&runtime, bounded)
}

async fn send(mut connection: Connection, shared: Rc<Shared>) -> Result<Connection, BenchError> {
    let (mut user, mut key) = (String::new(), String::new());
    let Load { run, sku, expected, lasts_max, .. } = shared.load.clone();
    while let Some(left) = shared.left.get().checked_sub(1) {
        shared.left.set(left);
        let number = shared.number.get();
        shared.number.set(number + 1);
        user.clear();
        key.clear();
        write!(user, "u{run}-{number:07}").expect("memory takes all text");
        write!(key, "key-{run}-{number:07}").expect("memory takes all text");
        let order = Order { sku, user: &user, key: &key };
        connection.protocol.order(&mut connection.request, &order);
        let mut begun = now();
        connection.ask().await?;
        for _ in 1..ATTEMPTS_MAX {
            // As a client does: after the time that it is told, with the same key.
            let Some(after) = connection.protocol.retry_after(&connection.answer) else { break };
            shared.repeated.set(shared.repeated.get() + 1);
            if now() + after - shared.begun >= lasts_max {
                return Ok(connection);
            }
            tokio::time::sleep(after).await;
            begun = now();
            connection.ask().await?;
        }
        let ended = now();
        let took = u64::try_from((ended - begun).as_nanos()).unwrap_or(u64::MAX);
        shared.latency_ns.borrow_mut().saturating_record(took);
        match (connection.protocol.verdict(&connection.answer), expected) {
            (Verdict::Accepted(_), Expected::Accepted | Expected::Either) => {
                shared.accepted.set(shared.accepted.get() + 1);
            }
            (Verdict::Refused, Expected::Refused | Expected::Either) => {}
            _ => return Err(unexpected(&connection.answer)),
        }
        if ended - shared.begun >= lasts_max {
            shared.left.set(0);
        }
    }
    Ok(connection)
}

/// A connection with its buffers, ready for an order.
pub(crate) struct Connection {
    socket: TcpStream,
    protocol: Protocol,
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, protocol: &Protocol) -> Result<Self, BenchError> {
        let connecting = TcpStream::connect(address).await;
        let socket = connecting.map_err(io_error("connect to the server"))?;
        socket.set_nodelay(true).map_err(io_error("set TCP_NODELAY"))?;
        let protocol = protocol.clone();
        let mut connection = Self { socket, protocol, request: Vec::new(), answer: Vec::new() };
        for greeting in connection.protocol.greetings() {
            connection.request = greeting;
            connection.ask().await?;
            if connection.protocol.verdict(&connection.answer) == Verdict::Other {
                return Err(unexpected(&connection.answer));
            }
        }
        Ok(connection)
    }

    /// Sends the request and reads its whole answer.
    pub(crate) async fn ask(&mut self) -> Result<(), BenchError> {
        self.socket.write_all(&self.request).await.map_err(io_error("send a request"))?;
        self.answer.clear();
        while !self.protocol.whole(&self.answer) {
            let read = self.socket.read_buf(&mut self.answer).await;
            if read.map_err(io_error("read an answer"))? == 0 {
                return Err(unexpected(&self.answer));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_not_expected_tells_its_problem() {
        let told = |answer: &str| unexpected(answer.as_bytes()).to_string();
        let refused =
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\r\n{\"code\":\"overloaded\"}";
        assert_eq!(
            told(refused),
            r#"the server answered "HTTP/1.1 503 Service Unavailable {\"code\":\"overloaded\"}""#
        );
        assert_eq!(
            told("-ERR unknown command\r\n"),
            r#"the server answered "-ERR unknown command""#
        );
        assert_eq!(told(""), r#"the server answered "nothing""#);
    }

    #[test]
    fn an_order_is_known_by_its_id() {
        let id = order_id(b"HTTP/1.1 201 Created\r\n\r\n{\"id\":\"1-17\",\"user\":\"u\"}").unwrap();
        assert_eq!(id, "1-17");
        assert!(order_id(b"HTTP/1.1 201 Created\r\n\r\n{}").is_err());
    }
}
