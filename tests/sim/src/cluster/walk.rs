//! Long ways at random, with clocks that drift, messages and reads that are late, and disks that
//! are wiped.
//!
//! Owns what a seed draws: the weights of steps anew for each walk, so that the rare ones come
//! together at times. Next: `world`, `judge`.

use super::mistake::Mistake;
use super::violation::Violation;
use super::world::{Fate, NODES, Rules, Step, World};
use doorbuster::cluster::role::Timing;
use doorbuster_test_support::random::Random;

/// Steps of a walk.
const STEPS: u64 = 700;
/// Clocks run at these rates, in hundredths.
const RATES: [u64; 3] = [94, 100, 106];
/// Epochs at most, and records of clients: a log has room for both.
const EPOCHS_MAX: u32 = 9;
const RECORDS_MAX: usize = 10;
/// Milliseconds that may pass at once.
const PASSING_MS: [u64; 6] = [1, 5, 20, 100, 300, 700];

/// Kinds of steps, by their weight in an ordinary walk.
const WEIGHTS: [u64; 17] = [14, 10, 10, 8, 16, 14, 3, 4, 2, 4, 12, 8, 3, 4, 1, 1, 1];

/// What a walk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// The steps that lead to it.
    pub steps: Vec<String>,
    /// What went wrong.
    pub found: Option<Violation>,
    /// Records that were answered.
    pub answered: usize,
    /// The last epoch that was granted.
    pub epochs: u32,
}

/// A walk of one seed.
struct Walk {
    random: Random,
    rules: Rules,
    world: World,
    weights: [u64; WEIGHTS.len()],
    records: usize,
    taken: Vec<Step>,
}

impl Walk {
    fn new(seed: u64, mistake: Option<Mistake>) -> Self {
        let mut random = Random::new(seed);
        let timing = Timing { read_ms: 300, lag_ms: 1_500, ..Timing::default() };
        let mut rate = || RATES[random.below(RATES.len() as u64) as usize];
        let rates = [rate(), rate(), rate()];
        let copies = 2 + random.below(2) as usize;
        let rules = Rules { timing, copies, mistake, rates, told: true };
        let in_sync: &[usize] = if copies == 2 { &[0, 1] } else { &[0, 1, 2] };
        let world = World::settled(&rules, in_sync);
        let weights = WEIGHTS.map(|weight| weight * [1, 3, 3, 9][random.below(4) as usize]);
        Self { random, rules, world, weights, records: 0, taken: Vec::new() }
    }

    fn place(&mut self) -> usize {
        self.random.below(NODES as u64) as usize
    }

    fn kind(&mut self) -> usize {
        let mut drawn = self.random.below(self.weights.iter().sum());
        self.weights
            .iter()
            .position(|weight| {
                let here = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                here
            })
            .unwrap_or(0)
    }

    fn step(&mut self) -> Step {
        let (kind, place, other) = (self.kind(), self.place(), self.place());
        let many = self.random.below(4) as usize;
        match kind {
            0 => Step::Pass(PASSING_MS[self.random.below(PASSING_MS.len() as u64) as usize]),
            1 => Step::Append(place),
            2 => Step::Sync(place),
            3 => Step::Connect { copy: place, writer: other },
            4 => {
                let ago_ms = [0, 0, 3, 40, 200, 600][self.random.below(6) as usize];
                Step::Receive { copy: place, records: many, ago_ms }
            }
            5 => Step::Deliver(place),
            6 => Step::DeliverLate(many),
            7 => Step::Closed(place),
            8 => Step::Left { writer: place, copy: other },
            9 => Step::Ask(place),
            10 => Step::Read(place),
            11 => Step::Swap(place, Fate::Heard),
            12 => Step::Swap(place, Fate::Unheard),
            13 if many == 0 => Step::Late(other),
            13 => Step::Swap(place, Fate::GivenUp),
            14 => Step::Restart { node: place, kept: many },
            15 => Step::HandOver(place),
            _ if many == 0 => Step::Wipe(place),
            _ => Step::Surrender,
        }
    }

    /// Whether the step is left out: a log has an end, and the last disk that has all that was
    /// answered is not wiped.
    fn is_beyond(&self, step: Step) -> bool {
        match step {
            Step::Append(_) => self.records >= RECORDS_MAX,
            Step::Read(_) => self.world.epochs_asked().any(|epoch| epoch >= EPOCHS_MAX),
            Step::Wipe(place) => !self.world.may_wipe(place),
            _ => false,
        }
    }

    fn run(mut self) -> Walked {
        for _ in 0..STEPS {
            let step = self.step();
            if self.is_beyond(step) || !self.world.take(&self.rules, step) {
                continue;
            }
            self.taken.push(step);
            self.records += usize::from(matches!(step, Step::Append(_)));
            if self.world.violation.is_some() {
                break;
            }
            self.world.restart_ended(&self.rules);
        }
        let found = self.world.violation;
        let steps = self.taken.iter().filter(|_| found.is_some());
        Walked {
            steps: steps.map(|step| format!("{step:?}")).collect(),
            found,
            answered: self.world.answered.len(),
            epochs: self.world.register.membership.epoch,
        }
    }
}

/// Walks by one seed.
#[must_use]
pub fn walk(seed: u64, mistake: Option<Mistake>) -> Walked {
    Walk::new(seed, mistake).run()
}
