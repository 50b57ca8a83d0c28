//! Latencies of one outcome, second by second of the intended start.
//!
//! Owns histograms in nanoseconds with three significant digits. Seconds that have ended are kept
//! packed, some kilobytes each, so that memory follows the length of a run and not its rate.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use std::collections::BTreeMap;

/// An hour; what takes longer counts as this.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// An empty histogram.
pub(crate) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new(DIGITS).expect("three digits are allowed");
    histogram.auto(true);
    histogram
}

/// Records in the range that is kept.
pub(crate) fn record(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.record(ns.clamp(1, LATENCY_NS_MAX)).expect("the histogram grows as needed");
}

pub(crate) fn add(into: &mut Histogram<u64>, other: &Histogram<u64>) {
    into.add(other).expect("the histogram grows as needed");
}

/// Latencies by second.
#[derive(Debug, Default)]
pub(crate) struct Series {
    open: BTreeMap<u64, Histogram<u64>>,
    packed: BTreeMap<u64, Vec<u8>>,
}

impl Series {
    pub(crate) fn record(&mut self, second: u64, ns: u64) {
        record(self.open.entry(second).or_insert_with(histogram), ns);
    }

    /// Adds what was measured in a second elsewhere.
    pub(crate) fn add(&mut self, second: u64, measured: &Histogram<u64>) {
        let mut sum = self.second(second).unwrap_or_else(histogram);
        add(&mut sum, measured);
        self.open.remove(&second);
        self.packed.insert(second, pack(&sum));
    }

    /// Packs all seconds before this one.
    pub(crate) fn pack_before(&mut self, second: u64) {
        let later = self.open.split_off(&second);
        for (second, ended) in std::mem::replace(&mut self.open, later) {
            self.add(second, &ended);
        }
    }

    /// Measured in that second; none if nothing was.
    pub(crate) fn second(&self, second: u64) -> Option<Histogram<u64>> {
        let packed = self.packed.get(&second).map(|bytes| unpack(bytes));
        match (packed, self.open.get(&second)) {
            (Some(mut sum), Some(open)) => {
                add(&mut sum, open);
                Some(sum)
            }
            (packed, open) => packed.or_else(|| open.cloned()),
        }
    }

    /// All seconds in which something was measured, in order.
    pub(crate) fn seconds(&self) -> Vec<u64> {
        let mut seconds: Vec<u64> = self.packed.keys().chain(self.open.keys()).copied().collect();
        seconds.sort_unstable();
        seconds.dedup();
        seconds
    }

    /// Over the whole run.
    pub(crate) fn total(&self) -> Histogram<u64> {
        let mut sum = histogram();
        for measured in self.seconds().into_iter().filter_map(|second| self.second(second)) {
            add(&mut sum, &measured);
        }
        sum
    }
}

fn pack(histogram: &Histogram<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).expect("memory takes all bytes");
    bytes
}

fn unpack(bytes: &[u8]) -> Histogram<u64> {
    let mut histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut &bytes[..]).expect("it was packed here");
    histogram.auto(true);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_changes_nothing_and_takes_latecomers() {
        let (mut packed, mut open) = (Series::default(), Series::default());
        for n in 1..=10_000_u64 {
            packed.record(n / 1000, n * 1_000);
            open.record(n / 1000, n * 1_000);
            packed.pack_before(n / 1500);
        }
        packed.pack_before(20);
        packed.record(3, 77);
        open.record(3, 77);
        assert_eq!(packed.seconds(), (0..=10).collect::<Vec<_>>());
        for second in packed.seconds() {
            assert_eq!(packed.second(second), open.second(second), "second {second}");
        }
        assert_eq!((packed.total(), packed.total().len()), (open.total(), 10_001));
    }

    #[test]
    fn what_takes_too_long_or_no_time_is_kept_at_the_edge() {
        let mut series = Series::default();
        series.record(0, 0);
        series.record(0, u64::MAX);
        let total = series.total();
        assert_eq!((total.min(), total.len()), (1, 2));
        assert!(total.equivalent(total.max(), LATENCY_NS_MAX));
    }
}
