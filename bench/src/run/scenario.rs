//! What the crowd does: which request is the n-th, and what a buyer does after winning.
//!
//! Owns choices, all of them from seed and number, so that a run can be told again and its orders
//! compared afterwards without keeping them. Never sends anything. Next: `drive`, `check`.

use super::noise::Noise;
use serde::{Deserialize, Serialize};

/// A kind of day in a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// A SKU opens, a crowd comes, most lose, winners pay or let go
    FlashSale,
    /// Orders of a SKU that nobody can exhaust
    Steady,
    /// Orders of a SKU that has nothing left
    SoldOut,
    /// Orders over many SKUs, few of them wanted by most
    Zipf,
    /// Orders, payments, cancellations and reads over many SKUs
    Mixed,
}

/// One request in kind. `number` is that of the order it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Order { number: u64 },
    Act { number: u64, verb: Verb },
    ReadOrder { number: u64 },
    ReadSku { sku: u32 },
    ReadKey { number: u64 },
}

/// What is done to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Confirm,
    Cancel,
}

/// An order to be asked for: one unit of each SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// The request that asked for it first: another than its own for one that is asked again.
    pub(crate) number: u64,
    pub(crate) user: u64,
    pub(crate) key: u64,
    pub(crate) skus: Vec<u32>,
}

/// How far back somebody asks again, in requests.
const AGAIN_MAX: u64 = 100;
/// Of a hundred, how many ask again with the key of before, and how many with another.
const SAME_KEY_PERCENT: u64 = 5;
const SAME_USER_PERCENT: u64 = 10;

/// Everything about a run that its requests are made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    /// Tells this run's users, keys and SKUs from those of others.
    pub(crate) run: String,
    /// Units of each SKU at the start.
    pub(crate) stock: u64,
    /// For each SKU the share of wishes up to and including it.
    shares: Vec<f64>,
}

impl Plan {
    pub(crate) fn new(
        scenario: Scenario,
        seed: u64,
        run: String,
        skus: u32,
        exponent: f64,
        stock: u64,
    ) -> Self {
        let skus = if scenario.has_many_skus() { skus } else { 1 };
        let weights = (1..=skus).map(|rank| f64::from(rank).powf(-exponent));
        let mut shares: Vec<f64> = weights
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        let sum = shares.last().copied().unwrap_or(1.0);
        shares.iter_mut().for_each(|share| *share /= sum);
        Self { scenario, seed, run, stock, shares }
    }

    pub(crate) fn skus(&self) -> u32 {
        u32::try_from(self.shares.len()).expect("the count came as one")
    }

    pub(crate) fn sku(&self, sku: u32) -> String {
        format!("bench-{}-{sku}", self.run)
    }

    pub(crate) fn user(&self, user: u64) -> String {
        format!("u-{}-{user}", self.run)
    }

    pub(crate) fn key(&self, key: u64) -> String {
        format!("k-{}-{key}", self.run)
    }

    /// Units that a user may have of a SKU; 0 is no limit.
    pub(crate) fn per_user_limit(&self) -> u64 {
        u64::from(self.scenario == Scenario::FlashSale)
    }

    /// The scheduled request of a number. `known` are numbers of orders that are held, newest last;
    /// one that is acted on is taken out.
    pub(crate) fn scheduled(&self, number: u64, known: &mut Vec<u64>) -> What {
        let order = What::Order { number };
        if self.scenario != Scenario::Mixed {
            return order;
        }
        let noise = &mut self.noise(number);
        let roll = noise.below(100);
        if roll < 50 {
            return order;
        }
        if roll < 70 {
            return What::ReadSku { sku: self.pick_sku(noise) };
        }
        if known.is_empty() {
            return order;
        }
        let length = u64::try_from(known.len()).expect("a count fits");
        let at = usize::try_from(noise.below(length)).expect("below a length");
        match roll {
            70..80 => What::ReadOrder { number: known[at] },
            80..92 => What::Act { number: known.swap_remove(at), verb: Verb::Confirm },
            92..97 => What::Act { number: known.swap_remove(at), verb: Verb::Cancel },
            _ => What::ReadKey { number: known[at] },
        }
    }

    /// The order that a request asks for.
    pub(crate) fn order(&self, number: u64) -> Order {
        let noise = &mut self.noise(number);
        // Apart from the choice of a kind in `scheduled`.
        noise.next();
        if self.scenario == Scenario::FlashSale && number > 0 {
            let back = 1 + noise.below(AGAIN_MAX.min(number));
            let roll = noise.below(100);
            if roll < SAME_KEY_PERCENT {
                return self.order(number - back);
            }
            if roll < SAME_KEY_PERCENT + SAME_USER_PERCENT {
                let user = self.order(number - back).user;
                return Order { number, user, key: number, skus: vec![0] };
            }
        }
        let lines = match self.scenario {
            Scenario::Zipf => 1 + noise.below(3),
            Scenario::Mixed => 1 + noise.below(2),
            _ => 1,
        };
        let mut skus: Vec<u32> = (0..lines).map(|_| self.pick_sku(noise)).collect();
        skus.sort_unstable();
        skus.dedup();
        Order { number, user: number, key: number, skus }
    }

    /// What a winner does, and after how many nanoseconds; most pay.
    pub(crate) fn after_winning(&self, number: u64) -> Option<(u64, What)> {
        if self.scenario != Scenario::FlashSale {
            return None;
        }
        let noise = &mut Noise::of(!self.seed, number);
        let think_ms = (50.0 + 300.0 * noise.exponential()).min(3_000.0);
        let verb = match noise.below(10) {
            0..7 => Verb::Confirm,
            7..9 => Verb::Cancel,
            _ => return None,
        };
        Some(((think_ms * 1e6) as u64, What::Act { number, verb }))
    }

    fn noise(&self, number: u64) -> Noise {
        Noise::of(self.seed, number)
    }

    fn pick_sku(&self, noise: &mut Noise) -> u32 {
        let unit = noise.unit();
        let at = self.shares.partition_point(|share| *share <= unit);
        u32::try_from(at.min(self.shares.len() - 1)).expect("the count came as one")
    }
}

impl Scenario {
    /// Whether it sells many SKUs, and not one.
    pub(crate) fn has_many_skus(self) -> bool {
        matches!(self, Self::Zipf | Self::Mixed)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FlashSale => "flash-sale",
            Self::Steady => "steady",
            Self::SoldOut => "sold-out",
            Self::Zipf => "zipf",
            Self::Mixed => "mixed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(scenario: Scenario) -> Plan {
        Plan::new(scenario, 7, "r".to_owned(), 100, 1.1, 10)
    }

    #[test]
    fn orders_are_those_of_seed_and_number() {
        for scenario in [Scenario::FlashSale, Scenario::Steady, Scenario::Zipf, Scenario::Mixed] {
            let (one, other) = (plan(scenario), plan(scenario));
            for number in 0..1000 {
                let order = one.order(number);
                assert_eq!(order, other.order(number));
                assert_eq!(one.order(order.number), order, "an origin is its own");
                assert!(!order.skus.is_empty() && order.skus.is_sorted());
            }
        }
    }

    #[test]
    fn some_of_a_crowd_ask_again() {
        let plan = plan(Scenario::FlashSale);
        let orders: Vec<Order> = (0..10_000).map(|number| plan.order(number)).collect();
        let numbered = orders.iter().zip(0..);
        let same_key = numbered.clone().filter(|(order, number)| order.key != *number).count();
        let same_user = numbered
            .filter(|(order, number)| order.key == *number && order.user != *number)
            .count();
        assert!((400..600).contains(&same_key), "{same_key}");
        assert!((850..1150).contains(&same_user), "{same_user}");
    }

    #[test]
    fn few_skus_are_wanted_by_most() {
        let plan = plan(Scenario::Zipf);
        let mut wishes = vec![0_u64; 100];
        for number in 0..10_000 {
            for sku in plan.order(number).skus {
                wishes[usize::try_from(sku).unwrap()] += 1;
            }
        }
        let first: u64 = wishes[..10].iter().sum();
        assert!(first * 2 > wishes.iter().sum(), "{wishes:?}");
        assert!(wishes.iter().filter(|wishes| **wishes > 0).count() > 90, "{wishes:?}");
    }

    #[test]
    fn what_is_acted_on_is_acted_on_once() {
        let plan = plan(Scenario::Mixed);
        let mut known: Vec<u64> = (0..500).collect();
        let mut acted = std::collections::BTreeSet::new();
        for number in 0..2_000 {
            if let What::Act { number, .. } = plan.scheduled(number, &mut known) {
                assert!(acted.insert(number), "{number} twice");
            }
        }
        assert!(acted.len() > 200, "{}", acted.len());
    }
}
