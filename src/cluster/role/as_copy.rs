//! What events do to a node that does not write: joining, following, claiming.
//!
//! Owns whom it follows, when it acknowledges, and when it claims. Never says how bytes come here.
//! Next: `copy` for what it knows, `as_writer`, which it becomes when a claim is granted.

use super::copy::*;
use super::event::{EndReason, Meeting, RoleAction, RoleEvent, Seen, SwapOutcome};
use super::machine::{RoleMachine, State};
use super::proposal::{Proposal, Verdict};
use super::writer::WriterRole;
use crate::cluster::register::{Epoch, Held, Membership, OperationId};
use crate::domain::model::ids::Sequence;

impl RoleMachine {
    fn copy(&mut self) -> Option<&mut CopyRole> {
        match &mut self.state {
            State::Copy(copy) => Some(copy),
            _ => None,
        }
    }

    pub(super) fn handle_as_copy(
        &mut self,
        now_ms: u64,
        event: RoleEvent,
        actions: &mut Vec<RoleAction>,
    ) {
        match event {
            RoleEvent::Tick => self.tick(now_ms, actions),
            RoleEvent::Read(held) => self.read(now_ms, held, actions),
            RoleEvent::Swapped(operation, outcome) => {
                self.swapped(now_ms, operation, outcome, actions);
            }
            RoleEvent::Met(meeting) => self.meet(now_ms, &meeting, actions),
            RoleEvent::Stored { epoch, end, sent_ms } => {
                self.acknowledge(now_ms, epoch, end, sent_ms, actions);
            }
            RoleEvent::Closed => self.leave(Wait::Short, actions),
            RoleEvent::Surrendered(epoch) => {
                if self.epoch() == Some(epoch) {
                    self.leave(Wait::Waived(epoch), actions);
                }
            }
            RoleEvent::Outdated(epoch) => self.highest = self.highest.max(epoch),
            // Of an earlier life as a writer.
            RoleEvent::Began { .. }
            | RoleEvent::Appended(_)
            | RoleEvent::Synced(_)
            | RoleEvent::Joined { .. }
            | RoleEvent::Acknowledged { .. }
            | RoleEvent::Left(_)
            | RoleEvent::HandOver => {}
        }
    }

    fn tick(&mut self, now_ms: u64, actions: &mut Vec<RoleAction>) {
        let timing = self.settings.timing;
        let Some(copy) = self.copy() else { return };
        if let Step::Claiming(proposal) = &mut copy.step {
            actions.extend(proposal.asked_again(now_ms));
        } else if copy.wants_the_register(now_ms, &timing) {
            actions.push(RoleAction::Read);
        }
    }

    fn read(&mut self, now_ms: u64, held: Option<Held>, actions: &mut Vec<RoleAction>) {
        let read_ms = self.settings.timing.read_ms;
        let Some(copy) = self.copy() else { return };
        match copy.step {
            Step::Claiming(_) => return,
            Step::Starting => copy.step = Step::Joining,
            Step::Joining | Step::Following(_) => {}
        }
        copy.read_at_ms = now_ms.saturating_add(read_ms);
        let Some(held) = self.learn(now_ms, held, actions) else { return };
        if self.may_claim(now_ms, &held.membership) {
            self.claim(held, actions);
        } else {
            self.seek(&held.membership, actions);
        }
    }

    /// What the register holds, or the end where it has forgotten. A writer that is new to this node
    /// is given the whole silence to be heard.
    fn learn(
        &mut self,
        now_ms: u64,
        held: Option<Held>,
        actions: &mut Vec<RoleAction>,
    ) -> Option<Held> {
        let (before, highest) = (self.seen, self.highest);
        let Some(held) = held.filter(|_| self.observe(held, actions)) else {
            self.end(EndReason::RegisterForgot, actions);
            return None;
        };
        let (is_new, taken_out) =
            (highest < self.seen.epoch, before.began_empty && !self.seen.began_empty);
        let copy = self.copy()?;
        if is_new {
            copy.heard_ms = now_ms;
            copy.wait = Wait::Whole;
        }
        // The writer compares again, and knows this directory from the one before.
        if taken_out && matches!(copy.step, Step::Following(_)) {
            copy.step = Step::Joining;
        }
        Some(held)
    }

    /// Rule 6: the register counts this node, and means this directory and not an earlier one of
    /// its name. And rule 9.
    fn may_claim(&mut self, now_ms: u64, membership: &Membership) -> bool {
        let (own, timing) = (self.settings.own, self.settings.timing);
        let Seen { began_empty, .. } = self.seen;
        let Some(copy) = self.copy() else { return false };
        let silent = copy.is_silent(now_ms, membership.writer == own, membership, &timing);
        silent && membership.in_sync.has(own) && !began_empty
    }

    /// Rule 7: the epoch is above every one that is known, and this process writes in it only if
    /// the register grants it.
    fn claim(&mut self, held: Held, actions: &mut Vec<RoleAction>) {
        let epoch = self.highest.max(held.membership.epoch).saturating_add(1);
        let operation = self.next_operation();
        let membership = held.membership.claimed(self.settings.own, epoch, operation);
        let proposal = Proposal::new(held.version, membership);
        actions.push(proposal.action());
        if let Some(copy) = self.copy() {
            copy.step = Step::Claiming(proposal);
        }
    }

    /// Goes to the writer that the register names, if it is not followed already.
    fn seek(&mut self, membership: &Membership, actions: &mut Vec<RoleAction>) {
        let own = self.settings.own;
        let Some(copy) = self.copy() else { return };
        if copy.step == Step::Following(membership.epoch) {
            return;
        }
        if matches!(copy.step, Step::Following(epoch) if epoch < membership.epoch) {
            copy.step = Step::Joining;
        }
        if membership.writer != own && copy.step == Step::Joining {
            actions.push(RoleAction::Connect(membership.writer));
        }
    }

    fn swapped(
        &mut self,
        now_ms: u64,
        operation: OperationId,
        outcome: SwapOutcome,
        actions: &mut Vec<RoleAction>,
    ) {
        let again_at_ms = now_ms.saturating_add(self.settings.timing.retry_ms);
        let Some(CopyRole { step: Step::Claiming(proposal), .. }) = self.copy() else { return };
        match proposal.judge(operation, outcome, again_at_ms) {
            Verdict::Open => {}
            Verdict::Done(held) => self.elect(now_ms, held, actions),
            Verdict::Lost(held) => {
                if let Some(copy) = self.copy() {
                    copy.step = Step::Joining;
                }
                if let Some(held) = self.learn(now_ms, held, actions) {
                    self.seek(&held.membership, actions);
                }
            }
        }
    }

    fn elect(&mut self, now_ms: u64, held: Held, actions: &mut Vec<RoleAction>) {
        if !self.observe(Some(held), actions) {
            return self.end(EndReason::RegisterForgot, actions);
        }
        actions.push(RoleAction::Begin(held.membership.epoch));
        self.state = State::Writer(WriterRole::elected(now_ms, held, &self.settings));
    }

    /// Rule 8: the own journal is cut where the two histories part. Never where settled is known to
    /// end: what was answered may lie behind, unheard of here.
    fn meet(&mut self, now_ms: u64, meeting: &Meeting, actions: &mut Vec<RoleAction>) {
        let (highest, read_ms) = (self.highest, self.settings.timing.read_ms);
        let Some(copy) = self.copy() else { return };
        if matches!(copy.step, Step::Starting | Step::Claiming(_)) {
            return;
        }
        if meeting.epoch < highest {
            return actions.push(RoleAction::Refuse(highest));
        }
        if meeting.common_end < meeting.settled {
            return self.end(EndReason::ForeignHistory, actions);
        }
        copy.step = Step::Following(meeting.epoch);
        copy.unfollowed = None;
        copy.met_version = meeting.version;
        copy.wait = Wait::Whole;
        copy.read_at_ms = now_ms.saturating_add(read_ms);
        self.highest = meeting.epoch;
        actions.push(RoleAction::Follow { epoch: meeting.epoch, cut_to: meeting.common_end });
    }

    /// Rule 10: only a node that follows this epoch acknowledges, so not one that has asked to be
    /// the writer and does not know the outcome. The silence begins anew.
    fn acknowledge(
        &mut self,
        now_ms: u64,
        epoch: Epoch,
        end: Sequence,
        sent_ms: u64,
        actions: &mut Vec<RoleAction>,
    ) {
        let Some(copy) = self.copy() else { return };
        if copy.step == Step::Following(epoch) {
            copy.heard_ms = now_ms;
            actions.push(RoleAction::Acknowledge { epoch, end, sent_ms });
        }
    }

    fn leave(&mut self, wait: Wait, actions: &mut Vec<RoleAction>) {
        let Some(copy) = self.copy() else { return };
        if matches!(copy.step, Step::Following(_)) {
            copy.step = Step::Joining;
            copy.wait = wait;
            actions.push(RoleAction::Read);
        }
    }
}
