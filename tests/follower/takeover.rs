//! A follower that is made the writer: a start from a state that is warm.
//!
//! Owns that it is the same start: the state is what a replay of the directory gives. Next:
//! `beginning`.

use crate::data::Data;
use crate::shipping::{Shipping, check_same, open, open_threaded};
use crate::shop::{Hands, Shop, config};
use doorbuster::codec;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::follower::Follower;
use doorbuster::engine::recovery::{Recovered, RecoveryError};
use doorbuster::engine::replay::{From, replay};
use doorbuster_journal::{JournalError, MemoryDisk};

fn promote(
    follower: Follower<Data>,
    epoch: u32,
    lost_from: Option<Sequence>,
    hands: Hands,
) -> Result<Recovered<MemoryDisk>, RecoveryError> {
    let config = config();
    follower.promote(epoch, lost_from, (&config.rules, &config), hands.clock())
}

/// A copy that has stored more than it knows to be settled.
fn ahead(seed: u64) -> (Shop, Follower<Data>) {
    let mut shop = Shop::start(&Data::default(), 1, seed);
    let mut follower = open(&Data::default());
    let mut shipping = Shipping::begin(&shop, &mut follower);
    for _ in 0..40 {
        shop.sell();
    }
    shipping.ship_all(&mut shop, &mut follower);
    for _ in 0..40 {
        shop.sell();
    }
    while shipping.ship(&shop, &mut follower, 100) > 0 {}
    (shop, follower)
}

#[test]
fn a_takeover_is_a_start_of_the_same_directory() {
    for seed in 0..4 {
        let (shop, follower) = ahead(seed);
        let (settled, appended) = (follower.settled(), follower.end().sequence);
        assert!(settled < appended);
        let data = follower.data().clone();
        let hands = shop.hands;
        drop(shop);
        let recovered = promote(follower, 5, None, hands).expect("it is whole");
        assert_eq!((recovered.replayed, recovered.state.epoch), (appended, 5));
        let found = replay(&data.killed(), From::NewestSnapshot, None, &mut |_| {}).unwrap();
        assert_eq!(codec::digest(&found.state), codec::digest(&recovered.state));
        // The frames of the start vouch for no more than was known.
        assert!(found.scan.expect("to the end").vouched <= settled.max(1));
        // It sells on, and another follows it.
        let mut shop = Shop::serve(&data, recovered, hands, seed + 10);
        let mut other = open(&Data::default());
        let mut shipping = Shipping::begin(&shop, &mut other);
        for _ in 0..40 {
            shop.sell();
            shipping.ship_all(&mut shop, &mut other);
        }
        check_same(&shop, &other);
        let last = shop.stop();
        let found = replay(&data, From::NewestSnapshot, None, &mut |_| {}).unwrap();
        assert_eq!(codec::digest(&found.state), codec::digest(&last));
    }
}

/// With a thread that makes segments, as in a server: the follower waits for those that it needs,
/// and the journal keeps the thread.
#[test]
fn a_follower_whose_segments_a_thread_makes_takes_over() {
    let mut shop = Shop::start(&Data::default(), 1, 12);
    let mut follower = open_threaded(&Data::default());
    let mut shipping = Shipping::begin(&shop, &mut follower);
    for _ in 0..700 {
        shop.sell();
        shipping.ship_all(&mut shop, &mut follower);
    }
    assert!(follower.end().place.segment > 1, "{}", follower.end());
    let state = follower.state().expect("it has a journal");
    assert_eq!(codec::digest(state), codec::digest(shop.state()));
    let data = follower.data().clone();
    let recovered = promote(follower, 2, None, shop.hands).expect("it is whole");
    let found = replay(&data.killed(), From::Genesis, None, &mut |_| {}).unwrap();
    assert_eq!(codec::digest(&found.state), codec::digest(&recovered.state));
}

#[test]
fn answers_that_an_operator_gave_up_are_named_by_the_start() {
    let (shop, follower) = ahead(9);
    let lost_from = Some(follower.end().sequence + 1);
    let recovered = promote(follower, 2, lost_from, shop.hands).expect("it is whole");
    assert_eq!(recovered.lost_from, lost_from);
}

#[test]
fn an_epoch_that_was_written_in_is_not_begun_again() {
    let (_, follower) = ahead(9);
    let data = follower.data().clone();
    let before = data.journal.clone().after_power_loss(|_, _| true);
    let refused = promote(follower, 1, None, Hands::new());
    assert!(matches!(refused.err(), Some(RecoveryError::EpochPast { granted: 1, last: 1 })));
    data.check_same_segments(&Data { journal: before, ..Data::default() });
    let empty = promote(open(&Data::default()), 1, None, Hands::new());
    let Some(RecoveryError::Journal(JournalError::Empty { .. })) = empty.err() else {
        panic!("an empty directory has nothing to go on from")
    };
}
