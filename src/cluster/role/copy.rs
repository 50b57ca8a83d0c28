//! The rules of a node that does not write: joining, following, claiming.
//!
//! Owns whom it follows, when it acknowledges, and when it may claim. Never says how bytes come
//! here. Next: `writer`, which it becomes when a claim is granted.

use super::event::NodeRole;
use super::proposal::Proposal;
use super::timing::Timing;
use crate::cluster::register::{Epoch, Membership, Version};

/// A node that does not write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CopyRole {
    pub(super) step: Step,
    /// The epoch in which the own journal ends, as long as nobody was followed since the start.
    pub(super) unfollowed: Option<Epoch>,
    /// The last acknowledgement, or the start.
    pub(super) heard_ms: u64,
    pub(super) wait: Wait,
    /// The version of the register that the writer knew that was last met.
    pub(super) met_version: Version,
    /// When to look at the register although the writer is heard.
    pub(super) read_at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// This process has not read the register yet.
    Starting,
    Joining,
    Following(Epoch),
    Claiming(Proposal),
}

/// How much silence a claim waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wait {
    Whole,
    /// The connection to the writer was closed.
    Short,
    /// The writer of this epoch has said that it ended.
    Waived(Epoch),
}

impl CopyRole {
    pub(super) fn start(log_epoch: Epoch, now_ms: u64) -> Self {
        let unfollowed = (log_epoch > 0).then_some(log_epoch);
        let (step, wait) = (Step::Starting, Wait::Whole);
        Self { step, unfollowed, heard_ms: now_ms, wait, met_version: 0, read_at_ms: 0 }
    }

    pub(super) fn role(&self) -> NodeRole {
        match self.step {
            Step::Starting | Step::Joining => NodeRole::Joining,
            Step::Following(_) => NodeRole::Following,
            Step::Claiming(_) => NodeRole::Claiming,
        }
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self.step {
            Step::Following(epoch) => Some(epoch),
            _ => None,
        }
    }

    /// Whether the writer of this epoch has compared this disk by this version of the register: who
    /// is outside by then comes in only by what is acknowledged from here on.
    pub(super) fn was_compared(&self, epoch: Epoch, version: Version) -> bool {
        self.step == Step::Following(epoch) && version >= self.met_version
    }

    /// Rule 9: silence since the start and since the last acknowledgement. The wait is over at once
    /// only where the register names this node and its journal ends in the register's epoch: then
    /// it was writing in it, and has acknowledged nobody since. That the register names it is not
    /// enough: a claim may have been granted to a process that died before it wrote, and the next
    /// one may have acknowledged the old writer.
    pub(super) fn is_silent(
        &self,
        now_ms: u64,
        own: bool,
        membership: &Membership,
        timing: &Timing,
    ) -> bool {
        let wrote_last = own && self.unfollowed == Some(membership.epoch);
        let wait_ms = match self.wait {
            Wait::Waived(epoch) if epoch == membership.epoch => 0,
            Wait::Whole | Wait::Waived(_) => timing.silence_ms,
            Wait::Short => timing.closed_ms,
        };
        wrote_last || now_ms.saturating_sub(self.heard_ms) >= wait_ms
    }

    /// Whether a look at the register may end in a claim, as far as time goes.
    pub(super) fn wants_the_register(&self, now_ms: u64, timing: &Timing) -> bool {
        match self.step {
            Step::Starting | Step::Joining => true,
            Step::Claiming(_) => false,
            Step::Following(_) => {
                let quiet_ms = now_ms.saturating_sub(self.heard_ms);
                quiet_ms >= timing.silence_ms || now_ms >= self.read_at_ms
            }
        }
    }
}
