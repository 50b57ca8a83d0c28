//! The seeds that every change must pass, in about a minute.
//!
//! `SIM_SEEDS=100 SIM_FIRST=7` runs others. A failure prints the line that shows it step by step.

use doorbuster_sim::{
    Options, PUT_BACK, Plan, Report, TOOK_OVER, Tally, check_seed, run, run_plan,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

const SEEDS: u64 = 2_000;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

/// What the runs together must have brought about, so that finding nothing means something.
const REACHED: &[&str] = &[
    "client: of these refusals",
    "client: of these replayed",
    "clock: set back",
    "clock: set forward",
    "clock: set forward by eight days",
    "clock: start refused",
    "clock: stood still",
    "death: between two steps",
    "death: in the middle of a call",
    "death: power lost",
    "death: process killed",
    "disk: directory change failed",
    "disk: forgotten page read back stale",
    "disk: no space for a new file",
    "disk: sync failed after some pages",
    "disk: sync failed, pages marked clean",
    "disk: write failed",
    "disk: write was short",
    "network: message came twice",
    "network: message lost",
    "power: unsynced name change lost",
    "power: unsynced page kept",
    "power: unsynced page lost",
    "power: unsynced page torn",
    "restore: an old copy was put back",
    "restore: orders asked for that are lost",
    "restore: places that are kept",
    "restore: places that have diverged",
    "rot: bit of a synced frame or header",
    "rot: bit of a snapshot",
    "rot: bit of the tail",
    "rot: detected, start refused, restored from backup",
    "rot: survived",
    "rot: write landed on a synced sector",
    "server: snapshots taken",
    "server: refused at the edge",
    "server: settings changed",
    "start: answers taken back, as the mode says",
    "start: died in the middle",
    "start: dropped a tail",
    "start: from a snapshot",
    "start: passed over a snapshot",
];

/// What so many seeds come to together, on all cores.
fn check_all((first, count): (u64, u64), check: impl Fn(u64) -> Report + Sync) -> Tally {
    let next = AtomicU64::new(first);
    let sum = Mutex::new(Tally::default());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let found: Option<String> = thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + count {
                    return;
                }
                let report = check(seed);
                sum.lock().unwrap_or_else(PoisonError::into_inner).take(&report.tally);
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| worker.join());
        let said = ended
            .filter_map(Result::err)
            .filter_map(|panic| panic.downcast_ref::<String>().cloned());
        said.reduce(|all, one| format!("{all}\n{one}"))
    });
    assert!(found.is_none(), "{}", found.unwrap_or_default());
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_seed_finds_a_broken_promise() {
    let (first, count) = (number("SIM_FIRST", 1), number("SIM_SEEDS", SEEDS));
    let sum = check_all((first, count), check_seed);
    let missed: Vec<_> = REACHED.iter().filter(|what| sum.of(what) == 0).collect();
    assert!(count < SEEDS || missed.is_empty(), "never happened: {missed:?} in\n{sum}");
}

/// 17198: an orderly stop, with the segment nearly full and its successor still being made, left
/// its seal out. The others misled the simulator or the witness themselves.
#[test]
fn seeds_that_once_found_something_find_nothing() {
    for seed in [13_420, 14_255, 15_902, 17_198, 20_031, 23_490] {
        check_seed(seed);
    }
}

/// Two hundred old copies that are put back give no id out twice. Lives lost one after the other:
/// what they gave out names nothing any more, and nobody is given it.
#[test]
fn old_copies_that_are_put_back_give_no_id_out_twice() {
    let (mut put_back, mut seed) = (0, 0);
    while put_back < 200 {
        seed += 1;
        let report = run_plan(Plan::restored(seed), seed, Options::default());
        assert!(report.violation.is_none(), "seed {seed}, restored: {:?}", report.violation);
        put_back += report.tally.of(PUT_BACK);
    }
}

const REPLICATED: Options = Options { print: false, lie: None, replicated: true, nodes: None };

/// What runs on two machines must have brought about.
const REACHED_ON_TWO: &[&str] = &[
    TOOK_OVER,
    "copy: began again",
    "copy: counts again",
    "copy: counts no more",
    "copy: frames that were never answered, cut",
    "copy: stood still",
    "feed: events told",
    "server: refused at the edge",
    "start: from a snapshot",
];

/// Nothing is answered, shown, fed, kept in a snapshot or refused at the edge before it is settled:
/// a copy that takes over has all of it.
#[test]
fn a_copy_that_takes_over_has_all_that_was_shown() {
    let sum = check_all((1, 250), |seed| {
        let report = run_plan(Plan::replicated(seed), seed, REPLICATED);
        let found = &report.violation;
        assert!(found.is_none(), "{}", format!("seed {seed}, replicated: {found:?}"));
        report
    });
    let missed: Vec<_> = REACHED_ON_TWO.iter().filter(|what| sum.of(what) == 0).collect();
    assert!(missed.is_empty(), "never happened: {missed:?} in\n{sum}");
}

#[test]
fn a_seed_does_the_same_each_time() {
    for seed in 1..=40 {
        let hashes = [(); 2].map(|()| run(seed, Options::default()).hash);
        assert_eq!(hashes[0], hashes[1], "seed {seed}");
        let plan = || Plan::restored(seed);
        let hashes = [(); 2].map(|()| run_plan(plan(), seed, Options::default()).hash);
        assert_eq!(hashes[0], hashes[1], "seed {seed}, restored");
        let plan = || Plan::replicated(seed);
        let hashes = [(); 2].map(|()| run_plan(plan(), seed, REPLICATED).hash);
        assert_eq!(hashes[0], hashes[1], "seed {seed}, replicated");
    }
}

/// The hash of all that the first seeds do, written down: a build of another kind, or on another
/// day, does the same. Whoever changes what is stored, or what a seed decides, writes it down anew.
#[test]
fn a_seed_does_the_same_on_every_build() {
    let all = (1..=25).map(|seed| run(seed, Options::default()).hash);
    let all = all.fold(0_u64, |all, hash| all.rotate_left(1) ^ hash);
    assert_eq!(format!("{all:016x}"), include_str!("traces.txt").trim());
}
