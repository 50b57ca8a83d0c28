//! Which SKU each user takes: families of pairs that an attacker may hope to lie together.
//!
//! Owns no server. A use's place depends on its SKU's slot and, eight users to a line, on its
//! user's slot without the lower three bits: a group. `Golden` searches by the hash that the index
//! once had, a fixed multiplication; the others are what can be hoped for where the hash has a
//! secret: runs and strides, which a hash that only adds or multiplies keeps together. Next: `mod`.

/// Slot of the first SKU to choose from.
pub(super) const FIRST_SLOT: u32 = 2;
/// Users whose uses of one SKU stand in one line.
const GROUP: u32 = 8;

/// How pairs are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// By no rule.
    Random,
    /// For each group the SKU that comes first in a table spread by a fixed multiplication.
    Golden,
    /// One SKU for all: groups follow each other.
    Row,
    /// SKUs and groups grow together.
    Diagonal,
    /// SKUs grow by a power of two while groups grow by one.
    Stride,
}

impl Family {
    /// The usual one first.
    pub(super) const ALL: [Self; 5] =
        [Self::Random, Self::Golden, Self::Row, Self::Diagonal, Self::Stride];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Golden => "golden",
            Self::Row => "row",
            Self::Diagonal => "diagonal",
            Self::Stride => "stride",
        }
    }

    /// The SKU of each user, among so many.
    pub(super) fn choose(self, users: u32, skus: u32) -> Vec<u32> {
        let mut of_group = (u32::MAX, FIRST_SLOT);
        let choose = |user: u32| {
            let group = user / GROUP;
            match self {
                Self::Random => FIRST_SLOT + (spread(u64::from(user)) % u64::from(skus)) as u32,
                Self::Row => FIRST_SLOT,
                Self::Diagonal => FIRST_SLOT + group % skus,
                Self::Stride => FIRST_SLOT + (group * 64 + group * 64 / skus) % skus,
                Self::Golden => {
                    if of_group.0 != group {
                        let slots = FIRST_SLOT..FIRST_SLOT + skus;
                        let first = slots.min_by_key(|slot| golden(*slot, group));
                        of_group = (group, first.unwrap_or(FIRST_SLOT));
                    }
                    of_group.1
                }
            }
        };
        (0..users).map(choose).collect()
    }
}

/// A product with a fixed factor of 128 bits, its halves folded, and of that what chose the line.
fn golden(sku: u32, group: u32) -> u64 {
    const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    let number = (u128::from(sku) << 32) | u128::from(group);
    let product = number.wrapping_mul(FACTOR);
    ((product as u64) ^ ((product >> 64) as u64)) >> 35
}

/// Numbers without a rule that are the same each time.
fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_chooses_among_the_skus_that_there_are() {
        for family in Family::ALL {
            let chosen = family.choose(4_000, 100);
            let known = |sku: &u32| (FIRST_SLOT..FIRST_SLOT + 100).contains(sku);
            assert!(chosen.len() == 4_000 && chosen.iter().all(known), "{family:?}");
        }
    }

    /// In a table spread by that multiplication the pairs lie in a hundredth of it.
    #[test]
    fn golden_pairs_lie_together_where_the_hash_has_no_secret() {
        let chosen = Family::Golden.choose(8_000, 1_000);
        let lines = chosen.iter().zip(0_u32..).map(|(sku, user)| golden(*sku, user / GROUP));
        let near = lines.filter(|line| *line < (1 << 29) / 100).count();
        assert!(near > 7_900, "{near} of 8000");
    }
}
