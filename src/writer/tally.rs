//! Refusals on their way into the journal, the edge's too: counted by SKU and reason, told in one small
//! event.
//!
//! They ride with the next frame that is stored anyway. Where only refusals come, they wait for a
//! second at most and are then stored on their own, so that the demand a shop could not serve
//! shows while the sale runs.

use super::Core;
use crate::domain::answer::{Answer, Answered};
use crate::domain::command::Request;
use crate::domain::event::{Event, RefusalCount};
use crate::domain::ids::{SkuId, Stamp};
use crate::domain::refusals;
use crate::domain::sku::RefusalReason;
use crate::planted::{Bug, planted};
use crate::ring::HandedIn;
use doorbuster_journal::Disk;
use std::collections::BTreeMap;

/// Refusals wait this long at most.
const AGE_MS_MAX: u64 = 1_000;
/// Pairs of SKU and reason that one event tells; a record of these fits a frame by far.
const PAIRS_MAX: usize = 256;

/// Refusals that the journal does not know yet.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(SkuId, RefusalReason), u64>,
    since: Option<Stamp>,
}

impl Tally {
    /// Counts refusals; a new pair of a full tally is lost, which happens only while the journal
    /// has no room to tell it.
    pub(super) fn count(&mut self, sku: &SkuId, reason: RefusalReason, more: u64, now: Stamp) {
        let full = self.is_full();
        let key = (sku.clone(), reason);
        match self.counts.get_mut(&key) {
            Some(count) => *count += more,
            None if full => return,
            None => drop(self.counts.insert(key, more)),
        }
        self.since.get_or_insert(now);
    }

    /// It must be told before more is counted.
    pub(super) fn is_full(&self) -> bool {
        self.counts.len() >= PAIRS_MAX
    }

    /// When they must be told.
    pub(super) fn due_at(&self) -> Option<Stamp> {
        self.since.map(|since| since + AGE_MS_MAX)
    }

    /// They have waited long enough.
    pub(super) fn is_due(&self, now: Stamp) -> bool {
        self.due_at().is_some_and(|due_at| now >= due_at)
    }

    /// The event, if there is anything to tell.
    pub(super) fn take(&mut self) -> Option<Event> {
        self.since = None;
        let counts = std::mem::take(&mut self.counts);
        let told = |((sku, reason), count)| RefusalCount { sku, reason, count };
        let mut counts: Vec<_> = counts.into_iter().map(told).collect();
        if planted(Bug::HashOrder) {
            counts.sort_by_key(|of| of.count.wrapping_mul(0x9E37_79B9) ^ of.reason as u64);
        }
        (!counts.is_empty()).then_some(Event::RefusalsCounted(counts))
    }
}

impl<D: Disk> Core<D> {
    pub(super) fn count_refusal(&mut self, request: &Request, answered: &Answered) {
        if let Answer::Refused(refusal) = &answered.answer {
            self.keep_refusal(request, refusal);
            for (sku, reason) in refusals::counted(&request.command, refusal) {
                self.tally.count(sku, reason, 1, self.now);
                self.watch.refused(reason);
            }
            if self.tally.is_full() {
                self.tell_refusals();
            }
        }
    }

    /// Those of a SKU that is gone go with it: its id may be another's.
    pub(super) fn count_handed_in(&mut self, refusals: &HandedIn) {
        let HandedIn { sku, created, count } = refusals;
        let slot = self.state.skus.find(sku);
        if slot.is_none_or(|slot| self.state.skus[slot].created_sequence != *created) {
            return;
        }
        self.tally.count(sku, RefusalReason::SoldOut, *count, self.now);
        if self.tally.is_full() {
            self.tell_refusals();
        }
    }

    pub(super) fn tell_refusals(&mut self) {
        if self.room.for_new()
            && let Some(event) = self.tally.take()
        {
            self.record(None, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_ride_with_a_frame_or_wait_a_second() {
        let mut tally = Tally::default();
        let sku = SkuId::parse("A").unwrap();
        assert_eq!(tally.take(), None);
        tally.count(&sku, RefusalReason::SoldOut, 1, 10);
        tally.count(&sku, RefusalReason::SoldOut, 2, 500);
        assert!(!tally.is_due(1009) && tally.is_due(1010));
        assert_eq!(tally.due_at(), Some(1010));
        let count = RefusalCount { sku, reason: RefusalReason::SoldOut, count: 3 };
        assert_eq!(tally.take(), Some(Event::RefusalsCounted(vec![count])));
        assert_eq!((tally.due_at(), tally.take()), (None, None));
    }

    #[test]
    fn a_tally_of_many_skus_says_that_it_is_full() {
        let mut tally = Tally::default();
        for number in 0..PAIRS_MAX {
            assert!(!tally.is_full());
            let sku = SkuId::parse(&format!("sku-{number}")).unwrap();
            tally.count(&sku, RefusalReason::Paused, 1, 0);
        }
        assert!(tally.is_full());
        tally.count(&SkuId::parse("one-more").unwrap(), RefusalReason::Paused, 1, 0);
        assert_eq!(tally.counts.len(), PAIRS_MAX);
    }
}
