//! The first thing that the machinery finds: of the drills, or of so many seeds.
//!
//! Owns the order in which it looks, so that the same build finds the same on any number of
//! threads. For builds and disks in which there is something to find; never says what should be.
//! Next: `run`, `drill`.

use crate::drill;
use crate::nodes;
use crate::plan::Plan;
use crate::run::{Options, run_plan};
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The rule that does not hold.
    pub rule: &'static str,
    /// The seed that showed it; none of a drill.
    pub seed: Option<u64>,
}

/// What the drills find, or the first of these seeds that finds something.
pub fn search(seeds: RangeInclusive<u64>, threads: usize, options: Options) -> Option<Finding> {
    if let Err(rule) = drill::all() {
        return Some(Finding { rule, seed: None });
    }
    let (next, last) = (AtomicU64::new(*seeds.start()), AtomicU64::new(*seeds.end()));
    let first: Mutex<Option<(u64, &'static str)>> = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // Those before the one that was found are run to their end: one of them may be first.
            if seed > last.load(Ordering::Relaxed) {
                return;
            }
            let report = match options.nodes {
                Some(count) => nodes::run(seed, count.into(), options),
                None if options.replicated => run_plan(Plan::replicated(seed), seed, options),
                None => run_plan(Plan::new(seed), seed, options),
            };
            let Some(violation) = report.violation else { continue };
            last.fetch_min(seed, Ordering::Relaxed);
            let mut first = first.lock().expect("no thread panicked");
            if first.is_none_or(|(known, _)| seed < known) {
                *first = Some((seed, violation.rule));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let first = first.into_inner().expect("no thread panicked");
    first.map(|(seed, rule)| Finding { rule, seed: Some(seed) })
}
