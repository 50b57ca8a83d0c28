//! The machinery against mistakes made on purpose: is each one found, by what, and how soon?
//!
//! Owns the table. Only in builds with the feature `planted`; one mistake at a time. Next: `run`,
//! `doorbuster_journal::Bug`.

use crate::drill;
use crate::plan::Plan;
use crate::run::{Options, run_plan};
use doorbuster_journal::{Bug, plant};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What came of one mistake.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// What it is.
    pub what: &'static str,
    /// The rule that it broke, and the seed; none if nothing found it.
    pub by: Option<(&'static str, u64)>,
    /// Seeds that were run until then.
    pub seeds: u64,
}

/// Runs seeds against each mistake until one finds it, or so many found nothing. `took` is told how
/// each ended.
pub fn hunt(
    names: &[String],
    seeds_max: u64,
    threads: usize,
    mut took: impl FnMut(&Found),
) -> bool {
    let mut all = true;
    for (bug, what) in Bug::ALL {
        let name = format!("{bug:?}");
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        plant(Some(*bug));
        let found = match drill::all() {
            Err(rule) => Found { name, what, by: Some((rule, 0)), seeds: 0 },
            Ok(()) => hunt_one(name, what, seeds_max, threads),
        };
        plant(None);
        all &= found.by.is_some();
        took(&found);
    }
    all
}

fn hunt_one(name: String, what: &'static str, seeds_max: u64, threads: usize) -> Found {
    let (next, over) = (AtomicU64::new(1), AtomicBool::new(false));
    let first: Mutex<Option<(u64, &'static str)>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds_max {
                        return;
                    }
                    if let Some(violation) =
                        run_plan(Plan::new(seed), seed, Options::default()).violation
                    {
                        over.store(true, Ordering::Relaxed);
                        let mut first = first.lock().expect("no thread panicked");
                        if first.is_none_or(|(known, _)| seed < known) {
                            *first = Some((seed, violation.rule));
                        }
                    }
                }
            });
        }
    });
    let by = first.into_inner().expect("no thread panicked").map(|(seed, rule)| (rule, seed));
    let seeds = next.into_inner().saturating_sub(1).min(seeds_max);
    Found { name, what, by, seeds: by.map_or(seeds, |(_, seed)| seed) }
}
