//! A set that may claim to hold what it does not, and never the other way round.
//!
//! Owns the bits: a member sets one bit in each of the eight words of one cache line, so a look
//! costs one miss at most. One thread inserts, all may look; nothing is ever taken out, a new
//! filter is made instead (`publisher`). With the eight bits of Putze, Sanders and Singler,
//! "Cache-, Hash- and Space-Efficient Bloom Filters" (2007), and at 12 bits a member, about one
//! look in three hundred claims too much.

use std::sync::atomic::{AtomicU64, Ordering};

/// Words of a cache line.
const LINE_WORDS: usize = 8;
/// Members that share a cache line on average, in a full filter.
const LINE_MEMBERS: usize = 42;

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE_WORDS]);

#[derive(Debug)]
pub(super) struct Filter {
    lines: Box<[Line]>,
}

/// A bit in each word of a line, from bits of the hash that do not choose the line.
fn bits(hash: u64) -> [u64; LINE_WORDS] {
    // The finalizer of MurmurHash3 (Austin Appleby, public domain).
    let mut mixed = hash ^ (hash >> 33);
    mixed = mixed.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed ^= mixed >> 33;
    mixed = mixed.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    mixed ^= mixed >> 33;
    std::array::from_fn(|word| 1 << (mixed >> (6 * word) & 63))
}

impl Filter {
    /// An empty filter with room for so many members.
    pub(super) fn with_room(members: u64) -> Self {
        let members = usize::try_from(members).unwrap_or(usize::MAX);
        let lines = members.div_ceil(LINE_MEMBERS).max(1);
        Self { lines: (0..lines).map(|_| Line::default()).collect() }
    }

    fn line(&self, hash: u64) -> &Line {
        let at = (u128::from(hash) * self.lines.len() as u128) >> 64;
        &self.lines[at as usize]
    }

    /// Takes a member. Only one thread may. A thread sees it that sees what this one publishes
    /// afterwards.
    pub(super) fn insert(&self, hash: u64) {
        for (word, bit) in self.line(hash).0.iter().zip(bits(hash)) {
            // Whether it is set already cannot be foreseen: storing costs less than a wrong guess.
            word.store(word.load(Ordering::Relaxed) | bit, Ordering::Relaxed);
        }
    }

    /// False only for what was never inserted.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let line = self.line(hash).0.iter();
        line.zip(bits(hash)).all(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::quality::FixedState;
    use std::hash::BuildHasher;

    #[test]
    fn every_member_is_held_and_few_others_are() {
        const MEMBERS: u64 = 200_000;
        let hasher = FixedState::with_seed(7);
        let filter = Filter::with_room(MEMBERS);
        (0..MEMBERS).for_each(|member| filter.insert(hasher.hash_one(member)));
        assert!((0..MEMBERS).all(|member| filter.may_hold(hasher.hash_one(member))));
        let others = MEMBERS..2 * MEMBERS;
        let wrong = others.filter(|other| filter.may_hold(hasher.hash_one(*other))).count();
        assert!(wrong < 1_200, "{wrong} of {MEMBERS}");
    }

    #[test]
    fn a_filter_beyond_its_room_still_holds_every_member() {
        let hasher = FixedState::with_seed(8);
        let filter = Filter::with_room(0);
        (0..1_000_u64).for_each(|member| filter.insert(hasher.hash_one(member)));
        assert!((0..1_000_u64).all(|member| filter.may_hold(hasher.hash_one(member))));
    }
}
