//! The rules of the node that writes: what is settled, which copies count, how long reads are good.
//!
//! Owns the acknowledgements of its copies. Never sends a frame. Next: `mod.rs` for all the rules.

use super::event::{EndReason, RoleAction, RoleEvent, SwapOutcome};
use super::{Proposal, RoleMachine, RoleSettings, State, Verdict};
use crate::cluster::node::{Node, NodeSet};
use crate::cluster::register::{Epoch, Held, OperationId};
use crate::domain::model::ids::Sequence;

/// The node that the register names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WriterRole {
    own: Node,
    held: Held,
    /// The nodes whose sync an answer waits for.
    required: NodeSet,
    /// By number; the own place is not used.
    peers: Vec<Peer>,
    appended: Sequence,
    synced: Sequence,
    settled: Sequence,
    /// The own `Started`; none until it is appended.
    started: Option<Sequence>,
    change: Option<Proposal>,
    handing_over: bool,
}

/// What is known of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Peer {
    connection: Connection,
    /// What it has synced.
    end: Sequence,
    /// Its lease, by when it was sent what it acknowledged.
    good_until_ms: u64,
    /// Dropped from then on, unless it acknowledges before.
    lost_at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Connection {
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

    fn others(&self) -> NodeSet {
        self.required.without(NodeSet::of(self.own))
    }

    fn peer(&self, node: Node) -> Option<&Peer> {
        self.peers.get(node.place())
    }

    /// Rule 1: settled is what every required node has synced, this one included.
    fn settle(&mut self) {
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
    fn is_caught_up(&self, now_ms: u64, peer: &Peer) -> bool {
        let enough = self.started.is_some_and(|started| peer.end >= started.max(self.settled));
        peer.connection == Connection::Open && now_ms < peer.lost_at_ms && enough
    }

    /// Copies that no longer answer.
    fn lost(&self, now_ms: u64) -> NodeSet {
        let is_lost = |peer: &Peer| match peer.connection {
            Connection::Closed | Connection::Emptied => true,
            Connection::Awaited | Connection::Open => now_ms >= peer.lost_at_ms,
        };
        let others = self.in_sync().without(NodeSet::of(self.own));
        others.iter().filter(|node| self.peer(*node).is_none_or(is_lost)).collect()
    }

    /// Who is to come in: as many as are wanted beside those that stay, the lowest numbers first.
    fn gained(&self, now_ms: u64, lost: NodeSet, copies: usize) -> NodeSet {
        let staying = self.in_sync().without(lost);
        let fits = |node: &Node| {
            let outside = !self.in_sync().has(*node) && *node != self.own;
            outside && self.peer(*node).is_some_and(|peer| self.is_caught_up(now_ms, peer))
        };
        let nodes = (0..self.peers.len()).filter_map(Node::at);
        nodes.filter(fits).take(copies.saturating_sub(staying.len())).collect()
    }

    /// A copy that could go on if this node ended now.
    fn successor(&self) -> Option<Node> {
        let others = self.in_sync().without(NodeSet::of(self.own));
        let is_open = |peer: &Peer| peer.connection == Connection::Open;
        others.iter().find(|node| self.peer(*node).is_some_and(is_open))
    }

    fn peer_mut(&mut self, node: Node) -> Option<&mut Peer> {
        self.peers.get_mut(node.place()).filter(|_| node != self.own)
    }

    /// Takes in a change that has worked. An emptied copy that has gone may come again.
    fn take(&mut self, held: Held, actions: &mut Vec<RoleAction>) {
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
    fn is_coming_in(&self, copy: Node) -> bool {
        self.required.has(copy) && !self.in_sync().has(copy)
    }

    fn leave(&mut self, copy: Node) {
        if let Some(peer) = self.peer_mut(copy) {
            peer.connection = Connection::Closed;
        }
    }

    /// A copy that has less than it acknowledged has lost its disk, and one that began empty may
    /// be counted in the place of a directory that is gone. Both must come in anew.
    fn join(&mut self, copy: Node, end: Sequence, began_empty: bool, lost_at_ms: u64) {
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

impl RoleMachine {
    fn writer(&mut self) -> Option<&mut WriterRole> {
        match &mut self.state {
            State::Writer(writer) => Some(writer),
            _ => None,
        }
    }

    pub(super) fn handle_as_writer(
        &mut self,
        now_ms: u64,
        event: RoleEvent,
        actions: &mut Vec<RoleAction>,
    ) {
        let timing = self.settings.timing;
        let lost_at_ms = now_ms.saturating_add(timing.lag_ms);
        let epoch = self.epoch();
        let Some(writer) = self.writer() else { return };
        match event {
            RoleEvent::Began { started, settled } => {
                writer.started = Some(started);
                writer.appended = writer.appended.max(started);
                writer.settled = writer.settled.max(settled);
                writer.synced = writer.synced.max(settled);
            }
            RoleEvent::Appended(end) => writer.appended = writer.appended.max(end),
            RoleEvent::Synced(end) => writer.synced = writer.synced.max(end),
            RoleEvent::Joined { copy, end, began_empty } => {
                if writer.is_coming_in(copy) {
                    actions.push(RoleAction::Disconnect(copy));
                    writer.leave(copy);
                } else {
                    writer.join(copy, end, began_empty, lost_at_ms);
                }
            }
            RoleEvent::Acknowledged { copy, epoch: theirs, end, sent_ms } => {
                let open = |peer: &&mut Peer| peer.connection == Connection::Open;
                let peer = writer.peer_mut(copy).filter(open).filter(|_| Some(theirs) == epoch);
                let Some(peer) = peer else { return };
                peer.end = peer.end.max(end);
                let good_until_ms = sent_ms.saturating_add(timing.lease_ms);
                peer.good_until_ms = peer.good_until_ms.max(good_until_ms);
                peer.lost_at_ms = lost_at_ms;
            }
            RoleEvent::Left(copy) => writer.leave(copy),
            RoleEvent::HandOver => writer.handing_over = true,
            RoleEvent::Swapped(operation, outcome) => {
                self.changed(now_ms, operation, outcome, actions);
            }
            RoleEvent::Read(held) => return self.look_again(held, actions),
            RoleEvent::Outdated(other) => {
                if Some(other) > epoch {
                    return self.end(EndReason::Deposed, actions);
                }
            }
            // Of the life before as a copy.
            RoleEvent::Tick
            | RoleEvent::Met(_)
            | RoleEvent::Stored { .. }
            | RoleEvent::Closed
            | RoleEvent::Surrendered(_) => {}
        }
        self.go_on(now_ms, actions);
    }

    /// What follows from what is known now.
    fn go_on(&mut self, now_ms: u64, actions: &mut Vec<RoleAction>) {
        let Some(writer) = self.writer() else { return };
        writer.settle();
        match &mut writer.change {
            Some(change) => actions.extend(change.asked_again(now_ms)),
            None => {
                self.change(now_ms, actions);
                self.hand_over(actions);
            }
        }
    }

    /// Asks the register to let lost copies go and to take others in, in one step. Rule 4: who
    /// comes in is required from now on. Rule 3: who goes is required until the outcome is known.
    fn change(&mut self, now_ms: u64, actions: &mut Vec<RoleAction>) {
        let copies = self.settings.copies;
        let Some(writer) = self.writer() else { return };
        let lost = writer.lost(now_ms);
        let gained = writer.gained(now_ms, lost, copies);
        if lost.is_empty() && gained.is_empty() {
            return;
        }
        writer.required = writer.required.with(gained);
        let held = writer.held;
        let operation = self.next_operation();
        let proposal =
            Proposal::new(held.version, held.membership.changed(lost, gained, operation));
        actions.push(proposal.action());
        if let Some(writer) = self.writer() {
            writer.change = Some(proposal);
        }
    }

    /// Rule 3: only now, that the register has let a copy go, is it no longer required. A change
    /// that did not work means that another node has claimed.
    fn changed(
        &mut self,
        now_ms: u64,
        operation: OperationId,
        outcome: SwapOutcome,
        actions: &mut Vec<RoleAction>,
    ) {
        let again_at_ms = now_ms.saturating_add(self.settings.timing.retry_ms);
        let Some(change) = self.writer().and_then(|writer| writer.change.as_mut()) else { return };
        match change.judge(operation, outcome, again_at_ms) {
            Verdict::Open => {}
            Verdict::Done(held) => {
                if !self.observe(Some(held), actions) {
                    return self.end(EndReason::RegisterForgot, actions);
                }
                if let Some(writer) = self.writer() {
                    writer.take(held, actions);
                }
            }
            Verdict::Lost(None) => self.end(EndReason::RegisterForgot, actions),
            Verdict::Lost(Some(_)) => self.end(EndReason::Deposed, actions),
        }
    }

    /// A read that was asked for before the claim, or by an operator's hand.
    fn look_again(&mut self, held: Option<Held>, actions: &mut Vec<RoleAction>) {
        let own = self.settings.own;
        let Some(writer) = self.writer() else { return };
        let deposed = held.is_some_and(|held| {
            let newer = held.version > writer.held.version;
            let membership = held.membership;
            newer && (membership.writer != own || membership.epoch != writer.epoch())
        });
        if deposed {
            self.end(EndReason::Deposed, actions);
        }
    }

    /// Nothing new is taken in by then: as soon as all is settled the role is given up, and with it
    /// every lease.
    fn hand_over(&mut self, actions: &mut Vec<RoleAction>) {
        let Some(writer) = self.writer().filter(|writer| writer.handing_over) else { return };
        let epoch = writer.epoch();
        let done = writer.serves() && writer.settled == writer.appended && writer.change.is_none();
        match writer.successor() {
            None => {
                writer.handing_over = false;
                actions.push(RoleAction::StayWriter);
            }
            Some(to) if done => {
                actions.push(RoleAction::Surrender { to, epoch });
                self.end(EndReason::Surrendered, actions);
            }
            Some(_) => {}
        }
    }
}
