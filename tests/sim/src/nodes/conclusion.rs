//! The end of a run: all nodes hold the same, and clients were told the truth.
//!
//! Owns the last comparison of directories with one another and with what a replay makes of them.
//! Next: `run`.

use super::world::World;
use crate::replica::check as event_check;
use crate::world::{Held, violated};
use doorbuster::cluster::role::NodeRole;
use doorbuster::codec;
use doorbuster::domain::state::invariants;
use doorbuster::engine::replay::{self, From};
use doorbuster_witness::{Checked, check};
use std::collections::BTreeMap;

/// What is sent arrives within this.
const PATIENCE_US: u64 = 10_000_000;

impl World {
    fn writer(&self) -> Option<usize> {
        (0..self.machines.len()).find(|place| {
            let process = self.machines[*place].process.as_ref();
            process.is_some_and(|process| process.node.role() == NodeRole::Writing)
        })
    }

    /// Everybody is answered, and all nodes hold all that the writer does; what differs after long
    /// is looked at as it is.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.has_come() {
            return false;
        }
        let since_us = *self.come_us.get_or_insert(self.now_us);
        let writer = self.writer().expect("it has come");
        // The last seal may be on its way.
        let mut others = (0..self.machines.len()).filter(|place| *place != writer);
        let is_same = others.all(|place| self.compare_segments(writer, place).is_ok());
        is_same || self.now_us > since_us + PATIENCE_US
    }

    fn has_come(&self) -> bool {
        let idle =
            |client: &super::clients::Client| client.asked.is_none() && client.wants.is_empty();
        if !self.clients.iter().all(idle) {
            return false;
        }
        let Some(writer) = self.writer() else { return false };
        let process = self.machines[writer].process.as_ref().expect("it writes");
        let Some(server) = &process.server else { return false };
        let last = server.state().sequence;
        if server.waiting() > 0 || server.settled() != last || self.truth.end.sequence != last {
            return false;
        }
        let counted = (0..self.machines.len()).filter(|place| self.is_counted(*place)).count();
        let follows = |place: usize| {
            let process = self.machines[place].process.as_ref();
            let follower = process.and_then(|process| process.node.replica());
            let state = follower.and_then(|follower| follower.state());
            state.is_some_and(|state| state.sequence == last)
        };
        counted >= self.plan.copies
            && (0..self.machines.len()).filter(|place| *place != writer).all(follows)
    }

    pub(super) fn conclude(&mut self) -> Held<Checked> {
        self.trace.tell("conclude", format_args!("everybody is answered"));
        let writer = self.writer().expect("it was quiet");
        let process = self.machines[writer].process.as_ref().expect("it writes");
        let state = process.server.as_ref().expect("it writes").state();
        invariants::check(state);
        let (last, digest) = (state.sequence, codec::digest(state));
        for place in (0..self.machines.len()).filter(|place| *place != writer) {
            let process = self.machines[place].process.as_ref().expect("it follows");
            let state = process.node.replica().and_then(|replica| replica.state());
            let state = state.expect("it follows");
            if codec::digest(state) != digest {
                let detail = format!("node {place} and the writer {writer}, at {last}");
                return violated("all nodes have one state", detail);
            }
            self.compare_segments(writer, place)?;
        }
        self.compare_replays(last, digest)?;
        let entries = self.truth.entries();
        let entries =
            entries.or_else(|error| violated("what is settled can be read", error.to_string()))?;
        let checked =
            check(&self.notes, &entries).or_else(|fault| violated(fault.rule, fault.detail))?;
        for (sequence, told) in &self.told {
            let entry = entries.get(*sequence as usize - 1);
            if entry.is_none_or(|entry| event_check(&entry.record, entry.stamp) != *told) {
                return violated("what the feed told is in the journal", format!("{entry:?}"));
            }
        }
        self.tally.add("witness: records", checked.records);
        self.tally.add("witness: answers true", checked.answers);
        self.trace.tell("witness", format_args!("{checked:?} {digest}"));
        Ok(checked)
    }

    fn segments(&self, place: usize) -> BTreeMap<String, Vec<u8>> {
        let disk = &self.machines[place].disk;
        let names = disk.all_names().into_iter();
        let medium = disk.medium();
        let files =
            names.filter(|(name, _)| name.starts_with("journal/") && name.ends_with(".segment"));
        files.map(|(name, file)| (name, medium.files[&file].live.clone())).collect()
    }

    /// Segments that both have are the same, to the byte.
    fn compare_segments(&self, one: usize, two: usize) -> Held {
        let (first, second) = (self.segments(one), self.segments(two));
        let mut count = 0;
        for (name, bytes) in &first {
            let Some(other) = second.get(name) else { continue };
            count += 1;
            if bytes != other {
                let at = bytes.iter().zip(other).position(|(one, two)| one != two);
                let detail = format!("{name} of nodes {one} and {two}, from byte {at:?}");
                return violated("segments of all nodes are the same", detail);
            }
        }
        if count == 0 {
            return violated("nodes have a segment in common", format!("{one} and {two}"));
        }
        Ok(())
    }

    /// Whatever a directory begins with, a replay of it ends where the writer did.
    fn compare_replays(&self, last: u64, digest: codec::Digest) -> Held {
        for (place, machine) in self.machines.iter().enumerate() {
            // An older snapshot may be left from before a node began anew.
            let replayed =
                replay::replay(&machine.data, From::NewestSnapshot, Some(last), &mut |_| {});
            let replayed = replayed
                .or_else(|error| violated("a node's directory can be read", error.to_string()))?;
            if codec::digest(&replayed.state) != digest {
                let detail = format!("node {place}: {}", replayed.state.sequence);
                return violated("a replay ends where the writer did", detail);
            }
        }
        Ok(())
    }
}
