//! The object that is driven, and what each action of the role machine becomes.
//!
//! Owns what it is made of and the order within one call. Next: `conversation`.

use super::event::{DIALLED_LINKS, Input, LinkId, Output};
use super::fitness::Fitness;
use super::link::{Link, Step};
use super::register_calls::RegisterCalls;
use super::settings::NodeSettings;
use super::shown::Shown;
use crate::cluster::node::{Node, NodeSet};
use crate::cluster::register::{Epoch, UnknownNode};
use crate::cluster::role::{EndReason, Found, NodeRole, RoleAction, RoleEvent, RoleMachine, Seen};
use crate::copies::replica::{Replica, ReplicaError};
use crate::copies::wire::Message;
use crate::domain::model::ids::Sequence;
use crate::engine::replay::DataDirectory;
use doorbuster_journal::{EpochStart, JournalEnd, JournalId};
use std::collections::BTreeMap;

/// Why a node cannot go on. The process ends.
#[derive(Debug, thiserror::Error)]
pub enum NodeFailure {
    /// The directory has failed: nothing is tried again.
    #[error("this copy cannot go on: {0}")]
    Replica(String),
    /// The settings lack a node.
    #[error(
        "{0}: give all nodes the same list in cluster.nodes, or take the node out with \
         doorbusterctl cluster forget"
    )]
    UnknownNode(#[from] UnknownNode),
    /// The register is of another cluster or another journal.
    #[error(
        "the register is of {found}, and this directory of {expected}: cluster.arbiter or \
         cluster.name leads to the register of another shop, or the data directory is another's"
    )]
    ForeignRegister {
        /// As the register says.
        found: String,
        /// As the directory says.
        expected: String,
    },
}

/// What a call works with besides the node.
pub(super) struct Call<'c> {
    pub(super) now_ms: u64,
    pub(super) wall_ms: u64,
    pub(super) out: &'c mut Vec<Output>,
}

/// A node that writes, as its server told it.
pub(super) struct Written {
    pub(super) journal: JournalId,
    pub(super) epochs: Vec<EpochStart>,
    pub(super) appended: Sequence,
    pub(super) synced: Sequence,
}

/// A node among others.
pub struct ClusterNode<P: DataDirectory, R: Replica> {
    pub(super) settings: NodeSettings,
    pub(super) data: P,
    pub(super) machine: RoleMachine,
    /// The directory, while this node follows; a server that writes has taken it.
    pub(super) replica: Option<R>,
    /// None before the server has said that it writes.
    pub(super) written: Option<Written>,
    pub(super) links: BTreeMap<LinkId, Link<P::Disk>>,
    pub(super) dialled: u64,
    /// Not before this moment is a writer dialled again that did not answer.
    pub(super) dial_at_ms: u64,
    /// Where the journals part, from a meeting until what it leads to is done.
    pub(super) common_end: Option<JournalEnd>,
    pub(super) hand_over_to: Option<Node>,
    pub(super) register: RegisterCalls,
    pub(super) fitness: Fitness,
    pub(super) shown: Shown,
}

impl<P: DataDirectory, R: Replica> ClusterNode<P, R> {
    /// A process that starts, with its directory and what `data/cluster` says that it has seen.
    pub fn start(
        settings: NodeSettings,
        data: P,
        replica: R,
        seen: Option<Seen>,
        now_ms: u64,
    ) -> Self {
        let found = Found { log_epoch: replica.epoch(), seen };
        let machine = RoleMachine::start(settings.role(), found, now_ms);
        Self {
            shown: Shown::new(settings.nodes.count()),
            settings,
            data,
            machine,
            replica: Some(replica),
            written: None,
            links: BTreeMap::new(),
            dialled: 0,
            dial_at_ms: 0,
            common_end: None,
            hand_over_to: None,
            register: RegisterCalls::default(),
            fitness: Fitness::default(),
        }
    }

    /// Takes the directory out, after [`Output::Promote`].
    pub fn take_replica(&mut self) -> Option<R> {
        self.replica.take()
    }

    /// The directory, while this node follows.
    pub fn replica(&self) -> Option<&R> {
        self.replica.as_ref()
    }

    /// What the node is.
    #[must_use]
    pub fn role(&self) -> NodeRole {
        self.machine.role()
    }

    /// Those that the register counts, as a writer knows it; none unless it writes.
    #[must_use]
    pub fn in_sync(&self) -> Option<NodeSet> {
        self.machine.in_sync()
    }

    /// Takes what happened, and appends what is to be done. `now_ms` never goes back and counts
    /// suspended time; `wall_ms` is the wall clock.
    ///
    /// # Errors
    /// When the node cannot go on: the process ends, and nothing is called any more.
    pub fn handle(
        &mut self,
        now_ms: u64,
        wall_ms: u64,
        input: Input<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeFailure> {
        let call = &mut Call { now_ms, wall_ms, out };
        let is_tick = matches!(input, Input::Tick);
        self.take(input, call)?;
        self.feed(call)?;
        self.ask_the_register(call);
        self.publish(call);
        self.show(is_tick, call);
        Ok(())
    }

    fn take(&mut self, input: Input<'_>, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        match input {
            Input::Tick => self.tick(call),
            Input::Idle => self.settle(),
            Input::Opened { link, to } => {
                self.opened(link, to, call);
                Ok(())
            }
            Input::Received { link, bytes } => self.received(link, bytes, call),
            Input::Writable { link } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.unsent = 0;
                }
                Ok(())
            }
            Input::Closed { link } => self.closed(link, call),
            Input::RegisterRead(read) => self.register_read(read, call),
            Input::RegisterSwapped(operation, swapped) => {
                self.register_swapped(operation, swapped, call)
            }
            Input::Began { journal, started, settled, history } => {
                let (epochs, appended, synced) = (history.epochs, started, settled);
                self.written = Some(Written { journal, epochs, appended, synced });
                self.tell(RoleEvent::Began { started, settled }, call)
            }
            Input::JournalMoved { appended, synced } => self.moved(appended, synced, call),
            Input::HandOver { to } => self.hand_over(to, call),
            Input::ImageTaken { sequence, digest } => {
                self.send_to_copies(&Message::Digest { sequence, digest }, call);
                Ok(())
            }
            Input::DigestDiffers { sequence } => self.differ(sequence, call),
        }
    }

    fn tick(&mut self, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        self.settle()?;
        self.close_idle(call)?;
        self.tell(RoleEvent::Tick, call)?;
        self.beat(call);
        Ok(())
    }

    pub(super) fn tell(
        &mut self,
        event: RoleEvent,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        for action in self.machine.handle(call.now_ms, event) {
            self.act(action, call)?;
        }
        Ok(())
    }

    fn act(&mut self, action: RoleAction, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        match action {
            RoleAction::Read => self.register.want(),
            RoleAction::Swap { version, proposal } => self.swap(version, &proposal, call),
            RoleAction::Connect(node) => self.connect(node, call),
            RoleAction::Follow { epoch, .. } => return self.follow(epoch, call),
            RoleAction::Refuse(epoch) => {
                if let Some(link) = self.upstream() {
                    self.say(link, &Message::Outdated { epoch }, call);
                    self.close(link, &format!("it is outdated: there is epoch {epoch}"), call);
                }
            }
            RoleAction::Acknowledge { epoch, end, sent_ms } => {
                self.acknowledge(epoch, end, sent_ms, call);
            }
            RoleAction::Disconnect(copy) => self.disconnect(copy, "it must come again", call),
            RoleAction::Begin(epoch) => self.begin(epoch, call),
            RoleAction::Keep(seen) => call.out.push(Output::Keep(seen)),
            RoleAction::Surrender { to, epoch } => self.surrender(to, epoch, call),
            RoleAction::StayWriter => {
                self.hand_over_to = None;
                let reason = "no copy is in sync and connected".to_owned();
                call.out.push(Output::StayWriter { reason });
            }
            RoleAction::End(reason) => self.end(reason, call),
        }
        Ok(())
    }

    /// The claim was granted: whatever came from another writer is over.
    fn begin(&mut self, epoch: Epoch, call: &mut Call<'_>) {
        self.close_dialled("this node writes", call);
        let replica = self.replica.as_ref();
        let end = replica.map_or(0, |replica| replica.history().end.sequence);
        let lost_from = self.fitness.may_have_lost().then_some(end.saturating_add(1));
        call.out.push(Output::Promote { epoch, lost_from });
    }

    fn end(&mut self, reason: EndReason, call: &mut Call<'_>) {
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, "this node ends", call);
        }
        call.out.push(Output::End(reason));
    }

    /// An id that no connection had.
    pub(super) fn next_link(&mut self) -> LinkId {
        self.dialled += 1;
        DIALLED_LINKS | self.dialled
    }

    /// The dialled connection whose other end was heard, or is waited for.
    pub(super) fn upstream(&self) -> Option<LinkId> {
        let dialled = self.links.iter().find(|(_, link)| link.is_dialled());
        dialled.map(|(link, _)| *link)
    }

    pub(super) fn say(&mut self, link: LinkId, message: &Message, call: &mut Call<'_>) {
        if let Some(open) = self.links.get_mut(&link) {
            open.send(link, message, call.out);
        }
    }

    /// Closes a connection. The role machine is not told: the caller knows whether it must be.
    pub(super) fn close(
        &mut self,
        link: LinkId,
        reason: &str,
        call: &mut Call<'_>,
    ) -> Option<Link<P::Disk>> {
        let mut open = self.links.remove(&link)?;
        if !matches!(open.step, Step::Dialling(_)) && open.has_room() {
            let reason = reason.to_owned();
            open.send(link, &Message::Close { reason }, call.out);
        }
        call.out.push(Output::Close { link, reason: reason.to_owned() });
        Some(open)
    }

    fn close_dialled(&mut self, reason: &str, call: &mut Call<'_>) {
        while let Some(link) = self.upstream() {
            self.close(link, reason, call);
        }
    }

    /// A replica that refused what came stays as it is; one that failed ends the process.
    pub(super) fn judge(error: ReplicaError) -> Result<String, NodeFailure> {
        match error {
            ReplicaError::Refused(_) => Ok(error.to_string()),
            ReplicaError::Failed(why) => Err(NodeFailure::Replica(why)),
        }
    }
}
