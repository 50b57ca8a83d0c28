//! The limit of one IO thread, by a clock and a writer that are made up.

use super::*;

const BOUND_MS: u64 = 50;

/// So many are under way, and so many answers came in all.
fn load(unanswered: usize, answers: u64) -> Load {
    Load { unanswered, answers, deciding_ns: 0 }
}

/// A wait of which nothing is owed to a sync.
fn queued(queued_ms: u64) -> Wait {
    Wait { queued_ms, owed_ms: 0 }
}

/// Whether a request of a rank is let in while so many wait to be decided, and none for the disk.
fn admits(limiter: &AdaptiveLimit, rank: Rank, load: Load, now_ms: u64, bound_ms: u64) -> bool {
    limiter.update(load, Syncs::default, now_ms, bound_ms);
    limiter.admits(rank, load, || load.unanswered)
}

/// Intervals, each with so many under way and as many answers that took so long; none is a
/// silence.
fn after(limiter: &AdaptiveLimit, from_ms: u64, in_flight: usize, waits: &[Option<u64>]) -> u64 {
    let mut now_ms = from_ms;
    let mut answers = limiter.answers.get();
    for wait_ms in waits {
        admits(limiter, Rank::Ordinary, load(in_flight, answers), now_ms, BOUND_MS);
        if let Some(wait_ms) = wait_ms {
            answers += in_flight as u64;
            limiter.record_wait(Rank::Ordinary, queued(*wait_ms));
            admits(limiter, Rank::Ordinary, load(in_flight, answers), now_ms + 1, BOUND_MS);
        }
        now_ms += INTERVAL_MS;
    }
    admits(limiter, Rank::Ordinary, load(in_flight, answers), now_ms, BOUND_MS);
    now_ms
}

/// Offers so many a millisecond to a writer that decides so many a millisecond, in order and in
/// turns of a length, for five seconds; the waits of those who got in, in their order.
fn waits(offered: impl Fn(u64) -> usize, decides: u64, turn_ms: u64, told: bool) -> Vec<u64> {
    let limiter = AdaptiveLimit::new(0);
    let deciding_ns = if told { 1_000_000 / decides } else { 0 };
    let (mut queue, mut waits) = (std::collections::VecDeque::new(), Vec::new());
    for now_ms in 1..=5_000 {
        for _ in 0..offered(now_ms) {
            let answers = waits.len() as u64;
            let load = Load { deciding_ns: answers * deciding_ns, ..load(queue.len(), answers) };
            if admits(&limiter, Rank::Ordinary, load, now_ms, BOUND_MS) {
                queue.push_back(now_ms);
            }
        }
        if now_ms.is_multiple_of(turn_ms) {
            for _ in 0..decides * turn_ms {
                let Some(came_ms) = queue.pop_front() else { break };
                limiter.record_wait(Rank::Ordinary, queued(now_ms - came_ms));
                waits.push(now_ms - came_ms);
            }
        }
    }
    waits
}

/// Whatever is offered those who get in wait hardly longer than the bound.
#[test]
fn those_who_get_in_wait_hardly_longer_than_the_bound() {
    for (offered, turn_ms) in [(8, 1), (8, 20), (12, 1), (12, 20), (40, 1), (40, 20)] {
        let waits = waits(|_| offered, 8, turn_ms, false);
        let case = format!("{offered} a millisecond, turns of {turn_ms} ms");
        // The writer is never idle for it, but for a moment after the first has been too many.
        assert!(waits.len() > 39_000, "{case}: {} served", waits.len());
        // What came before anything was known of the writer has gone after two seconds.
        let worst_ms = waits.iter().skip(16_000).max().unwrap();
        assert!(*worst_ms <= 2 * BOUND_MS, "{case}: {worst_ms} ms");
    }
}

/// A crowd that comes when there was just enough to do leaves the disk half of the bound.
#[test]
fn a_sudden_crowd_leaves_the_disk_half_of_the_bound() {
    for (turn_ms, times) in [(1, 2), (10, 2), (10, 10)] {
        let offered = |now_ms| if now_ms <= 1_000 { 7 } else { 8 * times };
        let worst_ms = |told| *waits(offered, 8, turn_ms, told).iter().max().unwrap();
        let case = format!("{times} times as much, turns of {turn_ms} ms");
        assert!(worst_ms(true) <= BOUND_MS / 2 + 2 * turn_ms, "{case}: {} ms", worst_ms(true));
        // Without knowing what deciding takes, that is learned when they wait.
        assert!(worst_ms(false) > 2 * BOUND_MS, "{case}: {} ms", worst_ms(false));
    }
}

/// Those who share a writer have each a part of what it decides in time.
#[test]
fn those_who_share_a_writer_have_a_part_of_its_pace_each() {
    // All 4,000 that were decided in an interval that was full of it, half of them, a few.
    for (own, limit) in [(4_000, 1_000), (2_000, 500), (100, LIMIT_MIN)] {
        let limiter = AdaptiveLimit::new(0);
        admits(&limiter, Rank::Ordinary, load(1, 0), 0, BOUND_MS);
        let load = Load { deciding_ns: INTERVAL_MS * 1_000_000, ..load(1, own) };
        admits(&limiter, Rank::Ordinary, load, INTERVAL_MS, BOUND_MS);
        assert_eq!(limiter.limit(), limit, "{own}");
    }
}

#[test]
fn only_those_who_are_not_decided_wait_for_deciding() {
    let limiter = AdaptiveLimit::new(0);
    limiter.decidable.set(800);
    let load = load(5_000, 0);
    for (rank, undecided, admitted) in [
        (Rank::Ordinary, 699, true),
        (Rank::Ordinary, 700, false),
        (Rank::List, 400, false),
        (Rank::Preferred, 799, true),
        (Rank::Urgent, 5_000, true),
    ] {
        assert_eq!(limiter.admits(rank, load, || undecided), admitted, "{rank:?} {undecided}");
    }
    assert!(limiter.holds_bulk(load, || 600) && !limiter.holds_bulk(load, || 599));
    // Where few are under way, nobody counts.
    let load = Load { unanswered: 399, ..load };
    assert!(limiter.admits(Rank::List, load, || panic!("it is not asked")));
}

#[test]
fn what_is_known_of_deciding_holds_while_a_crowd_hears_nothing() {
    let limiter = AdaptiveLimit::new(0);
    admits(&limiter, Rank::Ordinary, load(1, 0), 0, BOUND_MS);
    let busy = Load { deciding_ns: INTERVAL_MS * 1_000_000, ..load(2_000, 4_000) };
    admits(&limiter, Rank::Ordinary, busy, INTERVAL_MS, BOUND_MS);
    admits(&limiter, Rank::Ordinary, busy, 2 * INTERVAL_MS, BOUND_MS);
    assert_eq!(limiter.decidable.get(), 1_000);
    let few = Load { unanswered: DECISIONS_MIN as usize - 1, ..busy };
    admits(&limiter, Rank::Ordinary, few, 3 * INTERVAL_MS, BOUND_MS);
    assert_eq!(limiter.decidable.get(), LIMIT_MAX);
}

#[test]
fn a_writer_that_has_time_left_is_given_all_there_is() {
    let quarter_ns = INTERVAL_MS * 1_000_000 / BUSY_PART;
    for (decisions, deciding_ns, limit) in [
        // Not busy; busy; a few that waited for memory; so slow that the least counts.
        (5_000, quarter_ns - 1_000_000, LIMIT_MAX),
        (1_000, quarter_ns, 1_000),
        (DECISIONS_MIN - 1, 10 * quarter_ns, LIMIT_MAX),
        (DECISIONS_MIN, 4 * quarter_ns, LIMIT_MIN),
    ] {
        let limiter = AdaptiveLimit::new(0);
        admits(&limiter, Rank::Ordinary, load(1, 0), 0, BOUND_MS);
        let then = Load { deciding_ns, ..load(1, decisions) };
        admits(&limiter, Rank::Ordinary, then, INTERVAL_MS, BOUND_MS);
        assert_eq!(limiter.limit(), limit, "{decisions} in {deciding_ns} ns");
        // It is over with the next interval in which there is little to do.
        let idle = Load { unanswered: 0, ..then };
        admits(&limiter, Rank::Ordinary, idle, 2 * INTERVAL_MS, BOUND_MS);
        assert_eq!(limiter.limit(), LIMIT_MAX);
    }
}

#[test]
fn a_disk_that_syncs_slowly_but_all_at_once_sheds_nobody() {
    // In thousandths of the time that deciding takes.
    for (offered, sync_ms, busy) in
        [(1, 30, 0), (5, 30, 0), (20, 30, 0), (5, 45, 0), (20, 45, 0), (5, 30, 400), (20, 30, 400)]
    {
        let limiter = AdaptiveLimit::new(0);
        let (mut waiting, mut syncing, mut answers) = (Vec::new(), Vec::new(), 0);
        for now_ms in 1..=5_000_u64 {
            for _ in 0..offered {
                let load = load(waiting.len() + syncing.len(), answers);
                let load = Load { deciding_ns: answers * busy * 1_000 / offered, ..load };
                limiter.update(load, Syncs::default, now_ms, BOUND_MS);
                let admitted = limiter.admits(Rank::Ordinary, load, || waiting.len());
                assert!(admitted, "{offered} a millisecond, syncs of {sync_ms} ms: {now_ms}");
                waiting.push(now_ms);
            }
            if now_ms.is_multiple_of(sync_ms) {
                answers += syncing.len() as u64;
                syncing.iter().for_each(|came_ms| {
                    limiter.record_wait(Rank::Ordinary, queued(now_ms - came_ms))
                });
                syncing = std::mem::take(&mut waiting);
            }
        }
    }
}

#[test]
fn a_quick_writer_is_given_all_there_is() {
    let limiter = AdaptiveLimit::new(0);
    after(&limiter, 0, 8000, &[Some(5); 20]);
    assert_eq!(limiter.limit(), LIMIT_MAX);
}

#[test]
fn waits_beyond_the_bound_shrink_the_limit_in_proportion() {
    let limiter = AdaptiveLimit::new(0);
    let now_ms = after(&limiter, 0, 4000, &[Some(5), Some(60)]);
    assert_eq!(limiter.limit(), 4000 * 50 / 60);
    // Never by more than a half at once, and never below the least.
    let now_ms = after(&limiter, now_ms, limiter.limit(), &[Some(10_000)]);
    assert_eq!(limiter.limit(), 1666);
    after(&limiter, now_ms, 4000, &[Some(10_000); 10]);
    assert_eq!(limiter.limit(), LIMIT_MIN);
}

#[test]
fn whoever_goes_before_others_does_not_hide_how_long_they_wait() {
    let limiter = AdaptiveLimit::new(0);
    admits(&limiter, Rank::Ordinary, load(4000, 0), 0, BOUND_MS);
    for (rank, wait_ms) in [
        (Rank::Urgent, 1),
        (Rank::Ordinary, 80),
        (Rank::Preferred, 2),
        (Rank::Ordinary, 70),
        (Rank::Urgent, 3),
    ] {
        limiter.record_wait(rank, queued(wait_ms));
    }
    admits(&limiter, Rank::Ordinary, load(4000, 4000), INTERVAL_MS, BOUND_MS);
    assert_eq!(limiter.limit(), 4000 * 50 / 70);
}

#[test]
fn lists_that_wait_behind_all_others_shed_nobody() {
    let limiter = AdaptiveLimit::new(0);
    admits(&limiter, Rank::Ordinary, load(4000, 0), 0, BOUND_MS);
    for (rank, wait_ms) in [(Rank::Ordinary, 300), (Rank::Ordinary, 3), (Rank::List, 300)] {
        limiter.record_wait(rank, queued(wait_ms));
    }
    admits(&limiter, Rank::Ordinary, load(4000, 4000), INTERVAL_MS, BOUND_MS);
    assert_eq!(limiter.limit(), LIMIT_MAX);
    // Alone, they are what there is to go by.
    limiter.record_wait(Rank::List, queued(300));
    admits(&limiter, Rank::List, load(4000, 4001), 2 * INTERVAL_MS, BOUND_MS);
    assert!(limiter.limit() < LIMIT_MAX);
}

#[test]
fn a_burst_that_drains_within_an_interval_sheds_nobody() {
    let limiter = AdaptiveLimit::new(0);
    admits(&limiter, Rank::Ordinary, load(4000, 0), 0, BOUND_MS);
    for wait_ms in [400, 300, 200, 3] {
        limiter.record_wait(Rank::Ordinary, queued(wait_ms));
    }
    assert!(admits(&limiter, Rank::Ordinary, load(4000, 4000), 100, BOUND_MS));
    assert_eq!(limiter.limit(), LIMIT_MAX);
}

/// A writer that stands still is noticed and comes back to full service.
#[test]
fn a_still_writer_is_noticed_and_comes_back_to_full_service() {
    let limiter = AdaptiveLimit::new(0);
    let stopped_ms = after(&limiter, 0, 2000, &[Some(2), None, None, None, None, None]);
    assert_eq!(limiter.limit(), LIMIT_MIN);
    for (rank, admitted) in [
        (Rank::Urgent, true),
        (Rank::Preferred, false),
        (Rank::Ordinary, false),
        (Rank::List, false),
    ] {
        assert_eq!(
            admits(&limiter, rank, load(2000, limiter.answers.get()), stopped_ms, BOUND_MS),
            admitted,
            "{rank:?}"
        );
    }
    // It goes on: within two seconds the limit is what it was.
    after(&limiter, stopped_ms, 200, &[Some(2); 18]);
    assert_eq!(limiter.limit(), LIMIT_MAX);
}

#[test]
fn ranks_reach_the_limit_one_after_the_other() {
    let limiter = AdaptiveLimit::new(0);
    limiter.limit.set(800);
    for (in_flight, admitted) in [
        (399, [true, true, true, true]),
        (400, [true, true, true, false]),
        (699, [true, true, true, false]),
        (700, [true, true, false, false]),
        (799, [true, true, false, false]),
        (800, [true, false, false, false]),
        (8000, [true, false, false, false]),
    ] {
        let found = Rank::ALL.map(|rank| admits(&limiter, rank, load(in_flight, 0), 0, BOUND_MS));
        assert_eq!(found, admitted, "{in_flight}");
    }
    let holds = |in_flight| limiter.holds_bulk(load(in_flight, 0), || in_flight);
    assert!(holds(600) && !holds(599));
}

#[test]
fn a_batch_alone_is_no_silence() {
    let limiter = AdaptiveLimit::new(0);
    for interval in 1..50 {
        // Its lines wait for room, so their waits tell nothing.
        admits(
            &limiter,
            Rank::Urgent,
            load(6000, 600 * interval),
            interval * INTERVAL_MS - 1,
            BOUND_MS,
        );
        let load = load(6000, 600 * interval);
        assert!(admits(&limiter, Rank::Ordinary, load, interval * INTERVAL_MS, BOUND_MS));
    }
    assert_eq!(limiter.limit(), LIMIT_MAX);
}

#[test]
fn a_pause_without_requests_is_no_silence() {
    let limiter = AdaptiveLimit::new(0);
    limiter.limit.set(LIMIT_MIN);
    // Nothing was under way when the pause began, and the first request of many comes.
    admits(&limiter, Rank::Ordinary, load(0, 0), 60_000, BOUND_MS);
    assert_eq!(limiter.limit(), LIMIT_MAX);
}

#[test]
fn without_a_bound_nothing_is_shed() {
    let limiter = AdaptiveLimit::new(0);
    limiter.limit.set(LIMIT_MIN);
    for now_ms in [100, 200, 5000] {
        // Busy with deciding all the time.
        let load = Load { deciding_ns: now_ms * 1_000_000, ..load(9000, now_ms * 10) };
        assert!(admits(&limiter, Rank::List, load, now_ms, 0));
        assert!(!limiter.holds_bulk(Load { unanswered: 6000, ..load }, || 6000));
    }
    assert_eq!(limiter.limit(), LIMIT_MAX);
}
