//! Durable decisions a second over HTTP, many to a request: closed-loop batches of orders, each
//! line a fresh user and a fresh key, each answer checked to be a 201.
//!
//! Client and server share the machine. Next: `peers` for single requests.

use crate::arguments::{ServerOptions, at_least_one};
use crate::error::{BenchError, io_error};
use crate::load::now;
use crate::memory;
use crate::peers::{self, median, start};
use std::cell::Cell;
use std::io::BufRead;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// What to send, and how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Lines of a batch
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) lines: u64,
    /// Connections, each with one batch under way
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8", value_parser = at_least_one::<u64>())]
    pub(crate) connections: Vec<u64>,
    /// Lines a round
    #[arg(long, default_value_t = 400_000, value_parser = at_least_one::<u64>())]
    pub(crate) total: u64,
    /// Rounds; the table shows each, and the median of all but the first, which warms up
    #[arg(long, default_value_t = 4, value_parser = at_least_one::<usize>())]
    pub(crate) rounds: usize,
    /// Durability mode
    #[arg(long, default_value = "group")]
    pub(crate) durability: String,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    measure(options).map(drop)
}

/// Prints a table; for each number of connections the median of decisions a second.
pub(crate) fn measure(options: &Options) -> Result<Vec<(u64, f64)>, BenchError> {
    let folder = peers::data_folder(options.server.data.as_deref())?;
    println!("batches of {} orders, durability {}", options.lines, options.durability);
    println!("{:>5} {:>14} {:>16}  rounds", "conns", "decisions/s", "server CPU us");
    let mut found = Vec::new();
    for &connections in &options.connections {
        let data = folder.path().join(format!("{connections}"));
        let server =
            start::doorbuster(options.server.binary.as_deref(), &options.durability, &data);
        let server = server?;
        let (mut rates, mut cpus) = (Vec::new(), Vec::new());
        for round in 0..options.rounds.max(2) {
            memory::have();
            let before = server.cpu_ns()?;
            let load = Load { lines: options.lines, total: options.total, connections };
            let took = send(server.address, load, round)?;
            let lines = options.total.div_ceil(options.lines) * options.lines;
            rates.push(lines as f64 / took.as_secs_f64());
            cpus.push((server.cpu_ns()? - before) as f64 / 1000.0 / lines as f64);
        }
        let shown: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
        println!(
            "{connections:>5} {:>14.0} {:>16.2}  {}",
            median(rates[1..].iter().copied()),
            median(cpus[1..].iter().copied()),
            shown.join(" ")
        );
        found.push((connections, median(rates[1..].iter().copied())));
    }
    Ok(found)
}

/// Orders in batches.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Lines of a batch.
    pub(crate) lines: u64,
    /// Lines in all, rounded up to whole batches.
    pub(crate) total: u64,
    /// Connections, each with one batch under way.
    pub(crate) connections: u64,
}

/// Sends them and says how long that took; each order is a fresh user's under a fresh key, as long
/// as no round has the same number.
pub(crate) fn send(address: SocketAddr, load: Load, round: usize) -> Result<Duration, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let left = Rc::new(Cell::new(load.total.div_ceil(load.lines)));
    let begun = now();
    let local = LocalSet::new();
    let tasks: Vec<_> = (0..load.connections)
        .map(|number| {
            let request = Request::new(load.lines, &format!("{round:02}-{number:02}"));
            local.spawn_local(connection(address, left.clone(), request))
        })
        .collect();
    runtime.block_on(local.run_until(async {
        for task in tasks {
            task.await.expect("a connection's task does not panic")?;
        }
        Ok::<(), BenchError>(())
    }))?;
    Ok(begun.elapsed())
}

/// One batch, of which only the numbers change.
struct Request {
    bytes: Vec<u8>,
    /// Where each line's number stands, twice.
    places: Vec<[usize; 2]>,
    number: u64,
}

const NUMBER_DIGITS: usize = 9;

impl Request {
    fn new(lines: u64, run: &str) -> Self {
        let line = |digits: &str| {
            format!(
                "{{\"op\":\"order\",\"key\":\"k{run}-{digits}\",\"user\":\"u{run}-{digits}\",\
                 \"lines\":[{{\"sku\":\"bench\",\"qty\":1}}]}}\n"
            )
        };
        let blank = line("#########");
        let body_bytes = blank.len() as u64 * lines;
        let mut bytes = format!(
            "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
             content-length: {body_bytes}\r\n\r\n"
        )
        .into_bytes();
        let mut places = Vec::new();
        for _ in 0..lines {
            let mut found = blank.match_indices("#########").map(|(at, _)| bytes.len() + at);
            places.push([found.next(), found.next()].map(|at| at.expect("two numbers a line")));
            bytes.extend_from_slice(blank.as_bytes());
        }
        Self { bytes, places, number: 0 }
    }

    fn renew(&mut self) {
        for places in &self.places {
            let mut rest = self.number;
            self.number += 1;
            let mut digits = [b'0'; NUMBER_DIGITS];
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            for &at in places {
                self.bytes[at..at + NUMBER_DIGITS].copy_from_slice(&digits);
            }
        }
    }
}

async fn connection(
    address: SocketAddr,
    left: Rc<Cell<u64>>,
    mut request: Request,
) -> Result<(), BenchError> {
    let mut socket = TcpStream::connect(address).await.map_err(io_error("connect"))?;
    socket.set_nodelay(true).map_err(io_error("set TCP_NODELAY"))?;
    let (mut reader, mut writer) = socket.split();
    let mut answer = Vec::new();
    while let Some(now_left) = left.get().checked_sub(1) {
        left.set(now_left);
        request.renew();
        answer.clear();
        let sent = async { writer.write_all(&request.bytes).await.map_err(io_error("send")) };
        let (sent, read) = tokio::join!(sent, read_chunked(&mut reader, &mut answer));
        sent.and(read)?;
        check(&answer, request.places.len())?;
    }
    Ok(())
}

pub(crate) async fn read_chunked(
    reader: &mut (impl AsyncReadExt + Unpin),
    answer: &mut Vec<u8>,
) -> Result<(), BenchError> {
    while !answer.ends_with(b"\r\n0\r\n\r\n") {
        answer.reserve(256 * 1024);
        if reader.read_buf(answer).await.map_err(io_error("read an answer"))? == 0 {
            break;
        }
    }
    Ok(())
}

/// How long the first line is; reading from memory cannot fail.
fn line_bytes(mut text: &[u8]) -> usize {
    let bytes = text.len();
    text.skip_until(b'\n').unwrap_or(bytes)
}

/// Every line must be a 201, or the load measures something else.
fn check(answer: &[u8], lines: usize) -> Result<(), BenchError> {
    let wrong = |answer: &[u8]| BenchError::Answer {
        server: "the server".to_owned(),
        answer: String::from_utf8_lossy(answer.get(..200).unwrap_or(answer)).into_owned(),
    };
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let mut rest = head.and_then(|at| answer.get(at + 4..)).ok_or_else(|| wrong(answer))?;
    let mut body = Vec::with_capacity(answer.len());
    loop {
        let used = line_bytes(rest);
        let size = rest.get(..used).map(<[u8]>::trim_ascii);
        let size = size.and_then(|size| str::from_utf8(size).ok());
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let chunk = size.and_then(|size| rest.get(used..used + size));
        match chunk {
            None => return Err(wrong(rest)),
            Some([]) => break,
            Some(chunk) => {
                body.extend_from_slice(chunk);
                rest = rest.get(used + chunk.len() + 2..).unwrap_or_default();
            }
        }
    }
    let (mut found, mut rest) = (0, body.as_slice());
    while !rest.is_empty() {
        if !rest.starts_with(b"{\"status\":201,") {
            return Err(wrong(rest));
        }
        found += 1;
        rest = &rest[line_bytes(rest)..];
    }
    if found == lines && answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(wrong(answer)) }
}
