//! How SKUs stood lately: what refusals of the sold-out edge are compared with, which are journaled
//! some time after the state that they name.
//!
//! Owns the units of each SKU at each sequence of the last stretch of a replay, and no more of them
//! than that stretch has changes. Never decides. Next: `recheck`.

use crate::domain::model::draw::Reason;
use crate::domain::model::event::{Event, Record};
use crate::domain::model::ids::{OrderId, Sequence, SkuId};
use crate::domain::state::tables::State;
use std::collections::{BTreeMap, VecDeque};

/// Changes are kept for so many sequences; a refusal is journaled within two seconds.
const STRETCH: Sequence = 1_000_000;

/// How a SKU stood from a sequence on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    from: Sequence,
    /// Available and held units; none where there was no such SKU.
    units: Option<(u64, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Shelves {
    skus: BTreeMap<SkuId, VecDeque<Standing>>,
    /// The SKUs that the last record may have changed.
    touched: Vec<SkuId>,
    /// The first sequence that was seen.
    began: Option<Sequence>,
}

impl Shelves {
    /// Takes note of the state after the last record.
    pub(super) fn catch_up(&mut self, state: &State) {
        self.began.get_or_insert(state.sequence);
        for sku in std::mem::take(&mut self.touched) {
            let standing = Standing { from: state.sequence, units: units(state, &sku) };
            let kept = self.skus.entry(sku).or_default();
            if kept.back().is_none_or(|last| last.units != standing.units) {
                kept.push_back(standing);
            }
            while kept.get(1).is_some_and(|second| second.from + STRETCH < state.sequence) {
                kept.pop_front();
            }
        }
    }

    /// Takes note of a record that is about to be applied.
    pub(super) fn note(&mut self, state: &State, record: &Record) {
        match &record.event {
            Event::OrderCreated(created) => {
                created.lines.iter().for_each(|line| self.touch(state, &line.sku));
            }
            Event::EntryMade(made) if made.reason == Reason::Won => {
                let draw = state.draws.find(&made.draw).map(|slot| &state.draws[slot]);
                if let Some(sku) = draw.and_then(|draw| draw.picked(made.pick)) {
                    self.touch(state, sku);
                }
            }
            Event::SkuPut(put) => self.touch(state, &put.sku),
            Event::SkuAdjusted(adjusted) => self.touch(state, &adjusted.sku),
            Event::SkuDeleted(deleted) => self.touch(state, &deleted.sku),
            event => {
                if let Some(order) = event.order() {
                    self.touch_order(state, order);
                }
            }
        }
    }

    fn touch_order(&mut self, state: &State, order: OrderId) {
        let Some(slot) = state.orders.find(order) else { return };
        let lines = state.orders[slot].lines.iter();
        lines.for_each(|line| self.touch(state, &state.skus[line.sku].id));
    }

    /// A SKU that changes for the first time stood until now as it stands.
    fn touch(&mut self, state: &State, sku: &SkuId) {
        if !self.skus.contains_key(sku) {
            let from = self.began.unwrap_or(state.sequence);
            let standing = Standing { from, units: units(state, sku) };
            self.skus.insert(sku.clone(), [standing].into());
        }
        self.touched.push(sku.clone());
    }

    /// Available and held units of a SKU in the state of a sequence, none where there was no such
    /// SKU.
    ///
    /// # Errors
    /// `Err` where that is not known any more.
    pub(super) fn units_at(
        &self,
        state: &State,
        sku: &SkuId,
        sequence: Sequence,
    ) -> Result<Option<(u64, u64)>, Forgotten> {
        let Some(kept) = self.skus.get(sku) else {
            let known = self.began.is_some_and(|began| sequence >= began);
            return if known { Ok(units(state, sku)) } else { Err(Forgotten) };
        };
        let then = kept.iter().rfind(|standing| standing.from <= sequence);
        then.map(|standing| standing.units).ok_or(Forgotten)
    }
}

/// A sequence that is too long ago, or before the replay began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forgotten;

fn units(state: &State, sku: &SkuId) -> Option<(u64, u64)> {
    let sku = &state.skus[state.skus.find(sku)?];
    Some((sku.available(), sku.held))
}
