//! One run, from its seed to its report.
//!
//! Owns what is kept of a run, and the line that runs it again. Never prints but where a trace is
//! asked for. Next: `world`.

use crate::disk::lying::Lie;
use crate::fate::said;
use crate::plan::Plan;
use crate::replica::Replica;
use crate::tally::Tally;
use crate::trace::Trace;
use crate::world::{Violation, World};
use doorbuster_witness::Notes;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

/// How a run is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Every step is shown.
    pub print: bool,
    /// Another machine holds a copy of the journal, and answers wait for it: it lags, stands still,
    /// vanishes, comes back, and takes over.
    pub replicated: bool,
    /// The disk lies.
    pub lie: Option<Lie>,
    /// So many nodes run, each on a machine of its own.
    pub nodes: Option<u8>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub seed: u64,
    /// The same for the same seed, on every build.
    pub hash: u64,
    /// How long the world lasted, in microseconds.
    pub simulated_us: u64,
    /// What was done and what happened.
    pub tally: Tally,
    /// What clients asked and heard.
    pub notes: Notes,
    /// What was found.
    pub violation: Option<Violation>,
}

/// How to see it again.
pub fn rerun_line(seed: u64) -> String {
    format!("cargo run --release -p doorbuster-sim -- --seed {seed} --trace")
}

/// The run of a seed.
pub fn run(seed: u64, options: Options) -> Report {
    run_plan(Plan::new(seed), seed, options)
}

thread_local! {
    /// This thread is in the middle of a run.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// What was found in a run, told in its trace too.
pub(crate) fn reported(
    trace: &Trace,
    run: impl FnOnce() -> Option<Violation>,
) -> Option<Violation> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        // A panic in a run is a finding or a death, and is told as such.
        let otherwise = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !RUNNING.get() {
                otherwise(panic);
            }
        }));
    });
    RUNNING.set(true);
    let ended = catch_unwind(AssertUnwindSafe(run));
    RUNNING.set(false);
    let violation = match ended {
        Ok(found) => found,
        Err(panic) => Some(Violation { rule: "nothing panics", detail: said(&*panic) }),
    };
    if let Some(Violation { rule, detail }) = &violation {
        trace.tell("violation", format_args!("{rule}: {detail}"));
    }
    violation
}

/// A run of this plan, with the choices of this seed.
pub fn run_plan(plan: Plan, seed: u64, options: Options) -> Report {
    let trace = Arc::new(Trace::new(options.print));
    let mut world = World::new(plan, seed, options.lie, trace.clone());
    world.replica = options.replicated.then(|| Replica::new(seed));
    let violation = reported(&trace, || world.run().err());
    let mut tally = std::mem::take(&mut world.tally);
    tally.take(&world.disk.medium().tally);
    Report {
        seed,
        hash: trace.hash(),
        simulated_us: world.now_us,
        tally,
        notes: std::mem::take(&mut world.notes),
        violation,
    }
}

/// Panics where the run of a seed finds something, with the line that runs it again.
pub fn check_seed(seed: u64) -> Report {
    let report = run(seed, Options::default());
    if let Some(Violation { rule, detail }) = &report.violation {
        panic!("seed {seed}: {rule}\n{detail}\n\nto rerun: {}\n", rerun_line(seed));
    }
    report
}
