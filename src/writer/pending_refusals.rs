//! Refusals that the journal does not know yet, counted by SKU and reason.
//!
//! Once a second some of them are told, in one small event, so that the demand a shop could not
//! serve shows while the sale runs. A client chooses which SKUs it is refused, so what is told in a
//! second is bounded, not what is counted: of more pairs of SKU and reason than that, each has its
//! turn. Never holds more pairs than there are SKUs and reasons. Next: `refusal_counts`.

use crate::domain::model::event::{Event, RefusalCount};
use crate::domain::model::ids::{SkuId, Stamp};
use crate::domain::model::sku::RefusalReason;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Refusals are told this long after the first of them, and after those before.
pub const TOLD_EVERY_MS: u64 = 1_000;

/// Pairs of SKU and reason that one event tells; a record of these fits a frame by far.
pub const TOLD_PAIRS_MAX: usize = 256;

type Pair = (SkuId, RefusalReason);

/// Refusals that the journal does not know yet.
#[derive(Debug, Default)]
pub(super) struct PendingRefusals {
    counts: BTreeMap<Pair, u64>,
    /// The last pair of the last event: those after it have their turn next, then the first again.
    told: Option<Pair>,
    due_at: Option<Stamp>,
}

impl PendingRefusals {
    /// Counts refusals of a SKU that exists.
    pub(super) fn count(&mut self, sku: &SkuId, reason: RefusalReason, more: u64, now: Stamp) {
        *self.counts.entry((sku.clone(), reason)).or_default() += more;
        self.due_at.get_or_insert(now + TOLD_EVERY_MS);
    }

    /// When some must be told.
    pub(super) const fn due_at(&self) -> Option<Stamp> {
        self.due_at
    }

    /// Says whether they have waited long enough.
    pub(super) fn is_due(&self, now: Stamp) -> bool {
        self.due_at.is_some_and(|due_at| now >= due_at)
    }

    /// The next event, if there is anything to tell.
    pub(super) fn take(&mut self, now: Stamp) -> Option<Event> {
        let pairs = self.next_pairs();
        self.told = pairs.last().cloned();
        let event = self.take_these(pairs);
        self.due_at = (!self.counts.is_empty()).then_some(now + TOLD_EVERY_MS);
        event
    }

    fn next_pairs(&self) -> Vec<Pair> {
        let from = self.told.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.counts.range((from, Bound::Unbounded));
        let again = self.told.as_ref().map(|told| self.counts.range(..=told));
        let pairs = behind.chain(again.into_iter().flatten()).map(|(pair, _)| pair);
        pairs.take(TOLD_PAIRS_MAX).cloned().collect()
    }

    /// The event of one SKU, if there is anything to tell of it.
    pub(super) fn take_of(&mut self, sku: &SkuId) -> Option<Event> {
        let first = (sku.clone(), RefusalReason::ALL[0]);
        let of_sku = self.counts.range(first..).take_while(|((of, _), _)| of == sku);
        let pairs = of_sku.map(|(pair, _)| pair.clone()).collect();
        let event = self.take_these(pairs);
        self.due_at = self.due_at.filter(|_| !self.counts.is_empty());
        event
    }

    fn take_these(&mut self, mut pairs: Vec<Pair>) -> Option<Event> {
        pairs.sort_unstable();
        let taken = |pair: Pair| {
            let count = self.counts.remove(&pair)?;
            let (sku, reason) = pair;
            Some(RefusalCount { sku, reason, count })
        };
        let counts: Vec<_> = pairs.into_iter().filter_map(taken).collect();
        (!counts.is_empty()).then_some(Event::RefusalsCounted(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(number: usize) -> SkuId {
        SkuId::parse(&format!("sku-{number:05}")).unwrap()
    }

    fn told(event: Option<Event>) -> Vec<RefusalCount> {
        match event {
            None => Vec::new(),
            Some(Event::RefusalsCounted(counts)) => counts,
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn refusals_are_told_a_second_after_the_first_of_them() {
        let mut pending = PendingRefusals::default();
        assert_eq!(pending.take(10), None);
        pending.count(&sku(1), RefusalReason::SoldOut, 1, 10);
        pending.count(&sku(1), RefusalReason::SoldOut, 2, 500);
        assert!(!pending.is_due(1009) && pending.is_due(1010));
        assert_eq!(pending.due_at(), Some(1010));
        let count = RefusalCount { sku: sku(1), reason: RefusalReason::SoldOut, count: 3 };
        assert_eq!(told(pending.take(1010)), [count]);
        assert_eq!((pending.due_at(), pending.take(1010)), (None, None));
        pending.count(&sku(1), RefusalReason::SoldOut, 1, 1011);
        assert_eq!(pending.due_at(), Some(2011));
    }

    /// Those of the first SKUs that come again and again keep no others from their turn.
    #[test]
    fn of_more_pairs_than_an_event_tells_each_has_its_turn() {
        let mut pending = PendingRefusals::default();
        let skus = 2 * TOLD_PAIRS_MAX + 3;
        (0..skus).for_each(|number| pending.count(&sku(number), RefusalReason::Paused, 1, 0));
        let mut counted = vec![1; skus];
        let mut heard = BTreeMap::new();
        let mut now = 0;
        for _ in 0..3 {
            now += TOLD_EVERY_MS;
            assert!(pending.is_due(now) && !pending.is_due(now - 1));
            let counts = told(pending.take(now));
            assert_eq!(counts.len(), TOLD_PAIRS_MAX);
            assert!(counts.is_sorted_by_key(|of| of.sku.clone()), "in the order of the SKUs");
            counts.into_iter().for_each(|of| *heard.entry(of.sku).or_insert(0) += of.count);
            for (number, counted) in counted.iter_mut().enumerate().take(TOLD_PAIRS_MAX) {
                pending.count(&sku(number), RefusalReason::Paused, 1, now);
                *counted += 1;
            }
        }
        assert_eq!(heard.len(), skus, "each was told");
        while let Some(event) = pending.take(now) {
            let counts = told(Some(event)).into_iter();
            counts.for_each(|of| *heard.entry(of.sku).or_insert(0) += of.count);
        }
        assert_eq!(heard.into_values().collect::<Vec<_>>(), counted);
        assert_eq!(pending.due_at(), None);
    }

    #[test]
    fn those_of_a_sku_that_goes_are_told_alone() {
        let mut pending = PendingRefusals::default();
        for number in 1..=3 {
            pending.count(&sku(number), RefusalReason::Paused, 1, 0);
            pending.count(&sku(number), RefusalReason::SoldOut, 2, 0);
        }
        let counts = told(pending.take_of(&sku(2)));
        assert!(counts.iter().all(|of| of.sku == sku(2)), "{counts:?}");
        assert_eq!(counts.iter().map(|of| of.count).sum::<u64>(), 3);
        assert_eq!((pending.take_of(&sku(2)), pending.counts.len()), (None, 4));
        assert_eq!(pending.due_at(), Some(TOLD_EVERY_MS));
        assert!(pending.take_of(&sku(1)).is_some() && pending.take_of(&sku(3)).is_some());
        assert_eq!(pending.due_at(), None, "nothing is left to tell");
    }
}
