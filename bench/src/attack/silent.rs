//! Connections that are held open and from which nothing more comes: silent from the beginning, or
//! after some bytes.
//!
//! Owns the thread that holds them, and how many the server ended. New ones go on coming at a rate,
//! as they do from a client that opens without end. Next: `storm`.

use super::storm::connect;
use crate::error::{BenchError, io_error};
use crate::load;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_local;

/// So many are connecting at a time: the system keeps only so many for the server to accept.
const TOGETHER: u64 = 200;
const TICK: Duration = Duration::from_millis(20);
const TICKS_A_SECOND: u64 = 50;
/// As `nice` counts it.
const LEAST_PRIORITY: i32 = 19;
/// Open files of this process, and of a server, beyond their connections.
const OWN_FILES: u64 = 600;

/// How many connections both a server and this process may have, of so many that are wanted; raises
/// the limits, of the processes that are started from here on too, as far as the system lets it.
pub(super) fn room_for(wanted: u64) -> Result<u64, BenchError> {
    let needed = wanted + OWN_FILES;
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    let raise = |most: u64| {
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })
    };
    if allowed >= needed {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let raised = setrlimit(Resource::Nofile, raised);
        raised.map_err(|errno| io_error("raise the limit of open files")(errno.into()))?;
    } else if raise(needed).is_err() {
        let raised = raise(allowed);
        raised.map_err(|errno| io_error("raise the limit of open files")(errno.into()))?;
        return Ok(allowed.saturating_sub(OWN_FILES));
    }
    Ok(wanted)
}

/// What is held open.
pub(super) struct Silent {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<Result<(), BenchError>>>,
}

/// How many of them there are.
#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    ended: AtomicU64,
}

impl Silent {
    /// Opens so many and sends the bytes on each, and then so many more a second; comes back when
    /// the first are there.
    pub(super) fn gather(
        address: SocketAddr,
        bytes: &[u8],
        (count, a_second): (u64, u64),
    ) -> Result<Self, BenchError> {
        let (stop, counts): (Arc<AtomicBool>, Arc<Counts>) = Default::default();
        let (there, gathered) = mpsc::channel();
        let shared = (stop.clone(), counts.clone(), Arc::from(bytes));
        let thread = thread::spawn(move || {
            load::with_event_loop(Duration::MAX, async {
                hold(address, (count, a_second), shared, &there).await
            })
        });
        let silent = Self { stop, counts, thread: Some(thread) };
        match gathered.recv() {
            Ok(()) => Ok(silent),
            Err(_) => silent.leave().and_then(|_| {
                Err(BenchError::Usage("the crowd of silent connections did not come".to_owned()))
            }),
        }
    }

    /// Connections that were opened, and those of them that the server ended.
    pub(super) fn counts(&self) -> (u64, u64) {
        let Counts { opened, ended } = &*self.counts;
        (opened.load(Ordering::Relaxed), ended.load(Ordering::Relaxed))
    }

    /// All are closed; the counts of before.
    pub(super) fn leave(mut self) -> Result<(u64, u64), BenchError> {
        let counts = self.counts();
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| ended.expect("the crowd's thread does not panic"))?;
        Ok(counts)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Where a measurement failed, its error counts and not this one's.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

type Shared = (Arc<AtomicBool>, Arc<Counts>, Arc<[u8]>);

/// Opens and holds them until told to stop; all end with the event loop.
async fn hold(
    address: SocketAddr,
    (count, a_second): (u64, u64),
    (stop, counts, bytes): Shared,
    there: &mpsc::Sender<()>,
) -> Result<(), BenchError> {
    let mut left = count;
    while left > 0 {
        let together = left.min(TOGETHER);
        left -= together;
        let opening: Vec<_> = (0..together)
            .map(|_| spawn_local(open(address, counts.clone(), bytes.clone())))
            .collect();
        for opened in opening {
            opened.await.expect("a silent connection's task does not panic");
        }
    }
    // The first must be there before the server ends them again. From here on this stands for other
    // machines: thousands of ends at once must not take the cores from those that are measured.
    let lowered = rustix::process::setpriority_process(None, LEAST_PRIORITY);
    lowered.map_err(|errno| io_error("lower the crowd's priority")(errno.into()))?;
    // The receiver is gone if the measurement failed.
    let _ = there.send(());
    let mut ticks = tokio::time::interval(TICK);
    let mut come = 0;
    for tick in 1.. {
        ticks.tick().await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = tick * a_second / TICKS_A_SECOND;
        for _ in come..due {
            spawn_local(open(address, counts.clone(), bytes.clone()));
        }
        come = due;
    }
    Ok(())
}

/// Opens one and leaves it to a task of its own; one that cannot be opened counts as ended.
async fn open(address: SocketAddr, counts: Arc<Counts>, bytes: Arc<[u8]>) {
    counts.opened.fetch_add(1, Ordering::Relaxed);
    let Ok(mut socket) = connect(address).await else {
        counts.ended.fetch_add(1, Ordering::Relaxed);
        return;
    };
    // A server that ended it while it was sending has not read all.
    let _ = socket.write_all(&bytes).await;
    spawn_local(async move {
        let mut answer = [0; 256];
        while matches!(socket.read(&mut answer).await, Ok(1..)) {}
        counts.ended.fetch_add(1, Ordering::Relaxed);
    });
}
