//! On the writer: from a copy's hello to its acknowledgements, and what they allow.
//!
//! Owns who is fed and what of it may be believed. What an acknowledgement means is the role
//! machine's. Next: `sender`, `joining` for the other end.

use super::event::{LinkId, Output};
use super::link::{Copy, Link, Step, UNSENT_BYTES_MAX};
use super::machine::{Call, ClusterNode, NodeFailure};
use crate::cluster::node::{Node, NodeSet};
use crate::cluster::register::Epoch;
use crate::cluster::role::{NodeRole, RoleEvent};
use crate::copies::hello::{self, Hello};
use crate::copies::replica::Replica;
use crate::copies::sender::{Moment, SendError, Sender};
use crate::copies::wire::{Beat, Message, Restart, Welcome};
use crate::domain::model::ids::Sequence;
use crate::engine::replay::DataDirectory;
use doorbuster_journal::{JournalEnd, JournalHistory};

impl<P: DataDirectory, R: Replica> ClusterNode<P, R> {
    /// A node that has dialled says who it is.
    pub(super) fn greeted(
        &mut self,
        link: LinkId,
        theirs: &Hello,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let node = match self.check_copy(theirs, call) {
            Ok((node, warnings)) => {
                warnings.into_iter().for_each(|warning| self.warn(warning, call));
                node
            }
            Err(reason) => return self.fail(link, &reason, call),
        };
        let epoch = self.written.as_ref().and(self.machine.epoch());
        if let Some(epoch) = epoch
            && theirs.epoch > epoch
        {
            return self.tell(RoleEvent::Outdated(theirs.epoch), call);
        }
        let (Some(epoch), Some(written)) = (epoch, &self.written) else {
            let seen = self.machine.seen();
            let writer = self.register.writer();
            self.say(link, &Message::NotWriter { epoch: seen.epoch, writer }, call);
            self.close(link, "this node does not write", call);
            return Ok(());
        };
        let history = JournalHistory { epochs: written.epochs.clone(), end: Self::open_end() };
        let version = self.machine.seen().version;
        let welcome = Welcome { hello: self.hello(call), epoch, version, history };
        let began_anew = theirs.journal.is_none();
        if let Some(open) = self.links.get_mut(&link) {
            open.step = Step::Welcomed(node, began_anew);
            open.decoder.complete_hello();
        }
        self.say(link, &Message::Welcome(Box::new(welcome)), call);
        Ok(())
    }

    fn check_copy(&self, theirs: &Hello, call: &Call<'_>) -> Result<(Node, Vec<String>), String> {
        let mine = self.hello(call);
        let warnings = hello::check(&mine, theirs).map_err(|error| error.to_string())?;
        let node = self.settings.nodes.find(theirs.node.as_str());
        let node = node.ok_or_else(|| {
            format!("cluster.nodes does not name {}: the list is the same on all", theirs.node)
        })?;
        Ok((node, warnings))
    }

    /// A copy says up to where it has everything: it is fed from there, or it begins anew.
    pub(super) fn joined(
        &mut self,
        link: LinkId,
        node: Node,
        end: &JournalEnd,
        began_empty: bool,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let Some(epoch) = self.machine.epoch().filter(|_| self.written.is_some()) else {
            return self.fail(link, "this node no longer writes", call);
        };
        let (sender, restart) = match self.sender_for(link, epoch, end, call) {
            Ok(sender) => sender,
            Err(error) => return self.fail(link, &error.to_string(), call),
        };
        // A connection that is still there from before is over; so is what it would have said.
        let olds = self.links.iter().filter(|(other, open)| {
            **other != link && matches!(&open.step, Step::Feeding(copy) if copy.node == node)
        });
        for old in olds.map(|(old, _)| *old).collect::<Vec<_>>() {
            self.close(old, "a new connection has taken its place", call);
            self.tell(RoleEvent::Left(node), call)?;
        }
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        open.step = Step::Feeding(Box::new(Copy { node, sender, beat_ms: call.now_ms }));
        let counts = self.machine.in_sync().is_some_and(|in_sync| in_sync.has(node));
        let (end, began_empty) = match &restart {
            // It counts for a disk that it no longer has.
            Some(_) => (0, began_empty || counts),
            None => (end.sequence, began_empty),
        };
        if let Some(restart) = restart {
            self.say(link, &Message::Restart(restart), call);
        }
        self.shown.acknowledge(node, end);
        self.tell(RoleEvent::Joined { copy: node, end, began_empty }, call)
    }

    fn sender_for(
        &self,
        link: LinkId,
        epoch: Epoch,
        end: &JournalEnd,
        call: &Call<'_>,
    ) -> Result<(Sender<P::Disk>, Option<Restart>), SendError> {
        let written = self.written.as_ref();
        let is_empty =
            matches!(self.links.get(&link), Some(Link { step: Step::Welcomed(_, true), .. }));
        if !is_empty && let Some(sender) = Sender::after(&self.data, epoch, end)? {
            return Ok((sender, None));
        }
        let (journal, appended) = match written {
            Some(written) => (written.journal, written.appended),
            None => return Err(SendError::Files("this node does not write".to_owned())),
        };
        let (mut sender, restart) = Sender::anew(&self.data, epoch, journal, appended)?;
        sender.pace(self.settings.bootstrap_bytes_per_s, call.now_ms);
        Ok((sender, Some(restart)))
    }

    /// What a copy that is fed says.
    pub(super) fn hear_copy(
        &mut self,
        link: LinkId,
        message: Message,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let appended = self.written.as_ref().map_or(0, |written| written.appended);
        let Some(Link { step: Step::Feeding(copy), .. }) = self.links.get(&link) else {
            return Ok(());
        };
        match message {
            Message::Acknowledgement { epoch, end, sent_ms, wall_ms } => {
                // A lease rests on this.
                if sent_ms > copy.sender.sent_ms() || end > copy.sender.sent().min(appended) {
                    return self.fail(link, "it acknowledges what it was not sent", call);
                }
                let node = copy.node;
                self.fitness.hear_clock(call.wall_ms, wall_ms);
                self.shown.acknowledge(node, end);
                self.tell(RoleEvent::Acknowledged { copy: node, epoch, end, sent_ms }, call)
            }
            Message::Outdated { epoch } => self.tell(RoleEvent::Outdated(epoch), call),
            _ => self.fail(link, "it says what a copy does not say", call),
        }
    }

    /// The own journal has grown, or more of it is on the disk.
    pub(super) fn moved(
        &mut self,
        appended: Sequence,
        synced: Sequence,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let Some(written) = &mut self.written else { return Ok(()) };
        written.appended = written.appended.max(appended);
        written.synced = written.synced.max(synced);
        self.tell(RoleEvent::Appended(appended), call)?;
        self.tell(RoleEvent::Synced(synced), call)
    }

    /// Sends every copy what it lacks, as far as there is room.
    pub(super) fn feed(&mut self, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        let Some(written) = &self.written else { return Ok(()) };
        let (now_ms, appended) = (call.now_ms, written.appended);
        let moment = Moment { now_ms, appended, settled: self.machine.settled() };
        let mut failed = Vec::new();
        for (id, open) in &mut self.links {
            let room = UNSENT_BYTES_MAX.saturating_sub(open.unsent);
            let Step::Feeding(copy) = &mut open.step else { continue };
            let mut bytes = Vec::new();
            if room > 0
                && let Err(error) = copy.sender.fill(moment, room, &mut bytes)
            {
                failed.push((*id, error.to_string()));
            }
            open.send_bytes(*id, bytes, call.out);
        }
        for (link, reason) in failed {
            self.fail(link, &reason, call)?;
        }
        Ok(())
    }

    pub(super) fn beat(&mut self, call: &mut Call<'_>) {
        if self.written.is_none() {
            return;
        }
        let Some(epoch) = self.machine.epoch() else { return };
        let (now_ms, wall_ms, settled) = (call.now_ms, call.wall_ms, self.machine.settled());
        let beat = Message::Beat(Beat { epoch, sent_ms: now_ms, settled, wall_ms });
        for (id, open) in &mut self.links {
            let has_room = open.has_room();
            let Step::Feeding(copy) = &mut open.step else { continue };
            if has_room && now_ms >= copy.beat_ms {
                copy.beat_ms = now_ms.saturating_add(self.settings.beat_ms);
                copy.sender.note_sent(now_ms);
                open.send(*id, &beat, call.out);
            }
        }
    }

    pub(super) fn send_to_copies(&mut self, message: &Message, call: &mut Call<'_>) {
        for (id, open) in &mut self.links {
            if open.has_room() && matches!(open.step, Step::Feeding(_)) {
                open.send(*id, message, call.out);
            }
        }
    }

    /// Where a node is fed.
    pub(super) fn link_of(&self, node: Node) -> Option<LinkId> {
        let is_fed =
            |open: &Link<P::Disk>| matches!(&open.step, Step::Feeding(copy) if copy.node == node);
        self.links.iter().find(|(_, open)| is_fed(open)).map(|(link, _)| *link)
    }

    pub(super) fn disconnect(&mut self, copy: Node, reason: &str, call: &mut Call<'_>) {
        if let Some(link) = self.link_of(copy) {
            self.close(link, reason, call);
        }
    }

    pub(super) fn hand_over(
        &mut self,
        to: Option<Node>,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let others = self.machine.in_sync().unwrap_or_default();
        let others = others.without(NodeSet::of(self.settings.own));
        let could = |node: Node| others.has(node) && self.link_of(node).is_some();
        let writes = self.machine.role() == NodeRole::Writing;
        let possible = writes && to.map_or_else(|| others.iter().any(could), could);
        if !possible {
            let reason = "no copy that could take over is in sync and connected".to_owned();
            call.out.push(Output::StayWriter { reason });
            return Ok(());
        }
        self.hand_over_to = to;
        self.tell(RoleEvent::HandOver, call)
    }

    /// All that is in sync have everything; whoever is told may claim at once.
    pub(super) fn surrender(&mut self, to: Node, epoch: Epoch, call: &mut Call<'_>) {
        let wanted = self.hand_over_to.filter(|node| self.link_of(*node).is_some());
        let to = wanted.unwrap_or(to);
        if let Some(link) = self.link_of(to) {
            self.say(link, &Message::Surrender { epoch }, call);
        }
        call.out.push(Output::HandedOver { to });
    }

    /// What is settled, and until when reads are good, where that has changed.
    pub(super) fn publish(&mut self, call: &mut Call<'_>) {
        if self.written.is_none() || self.machine.epoch().is_none() {
            return;
        }
        let own = NodeSet::of(self.settings.own);
        // Nobody comes in sync in that mode, so nobody will be waited for who is not now.
        let is_free = !self.settings.is_sync && self.machine.in_sync() == Some(own);
        let copied = if is_free { Sequence::MAX } else { self.machine.settled() };
        let good_until_ms = self.machine.good_until_ms().unwrap_or(0);
        if self.shown.is_published(copied, good_until_ms) {
            call.out.push(Output::Publish { copied, good_until_ms });
        }
    }
}
