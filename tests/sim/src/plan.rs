//! What a seed makes of a run: how large, how long, how bad.
//!
//! Owns the numbers, so that a run can be told from its seed alone. Never changes while it runs.
//! Next: `world`.

use crate::client;
use doorbuster::config::Durability;
use doorbuster::domain::model::settings::{Caps, Settings};
use doorbuster_snapshots::Keep;
use doorbuster_test_support::random::Random;

/// Where all clocks begin, in milliseconds since 1970.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When an answer may leave.
    pub durability: Durability,
    /// Who asks; each one thing after the other.
    pub clients: usize,
    /// How long new things are asked, in microseconds.
    pub duration_us: u64,
    /// The rules' settings.
    pub settings: Settings,
    /// A snapshot after so many events.
    pub snapshot_events: u64,
    /// A snapshot at least this often, in microseconds.
    pub snapshot_every_us: u64,
    /// Segments are kept this long, in milliseconds.
    pub retain_ms: u64,
    /// Snapshots that stay.
    pub keep: Keep,
    /// Of a hundred messages, so many are lost.
    pub loss: u64,
    /// Of a hundred keyed messages, so many come twice.
    pub twice: u64,
    /// A message takes this long at most, in microseconds.
    pub delay_us_max: u64,
    /// A client thinks this long at most, in microseconds.
    pub think_us_max: u64,
    /// Reasons of adjustments are this long at most: longer ones fill segments sooner.
    pub reason_bytes_max: u64,
    /// Draws happen.
    pub draws: bool,
    /// Only orders that sell at once, adjustments and reads of one SKU.
    pub plain: bool,
    /// Refusals are journaled whole.
    pub keeps_refusals: bool,
    /// The disk takes space when it is asked for.
    pub allocates_ahead: bool,
    /// Something goes wrong this often on average, in microseconds; none = nothing does.
    pub fault_every_us: Option<u64>,
    /// Which faults there are, by their bits.
    pub faults: Faults,
    /// A copy of the directory is taken or put back this often on average, in microseconds; none =
    /// nobody copies it.
    pub copies_every_us: Option<u64>,
}

/// Kinds of faults of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The process dies.
    pub kills: bool,
    /// Power is lost.
    pub power: bool,
    /// Calls to the disk fail.
    pub calls: bool,
    /// The disk fills up for a while.
    pub full: bool,
    /// Rot, while no server runs.
    pub rot: bool,
    /// The wall clock is set, and time stands still.
    pub clock: bool,
    /// The server is stopped in order, and its settings change.
    pub stops: bool,
}

impl Plan {
    /// The run of a seed.
    pub fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed ^ 0x0D00_2B05_7E12);
        let durability = match random.below(10) {
            0 => Durability::Os,
            1 => Durability::Interval(random.between(10, 400)),
            _ => Durability::Group,
        };
        let quiet = random.once_in(12);
        let flag = |random: &mut Random, percent| !quiet && random.percent(percent);
        let faults = Faults {
            kills: flag(random, 75),
            power: flag(random, 75),
            calls: flag(random, 50),
            full: flag(random, 30),
            rot: flag(random, 40),
            clock: flag(random, 50),
            stops: flag(random, 50),
        };
        Self {
            durability,
            clients: random.between(2, 6) as usize,
            duration_us: random.between(6, 30) * 1_000_000,
            settings: settings(random),
            snapshot_events: random.between(20, 300),
            snapshot_every_us: random.between(1, 20) * 1_000_000,
            retain_ms: if random.percent(50) { 0 } else { 3_600_000 },
            keep: if random.percent(15) { Keep::All } else { Keep::Newest(2) },
            loss: random.below(12),
            twice: random.below(12),
            delay_us_max: random.between(200, 40_000),
            think_us_max: random.between(2_000, 300_000),
            reason_bytes_max: if random.percent(50) { 50_000 } else { 40 },
            draws: random.percent(40),
            plain: false,
            keeps_refusals: seed.is_multiple_of(3),
            allocates_ahead: random.percent(60),
            fault_every_us: (!quiet).then(|| random.between(200_000, 5_000_000)),
            faults,
            copies_every_us: copies(seed),
        }
    }

    /// The run of a seed, in which copies are taken and put back all the time.
    pub fn restored(seed: u64) -> Self {
        let every_us = 400_000 + (seed % 5) * 400_000;
        Self { copies_every_us: Some(every_us), ..Self::new(seed) }
    }

    /// A run that is small enough for a tester that tries all orders.
    pub fn plain(seed: u64) -> Self {
        let random = &mut Random::new(seed ^ 0x5141);
        Self {
            durability: Durability::Group,
            clients: random.between(2, 3) as usize,
            duration_us: random.between(60, 200) * 1_000,
            settings: Settings { caps: caps(1_000), ..Settings::default() },
            snapshot_events: 8,
            snapshot_every_us: 60_000,
            retain_ms: 0,
            keep: Keep::Newest(2),
            loss: 10,
            // An attempt is decided once, in the eyes of a tester.
            twice: 0,
            delay_us_max: 20_000,
            think_us_max: 60_000,
            reason_bytes_max: 40,
            draws: false,
            plain: true,
            keeps_refusals: false,
            allocates_ahead: true,
            fault_every_us: Some(60_000),
            faults: Faults { kills: true, power: true, ..Faults::default() },
            copies_every_us: None,
        }
    }

    /// The run of a seed on two machines, as [`Options`](crate::Options) ask for it.
    pub fn replicated(seed: u64) -> Self {
        let faults = Faults { rot: false, ..Self::new(seed).faults };
        let (durability, copies_every_us) = (Durability::Group, None);
        // Of one SKU most orders are sold out, and the edge refuses most of them.
        let plain = seed.is_multiple_of(3);
        Self { durability, faults, copies_every_us, plain, ..Self::new(seed) }
    }
}

/// Chance of its own, so that all else about a seed stays what it was.
fn copies(seed: u64) -> Option<u64> {
    let random = &mut Random::new(seed ^ 0x0C0_971E5);
    random.once_in(6).then(|| random.between(500_000, 6_000_000))
}

fn caps(room: u32) -> Caps {
    Caps {
        skus: room,
        orders: room,
        keys: room,
        answers: room,
        uses: room,
        users: room,
        draws: room,
        entries: room,
    }
}

/// Other settings than before: the operator changed the file.
pub(crate) fn settings(random: &mut Random) -> Settings {
    let caps = match random.once_in(4) {
        false => caps(1_000),
        true => Caps {
            skus: random.between(4, 8) as u32,
            orders: random.between(8, 60) as u32,
            keys: random.between(10, 60) as u32,
            answers: random.between(2, 10) as u32,
            uses: random.between(6, 30) as u32,
            users: random.between(3, 8) as u32,
            draws: random.between(2, 4) as u32,
            entries: random.between(10, 60) as u32,
        },
    };
    let idempotency_retain_ms = random.between(2_000, 40_000);
    Settings {
        principals: client::some_principals(random),
        hold_ms_default: random.between(50, 3_000),
        hold_ms_max: random.between(1_000, 8_000),
        open_holds_per_user_max: random.below(6) as u32,
        recovery_grace_ms: random.between(0, 4_000),
        idempotency_retain_ms,
        orders_retain_ms: idempotency_retain_ms + random.between(0, 20_000),
        caps,
    }
}
