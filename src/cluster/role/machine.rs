//! The machine of one process, and what can be asked of it.
//!
//! Owns the state and what is kept of the register. What an event does is in `as_copy` and
//! `as_writer`. Next: those.

use super::copy::CopyRole;
use super::event::{EndReason, NodeRole, RoleAction, RoleEvent, Seen};
use super::settings::{Found, RoleSettings};
use super::writer::WriterRole;
use crate::cluster::node::NodeSet;
use crate::cluster::register::{Epoch, Held, OperationId};
use crate::domain::model::ids::Sequence;

/// The machine of one process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleMachine {
    pub(super) settings: RoleSettings,
    /// The highest epoch that is known of anybody.
    pub(super) highest: Epoch,
    /// What the next start shall know.
    pub(super) seen: Seen,
    /// Changes of the register that this process has asked for.
    pub(super) changes: u64,
    pub(super) state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum State {
    Copy(CopyRole),
    Writer(WriterRole),
    Ended(EndReason),
}

impl RoleMachine {
    /// A process that starts. The first thing it wants is the register, which a `Tick` asks for.
    #[must_use]
    pub fn start(settings: RoleSettings, found: Found, now_ms: u64) -> Self {
        let unknown = Seen { epoch: 0, version: 0, began_empty: true };
        let seen = found.seen.unwrap_or(unknown);
        Self {
            settings,
            highest: found.log_epoch.max(seen.epoch),
            seen,
            changes: 0,
            state: State::Copy(CopyRole::start(found.log_epoch, now_ms)),
        }
    }

    /// Takes an event at a time of this node, and says what is to be done.
    ///
    /// # Panics
    /// When one of the rules would be broken: a fault of this code.
    pub fn handle(&mut self, now_ms: u64, event: RoleEvent) -> Vec<RoleAction> {
        let mut actions = Vec::new();
        match &self.state {
            State::Copy(_) => self.handle_as_copy(now_ms, event, &mut actions),
            State::Writer(_) => self.handle_as_writer(now_ms, event, &mut actions),
            State::Ended(_) => {}
        }
        if let State::Writer(writer) = &self.state {
            writer.check();
        }
        actions
    }

    pub(super) fn end(&mut self, reason: EndReason, actions: &mut Vec<RoleAction>) {
        self.state = State::Ended(reason);
        actions.push(RoleAction::End(reason));
    }

    /// An operation of this process that was never asked for before.
    pub(super) fn next_operation(&mut self) -> OperationId {
        self.changes += 1;
        OperationId { process: self.settings.process, number: self.changes }
    }

    /// Takes in what the register holds; false where it has forgotten what was seen of it.
    pub(super) fn observe(&mut self, held: Option<Held>, actions: &mut Vec<RoleAction>) -> bool {
        let before = self.seen;
        let Some(Held { version, membership }) = held else { return false };
        if (membership.epoch, version) < (before.epoch, before.version) {
            return false;
        }
        // The writer that it follows has compared its disk, and does not count it: from here on
        // only what it acknowledges brings it in.
        let outside = !membership.in_sync.has(self.settings.own);
        let compared = match &self.state {
            State::Copy(copy) => copy.was_compared(membership.epoch, version),
            State::Writer(_) | State::Ended(_) => false,
        };
        let began_empty = before.began_empty && !(outside && compared);
        self.seen = Seen { epoch: membership.epoch, version, began_empty };
        self.highest = self.highest.max(membership.epoch);
        if self.seen != before {
            actions.push(RoleAction::Keep(self.seen));
        }
        true
    }

    /// What the node is.
    #[must_use]
    pub fn role(&self) -> NodeRole {
        match &self.state {
            State::Copy(copy) => copy.role(),
            State::Writer(writer) if writer.serves() => NodeRole::Writing,
            State::Writer(_) => NodeRole::Elected,
            State::Ended(reason) => NodeRole::Ended(*reason),
        }
    }

    /// The epoch that it writes or follows in; none while it does neither.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        match &self.state {
            State::Copy(copy) => copy.epoch(),
            State::Writer(writer) => Some(writer.epoch()),
            State::Ended(_) => None,
        }
    }

    /// Up to where answers may leave, and what else a writer shows may rest; 0 unless it writes.
    #[must_use]
    pub fn settled(&self) -> Sequence {
        match &self.state {
            State::Writer(writer) => writer.settled(),
            _ => 0,
        }
    }

    /// Until when, by the own clock and that moment included, reads may be answered; none never,
    /// `u64::MAX` for as long as nothing changes.
    #[must_use]
    pub fn good_until_ms(&self) -> Option<u64> {
        match &self.state {
            State::Writer(writer) => writer.good_until_ms(),
            _ => None,
        }
    }

    /// Those that the register counts, as a writer knows it; none unless it writes.
    #[must_use]
    pub fn in_sync(&self) -> Option<NodeSet> {
        match &self.state {
            State::Writer(writer) => Some(writer.in_sync()),
            _ => None,
        }
    }

    /// What the next start of this node must be told.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen
    }
}
