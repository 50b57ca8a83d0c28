//! Calls of nodes to the arbiter: they come late, are lost, or their outcome is never heard.
//!
//! Owns these steps of the world. Never changes the register by itself: that is `arbiter`. Next:
//! `process`.

use super::arbiter::{Call, Made, Outcome};
use super::world::{Event, World};
use crate::world::Held;
use doorbuster::cluster::arbiter::{ArbiterError, Swapped};
use doorbuster::copies::node::Input;

impl World {
    pub(super) fn want_call(&mut self, place: usize, call: Call) {
        let Some(process) = &mut self.machines[place].process else { return };
        process.calls.push_back(call);
        if process.calls.len() == 1 {
            self.make_call(place);
        }
    }

    /// The next call leaves, whatever becomes of it.
    fn make_call(&mut self, place: usize) {
        let Some(process) = &self.machines[place].process else { return };
        let Some(call) = process.calls.front().cloned() else { return };
        let life = self.machines[place].life;
        let number = self.arbiter.made.len();
        self.trace.tell("call", format_args!("{number} of {place}: {call:?}"));
        self.arbiter.made.push(Made { place, life, call, outcome: None });
        let (there_us, back_us) =
            (self.random.between(100, 3_000), self.random.between(100, 3_000));
        let unreached = self.arbiter.gone_until_us.max(self.arbiter.unreached_until_us[place]);
        let patience_us = self.random.between(100_000, 600_000);
        if self.now_us < unreached {
            self.tally.count("arbiter: not there");
            return self.after(patience_us, Event::Answered { call: number });
        }
        let fails = self.plan.between.arbiter_fails && !self.closing && self.random.percent(15);
        if !fails {
            self.after(there_us, Event::Called { call: number });
            return self.after(there_us + back_us, Event::Answered { call: number });
        }
        self.after(patience_us, Event::Answered { call: number });
        let deaf = self.arbiter.made.len();
        match self.random.below(3) {
            0 => return self.tally.count("arbiter: call lost"),
            1 => {
                self.tally.count("arbiter: outcome not heard");
                self.after(there_us, Event::Called { call: deaf });
            }
            _ => {
                self.tally.count("arbiter: call came late");
                let late_us = patience_us + self.random.below(2_500_000);
                self.after(late_us, Event::Called { call: deaf });
            }
        }
        // What comes of it nobody hears.
        let call = self.arbiter.made[number].call.clone();
        self.arbiter.made.push(Made { place, life: 0, call, outcome: None });
    }

    /// A call arrives at the arbiter.
    pub(super) fn called(&mut self, number: usize) {
        if self.now_us < self.arbiter.gone_until_us {
            return;
        }
        let call = self.arbiter.made[number].call.clone();
        let outcome = self.arbiter.do_now(&call);
        if let Outcome::Swapped(swapped) = &outcome {
            let version = self.arbiter.register.version;
            let say = match swapped {
                Swapped::Done(_) => {
                    self.tally.count("register: changed");
                    "done"
                }
                Swapped::Refused(_) => {
                    self.tally.count("register: change refused");
                    "refused"
                }
            };
            let register = &self.arbiter.register.register;
            self.trace.tell(
                "register",
                format_args!(
                    "{number} {say}: version {version} epoch {} writer {} in sync {:?}",
                    register.epoch, register.writer, register.in_sync
                ),
            );
        }
        self.arbiter.made[number].outcome = Some(outcome);
    }

    /// The caller hears, or has waited long enough.
    pub(super) fn answered(&mut self, number: usize) -> Held {
        let made = &mut self.arbiter.made[number];
        let (place, life) = (made.place, made.life);
        let (call, outcome) = (made.call.clone(), made.outcome.take());
        if self.machines[place].life != life {
            return Ok(());
        }
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        process.calls.pop_front();
        let is_next_waiting = !process.calls.is_empty();
        let unheard = || "no answer came".to_owned();
        match (call, outcome) {
            (Call::Read, Some(Outcome::Read(register))) => {
                self.tell(place, Input::RegisterRead(Ok(Some(register))))?;
            }
            (Call::Read, _) => {
                let unavailable = ArbiterError::Unavailable(unheard());
                self.tell(place, Input::RegisterRead(Err(unavailable)))?;
            }
            (Call::Swap(_, _, operation), outcome) => {
                let swapped = match outcome {
                    Some(Outcome::Swapped(swapped)) => Ok(swapped),
                    _ => Err(ArbiterError::Unknown(unheard())),
                };
                self.tell(place, Input::RegisterSwapped(operation, swapped))?;
            }
        }
        if is_next_waiting && self.machines[place].life == life {
            self.make_call(place);
        }
        Ok(())
    }
}
