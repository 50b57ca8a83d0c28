//! What an event does to the state. Total: an event that was decided can be applied.
//!
//! The only writer of the state, live and in every replay. Decides nothing: whatever an event
//! says is done. A state that cannot take an event is broken, and the asserts stop the process.
//! Next: `tables`, `invariants`.

use super::apply_draw::{self, apply_to_draw};
use super::apply_order::{apply_to_order, archive, create_order, find_order};
use super::read_draw;
use super::views;
use crate::domain::model::event::{Event, Origin, Record, RefusalCount, Started};
use crate::domain::model::ids::{KeyClaim, Stamp};
use crate::domain::model::order::{Order, Status};
use crate::domain::state::idempotency::{Forgotten, OrderThen, StoredReply};
use crate::domain::state::principals::Table;
use crate::domain::state::tables::State;

/// Applies the next event, made at `stamp`.
///
/// # Panics
/// When the event does not fit the state: the journal is not this state's, or a rule is broken.
pub fn apply(state: &mut State, record: &Record, stamp: Stamp) {
    assert!(stamp >= state.stamp, "stamps never go back");
    state.sequence += 1;
    state.stamp = stamp;
    match &record.event {
        Event::Started(started) => start(state, started),
        Event::SettingsChanged(settings) => state.take_settings((**settings).clone()),
        Event::SkuPut(_) | Event::SkuPatched(_) | Event::SkuAdjusted(_) | Event::SkuDeleted(_) => {
            apply_to_sku(state, &record.event);
        }
        Event::OrderCreated(created) => {
            let order = create_order(state, record.origin.as_ref(), created);
            if let Some(claim) = record.origin.as_ref().and_then(|origin| origin.key) {
                // Its slot and its principal are at hand; `remember` would look for them again.
                let answer = StoredReply::Created { order, expires_at: created.expires_at };
                let principal = state.orders[order].principal;
                keep_answer(state, claim, principal, Some(order), answer);
            }
            return;
        }
        Event::KeysForgotten(count) => forget_keys(state, *count),
        Event::OrdersArchived(orders) => orders.iter().for_each(|order| archive(state, *order)),
        Event::UsesPurged(purged) => {
            let State { skus, users, uses, principals, .. } = state;
            let sku = skus.find_deleted(purged.created_sequence).expect("a deleted SKU has uses");
            for _ in 0..purged.count {
                let gone = uses.remove_first(skus, users, sku);
                principals.subtract(Table::Uses, gone.owner());
                users.release_if_unused(principals, gone.user);
            }
            skus.release_if_unused(sku);
        }
        Event::RefusalsCounted(counts) => count_refusals(state, counts),
        // Nothing that is decided by changes: these tell of what did not happen.
        Event::AdjustmentRepeated(_) | Event::RefusalsKept(_) | Event::RefusalsNotKept(_) => {}
        Event::DrawPut(_)
        | Event::DrawClosed(_)
        | Event::DrawCloseRepeated(_)
        | Event::DrawDeleted(_)
        | Event::EntryMade(_)
        | Event::EntriesPurged(_) => apply_to_draw(state, record.origin.as_ref(), &record.event),
        event => apply_to_order(state, event),
    }
    if let Some(origin) = &record.origin {
        remember(state, origin, &record.event);
    }
}

fn start(state: &mut State, started: &Started) {
    assert!(started.epoch > state.epoch, "epochs grow");
    assert!(state.epoch == 0 || started.hash_key == state.hash_key, "the hash key never changes");
    let begins = state.lives.begin(started.epoch, started.life, state.sequence);
    assert!(begins, "no two starts have one life");
    state.epoch = started.epoch;
    state.hash_key = started.hash_key;
    state.answers_before_sync = started.answers_before_sync;
}

fn apply_to_sku(state: &mut State, event: &Event) {
    let sequence = state.sequence;
    match event {
        Event::SkuPut(put) => {
            let slot = match state.skus.find(&put.sku) {
                Some(slot) => slot,
                None => state.skus.create(put.sku.clone(), sequence),
            };
            state.skus.regroup(slot, put.settings.limit_group.as_ref());
            let sku = &mut state.skus[slot];
            sku.total = put.stock;
            sku.settings = put.settings.clone();
            sku.version = sequence;
        }
        Event::SkuPatched(patched) => {
            let slot = state.skus.find(&patched.patch.sku).expect("a patched SKU exists");
            state.skus.regroup(slot, patched.settings.limit_group.as_ref());
            state.skus[slot].settings = patched.settings.clone();
            state.skus[slot].version = sequence;
        }
        Event::SkuAdjusted(adjusted) => {
            let slot = state.skus.find(&adjusted.sku).expect("an adjusted SKU exists");
            let sku = &mut state.skus[slot];
            // In journals from before `AdjustmentRepeated` this may change nothing.
            if sku.total != adjusted.total {
                sku.total = adjusted.total;
                sku.version = sequence;
            }
        }
        Event::SkuDeleted(deleted) => {
            let slot = state.skus.find(&deleted.sku).expect("a deleted SKU existed");
            assert!(state.skus[slot].held == 0, "a SKU is not deleted under its holds");
            state.skus.delete(slot);
            return;
        }
        _ => unreachable!("only events on SKUs come here"),
    }
    let slot = state.skus.find(event_sku(event)).expect("it was just changed");
    let sku = &state.skus[slot];
    assert!(sku.total >= sku.committed(), "a total never goes below what is held and sold");
}

fn event_sku(event: &Event) -> &crate::domain::model::ids::SkuId {
    match event {
        Event::SkuPut(put) => &put.sku,
        Event::SkuPatched(patched) => &patched.patch.sku,
        Event::SkuAdjusted(adjusted) => &adjusted.sku,
        _ => unreachable!("only events that leave a SKU behind come here"),
    }
}

fn forget_keys(state: &mut State, count: u32) {
    for _ in 0..count {
        let Forgotten { principal, whole, acted_on } = state.requests.forget_oldest();
        state.principals.subtract(Table::Keys, principal);
        if whole {
            state.principals.subtract(Table::Answers, principal);
        }
        if let Some(order) = acted_on {
            state.orders[order].keys.forget_action();
        }
    }
    state.draws.unpin(state.requests.first());
}

fn count_refusals(state: &mut State, counts: &[RefusalCount]) {
    for refused in counts {
        if let Some(slot) = state.skus.find(&refused.sku) {
            state.skus[slot].refused.0[refused.reason as usize] += refused.count;
        }
    }
}

/// Every 2xx of a keyed command is remembered with what its order will not tell later.
fn remember(state: &mut State, origin: &Origin, event: &Event) {
    let Some(claim) = origin.key else { return };
    let (order, answer) = match event {
        Event::SkuAdjusted(adjusted) | Event::AdjustmentRepeated(adjusted) => {
            let slot = state.skus.find(&adjusted.sku).expect("an adjusted SKU exists");
            (None, StoredReply::Sku(Box::new(views::sku_view(&state.skus[slot], state.stamp))))
        }
        Event::EntryMade(made) => {
            let (draw, expires_at) = (apply_draw::find(state, &made.draw), made.expires_at);
            let order = apply_draw::order_of(state, made).map(|id| find_order(state, id));
            let expires_at = expires_at.unwrap_or(0);
            (order, StoredReply::Entry { draw, number: made.number, expires_at })
        }
        Event::DrawClosed(draw) | Event::DrawCloseRepeated(draw) => {
            let slot = apply_draw::find(state, draw);
            (None, StoredReply::Draw(Box::new(read_draw::close_view(&state.draws[slot]))))
        }
        event => {
            let id =
                event.order().expect("keys come with commands on orders, draws, or adjustments");
            let order = find_order(state, id);
            let then = Box::new(now_of(&state.orders[order]));
            (Some(order), StoredReply::Order { order, then })
        }
    };
    let principal = state.principals.number_or_new(&origin.principal);
    keep_answer(state, claim, principal, order, answer);
}

fn keep_answer(
    state: &mut State,
    claim: KeyClaim,
    principal: u16,
    order: Option<u32>,
    answer: StoredReply,
) {
    state.principals.add(Table::Keys, principal);
    if answer.is_whole() {
        state.principals.add(Table::Answers, principal);
    }
    let (sequence, stamp) = (state.sequence, state.stamp);
    let (draw, of_action) = (answer.draw(), answer.acted_on().is_some());
    let number = state.requests.remember(claim, sequence, stamp, principal, answer);
    if let Some(draw) = draw {
        state.draws[draw].key_end = number + 1;
    }
    if let Some(order) = order {
        state.orders[order].keys.note(number, of_action);
    }
}

fn now_of(order: &Order) -> OrderThen {
    let refunded = order.lines.iter().any(|line| line.refunded > 0);
    let refunds = order.lines.iter().map(|line| line.refunded);
    OrderThen {
        status: order.status,
        expires_at: (order.status == Status::Held).then_some(order.expires_at),
        changed_sequence: order.changed_sequence,
        refunded: if refunded { refunds.collect() } else { Default::default() },
    }
}
