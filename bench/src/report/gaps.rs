//! Times in which no order was answered.
//!
//! Owns which of them are kept: those that a client would feel, and never more than fit. Next:
//! `summary`.

/// What is shorter is the pace of the load.
pub(crate) const GAP_NS_MIN: u64 = 5_000_000;
const GAPS_MAX: usize = 100_000;

/// From one answer to the next, in nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
}

impl Gap {
    pub(crate) fn length_ns(self) -> u64 {
        self.to_ns - self.from_ns
    }
}

/// The gaps between the answers of a run, in their order.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    last_ns: Option<u64>,
    kept: Vec<Gap>,
}

impl Gaps {
    /// An order was answered.
    pub(crate) fn answered(&mut self, at_ns: u64) {
        let from_ns = self.last_ns.replace(at_ns).unwrap_or(at_ns);
        let long = at_ns.saturating_sub(from_ns) >= GAP_NS_MIN;
        if long && self.kept.len() < GAPS_MAX {
            self.kept.push(Gap { from_ns, to_ns: at_ns });
        }
    }

    /// The longest gap that ends after one moment and begins before another.
    pub(crate) fn longest_between(&self, after_ns: u64, before_ns: u64) -> Option<Gap> {
        let within = |gap: &&Gap| gap.to_ns >= after_ns && gap.from_ns < before_ns;
        self.kept.iter().filter(within).max_by_key(|gap| gap.length_ns()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_around_a_moment_is_found() {
        let mut gaps = Gaps::default();
        for at_ms in [100, 101, 700, 701, 707, 1_000, 1_001] {
            gaps.answered(at_ms * 1_000_000);
        }
        let found = |after_ms: u64, before_ms: u64| {
            let gap = gaps.longest_between(after_ms * 1_000_000, before_ms * 1_000_000)?;
            Some((gap.from_ns / 1_000_000, gap.length_ns() / 1_000_000))
        };
        assert_eq!(found(150, 600), Some((101, 599)));
        assert_eq!(found(703, 706), Some((701, 6)));
        assert_eq!(found(0, 5_000), Some((101, 599)));
        assert_eq!(found(1_001, 5_000), None);
    }
}
