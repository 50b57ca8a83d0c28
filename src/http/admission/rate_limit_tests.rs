//! Buckets by a clock that is passed in: rates, shares, threads, and a table that is full.

use super::*;
use std::sync::Arc;

const SECOND_NS: u64 = 1_000_000_000;
const TEN_IN_FIVE: Quota = Quota { requests: 10, window_s: 5 };
const CELLS: usize = 65_536;

fn table() -> Buckets {
    Buckets::with_cells(CELLS)
}

fn admitted(buckets: &Buckets, owner: u64, share: Share, now_ns: u64, asked: usize) -> usize {
    (0..asked).filter(|_| buckets.charge(&owner, TEN_IN_FIVE, share, now_ns).is_ok()).count()
}

#[test]
fn a_bucket_gives_its_quota_at_once_and_then_its_rate() {
    let buckets = table();
    let now_ns = 7 * SECOND_NS;
    assert_eq!(admitted(&buckets, 1, Share::Own, now_ns, 50), 10);
    // Others are others.
    assert_eq!(admitted(&buckets, 2, Share::Own, now_ns, 50), 10);
    // One each half second.
    assert_eq!(admitted(&buckets, 1, Share::Own, now_ns + SECOND_NS / 2 - 1, 50), 0);
    assert_eq!(admitted(&buckets, 1, Share::Own, now_ns + SECOND_NS / 2, 50), 1);
    assert_eq!(admitted(&buckets, 1, Share::Own, now_ns + 3 * SECOND_NS, 50), 5);
    // No more than the quota, however long it was left alone.
    assert_eq!(admitted(&buckets, 1, Share::Own, now_ns + 1000 * SECOND_NS, 50), 10);
}

#[test]
fn a_bucket_says_what_is_left_and_when_to_come_again() {
    let buckets = table();
    let charge = |now_ns| buckets.charge(&1_u64, TEN_IN_FIVE, Share::Own, now_ns);
    for left in (0..10).rev() {
        let full_in_ns = (10 - left) * SECOND_NS / 2;
        assert_eq!(charge(0).unwrap().level, Level { left, full_in_ns });
    }
    let level = Level { left: 0, full_in_ns: 5 * SECOND_NS };
    assert_eq!(charge(0).unwrap_err(), Empty { wait_ns: SECOND_NS / 2, level });
    let level = Level { left: 0, full_in_ns: 5 * SECOND_NS - 1 };
    assert_eq!(charge(1).unwrap_err(), Empty { wait_ns: SECOND_NS / 2 - 1, level });
}

#[test]
fn what_is_urgent_has_as_much_again_and_no_more() {
    let buckets = table();
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 50), 10);
    assert_eq!(admitted(&buckets, 1, Share::Twice, 0, 50), 10);
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 50), 0);
    // What the urgent used ahead, orders wait for.
    assert_eq!(admitted(&buckets, 1, Share::Own, 5 * SECOND_NS, 50), 0);
    assert_eq!(admitted(&buckets, 1, Share::Own, 6 * SECOND_NS, 50), 2);
}

#[test]
fn a_charge_that_is_given_back_was_never_made() {
    let buckets = table();
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 9), 9);
    for _ in 0..20 {
        let charge = buckets.charge(&1_u64, TEN_IN_FIVE, Share::Own, 0).unwrap();
        assert_eq!(admitted(&buckets, 1, Share::Own, 0, 1), 0);
        buckets.give_back(&charge);
    }
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 50), 1);
}

#[test]
fn a_debt_is_paid_before_the_next_request_and_has_an_end() {
    let buckets = table();
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 50), 10);
    let level = |full_in_ns| Level { left: 0, full_in_ns };
    assert_eq!(buckets.owe(&1_u64, TEN_IN_FIVE, 0), level(11 * SECOND_NS / 2));
    assert_eq!(admitted(&buckets, 1, Share::Own, SECOND_NS / 2, 50), 0);
    assert_eq!(admitted(&buckets, 1, Share::Own, SECOND_NS, 50), 1);
    for _ in 0..1000 {
        buckets.owe(&1_u64, TEN_IN_FIVE, SECOND_NS);
    }
    assert_eq!(buckets.owe(&1_u64, TEN_IN_FIVE, SECOND_NS), level(10 * SECOND_NS));
    assert_eq!(admitted(&buckets, 1, Share::Twice, SECOND_NS, 50), 0);
    assert_eq!(admitted(&buckets, 1, Share::Own, 6 * SECOND_NS, 50), 0);
    assert_eq!(admitted(&buckets, 1, Share::Own, 6 * SECOND_NS + SECOND_NS / 2, 50), 1);
    // One that has asked for nothing yet owes that one request.
    assert_eq!(buckets.owe(&2_u64, TEN_IN_FIVE, 0).left, 9);
}

#[test]
fn a_table_has_the_cells_that_are_asked_for_or_a_few_more() {
    for (cells, sets) in [(1, 1), (8, 1), (9, 2), (1_024, 128), (1_025, 256), (65_536, 8_192)] {
        assert_eq!(Buckets::with_cells(cells).sets.len(), sets, "{cells}");
    }
}

#[test]
fn a_limit_is_exact_over_threads_that_meet_its_owner_together() {
    const THREADS: usize = 4;
    const OWNERS: u64 = 3000;
    // So many sets that no two of so few owners need to share a cell.
    let buckets = Arc::new(Buckets::with_sets(8 * OWNERS as usize));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let buckets = buckets.clone();
            std::thread::spawn(move || -> Vec<usize> {
                (0..OWNERS).map(|owner| admitted(&buckets, owner, Share::Own, 0, 9)).collect()
            })
        })
        .collect();
    let counts: Vec<Vec<usize>> =
        threads.into_iter().map(|thread| thread.join().expect("it only counts")).collect();
    for owner in 0..OWNERS as usize {
        let all: usize = counts.iter().map(|counts| counts[owner]).sum();
        assert_eq!(all, 10, "owner {owner}");
    }
}

/// A debt of a longer window does not outlive the quota that let it come.
#[test]
fn a_debt_does_not_outlive_the_quota_that_allowed_it() {
    // A table with room, and a set in which all are as deep in debt.
    for (buckets, debtors) in [(table(), 1), (Buckets::with_sets(1), WAYS as u64)] {
        (0..debtors).for_each(|owner| drop(in_debt(&buckets, owner)));
        // The window is five seconds now, and what is urgent may have paid two of them ahead.
        for owner in 0..debtors {
            assert_eq!(admitted(&buckets, owner, Share::Own, 0, 1), 0, "not forgotten at once");
        }
        for owner in 0..=debtors.min(WAYS as u64 - 1) {
            assert_eq!(admitted(&buckets, owner, Share::Own, 11 * SECOND_NS, 50), 10, "{owner}");
        }
    }
    // Nor is it in a newcomer's way, but for the one request of it that it may take over.
    let buckets = Buckets::with_sets(1);
    (0..WAYS as u64).for_each(|owner| drop(in_debt(&buckets, owner)));
    assert_eq!(admitted(&buckets, 99, Share::Own, 11 * SECOND_NS, 50), 9);
}

/// A charge of a longer window that is given back late leaves a full bucket.
#[test]
fn a_late_refund_of_a_longer_window_leaves_a_full_bucket() {
    let buckets = table();
    let charges = in_debt(&buckets, 1);
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 1), 0);
    charges.iter().for_each(|charge| buckets.give_back(charge));
    assert_eq!(admitted(&buckets, 1, Share::Own, 0, 50), 10);
}

/// Uses a bucket of one hour up, as what is urgent may.
fn in_debt(buckets: &Buckets, owner: u64) -> Vec<Charge> {
    let hourly = Quota { requests: 10, window_s: 3600 };
    let charge = |_| buckets.charge(&owner, hourly, Share::Twice, 0).expect("there is enough");
    (0..20).map(charge).collect()
}

impl Set {
    fn tags(&self) -> Vec<u64> {
        let mut tags: Vec<u64> =
            self.cells.iter().map(|cell| cell.tag.load(Ordering::Relaxed)).collect();
        tags.retain(|tag| *tag != 0);
        tags.sort_unstable();
        tags
    }
}

/// All owners in one set: as crowded as it gets.
#[test]
fn strangers_who_ask_once_free_no_debtor_and_all_get_in() {
    let buckets = Buckets::with_sets(1);
    assert_eq!(admitted(&buckets, 0, Share::Own, 0, 50), 10);
    let strangers: usize = (1..100_000).map(|o| admitted(&buckets, o, Share::Own, 0, 1)).sum();
    assert_eq!(strangers, 99_999);
    assert_eq!(admitted(&buckets, 0, Share::Own, 0, 50), 0);
}

#[test]
fn a_newcomer_takes_over_one_request_of_a_debt_at_most() {
    let buckets = Buckets::with_sets(1);
    for owner in 0..WAYS as u64 {
        assert_eq!(admitted(&buckets, owner, Share::Own, 0, 50), 10);
    }
    assert_eq!(admitted(&buckets, 99, Share::Own, 0, 50), 9);
    // A quota of a single request leaves nothing to take over.
    let one = Quota { requests: 1, window_s: 60 };
    for owner in 100..1_000_u64 {
        assert!(buckets.charge(&owner, one, Share::Own, 0).is_ok(), "{owner}");
        assert!(buckets.charge(&owner, one, Share::Own, 0).is_err(), "{owner}");
    }
}

#[test]
fn a_crowd_that_has_gone_leaves_room_without_a_trace() {
    let buckets = Buckets::with_sets(1);
    for owner in 0..80 {
        admitted(&buckets, owner, Share::Own, 0, 1);
    }
    for owner in 100..108 {
        assert_eq!(admitted(&buckets, owner, Share::Own, 6 * SECOND_NS, 50), 10);
    }
    assert_eq!(buckets.sets[0].tags().len(), WAYS);
}

#[test]
fn a_crowd_beyond_the_cells_gets_in_and_frees_no_debtor() {
    const STRANGERS: u64 = 2_000_000;
    let buckets = table();
    assert_eq!(admitted(&buckets, u64::MAX, Share::Own, 0, 50), 10);
    let let_in: u64 = (0..STRANGERS)
        .map(|owner| buckets.charge(&owner, TEN_IN_FIVE, Share::Own, 0).is_ok() as u64)
        .sum();
    assert_eq!(let_in, STRANGERS, "a first request is always let in");
    assert_eq!(admitted(&buckets, u64::MAX, Share::Own, 0, 50), 0);
    assert_eq!(size_of_val(&*buckets.sets), CELLS * 17, "what the operator is told it takes");
    assert!(buckets.sets.iter().all(|set| set.tags().windows(2).all(|two| two[0] != two[1])));
}

/// A crowd that the cells are sized for: all are let in once, and nearly none twice.
#[test]
fn a_crowd_within_the_cells_is_held_to_its_quota() {
    const USERS: u64 = 400_000;
    const ONCE: Quota = Quota { requests: 1, window_s: 60 };
    let buckets = Buckets::with_cells(1 << 20);
    let ask = |now_ns| -> u64 {
        (0..USERS).map(|user| buckets.charge(&user, ONCE, Share::Own, now_ns).is_ok() as u64).sum()
    };
    assert_eq!(ask(0), USERS, "a first request is always let in");
    let twice = ask(SECOND_NS);
    assert!(twice <= USERS / 100, "{twice} were let in a second time");
    assert_eq!(ask(61 * SECOND_NS), USERS, "the minute is over");
}

/// One that makes owners up, ten for each cell, each of whom asks for less than a debtor owes.
#[test]
fn made_up_owners_who_owe_less_free_no_debtor() {
    let buckets = Buckets::with_cells(1_024);
    let debtors = 0..20_u64;
    for debtor in debtors.clone() {
        assert_eq!(admitted(&buckets, debtor, Share::Own, 0, 50), 10);
    }
    let made_up: usize = (1_000..11_240).map(|o| admitted(&buckets, o, Share::Own, 0, 5)).sum();
    assert!(made_up > 4 * 10_240);
    let freed = debtors.filter(|debtor| admitted(&buckets, *debtor, Share::Own, 0, 1) > 0);
    assert_eq!(freed.count(), 0);
}
