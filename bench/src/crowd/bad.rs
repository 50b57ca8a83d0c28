//! Clients that hold connections open: silent ones, and those that write or read far too slowly.
//!
//! Owns what each kind does; a client that the server ends comes again, a thousand a second at
//! most. After `stop` none comes, and those that are there stay slow until the server ends them.

use super::event_loop::on_event_loop;
use crate::error::{BenchError, io_error};
use crate::load::now;
use rustix::process::setpriority_process;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// How one of them misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says nothing.
    Idle,
    /// A byte of a head now and then.
    Head,
    /// A byte of a body now and then.
    Body,
    /// Asks for much and does not read it.
    Read,
}

/// Between two bytes of the slow.
const DRIP: Duration = Duration::from_secs(1);
/// So many are connecting at a time: the system keeps only so many for the server to accept.
const TOGETHER: usize = 200;
/// Between two that come again.
const COMES_EVERY: Duration = Duration::from_millis(1);
/// Of what the deaf ask for, each answer is some 100 KiB.
const ASKS: usize = 200;
/// How often it is looked whether all is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// As `nice` counts it.
pub(super) const LEAST_PRIORITY: i32 = 19;
/// A small window, so that the server's answers fill it.
const WINDOW_BYTES: u32 = 4096;

impl Kind {
    const ALL: [Self; 4] = [Self::Idle, Self::Head, Self::Body, Self::Read];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "slow heads",
            Self::Body => "slow bodies",
            Self::Read => "slow reads",
        }
    }
}

/// What came of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    /// How many of each kind the server ended so far.
    pub(super) ended: [u64; 4],
    /// The most that all sockets of the machine had waiting in the kernel, in bytes.
    pub(super) kernel_bytes: u64,
    /// CPU time of the crowd's own thread since all were there, in nanoseconds.
    pub(super) cpu_ns: u64,
}

/// The crowd, on a thread of its own.
pub(super) struct Bad {
    stopping: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    counted: mpsc::Receiver<Counted>,
    thread: Option<JoinHandle<Result<(), BenchError>>>,
}

impl Bad {
    /// Connects all of them, and comes back when they are there.
    pub(super) fn gather(
        address: SocketAddr,
        counts: &[(Kind, usize)],
    ) -> Result<Self, BenchError> {
        let (stopping, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (there, gathered) = mpsc::channel();
        let (count, counted) = mpsc::channel();
        let (counts, until) = (counts.to_vec(), (stopping.clone(), over.clone()));
        let thread = thread::spawn(move || {
            // It stands for thousands of other machines: its own work, such as thousands of ends at
            // once, must not take the cores from those that are measured. Of this thread only.
            setpriority_process(None, LEAST_PRIORITY).map_err(|errno| BenchError::Io {
                operation: "lower the crowd's priority".to_owned(),
                cause: errno.into(),
            })?;
            on_event_loop(async move { crowd(address, &counts, until, &there, &count).await })
        });
        // Where it fails, its thread says why.
        if gathered.recv().is_err() {
            return match thread.join().expect("it does not panic") {
                Ok(()) => Err(BenchError::Usage("there is no crowd to gather".to_owned())),
                Err(error) => Err(error),
            };
        }
        Ok(Self { stopping, over, counted, thread: Some(thread) })
    }

    /// Lets no client come again. Those that are there stay until the server ends them, or this is
    /// dropped.
    pub(super) fn stop(&self) -> Counted {
        self.stopping.store(true, Ordering::Relaxed);
        self.counted.recv().unwrap_or_default()
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn crowd(
    address: SocketAddr,
    counts: &[(Kind, usize)],
    (stopping, over): (Arc<AtomicBool>, Arc<AtomicBool>),
    there: &mpsc::Sender<()>,
    count: &mpsc::Sender<Counted>,
) -> Result<(), BenchError> {
    let ended: Rc<[Cell<u64>; 4]> = Rc::default();
    let next_at = Rc::new(Cell::new(now()));
    let mut sockets = Vec::new();
    for (kind, count) in counts {
        let mut left = *count;
        while left > 0 {
            let together = left.min(TOGETHER);
            left -= together;
            let connecting: Vec<_> =
                (0..together).map(|_| tokio::task::spawn_local(connect(address, *kind))).collect();
            for connecting in connecting {
                let socket = connecting.await.expect("it does not panic");
                sockets.push((*kind, socket.map_err(io_error("connect one of the crowd"))?));
            }
        }
    }
    for (kind, socket) in sockets {
        let (ended, stopping, next_at) = (ended.clone(), stopping.clone(), next_at.clone());
        tokio::task::spawn_local(async move {
            let mut socket = socket;
            loop {
                misbehave(kind, &mut socket).await;
                let at = Kind::ALL.iter().position(|own| *own == kind).unwrap_or(0);
                ended[at].set(ended[at].get() + 1);
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                // Thousands are ended in the same moment; they do not come back in one.
                let at = next_at.get().max(now());
                next_at.set(at + COMES_EVERY);
                tokio::time::sleep_until(at.into()).await;
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(next) = connect(address, kind).await else { return };
                socket = next;
            }
        });
    }
    // The receiver is gone if the measurement failed.
    let _ = there.send(());
    let (mut kernel_bytes, begun_ns) = (0, own_cpu_ns()?);
    while !stopping.load(Ordering::Relaxed) {
        kernel_bytes = kernel_bytes.max(socket_bytes()?);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let ended = std::array::from_fn(|at| ended[at].get());
    let _ = count.send(Counted { ended, kernel_bytes, cpu_ns: own_cpu_ns()? - begun_ns });
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// CPU time of this thread, as the scheduler counts it.
fn own_cpu_ns() -> Result<u64, BenchError> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat");
    let text = text.map_err(io_error("read the CPU time of the crowd"))?;
    Ok(text.split_whitespace().next().and_then(|spent| spent.parse().ok()).unwrap_or(0))
}

/// What TCP sockets of the machine have waiting in the kernel, as it counts that: in pages.
fn socket_bytes() -> Result<u64, BenchError> {
    let text = std::fs::read_to_string("/proc/net/sockstat");
    let text = text.map_err(io_error("read the memory of sockets"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "));
    let pages = line.and_then(|line| line.split_once(" mem ")?.1.split_whitespace().next());
    let pages = pages.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    Ok(pages * rustix::param::page_size() as u64)
}

async fn connect(address: SocketAddr, kind: Kind) -> std::io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    if kind == Kind::Read {
        socket.set_recv_buffer_size(WINDOW_BYTES)?;
    }
    socket.connect(address).await
}

/// Until the server ends it.
async fn misbehave(kind: Kind, socket: &mut TcpStream) {
    match kind {
        Kind::Idle => drip(socket, b"", 0).await,
        Kind::Head => drip(socket, b"GET /livez HTTP/1.1\r\nX-Slow: ", usize::MAX).await,
        Kind::Body => {
            let head = b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: slow\r\n\
                         Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
            drip(socket, head, usize::MAX).await;
        }
        Kind::Read => {
            let asks = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(ASKS);
            if socket.write_all(&asks).await.is_err() {
                return;
            }
            // A write is the only way to learn of the end without reading.
            loop {
                tokio::time::sleep(DRIP).await;
                if socket.write_all(b"\r\n").await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Sends a start, then a byte now and then, at most so many; ends when the server does.
async fn drip(socket: &mut TcpStream, start: &[u8], bytes_max: usize) {
    if socket.write_all(start).await.is_err() {
        return;
    }
    let (mut reader, mut writer) = socket.split();
    let heard = async {
        let mut bytes = [0; 256];
        while matches!(reader.read(&mut bytes).await, Ok(1..)) {}
    };
    let sent = async {
        for _ in 0..bytes_max {
            tokio::time::sleep(DRIP).await;
            if writer.write_all(b"x").await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! { () = heard => (), () = sent => () }
}
