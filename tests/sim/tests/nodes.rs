//! Three nodes with one history: whatever befalls them, what was answered stays, and in the end all
//! of them hold the same.
//!
//! `NODES_SEEDS=1000 NODES_FIRST=7` runs others. A failure prints the line that shows it step by
//! step.

use doorbuster_sim::{Options, Report, Tally, nodes, rerun_line};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

const SEEDS: u64 = 120;
const NODES: usize = 3;

/// What the runs together must have brought about, so that finding nothing means something.
const REACHED: &[&str] = &[
    "arbiter: call came late",
    "arbiter: call lost",
    "arbiter: gone for a while",
    "arbiter: outcome not heard",
    "client: not the writer",
    "client: of these replayed",
    "clock: set",
    "copy: wiped while it counts",
    "death: between two outputs",
    "death: in the middle of a call",
    "death: power lost",
    "death: power lost everywhere",
    "disk: full for a while",
    "disk: sync failed, pages marked clean",
    "feed: events told",
    "handover: done",
    "node: deposed",
    "node: refuses a register from the past",
    "partition: a node from all others",
    "partition: one way",
    "register: change refused",
    "register: restored from the past",
    "server: refused at the edge",
    "takeover: begun",
    "wire: broken off",
    "zombie: the writer stands still longer than a silence",
];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

fn run(seed: u64) -> Report {
    nodes::run(seed, NODES, Options::default())
}

#[test]
fn no_seed_with_three_nodes_finds_anything() {
    let (first, count) = (number("NODES_FIRST", 1), number("NODES_SEEDS", SEEDS));
    let next = AtomicU64::new(first);
    let sum = Mutex::new((Tally::default(), Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let report = run(seed);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.0.take(&report.tally);
            let line = rerun_line(seed);
            sum.1.extend(report.violation.map(|found| format!("{found:?}\n{line} --nodes 3")));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (tally, found) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let missed: Vec<_> = REACHED.iter().filter(|what| tally.of(what) == 0).collect();
    assert!(count < SEEDS || missed.is_empty(), "never happened: {missed:?} in\n{tally}");
}

#[test]
fn a_seed_with_three_nodes_does_the_same_each_time() {
    for seed in 1..=10 {
        assert_eq!(run(seed).hash, run(seed).hash, "seed {seed}");
    }
}
