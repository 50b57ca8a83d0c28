//! Connections between copies and writers: how one is made, what comes over it, how it ends.
//!
//! Owns these steps of the world. Never decides whether a copy may follow: the machine says that.
//! Next: `world`.

use super::world::{Acknowledgement, NODES, Rules, World, node};
use doorbuster::cluster::node::NodeSet;
use doorbuster::cluster::register::Epoch;
use doorbuster::cluster::role::{Meeting, NodeRole, RoleEvent};

impl World {
    /// A writer has ended, and its connections with it.
    pub(super) fn disconnect(&mut self, rules: &Rules, writer: usize) {
        self.nodes[writer].connected = NodeSet::default();
        (0..NODES).for_each(|copy| self.close(rules, writer, copy));
        self.late_acknowledgements.retain(|said| said.writer != writer);
    }

    /// A writer has closed its connection to a copy, which notices that: that it does not yet is as
    /// if it were slow.
    pub(super) fn close(&mut self, rules: &Rules, writer: usize, copy: usize) {
        let between = |said: &Acknowledgement| said.writer == writer && said.copy == copy;
        self.late_acknowledgements.retain(|said| !between(said));
        if self.nodes[copy].link.is_some_and(|(other, _)| other == writer) {
            self.unlink(copy, true);
            self.tell(rules, copy, RoleEvent::Closed);
        }
    }

    /// A writer as a copy sees it: its epoch, if it takes copies.
    pub(super) fn writing_epoch(&self, place: usize) -> Option<Epoch> {
        self.nodes[place].machine().epoch().filter(|_| self.nodes[place].writes())
    }

    pub(super) fn is_linked(&self, copy: usize) -> Option<usize> {
        let (writer, epoch) = self.nodes[copy].link?;
        let known = self.nodes[writer].connected.has(node(copy));
        (known && self.writing_epoch(writer) == Some(epoch)).then_some(writer)
    }

    pub(super) fn connect(&mut self, rules: &Rules, copy: usize, writer: usize) -> bool {
        let follows =
            matches!(self.nodes[copy].machine().role(), NodeRole::Joining | NodeRole::Following);
        let Some(epoch) = self.writing_epoch(writer).filter(|_| copy != writer && follows) else {
            return false;
        };
        if self.is_linked(copy) == Some(writer) {
            return false;
        }
        let own = &self.nodes[copy];
        let common_end = own.log.common_end(&self.nodes[writer].log);
        let Some(common_end) = common_end else { return false };
        let settled = own.watermark;
        let version = self.nodes[writer].machine().seen().version;
        let met = Meeting { writer: node(writer), epoch, version, common_end, settled };
        self.tell(rules, copy, RoleEvent::Met(met));
        self.nodes[copy].link.is_some()
    }

    pub(super) fn follow(
        &mut self,
        rules: &Rules,
        copy: usize,
        writer: usize,
        epoch: Epoch,
        cut_to: u64,
    ) {
        self.unlink(copy, false);
        // They came by the connection before.
        let between = |said: &Acknowledgement| said.writer == writer && said.copy == copy;
        self.late_acknowledgements.retain(|said| !between(said));
        let own = &mut self.nodes[copy];
        own.log.cut(cut_to);
        own.synced = own.log.end();
        own.watermark = own.watermark.min(own.log.end());
        own.link = Some((writer, epoch));
        let end = own.log.end();
        let began_empty = own.machine().seen().began_empty;
        let connected = &mut self.nodes[writer].connected;
        *connected = connected.with(NodeSet::of(node(copy)));
        self.tell(rules, writer, RoleEvent::Joined { copy: node(copy), end, began_empty });
    }

    pub(super) fn receive(
        &mut self,
        rules: &Rules,
        copy: usize,
        records: usize,
        ago_ms: u64,
    ) -> bool {
        let Some(writer) = self.is_linked(copy) else { return false };
        let Some(epoch) = self.writing_epoch(writer) else { return false };
        let sent_ms = self.clock_ms(rules, writer).saturating_sub(ago_ms);
        let source = &self.nodes[writer];
        let (log, vouched) = (source.log, source.watermark);
        let own = &mut self.nodes[copy];
        // A claimant takes no frames; that a beat comes to it is what rule 10 is about.
        let follows = own.machine().role() == NodeRole::Following;
        let taken = (0..records).take_while(|_| follows && own.log.take_from(&log)).count();
        if taken == 0 && sent_ms <= own.sent_ms {
            return false;
        }
        own.synced = own.log.end();
        if rules.told {
            own.watermark = own.watermark.max(vouched.min(own.log.end()));
        }
        own.sent_ms = own.sent_ms.max(sent_ms);
        let (end, sent_ms) = (own.synced, own.sent_ms);
        self.tell(rules, copy, RoleEvent::Stored { epoch, end, sent_ms });
        true
    }

    pub(super) fn deliver(&mut self, rules: &Rules, said: Acknowledgement) {
        let Acknowledgement { writer, copy, epoch, end, sent_ms } = said;
        let event = RoleEvent::Acknowledged { copy: node(copy), epoch, end, sent_ms };
        self.tell(rules, writer, event);
    }

    /// A copy is no longer connected to its writer. What it said last may still arrive, unless the
    /// writer has closed the connection.
    pub(super) fn unlink(&mut self, copy: usize, writer_closed: bool) {
        let own = &mut self.nodes[copy];
        own.link = None;
        own.sent_ms = 0;
        let said = own.said.take();
        self.late_acknowledgements.extend(said.filter(|_| !writer_closed));
        self.late_acknowledgements.sort_unstable();
    }

    pub(super) fn left(&mut self, rules: &Rules, writer: usize, copy: usize) -> bool {
        let counts = self.nodes[writer].machine().in_sync();
        let matters = counts.is_some_and(|set| set.has(node(copy)));
        let own = &mut self.nodes[writer];
        if copy == writer || !own.writes() || !(matters || own.connected.has(node(copy))) {
            return false;
        }
        own.connected = own.connected.without(NodeSet::of(node(copy)));
        self.close(rules, writer, copy);
        self.tell(rules, writer, RoleEvent::Left(node(copy)));
        true
    }
}
