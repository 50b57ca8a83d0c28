//! Snapshots beside a follower, on their own thread: what two nodes say of one sequence is the same.
//!
//! Owns the thread's life over a cut and a takeover. Next: `main`.

use crate::cutting::parted;
use crate::data::Data;
use crate::shipping::{Shipping, check_start, open_beside};
use crate::shop::{Shop, config};
use doorbuster::background::follower_snapshotter::{FollowerSnapshotter, SnapshotterThread};
use doorbuster::background::snapshotter::{SnapshotterParts, fold};
use doorbuster::codec;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::follower::Follower;
use doorbuster::engine::replay::{From, replay};
use doorbuster::ring::Cursors;
use doorbuster::shared::clock::Clock;
use doorbuster::shared::snapshots::Snapshots;
use doorbuster_snapshots::{Keep, SnapshotReader, no_pause, snapshot_name};
use std::sync::Arc;

struct Watched {
    follower: Follower<Data>,
    snapshots: Arc<Snapshots>,
    thread: SnapshotterThread,
}

fn open_watched(data: &Data) -> Watched {
    let (snapshots, asked) = Snapshots::new();
    let (snapshots, cursors) = (Arc::new(snapshots), Arc::new(Cursors::default()));
    let (own, progress, told) = (data.clone(), cursors.clone(), snapshots.clone());
    let clock = Clock::start();
    let make = move |journal, pruner, asked| SnapshotterParts {
        data: own.clone(),
        pruner,
        journal,
        cursors: progress.clone(),
        snapshots: told.clone(),
        asked,
        clock,
        every_events: u64::MAX,
        every_ms: u64::from(u32::MAX),
        retain_ms: 0,
        keep: Keep::All,
        ballast_bytes: 0,
    };
    let background = FollowerSnapshotter::new(snapshots.clone(), asked, Box::new(make));
    let thread = background.thread();
    let follower = open_beside(data, cursors, Box::new(background));
    Watched { follower, snapshots, thread }
}

impl Watched {
    fn digest_at(&self, sequence: Sequence) -> Result<[u8; 32], String> {
        let answer = self.snapshots.ask_at(sequence).expect("nobody else asks");
        answer.blocking_recv().expect("the thread answers")
    }
}

/// As the writer's own snapshot tells it.
fn writers_digest(shop: &Shop) -> (Sequence, [u8; 32]) {
    let folded = fold(&shop.data, shop.data.id(), Some(shop.settled()), no_pause);
    let sequence = folded.expect("the writer's directory is whole");
    let snapshot = SnapshotReader::open(&shop.data.snapshots, &snapshot_name(sequence));
    (sequence, snapshot.expect("it was taken").meta().digest)
}

#[test]
fn a_copy_tells_the_digest_that_the_writer_has() {
    let mut shop = Shop::start(&Data::default(), 1, 11);
    let mut copy = open_watched(&Data::default());
    let mut shipping = Shipping::begin(&shop, &mut copy.follower);
    for round in 0..4 {
        for _ in 0..20 {
            shop.sell();
            shipping.ship_all(&mut shop, &mut copy.follower);
        }
        let (sequence, digest) = writers_digest(&shop);
        assert_eq!(copy.digest_at(sequence), Ok(digest), "round {round}");
        // Once more, from what is there now.
        assert_eq!(copy.digest_at(sequence), Ok(digest));
        assert_eq!(copy.snapshots.sequence(), Some(sequence));
        assert!(copy.digest_at(sequence - 1).is_err(), "a later one is there");
        while shop.appended() == shop.settled() {
            shop.sell();
        }
        while shipping.ship(&shop, &mut copy.follower, 100) > 0 {}
        let unsettled = copy.digest_at(copy.follower.end().sequence);
        assert!(unsettled.is_err_and(|why| why.contains("not settled")));
    }
    // Snapshots that came with it are what a start uses.
    shipping.ship_all(&mut shop, &mut copy.follower);
    check_start(&shop, &copy.follower.data().killed());
}

#[test]
fn snapshots_go_on_after_a_cut_and_a_takeover() {
    let (mut shop, back, common) = parted(1);
    let mut copy = open_watched(&back.data().killed());
    let before = copy.follower.settled();
    assert!(copy.digest_at(before).is_ok());
    assert!(copy.follower.cut_to(2, &common).expect("it is only a tail").is_some());
    let mut shipping = Shipping::to(&shop, &copy.follower);
    shop.sell();
    shipping.ship_all(&mut shop, &mut copy.follower);
    let (sequence, digest) = writers_digest(&shop);
    assert_eq!(copy.digest_at(sequence), Ok(digest));
    let Watched { follower, snapshots, thread } = copy;
    let (data, config) = (follower.data().clone(), config());
    let promoted = follower.promote(3, None, (&config.rules, &config), shop.hands.clock());
    let recovered = promoted.expect("it is whole");
    assert_eq!(recovered.snapshot_sequence, sequence);
    let found = replay(&data, From::Genesis, None, &mut |_| {}).expect("it is whole");
    assert_eq!(codec::digest(&recovered.state), codec::digest(&found.state));
    let taken = snapshots.ask().expect("nobody else asks").blocking_recv().expect("it answers");
    assert_eq!(taken, Ok(sequence), "nothing of the new epoch is settled yet");
    snapshots.stop(0);
    thread.join();
}
