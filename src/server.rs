//! The whole server: lock, listen, recover, serve, drain. Wires the parts and owns their order.
//!
//! Decides nothing itself. The IO threads listen before recovery begins, so that a probe sees a
//! server that lives and is not ready; they serve once the writer stands. Next: `recovery`,
//! `writer`, `http`.

use crate::clock::Clock;
use crate::codec;
use crate::config::{Config, Reread};
use crate::descriptors;
use crate::domain::answer::TABLES;
use crate::domain::ids::Sequence;
use crate::domain::lives::Lives;
use crate::domain::settings::Settings;
use crate::edge::Edge;
use crate::feed::{Feed, Note};
use crate::feeder::{self, Feeder};
use crate::http::{self, Doors, Front, HandshakeEnd, Handshakes, Shared};
use crate::images::{Ask, Images};
use crate::metrics::Meters;
use crate::recovery::{self, Recovered, RecoveryError};
use crate::reload::{Files, ReloadError};
use crate::ring::{self, Alarm, Caller, Cursors, Inbox, LaneEnd, Outbox};
use crate::signals::Signals;
use crate::snapshotter::{self, Snapshotter};
use crate::tell::{tell, tell_progress};
use crate::writer::{Parts, Stopped, Writer};
use doorbuster_journal::JournalError;
use socket2::{Domain, Protocol, Socket, Type};
use std::future::{Future, poll_fn};
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

/// Between two lines about a recovery that takes long.
const PROGRESS_MS: u64 = 1_000;
/// Connections that the kernel keeps for us to accept.
const BACKLOG: i32 = 1024;
/// Of what is written to a connection, the kernel keeps so much that it has not sent yet, and no more.
/// Its own bound is 4 MiB a connection: a few hundred clients that ask and do not read would fill all
/// memory that the system has for sockets, everybody's. What is sent and not acknowledged yet comes on
/// top of it, as much as the client's window and the network take, so a fast reader loses nothing.
const UNSENT_BYTES: u32 = 32 * 1024;
/// After the writer stopped in the middle, clients have this long to hear that their outcome is
/// unknown; then the process ends.
const POISON_MS: u64 = 200;

/// Why the server did not start, or did not end in good order.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
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
/// When the server cannot start. Once it serves, a failure ends the process instead.
pub fn run(config: &Config, reread: Reread) -> Result<(), ServerError> {
    let clock = Clock::start();
    let files = Files::open(config, reread, descriptors::raise())?;
    let lock = recovery::lock(&config.data)?;
    let listeners = listen(config.listen, config.io_threads)
        .map_err(|cause| ServerError::Listen { address: config.listen, cause })?;
    let address = listeners[0].local_addr().map_err(start_error("the listener"))?;
    let cursors = Arc::new(Cursors::default());
    let (lanes, inbox, outbox) = ring::build(config.io_threads, &cursors);
    let (images, asked) = Images::new();
    let (handshakes, handshake_ends) = handshakes(config, &files).unzip();
    let (feed, notes) = Feed::new();
    let (stop, stopped) = mpsc::channel();
    let front = Arc::new(Front::new(Shared {
        clock,
        durability: config.durability.to_string(),
        limits: files.limits.clone(),
        stall_ms: config.stall_ms,
        stop: stop.clone(),
        doors: Doors::new(files.rules.clone()),
        tokens: files.tokens.clone(),
        handshakes,
        cursors,
        edge: Arc::new(Edge::default().keeping(files.keeps_refusals.clone())),
        images: Arc::new(images),
        feed,
        meters: Arc::new(Meters::new(config.io_threads, http::LABELS, &TABLES)),
        timed: config.timed,
    }));
    let io_threads = start_io_threads(listeners, lanes, &front)?;
    start_handshakes(handshake_ends.unwrap_or_default())?;
    let (signals, hangups) = Signals::watch(stop).map_err(start_error("the signal handler"))?;
    let scheme = if files.certificate.is_some() { "https" } else { "http" };
    tell_exposure(config, address);
    let (settings, fresh_settings) = mpsc::channel();
    start_reloading(files, hangups, (settings, inbox.caller()))?;
    let recovered = recovery::recover(&lock, config, clock, &mut progress(clock))?;
    tell_recovery(&recovered);
    let hash_key = recovered.state.hash_key;
    // No more are begun while it serves: who writes and reads ids has a copy, and needs no lock.
    let lives = Arc::new(recovered.state.lives.clone());
    let epoch = recovered.state.epoch;
    // Before anybody takes an image: the images that stand reach further than a cursor at 0.
    let synced = recovered.state.sequence;
    front.cursors.publish(synced, synced, synced);
    let snapshotter = start_snapshotter(config, &recovered, &front, asked)?;
    let feeder = start_feeder(config, &recovered, &front, (notes, lives.clone()))?;
    let writer = start_writer(config, recovered, &front, (inbox, outbox), fresh_settings)?;
    front.serve_with(hash_key, lives);
    signals.serving();
    say(format_args!(
        "listening on {scheme}://{address} durability {} epoch {epoch} data {}",
        config.durability,
        config.data.display()
    ));
    // From a signal, or from an operator over HTTP; `front` keeps one end, so one comes.
    let _ = stopped.recv();
    front.leave();
    // Everything is served meanwhile; a second signal ends the process here, too.
    thread::sleep(Duration::from_millis(config.drain_delay_ms));
    front.drain(config.drain_ms);
    for thread in io_threads {
        thread.join().expect("an IO thread that panics ends the process");
    }
    let Stopped { state } = writer.join().expect("a writer that panics ends the process");
    front.feed.stop();
    front.images.stop(front.drain_end_ms());
    // It has nobody left to answer.
    let _ = feeder.join();
    // Whatever became of the last image, the journal has everything.
    let _ = snapshotter.join();
    say(format_args!(
        "stopped epoch {} seq {} digest {}",
        state.epoch,
        state.sequence,
        codec::digest(&state)
    ));
    drop(lock);
    Ok(())
}

/// One line on standard output, whole. Nobody may be reading any more.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
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

/// They end with the process.
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

/// It ends with the process.
fn start_reloading(
    files: Files,
    hangups: Receiver<()>,
    (settings, writer): (Sender<Settings>, Caller),
) -> Result<(), ServerError> {
    let reload = move || {
        for () in hangups {
            // A writer that has stopped needs no settings.
            if let Some(rules) = files.reload()
                && settings.send(rules).is_ok()
            {
                writer.call();
            }
        }
    };
    let thread = thread::Builder::new().name("reload".to_owned());
    thread.spawn(reload).map(drop).map_err(start_error("the reload thread"))
}

/// Whoever listens on a network should know what can be read or done there.
fn tell_exposure(config: &Config, address: SocketAddr) {
    if address.ip().is_loopback() {
        return;
    }
    if config.tokens_file.is_none() {
        tell(format_args!(
            "listening on {address} without tokens: whoever can reach it may do everything"
        ));
    }
    if config.tls_cert.is_none() {
        tell(format_args!(
            "listening on {address} without TLS: tokens and orders can be read and changed on their \
             way; set tls.cert and tls.key, or let nobody but a proxy that ends TLS reach it"
        ));
    }
}

/// Ends the process if `work` panics: the parts that are left cannot do without it.
fn or_abort<T>(what: &str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tell(format_args!("{what} panicked; the next start recovers what is durable"));
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

/// Tells how far a recovery is, once it takes longer than a second, to somebody who looks.
fn progress(clock: Clock) -> impl FnMut(Sequence) {
    let looked_at = io::stderr().is_terminal();
    let mut told_ms = clock.elapsed_ms();
    move |sequence| {
        let now_ms = clock.elapsed_ms();
        if looked_at && now_ms >= told_ms + PROGRESS_MS {
            told_ms = now_ms;
            tell_progress(format_args!("recovering: at sequence {sequence}"));
        }
    }
}

fn tell_recovery(recovered: &Recovered) {
    if let Some(dropped) = &recovered.dropped {
        tell(format_args!(
            "dropped an unfinished tail that was never synced: {} at byte {}, {} bytes, first \
             sequence lost {}",
            dropped.file, dropped.offset, dropped.bytes, dropped.first_sequence_lost
        ));
    }
    if let Some(lost_from) = recovered.lost_from {
        tell(format_args!(
            "the last epoch answered before it synced and did not stop in order: answers from \
             sequence {lost_from} on, if there were any, are lost"
        ));
    }
    for image in &recovered.passed_over {
        tell(format_args!("passed over an image: {}", image.why));
    }
    if recovered.replayed > 0 {
        let from = recovered.image_sequence;
        tell(format_args!("recovered {} events, up to {from} from an image", recovered.replayed));
    }
}

fn start_writer(
    config: &Config,
    recovered: Recovered,
    front: &Front,
    (inbox, outbox): (Inbox, Outbox),
    settings: Receiver<Settings>,
) -> Result<JoinHandle<Stopped>, ServerError> {
    let alarm = outbox.alarm();
    let writer = Writer::new(Parts {
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
        images: front.images.clone(),
        snapshot_events: config.snapshot_events,
        image_sequence: recovered.image_sequence,
    });
    let thread = thread::Builder::new().name("writer".to_owned());
    thread.spawn(move || supervise(writer, &alarm)).map_err(start_error("the writer"))
}

/// Before the writer, so that nobody waits for an image that nobody takes.
fn start_snapshotter(
    config: &Config,
    recovered: &Recovered,
    front: &Front,
    asked: Receiver<Ask>,
) -> Result<JoinHandle<()>, ServerError> {
    if recovered.image_sequence > 0 {
        front.images.took(recovered.image_sequence, front.clock.elapsed_ms());
    }
    let snapshotter = Snapshotter::new(snapshotter::Parts {
        data: config.data.clone(),
        pruner: recovered.journal.pruner(),
        journal: recovered.journal.id(),
        cursors: front.cursors.clone(),
        images: front.images.clone(),
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

/// Reads the journal for those who follow it.
fn start_feeder(
    config: &Config,
    recovered: &Recovered,
    front: &Front,
    (notes, lives): (Receiver<Note>, Arc<Lives>),
) -> Result<JoinHandle<()>, ServerError> {
    let feeder = Feeder::new(feeder::Parts {
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
    tell(format_args!("the writer stopped in the middle: {why}"));
    thread::sleep(Duration::from_millis(POISON_MS));
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_client_that_does_not_read_takes_little_of_the_systems_memory() {
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
