//! The machine that is shipped, and around it, where one is asked for, a mistake: an event that is
//! changed before it goes in, one that is made up, or an action that is changed when it comes out.
//!
//! Owns the list of mistakes. Never changes the machine: what is found here is found in the code
//! that is shipped, told something that is not so. Next: `world`, which calls it.

use doorbuster::cluster::node::{Node, NodeSet};
use doorbuster::cluster::register::Epoch;
use doorbuster::cluster::role::{
    Found, NodeRole, RoleAction, RoleEvent, RoleMachine, RoleSettings, Seen, SwapOutcome,
};

/// A rule that is broken: its name, its number, what is done instead.
macro_rules! mistakes {
    ($($name:ident, $rule:literal, $told:literal;)*) => {
        /// A rule that is broken on purpose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Mistake {
            $(#[doc = $told] $name,)*
        }

        impl Mistake {
            /// All, in the order of the rules.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Which rule it breaks.
            #[must_use]
            pub fn rule(self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }

            /// What is done instead.
            #[must_use]
            pub fn told(self) -> &'static str {
                match self { $(Self::$name => $told,)* }
            }
        }
    };
}

mistakes! {
    SlowestNotAwaited, "1", "what one copy acknowledges counts for all";
    OwnSyncNotAwaited, "1", "what is appended counts as synced";
    InSyncNotRequired, "2", "a new writer requires itself only";
    NotRequiredBeforeSwap, "3", "a copy is not required as soon as the register is asked to drop it";
    UnknownTakenForDone, "3", "a change whose outcome is unknown is taken to have worked";
    RequiredAfterSwap, "4", "a copy is required only when the register has taken it in";
    TakenInTooEarly, "5", "a copy is taken in before it has what is settled";
    ClaimFromOutside, "6", "a node claims that is not in sync";
    EmptyDirectoryCounts, "6", "a directory that began empty counts by its name";
    EpochChosenLocally, "7", "the epoch of a claim is not told to the register";
    CutToWatermark, "8", "a copy cuts to what it knows as settled";
    NoSilence, "9", "a claim waits for no silence";
    NoSilenceAfterStart, "9", "a start counts as silence";
    NamedIsEnough, "9", "whom the register names claims at once";
    ClosedIsSurrendered, "9", "a closed connection counts as a surrender";
    ClaimantAcknowledges, "10", "a claimant acknowledges beats";
    ServedBeforeStarted, "11", "reads are served before the own start is settled";
    LeaseOutlivesSilence, "lease", "a lease lasts longer than a silence";
}

impl Mistake {
    /// The mistake of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mistake| format!("{mistake:?}") == name)
    }
}

/// What a mistake needs to know beside the event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) own: Node,
    pub(super) nodes: usize,
    pub(super) silence_ms: u64,
    pub(super) lease_ms: u64,
}

/// The machine that is shipped, and what a mistake must remember beside it; nothing without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct MistakenMachine {
    machine: RoleMachine,
    settings: RoleSettings,
    memory: Memory,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Memory {
    /// Copies that the pending change takes in.
    coming: NodeSet,
    /// What is appended here while it writes.
    appended: u64,
}

/// Starts of processes in a walk, all nodes together.
const PROCESSES_MAX: u64 = 1 << 20;
/// Behind everything.
const FAR: u64 = 1 << 20;

impl MistakenMachine {
    pub(super) fn start(
        mistake: Option<Mistake>,
        settings: RoleSettings,
        mut found: Found,
        now_ms: u64,
    ) -> Self {
        let mut started_ms = now_ms;
        match mistake {
            Some(Mistake::NoSilenceAfterStart) => started_ms -= settings.timing.silence_ms,
            Some(Mistake::EmptyDirectoryCounts) => {
                let seen = Seen { epoch: 0, version: 0, began_empty: false };
                found.seen =
                    Some(found.seen.map_or(seen, |kept| Seen { began_empty: false, ..kept }));
            }
            _ => {}
        }
        let machine = RoleMachine::start(settings, found, started_ms);
        Self { machine, settings, memory: Memory::default() }
    }

    pub(super) fn machine(&self) -> &RoleMachine {
        &self.machine
    }

    pub(super) fn handle(
        &mut self,
        mistake: Option<Mistake>,
        around: &Around,
        now_ms: u64,
        event: RoleEvent,
    ) -> Vec<RoleAction> {
        let Some(mistake) = mistake else { return self.machine.handle(now_ms, event) };
        self.remember(event);
        if let (Mistake::NamedIsEnough, RoleEvent::Read(Some(held))) = (mistake, event)
            && held.membership.writer == around.own
        {
            self.begin_again_in(held.membership.epoch, now_ms);
        }
        let (at_ms, changed) = self.changed(mistake, around, now_ms, event);
        let claiming = self.machine.role() == NodeRole::Claiming;
        let mut actions = self.machine.handle(at_ms, changed);
        if let (Mistake::ClaimantAcknowledges, true) = (mistake, claiming)
            && let RoleEvent::Stored { epoch, end, sent_ms } = event
        {
            actions.push(RoleAction::Acknowledge { epoch, end, sent_ms });
        }
        for action in &mut actions {
            self.change_action(mistake, event, action);
        }
        for forged in self.forged(mistake, around, now_ms, event, &actions) {
            actions.extend(self.machine.handle(now_ms, forged));
        }
        actions
    }

    /// A copy that takes its journal for one that ends in an epoch, as only a writer's does.
    fn begin_again_in(&mut self, epoch: Epoch, now_ms: u64) {
        if !matches!(self.machine.role(), NodeRole::Joining | NodeRole::Following) {
            return;
        }
        // Its changes are not taken for earlier ones.
        self.settings.process += PROCESSES_MAX;
        let found = Found { log_epoch: epoch, seen: Some(self.machine.seen()) };
        self.machine = RoleMachine::start(self.settings, found, now_ms);
    }

    fn remember(&mut self, event: RoleEvent) {
        match event {
            RoleEvent::Began { started: end, .. } | RoleEvent::Appended(end) => {
                self.memory.appended = end;
            }
            _ => {}
        }
    }

    /// When the event goes in, and as what.
    fn changed(
        &self,
        mistake: Mistake,
        around: &Around,
        now_ms: u64,
        mut event: RoleEvent,
    ) -> (u64, RoleEvent) {
        let mut at_ms = now_ms;
        let outside = |copy| self.machine.in_sync().is_some_and(|in_sync| !in_sync.has(copy));
        let claiming = self.machine.role() == NodeRole::Claiming;
        let unknown = matches!(event, RoleEvent::Swapped(_, SwapOutcome::Unknown));
        match (mistake, &mut event) {
            (Mistake::ClaimFromOutside, RoleEvent::Read(Some(held))) => {
                let in_sync = &mut held.membership.in_sync;
                *in_sync = in_sync.with(NodeSet::of(around.own));
            }
            (Mistake::NoSilence, RoleEvent::Read(_)) => at_ms += around.silence_ms,
            (Mistake::ServedBeforeStarted, RoleEvent::Began { started, .. }) => *started = 0,
            (Mistake::LeaseOutlivesSilence, RoleEvent::Acknowledged { sent_ms, .. }) => {
                *sent_ms += around.silence_ms + around.lease_ms;
            }
            (Mistake::TakenInTooEarly, RoleEvent::Joined { copy, end, .. }) if outside(*copy) => {
                *end = (*end).max(self.memory.appended);
            }
            (Mistake::EmptyDirectoryCounts, RoleEvent::Joined { began_empty, .. }) => {
                *began_empty = false;
            }
            (Mistake::ClosedIsSurrendered, RoleEvent::Closed) => {
                event = self.machine.epoch().map_or(event, RoleEvent::Surrendered);
            }
            (Mistake::UnknownTakenForDone, RoleEvent::Swapped(_, outcome))
                if unknown && !claiming =>
            {
                *outcome = SwapOutcome::Done(self.machine.seen().version + 1);
            }
            _ => {}
        }
        (at_ms, event)
    }

    fn change_action(&mut self, mistake: Mistake, event: RoleEvent, action: &mut RoleAction) {
        match (mistake, action, event) {
            (Mistake::CutToWatermark, RoleAction::Follow { cut_to, .. }, RoleEvent::Met(met)) => {
                *cut_to = met.settled.min(*cut_to);
            }
            (
                Mistake::EpochChosenLocally,
                RoleAction::Swap { proposal, .. },
                RoleEvent::Read(held),
            ) => {
                proposal.epoch = held.map_or(0, |held| held.membership.epoch);
            }
            _ => {}
        }
    }

    /// What else goes in behind it.
    fn forged(
        &mut self,
        mistake: Mistake,
        around: &Around,
        now_ms: u64,
        event: RoleEvent,
        actions: &[RoleAction],
    ) -> Vec<RoleEvent> {
        let Some(epoch) = self.machine.epoch().filter(|_| self.machine.in_sync().is_some()) else {
            return Vec::new();
        };
        let swap = actions.iter().find_map(|action| match action {
            RoleAction::Swap { proposal, .. } => Some(proposal.in_sync),
            _ => None,
        });
        let in_sync = self.machine.in_sync().unwrap_or_default();
        let others = (0..around.nodes).filter_map(Node::at).filter(|node| *node != around.own);
        let joined = |copy| RoleEvent::Joined { copy, end: FAR, began_empty: false };
        let acknowledged =
            |copy, end, sent_ms| RoleEvent::Acknowledged { copy, epoch, end, sent_ms };
        match (mistake, event) {
            (Mistake::SlowestNotAwaited, RoleEvent::Acknowledged { end, .. }) => {
                others.map(|copy| acknowledged(copy, end, 0)).collect()
            }
            (
                Mistake::OwnSyncNotAwaited,
                RoleEvent::Appended(end) | RoleEvent::Began { started: end, .. },
            ) => {
                vec![RoleEvent::Synced(end)]
            }
            (Mistake::InSyncNotRequired, RoleEvent::Began { .. }) => {
                others.filter(|node| in_sync.has(*node)).map(joined).collect()
            }
            (Mistake::NotRequiredBeforeSwap, _) => match swap {
                Some(after) => in_sync.without(after).iter().map(joined).collect(),
                None => Vec::new(),
            },
            (Mistake::RequiredAfterSwap, _) => {
                if let Some(after) = swap {
                    self.memory.coming = after.without(in_sync);
                } else if matches!(event, RoleEvent::Swapped(_, SwapOutcome::Done(_))) {
                    self.memory.coming = NodeSet::default();
                }
                let end = self.memory.appended;
                self.memory.coming.iter().map(|copy| acknowledged(copy, end, now_ms)).collect()
            }
            _ => Vec::new(),
        }
    }
}
