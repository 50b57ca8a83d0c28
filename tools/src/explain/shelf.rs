//! A SKU that the buyer could not have: how it stood then, who held its units, and what came back
//! of them later and who got that.
//!
//! Owns how much of it is told. Reads states and records as they pass. Next: `page`.

use crate::events;
use crate::members;
use doorbuster::domain::model::answer::ShortLine;
use doorbuster::domain::model::draw::Reason;
use doorbuster::domain::model::event::{Event, Record};
use doorbuster::domain::model::ids::{OrderId, SkuId, Stamp, UserId};
use doorbuster::domain::model::kept::KeptRefusal;
use doorbuster::domain::model::order::{Order, Status};
use doorbuster::domain::state::tables::State;
use serde_json::{Value, json};

/// Orders that are named as holding units at one moment.
const HOLDERS_MAX: usize = 20;
/// Movements that are told one by one; more are counted.
const MOVES_MAX: usize = 100;

/// What is told of one SKU.
#[derive(Default)]
pub(super) struct Shelf {
    sku: Option<SkuId>,
    /// What came back and what went, in their order.
    pub(super) moves: Vec<Value>,
    pub(super) moves_left_out: u64,
    pub(super) units_back: u64,
    pub(super) units_gone: u64,
    /// The holders were listed at this sequence, and the units have not moved since.
    listed_at: Option<u64>,
}

impl Shelf {
    /// How the SKU stands, told once while it does not change. A refusal of the edge names an
    /// earlier state: its numbers are those of then, the others as of when it was journaled.
    pub(super) fn stand(
        &mut self,
        state: &State,
        line: &ShortLine,
        kept: &KeptRefusal,
    ) -> Option<Value> {
        self.sku = Some(line.sku.clone());
        let sku = &state.skus[state.skus.find(&line.sku)?];
        let mut told = json!({
            "sku": line.sku.as_str(), "seq": kept.seen, "total": sku.total,
            "available": line.available, "held": line.held, "sold": sku.sold,
        });
        if let Some(listed_at) = self.listed_at {
            told["held_by_as_at_seq"] = listed_at.into();
            return Some(told);
        }
        self.listed_at = Some(state.sequence);
        let (holders, more) = holders(state, &line.sku);
        told["held_by_at_seq"] = state.sequence.into();
        told["held_by"] = holders.into();
        told["held_by_more_orders"] = more.into();
        Some(told)
    }

    /// Takes note of what a record moves.
    pub(super) fn look(
        &mut self,
        state: &State,
        record: &Record,
        (order, at): (OrderId, Stamp),
        own: &UserId,
    ) {
        let Some(sku) = self.sku.clone() else { return };
        match &record.event {
            Event::OrderCreated(created) => {
                if let Some(line) = created.lines.iter().find(|line| line.sku == sku) {
                    let units = u64::from(line.quantity);
                    self.went(state, (units, "order_created"), (order, at), &created.user, own);
                }
            }
            Event::EntryMade(made) if made.reason == Reason::Won => {
                let draw = state.draws.find(&made.draw).map(|slot| &state.draws[slot]);
                if draw.and_then(|draw| draw.picked(made.pick)) == Some(&sku) {
                    self.went(state, (1, "entry_made"), (order, at), &made.user, own);
                }
            }
            Event::SkuPut(put) if put.sku == sku => self.restocked(state, &sku, put.stock, at),
            Event::SkuAdjusted(adjusted) if adjusted.sku == sku => {
                self.restocked(state, &sku, adjusted.total, at);
            }
            event => self.acted(state, event, (&sku, at), own),
        }
    }

    fn acted(&mut self, state: &State, event: &Event, (sku, at): (&SkuId, Stamp), own: &UserId) {
        let Some(found) = event.order().and_then(|id| state.orders.find(id)) else { return };
        let order = &state.orders[found];
        let Some(line) = order.lines.iter().find(|line| state.skus[line.sku].id == *sku) else {
            return;
        };
        let user = &state.users[order.user].id;
        let name = events::name(event);
        match event {
            Event::OrderCancelled(_) | Event::OrderExpired(_) => {
                self.came_back(state, Order::left(line), (order.id, user, at), name);
            }
            Event::OrderRefunded(refund) if refund.restock && !state.skus[line.sku].deleted => {
                let asked = refund.lines.iter().find(|asked| asked.sku == *sku);
                let units = match asked {
                    Some(asked) => u64::from(asked.quantity),
                    None if refund.lines.is_empty() => Order::left(line),
                    None => 0,
                };
                self.came_back(state, units, (order.id, user, at), name);
            }
            Event::OrderReacquired(id) => {
                let sequence = state.sequence + 1;
                self.went_at(state, (Order::left(line), name), (*id, sequence, at), user, own);
            }
            // Sold, and no longer held.
            Event::OrderConfirmed(_) => self.listed_at = None,
            _ => {}
        }
    }

    fn restocked(&mut self, state: &State, sku: &SkuId, total: u64, at: Stamp) {
        let before = state.skus.find(sku).map_or(0, |slot| state.skus[slot].total);
        if total > before {
            self.units_back += total - before;
            let sequence = state.sequence + 1;
            self.note(json!({
                "what": "came_back", "units": total - before, "by": "stock_set", "seq": sequence,
                "at": members::instant(Some(at)),
            }));
        }
    }

    fn came_back(
        &mut self,
        state: &State,
        units: u64,
        (order, user, at): (OrderId, &UserId, Stamp),
        by: &str,
    ) {
        if units > 0 {
            self.units_back += units;
            self.note(json!({
                "what": "came_back", "units": units, "by": by, "order": state.lives.text(order).to_string(),
                "user": user.as_str(), "seq": state.sequence + 1,
                "at": members::instant(Some(at)),
            }));
        }
    }

    fn went(
        &mut self,
        state: &State,
        what: (u64, &str),
        (order, at): (OrderId, Stamp),
        user: &UserId,
        own: &UserId,
    ) {
        self.went_at(state, what, (order, order.sequence, at), user, own);
    }

    fn went_at(
        &mut self,
        state: &State,
        (units, by): (u64, &str),
        (order, sequence, at): (OrderId, u64, Stamp),
        user: &UserId,
        own: &UserId,
    ) {
        self.units_gone += units;
        self.note(json!({
            "what": "went", "units": units, "by": by, "order": state.lives.text(order).to_string(),
            "user": user.as_str(), "own": user == own, "seq": sequence,
            "at": members::instant(Some(at)),
        }));
    }

    fn note(&mut self, moved: Value) {
        self.listed_at = None;
        if self.moves.len() < MOVES_MAX {
            self.moves.push(moved);
        } else {
            self.moves_left_out += 1;
        }
    }
}

/// The orders that hold units of a SKU, those whose hold runs out first before the others, and how
/// many more there are.
fn holders(state: &State, sku: &SkuId) -> (Vec<Value>, usize) {
    let of_sku = |order: &&Order| {
        order.status == Status::Held
            && order.lines.iter().any(|line| state.skus[line.sku].id == *sku)
    };
    let held = state.orders.deadlines().due(Stamp::MAX).into_iter();
    let mut holders: Vec<&Order> = held.map(|slot| &state.orders[slot]).filter(of_sku).collect();
    holders.sort_by_key(|order| (order.expires_at, order.id));
    let more = holders.len().saturating_sub(HOLDERS_MAX);
    let told = holders.into_iter().take(HOLDERS_MAX).map(|order| {
        let line = order.lines.iter().find(|line| state.skus[line.sku].id == *sku);
        json!({
            "order": state.lives.text(order.id).to_string(), "user": state.users[order.user].id.as_str(),
            "units": line.map_or(0, |line| u64::from(line.quantity)),
            "expires_at": members::instant(Some(order.expires_at)),
        })
    });
    (told.collect(), more)
}
