//! When what happened to a request behind the ring; the IO thread knows the rest.
//!
//! Owns how that travels: what is a request's own with its answer, what is its turn's beside the
//! cursors. Never reads a clock. Next: `metrics::stages`.

use super::seam::{AtomicU64, Ordering};

/// Turns whose times are kept; an IO thread that is further behind takes a later turn's.
pub(super) const TURNS_KEPT: usize = 256;

/// In nanoseconds since the start of the process; all 0 while nothing is timed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The writer took it.
    pub taken_ns: u64,
    /// It was decided, applied and encoded.
    pub decided_ns: u64,
    /// Its turn's frame was stored.
    pub stored_ns: u64,
    /// Its turn was durable in the configured mode.
    pub durable_ns: u64,
}

/// What the writer says of one request when it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decided {
    /// The writer took it then.
    pub taken_ns: u64,
    /// It was decided, applied and encoded then.
    pub decided_ns: u64,
    /// In this turn.
    pub turn: u32,
}

/// What all requests of one turn have in common.
#[derive(Debug, Default)]
pub(super) struct TurnTimes {
    stored_ns: AtomicU64,
    durable_ns: AtomicU64,
}

impl TurnTimes {
    /// Relaxed: whoever reads has seen the cursors that were published afterwards.
    pub(super) fn set(&self, stored_ns: u64, durable_ns: u64) {
        self.stored_ns.store(stored_ns, Ordering::Relaxed);
        self.durable_ns.store(durable_ns, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> (u64, u64) {
        (self.stored_ns.load(Ordering::Relaxed), self.durable_ns.load(Ordering::Relaxed))
    }
}
