//! What `model` and `walk` must see of a world to choose their steps. Changes nothing.

use super::world::{NODES, NodeState, World, node};
use doorbuster::cluster::register::Epoch;
use doorbuster::cluster::role::NodeRole;

impl World {
    /// Epochs that the register has or is asked for.
    pub(super) fn epochs_asked(&self) -> impl Iterator<Item = Epoch> {
        let asked = self.nodes.iter().filter_map(|node| node.swap);
        let asked = asked.map(|proposed| proposed.membership.epoch);
        asked.chain([self.register.membership.epoch])
    }

    /// Whether the sudden end of a process is more than a closed connection and a node that is slow:
    /// all that a copy has stored is synced, and of the register it reads again what it knew.
    pub(super) fn loses_by_an_end(&self, place: usize) -> bool {
        let own = &self.nodes[place];
        let is_copy = matches!(own.machine().role(), NodeRole::Joining | NodeRole::Following);
        !is_copy || self.register.membership.writer == node(place) || self.unsynced(place) > 0
    }

    /// Swaps on their way that the register could still take.
    pub(super) fn changes_asked(&self) -> usize {
        let version = self.register.version;
        let open = |node: &&NodeState| node.swap.is_some_and(|swap| swap.version == version);
        usize::from(self.nodes.iter().any(|node| open(&node)))
    }

    pub(super) fn unsynced(&self, place: usize) -> usize {
        let own = &self.nodes[place];
        own.log.len() - own.synced as usize
    }

    /// Whether another node has the last record that a writer has appended, or all is settled: one
    /// that nobody has seen changes nothing but what a sudden end may keep, and another behind it
    /// nothing more.
    pub(super) fn is_seen(&self, place: usize) -> bool {
        let own = &self.nodes[place];
        let has = |other: &NodeState| other.log.starts_with(&own.log);
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != place);
        own.machine().settled() == own.log.end() || others.map(|(_, node)| node).any(has)
    }

    /// Whether another node that the register counts has all that was answered, and always had: the
    /// loss of every disk that counts is beyond what the rules promise.
    pub(super) fn may_wipe(&self, place: usize) -> bool {
        let counts = |other: usize| self.register.membership.in_sync.has(node(other));
        let whole = |other: usize| !self.nodes[other].is_wiped;
        (0..NODES).any(|other| other != place && counts(other) && whole(other))
    }

    /// Whether a node has a swap on its way.
    pub(super) fn asks(&self, place: usize) -> bool {
        self.nodes[place].swap.is_some()
    }

    pub(super) fn late_count(&self) -> usize {
        self.late.len()
    }

    pub(super) fn late_acknowledgement_count(&self) -> usize {
        self.late_acknowledgements.len()
    }
}
