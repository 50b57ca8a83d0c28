//! Deaths, starts, and everything else that befalls a server.
//!
//! Owns what may be excused: a failure that was brought about. A failure without a cause is a
//! finding. Next: `conclusion`.

use crate::damage::strike;
use crate::disk::{Killed, Trouble};
use crate::plan::settings;
use crate::server::Server;
use crate::world::{Death, Event, Held, Violation, World, violated};
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::recovery::RecoveryError;
use doorbuster::engine::replay::{self, From};
use doorbuster::writer::Next;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Runs something that may be killed in the middle: none if it was.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Held<Option<T>> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Ok(Some(done)),
        Err(panic) if panic.is::<Killed>() => Ok(None),
        Err(panic) => Err(Violation { rule: "nothing panics", detail: said(&*panic) }),
    }
}

impl World {
    /// Runs a step of the server; none if the process died in it.
    pub(crate) fn guard<T>(&mut self, work: impl FnOnce(&mut Server) -> T) -> Held<Option<T>> {
        self.turned_at_us = self.elapsed_us();
        let server = self.server.as_mut().expect("a server lives");
        let done = guarded(|| work(server))?;
        if done.is_none() {
            self.die();
        }
        Ok(done)
    }

    /// A failure that was brought about is none of the server's.
    pub(crate) fn excuse(&self, rule: &'static str, detail: &str) -> Held {
        let medium = self.disk.medium();
        let excused = medium.full || medium.troubles() > self.troubles_excused;
        drop(medium);
        if excused { Ok(()) } else { violated(rule, detail) }
    }

    /// The process is gone, and power with it, if that was its fate.
    pub(crate) fn die(&mut self) {
        self.arrive_at_the_copy();
        self.disk.bury();
        self.server = None;
        self.turn_at = None;
        match self.death.take().unwrap_or(Death::Kill) {
            Death::Kill => self.tally.count("death: process killed"),
            Death::Power => {
                self.tally.count("death: power lost");
                self.disk.lose_power();
                self.power_lost = true;
            }
        }
        self.trace.tell("dead", format_args!("power lost: {}", self.power_lost));
        let wait_us = self.random.between(1_000, 3_000_000);
        self.after(wait_us, Event::Start);
    }

    /// Something goes wrong.
    pub(crate) fn fault(&mut self) -> Held {
        if self.closing {
            return Ok(());
        }
        self.plan_fault();
        if self.server.is_none() {
            return Ok(());
        }
        let faults = self.plan.faults;
        match self.random.below(9) {
            0 | 1 if faults.kills => self.doom(Death::Kill),
            2 | 3 if faults.power => self.doom(Death::Power),
            4 if faults.calls => {
                let trouble = [
                    Trouble::Sync,
                    Trouble::SyncHalf,
                    Trouble::Write,
                    Trouble::ShortWrite,
                    Trouble::Name,
                ][self.random.place(5)];
                let calls = self.random.between(1, 12) as u32;
                self.disk.trouble(Some((trouble, calls)));
                Ok(())
            }
            5 if faults.full => {
                self.disk.medium().full = true;
                self.tally.count("disk: full for a while");
                self.trace.tell("full", format_args!("no space"));
                let wait_us = self.random.between(50_000, 4_000_000);
                self.after(wait_us, Event::Relief);
                Ok(())
            }
            6 if faults.rot => {
                self.rot_due = true;
                self.doom(Death::Power)
            }
            7 if faults.clock => self.disturb_clock(),
            8 if faults.stops => self.stop_in_order(),
            _ => Ok(()),
        }
    }

    /// The process dies, now or in the middle of some call to come.
    fn doom(&mut self, death: Death) -> Held {
        self.death = Some(death);
        self.trace.tell("doom", format_args!("{death:?}"));
        if self.random.percent(20) {
            self.tally.count("death: between two steps");
            self.die();
        } else {
            self.tally.count("death: in the middle of a call");
            let calls = self.random.between(1, 40) as u32;
            self.disk.die_in(Some(calls));
        }
        Ok(())
    }

    fn disturb_clock(&mut self) -> Held {
        const SECOND_MS: i64 = 1_000;
        let by_ms = self.random.between(1, 5_000) as i64;
        match self.random.below(6) {
            0 => {
                self.tally.count("clock: set forward");
                self.wall_off_ms += by_ms * 100;
            }
            1 => {
                self.tally.count("clock: set back");
                self.wall_off_ms -= by_ms * 100;
            }
            2 => {
                self.tally.count("clock: set back by an hour");
                self.wall_off_ms -= 3_600 * SECOND_MS;
            }
            3 => {
                self.tally.count("clock: set forward by eight days");
                self.wall_off_ms += 8 * 86_400 * SECOND_MS;
            }
            4 => {
                self.tally.count("clock: right again");
                self.wall_off_ms = 0;
            }
            _ => {
                self.tally.count("clock: stood still");
                let still_us = self.random.between(1_000, 3_000_000);
                let before_us = self.still_until_us.max(self.now_us);
                self.still_until_us = before_us + still_us;
                self.stood_still_us += still_us;
            }
        }
        self.trace.tell("clock", format_args!("{} ms off", self.wall_off_ms));
        self.show_time();
        Ok(())
    }

    /// The operator stops the server and starts it again, perhaps with other settings.
    fn stop_in_order(&mut self) -> Held {
        self.tally.count("server: stopped in order");
        if self.stop()? && self.random.percent(50) && !self.plan.plain {
            self.config.rules = settings(&mut self.random);
            self.tally.count("server: settings changed");
        }
        Ok(())
    }

    /// Drains, stops, and compares what a replay makes of what is left. Says whether it came to
    /// that.
    pub(crate) fn stop(&mut self) -> Held<bool> {
        self.trace.tell("stop", format_args!("in order"));
        self.server.as_ref().expect("a server lives").close();
        loop {
            let Some(turned) = self.guard(|server| server.turn())? else { return Ok(false) };
            match turned {
                Ok(Next::Stop) => break,
                Ok(_) => {}
                Err(error) => {
                    self.excuse("a stop can be in order", &error.to_string())?;
                    self.die();
                    return Ok(false);
                }
            }
        }
        let server = self.server.take().expect("a server lives");
        match guarded(|| server.stop())? {
            None => {
                self.die();
                Ok(false)
            }
            Some(Err(error)) => {
                self.excuse("a stop can be in order", &error.to_string())?;
                self.die();
                Ok(false)
            }
            Some(Ok((state, snapshotter))) => {
                self.compare_replays(state)?;
                drop(snapshotter);
                self.disk.bury();
                self.turn_at = None;
                let wait_us = self.random.between(1_000, 2_000_000);
                self.after(wait_us, Event::Start);
                Ok(true)
            }
        }
    }

    /// A start: it works, or there is a reason that it does not, and then the next one does.
    pub(crate) fn start(&mut self) -> Held {
        if self.server.is_some() {
            return Ok(());
        }
        self.restarts_left = match self.restarts_left.checked_sub(1) {
            Some(left) => left,
            None => return violated("a start works in the end", "it was tried too often"),
        };
        self.life += 1;
        (self.boot_us, self.stood_still_us, self.still_until_us) = (self.now_us, 0, 0);
        self.show_time();
        // What was read from memory may be read from the disk now.
        self.power_lost |= self.disk.revive();
        self.put_back();
        self.take_over()?;
        if std::mem::take(&mut self.rot_due) && self.damage.is_none() {
            let before_sync = self.plan.durability.answers_before_sync();
            self.damage = strike(&self.disk, &mut self.random, before_sync);
            self.trace.tell("rot", format_args!("{:?}", self.damage));
        }
        self.note_what_is_left();
        self.trouble_the_start();
        self.troubles_excused = self.disk.medium().troubles();
        let (data, config, clock) = (self.data.clone(), self.config.clone(), self.clock());
        let meters = self.meters.clone();
        let epoch = self.next_epoch();
        let copied = self.copied_at_the_start();
        let started = guarded(|| Server::start(&data, &config, (clock, epoch), (&meters, copied)))?;
        match started {
            None => {
                self.tally.count("start: died in the middle");
                self.die();
                Ok(())
            }
            Some(Err(error)) => self.start_failed(&error),
            Some(Ok((server, found))) => {
                self.trace.tell("started", format_args!("at {}", found.sequence));
                self.tally.count("start: worked");
                self.tally.add("start: dropped a tail", found.dropped.into());
                self.tally.add("start: from a snapshot", (found.snapshot_sequence > 0).into());
                self.tally.add("start: passed over a snapshot", found.passed_over as u64);
                if found.passed_over > 0 && self.damage.is_none() {
                    return violated("a snapshot that has its name is whole", "it was passed over");
                }
                self.server = Some(server);
                self.config.accept_clock = false;
                // What a start found behind the last frame it has overwritten.
                if self.damage.as_ref().is_some_and(|damage| damage.tail) {
                    self.damage = None;
                    self.tally.count("rot: survived");
                }
                self.mend("rot: survived");
                self.settle_history(found.lost_from, found.sequence)?;
                self.settle_lives()?;
                self.rejoin()?;
                self.turn_after(1);
                let life = self.life;
                self.after(1_000, Event::Spare { life });
                let wait_us = self.random.between(1, self.plan.snapshot_every_us);
                self.after(wait_us, Event::Snapshot { life });
                self.after(1_000_000, Event::Look { life });
                Ok(())
            }
        }
    }

    /// Where a mode that answers before it syncs has lost answers. A start that fails may have
    /// written there already, so what is left is looked at before each.
    fn note_what_is_left(&mut self) {
        if !self.power_lost || !self.plan.durability.answers_before_sync() {
            return;
        }
        let replayed = replay::replay(&self.data, From::NewestSnapshot, None, &mut |_| {});
        if let Ok(replayed) = replayed
            && !replayed.drained
        {
            let next = replayed.state.sequence + 1;
            self.lost_from = Some(self.lost_from.map_or(next, |known| known.min(next)));
        }
    }

    fn trouble_the_start(&mut self) {
        if self.closing {
            return;
        }
        let faults = self.plan.faults;
        if self.random.percent(15) && (faults.kills || faults.power) {
            self.death = Some(if faults.power { Death::Power } else { Death::Kill });
            let calls = self.random.between(1, 90) as u32;
            self.disk.die_in(Some(calls));
        } else if self.random.percent(8) && faults.calls {
            let calls = self.random.between(1, 30) as u32;
            let trouble = [Trouble::Sync, Trouble::SyncHalf, Trouble::Write, Trouble::Name];
            let trouble = trouble[self.random.place(4)];
            self.disk.trouble(Some((trouble, calls)));
        }
    }

    fn start_failed(&mut self, error: &RecoveryError) -> Held {
        self.trace.tell("refused", format_args!("{error}"));
        if let RecoveryError::Clock(_) = error {
            self.tally.count("clock: start refused");
            match self.random.percent(50) {
                true => self.wall_off_ms = 0,
                false => self.config.accept_clock = true,
            }
            // The wall clock alone may not do, where stamps have run ahead with it.
            if self.restarts_left < 150 {
                self.config.accept_clock = true;
            }
        } else if self.damage.is_some() && !self.failed_by_trouble() {
            self.tally.count("start: refused for rot");
            self.mend("rot: detected, start refused, restored from backup");
        } else {
            self.excuse("a start works unless something is wrong", &error.to_string())?;
            self.tally.count("start: failed with the disk");
        }
        self.disk.bury();
        let wait_us = self.random.between(1_000, 1_000_000);
        self.after(wait_us, Event::Start);
        Ok(())
    }

    fn failed_by_trouble(&self) -> bool {
        let medium = self.disk.medium();
        medium.full || medium.troubles() > self.troubles_excused
    }

    fn mend(&mut self, how: &'static str) {
        if let Some(damage) = self.damage.take() {
            damage.mend(&self.disk);
            self.tally.count(how);
            self.trace.tell("mended", format_args!("{}", damage.what));
        }
    }

    /// What a start found is durable; in a mode that answers before it syncs, a power cut may have
    /// taken answers back, and the start says so.
    fn settle_history(&mut self, lost_from: Option<Sequence>, sequence: Sequence) -> Held {
        let lost_from = [lost_from, self.lost_from.take()].into_iter().flatten().min();
        if let Some(lost_from) = lost_from
            && self.power_lost
        {
            self.tally.count("start: answers taken back, as the mode says");
            let at = self.next_moment();
            self.notes.rewind(at, lost_from);
            self.history.rewind(lost_from);
            self.taken_back.push((self.life, lost_from));
        }
        self.power_lost = false;
        self.read_history(self.shown_until(sequence))
    }

    /// Reads what has become durable.
    pub(crate) fn read_on(&mut self) -> Held {
        let settled = self.server.as_ref().map_or(0, Server::settled);
        self.read_history(settled)
    }

    /// Reads the journal on, up to this sequence.
    pub(crate) fn read_history(&mut self, until: Sequence) -> Held {
        let read = self.history.read_on(&self.disk, until);
        read.or_else(|error| violated("a journal that is served can be read", error.to_string()))?;
        match self.history.twice.take() {
            Some(id) => violated("no id is given out twice", format!("{id}, for two events")),
            None => Ok(()),
        }
    }
}
