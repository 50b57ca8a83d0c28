//! The real writer, whose turns a test takes one by one, and clients that keep it busy.
//!
//! Owns one life of it. Next: `shipping`.

use crate::data::Data;
use doorbuster::config::{Config, Sources, Wait};
use doorbuster::domain::model::answer::TABLES;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::domain::state::tables::State;
use doorbuster::edge::Edge;
use doorbuster::engine::recovery::{NewEpoch, Recovered, recover_in};
use doorbuster::http::LABELS;
use doorbuster::metrics::Meters;
use doorbuster::ring::{self, CopyProgress, Cursors, Lane, PendingReply, Rank};
use doorbuster::shared::clock::{Clock, SetClock};
use doorbuster::shared::snapshots::Snapshots;
use doorbuster::writer::{Next, Writer, WriterParts};
use doorbuster_journal::{MemoryDisk, SegmentAllocator};
use doorbuster_sim::Knowledge;
use doorbuster_test_support::random::Random;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

/// What clocks show at the start of a test.
const WALL_MS: u64 = 1_800_000_000_000;
/// So long is a turn.
const TURN_US: u64 = 5_000;
/// After so long a quiet writer has sealed.
const QUIET_US: u64 = 60_000_000;

/// A clock that a test moves.
#[derive(Clone, Copy)]
pub(crate) struct Hands {
    set: &'static SetClock,
    elapsed_us: u64,
}

impl Hands {
    pub(crate) fn new() -> Self {
        let mut hands = Self { set: Box::leak(Box::default()), elapsed_us: 0 };
        hands.pass(0);
        hands
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::set_by(self.set)
    }

    fn pass(&mut self, us: u64) {
        self.elapsed_us += us;
        self.set.set(self.elapsed_us, WALL_MS + self.elapsed_us / 1_000);
    }
}

pub(crate) fn config() -> Config {
    let mut sources = Sources::default();
    let mut set = |name: &str, value: &str| sources.set("test", name, value.to_owned()).unwrap();
    set("journal.segment_bytes", "262144");
    for name in ["skus", "keys", "answers", "uses", "users", "entries", "orders"] {
        set(&format!("caps.{name}"), "2000");
    }
    sources.config().expect("settings of the test")
}

pub(crate) struct Shop {
    pub(crate) data: Data,
    pub(crate) cursors: Arc<Cursors>,
    writer: Writer<MemoryDisk>,
    maker: SegmentAllocator<MemoryDisk>,
    lane: Lane,
    copies: CopyProgress,
    pub(crate) hands: Hands,
    knowledge: Knowledge,
    random: Random,
    waiting: Vec<(Arc<doorbuster::domain::model::command::Request>, PendingReply)>,
}

impl Shop {
    /// A start in a granted epoch.
    pub(crate) fn start(data: &Data, epoch: u32, seed: u64) -> Self {
        let (config, hands) = (config(), Hands::new());
        let granted = (hands.clock(), NewEpoch::Granted(epoch));
        let recovered = recover_in(data, &config.rules, &config, granted, &mut |_| {});
        Self::serve(data, recovered.expect("the directory is whole"), hands, seed)
    }

    pub(crate) fn serve(
        data: &Data,
        recovered: Recovered<MemoryDisk>,
        hands: Hands,
        seed: u64,
    ) -> Self {
        let (config, clock) = (config(), hands.clock());
        let cursors = Arc::new(Cursors::default());
        let (mut lanes, inbox, outbox) = ring::build_sized(1, 64, 64, &cursors);
        let copies = outbox.copy_progress();
        // Nothing that is new is copied yet.
        copies.publish(recovered.journal.watermark());
        let mut writer = Writer::new(WriterParts {
            state: recovered.state,
            journal: recovered.journal,
            stamps: recovered.stamps,
            inbox,
            outbox,
            settings: mpsc::channel().1,
            segment_bytes: config.segment_bytes,
            durability: config.durability,
            wait: Wait::Park,
            clock,
            meters: Arc::new(Meters::new(1, LABELS, &TABLES)),
            timed: false,
            edge: Arc::new(Edge::default()),
            snapshots: Arc::new(Snapshots::new().0),
            snapshot_events: u64::MAX / 2,
            snapshot_sequence: recovered.snapshot_sequence,
        });
        let maker = writer.spare_maker();
        maker.step();
        writer.open();
        let lane = lanes.pop().expect("one lane").settle();
        let mut random = Random::new(seed);
        let mut shop = Self {
            data: data.clone(),
            cursors,
            writer,
            maker,
            lane,
            copies,
            hands,
            knowledge: Knowledge::new(3_000),
            random: Random::new(seed),
            waiting: Vec::new(),
        };
        let now = shop.writer.stamp();
        for request in shop.knowledge.opening(&mut random, false, now) {
            shop.ask(request);
        }
        shop.turns();
        shop
    }

    fn ask(&mut self, request: Arc<doorbuster::domain::model::command::Request>) {
        let rank = Rank::of(&request.command, false);
        // A full lane is no matter here.
        if let Ok(reply) = self.lane.ask((*request).clone(), rank, None) {
            self.waiting.push((request, reply));
        }
    }

    /// A few requests, and the turns that decide them.
    pub(crate) fn sell(&mut self) {
        for _ in 0..self.random.between(1, 6) {
            let now = self.writer.stamp();
            let request = self.knowledge.next(&mut self.random, true, now);
            self.ask(request);
        }
        self.turns();
        if self.random.once_in(20) {
            self.rest();
        }
    }

    /// Nobody asks for long enough that the writer seals.
    pub(crate) fn rest(&mut self) {
        for _ in 0..3 {
            self.hands.pass(QUIET_US);
            self.turns();
        }
    }

    fn turns(&mut self) {
        loop {
            self.hands.pass(TURN_US);
            let next = self.writer.turn().expect("memory does not fail");
            self.maker.step();
            if next != Next::Turn {
                break;
            }
        }
        let context = &mut Context::from_waker(Waker::noop());
        self.lane.pump(context, || 0);
        for (request, mut reply) in std::mem::take(&mut self.waiting) {
            match Pin::new(&mut reply).poll(context) {
                Poll::Ready(arrived) => {
                    if let ring::Outcome::Answered(answered) = arrived.outcome {
                        self.knowledge.hear(&request, &answered);
                    }
                }
                Poll::Pending => self.waiting.push((request, reply)),
            }
        }
    }

    /// The copies that count have synced so much.
    pub(crate) fn acknowledge(&mut self, copied: Sequence) {
        self.copies.publish(copied);
    }

    pub(crate) fn appended(&self) -> Sequence {
        self.cursors.appended()
    }

    pub(crate) fn settled(&self) -> Sequence {
        self.cursors.settled()
    }

    pub(crate) fn state(&self) -> &State {
        self.writer.state()
    }

    /// The end in good order.
    pub(crate) fn stop(self) -> State {
        let Self { writer, lane, .. } = self;
        lane.close();
        writer.stop().expect("memory does not fail").state
    }
}
