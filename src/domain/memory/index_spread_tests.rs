//! How evenly an index is filled by numbers that a client chooses without knowing the secret.
//!
//! Slots are handed out in order, so a client that brings users and picks SKUs picks the pairs.
//! Each family here is one that some hash spreads badly: progressions for a multiplication,
//! subspaces for anything that is linear, pairs that collided once. Next: `hash`, `users`.

use super::*;
use crate::domain::memory::hash::TableHash;

/// Groups of eight that a family has.
const GROUPS: usize = 1 << 12;
/// Secrets that each family is tried under.
const SECRETS: std::ops::Range<u64> = 100..108;
/// Words from where a search begins to where it ends, in the mean. Chance makes it 4 in an index
/// that is half full of whole groups; one multiplication less makes it 7 for some of the families.
const MEAN_WALK_MAX: usize = 5;
/// Words in a row that are taken. Chance makes it 140 to 420; of pairs that collide it is all of
/// them.
const LONGEST_RUN_MAX: usize = 550;

/// As `Uses` hashes a pair.
fn pair(sku: u64, group: u64) -> u64 {
    (sku << 32) | group
}

fn progression(step: u64) -> Vec<u64> {
    (0..GROUPS as u64).map(|at| at.wrapping_mul(step)).collect()
}

/// All sums of some numbers, bit by bit.
fn subspace(basis: &[u64; 12]) -> Vec<u64> {
    let bit = |at: usize, of: usize| at >> of & 1 == 1;
    let sum = |at: usize| (0..12).filter(|of| bit(at, *of)).fold(0, |sum, of| sum ^ basis[of]);
    (0..GROUPS).map(sum).collect()
}

/// A few SKUs with many users, many SKUs with a few users, and what is between.
fn rectangle(sku_bits: u32) -> Vec<u64> {
    let groups = GROUPS as u64 >> sku_bits;
    (0..GROUPS as u64).map(|at| pair(at / groups, at % groups)).collect()
}

/// Pairs that a multiplication by constants sends into one thousandth of a table.
fn collided_once() -> Vec<u64> {
    const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    let lies_together = |number: &u64| {
        let product = u128::from(*number).wrapping_mul(FACTOR);
        ((product as u64) ^ (product >> 64) as u64) < u64::MAX / 1000
    };
    let all = (1..1000).flat_map(|sku| (0..5_000).map(move |group| pair(sku, group)));
    all.filter(lies_together).take(GROUPS).collect()
}

fn families() -> Vec<(String, Vec<u64>)> {
    let mut families = vec![("collided once".to_owned(), collided_once())];
    for step in [1, 2, 3, 7, 64, 1 << 16, 1 << 32, (1 << 32) + 1, (1 << 32) - 1, 1 << 40, 1 << 52] {
        families.push((format!("steps of {step:#x}"), progression(step)));
    }
    // The inverse of the first factor of the hash: its products grow by one, or by their highest
    // bits.
    let inverse = 0xF1DE_83E1_9937_733D;
    assert_eq!(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(inverse), 1);
    families.push(("the inverse".to_owned(), progression(inverse)));
    families.push(("the inverse, high".to_owned(), progression(inverse << 52)));
    for sku_bits in [3, 6, 9] {
        families.push((format!("{sku_bits} bits of SKUs"), rectangle(sku_bits)));
    }
    for apart in [1, 2, 5] {
        let basis = std::array::from_fn(|at| 1_u64.rotate_left((at * apart) as u32 * 3 + 11));
        families.push((format!("bits {apart} apart"), subspace(&basis)));
        let dense = basis.map(|bit: u64| bit.wrapping_mul(0x0000_0103_0004_1001));
        families.push((format!("sums of bits {apart} apart"), subspace(&dense)));
    }
    families
}

/// The mean walk and the longest run of an index that is filled with whole groups.
fn spread(hash: &TableHash, groups: &[u64]) -> (usize, usize) {
    let entries = groups.len() * NEIGHBOURS;
    let cap = u32::try_from(entries * 2).expect("a few");
    let mut index = Index::with_cap(cap * 4 / 5);
    let all = groups.iter().flat_map(|group| (0..NEIGHBOURS as u64).map(move |user| (group, user)));
    let mut walked = 0;
    let places = index.lines * LINE_WORDS;
    for ((group, user), number) in all.zip(0..) {
        let hash = near(hash.number(*group), user);
        let Err(vacant) = index.find_or_vacant(hash, |_| false) else { unreachable!("none is it") };
        walked += (vacant.place + places - index.home(tag(hash))) % places;
        index.fill(vacant, number);
    }
    let (mut run, mut longest) = (0, 0);
    // Twice around: a run may go over the end.
    for place in (0..places).chain(0..places) {
        run = if index.word(place) == 0 { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    (walked / entries, longest)
}

/// Numbers that a client chooses fill an index as evenly as chance does.
#[test]
fn chosen_numbers_fill_an_index_as_evenly_as_chance_does() {
    for (name, groups) in families() {
        let distinct: std::collections::BTreeSet<_> = groups.iter().collect();
        assert_eq!((groups.len(), distinct.len()), (GROUPS, GROUPS), "{name}");
        for secret in SECRETS {
            let (walk, run) = spread(&TableHash::new(secret), &groups);
            let even = walk <= MEAN_WALK_MAX && run <= LONGEST_RUN_MAX;
            assert!(even, "{name}: {walk} words to walk, {run} in a row, secret {secret}");
        }
    }
}
