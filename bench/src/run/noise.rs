//! Seeded noise: the same seed and number give the same choices, on any machine.

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Noise(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Noise {
    /// The noise of one thing, such as one request of a run.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut noise = Self(seed ^ number.wrapping_mul(STEP));
        // Neighbours' first values would be related otherwise.
        Self(noise.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).expect("a product's upper half is one word")
    }

    /// Exponentially distributed with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise is the same for the same seed and spread over its range.
    #[test]
    fn noise_repeats_with_its_seed_and_covers_its_range() {
        let take = |seed| (0..1000).map(|n| Noise::of(seed, n).below(10)).collect::<Vec<_>>();
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
        for value in 0..10 {
            let times = take(1).iter().filter(|own| **own == value).count();
            assert!((60..140).contains(&times), "{value} comes {times} times of 1000");
        }
        let mean = (0..10_000).map(|n| Noise::of(3, n).exponential()).sum::<f64>() / 10_000.0;
        assert!((0.95..1.05).contains(&mean), "{mean}");
    }
}
