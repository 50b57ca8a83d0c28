//! The world around the nodes: time, and the order in which everything happens.
//!
//! Owns what all parts of a run share; every choice comes from the run's seed. Never looks into a
//! node to help it. Next: `process`, `faults`.

use super::arbiter::Arbiter;
use super::clients::{Client, Message, Reply};
use super::machine::Machine;
use super::plan::NodesPlan;
use super::truth::Truth;
use super::wire::Wire;
use crate::client::Knowledge;
use crate::plan::START_MS;
use crate::server::meters;
use crate::tally::Tally;
use crate::trace::Trace;
use crate::world::{Held, violated};
use doorbuster::cluster::node::{Name, Node, Nodes};
use doorbuster::cluster::register::{ClusterId, OperationId, Register};
use doorbuster::cluster::role::Seen;
use doorbuster::config::{Config, Sources};
use doorbuster::copies::node::{Input, LinkId};
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::recovery::{self, NewEpoch};
use doorbuster::metrics::Meters;
use doorbuster::shared::feed::Position;
use doorbuster::shared::snapshots::Ask;
use doorbuster_journal::SEGMENT_BYTES_MIN;
use doorbuster_test_support::random::Random;
use doorbuster_witness::{Checked, Notes};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// What happens at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Send {
        client: usize,
    },
    Arrive {
        message: usize,
    },
    Hear {
        reply: usize,
    },
    GiveUp {
        message: usize,
    },
    /// Time passes at a node.
    Tick {
        place: usize,
        life: u64,
    },
    /// A node does what can wait.
    Idle {
        place: usize,
        life: u64,
    },
    /// The writer takes a turn.
    Turn {
        place: usize,
        life: u64,
        at_us: u64,
    },
    /// A node's thread sees that the journal has grown.
    Moved {
        place: usize,
        life: u64,
    },
    /// What a grant leads to.
    Promote {
        place: usize,
        life: u64,
    },
    Spare {
        place: usize,
        life: u64,
    },
    Snapshot {
        place: usize,
        life: u64,
    },
    Feed {
        place: usize,
        life: u64,
    },
    /// A stop waits no longer for another writer.
    GivesUp {
        place: usize,
        life: u64,
    },
    Dialled {
        place: usize,
        life: u64,
        link: LinkId,
        to: usize,
    },
    NotDialled {
        place: usize,
        life: u64,
        link: LinkId,
    },
    /// A piece arrives at an end of a connection.
    Delivered {
        pipe: usize,
        end: usize,
    },
    /// A call arrives at the arbiter.
    Called {
        call: usize,
    },
    /// The caller hears, or has waited long enough.
    Answered {
        call: usize,
    },
    Start {
        place: usize,
    },
    Fault,
    Relief {
        place: usize,
    },
    /// An operator sets the register right.
    SetRight,
}

/// All of a run.
pub(super) struct World {
    pub(super) plan: NodesPlan,
    pub(super) random: Random,
    pub(super) trace: Arc<Trace>,
    pub(super) tally: Tally,
    pub(super) config: Config,
    pub(super) meters: Arc<Meters>,
    pub(super) nodes: Nodes,
    pub(super) names: Vec<Name>,
    pub(super) machines: Vec<Machine>,
    pub(super) wire: Wire,
    pub(super) arbiter: Arbiter,
    pub(super) now_us: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    pub(super) clients: Vec<Client>,
    pub(super) messages: Vec<Message>,
    pub(super) replies: Vec<Option<(usize, Reply)>>,
    pub(super) notes: Notes,
    moment: u64,
    pub(super) knowledge: Knowledge,
    pub(super) truth: Truth,
    /// Who answered in each epoch.
    pub(super) answering: BTreeMap<u32, (usize, u64)>,
    /// What a follower of the feed was told, and where it is.
    pub(super) told: BTreeMap<Sequence, u32>,
    pub(super) feed_after: Position,
    /// The register was restored from an old copy.
    pub(super) went_back: bool,
    /// No new wishes, nothing goes wrong any more.
    pub(super) closing: bool,
    /// Since when all that was asked has come everywhere.
    pub(super) come_us: Option<u64>,
}

impl World {
    pub(super) fn new(plan: NodesPlan, seed: u64, trace: Arc<Trace>) -> Self {
        let mut random = Random::new(seed ^ 0x4E0D_E500);
        let common = &plan.common;
        let mut config = Sources::default().config().expect("the defaults are in bounds");
        config.durability = common.durability;
        config.segment_bytes = SEGMENT_BYTES_MIN;
        config.snapshot_events = common.snapshot_events;
        config.journal_retain_ms = common.retain_ms;
        config.snapshot_keep = common.keep;
        config.ballast_bytes = 64 * 1024;
        config.rules = common.settings.clone();
        config.refusals_full = common.keeps_refusals;
        let list: Vec<_> = (1..=plan.nodes).map(|n| format!("n{n}=h{n}:1")).collect();
        let nodes = Nodes::parse(&list.join(",")).expect("it is a list");
        let names: Vec<_> = nodes.iter().map(|(_, name, _)| name.clone()).collect();
        let machines = (0..plan.nodes).map(|place| {
            let around = (plan.rates[place], common.allocates_ahead);
            Machine::new(place, (&trace, &mut random), around)
        });
        let machines = machines.collect();
        let register = Register {
            cluster: ClusterId([3; 16]),
            journal: String::new(),
            epoch: 1,
            writer: names[0].clone(),
            in_sync: vec![names[0].clone()],
            operation: OperationId { process: 0, number: 0 },
            urls: BTreeMap::new(),
            forced: None,
        };
        Self {
            wire: Wire::new(plan.nodes),
            arbiter: Arbiter::new(register, plan.nodes),
            clients: (0..common.clients).map(|_| Client::default()).collect(),
            knowledge: Knowledge::new(common.reason_bytes_max),
            plan,
            random,
            trace,
            tally: Tally::default(),
            config,
            meters: meters(),
            nodes,
            names,
            machines,
            now_us: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            messages: Vec::new(),
            replies: Vec::new(),
            notes: Notes::default(),
            moment: 0,
            truth: Truth::new(),
            answering: BTreeMap::new(),
            told: BTreeMap::new(),
            feed_after: Position { epoch: None, sequence: 0 },
            went_back: false,
            closing: false,
            come_us: None,
        }
    }

    pub(super) fn node_at(&self, place: usize) -> Node {
        Node::at(place).expect("there are few nodes")
    }

    pub(super) fn after(&mut self, wait_us: u64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((self.now_us + wait_us, self.scheduled, event)));
    }

    pub(super) fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// Everything, from the first start to the witness.
    pub(super) fn run(&mut self) -> Held<Checked> {
        self.trace.tell("plan", format_args!("{:?}", self.plan));
        self.make_the_shop()?;
        let plain = self.plan.common.plain;
        let wishes = self.knowledge.opening(&mut self.random, plain, START_MS);
        self.clients[0].wants = wishes.into();
        for place in 0..self.machines.len() {
            let wait_us = self.random.below(200_000);
            self.after(wait_us, Event::Start { place });
        }
        for client in 0..self.clients.len() {
            let wait_us = self.random.below(400_000);
            self.after(wait_us, Event::Send { client });
        }
        self.plan_fault();
        self.drive()?;
        self.conclude()
    }

    /// A server that was alone until now becomes the first node.
    fn make_the_shop(&mut self) -> Held {
        let machine = &mut self.machines[0];
        machine.show_time(0);
        let around = (machine.clock(), NewEpoch::Next);
        let rules = &self.config.rules;
        let made = recovery::recover_in(&machine.data, rules, &self.config, around, &mut |_| {});
        let made = made.or_else(|error| violated("a server starts", error.to_string()))?;
        self.arbiter.register.register.journal = made.journal.id().to_string();
        let closed = made.journal.close();
        closed.or_else(|error| violated("a server stops", error.to_string()))?;
        machine.seen = Some(Seen { epoch: 1, version: 1, began_empty: false });
        machine.disk.bury();
        Ok(())
    }

    fn drive(&mut self) -> Held {
        while let Some(Reverse((at_us, _, event))) = self.events.pop() {
            self.now_us = at_us;
            self.trace.at(at_us);
            if !self.closing && self.now_us >= self.plan.common.duration_us {
                self.heal();
            }
            if self.now_us > self.plan.common.duration_us + 120_000_000 {
                return violated("everybody is answered in the end", self.who_waits());
            }
            if let Some(until_us) = self.stands_still(event) {
                self.after(until_us - self.now_us, event);
                continue;
            }
            self.step(event)?;
            self.check()?;
            if self.closing && self.is_quiet() {
                return Ok(());
            }
        }
        violated("everybody is answered in the end", "nothing happens any more")
    }

    /// Until when the node of an event does nothing.
    fn stands_still(&self, event: Event) -> Option<u64> {
        let place = match event {
            Event::Tick { place, .. }
            | Event::Idle { place, .. }
            | Event::Turn { place, .. }
            | Event::Moved { place, .. }
            | Event::Promote { place, .. }
            | Event::Spare { place, .. }
            | Event::Snapshot { place, .. }
            | Event::Feed { place, .. }
            | Event::GivesUp { place, .. }
            | Event::NotDialled { place, .. } => place,
            Event::Dialled { to, .. } => to,
            Event::Delivered { pipe, end } => self.wire.receiver(pipe, end),
            Event::Answered { call } => self.arbiter.caller(call),
            Event::Arrive { message } => self.place_of(message),
            _ => return None,
        };
        Some(self.machines[place].still_until_us).filter(|until_us| *until_us > self.now_us)
    }

    fn step(&mut self, event: Event) -> Held {
        match event {
            Event::Send { client } => self.send(client),
            Event::Arrive { message } => self.arrive(message),
            Event::Hear { reply } => {
                self.hear(reply);
                Ok(())
            }
            Event::GiveUp { message } => {
                self.give_up(message);
                Ok(())
            }
            Event::Dialled { place, life, link, to } => self.dialled((place, life, link), to),
            Event::Delivered { pipe, end } => self.delivered(pipe, end),
            Event::Called { call } => {
                self.called(call);
                Ok(())
            }
            Event::Answered { call } => self.answered(call),
            Event::Start { place } => self.start(place),
            Event::Fault => self.fault(),
            Event::Relief { place } => {
                self.machines[place].disk.medium().full = false;
                Ok(())
            }
            Event::SetRight => {
                self.set_register_right();
                Ok(())
            }
            Event::Tick { place, life }
            | Event::Idle { place, life }
            | Event::Turn { place, life, .. }
            | Event::Moved { place, life }
            | Event::Promote { place, life }
            | Event::Spare { place, life }
            | Event::Snapshot { place, life }
            | Event::Feed { place, life }
            | Event::GivesUp { place, life }
            | Event::NotDialled { place, life, .. } => match self.lives(place, life) {
                true => self.step_of(place, life, event),
                false => Ok(()),
            },
        }
    }

    /// Something happens to a process that lives.
    fn step_of(&mut self, place: usize, life: u64, event: Event) -> Held {
        match event {
            Event::Tick { .. } => {
                let tick_us = self.machines[place].world_us(super::machine::TICK_US);
                self.after(tick_us, Event::Tick { place, life });
                let idle_us = self.random.between(1, tick_us);
                self.after(idle_us, Event::Idle { place, life });
                self.tell_moved(place)?;
                self.tell(place, Input::Tick)?;
                self.answers_leave(place)?;
                self.compare_digest(place)
            }
            Event::Idle { .. } => self.tell(place, Input::Idle),
            Event::Turn { at_us, .. } => {
                let Some(process) = &mut self.machines[place].process else { return Ok(()) };
                if process.turn_at != Some(at_us) {
                    return Ok(());
                }
                process.turn_at = None;
                self.turn(place)
            }
            Event::Moved { .. } => self.tell_moved(place),
            Event::Promote { .. } => self.promote(place),
            Event::Spare { .. } => self.spare(place),
            Event::Snapshot { .. } => {
                let wait_us = self.plan.common.snapshot_every_us;
                self.after(wait_us, Event::Snapshot { place, life });
                self.snapshot(place, Ask::Due)
            }
            Event::Feed { .. } => {
                let wait_us = self.random.between(5_000, 200_000);
                self.after(wait_us, Event::Feed { place, life });
                self.feed(place)
            }
            Event::GivesUp { .. } => {
                self.tally.count("handover: waited for too long");
                self.end(place)
            }
            Event::NotDialled { link, .. } => self.tell(place, Input::Closed { link }),
            _ => Ok(()),
        }
    }

    fn who_waits(&self) -> String {
        let waiting: Vec<_> =
            self.clients.iter().filter_map(|client| client.asked.as_ref()).collect();
        let roles: Vec<_> = self
            .machines
            .iter()
            .map(|machine| {
                let process = machine.process.as_ref()?;
                let state = process.server.as_ref().map(|server| server.state());
                let follower = process.node.replica();
                let state = state.or_else(|| follower.and_then(|follower| follower.state()));
                let (role, cursors) = (process.node.role(), &process.cursors);
                let applied = state.map(|state| state.sequence);
                Some((role, applied, cursors.appended(), cursors.synced(), cursors.copied()))
            })
            .collect();
        let register = &self.arbiter.register;
        format!("{waiting:?}, roles {roles:?}, register {register:?}")
    }
}
