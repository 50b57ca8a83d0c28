//! A draw: what may be won, how likely, and how chance is made so that anyone can check it (API 4).
//!
//! Owns the odds, the commitment and the roll. The roll is a function of the secret seed, the draw,
//! the number of the entry, the user and what the user added; all randomness there is came in with
//! the seed. Never touches stock: that is `decide_draw` and `apply_draw`. Next: `entries`, `draws`,
//! the table.

use super::ids::{DrawId, PRIZES_MAX, SkuId, Stamp, UserId, WEIGHT_MAX};
use super::words::words;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The secret that a draw commits to before its first entry and reveals when it is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// SHA-256 of the seed.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

/// Shows what may be shown: a seed in a message would end the secret.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A seed, and what was told of it when the draw was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedCommitment {
    pub seed: Seed,
    /// Its SHA-256, if neither was changed.
    pub commitment: [u8; 32],
}

impl SeedCommitment {
    /// Commits to a seed.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, commitment: seed.commitment() }
    }
}

/// A SKU that may be won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prize {
    /// One unit of it.
    pub sku: SkuId,
    /// Its share of all weights, 0..=`WEIGHT_MAX`.
    pub weight: u64,
}

/// Why prizes and weights are no odds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddsError {
    /// Not 1..=`PRIZES_MAX` prizes.
    Count,
    /// A weight above `WEIGHT_MAX`.
    Weight,
    /// Nothing has any weight.
    Nothing,
    /// A prize has the SKU of an earlier one; its place.
    Twice(usize),
}

/// Prizes with their weights, and the weight of a blank; something can always be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odds {
    prizes: Vec<Prize>,
    blank_weight: u64,
}

impl Odds {
    /// Takes prizes in the order in which a pick walks over them.
    ///
    /// # Errors
    /// `OddsError` when a rule of API 4 is broken.
    pub fn new(prizes: Vec<Prize>, blank_weight: u64) -> Result<Self, OddsError> {
        if !(1..=PRIZES_MAX).contains(&prizes.len()) {
            return Err(OddsError::Count);
        }
        if blank_weight > WEIGHT_MAX || prizes.iter().any(|prize| prize.weight > WEIGHT_MAX) {
            return Err(OddsError::Weight);
        }
        for (place, prize) in prizes.iter().enumerate() {
            if prizes[..place].iter().any(|earlier| earlier.sku == prize.sku) {
                return Err(OddsError::Twice(place));
            }
        }
        let odds = Self { prizes, blank_weight };
        if odds.total() == 0 { Err(OddsError::Nothing) } else { Ok(odds) }
    }

    /// What may be won, in declared order.
    #[must_use]
    pub fn prizes(&self) -> &[Prize] {
        &self.prizes
    }

    /// The weight of winning nothing.
    #[must_use]
    pub const fn blank_weight(&self) -> u64 {
        self.blank_weight
    }

    /// The sum of all weights, 1..=101,000,000,000.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.prizes.iter().map(|prize| prize.weight).sum::<u64>() + self.blank_weight
    }

    /// Walks over the prizes, then the blank; none = blank.
    fn at(&self, mut point: u64) -> Pick {
        for (place, prize) in self.prizes.iter().enumerate() {
            if point < prize.weight {
                return Some(u8::try_from(place).expect("prizes are at most 100"));
            }
            point -= prize.weight;
        }
        assert!(point < self.blank_weight, "a point is below the sum of the weights");
        None
    }
}

/// The place of the prize that was picked; none = blank.
pub type Pick = Option<u8>;

/// What is fixed when a draw is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What may be won, and how likely.
    pub odds: Odds,
    /// Hold of a win in milliseconds; none = the SKU's.
    pub hold_ms: Option<u64>,
    /// A win is sold at once.
    pub sell: bool,
}

/// What may change until a draw is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Entries of one user at most; 0 = no limit.
    pub entries_per_user: u64,
    /// Entries are refused before.
    pub opens_at: Option<Stamp>,
    /// Entries are refused from then on.
    pub closes_at: Option<Stamp>,
}

words! {
    /// The outcome of an entry.
    pub enum Reason {
        /// The pick is the user's.
        Won = 0 "won",
        /// Nothing was picked.
        Blank = 1 "blank",
        /// The pick was gone.
        NoStock = 2 "no_stock",
        /// The user may not have more of the pick.
        UserLimit = 3 "user_limit",
        /// The pick's own sale had not begun.
        NotOpen = 4 "not_open",
        /// The pick's own sale was over.
        Closed = 5 "closed",
        /// The pick's own sale was paused.
        Paused = 6 "paused",
    }
}

impl Reason {
    /// The word for winning or not.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        if matches!(self, Self::Won) { "won" } else { "lost" }
    }
}

/// Whose entry is rolled for.
#[derive(Debug, Clone, Copy)]
pub struct Ticket<'t> {
    /// In which draw.
    pub draw: &'t DrawId,
    /// Its number in the draw, from 1.
    pub number: u32,
    pub user: &'t UserId,
    /// What the user added.
    pub client_seed: Option<&'t str>,
}

fn hmac(seed: &Seed, message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&seed.0).expect("a key of any length is a key");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// What a ticket picks: the only place where chance is.
#[must_use]
pub fn roll(seed: &Seed, ticket: Ticket<'_>, odds: &Odds) -> Pick {
    let mut message = Vec::with_capacity(256);
    message.extend_from_slice(ticket.draw.as_str().as_bytes());
    message.push(0);
    message.extend_from_slice(ticket.number.to_string().as_bytes());
    message.push(0);
    message.extend_from_slice(ticket.user.as_str().as_bytes());
    if let Some(client_seed) = ticket.client_seed {
        message.push(0);
        message.extend_from_slice(client_seed.as_bytes());
    }
    let first = hmac(seed, &message);
    let digests = std::iter::successors(Some(first), |digest| Some(hmac(seed, digest)));
    let rolls = digests.flat_map(|digest| {
        let (words, _) = digest.as_chunks::<8>();
        [words[0], words[1], words[2], words[3]].map(u64::from_be_bytes)
    });
    odds.at(point(rolls, odds.total()))
}

/// The first roll that favours no prize, within `total`: those at or beyond its last whole multiple
/// below 2^64 are passed over.
fn point(mut rolls: impl Iterator<Item = u64>, total: u64) -> u64 {
    let end = ((1_u128 << 64) / u128::from(total)) * u128::from(total);
    let fair = rolls.find(|roll| u128::from(*roll) < end).expect("rolls never end");
    fair % total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odds(weights: &[u64], blank_weight: u64) -> Result<Odds, OddsError> {
        let prize = |(place, weight): (usize, &u64)| Prize {
            sku: SkuId::parse(&format!("p{place}")).unwrap(),
            weight: *weight,
        };
        Odds::new(weights.iter().enumerate().map(prize).collect(), blank_weight)
    }

    #[test]
    fn odds_are_those_of_the_contract_or_none() {
        assert!(odds(&[1], 0).is_ok() && odds(&[0], 1).is_ok());
        assert!(odds(&[WEIGHT_MAX; PRIZES_MAX], WEIGHT_MAX).is_ok());
        assert_eq!(odds(&[], 1), Err(OddsError::Count));
        assert_eq!(odds(&[1; PRIZES_MAX + 1], 1), Err(OddsError::Count));
        assert_eq!(odds(&[WEIGHT_MAX + 1], 1), Err(OddsError::Weight));
        assert_eq!(odds(&[1], WEIGHT_MAX + 1), Err(OddsError::Weight));
        assert_eq!(odds(&[0, 0], 0), Err(OddsError::Nothing));
        let prize = Prize { sku: SkuId::parse("A").unwrap(), weight: 1 };
        assert_eq!(Odds::new(vec![prize.clone(), prize], 0), Err(OddsError::Twice(1)));
    }

    /// A point walks over the prizes in declared order then the blank.
    #[test]
    fn a_point_walks_over_the_prizes_in_order_then_the_blank() {
        let odds = odds(&[1, 0, 2], 3).unwrap();
        let picks: Vec<Pick> = (0..6).map(|point| odds.at(point)).collect();
        assert_eq!(picks, [Some(0), Some(2), Some(2), None, None, None]);
    }

    #[test]
    fn rolls_that_would_favour_somebody_are_passed_over() {
        let check = |rolls: &[u64], total, expected| {
            assert_eq!(point(rolls.iter().copied(), total), expected, "{rolls:?} of {total}");
        };
        // 2^64 = 3 * 6148914691236517205 + 1: only the last roll is left over.
        check(&[u64::MAX, 4], 3, 1);
        check(&[u64::MAX - 1], 3, 2);
        // A power of two leaves nothing over.
        check(&[u64::MAX], 1 << 40, (1 << 40) - 1);
        check(&[u64::MAX], 1, 0);
        let total = 101_000_000_000;
        let end = ((1_u128 << 64) / total * total) as u64;
        check(&[end, u64::MAX, end - 1], total as u64, total as u64 - 1);
    }

    /// A roll is a function of seed draw number user and client seed. The values come from another
    /// implementation, see `tests/rules/draws.rs` for one in Rust.
    #[test]
    fn a_roll_depends_on_its_seeds_draw_number_and_user() {
        let seed = Seed(std::array::from_fn(|at| at as u8));
        let odds = odds(&[WEIGHT_MAX; PRIZES_MAX], 0).unwrap();
        let (draw, user) = (DrawId::parse("d1").unwrap(), UserId::parse("u=1").unwrap());
        let check = |number, client_seed, expected| {
            let ticket = Ticket { draw: &draw, number, user: &user, client_seed };
            assert_eq!(roll(&seed, ticket, &odds), Some(expected), "{ticket:?}");
        };
        check(1, None, PICKS[0]);
        check(1, Some(""), PICKS[1]);
        check(1, Some("luck"), PICKS[2]);
        check(4_000_000_000, None, PICKS[3]);
        assert_eq!(format!("{seed:?}"), "Seed(..)");
        assert_eq!(seed.commitment()[..4], COMMITMENT);
    }

    const PICKS: [u8; 4] = [20, 93, 66, 80];
    const COMMITMENT: [u8; 4] = [0x63, 0x0d, 0xcd, 0x29];
}
