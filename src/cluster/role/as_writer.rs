//! What events do to the node that writes.
//!
//! Owns when a copy is dropped, taken in or swapped, and when the node ends. Next: `writer` for
//! what is settled.

use super::event::{EndReason, RoleAction, RoleEvent, SwapOutcome};
use super::machine::{RoleMachine, State};
use super::proposal::{Proposal, Verdict};
use super::writer::*;
use crate::cluster::register::{Held, OperationId};

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
