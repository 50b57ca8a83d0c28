//! Two histories that part: what one node has and the writer never had is cut off and set aside.
//!
//! Owns that nothing goes which may have been answered. Next: `takeover`.

use crate::data::Data;
use crate::shipping::{Shipping, check_same, check_start, open, open_noted};
use crate::shop::{Shop, config};
use doorbuster::engine::follower::{Follower, FollowerError};
use doorbuster_journal::{JournalEnd, JournalError, common_end};
use doorbuster_test_support::random::Random;

/// A writer whose last turns did not reach the copy; the copy writes on, and the writer comes back.
pub(crate) fn parted(seed: u64) -> (Shop, Follower<Data>, JournalEnd) {
    let mut random = Random::new(seed);
    let mut first = Shop::start(&Data::default(), 1, seed);
    let mut copy = open(&Data::default());
    let mut shipping = Shipping::begin(&first, &mut copy);
    for _ in 0..random.between(10, 60) {
        first.sell();
        shipping.ship_all(&mut first, &mut copy);
    }
    let settled = first.settled();
    for _ in 0..random.between(1, 40) {
        first.sell();
    }
    shipping.ship(&first, &mut copy, random.below(4));
    let (lost, config, hands) = (first.data.killed(), config(), first.hands);
    drop(first);
    let data = copy.data().clone();
    let promoted = copy.promote(2, None, (&config.rules, &config), hands.clock());
    let mut second = Shop::serve(&data, promoted.expect("it is whole"), hands, seed + 1);
    for _ in 0..random.below(30) {
        second.sell();
    }
    let back = open(&lost);
    assert!(back.settled() <= settled);
    let theirs = RawHistory::of(&second);
    let common = common_end(&back.history(), &theirs).expect("they have a past").end;
    (second, back, common)
}

/// What a writer tells of itself.
struct RawHistory;

impl RawHistory {
    fn of(shop: &Shop) -> doorbuster_journal::JournalHistory {
        let scanned =
            doorbuster_journal::scan(&shop.data.journal, doorbuster_journal::Origin::Genesis);
        scanned.expect("the writer's journal is whole").history()
    }
}

#[test]
fn a_tail_that_the_writer_never_had_is_cut_and_set_aside() {
    let mut frames = 0;
    for seed in 0..8 {
        let (mut shop, mut back, common) = parted(seed);
        let before = back.end();
        let cut = back.cut_to(2, &common).expect("it is only a tail");
        assert_eq!(back.end(), common);
        match cut {
            None => assert_eq!(before, common),
            Some(tail) => {
                frames += tail.frames;
                let aside = back.data().aside.lock().unwrap();
                let names: Vec<_> = aside.keys().cloned().collect();
                assert_eq!(names, [format!("2-{}", common.sequence)]);
            }
        }
        let mut shipping = Shipping::to(&shop, &back);
        shipping.ship_all(&mut shop, &mut back);
        check_same(&shop, &back);
        // And it is what a start makes of it.
        check_start(&shop, &back.data().killed());
    }
    assert!(frames > 8, "{frames} frames were cut in all");
}

#[test]
fn nothing_that_may_have_been_answered_is_cut() {
    let mut shop = Shop::start(&Data::default(), 1, 3);
    let mut follower = open(&Data::default());
    let mut shipping = Shipping::begin(&shop, &mut follower);
    shop.sell();
    shipping.ship_all(&mut shop, &mut follower);
    let early = follower.end();
    shop.sell();
    shipping.ship_all(&mut shop, &mut follower);
    let late = follower.end();
    assert!(follower.settled() > early.sequence);
    let refused = follower.cut_to(2, &early);
    let Err(FollowerError::Journal(JournalError::NotATail { .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(follower.end(), late);
    shop.sell();
    shipping.ship_all(&mut shop, &mut follower);
    check_same(&shop, &follower);
}

#[test]
fn what_works_in_the_background_rests_during_a_cut() {
    let (_, back, common) = parted(1);
    let (mut back, told) = open_noted(&back.data().killed());
    assert_eq!(*told.lock().unwrap(), ["begin"]);
    assert!(back.cut_to(2, &common).expect("it is only a tail").is_some());
    assert_eq!(*told.lock().unwrap(), ["begin", "pause", "begin"]);
    assert!(back.cut_to(2, &common).expect("it was cut").is_none());
    assert_eq!(told.lock().unwrap().len(), 3);
}
