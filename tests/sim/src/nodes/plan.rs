//! What a seed makes of a run with several nodes.
//!
//! Owns the numbers. Never changes while it runs. Next: `world`.

use crate::plan::{Faults, Plan};
use doorbuster::config::Durability;
use doorbuster_test_support::random::Random;

/// One run.
#[derive(Debug, Clone)]
pub(super) struct NodesPlan {
    /// What a run of one machine has too: clients, settings, snapshots, faults of each machine.
    pub(super) common: Plan,
    pub(super) nodes: usize,
    /// How many disks an answer waits for.
    pub(super) copies: usize,
    /// A message between nodes takes this long at most, in microseconds.
    pub(super) wire_us_max: u64,
    /// A connection between nodes breaks after so many bytes at most; none: it does not by itself.
    pub(super) breaks_within: Option<u64>,
    /// How fast the clocks run, in thousandths.
    pub(super) rates: Vec<u64>,
    pub(super) between: Between,
}

/// Faults that take more than one machine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Between {
    pub(super) partitions: bool,
    pub(super) stands_still: bool,
    pub(super) arbiter_fails: bool,
    pub(super) register_goes_back: bool,
    pub(super) wipes: bool,
    pub(super) handovers: bool,
}

impl NodesPlan {
    pub(super) fn new(seed: u64, nodes: usize) -> Self {
        let random = &mut Random::new(seed ^ 0x0D00_2B05_4E0D);
        let quiet = random.once_in(16);
        let flag = |random: &mut Random, percent| !quiet && random.percent(percent);
        let common = Plan::new(seed);
        let faults = Faults {
            kills: flag(random, 75),
            power: flag(random, 60),
            calls: flag(random, 35),
            full: flag(random, 20),
            rot: false,
            clock: flag(random, 40),
            stops: flag(random, 50),
        };
        let between = Between {
            partitions: flag(random, 60),
            stands_still: flag(random, 60),
            arbiter_fails: flag(random, 50),
            register_goes_back: flag(random, 25),
            wipes: flag(random, 35),
            handovers: flag(random, 50),
        };
        let common = Plan {
            durability: Durability::Group,
            faults,
            copies_every_us: None,
            duration_us: random.between(8, 25) * 1_000_000,
            fault_every_us: (!quiet).then(|| random.between(200_000, 3_000_000)),
            // Of one SKU most orders are sold out, and the edge refuses most of them.
            plain: seed.is_multiple_of(4),
            ..common
        };
        let rate = |random: &mut Random| if quiet { 1_000 } else { random.between(940, 1_060) };
        Self {
            common,
            nodes,
            copies: random.between(2, nodes as u64) as usize,
            wire_us_max: random.between(100, 20_000),
            breaks_within: flag(random, 30).then(|| 1 << random.between(6, 20)),
            rates: (0..nodes).map(|_| rate(random)).collect(),
            between,
        }
    }
}
