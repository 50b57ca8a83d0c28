//! The whole server: lock, listen, recover, serve, drain. Wires the parts and owns their order.
//!
//! Decides nothing itself. The IO threads listen before recovery begins, so that a probe sees a
//! server that lives and is not ready; they serve once the writer stands. Next: `recovery`,
//! `writer`, `http`.

mod telling;

use crate::background::feeder::{self, Feeder};
use crate::background::memory;
use crate::background::snapshotter::{self, Snapshotter};
use crate::codec;
use crate::config::{Config, ConfigError, Reread};
use crate::domain::model::answer::TABLES;
use crate::domain::model::lives::Lives;
use crate::domain::model::settings::Settings;
use crate::edge::Edge;
use crate::engine::recovery::{self, Lock, Recovered, RecoveryError};
use crate::http::{self, Front, HandshakeEnd, Handshakes, Shared, SharedAdmission};
use crate::metrics::Meters;
use crate::process::core_dumps;
use crate::process::descriptors;
use crate::process::log;
use crate::process::output::print;
use crate::process::reload::{Files, ReloadError};
pub use crate::process::signals::Signals;
use crate::process::systemd::{Manager, Watchdog};
use crate::ring::{self, Alarm, Caller, Cursors, Inbox, LaneEnd, Outbox};
use crate::shared::clock::Clock;
use crate::shared::feed::{Feed, Note};
use crate::shared::snapshots::{Ask, Snapshots};
use crate::testing::failpoints;
use crate::writer::{Stopped, Writer, WriterParts};
use doorbuster_journal::JournalError;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

/// Between two looks whether the data directory is still where it was.
const GUARD_PAUSE: Duration = Duration::from_secs(1);
/// Connections that the kernel keeps for us to accept.
const BACKLOG: i32 = 1024;
/// Of what is written to a connection, the kernel keeps so much that it has not sent yet, and no
/// more. Its own bound is 4 MiB a connection: a few hundred clients that ask and do not read would
/// fill all memory that the system has for sockets, everybody's. What is sent and not acknowledged
/// yet comes on top of it, as much as the client's window and the network take, so a fast reader
/// loses nothing.
const UNSENT_BYTES: u32 = 32 * 1024;
/// After the writer stopped in the middle, clients have this long to hear that their outcome is
/// unknown; then the process ends.
const POISON_MS: u64 = 200;
/// Beyond `drain_ms` a stop still syncs, seals and joins its threads; the service manager is to
/// wait for that.
const STOP_PATIENCE_MS: u64 = 30_000;

/// Why the server did not start, or did not end in good order.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        address: SocketAddr,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// The host name to listen on has no address that the settings allow.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// What a supervisor waits for cannot be told.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// The data directory cannot be served from.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// A file that the settings name cannot be used.
    #[error(transparent)]
    Reload(#[from] ReloadError),
    /// The system has no thread, timer or signal to give.
    #[error("cannot start {part}: {cause}")]
    Start {
        /// What was to be started.
        part: &'static str,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
}

fn start_error(part: &'static str) -> impl FnOnce(io::Error) -> ServerError {
    move |cause| ServerError::Start { part, cause }
}

/// Serves until a signal asks to stop, and everything that was taken is answered and durable.
///
/// # Errors
/// When the server cannot start, and, after an orderly stop, when standard output could not be
/// written. Once it serves, a failure ends the process instead.
pub fn run(config: &Config, reread: Reread, signals: Signals) -> Result<(), ServerError> {
    if !config.core_dumps {
        // Before anything secret is read.
        core_dumps::prevent().map_err(start_error("the limit of core dumps"))?;
    }
    let clock = Clock::start();
    let manager = Manager::of_environment();
    let asked_for = config.address()?;
    let files = Files::open(config, reread, descriptors::raise())?;
    let lock = Arc::new(recovery::lock(&config.data)?);
    failpoints::tell();
    telling::permissions(&config.data);
    let listeners = listen(asked_for, config.io_threads)
        .map_err(|cause| ServerError::Listen { address: asked_for, cause })?;
    let address = listeners[0].local_addr().map_err(start_error("the listener"))?;
    let cursors = Arc::new(Cursors::default());
    let (lanes, inbox, outbox) = ring::build(config.io_threads, &cursors);
    let (snapshots, asked) = Snapshots::new();
    let (handshakes, handshake_ends) = handshakes(config, &files).unzip();
    let (feed, notes) = Feed::new();
    let serving = signals.serving();
    let Signals { stop, stopped, hangups, .. } = signals;
    let front = Arc::new(Front::new(Shared {
        clock,
        durability: config.durability.to_string(),
        limits: files.limits.clone(),
        stall_ms: config.stall_ms,
        stop,
        admission: SharedAdmission::new(files.rules.clone(), files.cells),
        tokens: files.tokens.clone(),
        handshakes,
        cursors,
        edge: Arc::new(Edge::default().keeping(files.keeps_refusals.clone())),
        snapshots: Arc::new(snapshots),
        feed,
        meters: Arc::new(Meters::new(config.io_threads, http::LABELS, &TABLES)),
        timed: config.timed,
    }));
    let io_threads = start_io_threads(listeners, lanes, &front)?;
    start_handshakes(handshake_ends.unwrap_or_default())?;
    let scheme = if files.certificate.is_some() { "https" } else { "http" };
    telling::exposure(config, address);
    telling::cluster(config);
    let rules = files.settings().clone();
    let (settings, fresh_settings) = mpsc::channel();
    start_reloading(files, hangups, manager.clone(), (settings, inbox.caller()))?;
    let writers_caller = inbox.caller();
    let progress = &mut telling::progress(clock, &manager);
    let recovered = recovery::recover(&lock, &rules, config, clock, progress)?;
    telling::recovery(&recovered);
    start_guard(&lock, clock)?;
    start_giving_back(&front, clock)?;
    let hash_key = recovered.state.hash_key;
    // No more are begun while it serves: who writes and reads ids has a copy, and needs no lock.
    let lives = Arc::new(recovered.state.lives.clone());
    let epoch = recovered.state.epoch;
    // Before the first snapshot: the snapshots that stand reach further than a cursor at 0.
    let synced = recovered.state.sequence;
    front.cursors.publish(synced, synced, synced);
    let snapshotter = start_snapshotter(config, &recovered, &front, asked)?;
    let feeder = start_feeder(config, &recovered, &front, (notes, lives.clone()))?;
    let writer = start_writer(config, recovered, &front, (inbox, outbox), fresh_settings)?;
    front.serve_with(hash_key, lives);
    serving.store(true, Ordering::SeqCst);
    let listening = format!("listening on {scheme}://{address}");
    let (durability, data) = (config.durability, config.data.display());
    let told = print(&format!("{listening} durability {durability} epoch {epoch} data {data}\n"));
    let (stopping, watched) = mpsc::channel();
    start_watchdog(&manager, &front, writers_caller, watched)?;
    // A supervisor that waits for that line would wait for ever: then it stops in order at once.
    let delay_ms = if told.is_ok() {
        manager.ready(&listening);
        // From a signal, or from an operator over HTTP; `front` keeps one end, so one comes.
        let _ = stopped.recv();
        config.drain_delay_ms
    } else {
        0
    };
    manager.stopping(delay_ms + config.drain_ms + STOP_PATIENCE_MS);
    front.leave();
    // Everything is served meanwhile; a second signal ends the process here, too.
    thread::sleep(Duration::from_millis(delay_ms));
    drop(stopping);
    front.drain(config.drain_ms);
    for thread in io_threads {
        thread.join().expect("an IO thread that panics ends the process");
    }
    let Stopped { state } = writer.join().expect("a writer that panics ends the process");
    front.feed.stop();
    front.snapshots.stop(front.drain_end_ms());
    // No request is left to answer.
    let _ = feeder.join();
    // Whatever became of the last snapshot, the journal has everything.
    let _ = snapshotter.join();
    let (epoch, sequence, digest) = (state.epoch, state.sequence, codec::digest(&state));
    let told = told
        .and_then(|()| print(&format!("stopped epoch {epoch} seq {sequence} digest {digest}\n")));
    drop(lock);
    told.map_err(ServerError::Output)
}

/// One socket, lent to every IO thread. Not a socket each under `SO_REUSEPORT`: then another
/// server could join the port, and buyers would be split between two stocks.
fn listen(address: SocketAddr, count: u16) -> io::Result<Vec<TcpListener>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Accepted sockets have it from this one.
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    (0..count).map(|_| listener.try_clone()).collect()
}

fn start_io_threads(
    listeners: Vec<TcpListener>,
    lanes: Vec<LaneEnd>,
    front: &Arc<Front>,
) -> Result<Vec<JoinHandle<()>>, ServerError> {
    let mut threads = Vec::new();
    for (number, (listener, lane)) in listeners.into_iter().zip(lanes).enumerate() {
        let front = front.clone();
        let thread = thread::Builder::new().name(format!("io-{number}")).spawn(move || {
            // Without its pump a lane would keep answers back for ever.
            or_abort("an IO thread", || io_thread(listener, lane, front));
        });
        threads.push(thread.map_err(start_error("an IO thread"))?);
    }
    Ok(threads)
}

/// One handshake thread for two IO threads.
fn handshakes(config: &Config, files: &Files) -> Option<(Handshakes, Vec<HandshakeEnd>)> {
    let certificate = files.certificate.as_ref()?;
    Some(Handshakes::build(config.io_threads.div_ceil(2), config.handshakes_max, certificate))
}

/// Starts the threads of handshakes. They end with the process.
fn start_handshakes(ends: Vec<HandshakeEnd>) -> Result<(), ServerError> {
    for (number, end) in ends.into_iter().enumerate() {
        let thread = thread::Builder::new().name(format!("tls-{number}"));
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(start_error("a handshake thread"))?;
        thread
            .spawn(move || or_abort("a handshake thread", || runtime.block_on(end.run())))
            .map_err(start_error("a handshake thread"))?;
    }
    Ok(())
}

/// Ends the process when its directory is no longer where it was: what is at the path then may be
/// another server's, and new segments would be made there. It ends with the process.
fn start_guard(lock: &Arc<Lock>, clock: Clock) -> Result<(), ServerError> {
    let lock = Arc::downgrade(lock);
    let guard = move || {
        while let Some(lock) = lock.upgrade() {
            if !lock.is_still_there() {
                tracing::error!(
                    "the data directory, or its journal, is no longer at its path: it was moved, \
                     replaced or mounted over; stopping at once, so that nothing is written into \
                     another's. Put it back and start again"
                );
                log::flush();
                std::process::abort();
            }
            drop(lock);
            clock.sleep(GUARD_PAUSE);
        }
    };
    let thread = thread::Builder::new().name("guard".to_owned());
    thread.spawn(guard).map(drop).map_err(start_error("the guard of the directory"))
}

/// Starts the thread that gives memory back. It ends with the process.
fn start_giving_back(front: &Arc<Front>, clock: Clock) -> Result<(), ServerError> {
    let front = front.clone();
    let thread = thread::Builder::new().name("memory".to_owned());
    let give_back = move || memory::give_back(clock, || front.ended_connections());
    thread.spawn(give_back).map(drop).map_err(start_error("the thread that gives memory back"))
}

/// Starts the thread that reads files again on a hang-up. It ends with the process.
fn start_reloading(
    mut files: Files,
    hangups: Receiver<()>,
    manager: Manager,
    (settings, writer): (Sender<Settings>, Caller),
) -> Result<(), ServerError> {
    let reload = move || {
        for () in hangups {
            // A writer that has stopped needs no settings.
            if settings.send(manager.reload(|| files.reload())).is_ok() {
                writer.call();
            }
        }
    };
    let thread = thread::Builder::new().name("reload".to_owned());
    thread.spawn(reload).map(drop).map_err(start_error("the reload thread"))
}

/// Only where a service manager wants to hear from it; it ends with the process.
fn start_watchdog(
    manager: &Manager,
    front: &Front,
    writer: Caller,
    stopping: Receiver<()>,
) -> Result<(), ServerError> {
    let Some(within) = manager.watchdog() else { return Ok(()) };
    let (cursors, clock) = (front.cursors.clone(), front.clock);
    let watchdog = Watchdog { manager: manager.clone(), within, writer, cursors, clock, stopping };
    let thread = thread::Builder::new().name("watchdog".to_owned());
    thread.spawn(move || watchdog.run()).map(drop).map_err(start_error("the watchdog"))
}

/// Ends the process if `work` panics: the parts that are left cannot do without it.
fn or_abort<T>(what: &str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!(part = what, "a part panicked; the next start recovers what is durable");
        log::flush();
        std::process::abort()
    })
}

fn io_thread(listener: TcpListener, lane: LaneEnd, front: Arc<Front>) {
    let lane = lane.settle();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(http::EVENT_INTERVAL)
        .build_local(LocalOptions::default())
        .expect("the system gives an event loop");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it was just bound");
        tokio::task::spawn_local(lane.wake_at_end_of_turn());
        let mut serving = pin!(http::serve(listener, front, Rc::new(lane.clone())));
        // The pump belongs to the root future: waking that costs the writer least.
        poll_fn(|context| {
            lane.pump(context);
            serving.as_mut().poll(context)
        })
        .await;
        lane.close();
    });
}

fn start_writer(
    config: &Config,
    recovered: Recovered,
    front: &Front,
    (inbox, outbox): (Inbox, Outbox),
    settings: Receiver<Settings>,
) -> Result<JoinHandle<Stopped>, ServerError> {
    let alarm = outbox.alarm();
    #[cfg(feature = "failpoints")]
    crate::process::copies::start(outbox.copy_progress(), front.clock)
        .map_err(start_error("the copies"))?;
    let writer = Writer::new(WriterParts {
        state: recovered.state,
        journal: recovered.journal,
        stamps: recovered.stamps,
        inbox,
        outbox,
        settings,
        segment_bytes: config.segment_bytes,
        durability: config.durability,
        wait: config.wait,
        clock: front.clock,
        meters: front.meters.clone(),
        timed: config.timed,
        edge: front.edge.clone(),
        snapshots: front.snapshots.clone(),
        snapshot_events: config.snapshot_events,
        snapshot_sequence: recovered.snapshot_sequence,
    });
    let thread = thread::Builder::new().name("writer".to_owned());
    thread.spawn(move || supervise(writer, &alarm)).map_err(start_error("the writer"))
}

/// Before the writer, so that no request waits for a snapshot that is never taken.
fn start_snapshotter(
    config: &Config,
    recovered: &Recovered,
    front: &Front,
    asked: Receiver<Ask>,
) -> Result<JoinHandle<()>, ServerError> {
    if recovered.snapshot_sequence > 0 {
        front.snapshots.took(recovered.snapshot_sequence, front.clock.elapsed_ms());
    }
    let snapshotter = Snapshotter::new(snapshotter::SnapshotterParts {
        data: config.data.clone(),
        pruner: recovered.journal.pruner(),
        journal: recovered.journal.id(),
        cursors: front.cursors.clone(),
        snapshots: front.snapshots.clone(),
        asked,
        clock: front.clock,
        every_events: config.snapshot_events,
        every_ms: config.snapshot_every_ms,
        retain_ms: config.journal_retain_ms,
        keep: config.snapshot_keep,
        ballast_bytes: config.ballast_bytes,
    });
    let thread = thread::Builder::new().name("snapshotter".to_owned());
    thread.spawn(move || snapshotter.run()).map_err(start_error("the snapshotter"))
}

/// Starts the thread that reads the journal for its followers.
fn start_feeder(
    config: &Config,
    recovered: &Recovered,
    front: &Front,
    (notes, lives): (Receiver<Note>, Arc<Lives>),
) -> Result<JoinHandle<()>, ServerError> {
    let feeder = Feeder::new(feeder::FeederParts {
        data: config.data.clone(),
        journal: recovered.journal.id(),
        lives,
        cursors: front.cursors.clone(),
        feed: front.feed.clone(),
        notes,
        write: http::write_event,
        clock: front.clock,
    });
    let thread = thread::Builder::new().name("feeder".to_owned());
    thread.spawn(move || feeder.run()).map_err(start_error("the feeder"))
}

/// A writer that stops in the middle takes the process with it: what is durable, only a start can
/// find out. Clients that wait are told that first.
fn supervise(writer: Writer, alarm: &Alarm) -> Stopped {
    let ended: Result<Result<Stopped, JournalError>, _> =
        catch_unwind(AssertUnwindSafe(|| writer.run()));
    // The lanes first: telling the log may fail, and clients wait.
    let why = match ended {
        Ok(Ok(stopped)) => return stopped,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it panicked".to_owned(),
    };
    alarm.sound();
    tracing::error!(why, "the writer stopped in the middle");
    thread::sleep(Duration::from_millis(POISON_MS));
    log::flush();
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::Ipv4Addr;

    /// A client that does not read takes little of the system's memory.
    #[test]
    fn a_client_that_does_not_read_takes_little_kernel_memory() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = listen(address, 1).unwrap().remove(0);
        listener.set_nonblocking(false).unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        client.connect(&listener.local_addr().unwrap().into()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let (piece, mut taken) = ([0; 4096], 0);
        let full = loop {
            match server.write(&piece) {
                Ok(count) => taken += count,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(taken >= piece.len() && taken < 4 * UNSENT_BYTES as usize, "{taken} bytes");
    }
}
