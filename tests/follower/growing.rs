//! A follower that grows with its writer, and dies at any moment.
//!
//! Owns what must hold after every step: nothing is applied that may be taken back, and nothing
//! that was synced is gone. Next: `cutting`.

use crate::data::Data;
use crate::shipping::{Shipping, check_same, open};
use crate::shop::Shop;
use doorbuster::engine::follower::{Follower, FollowerError};
use doorbuster_journal::JournalError;
use doorbuster_test_support::random::Random;

/// What is applied is settled and synced, and the cursors say so.
fn check_order(shop: &Shop, follower: &Follower<Data>) {
    let Some(state) = follower.state() else { return };
    assert!(state.sequence <= follower.settled());
    assert!(follower.settled() <= follower.synced());
    assert!(follower.settled() <= shop.settled());
    assert!(follower.synced() <= follower.end().sequence);
}

#[test]
fn a_follower_holds_the_bytes_and_the_state_of_its_writer() {
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let mut shop = Shop::start(&Data::default(), 1, seed);
        let mut follower = open(&Data::default());
        assert_eq!((follower.journal_id(), follower.settled()), (None, 0));
        let mut shipping = Shipping::begin(&shop, &mut follower);
        for _ in 0..700 {
            shop.sell();
            shipping.ship(&shop, &mut follower, random.below(8));
            if random.percent(60) {
                let synced = follower.sync().expect("memory does not fail");
                if random.percent(80) {
                    shop.acknowledge(synced);
                }
            }
            // It may be told of more than it has.
            follower.settle(shop.settled()).expect("the records fit");
            check_order(&shop, &follower);
        }
        shop.rest();
        shipping.ship_all(&mut shop, &mut follower);
        check_same(&shop, &follower);
        assert!(follower.end().place.segment > 1, "several segments: {}", follower.end());
    }
}

/// Killed, or without power, at any moment: the next start has what was synced, and goes on.
#[test]
fn a_follower_that_dies_goes_on_from_what_it_has() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut shop = Shop::start(&Data::default(), 1, seed);
        let mut follower = open(&Data::default());
        let mut shipping = Shipping::begin(&shop, &mut follower);
        shipping.ship_all(&mut shop, &mut follower);
        for _ in 0..60 {
            for _ in 0..random.below(6) {
                shop.sell();
                shipping.ship(&shop, &mut follower, random.below(8));
                if random.percent(60) {
                    shop.acknowledge(follower.sync().expect("memory does not fail"));
                    follower.settle(shop.settled()).expect("the records fit");
                }
            }
            let (synced, vouched) = (follower.synced(), follower.history().end.sequence);
            let data = match random.percent(50) {
                true => follower.data().killed(),
                false => follower.data().after_power_loss(&mut random),
            };
            drop(follower);
            follower = open(&data);
            assert!((synced..=vouched).contains(&follower.synced()), "{synced} was synced");
            check_order(&shop, &follower);
            shipping = Shipping::to(&shop, &follower);
        }
        shipping.ship_all(&mut shop, &mut follower);
        check_same(&shop, &follower);
    }
}

/// What does not continue the journal is refused, and changes nothing.
#[test]
fn a_frame_that_does_not_follow_is_refused() {
    let mut shop = Shop::start(&Data::default(), 1, 7);
    let mut follower = open(&Data::default());
    assert!(matches!(
        follower.store(follower.end().place, b"frame"),
        Err(FollowerError::NoJournal)
    ));
    let mut shipping = Shipping::begin(&shop, &mut follower);
    shipping.ship_all(&mut shop, &mut follower);
    for _ in 0..10 {
        shop.sell();
    }
    let frames = shipping.frames(&shop, 100);
    assert!(frames.len() > 1);
    let before = follower.end();
    for (place, bytes) in frames.iter().rev().take(frames.len() - 1) {
        let refused = follower.store(*place, bytes);
        let Err(FollowerError::Journal(JournalError::NotContinued { .. })) = refused else {
            panic!("{refused:?}")
        };
    }
    assert_eq!(follower.end(), before);
    for (place, bytes) in &frames {
        follower.store(*place, bytes).expect("in their order they fit");
    }
    shipping.ship_all(&mut shop, &mut follower);
    check_same(&shop, &follower);
}
