//! What must hold after every step.
//!
//! Owns the properties, stated by what is on disks and what was shown, never by what a machine
//! believes. Next: `world`.

use super::world::{NODES, Rules, World, node};
use doorbuster::cluster::role::EndReason;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// What a writer shows as settled is not what was answered before.
    TwoHistories,
    /// A node that the register counts, its writer among them, lacks what was answered.
    AnswerMissing,
    /// A writer may answer a read that misses what was answered.
    StaleRead,
    /// A node has ended for a reason that is not there.
    Ended(EndReason),
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TwoHistories => "two histories",
            Self::AnswerMissing => "an answer is missing where it counts",
            Self::StaleRead => "a stale read",
            Self::Ended(_) => "an end without a reason",
        })
    }
}

/// What a writer has settled is answered from now on, and was answered the same before.
pub(super) fn settled(world: &mut World) {
    for place in 0..NODES {
        let own = &world.nodes[place];
        if !own.writes() {
            continue;
        }
        let settled = own.log.prefix(own.machine().settled());
        if settled.starts_with(&world.answered) {
            world.answered = settled;
        } else if !world.answered.starts_with(&settled) {
            world.violation = Some(Violation::TwoHistories);
        }
    }
}

/// The rest, which changes nothing.
pub(super) fn standing(world: &mut World, rules: &Rules) {
    let answered = &world.answered;
    let membership = world.register.membership;
    // A disk that is new counts by its name until it is dropped, and must not come to write with it.
    let counted = |place: &usize| {
        let counts = membership.in_sync.has(node(*place)) && !world.nodes[*place].is_wiped;
        counts || world.nodes[*place].writes() && membership.writer == node(*place)
    };
    let lacks = |place: usize| {
        let own = &world.nodes[place];
        !own.log.prefix(own.synced).starts_with(answered)
    };
    if (0..NODES).filter(counted).any(lacks) {
        world.violation = world.violation.or(Some(Violation::AnswerMissing));
    }
    let stale = |place: usize| {
        let own = &world.nodes[place];
        let until_ms = own.machine().good_until_ms();
        let good = until_ms.is_some_and(|until_ms| world.clock_ms(rules, place) <= until_ms);
        good && own.machine().settled() < answered.end()
    };
    if (0..NODES).any(stale) {
        world.violation = world.violation.or(Some(Violation::StaleRead));
    }
}
