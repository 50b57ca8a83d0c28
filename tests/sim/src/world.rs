//! The world around a server: time, the network, clients, and all that goes wrong.
//!
//! Owns the order in which everything happens; every choice comes from the run's seed. The steps
//! themselves are in `steps`, deaths and starts in `fate`. Never looks into a server to help it.
//! Next: `steps`, `fate`.

use crate::client::Knowledge;
use crate::damage::Damage;
use crate::disk::SimDisk;
use crate::disk::lying::Lie;
use crate::history::History;
use crate::plan::{Plan, START_MS};
use crate::replica::Replica;
use crate::server::{Server, SimData, meters};
use crate::stored_copy::Copy;
use crate::tally::Tally;
use crate::trace::Trace;
use doorbuster::config::{Config, Sources};
use doorbuster::domain::model::command::Request;
use doorbuster::domain::model::ids::{Sequence, Stamp};
use doorbuster::metrics::Meters;
use doorbuster::ring::Outcome;
use doorbuster::shared::clock::{Clock, SetClock};
use doorbuster_journal::SEGMENT_BYTES_MIN;
use doorbuster_test_support::random::Random;
use doorbuster_witness::{Checked, Names, Notes};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

/// What a run found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What should be true.
    pub rule: &'static str,
    /// What is.
    pub detail: String,
}

pub(crate) type Held<T = ()> = Result<T, Violation>;

pub(crate) fn violated<T>(rule: &'static str, detail: impl Into<String>) -> Held<T> {
    Err(Violation { rule, detail: detail.into() })
}

/// What happens at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A client sends what it wants, for the first time or again.
    Send { client: usize },
    /// A message reaches the server.
    Arrive { message: usize },
    /// An answer reaches its client.
    Hear { answer: usize },
    /// A client has waited long enough.
    GiveUp { message: usize },
    /// The writer takes a turn.
    Turn { life: u64, at_us: u64 },
    /// The next segment is made.
    Spare { life: u64 },
    /// It is time for a snapshot.
    Snapshot { life: u64 },
    /// Is everything as it should be?
    Look { life: u64 },
    /// Something goes wrong.
    Fault,
    /// The disk has room again.
    Relief,
    /// A server starts.
    Start,
    /// A copy of the directory is taken, or put back.
    Copy,
    /// Something happens on the way to the other machine.
    Ship,
    /// This machine is lost; the other one writes on.
    TakeOver,
}

/// Somebody who asks one thing after the other.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) wants: VecDeque<Arc<Request>>,
    pub(crate) asked: Option<Arc<Request>>,
    pub(crate) attempts: u32,
    /// The message it waits for.
    pub(crate) waits_for: Option<usize>,
}

/// One attempt under way.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) client: usize,
    pub(crate) attempt: usize,
    pub(crate) request: Arc<Request>,
    pub(crate) heard: bool,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    Kill,
    Power,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) trace: Arc<Trace>,
    pub(crate) tally: Tally,
    pub(crate) disk: SimDisk,
    pub(crate) data: SimData,
    pub(crate) config: Config,
    pub(crate) meters: Arc<Meters>,
    set_clock: &'static SetClock,
    pub(crate) now_us: u64,
    /// When the process started.
    pub(crate) boot_us: u64,
    /// How long time stood still since then.
    pub(crate) stood_still_us: u64,
    pub(crate) still_until_us: u64,
    /// How far the wall clock is off.
    pub(crate) wall_off_ms: i64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    pub(crate) server: Option<Server>,
    pub(crate) life: u64,
    pub(crate) turn_at: Option<u64>,
    pub(crate) death: Option<Death>,
    pub(crate) power_lost: bool,
    /// From here on answers were lost before the starts that followed.
    pub(crate) lost_from: Option<Sequence>,
    pub(crate) rot_due: bool,
    /// Chance of its own: a run without copies does the same with and without them.
    pub(crate) copying: Random,
    pub(crate) copy: Option<Copy>,
    pub(crate) put_back_due: bool,
    /// A copy was put back, and no server has started since.
    pub(crate) restored: bool,
    pub(crate) replica: Option<Replica>,
    pub(crate) damage: Option<Damage>,
    pub(crate) restarts_left: u32,
    /// When a step of the server was last taken, by its clock.
    pub(crate) turned_at_us: u64,
    /// Troubles of the disk that were over when the server started.
    pub(crate) troubles_excused: u64,
    pub(crate) clients: Vec<Client>,
    pub(crate) messages: Vec<Message>,
    /// Answers on their way: to which message, from which life.
    pub(crate) answers: Vec<Option<(usize, Outcome, Stamp, u64)>>,
    /// Lives whose last answers power took back, as the mode says, or an operator who put a copy
    /// back; and from which sequence on.
    pub(crate) taken_back: Vec<(u64, Sequence)>,
    pub(crate) notes: Notes,
    pub(crate) moment: u64,
    pub(crate) knowledge: Knowledge,
    /// Ids of orders as clients hold them.
    pub(crate) names: Names,
    pub(crate) history: History,
    /// No new wishes, nothing goes wrong any more.
    pub(crate) closing: bool,
}

thread_local! {
    static CLOCK: &'static SetClock = Box::leak(Box::default());
}

impl World {
    pub(crate) fn new(plan: Plan, seed: u64, lie: Option<Lie>, trace: Arc<Trace>) -> Self {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(random.fork(1), trace.clone(), plan.allocates_ahead);
        let data = SimData::new(disk.within("top"), lie, random.fork(2));
        let mut config = Sources::default().config().expect("the defaults are in bounds");
        config.durability = plan.durability;
        config.segment_bytes = SEGMENT_BYTES_MIN;
        config.snapshot_events = plan.snapshot_events;
        config.journal_retain_ms = plan.retain_ms;
        config.snapshot_keep = plan.keep;
        config.ballast_bytes = 64 * 1024;
        config.rules = plan.settings.clone();
        config.refusals_full = plan.keeps_refusals;
        let reason_bytes_max = plan.reason_bytes_max;
        let clients = (0..plan.clients).map(|_| Client::default()).collect();
        Self {
            plan,
            random,
            trace,
            tally: Tally::default(),
            disk,
            data,
            config,
            meters: meters(),
            set_clock: CLOCK.with(|clock| *clock),
            now_us: 0,
            boot_us: 0,
            stood_still_us: 0,
            still_until_us: 0,
            wall_off_ms: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            server: None,
            life: 0,
            turn_at: None,
            death: None,
            power_lost: false,
            lost_from: None,
            rot_due: false,
            copying: Random::new(seed ^ 0xC0_9135),
            copy: None,
            put_back_due: false,
            restored: false,
            replica: None,
            damage: None,
            restarts_left: 200,
            turned_at_us: 0,
            troubles_excused: 0,
            clients,
            messages: Vec::new(),
            answers: Vec::new(),
            taken_back: Vec::new(),
            notes: Notes::default(),
            moment: 0,
            knowledge: Knowledge::new(reason_bytes_max),
            names: Names::default(),
            history: History::default(),
            closing: false,
        }
    }

    /// The clock of the process that runs now.
    pub(crate) fn clock(&self) -> Clock {
        Clock::set_by(self.set_clock)
    }

    /// What has elapsed by the server's clock, in microseconds.
    pub(crate) fn elapsed_us(&self) -> u64 {
        let still_us = self.still_until_us.saturating_sub(self.now_us);
        // While time stands still, the time it will have stood is counted already.
        (self.now_us + still_us).saturating_sub(self.boot_us + self.stood_still_us)
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        (START_MS + self.now_us / 1000).saturating_add_signed(self.wall_off_ms)
    }

    pub(crate) fn show_time(&self) {
        self.trace.at(self.now_us);
        self.set_clock.set(self.elapsed_us(), self.wall_ms());
    }

    pub(crate) fn after(&mut self, wait_us: u64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((self.now_us + wait_us, self.scheduled, event)));
    }

    pub(crate) fn next_moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// Everything, from the first start to the witness.
    pub(crate) fn run(&mut self) -> Held<Checked> {
        self.show_time();
        self.trace.tell("plan", format_args!("{:?}", self.plan));
        let wishes = self.knowledge.opening(&mut self.random, self.plan.plain, START_MS);
        self.clients[0].wants = wishes.into();
        self.after(0, Event::Start);
        for client in 0..self.clients.len() {
            let wait_us = self.random.below(50_000);
            self.after(wait_us, Event::Send { client });
        }
        self.plan_fault();
        self.plan_copy();
        self.plan_shipping();
        self.drive()?;
        self.conclude()
    }

    pub(crate) fn plan_fault(&mut self) {
        if let Some(every_us) = self.plan.fault_every_us {
            let wait_us = self.random.between(every_us / 4, every_us * 7 / 4);
            self.after(wait_us, Event::Fault);
        }
    }

    fn drive(&mut self) -> Held {
        while let Some(Reverse((at_us, _, event))) = self.events.pop() {
            self.now_us = at_us;
            if !self.closing && self.now_us >= self.plan.duration_us {
                self.heal();
            }
            if self.closing && self.server.is_some() && self.is_quiet() {
                return Ok(());
            }
            if self.now_us > self.plan.duration_us + 600_000_000 {
                return violated("everybody is answered in the end", self.who_waits());
            }
            self.show_time();
            self.step(event)?;
        }
        violated("everybody is answered in the end", "nothing happens any more")
    }

    /// From here on all is well, and whoever waits must be answered.
    fn heal(&mut self) {
        self.closing = true;
        self.death = None;
        self.put_back_due = false;
        self.disk.die_in(None);
        self.disk.trouble(None);
        self.disk.medium().full = false;
        self.wall_off_ms = 0;
        self.trace.tell("healed", format_args!("no new wishes"));
    }

    fn is_quiet(&self) -> bool {
        let idle = |client: &Client| client.asked.is_none() && client.wants.is_empty();
        let waiting = self.server.as_ref().map_or(0, Server::waiting);
        waiting == 0 && self.clients.iter().all(idle)
    }

    fn who_waits(&self) -> String {
        let waiting: Vec<_> =
            self.clients.iter().filter_map(|client| client.asked.as_ref()).collect();
        format!("{waiting:?}")
    }
}
