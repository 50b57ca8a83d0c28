//! The rules of a cluster in every order within small bounds, at random, and broken on purpose.
//!
//! What takes longer is `cargo run --release -p doorbuster-sim --bin cluster-model`. Next:
//! `doorbuster_sim::cluster`.

use doorbuster_sim::cluster::{Mistake, SMALL, check, walk};
use std::time::Duration;

/// Walks of the rules as they are.
const WALKS: u64 = 3_000;
/// Walks in which a broken rule is found.
const WALKS_MAX: u64 = 20_000;
/// Beyond all patience: a check of these bounds takes seconds.
const WITHIN: Duration = Duration::from_secs(600);

#[test]
fn no_order_within_small_bounds_breaks_a_promise() {
    let checked = check(SMALL, None, 2, WITHIN);
    assert!(checked.found.is_none(), "{:#?}", checked.found);
    assert_eq!((checked.never, checked.whole), (Vec::new(), true));
}

#[test]
fn no_walk_breaks_a_promise() {
    let mut epochs = 0;
    for seed in 1..=WALKS {
        let walked = walk(seed, None);
        assert_eq!(walked.found, None, "seed {seed}");
        epochs += u64::from(walked.epochs);
    }
    assert!(epochs > 3 * WALKS, "too few take over: {epochs} epochs");
}

#[test]
fn every_broken_rule_is_found_by_a_walk() {
    for mistake in Mistake::ALL {
        let found = (1..=WALKS_MAX).find(|seed| walk(*seed, Some(*mistake)).found.is_some());
        assert!(found.is_some(), "{mistake:?} was not found in {WALKS_MAX} walks");
    }
}

#[test]
fn a_broken_rule_is_found_by_all_orders() {
    for mistake in
        [Mistake::OwnSyncNotAwaited, Mistake::RequiredAfterSwap, Mistake::LeaseOutlivesSilence]
    {
        let checked = check(SMALL, Some(mistake), 2, WITHIN);
        assert!(checked.found.is_some(), "{mistake:?} was not found");
    }
}
