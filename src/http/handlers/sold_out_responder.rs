//! Refusals that this IO thread gave by itself, until the writer has them.
//!
//! Owns what was refused here and is not handed in yet: a bounded list, handed to the writer once a
//! second and when this thread ends. Never decides: see `sold_out` and `edge`.

use super::submit::Submit;
use crate::domain::model::ids::{Sequence, SkuId};
use crate::edge::{Edge, SoldOutCheck};
use crate::ring::{REFUSAL_REPORTS_MAX, RefusalReport};
use std::cell::{Cell, RefCell};

/// Refusals wait this long before they are handed in.
const HAND_IN_MS: u64 = 1_000;

/// One IO thread's refusals.
#[derive(Debug)]
pub(in crate::http) struct SoldOutResponder {
    pub(super) check: SoldOutCheck,
    counted: RefCell<Vec<RefusalReport>>,
    /// When the first of them was counted, on the clock of `Worker`.
    since_ms: Cell<u64>,
}

impl SoldOutResponder {
    pub(in crate::http) fn at(edge: &Edge) -> Self {
        let counted = RefCell::new(Vec::with_capacity(REFUSAL_REPORTS_MAX));
        Self { check: SoldOutCheck::of(edge), counted, since_ms: Cell::new(0) }
    }

    /// Hands in what has waited long enough; with `all`, everything.
    pub(in crate::http) fn report_refusals(&self, lane: &impl Submit, now_ms: u64, all: bool) {
        let mut counted = self.counted.borrow_mut();
        let due = all || now_ms.saturating_sub(self.since_ms.get()) >= HAND_IN_MS;
        if due && !counted.is_empty() {
            // Where the writer is behind, they wait on.
            lane.report_refusals(&mut counted, false);
        }
    }

    /// This thread refuses no more: hands in everything.
    pub(in crate::http) fn end(&self, lane: &impl Submit) {
        let taken = lane.report_refusals(&mut self.counted.borrow_mut(), true);
        assert!(taken, "there is always room for the last");
    }

    /// Counts a refusal; false where that is not possible.
    pub(super) fn count(
        &self,
        lane: &impl Submit,
        now_ms: u64,
        sku: &SkuId,
        created: Sequence,
    ) -> bool {
        let mut counted = self.counted.borrow_mut();
        let same = |counted: &&mut RefusalReport| counted.sku == *sku && counted.created == created;
        if let Some(counted) = counted.iter_mut().find(same) {
            counted.count += 1;
            return true;
        }
        if counted.len() == REFUSAL_REPORTS_MAX && !lane.report_refusals(&mut counted, false) {
            return false;
        }
        if counted.is_empty() {
            self.since_ms.set(now_ms);
        }
        counted.push(RefusalReport { sku: sku.clone(), created, count: 1 });
        true
    }
}
