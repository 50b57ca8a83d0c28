//! What the edge is shown of a turn: which SKUs have nothing available, which keys are remembered,
//! who owns anything.
//!
//! Owns which events may change that. Reads the state and never changes it. Everything is shown
//! when it is durable and before the answers of its turn leave. Next: `edge::publisher`.

use crate::domain::model::command::SkuSettings;
use crate::domain::model::draw::Reason;
use crate::domain::model::event::{Event, Record};
use crate::domain::model::ids::{DrawId, OrderId, SkuId, Stamp};
use crate::domain::state::tables::State;
use crate::edge::{Edge, Members, Publisher, SoldOut};

/// Edges of a sale's window must be further away than this for the edge to answer.
const WINDOW_MARGIN_MS: u64 = 1_000;
/// Members that are shown to a filter that is made anew, a turn.
const MEMBERS_PER_TURN: u32 = 1_024;

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The writer's stamp,
    pub(super) now: Stamp,
    /// and what `Clock::elapsed_ms` showed then.
    pub(super) elapsed_ms: u64,
}

/// The writer's hand at the edge.
#[derive(Debug)]
pub(super) struct EdgeUpdates {
    publisher: Publisher,
    /// SKUs that this turn may have changed; some of them more than once.
    touched: Vec<SkuId>,
    /// The number of the next key to be shown to a filter that is made anew.
    key: Option<u64>,
    /// The slot of the next user.
    user: Option<u32>,
}

impl EdgeUpdates {
    pub(super) fn at(edge: &Edge) -> Self {
        Self { publisher: Publisher::of(edge), touched: Vec::new(), key: None, user: None }
    }

    /// Shows a whole state, before its first turn.
    pub(super) fn show_all(&mut self, state: &State, moment: Moment) {
        self.renew_keys(state, u32::MAX);
        self.renew_users(state, u32::MAX);
        let sold_out = state.skus.iter().filter(|(_, sku)| !sku.deleted && sku.available() == 0);
        self.touched.extend(sold_out.map(|(_, sku)| sku.id.clone()));
        self.show(state, moment);
    }

    /// Takes note of a record that was just applied.
    pub(super) fn note(&mut self, state: &State, record: &Record) {
        if let Some(claim) = record.origin.as_ref().and_then(|origin| origin.key) {
            self.publisher.remember(claim.hash);
        }
        match &record.event {
            Event::OrderCreated(created) => {
                self.publisher.note_user(&created.user);
                created.lines.iter().for_each(|line| self.touch(&line.sku));
            }
            Event::EntryMade(made) if made.reason == Reason::Won => {
                self.publisher.note_user(&made.user);
                let order = OrderId { epoch: state.epoch, sequence: state.sequence };
                self.touch_order(state, order);
            }
            Event::SkuPut(put) => self.touch(&put.sku),
            Event::SkuPatched(patched) => self.touch(&patched.patch.sku),
            Event::SkuAdjusted(adjusted) => self.touch(&adjusted.sku),
            Event::SkuDeleted(deleted) => self.touch(&deleted.sku),
            Event::OrderConfirmed(order)
            | Event::OrderReacquired(order)
            | Event::OrderCancelled(order)
            | Event::OrderExpired(order) => self.touch_order(state, *order),
            Event::OrderRefunded(refunded) => self.touch_order(state, refunded.order),
            Event::DrawPut(put) => self.touch_draw(state, &put.draw),
            Event::DrawClosed(draw) => self.touch_draw(state, draw),
            // Nothing becomes available or held by these, nothing opens or closes.
            Event::Started(_)
            | Event::SettingsChanged(_)
            | Event::OrderExtended(_)
            | Event::HoldsGraced(_)
            | Event::OrderShipped(_)
            | Event::OrderCompleted(_)
            | Event::AnswerRepeated(_)
            | Event::KeysForgotten(_)
            | Event::OrdersArchived(_)
            | Event::UsesPurged(_)
            | Event::RefusalsCounted(_)
            | Event::AdjustmentRepeated(_)
            | Event::RefusalsKept(_)
            | Event::RefusalsNotKept(_)
            | Event::DrawCloseRepeated(_)
            | Event::DrawDeleted(_)
            | Event::EntryMade(_)
            | Event::EntriesPurged(_) => {}
        }
    }

    /// Most of a turn is often about one SKU.
    fn touch(&mut self, sku: &SkuId) {
        if self.touched.last() != Some(sku) {
            self.touched.push(sku.clone());
        }
    }

    fn touch_order(&mut self, state: &State, order: OrderId) {
        let slot = state.orders.find(order).expect("an event's order is there");
        state.orders[slot].lines.iter().for_each(|line| self.touch(&state.skus[line.sku].id));
    }

    fn touch_draw(&mut self, state: &State, draw: &DrawId) {
        let slot = state.draws.find(draw).expect("an event's draw is there");
        state.draws[slot].terms.odds.prizes().iter().for_each(|prize| self.touch(&prize.sku));
    }

    /// Shows how the turn ended. Its records are durable.
    pub(super) fn end_turn(&mut self, state: &State, moment: Moment) {
        self.renew_keys(state, MEMBERS_PER_TURN);
        self.renew_users(state, MEMBERS_PER_TURN);
        self.show(state, moment);
    }

    fn show(&mut self, state: &State, moment: Moment) {
        for sku in self.touched.drain(..) {
            let stands = stands(state, &sku, moment);
            self.publisher.change(sku, stands);
        }
        self.publisher.publish();
    }

    /// Goes on with the filter of keys that is made anew, if one is.
    fn renew_keys(&mut self, state: &State, most: u32) {
        if self.publisher.is_worn(Members::Keys) {
            self.publisher.begin(Members::Keys, u64::from(state.requests.len()));
            self.key = Some(0);
        }
        let Some(number) = self.key else { return };
        // Those that have left meanwhile need not be shown.
        let number = number.max(state.requests.first());
        let keys = state.requests.hashes_from(number).take(most as usize);
        keys.for_each(|key| self.publisher.show_key(key));
        self.key = Some(number + u64::from(most));
        if number + u64::from(most) >= state.requests.end() {
            self.publisher.finish(Members::Keys);
            self.key = None;
        }
    }

    /// As `renew_keys`, for users.
    fn renew_users(&mut self, state: &State, most: u32) {
        if self.publisher.is_worn(Members::Users) {
            self.publisher.begin(Members::Users, u64::from(state.users.len()));
            self.user = Some(0);
        }
        let Some(slot) = self.user else { return };
        let end = slot.saturating_add(most).min(state.users.slots());
        state.users.in_slots(slot..end).for_each(|user| self.publisher.show_user(&user.id));
        self.user = Some(end);
        if end == state.users.slots() {
            self.publisher.finish(Members::Users);
            self.user = None;
        }
    }
}

/// What the edge may say of a SKU; nothing unless orders of it can only be sold out, for as long as
/// it says.
fn stands(state: &State, sku: &SkuId, moment: Moment) -> Option<SoldOut> {
    let slot = state.skus.find(sku)?;
    let sku = &state.skus[slot];
    if sku.available() > 0 || sku.settings.paused || state.draws.names(slot) {
        return None;
    }
    let (from_ms, until_ms) = open_between(&sku.settings, moment)?;
    Some(SoldOut {
        sequence: state.sequence,
        created: sku.created_sequence,
        held: sku.held,
        per_user_limit: sku.settings.per_user_limit,
        from_ms,
        until_ms,
    })
}

/// From when to when on the clock of IO threads no edge of the window is near. Stamps run at most a
/// sixteenth faster or slower than that clock; here it is more than that.
fn open_between(settings: &SkuSettings, moment: Moment) -> Option<(u64, u64)> {
    let Moment { now, elapsed_ms } = moment;
    let from_ms = match settings.opens_at {
        Some(opens_at) if now <= opens_at + WINDOW_MARGIN_MS => {
            elapsed_ms + 1 + (opens_at + WINDOW_MARGIN_MS - now + 1) * 9 / 8
        }
        _ => 0,
    };
    let until_ms = match settings.closes_at {
        Some(closes_at) => elapsed_ms + closes_at.checked_sub(now + WINDOW_MARGIN_MS)? * 15 / 16,
        None => u64::MAX,
    };
    Some((from_ms, until_ms))
}

#[cfg(test)]
#[path = "edge_updates_tests.rs"]
mod tests;
