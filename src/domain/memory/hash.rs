//! How the tables spread what they find by hash: by a secret, so that no client can choose names or
//! pairs whose places collide.
//!
//! Each state has a secret of its own, drawn where the state is made. Nothing that is kept, decided
//! or answered depends on it: an index cannot be gone through by hash. Next: `index`.

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use std::hash::Hasher;

/// Spreads the names and numbers of one state's tables by that state's secret.
///
/// The secret reaches every multiplication. A hash of the kind "multiply by a constant" would not
/// do for numbers either: clients choose which users meet which SKUs, and slots are handed out in
/// order, so a client that can compute the hash fills one part of the table and makes every removal
/// there walk past all that stand in it. Nor would one multiplication: numbers of some differences
/// then stand together under every secret (`index_spread_tests`).
#[derive(Debug, Clone)]
pub(in crate::domain) struct TableHash {
    shared: SharedSeed,
    text: u64,
    numbers: [u64; 2],
}

/// The halves of a product, folded: each bit depends on all bits of both factors.
const fn folded(left: u64, right: u64) -> u64 {
    let product = (left as u128).wrapping_mul(right as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// 2^64 over the golden ratio, and the fraction of the square root of three.
const FACTORS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];

impl TableHash {
    pub(in crate::domain) fn new(secret: u64) -> Self {
        let shared = SharedSeed::from_u64(secret);
        let drawn = |number: u64| {
            let mut hasher = FoldHasher::with_seed(secret, &shared);
            hasher.write_u64(number);
            hasher.finish()
        };
        let (text, numbers) = (drawn(0), [drawn(1), drawn(2)]);
        Self { shared, text, numbers }
    }

    /// Of a name.
    pub(in crate::domain) fn text(&self, text: &str) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.text, &self.shared);
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    /// Of a number, or of two in its halves.
    pub(in crate::domain) const fn number(&self, number: u64) -> u64 {
        let spread = folded(number ^ self.numbers[0], FACTORS[0]);
        folded(spread ^ self.numbers[1], FACTORS[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_spreads_another_way() {
        let (one, other) = (TableHash::new(1), TableHash::new(2));
        assert_ne!(one.text("u1"), other.text("u1"));
        assert_ne!(one.number(7), other.number(7));
        assert_eq!(one.text("u1"), TableHash::new(1).text("u1"));
        assert_eq!(one.number(7), TableHash::new(1).number(7));
    }

    /// Numbers that all lie in a thousandth of the table under one secret, which is what an
    /// attacker looks for, lie everywhere under another.
    #[test]
    fn numbers_chosen_for_one_secret_spread_under_another() {
        const SLICE: u64 = u64::MAX / 1000;
        let (known, secret) = (TableHash::new(3), TableHash::new(4));
        let chosen: Vec<u64> =
            (0..2_000_000).filter(|number| known.number(*number) < SLICE).collect();
        assert!(chosen.len() > 1_500, "{} of two million", chosen.len());
        let mut parts = [0_usize; 16];
        for number in &chosen {
            parts[(secret.number(*number) >> 60) as usize] += 1;
        }
        let even = chosen.len() / parts.len();
        assert!(parts.iter().all(|part| (even / 2..even * 2).contains(part)), "{parts:?}");
    }
}
