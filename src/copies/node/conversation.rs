//! Which message is heard when, and what ends a connection.
//!
//! Owns the order of a conversation: whatever comes out of it closes the connection, and nothing
//! else happens. Bytes that are no messages do the same. Next: `joining`, `serving`.

use super::event::{LinkId, Output};
use super::link::{Link, Step};
use super::machine::{Call, ClusterNode, NodeFailure};
use crate::cluster::node::Node;
use crate::cluster::role::RoleEvent;
use crate::copies::hello::{Hello, PROTOCOL_VERSION};
use crate::copies::replica::Replica;
use crate::copies::wire::Message;
use crate::engine::replay::DataDirectory;
use doorbuster_journal::FORMAT_VERSION;

/// Connections that others have dialled and that are open, for each node of the list: the one that
/// counts, and one that takes its place.
pub const LINKS_PER_NODE: usize = 2;

impl<P: DataDirectory, R: Replica> ClusterNode<P, R> {
    pub(super) fn opened(&mut self, link: LinkId, to: Option<Node>, call: &mut Call<'_>) {
        if to.is_some() {
            let hello = Message::Hello(Box::new(self.hello(call)));
            let Some(open) = self.links.get_mut(&link) else { return };
            let Step::Dialling(node) = open.step else { return };
            open.step = Step::Greeting(node);
            open.heard_ms = call.now_ms;
            open.send(link, &hello, call.out);
            return;
        }
        let accepted = self.links.values().filter(|link| !link.is_dialled()).count();
        if accepted >= LINKS_PER_NODE * self.settings.nodes.count() {
            let reason = "too many connections".to_owned();
            return call.out.push(Output::Close { link, reason });
        }
        self.links.insert(link, Link::new(call.now_ms, Step::Accepted));
    }

    /// A connection that the other side, or the network, has ended.
    pub(super) fn closed(&mut self, link: LinkId, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        let Some(link) = self.links.remove(&link) else { return Ok(()) };
        self.after_close(&link, call)
    }

    pub(super) fn after_close(
        &mut self,
        link: &Link<P::Disk>,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        match &link.step {
            Step::Dialling(_) | Step::Greeting(_) => {
                self.dial_at_ms = call.now_ms.saturating_add(self.settings.timing.retry_ms);
                Ok(())
            }
            Step::Following(..) => self.tell(RoleEvent::Closed, call),
            Step::Feeding(copy) => self.tell(RoleEvent::Left(copy.node), call),
            Step::Accepted | Step::Welcomed(..) => Ok(()),
        }
    }

    /// Ends a connection for a reason that both sides log.
    pub(super) fn fail(
        &mut self,
        link: LinkId,
        reason: &str,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let node = self.links.get(&link).and_then(Link::node);
        let name = node.and_then(|node| self.settings.nodes.name(node));
        let name = name.map_or("a node that was not named", |name| name.as_str());
        let text = format!("the connection to {name} is closed: {reason}");
        self.warn(text, call);
        match self.close(link, reason, call) {
            Some(closed) => self.after_close(&closed, call),
            None => Ok(()),
        }
    }

    /// A line for the operator; the same is told once a minute at most.
    pub(super) fn warn(&mut self, text: String, call: &mut Call<'_>) {
        if self.shown.is_news(&text, call.now_ms) {
            call.out.push(Output::Warn(text));
        }
    }

    pub(super) fn received(
        &mut self,
        link: LinkId,
        bytes: &[u8],
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        open.heard_ms = call.now_ms;
        open.decoder.push(bytes);
        // A message may end its connection, and the next one then comes from nowhere.
        while let Some(open) = self.links.get_mut(&link) {
            match open.decoder.next_message() {
                Ok(Some(message)) => self.hear(link, message, call)?,
                Ok(None) => break,
                Err(error) => return self.fail(link, &error.to_string(), call),
            }
        }
        self.commit(link, call)
    }

    fn hear(
        &mut self,
        link: LinkId,
        message: Message,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let Some(open) = self.links.get(&link) else { return Ok(()) };
        match (&open.step, message) {
            (_, Message::Close { reason }) => {
                let reason = format!("the other side says: {reason}");
                self.fail(link, &reason, call)
            }
            (Step::Accepted, Message::Hello(hello)) => self.greeted(link, &hello, call),
            (Step::Welcomed(node, _), Message::Join { end, began_empty }) => {
                let node = *node;
                self.joined(link, node, &end, began_empty, call)
            }
            (Step::Feeding(_), message) => self.hear_copy(link, message, call),
            (Step::Greeting(node), Message::Welcome(welcome)) => {
                let node = *node;
                self.welcomed(link, node, &welcome, call)
            }
            (Step::Greeting(_), Message::NotWriter { .. }) => {
                self.close(link, "it does not write", call);
                self.dial_at_ms = call.now_ms.saturating_add(self.settings.timing.retry_ms);
                Ok(())
            }
            (Step::Following(..), message) => self.hear_writer(link, message, call),
            (Step::Welcomed(..), Message::Outdated { epoch }) => {
                self.tell(RoleEvent::Outdated(epoch), call)
            }
            _ => self.fail(link, "it says what is not said at this point", call),
        }
    }

    /// What this node says of itself.
    pub(super) fn hello(&self, call: &Call<'_>) -> Hello {
        let settings = &self.settings;
        let seen = self.machine.seen();
        let log_epoch = self.replica.as_ref().map_or(0, Replica::epoch);
        let written = self.written.as_ref().map(|written| written.journal);
        let journal = self.replica.as_ref().map_or(written, Replica::journal_id);
        Hello {
            protocol: PROTOCOL_VERSION,
            cluster: settings.cluster,
            node: settings.name.clone(),
            journal,
            journal_format: FORMAT_VERSION,
            record_version: settings.record_version,
            product: settings.product.clone(),
            machine: settings.machine.clone(),
            wall_ms: call.wall_ms,
            caps: settings.caps.clone(),
            url: settings.url.clone(),
            epoch: seen.epoch.max(log_epoch),
            version: seen.version,
        }
    }

    /// Ends what stands still: a conversation that does not come about, and a node that is silent
    /// although its connection stands.
    pub(super) fn close_idle(&mut self, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        let (hello_ms, timing) = (self.settings.hello_ms, self.settings.timing);
        let silent_ms = timing.silence_ms.saturating_mul(2).max(timing.lag_ms.saturating_mul(2));
        let is_late = |link: &Link<P::Disk>| match link.is_settled_in() {
            true => call.now_ms.saturating_sub(link.heard_ms) >= silent_ms,
            false => call.now_ms.saturating_sub(link.opened_ms) >= hello_ms,
        };
        let late = self.links.iter().filter(|(_, link)| is_late(link));
        for link in late.map(|(link, _)| *link).collect::<Vec<_>>() {
            self.fail(link, "it says nothing", call)?;
        }
        Ok(())
    }
}
