//! Snapshots of all nodes, and the comparison of their digests while the nodes run.
//!
//! Owns what must hold of a snapshot: it holds what is settled, and what every node's of the same
//! sequence does. Never decides when one is due. Next: `truth`.

use super::world::World;
use crate::fate::guarded;
use crate::server::SimData;
use crate::world::{Held, violated};
use doorbuster::background::snapshotter::Snapshotter;
use doorbuster::copies::node::Input;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::shared::snapshots::{Ask, Snapshots};
use std::sync::Arc;

impl World {
    /// Lets the snapshotter of a node work, if it has one; none if it was killed meanwhile.
    fn with_snapshotter<T>(
        &mut self,
        place: usize,
        work: impl FnOnce(&mut Snapshotter<SimData>, &Arc<Snapshots>) -> T,
    ) -> Held<Option<T>> {
        self.machines[place].show_time(self.now_us);
        let Some(process) = &mut self.machines[place].process else { return Ok(None) };
        let done = match &mut process.server {
            Some(server) => {
                let snapshots = server.snapshots.clone();
                guarded(|| work(&mut server.snapshotter, &snapshots))?
            }
            None => {
                let mut beside = process.beside.lock();
                let Some(beside) = beside.as_mut() else { return Ok(None) };
                guarded(|| work(&mut beside.snapshotter, &beside.snapshots))?
            }
        };
        if done.is_none() {
            self.tally.count("death: in a snapshot");
            self.die(place)?;
        }
        Ok(done)
    }

    /// A snapshot, of the writer or beside a follower.
    pub(super) fn snapshot(&mut self, place: usize, ask: Ask) -> Held {
        let taken = self.with_snapshotter(place, |snapshotter, snapshots| {
            let before = snapshots.sequence();
            let _ = snapshotter.heed(ask);
            let is_new = snapshots.sequence() != before;
            (is_new, snapshots.sequence(), snapshots.failure(), snapshots.damage())
        })?;
        let Some((is_new, sequence, failure, damage)) = taken else { return Ok(()) };
        self.trace.tell("image", format_args!("{place}: {sequence:?} {failure:?} {damage:?}"));
        if let Some(failure) = failure {
            self.tally.count("server: snapshot failed");
            self.excuse(place, "a snapshot can be taken", &failure)?;
        }
        if let Some(damage) = damage {
            return violated("history is not damaged", damage);
        }
        let settled = self.truth.end.sequence;
        let Some(sequence) = sequence.filter(|_| is_new) else { return Ok(()) };
        if sequence > settled {
            let detail = format!("node {place}: {sequence:?}, settled {settled}");
            return violated("a snapshot holds what is settled", detail);
        }
        let is_writer = self.machines[place].writes();
        self.tally.count(match is_writer {
            true => "server: snapshots taken",
            false => "copy: snapshots taken",
        });
        match self.digest_at(place, sequence)? {
            Some(digest) if is_writer => self.tell(place, Input::ImageTaken { sequence, digest }),
            _ => Ok(()),
        }
    }

    fn digest_at(&mut self, place: usize, sequence: Sequence) -> Held<Option<[u8; 32]>> {
        let told = self.with_snapshotter(place, |snapshotter, snapshots| {
            let answer = snapshots.ask_at(sequence);
            while let Some(ask) = snapshotter.asked() {
                let _ = snapshotter.heed(ask);
            }
            answer.and_then(|mut answer| answer.try_recv().ok())
        })?;
        Ok(told.flatten().and_then(Result::ok))
    }

    /// Compares what the writer told of a snapshot, once this node has settled as much.
    pub(super) fn compare_digest(&mut self, place: usize) -> Held {
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        let follower = process.node.replica();
        let applied = follower.and_then(|follower| follower.state()).map(|state| state.sequence);
        let is_there = |wanted: &mut (Sequence, [u8; 32])| Some(wanted.0) <= applied;
        let Some((sequence, theirs)) = process.wanted.take_if(is_there) else { return Ok(()) };
        let Some(own) = self.digest_at(place, sequence)? else { return Ok(()) };
        self.tally.count("copy: digests compared");
        match own == theirs {
            true => Ok(()),
            false => violated("all nodes have one state", format!("node {place} at {sequence}")),
        }
    }
}
