//! What a node is, and what it may do: a machine that is told events and says what is to be done.
//!
//! Owns the rules by which an answer outlives a machine. Never reads a clock (each event brings the
//! time of the node, in milliseconds that never go back), opens a socket, draws a number or stores a
//! byte. Trying it in every order is `tests/sim`'s work, which runs this very code.
//!
//! The rules, and where each stands:
//!
//! 1. Settled is what every required node has synced: [`writer`], `settle`.
//! 2. Who is in sync is required: [`writer`], `check`.
//! 3. A copy is no longer required only after the register has let it go: [`writer`], `changed`.
//! 4. A copy is required before the register takes it in: [`writer`], `change`.
//! 5. A copy is taken in only when it has all that is appended: [`writer`], `is_caught_up`.
//! 6. Only a node in sync claims: [`copy`], `may_claim`.
//! 7. One epoch for each process that writes, granted by the register: [`copy`], `claim`.
//! 8. What another history lacks is cut behind the common end, never at what is known as settled:
//!    [`copy`], `meet`.
//! 9. A claim waits for silence since the start and since the last acknowledgement, unless the own
//!    journal ends in the register's epoch: [`copy`], `is_silent`.
//! 10. A claimant acknowledges nothing until it knows: [`copy`], `acknowledge`.
//! 11. Nothing is served before the own `Started` is settled: [`writer`], `good_until_ms`.
//!
//! And a lease ends before a silence does: [`Timing::checked`].
//!
//! Next: `event` for the words, `copy` and `writer` for the rules, `timing`.

mod copy;
#[cfg(test)]
mod copy_tests;
mod event;
mod timing;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use event::{EndReason, Meeting, NodeRole, RoleAction, RoleEvent, Seen, SwapOutcome};
pub use timing::{BadTiming, Timing};

use super::node::{Node, NodeSet};
use super::register::{Epoch, Held, Membership, OperationId, Version};
use crate::domain::model::ids::Sequence;
use copy::CopyRole;
use writer::WriterRole;

/// What does not change while a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoleSettings {
    /// This node.
    pub own: Node,
    /// Nodes in the list.
    pub nodes: usize,
    /// How many disks an answer waits for, the own included.
    pub copies: usize,
    /// How long to wait for others.
    pub timing: Timing,
    /// What this process drew at its start, so that its changes of the register are told from all
    /// others.
    pub process: u64,
}

/// What a start finds on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Found {
    /// The epoch of the last record; 0 where there is none.
    pub log_epoch: Epoch,
    /// What an earlier start of this directory has kept; none in a new or foreign one.
    pub seen: Option<Seen>,
}

/// The machine of one process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleMachine {
    settings: RoleSettings,
    /// The highest epoch that is known of anybody.
    highest: Epoch,
    /// What the next start shall know.
    seen: Seen,
    /// Changes of the register that this process has asked for.
    changes: u64,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    Copy(CopyRole),
    Writer(WriterRole),
    Ended(EndReason),
}

/// A change of the register that was asked for and is not known to have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Proposal {
    version: Version,
    membership: Membership,
    /// When to ask again; none while an outcome is awaited.
    again_at_ms: Option<u64>,
}

/// What became of a proposal.
enum Verdict {
    Done(Held),
    Lost(Option<Held>),
    Open,
}

impl Proposal {
    fn new(version: Version, membership: Membership) -> Self {
        Self { version, membership, again_at_ms: None }
    }

    /// The register says which operation made it what it is, so an outcome that was not heard is
    /// known from the next answer: asking again shows either the own operation or another version.
    fn judge(&mut self, operation: OperationId, outcome: SwapOutcome, again_at_ms: u64) -> Verdict {
        if operation != self.membership.operation {
            return Verdict::Open;
        }
        match outcome {
            SwapOutcome::Done(version) => {
                Verdict::Done(Held { version, membership: self.membership })
            }
            SwapOutcome::Refused(Some(held)) if held.membership.operation == operation => {
                Verdict::Done(held)
            }
            SwapOutcome::Refused(held) => Verdict::Lost(held),
            SwapOutcome::Unknown => {
                self.again_at_ms = Some(again_at_ms);
                Verdict::Open
            }
        }
    }

    fn asked_again(&mut self, now_ms: u64) -> Option<RoleAction> {
        self.again_at_ms.take_if(|at_ms| now_ms >= *at_ms).map(|_| self.action())
    }

    fn action(&self) -> RoleAction {
        RoleAction::Swap { version: self.version, proposal: self.membership }
    }
}

impl RoleMachine {
    /// A process that starts. The first thing it wants is the register, which a `Tick` asks for.
    #[must_use]
    pub fn start(settings: RoleSettings, found: Found, now_ms: u64) -> Self {
        let unknown = Seen { epoch: 0, version: 0, began_empty: true };
        Self {
            settings,
            highest: found.log_epoch,
            seen: found.seen.unwrap_or(unknown),
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

    fn end(&mut self, reason: EndReason, actions: &mut Vec<RoleAction>) {
        self.state = State::Ended(reason);
        actions.push(RoleAction::End(reason));
    }

    /// An operation of this process that was never asked for before.
    fn next_operation(&mut self) -> OperationId {
        self.changes += 1;
        OperationId { process: self.settings.process, number: self.changes }
    }

    /// Takes in what the register holds; false where it has forgotten what was seen of it.
    fn observe(&mut self, held: Option<Held>, actions: &mut Vec<RoleAction>) -> bool {
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
