//! How many requests one turn takes where deciding is slow.
//!
//! Owns the pace at which the last requests were decided. Answers leave at the end of a turn, and
//! an urgent request waits for the turn under way, so a turn must stay under 10 ms, or under one
//! sync if that is longer. At normal speed the limit is never reached; it matters on a machine that
//! gives the writer little time or memory. Never reads a clock. Next: `capacity`.

/// Deciding the requests of one turn is to take no longer, or no longer than a sync does: where
/// that takes long, a turn with few requests would waste it.
const DECIDING_NS_MAX: u64 = 10_000_000;
/// A turn takes so many at least: as many as are looked up together.
const REQUESTS_MIN: u64 = crate::domain::memory::prefetch::TOGETHER_MAX as u64;

/// The pace of one writer.
#[derive(Debug)]
pub(super) struct BatchLimit {
    requests_max: u64,
}

impl BatchLimit {
    /// Nothing is known yet.
    pub(super) const fn new() -> Self {
        Self { requests_max: u64::MAX }
    }

    /// Requests that the next turn may take.
    pub(super) const fn requests_max(&self) -> u64 {
        self.requests_max
    }

    /// A turn decided so many in so long, where a sync takes so long.
    pub(super) fn decided(&mut self, requests: u64, took_ns: u64, sync_ns: u64) {
        let bound_ns = DECIDING_NS_MAX.max(sync_ns);
        // A few that are quick enough tell nothing: one that waited for memory is no pace.
        if requests >= REQUESTS_MIN || took_ns > bound_ns {
            let in_time = requests.saturating_mul(bound_ns) / took_ns.max(1);
            self.requests_max = in_time.max(REQUESTS_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turn takes what is decided in its time at the pace of the last.
    #[test]
    fn a_turn_takes_what_the_last_pace_decides_in_its_time() {
        let mut pace = BatchLimit::new();
        assert_eq!(pace.requests_max(), u64::MAX);
        for (requests, took_ns, sync_ns, requests_max) in [
            // A microsecond each, a tenth of a millisecond each.
            (500, 500_000, 0, 10_000),
            (500, 50_000_000, 0, 100),
            // As long as a sync takes, if that is longer.
            (500, 50_000_000, 9_999_999, 100),
            (500, 50_000_000, 30_000_000, 300),
            // Nothing was asked, or few who were soon answered: nothing is learned.
            (0, 1_000_000, 0, 300),
            (1, 1_000_000, 0, 300),
            (REQUESTS_MIN - 1, 10_000_000, 0, 300),
            // It stood still, and goes on with enough to see that it is quick again.
            (1, 1_000_000_000, 0, REQUESTS_MIN),
            (REQUESTS_MIN, 64_000, 0, 10_000),
            // A clock that stood.
            (100, 0, 0, 1_000_000_000),
            (u64::MAX, 1, 0, u64::MAX),
        ] {
            pace.decided(requests, took_ns, sync_ns);
            assert_eq!(pace.requests_max(), requests_max, "{requests} in {took_ns} ns");
        }
    }
}
