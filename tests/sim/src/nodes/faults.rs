//! What befalls the machines, the wire between them, and the arbiter.
//!
//! Owns the choice of what goes wrong and of when it is over. Never excuses anything: that is
//! `process`. Next: `truth`.

use super::world::{Event, World};
use crate::disk::Trouble;
use crate::world::{Death, Held};

const TROUBLES: [Trouble; 5] =
    [Trouble::Sync, Trouble::SyncHalf, Trouble::Write, Trouble::ShortWrite, Trouble::Name];
/// Longer than a silence.
const LONG_US: (u64, u64) = (1_100_000, 4_000_000);
/// A stop waits so long until another node has the role.
const GIVES_UP_US: u64 = 5_000_000;

impl World {
    pub(super) fn plan_fault(&mut self) {
        if let Some(every_us) = self.plan.common.fault_every_us {
            let wait_us = self.random.between(every_us / 4, every_us * 7 / 4);
            self.after(wait_us, Event::Fault);
        }
    }

    fn long_us(&mut self) -> u64 {
        match self.random.percent(60) {
            true => self.random.between(LONG_US.0, LONG_US.1),
            false => self.random.between(20_000, 900_000),
        }
    }

    /// Rather the one that writes, if there is one.
    fn victim(&mut self) -> usize {
        let writer = (0..self.machines.len()).find(|place| self.machines[*place].writes());
        match writer.filter(|_| self.random.percent(50)) {
            Some(writer) => writer,
            None => self.random.place(self.machines.len()),
        }
    }

    /// Something goes wrong.
    pub(super) fn fault(&mut self) -> Held {
        if self.closing {
            return Ok(());
        }
        self.plan_fault();
        let (faults, between) = (self.plan.common.faults, self.plan.between);
        let place = self.victim();
        match self.random.below(16) {
            0 | 1 if faults.kills => self.doom(place, Death::Kill),
            2 | 3 if faults.power => self.doom(place, Death::Power),
            4 if faults.power && self.random.percent(40) => {
                self.tally.count("death: power lost everywhere");
                for place in 0..self.machines.len() {
                    if self.machines[place].process.is_some() {
                        self.machines[place].death = Some(Death::Power);
                        self.die(place)?;
                    }
                }
                Ok(())
            }
            5 if faults.calls => {
                let trouble = TROUBLES[self.random.place(5)];
                let calls = self.random.between(1, 12) as u32;
                self.machines[place].disk.trouble(Some((trouble, calls)));
                Ok(())
            }
            6 if faults.full => {
                self.machines[place].disk.medium().full = true;
                self.tally.count("disk: full for a while");
                self.trace.tell("full", format_args!("{place}"));
                let wait_us = self.random.between(50_000, 4_000_000);
                self.after(wait_us, Event::Relief { place });
                Ok(())
            }
            7 if faults.clock => {
                self.disturb_clock(place);
                Ok(())
            }
            8 | 9 if between.stands_still => {
                self.stand_still(place);
                Ok(())
            }
            10 | 11 if between.partitions => self.part(place),
            12 if between.arbiter_fails => {
                let wait_us = self.long_us();
                self.tally.count("arbiter: gone for a while");
                self.trace.tell("arbiter", format_args!("gone for {wait_us} us"));
                self.arbiter.gone_until_us = self.now_us + wait_us;
                Ok(())
            }
            13 if between.register_goes_back => {
                self.restore_register();
                Ok(())
            }
            14 if between.wipes => self.wipe(),
            15 if between.handovers || faults.stops => self.stop_in_order(place),
            _ => Ok(()),
        }
    }

    /// The process dies, now, or in the middle of something to come.
    fn doom(&mut self, place: usize, death: Death) -> Held {
        let machine = &mut self.machines[place];
        if machine.process.is_none() {
            return Ok(());
        }
        machine.death = Some(death);
        self.trace.tell("doom", format_args!("{place}: {death:?}"));
        match self.random.below(10) {
            0 | 1 => {
                self.tally.count("death: between two steps");
                self.die(place)
            }
            2 | 3 => {
                self.machines[place].outputs_left = Some(self.random.between(1, 12) as u32);
                Ok(())
            }
            _ => {
                self.tally.count("death: in the middle of a call");
                let calls = self.random.between(1, 40) as u32;
                self.machines[place].disk.die_in(Some(calls));
                Ok(())
            }
        }
    }

    pub(super) fn trouble_the_start(&mut self, place: usize) {
        if self.closing {
            return;
        }
        let faults = self.plan.common.faults;
        let machine = &mut self.machines[place];
        if self.random.percent(12) && (faults.kills || faults.power) {
            machine.death = Some(if faults.power { Death::Power } else { Death::Kill });
            let calls = self.random.between(1, 60) as u32;
            machine.disk.die_in(Some(calls));
        } else if self.random.percent(5) && faults.calls {
            let calls = self.random.between(1, 20) as u32;
            machine.disk.trouble(Some((TROUBLES[self.random.place(5)], calls)));
        }
    }

    fn disturb_clock(&mut self, place: usize) {
        let by_ms = self.random.between(1, 2_000) as i64;
        let machine = &mut self.machines[place];
        machine.wall_off_ms = match self.random.below(4) {
            0 => by_ms,
            1 => -by_ms,
            2 => 0,
            // No node that is so far off takes over.
            _ => by_ms * 10,
        };
        self.tally.count("clock: set");
        self.trace.tell("clock", format_args!("{place}: {} ms off", machine.wall_off_ms));
    }

    /// A process stands still while its clock goes on.
    fn stand_still(&mut self, place: usize) {
        if self.machines[place].process.is_none() {
            return;
        }
        let wait_us = self.long_us();
        self.tally.count(match (self.machines[place].writes(), wait_us >= LONG_US.0) {
            (true, true) => "zombie: the writer stands still longer than a silence",
            _ => "zombie: a node stands still",
        });
        self.trace.tell("still", format_args!("{place} for {wait_us} us"));
        self.machines[place].still_until_us = self.now_us + wait_us;
    }

    /// Nothing comes from a node to others, or to it, or both; perhaps not to the arbiter either.
    fn part(&mut self, place: usize) -> Held {
        if self.random.once_in(4) {
            return self.break_some();
        }
        let until_us = self.now_us + self.long_us();
        let (out, back) = [(true, true), (true, false), (false, true)][self.random.place(3)];
        let whole = self.random.percent(50);
        for other in (0..self.machines.len()).filter(|other| *other != place) {
            if whole || self.random.percent(50) {
                let parted = &mut self.wire.parted_until_us;
                if out {
                    parted[place][other] = until_us;
                }
                if back {
                    parted[other][place] = until_us;
                }
            }
        }
        if self.random.percent(40) {
            self.arbiter.unreached_until_us[place] = until_us;
        }
        self.tally.count(match (out && back, whole) {
            (true, true) => "partition: a node from all others",
            (true, false) => "partition: between some",
            _ => "partition: one way",
        });
        self.trace.tell("parted", format_args!("{place}, out {out}, back {back}, whole {whole}"));
        Ok(())
    }

    /// An operator restores the register from an old copy, which every node has seen replaced; and
    /// after a while sets it right.
    fn restore_register(&mut self) {
        if self.arbiter.replaced.is_some() {
            return;
        }
        let seen = self
            .machines
            .iter()
            .map(|machine| machine.seen.map_or((0, 0), |seen| (seen.epoch, seen.version)));
        let Some(lowest) = seen.min() else { return };
        let is_past = |past: &&doorbuster::cluster::arbiter::Versioned| {
            (past.register.epoch, past.version) < lowest
        };
        let past: Vec<_> = self.arbiter.past.iter().filter(is_past).cloned().collect();
        if past.is_empty() {
            return;
        }
        let old = past[self.random.place(past.len())].clone();
        self.tally.count("register: restored from the past");
        self.trace.tell("past", format_args!("{old:?}"));
        self.arbiter.replaced = Some(std::mem::replace(&mut self.arbiter.register, old));
        self.went_back = true;
        let wait_us = self.random.between(200_000, 3_000_000);
        self.after(wait_us, Event::SetRight);
    }

    pub(super) fn set_register_right(&mut self) {
        let version = self.arbiter.version_max() + 1;
        let Some(replaced) = self.arbiter.replaced.take() else { return };
        let past = std::mem::replace(&mut self.arbiter.register, replaced);
        drop(past);
        // Its versions may have been given twice.
        self.arbiter.past.clear();
        self.arbiter.register.version = version;
        self.trace.tell("right", format_args!("{:?}", self.arbiter.register));
    }

    /// A copy's disk is replaced by an empty one, where another one that counts still has its own.
    fn wipe(&mut self) -> Held {
        let place = self.random.place(self.machines.len());
        let holds = |place: &usize| self.is_counted(*place) && !self.machines[*place].is_wiped;
        let others = (0..self.machines.len()).filter(|other| *other != place);
        if others.filter(holds).count() == 0 || self.machines[place].writes() {
            return Ok(());
        }
        self.tally.count("copy: wiped");
        if self.is_counted(place) {
            self.tally.count("copy: wiped while it counts");
        }
        if self.machines[place].process.is_some() {
            self.machines[place].death = None;
            self.die(place)?;
        }
        let is_counted = self.is_counted(place);
        let machine = &mut self.machines[place];
        machine.disk.medium().wipe();
        machine.seen = None;
        machine.is_wiped = is_counted;
        machine.compared = 0;
        self.trace.tell("wiped", format_args!("{place}"));
        Ok(())
    }

    /// An operator stops a node: one that writes hands over first.
    fn stop_in_order(&mut self, place: usize) -> Held {
        let (life, is_writer) = (self.machines[place].life, self.machines[place].writes());
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        if process.hands_over || process.promoting.is_some() {
            return Ok(());
        }
        if !is_writer {
            self.tally.count("node: stopped in order");
            self.machines[place].death = None;
            return self.die(place);
        }
        self.tally.count("handover: begun");
        self.trace.tell("stop", format_args!("{place} hands over"));
        process.hands_over = true;
        if let Some(server) = &process.server {
            server.close();
        }
        // Who waits for copies is not waited for.
        self.after(GIVES_UP_US, Event::GivesUp { place, life });
        self.turn_after(place, 1);
        Ok(())
    }

    /// From here on all is well, and whoever waits must be answered.
    pub(super) fn heal(&mut self) {
        self.closing = true;
        for machine in &mut self.machines {
            machine.death = None;
            machine.outputs_left = None;
            machine.still_until_us = 0;
            machine.is_right = true;
            machine.disk.die_in(None);
            machine.disk.trouble(None);
            machine.disk.medium().full = false;
        }
        for way in self.wire.parted_until_us.iter_mut().flatten() {
            *way = 0;
        }
        self.arbiter.gone_until_us = 0;
        self.arbiter.unreached_until_us.iter_mut().for_each(|until_us| *until_us = 0);
        self.set_register_right();
        self.trace.tell("healed", format_args!("no new wishes"));
    }
}
