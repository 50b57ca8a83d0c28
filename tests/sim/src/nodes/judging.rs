//! What must hold after each event: what is settled is on the synced disk of every node that the
//! register counts, byte for byte, and nobody shows more.
//!
//! Never asks a node what it holds: it looks at the disks. Next: `conclusion`.

use super::world::World;
use crate::world::{Held, violated};
use doorbuster::domain::model::ids::Sequence;

impl World {
    /// A node says that so much is settled.
    pub(super) fn settle(&mut self, place: usize, settled: Sequence) -> Held {
        if settled <= self.truth.end.sequence {
            return Ok(());
        }
        let machine = &self.machines[place];
        let disk = machine.disk.within("journal");
        let read = self.truth.read_on(&disk, (place, machine.life), settled);
        read.or_else(|error| {
            violated("what is settled is in the journal of who writes", error.to_string())
        })?;
        let end = self.truth.end.sequence;
        if end < settled {
            let detail = format!("{settled} is settled, and the journal ends at {end}");
            return violated("what is settled is in the journal of who writes", detail);
        }
        Ok(())
    }

    /// After each event.
    pub(super) fn check(&mut self) -> Held {
        let settled = self.truth.end.sequence;
        for place in 0..self.machines.len() {
            let is_counted = self.is_counted(place);
            let frames = self.truth.frames.len();
            let machine = &mut self.machines[place];
            if !is_counted {
                (machine.compared, machine.is_wiped) = (0, false);
            } else if !machine.is_wiped && machine.compared < frames {
                if let Some(missing) = self.truth.missing(machine, machine.compared) {
                    let detail = format!("node {place} lacks {missing}");
                    return violated("what is settled is synced on every node that counts", detail);
                }
                machine.compared = frames;
            }
            let follower = machine.process.as_ref().and_then(|process| process.node.replica());
            let applied = follower.and_then(|follower| follower.state());
            if let Some(state) = applied
                && state.sequence > settled
            {
                let detail = format!("node {place} has {}, settled {settled}", state.sequence);
                return violated("a copy applies what is settled", detail);
            }
        }
        Ok(())
    }

    /// The register counts it.
    pub(super) fn is_counted(&self, place: usize) -> bool {
        // What it says while it says what is past is nothing.
        let register = self.arbiter.replaced.as_ref().unwrap_or(&self.arbiter.register);
        register.register.in_sync.iter().any(|name| *name == self.names[place])
    }
}
