//! Reads and swaps of the register, and what keeps a node from claiming.
//!
//! Owns the calls that are under way, and the names that a change of numbers is written with. Which
//! change is made is the role machine's. Next: `register_calls`, `fitness`.

use super::event::Output;
use super::machine::{Call, ClusterNode, NodeFailure};
use crate::cluster::arbiter::{ArbiterError, Swapped, Versioned};
use crate::cluster::register::{Epoch, Held, Membership, OperationId, Register, Version};
use crate::cluster::role::{NodeRole, RoleEvent, SwapOutcome};
use crate::copies::replica::Replica;
use crate::engine::replay::DataDirectory;

/// A node that waits for something looks at the register so often.
const READ_PAUSE_MS: u64 = 50;

impl<P: DataDirectory, R: Replica> ClusterNode<P, R> {
    pub(super) fn ask_the_register(&mut self, call: &mut Call<'_>) {
        let register = &mut self.register;
        let is_due = register.is_wanted && !register.is_reading;
        if is_due && call.now_ms >= register.read_at_ms {
            register.is_wanted = false;
            register.is_reading = true;
            call.out.push(Output::ReadRegister);
        }
    }

    pub(super) fn register_read(
        &mut self,
        read: Result<Option<Versioned>, ArbiterError>,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        self.register.is_reading = false;
        let pause_ms = if read.is_ok() { READ_PAUSE_MS } else { self.settings.timing.retry_ms };
        self.register.read_at_ms = call.now_ms.saturating_add(pause_ms);
        match read {
            Ok(found) => {
                let held = found.map(|found| self.learn(found, call)).transpose()?;
                self.weigh(held, call)
            }
            Err(error) => {
                self.register.unanswered(call.now_ms);
                self.warn(format!("the arbiter does not answer: {error}"), call);
                Ok(())
            }
        }
    }

    /// Takes in what the register says, by numbers.
    fn learn(&mut self, found: Versioned, call: &Call<'_>) -> Result<Held, NodeFailure> {
        self.register.answered();
        self.check_identity(&found.register)?;
        let membership = found.register.membership(&self.settings.nodes)?;
        let version = found.version;
        self.fitness.see_writer(membership.epoch, membership.writer, call.now_ms);
        if self.register.latest.as_ref().is_none_or(|latest| latest.version < version) {
            self.register.latest = Some(found);
        }
        Ok(Held { version, membership })
    }

    fn check_identity(&self, register: &Register) -> Result<(), NodeFailure> {
        let foreign =
            |found: String, expected: String| Err(NodeFailure::ForeignRegister { found, expected });
        let cluster = self.settings.cluster;
        if register.cluster != cluster {
            return foreign(
                format!("the cluster {}", register.cluster),
                format!("the cluster {cluster}"),
            );
        }
        let journal = self.replica.as_ref().and_then(Replica::journal_id);
        match journal.map(|journal| journal.to_string()) {
            Some(own) if !register.journal.is_empty() && register.journal != own => {
                foreign(format!("the journal {}", register.journal), format!("the journal {own}"))
            }
            _ => Ok(()),
        }
    }

    /// Tells the role machine what the register says, unless it would claim and this node is not
    /// fit to: then only the writer is sought.
    fn weigh(&mut self, held: Option<Held>, call: &mut Call<'_>) -> Result<(), NodeFailure> {
        let event = RoleEvent::Read(held);
        let mut trial = self.machine.clone();
        trial.handle(call.now_ms, event);
        let would_claim = |role| role == NodeRole::Claiming;
        if let Some(held) = held
            && would_claim(trial.role())
            && !would_claim(self.machine.role())
        {
            if let Some(reason) = self.why_not_claim(&held.membership, call.now_ms) {
                self.warn(reason, call);
                if held.membership.writer != self.settings.own {
                    self.connect(held.membership.writer, call);
                }
                return Ok(());
            }
            let log_epoch = self.replica.as_ref().map_or(0, Replica::epoch);
            let is_last =
                held.membership.writer == self.settings.own && log_epoch == held.membership.epoch;
            let may_lack = !self.settings.is_sync || self.is_forced(log_epoch);
            self.fitness.claim(may_lack && !is_last);
        }
        self.tell(event, call)
    }

    /// An operator has made this node the writer, and it has not written since.
    fn is_forced(&self, log_epoch: Epoch) -> bool {
        let own = self.settings.nodes.name(self.settings.own);
        let lost_from = self.register.current().zip(own);
        lost_from.and_then(|(register, own)| register.lost_from(own, log_epoch)).is_some()
    }

    fn why_not_claim(&mut self, membership: &Membership, now_ms: u64) -> Option<String> {
        if let Some(reason) = self.fitness.unfit(self.settings.clock_skew_ms_max) {
            return Some(format!("this node does not take over: {reason}"));
        }
        // Its own role is no other's to lose.
        if membership.writer == self.settings.own {
            return None;
        }
        let silence_ms = self.settings.timing.silence_ms;
        let wait_ms = self.fitness.wait_ms(membership.epoch, silence_ms, now_ms)?;
        Some(format!(
            "this node waits {wait_ms} ms more before it takes over: the writer has changed \
             within the last minute"
        ))
    }

    pub(super) fn swap(&mut self, version: Version, membership: &Membership, call: &mut Call<'_>) {
        let latest = self.register.latest.as_ref();
        let proposal =
            latest.and_then(|latest| latest.register.with(membership, &self.settings.nodes));
        // Every membership came from a register, by these names.
        let Some(mut proposal) = proposal else { return };
        if let Some(url) = &self.settings.url {
            proposal.urls.insert(self.settings.name.clone(), url.clone());
        }
        let operation = membership.operation;
        self.register.proposed = Some(proposal.clone());
        call.out.push(Output::SwapRegister { version, proposal, operation });
    }

    pub(super) fn register_swapped(
        &mut self,
        operation: OperationId,
        swapped: Result<Swapped, ArbiterError>,
        call: &mut Call<'_>,
    ) -> Result<(), NodeFailure> {
        let outcome = match swapped {
            Ok(Swapped::Done(version)) => {
                let done = self.register.proposed.take();
                if let Some(register) = done.filter(|done| done.operation == operation) {
                    self.learn(Versioned { version, register }, call)?;
                }
                SwapOutcome::Done(version)
            }
            Ok(Swapped::Refused(found)) => {
                let held = found.map(|found| self.learn(found, call)).transpose()?;
                SwapOutcome::Refused(held)
            }
            Err(error) => {
                self.register.unanswered(call.now_ms);
                self.warn(format!("the arbiter does not answer: {error}"), call);
                SwapOutcome::Unknown
            }
        };
        self.tell(RoleEvent::Swapped(operation, outcome), call)
    }
}
