//! Closed-loop load: so many connections, each with one request under way.
//!
//! For CPU per request, not for latency under a given rate: a closed loop waits with the server.
//! Each request is an order of its own: fresh user, fresh key.

use crate::error::{BenchError, io_error};
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// A minute; what takes longer counts as this.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What a load found.
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
    pub(crate) latency_ns: Histogram<u64>,
}

#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

struct Shared {
    address: SocketAddr,
    left: Cell<u64>,
    number: Cell<u64>,
    /// Tells the keys of this load from those of loads before.
    run: u64,
    latency_ns: RefCell<Histogram<u64>>,
}

/// Sends `requests` orders over `connections` connections.
pub(crate) fn orders(
    address: SocketAddr,
    connections: u64,
    requests: u64,
    run: u64,
) -> Result<Measured, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let histogram =
        Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are in order");
    let shared = Rc::new(Shared {
        address,
        left: Cell::new(requests),
        number: Cell::new(0),
        run,
        latency_ns: RefCell::new(histogram),
    });
    let begun = now();
    let local = LocalSet::new();
    let tasks: Vec<_> =
        (0..connections).map(|_| local.spawn_local(connection(shared.clone()))).collect();
    runtime.block_on(local.run_until(async {
        for task in tasks {
            task.await.expect("a connection's task does not panic")?;
        }
        Ok::<(), BenchError>(())
    }))?;
    let latency_ns = shared.latency_ns.borrow().clone();
    Ok(Measured { requests, took: begun.elapsed(), latency_ns })
}

async fn connection(shared: Rc<Shared>) -> Result<(), BenchError> {
    let mut socket =
        TcpStream::connect(shared.address).await.map_err(io_error("connect to the server"))?;
    socket.set_nodelay(true).map_err(io_error("set TCP_NODELAY"))?;
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    while let Some(left) = shared.left.get().checked_sub(1) {
        shared.left.set(left);
        let number = shared.number.get();
        shared.number.set(number + 1);
        order(&mut request, shared.run, number);
        let begun = now();
        socket.write_all(&request).await.map_err(io_error("send a request"))?;
        read_answer(&mut socket, &mut answer).await?;
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        shared.latency_ns.borrow_mut().saturating_record(took);
    }
    Ok(())
}

fn order(request: &mut Vec<u8>, run: u64, number: u64) {
    use std::io::Write;
    let body = format!(r#"{{"user":"u{run}-{number:07}","lines":[{{"sku":"bench","qty":1}}]}}"#);
    request.clear();
    write!(
        request,
        "POST /v1/orders HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         idempotency-key: key-{run}-{number:07}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("memory takes all bytes");
}

/// Reads one answer; it must be a 201, or the load measures something else.
async fn read_answer(socket: &mut TcpStream, answer: &mut Vec<u8>) -> Result<(), BenchError> {
    answer.clear();
    loop {
        let read = socket.read_buf(answer).await.map_err(io_error("read an answer"))?;
        if read == 0 || whole(answer) {
            break;
        }
    }
    if answer.starts_with(b"HTTP/1.1 201 ") && whole(answer) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    let answer = text.lines().next().unwrap_or("nothing").to_owned();
    Err(BenchError::Answer { server: "the server".to_owned(), answer })
}

/// The answer is there to its last byte.
pub(crate) fn whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&answer[..head]).unwrap_or("");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    length.is_some_and(|length: usize| answer.len() >= head + 4 + length)
}

/// Creates what is ordered, with more stock than any load takes.
pub(crate) fn put_sku(address: SocketAddr) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    runtime.block_on(async {
        let connecting = TcpStream::connect(address).await;
        let mut socket = connecting.map_err(io_error("connect to the server"))?;
        let body = r#"{"stock":1000000000}"#;
        let request = format!(
            "PUT /v1/skus/bench HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).await.map_err(io_error("send a request"))?;
        read_answer(&mut socket, &mut Vec::new()).await
    })
}
