//! How a directory without a journal comes to one, and one that is too far behind to a new one.
//!
//! Owns that a death in the middle leaves a directory that begins again. Next: `main`.

use crate::data::Data;
use crate::shipping::{Shipping, check_same, check_start, open, open_noted, send_snapshot};
use crate::shop::Shop;
use doorbuster::engine::follower::{BootstrapStart, FollowerError, SnapshotStart};
use doorbuster_journal::{Disk, JournalId};
use doorbuster_snapshots::SnapshotError;
use doorbuster_test_support::random::Random;

fn busy(seed: u64) -> Shop {
    let mut shop = Shop::start(&Data::default(), 1, seed);
    sell_alone(&mut shop, 120);
    shop
}

/// Nobody else counts: all that is synced here is settled.
fn sell_alone(shop: &mut Shop, turns: u32) {
    for _ in 0..turns {
        shop.acknowledge(u64::MAX);
        shop.sell();
    }
}

#[test]
fn an_empty_directory_begins_with_a_snapshot() {
    for seed in 0..4 {
        let mut shop = busy(seed);
        let (mut follower, told) = open_noted(&Data::default());
        let (mut shipping, sequence) = Shipping::begin_with_snapshot(&shop, &mut follower);
        sell_alone(&mut shop, 40);
        assert!(told.lock().unwrap().is_empty(), "there is no journal yet");
        shipping.ship_all(&mut shop, &mut follower);
        assert_eq!(*told.lock().unwrap(), ["begin"]);
        assert!(sequence > 0 && follower.end().sequence > sequence);
        check_same(&shop, &follower);
        check_start(&shop, &follower.data().killed());
    }
}

/// Whatever had come: there is a whole directory or an empty one, and either goes on.
#[test]
fn a_death_while_it_begins_leaves_it_empty_or_whole() {
    let mut whole = 0;
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let mut shop = busy(seed);
        let mut follower = open(&Data::default());
        let (mut shipping, _) = Shipping::begin_with_snapshot(&shop, &mut follower);
        shipping.ship(&shop, &mut follower, random.below(500));
        let data = follower.data().after_power_loss(&mut random);
        drop(follower);
        let mut follower = open(&data);
        let mut shipping = match follower.journal_id() {
            Some(id) => {
                assert_eq!(id, shop.data.id());
                whole += 1;
                Shipping::to(&shop, &follower)
            }
            None => Shipping::begin_with_snapshot(&shop, &mut follower).0,
        };
        shipping.ship_all(&mut shop, &mut follower);
        check_same(&shop, &follower);
    }
    assert!((1..30).contains(&whole), "{whole} of 30 were whole");
}

/// One whose next frame the writer no longer has gives its segments up, and begins again.
#[test]
fn a_directory_that_is_too_far_behind_begins_again() {
    let mut shop = Shop::start(&Data::default(), 1, 5);
    let data = Data::default();
    let mut follower = open(&data);
    let mut shipping = Shipping::begin(&shop, &mut follower);
    shop.sell();
    shipping.ship_all(&mut shop, &mut follower);
    sell_alone(&mut shop, 150);
    drop(follower);
    let (mut follower, told) = open_noted(&data);
    let (mut shipping, sequence) = Shipping::begin_with_snapshot(&shop, &mut follower);
    shipping.ship_all(&mut shop, &mut follower);
    check_same(&shop, &follower);
    assert!(follower.history().epochs[0].before.sequence <= sequence);
    assert_eq!(*told.lock().unwrap(), ["begin", "pause", "begin"]);
    assert!(data.top.names().unwrap().is_empty(), "the mark is gone");
}

/// Killed while its segments go, it goes on removing them.
#[test]
fn segments_that_were_given_up_are_never_read_again() {
    let mut shop = busy(6);
    sell_alone(&mut shop, 600);
    let data = Data::default();
    let mut follower = open(&data);
    let mut shipping = Shipping::begin(&shop, &mut follower);
    shipping.ship_all(&mut shop, &mut follower);
    assert!(follower.end().place.segment > 1);
    drop(follower);
    let names = data.journal.names().unwrap();
    for left in 0..names.len() {
        let torn = data.killed();
        torn.top.put("segments-given-up", Vec::new());
        for name in &names[left..] {
            torn.journal.remove(name).unwrap();
        }
        let follower = open(&torn);
        assert_eq!(follower.journal_id(), None);
        assert!(torn.journal.names().unwrap().is_empty());
        assert!(torn.top.names().unwrap().is_empty());
    }
}

#[test]
fn a_snapshot_that_is_not_whole_or_not_ours_gets_no_name() {
    let mut shop = busy(8);
    let data = Data::default();
    let mut follower = open(&data);
    assert!(matches!(follower.snapshot_piece(b"x"), Err(FollowerError::NoSnapshot)));
    assert!(matches!(follower.finish_snapshot(), Err(FollowerError::NoSnapshot)));
    let sequence = send_snapshot(&shop, &mut follower, shop.data.id());
    let more = follower.snapshot_piece(b"x");
    assert!(matches!(more, Err(FollowerError::Snapshot(SnapshotError::PayloadLength { .. }))));
    let short = SnapshotStart { sequence, bytes: 5_000 };
    let start = BootstrapStart { journal: shop.data.id(), snapshot: Some(short) };
    follower.begin_bootstrap(start).unwrap();
    follower.snapshot_piece(&[0; 5_000]).unwrap();
    let refused = follower.finish_snapshot();
    assert!(matches!(refused, Err(FollowerError::Snapshot(SnapshotError::Damaged { .. }))));
    send_snapshot(&shop, &mut follower, JournalId([9; 16]));
    let refused = follower.finish_snapshot();
    assert!(matches!(refused, Err(FollowerError::Snapshot(SnapshotError::ForeignJournal { .. }))));
    assert!(data.snapshots.names().unwrap().is_empty());
    // It begins as if nothing had come.
    let (mut shipping, _) = Shipping::begin_with_snapshot(&shop, &mut follower);
    shipping.ship_all(&mut shop, &mut follower);
    check_same(&shop, &follower);
}

/// Somebody has taken the segments away and left a snapshot, which reaches further than what comes.
#[test]
fn a_snapshot_that_was_left_does_not_stand_in_the_way() {
    let mut shop = Shop::start(&Data::default(), 1, 4);
    sell_alone(&mut shop, 30);
    let data = Data::default();
    let mut follower = open(&data);
    Shipping::begin_with_snapshot(&shop, &mut follower).0.ship_all(&mut shop, &mut follower);
    drop(follower);
    for name in data.journal.names().unwrap() {
        data.journal.remove(&name).unwrap();
    }
    let mut follower = open(&data);
    let mut shipping = Shipping::begin(&shop, &mut follower);
    shipping.ship(&shop, &mut follower, 3);
    follower.sync().unwrap();
    let mut follower = open(&follower.data().killed());
    let mut shipping = Shipping::to(&shop, &follower);
    shipping.ship_all(&mut shop, &mut follower);
    check_same(&shop, &follower);
}
