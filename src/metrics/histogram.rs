//! A histogram that one thread writes and any thread may read: no lock, no allocation, one store.
//!
//! Owns the buckets: 64 to each power of two, so a value read back is at most 1.6 % above the one
//! recorded. Percentiles are the `hdrhistogram` crate's work, on a copy. Next: `stages`.

use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets to a power of two, as a power of two.
const PARTS_BITS: u32 = 6;
const PARTS: usize = 1 << PARTS_BITS;
/// Longer values count as this: about 137 s in nanoseconds.
pub(super) const VALUE_MAX: u64 = (1 << 37) - 1;
const BUCKETS: usize = (37 - PARTS_BITS as usize + 1) * PARTS;
/// Significant digits of the copies, which hold more than the buckets do.
const COPY_DIGITS: u8 = 3;

/// Counts by value. A second writer would lose counts; nothing worse.
#[derive(Debug)]
pub(super) struct Recorded {
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Default for Recorded {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }
}

/// Adds without a locked instruction: there is one writer.
pub(super) fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

fn bucket(value: u64) -> usize {
    let value = value.min(VALUE_MAX);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PARTS_BITS + 1);
    ((shift as usize) << PARTS_BITS) + (value >> shift) as usize
}

/// The highest value that falls into a bucket.
fn top(bucket: usize) -> u64 {
    let shift = (bucket >> PARTS_BITS).saturating_sub(1);
    let part = (bucket - (shift << PARTS_BITS)) as u64;
    ((part + 1) << shift) - 1
}

impl Recorded {
    /// Counts a value.
    pub(super) fn record(&self, value: u64) {
        add(&self.counts[bucket(value)], 1);
        add(&self.sum, value.min(VALUE_MAX));
    }

    /// Adds what was recorded so far to a copy.
    pub(super) fn add_to(&self, copy: &mut Copied) {
        for (bucket, count) in self.counts.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                copy.values.saturating_record_n(top(bucket), count);
            }
        }
        copy.sum = copy.sum.wrapping_add(self.sum.load(Ordering::Relaxed));
    }
}

/// What several threads recorded, at about one moment.
#[derive(Debug, Clone)]
pub struct Copied {
    /// Each value as the top of its bucket.
    pub values: Histogram<u64>,
    /// Of the values as recorded.
    pub sum: u64,
}

impl Default for Copied {
    fn default() -> Self {
        let values = Histogram::new_with_bounds(1, VALUE_MAX, COPY_DIGITS);
        Self { values: values.expect("the bounds are good"), sum: 0 }
    }
}

impl Copied {
    /// How many values lie at or below each of these bounds, which ascend, and above the bound
    /// before; the last count is that of values above all bounds.
    pub(super) fn between(&self, bounds: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len() + 1];
        for value in self.values.iter_recorded() {
            let at = bounds.partition_point(|bound| *bound < value.value_iterated_to());
            counts[at] += value.count_at_value();
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        let mut next = 0;
        for bucket_number in 0..BUCKETS {
            let top = top(bucket_number);
            assert_eq!(bucket(next), bucket_number, "the first value of a bucket");
            assert_eq!(bucket(top), bucket_number, "the last value of a bucket");
            assert!((top - next) as f64 <= next as f64 / 63.0, "{next}..={top}");
            next = top + 1;
        }
        assert_eq!(next, VALUE_MAX + 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn what_two_threads_recorded_is_read_together() {
        let (one, other) = (Recorded::default(), Recorded::default());
        for value in 1..=1000 {
            one.record(value * 1_000);
            other.record(value * 1_000_000);
        }
        let mut copy = Copied::default();
        one.add_to(&mut copy);
        other.add_to(&mut copy);
        assert_eq!(copy.values.len(), 2000);
        assert_eq!(copy.sum, 500_500 * 1_001_000);
        let near = |value: u64, wanted: u64| (wanted..wanted + wanted / 50).contains(&value);
        assert!(near(copy.values.value_at_quantile(0.25), 500_000));
        assert!(near(copy.values.value_at_quantile(0.75), 500_000_000));
        assert!(near(copy.values.max(), 1_000_000_000));
        assert_eq!(copy.between(&[999, 1_100_000]), [0, 1001, 999]);
    }
}
