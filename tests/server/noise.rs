//! Repeatable randomness, and the line that repeats a failed test.
//!
//! Owns seeds: a fresh one for each run, or the one in the variable `SEED`. The threads of a test
//! still interleave as they like, so a seed repeats what is asked, not when. Next: `process`.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;

thread_local! {
    /// The test of this thread has said how to run it alone.
    static ANNOUNCED: Cell<bool> = const { Cell::new(false) };
}

/// A generator of noise (SplitMix64; Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014).
pub(crate) struct Noise(u64);

impl Noise {
    /// Seeded, and the seed is printed: libtest shows it if the test fails.
    pub(crate) fn announced() -> Self {
        let given = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        announce_with(&format!("SEED={seed} "));
        Self(seed)
    }

    /// Noise of its own for one of many.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// So many times out of a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Where in a list of so many.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("below a usize")
    }
}

/// Prints how to run this test alone: libtest shows it if the test fails.
pub(crate) fn announce() {
    announce_with("");
}

fn announce_with(seed: &str) {
    if !ANNOUNCED.replace(true) {
        let thread = thread::current();
        let test = thread.name().unwrap_or_default();
        let binary = env!("CARGO_CRATE_NAME");
        let features = if cfg!(feature = "faults") { "--features faults " } else { "" };
        eprintln!("again: {seed}cargo test {features}--test {binary} -- --exact {test}");
    }
}
