//! Processes and the arbiter: starts, sudden ends, new disks, and what becomes of calls.
//!
//! Owns these steps of the world. Next: `world`.

use super::log::Log;
use super::mistake::MistakenMachine;
use super::world::{Fate, NODES, Proposed, Rules, World, settings};
use doorbuster::cluster::register::{Epoch, Held};
use doorbuster::cluster::role::{Found, RoleEvent, SwapOutcome};

impl World {
    pub(super) fn begin(&mut self, rules: &Rules, place: usize, epoch: Epoch) {
        self.unlink(place, false);
        let own = &mut self.nodes[place];
        own.log.push(epoch, place);
        let (started, settled) = (own.log.end(), own.watermark.min(own.synced));
        self.tell(rules, place, RoleEvent::Began { started, settled });
        // What lies before is on the disk already.
        let synced = self.nodes[place].synced;
        self.tell(rules, place, RoleEvent::Synced(synced));
    }

    pub(super) fn read(&mut self, rules: &Rules, place: usize) -> bool {
        let own = &mut self.nodes[place];
        if own.writes() || own.has_ended() || own.swap.is_some() {
            return false;
        }
        own.is_starting = false;
        let held = own.reading.take().unwrap_or(self.register);
        self.tell(rules, place, RoleEvent::Read(Some(held)));
        true
    }

    pub(super) fn swap(&mut self, rules: &Rules, place: usize, fate: Fate) -> bool {
        let Some(proposed) = self.nodes[place].swap.take() else { return false };
        let operation = proposed.membership.operation;
        let outcome = match fate {
            Fate::Heard => self.arbitrate(proposed),
            Fate::Unheard => {
                self.arbitrate(proposed);
                SwapOutcome::Unknown
            }
            Fate::GivenUp => {
                self.late.push(proposed);
                SwapOutcome::Unknown
            }
        };
        self.forget_late();
        self.tell(rules, place, RoleEvent::Swapped(operation, outcome));
        self.tell(rules, place, RoleEvent::Tick);
        true
    }

    /// The register changes only where it stands at the version that the proposal names.
    pub(super) fn arbitrate(&mut self, proposed: Proposed) -> SwapOutcome {
        if self.register.version != proposed.version {
            return SwapOutcome::Refused(Some(self.register));
        }
        let version = proposed.version + 1;
        self.register = Held { version, membership: proposed.membership };
        self.forget_late();
        SwapOutcome::Done(version)
    }

    /// What comes too late for the register's version changes nothing whenever it comes.
    pub(super) fn forget_late(&mut self) {
        let version = self.register.version;
        self.late.retain(|late| late.version == version);
    }

    pub(super) fn restart(&mut self, rules: &Rules, place: usize, kept: usize) -> bool {
        let own = &mut self.nodes[place];
        let unsynced = own.log.end() - own.synced;
        let kept = kept as u64;
        if kept > unsynced {
            return false;
        }
        own.log.cut(own.synced + kept);
        own.watermark = own.watermark.min(own.log.end());
        self.start_again(rules, place);
        true
    }

    /// A service manager starts processes again that have ended.
    pub(super) fn restart_ended(&mut self, rules: &Rules) {
        for place in 0..NODES {
            if self.nodes[place].has_ended() {
                let kept = self.unsynced(place);
                self.restart(rules, place, kept);
            }
        }
    }

    /// The same, and every start reads the register. Both come at once: later is as if the node
    /// were slow.
    pub(super) fn hasten(&mut self, rules: &Rules) {
        self.restart_ended(rules);
        for place in 0..NODES {
            if self.nodes[place].is_starting {
                self.read(rules, place);
            }
        }
    }

    pub(super) fn wipe(&mut self, rules: &Rules, place: usize) -> bool {
        let own = &mut self.nodes[place];
        own.log = Log::default();
        own.watermark = 0;
        own.seen = None;
        own.said = None;
        own.is_wiped = true;
        self.start_again(rules, place);
        true
    }

    pub(super) fn start_again(&mut self, rules: &Rules, place: usize) {
        let now_ms = self.clock_ms(rules, place);
        self.unlink(place, false);
        let own = &mut self.nodes[place];
        own.synced = own.log.end();
        own.reading = None;
        own.starts += 1;
        own.is_starting = true;
        let found = Found { log_epoch: own.log.epoch(), seen: own.seen };
        let settings = settings(rules, place, own.starts);
        own.mistaken = MistakenMachine::start(rules.mistake, settings, found, now_ms);
        let given_up = own.swap.take();
        self.late.extend(given_up);
        self.forget_late();
        if self.surrender.is_some_and(|(to, _)| to == place) {
            self.surrender = None;
        }
        self.disconnect(rules, place);
    }
}
