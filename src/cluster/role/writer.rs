//! The rules of the node that writes: what is settled, which copies count, how long reads are good.
//!
//! Owns the acknowledgements of its copies. Never sends a frame. Next: `mod.rs` for all the rules.

use super::event::RoleAction;
use super::proposal::Proposal;
use super::settings::RoleSettings;
use crate::cluster::node::{Node, NodeSet};
use crate::cluster::register::{Epoch, Held};
use crate::domain::model::ids::Sequence;

/// The node that the register names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WriterRole {
    pub(super) own: Node,
    pub(super) held: Held,
    /// The nodes whose sync an answer waits for.
    pub(super) required: NodeSet,
    /// By number; the own place is not used.
    pub(super) peers: Vec<Peer>,
    pub(super) appended: Sequence,
    pub(super) synced: Sequence,
    pub(super) settled: Sequence,
    /// The own `Started`; none until it is appended.
    pub(super) started: Option<Sequence>,
    pub(super) change: Option<Proposal>,
    pub(super) handing_over: bool,
}

/// What is known of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    pub(super) connection: Connection,
    /// What it has synced.
    pub(super) end: Sequence,
    /// Its lease, by when it was sent what it acknowledged.
    pub(super) good_until_ms: u64,
    /// Dropped from then on, unless it acknowledges before.
    pub(super) lost_at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Connection {
    /// It has not come yet.
    Awaited,
    Open,
    Closed,
    /// It has come without what it acknowledged, or began empty and was not found outside yet: it
    /// counts only once it was dropped and came again.
    Emptied,
}

impl WriterRole {
    /// Rule 2 from the first moment on: all that the register counts are required.
    pub(super) fn elected(now_ms: u64, held: Held, settings: &RoleSettings) -> Self {
        let lost_at_ms = now_ms.saturating_add(settings.timing.lag_ms);
        let connection = Connection::Awaited;
        let peer = Peer { connection, end: 0, good_until_ms: 0, lost_at_ms };
        Self {
            own: settings.own,
            held,
            required: held.membership.in_sync,
            peers: vec![peer; settings.nodes],
            appended: 0,
            synced: 0,
            settled: 0,
            started: None,
            change: None,
            handing_over: false,
        }
    }

    /// Rule 2: all that the register counts are required, and the node itself is.
    pub(super) fn check(&self) {
        assert!(self.required.contains(self.held.membership.in_sync), "in sync and not required");
        assert!(self.required.has(self.own), "the own sync is not required");
        assert!(self.settled <= self.synced, "settled beyond the own sync");
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.held.membership.epoch
    }

    pub(super) fn settled(&self) -> Sequence {
        self.settled
    }

    pub(super) fn in_sync(&self) -> NodeSet {
        self.held.membership.in_sync
    }

    pub(super) fn others(&self) -> NodeSet {
        self.required.without(NodeSet::of(self.own))
    }

    pub(super) fn peer(&self, node: Node) -> Option<&Peer> {
        self.peers.get(node.place())
    }

    /// Rule 1: settled is what every required node has synced, this one included.
    pub(super) fn settle(&mut self) {
        let ends = self.others().iter().map(|node| self.peer(node).map_or(0, |peer| peer.end));
        let lowest = ends.fold(self.synced, Sequence::min);
        self.settled = self.settled.max(lowest);
    }

    pub(super) fn serves(&self) -> bool {
        self.started.is_some_and(|started| started <= self.settled)
    }

    /// Rule 11: nothing is served before the own `Started` is settled. From then on reads are good
    /// until the first lease of a required copy ends, and for ever without one: nobody else is in
    /// sync, so nobody else can claim.
    pub(super) fn good_until_ms(&self) -> Option<u64> {
        let leases =
            self.others().iter().map(|node| self.peer(node).map_or(0, |p| p.good_until_ms));
        self.serves().then(|| leases.fold(u64::MAX, u64::min))
    }

    /// Rule 5: a copy may come in when it has all that is settled, and the own `Started`, behind
    /// which everything lies that was answered in an epoch before. What is appended and not settled
    /// waits for it from then on. What it acknowledged long ago says nothing of its disk now.
    pub(super) fn is_caught_up(&self, now_ms: u64, peer: &Peer) -> bool {
        let enough = self.started.is_some_and(|started| peer.end >= started.max(self.settled));
        peer.connection == Connection::Open && now_ms < peer.lost_at_ms && enough
    }

    /// Copies that no longer answer.
    pub(super) fn lost(&self, now_ms: u64) -> NodeSet {
        let is_lost = |peer: &Peer| match peer.connection {
            Connection::Closed | Connection::Emptied => true,
            Connection::Awaited | Connection::Open => now_ms >= peer.lost_at_ms,
        };
        let others = self.in_sync().without(NodeSet::of(self.own));
        others.iter().filter(|node| self.peer(*node).is_none_or(is_lost)).collect()
    }

    /// Who is to come in: as many as are wanted beside those that stay, the lowest numbers first.
    pub(super) fn gained(&self, now_ms: u64, lost: NodeSet, copies: usize) -> NodeSet {
        let staying = self.in_sync().without(lost);
        let fits = |node: &Node| {
            let outside = !self.in_sync().has(*node) && *node != self.own;
            outside && self.peer(*node).is_some_and(|peer| self.is_caught_up(now_ms, peer))
        };
        let nodes = (0..self.peers.len()).filter_map(Node::at);
        nodes.filter(fits).take(copies.saturating_sub(staying.len())).collect()
    }

    /// A copy that could go on if this node ended now.
    pub(super) fn successor(&self) -> Option<Node> {
        let others = self.in_sync().without(NodeSet::of(self.own));
        let is_open = |peer: &Peer| peer.connection == Connection::Open;
        others.iter().find(|node| self.peer(*node).is_some_and(is_open))
    }

    pub(super) fn peer_mut(&mut self, node: Node) -> Option<&mut Peer> {
        self.peers.get_mut(node.place()).filter(|_| node != self.own)
    }

    /// Takes in a change that has worked. An emptied copy that has gone may come again.
    pub(super) fn take(&mut self, held: Held, actions: &mut Vec<RoleAction>) {
        let dropped = self.in_sync().without(held.membership.in_sync);
        self.held = held;
        self.required = held.membership.in_sync;
        self.change = None;
        for copy in dropped.iter() {
            let emptied = |peer: &&mut Peer| peer.connection == Connection::Emptied;
            if let Some(peer) = self.peer_mut(copy).filter(emptied) {
                peer.connection = Connection::Closed;
                actions.push(RoleAction::Disconnect(copy));
            }
        }
    }

    /// The register is asked to take a copy in, for what it acknowledged over a connection before.
    /// Until the outcome is known it may not connect: it could not tell for which disk it counts.
    pub(super) fn is_coming_in(&self, copy: Node) -> bool {
        self.required.has(copy) && !self.in_sync().has(copy)
    }

    pub(super) fn leave(&mut self, copy: Node) {
        if let Some(peer) = self.peer_mut(copy) {
            peer.connection = Connection::Closed;
        }
    }

    /// A copy that has less than it acknowledged has lost its disk, and one that began empty may
    /// be counted in the place of a directory that is gone. Both must come in anew.
    pub(super) fn join(&mut self, copy: Node, end: Sequence, began_empty: bool, lost_at_ms: u64) {
        let counts = self.in_sync().has(copy);
        let Some(peer) = self.peer_mut(copy) else { return };
        let emptied = began_empty || counts && end < peer.end;
        peer.connection = if emptied { Connection::Emptied } else { Connection::Open };
        peer.lost_at_ms = lost_at_ms;
        if !emptied {
            peer.end = end;
        }
    }
}
