//! Refusals on their way into the journal, the edge's too.
//!
//! Owns which refusals the writer counts, and when it tells them. Next: `pending_refusals`.

use super::Core;
use crate::domain::model::answer::{Answer, Answered};
use crate::domain::model::command::Request;
use crate::domain::model::ids::SkuId;
use crate::domain::model::sku::RefusalReason;
use crate::domain::rules::refusal_counts;
use crate::ring::RefusalReport;
use doorbuster_journal::Disk;

impl<D: Disk> Core<D> {
    pub(super) fn count_refusal(&mut self, request: &Request, answered: &Answered) {
        if let Answer::Refused(refusal) = &answered.answer {
            self.keep_refusal(request, refusal);
            for (sku, reason) in refusal_counts::counted(&request.command, refusal) {
                self.pending.count(sku, reason, 1, self.now);
                self.watch.refused(reason);
            }
        }
    }

    /// Counts refusals of an IO thread. Those of a deleted SKU are dropped: its id may be
    /// another's.
    pub(super) fn count_reported(&mut self, refusals: &RefusalReport) {
        let RefusalReport { sku, created, count } = refusals;
        let slot = self.state.skus.find(sku);
        if slot.is_none_or(|slot| self.state.skus[slot].created_sequence != *created) {
            return;
        }
        self.pending.count(sku, RefusalReason::SoldOut, *count, self.now);
    }

    /// Tells those whose turn it is.
    pub(super) fn record_refusals(&mut self) {
        if self.room.for_new()
            && let Some(event) = self.pending.take(self.now)
        {
            self.record(None, event);
        }
    }

    /// Tells those of a SKU that is to go, before its id can be another's.
    pub(super) fn tell_refusals_of(&mut self, sku: &SkuId) {
        if let Some(event) = self.pending.take_of(sku) {
            self.record(None, event);
        }
    }

    /// Tells all that are left, as far as there is room.
    pub(super) fn tell_all_refusals(&mut self) {
        while self.pending.due_at().is_some() && self.room.for_new() && self.failure.is_none() {
            self.record_refusals();
        }
    }
}
