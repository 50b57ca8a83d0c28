//! Times of a request in the writer: taken, decided, stored, durable. The IO thread adds its own.
//!
//! Owns how that travels: what is a request's own with its answer, what is its turn's beside the
//! cursors. Never reads a clock. Next: `metrics::stages`.

use super::seam::{AtomicU64, Ordering};

/// Turns whose times are kept; an IO thread that is further behind takes a later turn's.
pub(super) const TURNS_KEPT: usize = 256;

/// A data sync that is over, from its begin to its end, in nanoseconds since the start of the
/// process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncSpan {
    pub began_ns: u64,
    pub ended_ns: u64,
}

impl SyncSpan {
    /// How much of a span it took, in nanoseconds.
    #[must_use]
    pub fn within(&self, from_ns: u64, to_ns: u64) -> u64 {
        self.ended_ns.min(to_ns).saturating_sub(self.began_ns.max(from_ns))
    }

    /// How long it took, in nanoseconds.
    #[must_use]
    pub const fn took_ns(&self) -> u64 {
        self.ended_ns.saturating_sub(self.began_ns)
    }
}

/// In nanoseconds since the start of the process; all 0 while nothing is timed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// The writer took it.
    pub taken_ns: u64,
    /// When the request was decided, applied and encoded.
    pub decided_ns: u64,
    /// Its turn's frame was stored.
    pub stored_ns: u64,
    /// Its turn was durable in the configured mode.
    pub durable_ns: u64,
    /// The sync before its turn: whatever came meanwhile waited for it.
    pub before: SyncSpan,
}

/// What the writer says of one request when it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecisionTimes {
    /// The writer took it then.
    pub taken_ns: u64,
    /// When the request was decided, applied and encoded.
    pub decided_ns: u64,
    /// In this turn.
    pub turn: u32,
}

/// What all requests of one turn have in common.
#[derive(Debug, Default)]
pub(super) struct TurnTimes {
    stored_ns: AtomicU64,
    durable_ns: AtomicU64,
    sync_began_ns: AtomicU64,
    sync_ended_ns: AtomicU64,
}

impl TurnTimes {
    /// Relaxed: a reader has seen the cursors that were published afterwards.
    pub(super) fn set(&self, stored_ns: u64, durable_ns: u64, before: SyncSpan) {
        self.stored_ns.store(stored_ns, Ordering::Relaxed);
        self.durable_ns.store(durable_ns, Ordering::Relaxed);
        self.sync_began_ns.store(before.began_ns, Ordering::Relaxed);
        self.sync_ended_ns.store(before.ended_ns, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> (u64, u64, SyncSpan) {
        let read = |moment: &AtomicU64| moment.load(Ordering::Relaxed);
        let before =
            SyncSpan { began_ns: read(&self.sync_began_ns), ended_ns: read(&self.sync_ended_ns) };
        (read(&self.stored_ns), read(&self.durable_ns), before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_takes_of_a_span_what_lies_in_both() {
        let sync = SyncSpan { began_ns: 10, ended_ns: 20 };
        for (from_ns, to_ns, within_ns) in
            [(0, 5, 0), (0, 10, 0), (0, 15, 5), (12, 15, 3), (5, 30, 10), (15, 30, 5), (25, 30, 0)]
        {
            assert_eq!(sync.within(from_ns, to_ns), within_ns, "{from_ns} to {to_ns}");
        }
        assert_eq!((sync.took_ns(), SyncSpan::default().within(0, u64::MAX)), (10, 0));
    }
}
