//! Every order of steps within bounds, by the checker of the crate `stateright`.
//!
//! Owns the bounds, and which steps there are in a state. Time passes by more than a lease and by
//! less than two at once, so that each relation between a lease and a silence shows. Next: `world`.

use super::log::ENTRIES_MAX;
use super::mistake::Mistake;
use super::violation::Violation;
use super::world::{Fate, NODES, Rules, Step, World};
use doorbuster::cluster::role::{NodeRole, Timing};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::time::{Duration, Instant};

/// Milliseconds that pass at once: a lease has ended by then, and so has the shorter silence.
const TICK_MS: u64 = 5;
/// What is stored waits for nobody, what is lost is told: only leases and silences run.
const TIMING: Timing = Timing {
    lease_ms: 4,
    silence_ms: 10,
    closed_ms: 5,
    lag_ms: u64::MAX,
    read_ms: u64::MAX,
    retry_ms: 0,
};

/// How much may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Records that clients ask for.
    pub records: u8,
    /// Epochs that are granted, the one at the beginning included.
    pub epochs: u8,
    /// Outcomes of swaps that are not heard, and swaps that are carried out late or never.
    pub lost: u8,
    /// Sudden ends.
    pub restarts: u8,
    /// How often time passes.
    pub ticks: u8,
    /// Changes of the register, claims included.
    pub changes: u8,
    /// Copies that a writer takes for lost.
    pub drops: u8,
    /// Hand-overs that are asked for.
    pub handovers: u8,
    /// How many disks an answer waits for.
    pub copies: usize,
    /// Who is in sync at the beginning.
    pub in_sync: &'static [usize],
}

/// Bounds that are swept whole, and what they are about.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// In words.
    pub told: &'static str,
    /// The bounds.
    pub bounds: Bounds,
}

/// Bounds that are swept in seconds, also without optimization.
pub const SMALL: Bounds = Bounds {
    records: 1,
    epochs: 2,
    lost: 0,
    restarts: 0,
    ticks: 1,
    changes: 2,
    drops: 0,
    handovers: 0,
    copies: 2,
    in_sync: &[0, 1],
};

/// What is swept in a run: not all at once, which would be too many orders for minutes.
pub const SWEEPS: &[Sweep] = &[
    Sweep { told: "two epochs, a record", bounds: SMALL },
    Sweep {
        told: "a copy is dropped, swapped or comes again",
        bounds: Bounds { drops: 1, lost: 1, changes: 3, ..SMALL },
    },
    Sweep {
        told: "hand-overs",
        bounds: Bounds { epochs: 3, changes: 3, handovers: 2, lost: 1, ..SMALL },
    },
    Sweep {
        told: "three copies are waited for",
        bounds: Bounds { copies: 3, in_sync: &[0, 1, 2], drops: 1, changes: 3, ..SMALL },
    },
    Sweep {
        told: "a sudden end, three epochs",
        bounds: Bounds { epochs: 3, restarts: 1, ticks: 2, changes: 3, ..SMALL },
    },
    Sweep {
        told: "four records, three epochs, two outcomes unheard",
        bounds: Bounds { records: 4, epochs: 3, lost: 2, ticks: 2, changes: 3, ..SMALL },
    },
    Sweep {
        told: "a sudden end, two records, three epochs, an outcome unheard",
        bounds: Bounds {
            records: 2,
            epochs: 3,
            lost: 1,
            ticks: 2,
            changes: 3,
            restarts: 1,
            ..SMALL
        },
    },
];

/// A state of the model: the world, and what may still happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    world: World,
    left: Bounds,
}

/// The model.
#[derive(Debug, Clone)]
struct Cluster {
    rules: Rules,
    bounds: Bounds,
}

impl Cluster {
    fn epoch_max(&self) -> u32 {
        u32::from(self.bounds.epochs) + 1
    }

    /// Whether a claim or a change would go beyond the bounds.
    fn is_within(&self, state: &State) -> bool {
        state.world.epochs_asked().all(|epoch| epoch <= self.epoch_max())
            && state.world.changes_asked() <= state.left.changes.into()
    }
}

impl Bounds {
    /// What is left after a step; none where it may not be taken any more.
    fn after(mut self, step: Step) -> Option<Self> {
        let budget = match step {
            Step::Append(_) => &mut self.records,
            Step::Swap(_, Fate::Unheard | Fate::GivenUp) => &mut self.lost,
            Step::Restart { .. } => &mut self.restarts,
            Step::Pass(_) => &mut self.ticks,
            Step::Left { .. } => &mut self.drops,
            Step::HandOver(_) => &mut self.handovers,
            _ => return Some(self),
        };
        *budget = budget.checked_sub(1)?;
        Some(self)
    }
}

impl Model for Cluster {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let world = World::settled(&self.rules, self.bounds.in_sync);
        vec![State { world, left: self.bounds }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let world = &state.world;
        if world.violation.is_some() {
            return;
        }
        steps.push(Step::Pass(TICK_MS));
        for place in 0..NODES {
            let node = &world.nodes[place];
            let others = (0..NODES).filter(|other| *other != place);
            if world.loses_by_an_end(place) {
                let kept = 0..=world.unsynced(place);
                steps.extend(kept.map(|kept| Step::Restart { node: place, kept }));
            }
            if world.asks(place) {
                steps.extend([Fate::Heard, Fate::Unheard].map(|fate| Step::Swap(place, fate)));
            }
            if node.writes() {
                steps.extend([Step::Sync(place), Step::HandOver(place)]);
                steps.extend(world.is_seen(place).then_some(Step::Append(place)));
                steps.extend(others.map(|copy| Step::Left { writer: place, copy }));
            } else {
                let receive = Step::Receive { copy: place, records: ENTRIES_MAX, ago_ms: 0 };
                steps.extend([Step::Read(place), receive]);
                steps.push(Step::Deliver(place));
                let writers = others.filter(|other| world.nodes[*other].writes());
                steps.extend(writers.map(|writer| Step::Connect { copy: place, writer }));
            }
        }
        steps.extend((0..world.late_acknowledgement_count()).map(Step::DeliverLate));
        steps.extend((0..world.late_count()).map(Step::Late));
        steps.push(Step::Surrender);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = State { world: state.world.clone(), left: state.left.after(step)? };
        let version = state.world.register.version;
        if let Step::Read(place) = step {
            // That a connection is closed only lets a copy claim earlier.
            next.world.take(&self.rules, Step::Closed(place));
        }
        if !next.world.take(&self.rules, step) {
            return None;
        }
        let matters = match step {
            // What is on the disk and not told is lost or kept by a sudden end, synced or not.
            Step::Sync(place) => {
                let settled = |state: &State| state.world.nodes[place].machine().settled();
                settled(&next) > settled(state)
            }
            // To know more of the register only keeps a node from following an old writer.
            Step::Read(place) => next.world.asks(place),
            _ => true,
        };
        next.world.hasten(&self.rules);
        let changed = next.world.register.version - version;
        next.left.changes = next.left.changes.checked_sub(changed as u8)?;
        (matters && self.is_within(&next)).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn is_free(_: &Cluster, state: &State, violation: fn(&Violation) -> bool) -> bool {
            !state.world.violation.as_ref().is_some_and(violation)
        }
        vec![
            Property::always("what is answered has one history", |model, state| {
                is_free(model, state, |found| *found == Violation::TwoHistories)
            }),
            Property::always("what is answered is where the register counts", |model, state| {
                is_free(model, state, |found| *found == Violation::AnswerMissing)
            }),
            Property::always("no read under a lease is stale", |model, state| {
                is_free(model, state, |found| *found == Violation::StaleRead)
            }),
            Property::always("no node ends without a reason", |model, state| {
                is_free(model, state, |found| matches!(found, Violation::Ended(_)))
            }),
            // That the bounds leave room for what the rules are about.
            Property::sometimes("the last epoch answers", |model: &Self, state: &State| {
                let last = |node: &super::world::NodeState| {
                    node.machine().role() == NodeRole::Writing
                        && node.machine().epoch() == Some(model.epoch_max())
                };
                state.world.nodes.iter().any(last)
            }),
            Property::sometimes("all records are answered", |model: &Self, state: &State| {
                let records = state.left.records == 0;
                let answered = state.world.answered.len() >= 2 + usize::from(model.bounds.records);
                records && answered
            }),
        ]
    }
}

/// What a check came to.
#[derive(Debug, Clone)]
pub struct Checked {
    /// States that were seen, each once.
    pub states: usize,
    /// The longest way to one, in steps.
    pub depth: usize,
    /// What went wrong, and the steps that lead to it.
    pub found: Option<(Violation, Vec<String>)>,
    /// What the bounds should leave room for and did not come about.
    pub never: Vec<&'static str>,
    /// All states within the bounds were seen.
    pub whole: bool,
}

#[expect(clippy::disallowed_methods, reason = "how long a check may take")]
fn now() -> Instant {
    Instant::now()
}

/// Checks within bounds: all of it, or until something is found.
#[must_use]
pub fn check(
    bounds: Bounds,
    mistake: Option<Mistake>,
    threads: usize,
    within: Duration,
) -> Checked {
    let timing = TIMING.checked().expect("the lease ends first");
    let rules = Rules { timing, copies: bounds.copies, mistake, rates: [100; NODES], told: false };
    let builder = Cluster { rules, bounds }.checker().threads(threads).timeout(within);
    let builder = builder.finish_when(HasDiscoveries::AnyFailures);
    let begun = now();
    let checker = builder.spawn_bfs().join();
    let mut discoveries = checker.discoveries();
    let properties = checker.model().properties();
    let never = properties
        .iter()
        .filter(|property| property.expectation == stateright::Expectation::Sometimes)
        .map(|property| property.name)
        .filter(|name| !discoveries.contains_key(name))
        .collect();
    let failed = properties
        .iter()
        .filter(|property| property.expectation == stateright::Expectation::Always)
        .find_map(|property| discoveries.remove(property.name));
    let found = failed.map(|path| {
        let violation = path.last_state().world.violation.expect("a property failed");
        let steps = path.into_actions().iter().map(|step| format!("{step:?}")).collect();
        (violation, steps)
    });
    Checked {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        whole: found.is_none() && begun.elapsed() < within,
        found,
        never,
    }
}
