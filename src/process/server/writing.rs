//! The threads of a server that writes: the writer, the snapshotter, the feeder.
//!
//! Owns their order, and the end of the process where the writer stops in the middle. Next: `writer`.

use super::ServerError;
use super::parts::start_error;
use crate::background::feeder::{self, Feeder};
use crate::background::follower_snapshotter::{FollowerSnapshotter, SnapshotterThread};
use crate::background::snapshotter::{Snapshotter, SnapshotterParts};
use crate::config::Config;
use crate::domain::model::lives::Lives;
use crate::domain::model::settings::Settings;
use crate::engine::recovery::Recovered;
use crate::http::{self, Front};
use crate::process::log;
use crate::ring::{Alarm, Inbox, Outbox};
use crate::shared::feed::Note;
use crate::shared::snapshots::Ask;
use crate::writer::{Stopped, Writer, WriterParts};
use doorbuster_journal::{FileDisk, JournalError, JournalId, Pruner};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// After the writer stopped in the middle, clients have this long to hear that their outcome is
/// unknown; then the process ends.
pub(super) const POISON_MS: u64 = 200;

/// What the writer's threads take over once there is a state.
pub(super) struct Ends {
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) notes: Receiver<Note>,
    pub(super) settings: Receiver<Settings>,
}

/// Who takes snapshots beside the writer.
pub(super) enum Snapshotting {
    /// A thread that is to be started, with its asks.
    Begins(Receiver<Ask>),
    /// The thread that took them while this node followed.
    Runs(SnapshotterThread),
}

/// A thread that takes snapshots.
enum SnapshotsBy {
    Own(JoinHandle<()>),
    Follower(SnapshotterThread),
}

impl SnapshotsBy {
    fn join(self) {
        match self {
            // Whatever became of the last snapshot, the journal has everything.
            Self::Own(thread) => drop(thread.join()),
            Self::Follower(thread) => thread.join(),
        }
    }
}

/// They run.
pub(super) struct Writing {
    writer: JoinHandle<Stopped>,
    snapshotter: SnapshotsBy,
    feeder: JoinHandle<()>,
}

/// Starts them, and serves.
pub(super) fn begin(
    config: &Config,
    recovered: Recovered,
    front: &Arc<Front>,
    (ends, snapshotter): (Ends, Snapshotting),
) -> Result<Writing, ServerError> {
    let Ends { inbox, outbox, notes, settings } = ends;
    let hash_key = recovered.state.hash_key;
    // No more are begun while it serves: who writes and reads ids has a copy, and needs no lock.
    let lives = Arc::new(recovered.state.lives.clone());
    // Before the first snapshot: the snapshots that stand reach further than a cursor at 0.
    let synced = recovered.state.sequence;
    front.cursors.publish(synced, synced, synced);
    let snapshotter = match snapshotter {
        Snapshotting::Begins(asked) => {
            SnapshotsBy::Own(start_snapshotter(config, &recovered, front, asked)?)
        }
        Snapshotting::Runs(thread) => SnapshotsBy::Follower(thread),
    };
    let feeder = start_feeder(config, &recovered, front, (notes, lives.clone()))?;
    let writer = start_writer(config, recovered, front, (inbox, outbox), settings)?;
    front.serve_with(hash_key, lives);
    Ok(Writing { writer, snapshotter, feeder })
}

impl Writing {
    /// Waits for the writer, which ends once the IO threads have.
    pub(super) fn wait_for_writer(self) -> (Stopped, AfterWriter) {
        let Self { writer, snapshotter, feeder } = self;
        let stopped = writer.join().expect("a writer that panics ends the process");
        (stopped, AfterWriter { snapshotter, feeder })
    }
}

/// What still runs once the writer has ended.
pub(super) struct AfterWriter {
    snapshotter: SnapshotsBy,
    feeder: JoinHandle<()>,
}

impl AfterWriter {
    /// Takes a last snapshot, and ends.
    pub(super) fn stop(self, front: &Front) {
        front.feed.stop();
        front.snapshots.stop(front.drain_end_ms());
        // No request is left to answer.
        let _ = self.feeder.join();
        self.snapshotter.join();
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
    #[cfg(feature = "failpoints")]
    crate::process::copies::start(outbox.copy_progress(), front.clock, front.standing.clone())
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
    let journal = (recovered.journal.id(), recovered.journal.pruner());
    let snapshotter = Snapshotter::new(parts(config, front, journal, asked));
    let thread = thread::Builder::new().name("snapshotter".to_owned());
    thread.spawn(move || drop(snapshotter.run())).map_err(start_error("the snapshotter"))
}

fn parts(
    config: &Config,
    front: &Front,
    (journal, pruner): (JournalId, Pruner<FileDisk>),
    asked: Receiver<Ask>,
) -> SnapshotterParts {
    SnapshotterParts {
        data: config.data.clone(),
        pruner,
        journal,
        cursors: front.cursors.clone(),
        snapshots: front.snapshots.clone(),
        asked,
        clock: front.clock,
        every_events: config.snapshot_events,
        every_ms: config.snapshot_every_ms,
        retain_ms: config.journal_retain_ms,
        keep: config.snapshot_keep,
        ballast_bytes: config.ballast_bytes,
    }
}

/// Takes snapshots beside a follower, and beside the writer that it may become.
pub(super) fn beside_follower(
    config: &Config,
    front: &Arc<Front>,
    asked: Receiver<Ask>,
) -> FollowerSnapshotter<PathBuf> {
    let (config, of) = (config.clone(), front.clone());
    let make = move |journal, pruner, asked| parts(&config, &of, (journal, pruner), asked);
    FollowerSnapshotter::new(front.snapshots.clone(), asked, Box::new(make))
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
