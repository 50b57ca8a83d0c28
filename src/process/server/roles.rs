//! A server that is one of several nodes: it follows, and writes once that is granted to it.
//!
//! Owns what begins and ends with a role. A role is given up only by the end of the process: what is
//! in memory of a writer is no copy's. Never decides who writes. Next: `process::peers`.

use super::ServerError;
use super::parts::{or_abort, start_error};
use super::running::{self, Running};
use super::telling;
use super::writing::{self, Ends, POISON_MS, Snapshotting, Writing};
use crate::background::follower_snapshotter::{FollowerSnapshotter, SnapshotterThread};
use crate::cluster::node::Nodes;
use crate::config::Config;
use crate::domain::model::ids::Sequence;
use crate::domain::model::settings::Settings;
use crate::engine::follower::{Follower, FollowerOptions, SpareSource};
use crate::engine::recovery;
use crate::engine::replay::Progress;
use crate::process::peers::{ClusterError, ClusterEvent, ClusterParts, Order, Prepared};
use crate::ring::Alarm;
use crate::shared::handover::HandoverAsk;
use crate::shared::snapshots::Ask;
use crate::shared::standing::CopyStanding;
use crate::writer::Stopped;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};

/// What the server says to the cluster's thread and was not taken yet; it says one thing a role.
const ORDERS_MAX: usize = 4;
/// What one cut sets aside at most.
const SET_ASIDE_BYTES_MAX: u64 = 1 << 30;
/// A stop waits so long until another node has the role.
const HAND_OVER: Duration = Duration::from_secs(5);

type Event = ClusterEvent<Follower<PathBuf>>;

/// What others ask of the server: snapshots, stops and handovers.
pub(super) type Requests = (Receiver<Ask>, Receiver<()>, tokio::sync::mpsc::Receiver<HandoverAsk>);

/// A node that runs.
struct Node<'c> {
    running: Running<'c>,
    rules: Settings,
    nodes: Nodes,
    alarm: Alarm,
    /// The cluster's thread ends with it.
    orders: Option<tokio::sync::mpsc::Sender<Order>>,
    events: Receiver<Event>,
    /// Until the role of the writer is granted.
    ends: Option<Ends>,
    snapshots: SnapshotterThread,
    writing: Option<Writing>,
    thread: Option<JoinHandle<()>>,
}

/// Follows, writes when that is granted, and goes on until it is told to stop.
pub(super) fn serve(
    running: Running<'_>,
    prepared: Prepared,
    (rules, ends): (Settings, Ends),
    serving: &AtomicBool,
    (asked, stopped, handovers): Requests,
) -> Result<(), ServerError> {
    let config = running.config;
    let progress = &mut telling::progress(running.clock, &running.manager);
    let snapshotter = writing::beside_follower(config, &running.front, asked);
    let snapshots = snapshotter.thread();
    let follower = open(&running, &rules, snapshotter, progress)?;
    running.start_beside()?;
    let (events, happened) = mpsc::channel();
    let (orders, ordered) = tokio::sync::mpsc::channel(ORDERS_MAX);
    let epoch = follower.epoch();
    let parts = ClusterParts {
        clock: running.clock,
        replica: follower,
        progress: ends.outbox.copy_progress(),
        standing: running.front.standing.clone(),
        snapshots: running.front.snapshots.clone(),
        orders: ordered,
        events: events.clone(),
    };
    let nodes = prepared.identity.nodes.clone();
    let alarm = ends.outbox.alarm();
    let thread = start_thread(prepared, config.clone(), parts)?;
    forward((stopped, handovers), events)?;
    let mut node = Node {
        running,
        rules,
        nodes,
        alarm,
        orders: Some(orders),
        events: happened,
        ends: Some(ends),
        snapshots,
        writing: None,
        thread: Some(thread),
    };
    node.running.front.follow();
    serving.store(true, Ordering::SeqCst);
    let told = node.running.tell_ready(&format!("role standby epoch {epoch}"))?;
    if let Err(cause) = told {
        return Err(ServerError::Output(cause));
    }
    node.go_on()
}

/// Reads the directory, up to what its journal vouches for.
fn open(
    running: &Running<'_>,
    rules: &Settings,
    snapshotter: FollowerSnapshotter<PathBuf>,
    progress: Progress<'_>,
) -> Result<Follower<PathBuf>, ServerError> {
    let config = running.config;
    recovery::prepare(&running.lock, rules, config)?;
    let options = FollowerOptions {
        segment_bytes: config.segment_bytes,
        set_aside_bytes_max: SET_ASIDE_BYTES_MAX,
        spares: SpareSource::Thread(running.clock),
        cursors: running.front.cursors.clone(),
        background: Box::new(snapshotter),
    };
    Ok(Follower::open(config.data.clone(), options, progress)?)
}

fn start_thread(
    prepared: Prepared,
    config: Config,
    parts: ClusterParts<Follower<PathBuf>>,
) -> Result<JoinHandle<()>, ServerError> {
    let runtime = || {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().build_local(LocalOptions::default());
        runtime.expect("the system gives an event loop")
    };
    let work = move || runtime().block_on(prepared.run(&config, parts));
    let thread = thread::Builder::new().name("cluster".to_owned());
    thread
        .spawn(move || or_abort("the cluster's thread", work))
        .map_err(start_error("the cluster's thread"))
}

/// Stops and handovers come the way of all events. The threads end with the process.
fn forward(
    (stopped, mut asked): (Receiver<()>, tokio::sync::mpsc::Receiver<HandoverAsk>),
    events: mpsc::Sender<Event>,
) -> Result<(), ServerError> {
    let asks = events.clone();
    let stops = move || {
        for () in stopped {
            if events.send(ClusterEvent::Stop).is_err() {
                return;
            }
        }
    };
    let handovers = move || {
        while let Some(ask) = asked.blocking_recv() {
            if asks.send(ClusterEvent::HandOver(ask)).is_err() {
                return;
            }
        }
    };
    let thread = |name: &str| thread::Builder::new().name(name.to_owned());
    thread("stops").spawn(stops).map_err(start_error("the thread of stops"))?;
    thread("handovers").spawn(handovers).map_err(start_error("the thread of handovers"))?;
    Ok(())
}

impl Node<'_> {
    fn go_on(mut self) -> Result<(), ServerError> {
        loop {
            // The forwarding thread keeps an end.
            match self.events.recv().unwrap_or(ClusterEvent::Stop) {
                ClusterEvent::Promote { replica, epoch, lost_from } => {
                    self.promote(replica, epoch, lost_from)?;
                }
                ClusterEvent::Ended(error) => return Err(self.end(error)),
                ClusterEvent::Stop => return self.stop(),
                ClusterEvent::HandOver(HandoverAsk { to, answer }) => {
                    let successor = self.successor(to.as_deref());
                    let told = successor.clone();
                    // Before the drain, which waits for whoever asked.
                    let _ = answer.send(told);
                    if let Ok(to) = successor {
                        return self.give_up_the_role(&to);
                    }
                }
                // What came of a stop.
                ClusterEvent::StayWriter { .. } | ClusterEvent::Left { .. } => {}
            }
        }
    }

    /// The copy that could write on: this one, or any.
    fn successor(&self, wanted: Option<&str>) -> Result<String, String> {
        if self.writing.is_none() {
            return Err("this node does not write".to_owned());
        }
        let standing = self.running.front.standing.load();
        let fits = |copy: &&CopyStanding| {
            let counts = standing.in_sync.contains(&copy.node) && copy.is_connected;
            counts && wanted.is_none_or(|wanted| wanted == copy.node)
        };
        let copy = standing.copies.iter().find(fits);
        copy.map(|copy| copy.node.clone()).ok_or_else(|| match wanted {
            Some(wanted) => format!("{wanted} is no copy that is in sync and connected"),
            None => "no copy is in sync and connected".to_owned(),
        })
    }

    /// A takeover is a start: the rest of the own journal is applied, and the granted epoch begins.
    fn promote(
        &mut self,
        follower: Follower<PathBuf>,
        epoch: u32,
        lost_from: Option<Sequence>,
    ) -> Result<(), ServerError> {
        let Some(ends) = self.ends.take() else { return Ok(()) };
        // What was reloaded while it followed.
        while let Ok(rules) = ends.settings.try_recv() {
            self.rules = rules;
        }
        let (config, clock) = (self.running.config, self.running.clock);
        let recovered = follower.promote(epoch, lost_from, (&self.rules, config), clock)?;
        telling::recovery(&recovered);
        let began = Order::Began {
            journal: recovered.journal.id(),
            // The first record of the epoch.
            started: recovered.replayed + 1,
            settled: recovered.journal.watermark(),
            history: recovered.journal.history(),
        };
        let ends = (ends, Snapshotting::Runs(self.snapshots.clone()));
        self.writing = Some(writing::begin(config, recovered, &self.running.front, ends)?);
        tracing::info!(epoch, "this node writes");
        // Where the thread has ended, it has said so.
        let _ = self.orders.as_ref().map(|orders| orders.blocking_send(began));
        Ok(())
    }

    /// Clients that wait hear that their outcome is unknown; then the process ends.
    fn end(self, error: ClusterError) -> ServerError {
        if self.writing.is_some() {
            self.alarm.sound();
            thread::sleep(Duration::from_millis(POISON_MS));
        }
        // The directory stays locked until the process has ended, and with it the writer.
        std::mem::forget(self.running);
        ServerError::Cluster(error)
    }

    fn stop(mut self) -> Result<(), ServerError> {
        let told = match self.end_of_role(self.running.config.drain_delay_ms, None) {
            Some(Stopped { state }) => running::tell_stopped(&state),
            None => self.leave(),
        };
        drop(self.running);
        told.map_err(ServerError::Output)
    }

    /// As a stop, and to be started again.
    fn give_up_the_role(mut self, to: &str) -> Result<(), ServerError> {
        self.end_of_role(0, Some(to));
        drop(self.running);
        Err(ServerError::Cluster(ClusterError::HandedOver))
    }

    /// Answers what was taken, and lets another node write, if one is in sync. None on a node that
    /// follows.
    fn end_of_role(&mut self, delay_ms: u64, to: Option<&str>) -> Option<Stopped> {
        self.running.take_nothing_more(delay_ms);
        let (stopped, background) = self.writing.take()?.wait_for_writer();
        self.hand_over(to);
        background.stop(&self.running.front);
        Some(stopped)
    }

    fn hand_over(&mut self, to: Option<&str>) {
        let to = to.and_then(|name| self.nodes.find(name));
        let order = Order::HandOver { to };
        let sent = self.orders.as_ref().is_some_and(|orders| orders.blocking_send(order).is_ok());
        let why = loop {
            match self.events.recv_timeout(HAND_OVER) {
                // It has told so itself. What it sends last is to leave before this process does.
                Ok(ClusterEvent::Ended(ClusterError::HandedOver)) => return self.join_thread(),
                Ok(ClusterEvent::Ended(error)) => break error.to_string(),
                Ok(ClusterEvent::StayWriter { reason }) => break reason,
                Ok(_) if sent => {}
                _ => break "it took too long".to_owned(),
            }
        };
        tracing::warn!(why, "the role of the writer was not handed over");
    }

    /// A node that follows has nothing to hand over: its links end.
    fn leave(&mut self) -> io::Result<()> {
        self.orders = None;
        let left = self.events.iter().find_map(|event| match event {
            ClusterEvent::Left { replica } => Some(replica),
            ClusterEvent::Ended(_) => Some(None),
            _ => None,
        });
        self.join_thread();
        let state = left.flatten();
        state.as_ref().and_then(Follower::state).map_or(Ok(()), running::tell_stopped)
    }

    fn join_thread(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a thread of the cluster that panics ends the process");
        }
    }
}
