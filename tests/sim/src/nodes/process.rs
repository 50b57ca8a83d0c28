//! What a node says, done; the start of its process, and its end.
//!
//! Owns the order: what an output asks for is done before the next input is taken, as the server's
//! own thread does it. Never decides what befalls a process: that is `faults`. Next: `writing`.

use super::arbiter::Call;
use super::beside::Beside;
use super::machine::{Process, TICK_US};
use super::world::{Event, World};
use crate::fate::guarded;
use crate::world::{Death, Held, violated};
use doorbuster::cluster::role::{EndReason, Timing};
use doorbuster::codec;
use doorbuster::copies::node::{ClusterNode, Input, NodeSettings, Output};
use doorbuster::engine::follower::{Follower, FollowerOptions, SpareSource};
use doorbuster::engine::recovery::RecoveryError;
use doorbuster::ring::{CopyProgress, Cursors};
use std::collections::VecDeque;
use std::sync::Arc;

const SET_ASIDE_BYTES_MAX: u64 = 1 << 30;

impl World {
    pub(super) fn lives(&self, place: usize, life: u64) -> bool {
        self.machines[place].life == life && self.machines[place].process.is_some()
    }

    /// Tells a node what happened, and does what it says.
    pub(super) fn tell(&mut self, place: usize, input: Input<'_>) -> Held {
        let now_us = self.now_us;
        let machine = &mut self.machines[place];
        machine.show_time(now_us);
        let (now_ms, wall_ms) = (machine.now_ms(now_us), machine.wall_ms(now_us));
        let Some(process) = &mut machine.process else { return Ok(()) };
        let mut outputs = Vec::new();
        let life = machine.life;
        let taken = guarded(|| process.node.handle(now_ms, wall_ms, input, &mut outputs))?;
        // Who is killed in the middle has said nothing of it.
        let Some(taken) = taken else { return self.die(place) };
        for output in outputs {
            if !self.lives(place, life) {
                return Ok(());
            }
            if let Some(left) = &mut self.machines[place].outputs_left {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.tally.count("death: between two outputs");
                    return self.die(place);
                }
            }
            self.carry_out(place, output)?;
        }
        match taken {
            Err(error) if self.lives(place, life) => {
                self.trace.tell("failed", format_args!("{place}: {error}"));
                self.tally.count("node: cannot go on");
                self.excuse(place, "a node can go on", &error.to_string())?;
                self.die(place)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn excuse(&self, place: usize, rule: &'static str, detail: &str) -> Held {
        match self.machines[place].is_excused() {
            true => Ok(()),
            false => violated(rule, format!("node {place}: {detail}")),
        }
    }

    fn carry_out(&mut self, place: usize, output: Output) -> Held {
        match output {
            Output::Connect { link, node } => self.dial(place, link, node.place()),
            Output::Send { link, bytes } => self.send_bytes(place, link, bytes),
            Output::Close { link, reason } => {
                self.trace.tell("close", format_args!("{place}, link {link:x}: {reason}"));
                self.close_link(place, link);
            }
            Output::ReadRegister => self.want_call(place, Call::Read),
            Output::SwapRegister { version, proposal, operation } => {
                self.want_call(place, Call::Swap(version, Box::new(proposal), operation));
            }
            Output::Keep(seen) => self.machines[place].seen = Some(seen),
            Output::Publish { copied, good_until_ms } => {
                let Some(process) = &mut self.machines[place].process else { return Ok(()) };
                process.good_until_ms = good_until_ms;
                match &process.server {
                    Some(server) => server.publish_lease(copied, good_until_ms),
                    None => process.progress.publish_with_lease(copied, good_until_ms),
                }
                return self.answers_leave(place);
            }
            Output::Standing(standing) => {
                let writer = standing.writer.as_ref().and_then(|writer| writer.url.as_ref());
                let writer = writer.and_then(|url| url.parse().ok());
                if let Some(process) = &mut self.machines[place].process {
                    process.writer = writer;
                }
                self.trace.tell(
                    "standing",
                    format_args!(
                        "{place}: {:?} epoch {} in sync {:?}",
                        standing.role, standing.epoch, standing.in_sync
                    ),
                );
            }
            Output::Promote { epoch, lost_from } => return self.granted(place, epoch, lost_from),
            Output::StayWriter { reason } => {
                self.trace.tell("stays", format_args!("{place}: {reason}"));
                self.tally.count("handover: to nobody");
                if self.machines[place].process.as_ref().is_some_and(|p| p.hands_over) {
                    return self.end(place);
                }
            }
            Output::HandedOver { to } => {
                self.tally.count("handover: done");
                self.trace.tell("handed", format_args!("{place} to {}", to.place()));
            }
            Output::CompareImage { sequence, digest } => {
                if let Some(process) = &mut self.machines[place].process {
                    process.wanted = Some((sequence, digest));
                }
            }
            Output::Warn(text) => self.trace.tell("warn", format_args!("{place}: {text}")),
            Output::End(reason) => return self.ended(place, reason),
        }
        Ok(())
    }

    /// The register has made it the writer: at once, or when its thread has time.
    fn granted(&mut self, place: usize, epoch: u32, lost_from: Option<u64>) -> Held {
        self.tally.count("node: granted to write");
        self.trace.tell("granted", format_args!("{place}: epoch {epoch}"));
        if lost_from.is_some() {
            return violated(
                "nothing is lost where copies are waited for",
                format!("{lost_from:?}"),
            );
        }
        let Some(process) = &mut self.machines[place].process else { return Ok(()) };
        process.promoting = process.node.take_replica();
        process.epoch = epoch;
        let life = self.machines[place].life;
        let wait_us = if self.random.percent(50) { 0 } else { self.random.below(40_000) };
        self.after(wait_us, Event::Promote { place, life });
        Ok(())
    }

    fn ended(&mut self, place: usize, reason: EndReason) -> Held {
        self.trace.tell("ended", format_args!("{place}: {reason:?}"));
        let name = match reason {
            EndReason::Deposed => "node: deposed",
            EndReason::Surrendered => "node: surrendered",
            EndReason::RegisterForgot => "node: refuses a register from the past",
            EndReason::ForeignHistory => {
                return violated("all nodes have one history", format!("node {place}"));
            }
        };
        self.tally.count(name);
        if reason == EndReason::RegisterForgot && !self.went_back {
            let seen = self.machines[place].seen;
            return violated("a register goes back only by hand", format!("{place}: {seen:?}"));
        }
        self.end(place)
    }

    /// The process ends by itself; who waits hears that the outcome is unknown.
    pub(super) fn end(&mut self, place: usize) -> Held {
        let process = self.machines[place].process.as_mut();
        let came = process.and_then(|process| process.server.as_mut()).map(|s| s.sound_alarm());
        self.let_go(place, came.unwrap_or_default())?;
        self.machines[place].death = None;
        self.die(place)
    }

    /// The process is gone, and power with it, if that was its fate.
    pub(super) fn die(&mut self, place: usize) -> Held {
        let machine = &mut self.machines[place];
        machine.disk.bury();
        let is_power = machine.death.take() == Some(Death::Power);
        machine.process = None;
        machine.outputs_left = None;
        machine.still_until_us = 0;
        if is_power {
            self.tally.count("death: power lost");
            machine.disk.lose_power();
        } else {
            self.tally.count("death: process ended");
        }
        self.trace.tell("dead", format_args!("{place}, power lost: {is_power}"));
        let is_told = !is_power || self.random.percent(20);
        self.drop_links(place, is_told);
        let wait_us = match self.random.percent(60) {
            true => self.random.between(1_000, 800_000),
            false => self.random.between(800_000, 5_000_000),
        };
        self.after(wait_us, Event::Start { place });
        Ok(())
    }

    /// A process starts: it follows, whatever it was before.
    pub(super) fn start(&mut self, place: usize) -> Held {
        let machine = &mut self.machines[place];
        if machine.process.is_some() {
            return Ok(());
        }
        match machine.starts_left.checked_sub(1) {
            Some(left) => machine.starts_left = left,
            None => return violated("a start works in the end", format!("node {place}")),
        }
        machine.life += 1;
        machine.boot_us = self.now_us;
        machine.compared = 0;
        machine.show_time(self.now_us);
        machine.disk.revive();
        machine.troubles_excused = machine.disk.medium().troubles();
        self.trouble_the_start(place);
        self.refuse_old_links(place);
        let machine = &mut self.machines[place];
        let (clock, cursors) = (machine.clock(), Arc::new(Cursors::default()));
        let beside = Beside::default();
        let background = beside.background(&machine.data, &self.config, (&cursors, clock));
        let options = FollowerOptions {
            segment_bytes: self.config.segment_bytes,
            set_aside_bytes_max: SET_ASIDE_BYTES_MAX,
            spares: SpareSource::InPlace,
            cursors: cursors.clone(),
            background: Box::new(background),
        };
        let data = machine.data.clone();
        let opened = guarded(|| Follower::open(data, options, &mut |_| {}))?;
        let follower = match opened {
            None => {
                self.tally.count("start: died in the middle");
                return self.die(place);
            }
            Some(Err(error)) => return self.start_failed(place, &error),
            Some(Ok(follower)) => follower,
        };
        self.tally.count("start: worked");
        self.trace.tell("started", format_args!("{place}: {}", follower.end()));
        let progress = CopyProgress::of(cursors.clone());
        // Nothing is shown before a writer's start is settled on all that count.
        progress.publish_with_lease(follower.settled(), 0);
        let settings = self.settings(place);
        let machine = &mut self.machines[place];
        let now_ms = machine.now_ms(self.now_us);
        let node =
            ClusterNode::start(settings, machine.data.clone(), follower, machine.seen, now_ms);
        machine.process = Some(Process {
            node,
            cursors,
            progress,
            beside,
            promoting: None,
            server: None,
            turn_at: None,
            told: None,
            accepted: 0,
            calls: VecDeque::new(),
            epoch: 0,
            good_until_ms: 0,
            writer: None,
            wanted: None,
            hands_over: false,
        });
        let life = machine.life;
        let tick_us = machine.world_us(TICK_US);
        self.after(tick_us, Event::Tick { place, life });
        let wait_us = self.random.between(1, self.plan.common.snapshot_every_us);
        self.after(wait_us, Event::Snapshot { place, life });
        Ok(())
    }

    fn settings(&mut self, place: usize) -> NodeSettings {
        NodeSettings {
            cluster: self.arbiter.register.register.cluster,
            nodes: self.nodes.clone(),
            own: self.node_at(place),
            name: self.names[place].clone(),
            is_sync: true,
            copies: self.plan.copies,
            timing: Timing::default(),
            beat_ms: 100,
            hello_ms: 3_000,
            bootstrap_bytes_per_s: 64_000_000,
            clock_skew_ms_max: 5_000,
            process: self.random.next(),
            record_version: codec::RECORD_VERSION,
            product: "1".to_owned(),
            machine: format!("machine {place}"),
            caps: Vec::new(),
            url: Some(place.to_string()),
        }
    }

    pub(super) fn start_failed(&mut self, place: usize, error: &RecoveryError) -> Held {
        self.trace.tell("refused", format_args!("{place}: {error}"));
        if let RecoveryError::Clock(_) = error {
            self.tally.count("clock: start refused");
            self.machines[place].wall_off_ms = 0;
        } else {
            self.excuse(place, "a start works unless something is wrong", &error.to_string())?;
            self.tally.count("start: failed with the disk");
        }
        self.machines[place].death = None;
        self.die(place)
    }
}
