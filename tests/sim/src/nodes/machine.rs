//! A machine: a disk, a clock that runs at a rate of its own, and the process that runs there.
//!
//! Owns what stays when the process ends. Never decides what befalls it. Next: `process`.

use super::arbiter::Call;
use super::beside::Beside;
use crate::disk::SimDisk;
use crate::plan::START_MS;
use crate::server::{Server, SimData};
use crate::trace::Trace;
use crate::world::Death;
use doorbuster::cluster::role::Seen;
use doorbuster::copies::node::{ClusterNode, LinkId};
use doorbuster::domain::model::ids::Sequence;
use doorbuster::engine::follower::Follower;
use doorbuster::ring::{CopyProgress, Cursors};
use doorbuster::shared::clock::{Clock, SetClock};
use doorbuster_test_support::random::Random;
use std::collections::VecDeque;
use std::sync::Arc;

/// Time passes in steps of this, by the clock of the node.
pub(super) const TICK_US: u64 = 20_000;

/// A machine runs for so long before a process starts on it.
const UP_US: u64 = 1_000_000_000;

thread_local! {
    static CLOCKS: [&'static SetClock; 16] =
        std::array::from_fn(|_| -> &'static SetClock { Box::leak(Box::default()) });
}

/// A machine.
pub(super) struct Machine {
    pub(super) disk: SimDisk,
    pub(super) data: SimData,
    set_clock: &'static SetClock,
    /// In thousandths.
    rate: u64,
    /// How far the wall clock is off.
    pub(super) wall_off_ms: i64,
    /// The wall clock is right, as a time server makes it.
    pub(super) is_right: bool,
    pub(super) boot_us: u64,
    pub(super) life: u64,
    pub(super) process: Option<Process>,
    /// Nothing happens here until then, and the clock goes on.
    pub(super) still_until_us: u64,
    /// What the directory says of the register.
    pub(super) seen: Option<Seen>,
    /// The register may count a disk that is gone.
    pub(super) is_wiped: bool,
    pub(super) death: Option<Death>,
    /// It dies after so many more outputs of its node.
    pub(super) outputs_left: Option<u32>,
    /// Troubles of the disk that were over when the process started.
    pub(super) troubles_excused: u64,
    /// How much of what is settled its disk was compared with.
    pub(super) compared: usize,
    pub(super) starts_left: u32,
}

/// A process of a node.
pub(super) struct Process {
    pub(super) node: ClusterNode<SimData, Follower<SimData>>,
    pub(super) cursors: Arc<Cursors>,
    pub(super) progress: CopyProgress,
    pub(super) beside: Beside,
    /// The directory, between a grant and the start that follows.
    pub(super) promoting: Option<Follower<SimData>>,
    pub(super) server: Option<Server>,
    pub(super) turn_at: Option<u64>,
    /// What of the own journal was told last; none while this process does not write it.
    pub(super) told: Option<(Sequence, Sequence)>,
    /// Connections that others have asked for, counted.
    pub(super) accepted: LinkId,
    /// Calls to the arbiter, one at a time.
    pub(super) calls: VecDeque<Call>,
    /// The epoch it writes in.
    pub(super) epoch: u32,
    pub(super) good_until_ms: u64,
    /// Who writes, as far as it has heard.
    pub(super) writer: Option<usize>,
    /// The digest of the writer's state at a sequence, until this node has come there.
    pub(super) wanted: Option<(Sequence, [u8; 32])>,
    /// It takes nothing new, and waits until another may write.
    pub(super) hands_over: bool,
}

impl Machine {
    pub(super) fn new(
        place: usize,
        (trace, random): (&Arc<Trace>, &mut Random),
        (rate, allocates_ahead): (u64, bool),
    ) -> Self {
        let disk = SimDisk::new(random.fork(1 + place as u64), trace.clone(), allocates_ahead);
        let data = SimData::new(disk.within("top"), None, random.fork(101 + place as u64));
        Self {
            disk,
            data,
            set_clock: CLOCKS.with(|clocks| clocks[place]),
            rate,
            wall_off_ms: 0,
            is_right: false,
            boot_us: 0,
            life: 0,
            process: None,
            still_until_us: 0,
            seen: None,
            is_wiped: false,
            death: None,
            outputs_left: None,
            troubles_excused: 0,
            compared: 0,
            starts_left: 400,
        }
    }

    /// Of the process that runs now.
    pub(super) fn clock(&self) -> Clock {
        Clock::set_by(self.set_clock)
    }

    /// By the clock that its process reads.
    fn elapsed_us(&self, now_us: u64) -> u64 {
        UP_US + now_us.saturating_sub(self.boot_us) * self.rate / 1_000
    }

    pub(super) fn now_ms(&self, now_us: u64) -> u64 {
        self.elapsed_us(now_us) / 1_000
    }

    pub(super) fn wall_ms(&self, now_us: u64) -> u64 {
        match self.is_right {
            true => START_MS + now_us / 1_000,
            false => {
                (START_MS + now_us * self.rate / 1_000_000).saturating_add_signed(self.wall_off_ms)
            }
        }
    }

    pub(super) fn show_time(&self, now_us: u64) {
        self.set_clock.set(self.elapsed_us(now_us), self.wall_ms(now_us));
    }

    /// How long the world waits until so much has passed by this clock.
    pub(super) fn world_us(&self, own_us: u64) -> u64 {
        own_us.saturating_mul(1_000).div_ceil(self.rate)
    }

    pub(super) fn writes(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.server.is_some())
    }

    /// A failure that was brought about.
    pub(super) fn is_excused(&self) -> bool {
        let medium = self.disk.medium();
        medium.full || medium.troubles() > self.troubles_excused
    }
}
