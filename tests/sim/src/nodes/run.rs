//! One run with several nodes, from its seed to its report.
//!
//! Owns nothing else. Next: `world`.

use super::plan::NodesPlan;
use super::world::World;
use crate::run::{Options, Report, reported};
use crate::trace::Trace;
use std::sync::Arc;

/// The run of a seed.
pub fn run(seed: u64, nodes: usize, options: Options) -> Report {
    let trace = Arc::new(Trace::new(options.print));
    let mut world = World::new(NodesPlan::new(seed, nodes), seed, trace.clone());
    let violation = reported(&trace, || world.run().err());
    let mut tally = std::mem::take(&mut world.tally);
    for machine in &world.machines {
        tally.take(&machine.disk.medium().tally);
    }
    Report {
        seed,
        hash: trace.hash(),
        simulated_us: world.now_us,
        tally,
        notes: std::mem::take(&mut world.notes),
        violation,
    }
}
