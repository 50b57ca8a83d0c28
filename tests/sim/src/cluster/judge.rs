//! What must hold after every step.
//!
//! Owns the properties, stated by what is on disks and what was shown, never by what a machine
//! believes. Next: `world`.

use super::violation::Violation;
use super::world::{NODES, Rules, World, node};

impl World {
    /// What a writer has settled is answered from now on, and was answered the same before.
    pub(super) fn judge_settled(&mut self) {
        let world = self;
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
    pub(super) fn judge_standing(&mut self, rules: &Rules) {
        let world = self;
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
}
