//! A change of the register, from the moment it is asked for until it is known what became of it.
//!
//! Owns how an outcome that was not heard is resolved. Never decides what is proposed. Next:
//! `as_copy`, `as_writer`.

use super::event::{RoleAction, SwapOutcome};
use crate::cluster::register::{Held, Membership, OperationId, Version};

/// A change of the register that was asked for and is not known to have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proposal {
    pub(super) version: Version,
    pub(super) membership: Membership,
    /// When to ask again; none while an outcome is awaited.
    pub(super) again_at_ms: Option<u64>,
}

/// What became of a proposal.
pub(super) enum Verdict {
    Done(Held),
    Lost(Option<Held>),
    Open,
}

impl Proposal {
    pub(super) fn new(version: Version, membership: Membership) -> Self {
        Self { version, membership, again_at_ms: None }
    }

    /// The register says which operation made it what it is, so an outcome that was not heard is
    /// known from the next answer: asking again shows either the own operation or another version.
    pub(super) fn judge(
        &mut self,
        operation: OperationId,
        outcome: SwapOutcome,
        again_at_ms: u64,
    ) -> Verdict {
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

    pub(super) fn asked_again(&mut self, now_ms: u64) -> Option<RoleAction> {
        self.again_at_ms.take_if(|at_ms| now_ms >= *at_ms).map(|_| self.action())
    }

    pub(super) fn action(&self) -> RoleAction {
        RoleAction::Swap { version: self.version, proposal: self.membership }
    }
}
