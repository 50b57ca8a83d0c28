//! The whole server: lock, listen, recover, serve, drain. Wires the parts and owns their order.
//!
//! Decides nothing itself. The IO threads listen before recovery begins, so that a probe sees a
//! server that lives and is not ready; they serve once the writer stands. Read `listening`, `beside`,
//! `writing` (the threads), `running` (what is told at a start and a stop), `roles` (one of several
//! nodes), `telling`. Next: `recovery`, `writer`, `http`.

mod beside;
mod listening;
mod parts;
mod roles;
mod running;
mod telling;
mod writing;

use crate::config::{Config, ConfigError, ReplicationMode, Reread, WhenAlone};
use crate::domain::model::answer::TABLES;
use crate::domain::model::settings::Settings;
use crate::edge::Edge;
use crate::engine::recovery::{self, RecoveryError};
use crate::http::{self, Front, ReplicationLimits, Shared, SharedAdmission};
use crate::metrics::Meters;
use crate::process::core_dumps;
use crate::process::descriptors;
use crate::process::peers::{self, ClusterError};
use crate::process::reload::{Files, ReloadError};
pub use crate::process::signals::Signals;
use crate::process::systemd::Manager;
use crate::ring::{self, Cursors};
use crate::shared::clock::Clock;
use crate::shared::feed::Feed;
use crate::shared::handover::Handover;
use crate::shared::snapshots::{Ask, Snapshots};
use crate::testing::failpoints;
use crate::writer::Stopped;
use parts::start_error;
use running::Running;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use writing::{Ends, Snapshotting};

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
    /// This process cannot be a node of its cluster, or is its writer no longer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
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
    let prepared = peers::prepare(config)?;
    let listeners = listening::listen(asked_for, config.io_threads)
        .map_err(|cause| ServerError::Listen { address: asked_for, cause })?;
    let address = listeners[0].local_addr().map_err(start_error("the listener"))?;
    let cursors = Arc::new(Cursors::default());
    let (lanes, inbox, outbox) = ring::build(config.io_threads, &cursors);
    let (snapshots, asked) = Snapshots::new();
    let (handshakes, handshake_ends) = listening::handshakes(config, &files).unzip();
    let (feed, notes) = Feed::new();
    let (handover, handovers) = Handover::new();
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
        standing: Arc::default(),
        replication: limits(config),
        handover: prepared.is_some().then_some(handover),
    }));
    let io_threads = listening::start_io_threads(listeners, lanes, &front)?;
    listening::start_handshakes(handshake_ends.unwrap_or_default())?;
    let scheme = if files.certificate.is_some() { "https" } else { "http" };
    telling::exposure(config, address);
    telling::cluster(config);
    let rules = files.settings().clone();
    let (settings, fresh_settings) = mpsc::channel();
    beside::start_reloading(files, hangups, manager.clone(), (settings, inbox.caller()))?;
    let running = Running {
        config,
        clock,
        manager,
        lock,
        front,
        io_threads,
        listening: format!("listening on {scheme}://{address}"),
        writers_caller: Some(inbox.caller()),
        watchdog: None,
    };
    let ends = Ends { inbox, outbox, notes, settings: fresh_settings };
    match prepared {
        None => alone(running, (rules, ends, asked), &serving, stopped),
        Some(prepared) => {
            let asked = (asked, stopped, handovers);
            roles::serve(running, prepared, (rules, ends), &serving, asked)
        }
    }
}

/// What keeps new orders out of a writer whose copies are behind or gone.
fn limits(config: &Config) -> ReplicationLimits {
    let replication = &config.replication;
    match replication.mode {
        ReplicationMode::Off => ReplicationLimits::default(),
        ReplicationMode::Sync | ReplicationMode::Async => ReplicationLimits {
            unsettled_bytes_max: replication.unsettled_bytes_max,
            refuses_alone: replication.when_alone == WhenAlone::Refuse,
        },
    }
}

/// Writes by itself until it is told to stop.
fn alone(
    mut running: Running<'_>,
    (rules, ends, asked): (Settings, Ends, Receiver<Ask>),
    serving: &AtomicBool,
    stopped: Receiver<()>,
) -> Result<(), ServerError> {
    let (config, clock) = (running.config, running.clock);
    let progress = &mut telling::progress(clock, &running.manager);
    let recovered = recovery::recover(&running.lock, &rules, config, clock, progress)?;
    telling::recovery(&recovered);
    running.start_beside()?;
    let epoch = recovered.state.epoch;
    let writing =
        writing::begin(config, recovered, &running.front, (ends, Snapshotting::Begins(asked)))?;
    serving.store(true, Ordering::SeqCst);
    let told = running.tell_ready(&format!("epoch {epoch}"))?;
    // A supervisor that waits for that line would wait for ever: then it stops in order at once.
    let delay_ms = if told.is_ok() {
        // From a signal, or from an operator over HTTP; `front` keeps one end, so one comes.
        let _ = stopped.recv();
        config.drain_delay_ms
    } else {
        0
    };
    running.take_nothing_more(delay_ms);
    let (Stopped { state }, background) = writing.wait_for_writer();
    background.stop(&running.front);
    let told = told.and_then(|()| running::tell_stopped(&state));
    drop(running);
    told.map_err(ServerError::Output)
}
