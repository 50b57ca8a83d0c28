//! A server as the simulation runs it: the real start, the real turn, the real snapshots, stepped
//! by hand on a disk and a clock that somebody else moves.
//!
//! Owns one life, from the start to a stop or a death. Never decides when it steps or dies: that is
//! `world`. Next: `world`.

use crate::disk::SimDisk;
use crate::disk::lying::{Lie, LyingDisk};
use crate::replica;
use doorbuster::background::feeder::{Feeder, FeederParts};
use doorbuster::background::snapshotter::{self, Snapshotter};
use doorbuster::config::{Config, Wait};
use doorbuster::domain::model::answer::{Answer, Answered, Refusal, ShortLine, TABLES};
use doorbuster::domain::model::command::{Command, Request};
use doorbuster::domain::model::ids::{Sequence, Stamp};
use doorbuster::domain::state::tables::State;
use doorbuster::edge::{Edge, SoldOutCheck};
use doorbuster::engine::recovery::{self, NewEpoch, Recovered, RecoveryError};
use doorbuster::engine::replay::{DataDirectory, ReplayError};
use doorbuster::http::LABELS;
use doorbuster::metrics::Meters;
use doorbuster::ring::{
    self, Alarm, CopyProgress, Cursors, Lane, Outcome, PendingReply, Rank, RefusalReport,
    SubmitError, TurnedAway,
};
use doorbuster::shared::clock::Clock;
use doorbuster::shared::feed::Feed;
use doorbuster::shared::snapshots::{Ask, Snapshots};
use doorbuster::writer::{Next, Writer, WriterParts};
use doorbuster_journal::{JournalError, SegmentAllocator};
use doorbuster_test_support::random::Random;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};

/// Requests that may wait: few, so that the ring is full now and then.
const RING_SLOTS: usize = 64;
/// The edge must mistake the same names for each other in every run.
const EDGE_SEED: u64 = 7;

/// A data directory on a simulated disk.
#[derive(Debug, Clone)]
pub(crate) struct SimData {
    pub(crate) disk: SimDisk,
    lie: Option<Lie>,
    random: Arc<Mutex<Random>>,
}

impl SimData {
    pub(crate) fn new(disk: SimDisk, lie: Option<Lie>, random: Random) -> Self {
        Self { disk, lie, random: Arc::new(Mutex::new(random)) }
    }
}

impl DataDirectory for SimData {
    type Disk = LyingDisk;

    fn journal(&self) -> Result<LyingDisk, ReplayError> {
        Ok(LyingDisk::journal(&self.disk, self.lie))
    }

    fn has_snapshots(&self) -> bool {
        true
    }

    fn snapshots(&self) -> Result<LyingDisk, ReplayError> {
        Ok(LyingDisk::snapshots(&self.disk, self.lie))
    }

    fn top(&self) -> Result<LyingDisk, ReplayError> {
        Ok(LyingDisk::top(&self.disk))
    }

    fn set_aside(&self, name: &str) -> Result<LyingDisk, ReplayError> {
        Ok(LyingDisk::set_aside(&self.disk, name))
    }

    fn random(&self) -> [u8; 16] {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&random.next().to_le_bytes());
        bytes[8..].copy_from_slice(&random.next().to_le_bytes());
        bytes
    }
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An outcome on its way out of the server.
pub(crate) struct Came {
    /// What was asked, by the number that came with it.
    pub(crate) message: usize,
    pub(crate) outcome: Outcome,
    /// The stamp of the turn that decided it.
    pub(crate) stamp: Stamp,
    /// When it was asked, in microseconds of the world.
    pub(crate) asked_us: u64,
}

/// One life of a server.
pub(crate) struct Server {
    writer: Writer<LyingDisk>,
    maker: SegmentAllocator<LyingDisk>,
    lane: Lane,
    alarm: Alarm,
    woken: Arc<Woken>,
    waker: Waker,
    pub(crate) snapshotter: Snapshotter<SimData>,
    pub(crate) snapshots: Arc<Snapshots>,
    cursors: Arc<Cursors>,
    copies: CopyProgress,
    feeder: Feeder<SimData>,
    pub(crate) feed: Feed,
    /// Where an IO thread refuses by itself what is sold out.
    door: SoldOutCheck,
    edge: Arc<Edge>,
    clock: Clock,
    waiting: Vec<(usize, u64, PendingReply)>,
    /// The stamps of turns, by `Clock::elapsed_us`; empty where answers leave with their turn.
    stamps: BTreeMap<u64, Stamp>,
    /// The stamp of the last turn that ended at a sequence; empty as `stamps`.
    reached: BTreeMap<Sequence, Stamp>,
    timed: bool,
}

/// What a start found.
pub(crate) struct Found {
    pub(crate) sequence: Sequence,
    pub(crate) lost_from: Option<Sequence>,
    pub(crate) dropped: bool,
    pub(crate) snapshot_sequence: Sequence,
    pub(crate) passed_over: usize,
}

/// What a life brings along besides its directory.
pub(crate) struct Around<'m> {
    pub(crate) clock: Clock,
    pub(crate) meters: &'m Arc<Meters>,
    pub(crate) cursors: Arc<Cursors>,
    /// Answers wait for copies, and their times tell which turn decided them.
    pub(crate) timed: bool,
    /// What the copies hold, if nobody else tells.
    pub(crate) copied: Option<Sequence>,
}

pub(crate) fn meters() -> Arc<Meters> {
    Arc::new(Meters::new(1, LABELS, &TABLES))
}

impl Server {
    /// A start, as the real one does it after it has the lock.
    pub(crate) fn start(
        data: &SimData,
        config: &Config,
        (clock, epoch): (Clock, NewEpoch),
        (meters, copied): (&Arc<Meters>, Sequence),
    ) -> Result<(Self, Found), RecoveryError> {
        let recovered =
            recovery::recover_in(data, &config.rules, config, (clock, epoch), &mut |_| {})?;
        // Where answers wait for copies, their times tell which turn decided them.
        let timed = matches!(epoch, NewEpoch::Granted(_));
        let cursors = Arc::new(Cursors::default());
        let around = Around { clock, meters, cursors, timed, copied: Some(copied) };
        Ok(Self::begin(data, config, recovered, around))
    }

    /// What follows a start, or a takeover, which is one.
    pub(crate) fn begin(
        data: &SimData,
        config: &Config,
        recovered: Recovered<LyingDisk>,
        around: Around<'_>,
    ) -> (Self, Found) {
        let Around { clock, meters, cursors, timed, copied } = around;
        let Recovered { state, journal, stamps, snapshot_sequence, .. } = recovered;
        doorbuster::domain::state::invariants::check(&state);
        let found = Found {
            sequence: state.sequence,
            lost_from: recovered.lost_from,
            dropped: recovered.dropped.is_some(),
            snapshot_sequence,
            passed_over: recovered.passed_over.len(),
        };
        cursors.publish(found.sequence, found.sequence, found.sequence);
        let (mut lanes, inbox, outbox) = ring::build_sized(1, RING_SLOTS, RING_SLOTS, &cursors);
        let (snapshots, asked) = Snapshots::new();
        let snapshots = Arc::new(snapshots);
        if snapshot_sequence > 0 {
            snapshots.took(snapshot_sequence, clock.elapsed_ms());
        }
        let snapshotter = Snapshotter::new(snapshotter::SnapshotterParts {
            data: data.clone(),
            pruner: journal.pruner(),
            journal: journal.id(),
            cursors: cursors.clone(),
            snapshots: snapshots.clone(),
            asked,
            clock,
            every_ms: config.snapshot_every_ms,
            every_events: config.snapshot_events,
            retain_ms: config.journal_retain_ms,
            keep: config.snapshot_keep,
            ballast_bytes: config.ballast_bytes,
        });
        let alarm = outbox.alarm();
        let copies = outbox.copy_progress();
        if let Some(copied) = copied {
            copies.publish(copied);
        }
        let (feed, notes) = Feed::new();
        let feeder = Feeder::new(FeederParts {
            data: data.clone(),
            journal: journal.id(),
            lives: Arc::new(state.lives.clone()),
            cursors: cursors.clone(),
            feed: feed.clone(),
            notes,
            write: replica::write_event,
            clock,
        });
        let keeps_refusals = Arc::new(AtomicBool::new(config.refusals_full));
        let edge = Arc::new(Edge::seeded(EDGE_SEED).keeping(keeps_refusals));
        let mut writer = Writer::new(WriterParts {
            state,
            journal,
            stamps,
            inbox,
            outbox,
            // Nobody changes them while it runs.
            settings: mpsc::channel().1,
            segment_bytes: config.segment_bytes,
            durability: config.durability,
            wait: Wait::Park,
            clock,
            meters: meters.clone(),
            timed,
            edge: edge.clone(),
            snapshots: snapshots.clone(),
            snapshot_events: config.snapshot_events,
            snapshot_sequence,
        });
        let maker = writer.spare_maker();
        writer.open();
        let lane = lanes.pop().expect("one lane").settle();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        lane.pump(&Context::from_waker(&waker), || clock.boottime_ms());
        let waiting = Vec::new();
        let server = Self {
            writer,
            maker,
            lane,
            alarm,
            woken,
            waker,
            snapshotter,
            snapshots,
            cursors,
            copies,
            feeder,
            feed,
            door: SoldOutCheck::of(&edge),
            edge,
            clock,
            waiting,
            stamps: BTreeMap::new(),
            reached: BTreeMap::new(),
            timed,
        };
        (server, found)
    }

    /// A request arrives. Gives the answer where an IO thread has it.
    pub(crate) fn ask(
        &mut self,
        (message, now_us): (usize, u64),
        request: Request,
        deadline_ms: Option<u64>,
    ) -> Result<Option<Came>, SubmitError> {
        if let Some(answered) = self.refusal(&request) {
            // Of the state that it rests on, which may be older than the writer's where copies lag.
            let reached = self.reached.range(answered.sequence..).next();
            let stamp = reached.map_or(self.writer.stamp(), |(_, stamp)| *stamp);
            let outcome = Outcome::Answered(answered);
            return Ok(Some(Came { message, outcome, stamp, asked_us: now_us }));
        }
        let rank = Rank::of(&request.command, false);
        let waiting = self.lane.ask(request, rank, deadline_ms)?;
        self.waiting.push((message, now_us, waiting));
        Ok(None)
    }

    /// What the sold-out edge says, as `http/handlers/sold_out` asks it.
    fn refusal(&self, request: &Request) -> Option<Answered> {
        let answerable = self.cursors.answerable();
        let in_flight = |key| self.lane.may_be_in_flight(key);
        let (copied, elapsed_ms) = (self.cursors.copied(), || self.clock.elapsed_ms());
        let found = self.door.refusal(request, copied, in_flight, elapsed_ms)?;
        if !self.cursors.is_good(|| self.clock.boottime_ms()) {
            return None;
        }
        let Command::CreateOrder(order) = &request.command else { return None };
        let line = order.lines.first()?;
        let counted = RefusalReport { sku: line.sku.clone(), created: found.created, count: 1 };
        // What cannot be counted is not refused here.
        if !self.lane.report_refusals(&mut vec![counted], false) {
            return None;
        }
        let (held, seen) = (found.held, found.sequence.max(answerable));
        if self.edge.keeps_refusals() {
            let elapsed_ms = self.clock.elapsed_ms();
            self.lane.keep(TurnedAway { request: request.clone(), held, seen, elapsed_ms });
        }
        let requested = u64::from(line.quantity);
        let short = ShortLine { sku: line.sku.clone(), requested, available: 0, held };
        Some(Answered {
            sequence: seen,
            replayed: false,
            answer: Answer::Refused(Refusal::SoldOut([Box::new(short)].into_iter().collect())),
        })
    }

    /// The writer was called since its last turn.
    pub(crate) fn called(&self) -> bool {
        self.writer.called()
    }

    /// One turn of the writer.
    pub(crate) fn turn(&mut self) -> Result<Next, JournalError> {
        let turned = self.writer.turn();
        if self.timed {
            self.stamps.insert(self.clock.elapsed_us(), self.writer.stamp());
            self.reached.insert(self.writer.state().sequence, self.writer.stamp());
        }
        turned
    }

    /// What the last turn let go, if it woke whoever waits.
    pub(crate) fn came(&mut self) -> Vec<Came> {
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        let context = &mut Context::from_waker(&self.waker);
        self.lane.pump(context, || self.clock.boottime_ms());
        let stamp = self.writer.stamp();
        let mut came = Vec::new();
        let still = std::mem::take(&mut self.waiting);
        for (message, asked_us, mut waiting) in still {
            match Pin::new(&mut waiting).poll(context) {
                Poll::Ready(arrived) => {
                    let decided_us = arrived.times.decided_ns / 1_000;
                    let stamp = *self.stamps.get(&decided_us).unwrap_or(&stamp);
                    came.push(Came { message, outcome: arrived.outcome, stamp, asked_us });
                }
                Poll::Pending => self.waiting.push((message, asked_us, waiting)),
            }
        }
        came
    }

    /// The writer stopped in the middle: whoever waits is told so.
    pub(crate) fn sound_alarm(&mut self) -> Vec<Came> {
        self.alarm.sound();
        self.came()
    }

    /// A step of making the next segment.
    pub(crate) fn make_spare(&self) -> bool {
        self.maker.step()
    }

    /// Something waits to be done for the snapshots.
    pub(crate) fn snapshot_asked(&self) -> Option<Ask> {
        self.snapshotter.asked()
    }

    pub(crate) fn state(&self) -> &State {
        self.writer.state()
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.writer.stamp()
    }

    pub(crate) fn appended(&self) -> Sequence {
        self.cursors.appended()
    }

    pub(crate) fn synced(&self) -> Sequence {
        self.cursors.synced()
    }

    pub(crate) fn settled(&self) -> Sequence {
        self.cursors.settled()
    }

    /// The copies that count hold so much.
    pub(crate) fn publish_copied(&self, copied: Sequence) {
        self.copies.publish(copied);
    }

    /// The copies that count hold so much, and answers may leave until then.
    pub(crate) fn publish_lease(&self, copied: Sequence, good_until_ms: u64) {
        self.copies.publish_with_lease(copied, good_until_ms);
    }

    /// The feeder answers what it was asked.
    pub(crate) fn feed(&mut self) {
        self.feeder.step();
    }

    pub(crate) fn answerable(&self) -> Sequence {
        self.cursors.answerable()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// No more requests.
    pub(crate) fn close(&self) {
        self.lane.close();
    }

    /// The end in good order; gives the last state.
    pub(crate) fn stop(self) -> Result<(State, Snapshotter<SimData>), JournalError> {
        let Self { writer, maker, snapshotter, .. } = self;
        // The writer's own thread waits for a segment that is being made.
        maker.step();
        Ok((writer.stop()?.state, snapshotter))
    }
}
