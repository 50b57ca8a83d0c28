//! The way between a writer and a follower: frames as they lie, as many at a time as a test likes.
//!
//! Owns no rule of its own. Next: `growing`.

use crate::data::Data;
use crate::shop::{Shop, config};
use doorbuster::background::snapshotter::fold;
use doorbuster::codec;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::follower::{
    Background, BootstrapStart, Follower, FollowerOptions, SnapshotStart, SpareSource,
};
use doorbuster::ring::Cursors;
use doorbuster::shared::clock::Clock;
use doorbuster_journal::{FramePlace, JournalId, MemoryDisk, Pruner, RawTail};
use doorbuster_snapshots::{no_pause, snapshot_name};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

/// What works in the background was told this.
pub(crate) type Told = Arc<Mutex<Vec<&'static str>>>;

struct Noted(Told);

impl Background<MemoryDisk> for Noted {
    fn begin(&mut self, _journal: JournalId, _pruner: Pruner<MemoryDisk>) {
        self.0.lock().expect("no test panicked with it").push("begin");
    }

    fn pause(&mut self) {
        self.0.lock().expect("no test panicked with it").push("pause");
    }
}

pub(crate) fn open_noted(data: &Data) -> (Follower<Data>, Told) {
    let told = Told::default();
    (open_beside(data, Arc::default(), Box::new(Noted(told.clone()))), told)
}

pub(crate) fn open_beside(
    data: &Data,
    cursors: Arc<Cursors>,
    background: Box<dyn Background<MemoryDisk>>,
) -> Follower<Data> {
    let spares = SpareSource::InPlace;
    open_with(data, FollowerOptions { cursors, background, ..options(spares) })
}

/// Segments are made by a thread, as in a server.
pub(crate) fn open_threaded(data: &Data) -> Follower<Data> {
    open_with(data, options(SpareSource::Thread(Clock::start())))
}

fn options(spares: SpareSource) -> FollowerOptions<MemoryDisk> {
    FollowerOptions {
        segment_bytes: config().segment_bytes,
        set_aside_bytes_max: u64::MAX,
        spares,
        cursors: Arc::default(),
        background: Box::new(()),
    }
}

fn open_with(data: &Data, options: FollowerOptions<MemoryDisk>) -> Follower<Data> {
    let opened = Follower::open(data.clone(), options, &mut |_| {});
    opened.expect("the directory is whole, or empty")
}

pub(crate) fn open(data: &Data) -> Follower<Data> {
    open_noted(data).0
}

/// The way to one follower.
pub(crate) struct Shipping {
    tail: RawTail<MemoryDisk>,
}

impl Shipping {
    /// Goes on where the follower is.
    pub(crate) fn to(shop: &Shop, follower: &Follower<Data>) -> Self {
        let tail = RawTail::at(&shop.data.journal, &follower.end());
        Self { tail: tail.expect("the writer had this end") }
    }

    /// An empty follower begins with the first segment.
    pub(crate) fn begin(shop: &Shop, follower: &mut Follower<Data>) -> Self {
        let start = BootstrapStart { journal: shop.data.id(), snapshot: None };
        follower.begin_bootstrap(start).expect("memory does not fail");
        Self::at_segment_of(shop, follower, 1)
    }

    /// A follower begins with a snapshot of what is settled. Gives its sequence too.
    pub(crate) fn begin_with_snapshot(
        shop: &Shop,
        follower: &mut Follower<Data>,
    ) -> (Self, Sequence) {
        let sequence = send_snapshot(shop, follower, shop.data.id());
        follower.finish_snapshot().expect("it has come whole");
        (Self::at_segment_of(shop, follower, sequence), sequence)
    }

    pub(crate) fn at_segment_of(
        shop: &Shop,
        follower: &mut Follower<Data>,
        sequence: Sequence,
    ) -> Self {
        let found = RawTail::at_segment_of(&shop.data.journal, sequence);
        let (tail, header) = found.expect("it is stored");
        let place = FramePlace { segment: tail.end().place.segment, offset: 0 };
        follower.store(place, &header).expect("the journal begins");
        Self { tail }
    }

    /// Frames on their way, as many as there are, and at most so many.
    pub(crate) fn frames(&mut self, shop: &Shop, most: u64) -> Vec<(FramePlace, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut visit = |place: FramePlace, bytes: &[u8]| {
            if frames.len() as u64 >= most && place.offset != 0 {
                return ControlFlow::Break(());
            }
            frames.push((place, bytes.to_vec()));
            ControlFlow::Continue(())
        };
        let read = self.tail.read(&shop.data.journal, shop.appended(), &mut visit);
        read.expect("the writer's journal is whole");
        frames
    }

    /// Takes so many frames to the follower.
    pub(crate) fn ship(&mut self, shop: &Shop, follower: &mut Follower<Data>, most: u64) -> usize {
        let frames = self.frames(shop, most);
        for (place, bytes) in &frames {
            follower.store(*place, bytes).expect("it goes on where it is");
        }
        frames.len()
    }

    /// Takes everything to the follower, which syncs and says so.
    pub(crate) fn ship_all(&mut self, shop: &mut Shop, follower: &mut Follower<Data>) {
        while self.ship(shop, follower, 100) > 0 {}
        shop.acknowledge(follower.sync().expect("memory does not fail"));
        follower.settle(shop.settled()).expect("the records fit");
    }
}

/// Sends the bytes of a snapshot of what is settled as that of a journal, and not its end.
pub(crate) fn send_snapshot(
    shop: &Shop,
    follower: &mut Follower<Data>,
    journal: JournalId,
) -> Sequence {
    let folded = fold(&shop.data, shop.data.id(), Some(shop.settled()), no_pause);
    let sequence = folded.expect("the writer's directory is whole");
    let bytes = shop.data.snapshots.contents(&snapshot_name(sequence)).expect("it was taken");
    let snapshot = SnapshotStart { sequence, bytes: bytes.len() as u64 };
    let start = BootstrapStart { journal, snapshot: Some(snapshot) };
    follower.begin_bootstrap(start).expect("memory does not fail");
    for piece in bytes.chunks(10_000) {
        follower.snapshot_piece(piece).expect("memory does not fail");
    }
    sequence
}

/// A copy of the directory, opened by a start that hears from its writer: it holds the same.
pub(crate) fn check_start(shop: &Shop, data: &Data) {
    let mut follower = open(data);
    // The newest frame is vouched for by none after it.
    assert!(follower.settled() <= shop.settled());
    follower.settle(shop.settled()).expect("the records fit");
    check_same(shop, &follower);
}

/// Both hold the same: bytes, end, and, once all is settled, the same state.
pub(crate) fn check_same(shop: &Shop, follower: &Follower<Data>) {
    assert_eq!(follower.end().sequence, shop.appended());
    assert_eq!(follower.settled(), shop.appended());
    follower.data().check_same_segments(&shop.data);
    let state = follower.state().expect("it has a journal");
    assert_eq!(codec::digest(state), codec::digest(shop.state()));
}
