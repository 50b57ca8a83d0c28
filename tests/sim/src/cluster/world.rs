//! Three nodes, their disks, what is on its way between them, and an arbiter: all that the machine
//! does not own, as little as will do.
//!
//! Owns what a step changes. A step is taken by `model` in every order, by `walk` at random. What a
//! machine says is to be done is done at once; when its disk, its peers and the arbiter follow is
//! what the steps say. Next: `judge` for what must hold after each.

use super::log::{ENTRIES_MAX, Log};
use super::mistake::{Around, Mistake, MistakenMachine};
use super::violation::Violation;
use doorbuster::cluster::node::{Node, NodeSet};
use doorbuster::cluster::register::{Epoch, Held, Membership, OperationId};
use doorbuster::cluster::role::{
    EndReason, Found, NodeRole, RoleAction, RoleEvent, RoleMachine, RoleSettings, Seen, Timing,
};

/// Nodes of the model.
pub(super) const NODES: usize = 3;

/// What is the same in every state.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// How long the machine waits.
    pub(super) timing: Timing,
    /// How many disks an answer waits for.
    pub(super) copies: usize,
    /// A rule that is broken.
    pub(super) mistake: Option<Mistake>,
    /// The rate of each node's clock, in hundredths.
    pub(super) rates: [u64; NODES],
    /// Frames tell copies what is settled; where they do not, copies know nothing of it.
    pub(super) told: bool,
}

/// Something happens. Nodes are named by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Time passes everywhere, in milliseconds.
    Pass(u64),
    /// A client's record is appended.
    Append(usize),
    /// The writer's disk has synced what is appended.
    Sync(usize),
    /// A copy connects to a node that writes, and is compared with it.
    Connect { copy: usize, writer: usize },
    /// A copy stores and syncs so many of the next records, as far as there are any, and what was
    /// sent at this moment of the writer's clock, in milliseconds before now.
    Receive { copy: usize, records: usize, ago_ms: u64 },
    /// What a copy has acknowledged last arrives.
    Deliver(usize),
    /// What a copy acknowledged before it left its writer arrives after all.
    DeliverLate(usize),
    /// A copy notices that its connection is closed.
    Closed(usize),
    /// A writer notices that a copy's connection is closed.
    Left { writer: usize, copy: usize },
    /// A node begins to read the register.
    Ask(usize),
    /// A node hears what it has read: now, or when it asked.
    Read(usize),
    /// The arbiter takes up a node's swap.
    Swap(usize, Fate),
    /// A swap whose sender has given it up is taken up after all.
    Late(usize),
    /// A process ends and starts again; of what is not synced so many records are there.
    Restart { node: usize, kept: usize },
    /// The same with an empty disk.
    Wipe(usize),
    /// An operator wants another node to write.
    HandOver(usize),
    /// A surrender arrives.
    Surrender,
}

/// What becomes of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    /// It is carried out, and the outcome is heard.
    Heard,
    /// It is carried out, and the outcome is not heard. Its sender asks again.
    Unheard,
    /// It is not carried out, and its sender asks again. The first may still be carried out.
    GivenUp,
}

/// An acknowledgement on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Acknowledgement {
    pub(super) writer: usize,
    pub(super) copy: usize,
    pub(super) epoch: Epoch,
    pub(super) end: u64,
    pub(super) sent_ms: u64,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NodeState {
    pub(super) mistaken: MistakenMachine,
    pub(super) log: Log,
    pub(super) synced: u64,
    /// What its own frames vouch for.
    pub(super) watermark: u64,
    pub(super) seen: Option<Seen>,
    /// The writer that it is connected to, by number and epoch.
    pub(super) link: Option<(usize, Epoch)>,
    /// When what it has last received was sent, by that writer's clock.
    pub(super) sent_ms: u64,
    /// What it has told that writer last: it says all that was said before, so only this counts.
    pub(super) said: Option<Acknowledgement>,
    /// The copies that are connected to it, as it knows.
    pub(super) connected: NodeSet,
    /// A swap on its way to the arbiter.
    pub(super) swap: Option<Proposed>,
    /// What was read of the register and not heard yet.
    pub(super) reading: Option<Held>,
    pub(super) starts: u64,
    /// It has not read the register since it started.
    pub(super) is_starting: bool,
    /// Its disk is a new one, and the register may count the one before.
    pub(super) is_wiped: bool,
}

/// A change of the register on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proposed {
    pub(super) version: u64,
    pub(super) membership: Membership,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) time_ms: u64,
    pub(super) register: Held,
    pub(super) nodes: [NodeState; NODES],
    /// Acknowledgements of copies that have left since, on their way.
    pub(super) late_acknowledgements: Vec<Acknowledgement>,
    /// Swaps that nobody waits for, and that may still be carried out.
    pub(super) late: Vec<Proposed>,
    pub(super) surrender: Option<(usize, Epoch)>,
    /// What was answered, or shown as settled.
    pub(super) answered: Log,
    /// What went wrong.
    pub(super) violation: Option<Violation>,
}

pub(super) fn node(place: usize) -> Node {
    Node::at(place).expect("there are three")
}

impl NodeState {
    pub(super) fn machine(&self) -> &RoleMachine {
        self.mistaken.machine()
    }

    /// It writes: is elected, or serves.
    pub(super) fn writes(&self) -> bool {
        matches!(self.machine().role(), NodeRole::Elected | NodeRole::Writing)
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.machine().role(), NodeRole::Ended(_))
    }
}

impl World {
    /// A cluster that was just made: the first node has one record of epoch 1, and the register
    /// counts it alone.
    fn new(rules: &Rules) -> Self {
        let operation = OperationId { process: 0, number: 0 };
        let in_sync = NodeSet::of(node(0));
        let membership = Membership { epoch: 1, writer: node(0), in_sync, operation };
        let mut first = Log::default();
        first.push(1, 0);
        let start = |own: usize| {
            let log = if own == 0 { first } else { Log::default() };
            let seen = Seen { epoch: 0, version: 0, began_empty: false };
            let found = Found { log_epoch: log.epoch(), seen: Some(seen) };
            NodeState {
                mistaken: MistakenMachine::start(
                    rules.mistake,
                    settings(rules, own, 1),
                    found,
                    START_MS,
                ),
                log,
                synced: log.end(),
                watermark: 0,
                seen: found.seen,
                link: None,
                sent_ms: 0,
                said: None,
                connected: NodeSet::default(),
                swap: None,
                reading: None,
                starts: 1,
                is_starting: true,
                is_wiped: false,
            }
        };
        Self {
            time_ms: START_MS,
            register: Held { version: 1, membership },
            nodes: [start(0), start(1), start(2)],
            late_acknowledgements: Vec::new(),
            late: Vec::new(),
            surrender: None,
            answered: first,
            violation: None,
        }
    }

    /// A cluster in which the first node writes and those of a set are in sync, brought about by the
    /// same steps as everything else.
    ///
    /// # Panics
    /// When that does not come about.
    pub(super) fn settled(rules: &Rules, in_sync: &[usize]) -> Self {
        let mut world = Self::new(rules);
        world.hasten(rules);
        let mut take = |step| assert!(world.take(rules, step), "{step:?}");
        take(Step::Swap(0, Fate::Heard));
        take(Step::Sync(0));
        for &copy in in_sync.iter().filter(|copy| **copy != 0) {
            take(Step::Connect { copy, writer: 0 });
            take(Step::Receive { copy, records: ENTRIES_MAX, ago_ms: 0 });
            take(Step::Deliver(copy));
            take(Step::Swap(0, Fate::Heard));
        }
        let wanted = in_sync.iter().map(|place| node(*place)).collect();
        assert_eq!(world.register.membership.in_sync, wanted, "they are in sync");
        world
    }

    pub(super) fn clock_ms(&self, rules: &Rules, place: usize) -> u64 {
        self.time_ms * rules.rates[place] / 100
    }

    /// Takes a step; false where it cannot be taken. What it leads to is judged.
    pub(super) fn take(&mut self, rules: &Rules, step: Step) -> bool {
        let taken = self.carry_out(rules, step);
        if taken {
            let in_sync = self.register.membership.in_sync;
            for (place, own) in self.nodes.iter_mut().enumerate() {
                own.is_wiped &= in_sync.has(node(place)) || own.machine().seen().began_empty;
            }
            self.judge_settled();
            self.judge_standing(rules);
        }
        taken
    }

    fn carry_out(&mut self, rules: &Rules, step: Step) -> bool {
        match step {
            Step::Pass(ms) => self.time_ms += ms,
            Step::Append(place) => return self.append(rules, place),
            Step::Sync(place) => return self.sync(rules, place),
            Step::Connect { copy, writer } => return self.connect(rules, copy, writer),
            Step::Receive { copy, records, ago_ms } => {
                return self.receive(rules, copy, records, ago_ms);
            }
            Step::Deliver(copy) => {
                let Some(said) = self.nodes[copy].said else { return false };
                self.deliver(rules, said);
            }
            Step::DeliverLate(number) => {
                if number >= self.late_acknowledgements.len() {
                    return false;
                }
                let said = self.late_acknowledgements.remove(number);
                self.deliver(rules, said);
            }
            Step::Closed(copy) => {
                if self.nodes[copy].machine().role() != NodeRole::Following {
                    return false;
                }
                self.unlink(copy, false);
                self.tell(rules, copy, RoleEvent::Closed);
            }
            Step::Left { writer, copy } => return self.left(rules, writer, copy),
            Step::Ask(place) => {
                let asks = !self.nodes[place].writes() && self.nodes[place].swap.is_none();
                if !asks || self.nodes[place].reading.is_some() {
                    return false;
                }
                self.nodes[place].reading = Some(self.register);
            }
            Step::Read(place) => return self.read(rules, place),
            Step::Swap(place, fate) => return self.swap(rules, place, fate),
            Step::Late(number) => {
                if number >= self.late.len() {
                    return false;
                }
                let proposed = self.late.remove(number);
                self.arbitrate(proposed);
            }
            Step::Restart { node, kept } => return self.restart(rules, node, kept),
            Step::Wipe(place) => return self.wipe(rules, place),
            Step::HandOver(place) => {
                if self.nodes[place].machine().role() != NodeRole::Writing {
                    return false;
                }
                self.tell(rules, place, RoleEvent::HandOver);
            }
            Step::Surrender => {
                let Some((to, epoch)) = self.surrender.take() else { return false };
                self.tell(rules, to, RoleEvent::Surrendered(epoch));
            }
        }
        true
    }

    /// Tells a machine, and does what it says.
    pub(super) fn tell(&mut self, rules: &Rules, place: usize, event: RoleEvent) {
        let now_ms = self.clock_ms(rules, place);
        let around = Around {
            own: node(place),
            nodes: NODES,
            silence_ms: rules.timing.silence_ms,
            lease_ms: rules.timing.lease_ms,
        };
        let mistaken = &mut self.nodes[place].mistaken;
        let actions = mistaken.handle(rules.mistake, &around, now_ms, event);
        for action in actions {
            self.perform(rules, place, event, action);
        }
    }

    fn perform(&mut self, rules: &Rules, place: usize, event: RoleEvent, action: RoleAction) {
        match action {
            // Reads and connections come at any time.
            RoleAction::Read | RoleAction::Connect(_) | RoleAction::Refuse(_) => {}
            RoleAction::StayWriter => {}
            RoleAction::Swap { version, proposal } => {
                self.nodes[place].swap = Some(Proposed { version, membership: proposal });
            }
            RoleAction::Follow { epoch, cut_to } => {
                let RoleEvent::Met(met) = event else { return };
                self.follow(rules, place, met.writer.place(), epoch, cut_to);
            }
            RoleAction::Acknowledge { epoch, end, sent_ms } => {
                let Some((writer, _)) = self.nodes[place].link else { return };
                let copy = place;
                let said = Acknowledgement { writer, copy, epoch, end, sent_ms };
                self.nodes[place].said = Some(said);
            }
            RoleAction::Disconnect(copy) => {
                let connected = &mut self.nodes[place].connected;
                *connected = connected.without(NodeSet::of(copy));
                self.close(rules, place, copy.place());
            }
            RoleAction::Begin(epoch) => self.begin(rules, place, epoch),
            RoleAction::Keep(seen) => self.nodes[place].seen = Some(seen),
            RoleAction::Surrender { to, epoch } => self.surrender = Some((to.place(), epoch)),
            RoleAction::End(reason @ (EndReason::RegisterForgot | EndReason::ForeignHistory)) => {
                self.violation = Some(Violation::Ended(reason));
            }
            RoleAction::End(_) => {
                self.nodes[place].swap = None;
                self.disconnect(rules, place);
            }
        }
    }

    fn append(&mut self, rules: &Rules, place: usize) -> bool {
        let own = &mut self.nodes[place];
        if own.machine().role() != NodeRole::Writing || own.log.is_full() {
            return false;
        }
        let epoch = own.machine().epoch().unwrap_or(0);
        own.log.push(epoch, place);
        if rules.told {
            own.watermark = own.watermark.max(own.machine().settled());
        }
        let end = own.log.end();
        self.tell(rules, place, RoleEvent::Appended(end));
        true
    }

    fn sync(&mut self, rules: &Rules, place: usize) -> bool {
        let own = &mut self.nodes[place];
        if !own.writes() || own.synced >= own.log.end() {
            return false;
        }
        own.synced = own.log.end();
        let end = own.synced;
        self.tell(rules, place, RoleEvent::Synced(end));
        true
    }
}

/// The clocks begin here, so that what is long ago is not before everything.
const START_MS: u64 = 10_000;

pub(super) fn settings(rules: &Rules, own: usize, starts: u64) -> RoleSettings {
    RoleSettings {
        own: node(own),
        nodes: NODES,
        copies: rules.copies,
        timing: rules.timing,
        process: own as u64 + starts * NODES as u64,
    }
}
