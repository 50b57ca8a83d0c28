//! What an event does to the state. Total: an event that was decided can be applied.
//!
//! The only writer of the state, live and in every replay. Decides nothing: whatever an event
//! says is done. A state that cannot take an event is broken, and the asserts stop the process.
//! Next: `tables`, `invariants`.

use super::apply_draw::{self, apply_to_draw};
use super::read;
use super::read_draw;
use crate::domain::memory::slab::NONE;
use crate::domain::model::event::{
    Event, OrderCreated, OrderRefunded, Origin, Record, RefusalCount, Started,
};
use crate::domain::model::ids::{KeyClaim, OrderId, Stamp};
use crate::domain::model::order::{Line, Order, OrderKeys, Status};
use crate::domain::state::idempotency::{Forgotten, OrderThen, StoredReply};
use crate::domain::state::principals::Table;
use crate::domain::state::tables::State;
use crate::testing::planted::{Bug, planted};

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

/// Gives the order's slot.
pub(in crate::domain) fn create_order(
    state: &mut State,
    origin: Option<&Origin>,
    created: &OrderCreated,
) -> u32 {
    let origin = origin.expect("an order has somebody who asked for it");
    let principal = state.principals.number_or_new(&origin.principal);
    state.principals.add(Table::Orders, principal);
    let user = state.users.find_or_create(&mut state.principals, &created.user, principal);
    let status = if created.expires_at.is_some() { Status::Held } else { Status::Confirmed };
    let find = |line: &crate::domain::model::ids::LineRequest| Line {
        sku: state.skus.find(&line.sku).expect("an ordered SKU exists"),
        quantity: line.quantity,
        refunded: 0,
    };
    let order = Order {
        id: OrderId { epoch: state.epoch, sequence: state.sequence },
        user,
        principal,
        status,
        graced: false,
        created_at: state.stamp,
        expires_at: created.expires_at.unwrap_or(0),
        changed_sequence: state.sequence,
        touched_at: state.stamp,
        touched_sequence: state.sequence,
        keys: OrderKeys::default(),
        lines: created.lines.iter().map(find).collect(),
        reference: created.reference.clone().map(Box::new),
        newer: NONE,
        older: NONE,
        heap_or_later: NONE,
        earlier: NONE,
    };
    for line in order.lines.clone().iter() {
        state.skus[line.sku].lines += 1;
        take(state, (user, principal), line, status);
    }
    state.orders.insert(&mut state.users, order)
}

/// Available to held or sold, and into the user's use.
fn take(state: &mut State, (user, principal): (u32, u16), line: &Line, status: Status) {
    let units = Order::left(line);
    let sku = &mut state.skus[line.sku];
    assert!(sku.available() >= units, "units are taken only where there are some");
    match status {
        Status::Held => sku.held += units,
        _ => sku.sold += units,
    }
    let State { skus, users, uses, principals, .. } = state;
    let owner = principals.owner(principal);
    if uses.add(skus, users, (line.sku, user), (units, owner)) {
        principals.add(Table::Uses, owner);
    }
}

fn find_order(state: &State, order: OrderId) -> u32 {
    state.orders.find(order).expect("an event names an order that is kept")
}

/// Events on an order that exists; all but the repeated answer change it.
fn apply_to_order(state: &mut State, event: &Event) {
    match event {
        Event::OrderConfirmed(id) => {
            let slot = find_order(state, *id);
            for line in state.orders[slot].lines.clone().iter() {
                let sku = &mut state.skus[line.sku];
                sku.held -= u64::from(line.quantity);
                sku.sold += u64::from(line.quantity);
            }
            state.orders.leave_hold(&mut state.users, slot, Status::Confirmed);
            changed(state, slot);
        }
        Event::OrderReacquired(id) => {
            let slot = find_order(state, *id);
            let Order { user, principal, .. } = state.orders[slot];
            for line in state.orders[slot].lines.clone().iter() {
                take(state, (user, principal), line, Status::Confirmed);
            }
            set_status(state, slot, Status::Expired, Status::Confirmed);
        }
        Event::OrderCancelled(id) => release_hold(state, *id, Status::Cancelled),
        Event::OrderExpired(id) => release_hold(state, *id, Status::Expired),
        Event::OrderExtended(extended) => {
            let slot = find_order(state, extended.order);
            state.orders.move_deadline(slot, extended.expires_at);
            changed(state, slot);
        }
        Event::HoldsGraced(graced) => {
            for id in &graced.orders {
                let slot = find_order(state, *id);
                state.orders[slot].graced = true;
                state.orders.move_deadline(slot, graced.expires_at);
                changed(state, slot);
            }
        }
        Event::OrderShipped(id) => {
            set_status(state, find_order(state, *id), Status::Confirmed, Status::Shipped);
        }
        Event::OrderCompleted(id) => {
            set_status(state, find_order(state, *id), Status::Shipped, Status::Completed);
        }
        Event::OrderRefunded(refunded) => refund(state, refunded),
        Event::AnswerRepeated(repeated) => {
            let slot = find_order(state, repeated.order);
            state.orders.touch(slot, state.stamp, state.sequence);
        }
        _ => unreachable!("all other events were taken before"),
    }
}

fn changed(state: &mut State, slot: u32) {
    state.orders[slot].changed_sequence = state.sequence;
    state.orders.touch(slot, state.stamp, state.sequence);
}

fn set_status(state: &mut State, slot: u32, from: Status, to: Status) {
    assert!(state.orders[slot].status == from, "an order moves as the table says");
    state.orders[slot].status = to;
    changed(state, slot);
}

/// Held to available, and out of the user's use.
fn release_hold(state: &mut State, id: OrderId, status: Status) {
    let slot = find_order(state, id);
    let user = state.orders[slot].user;
    for line in state.orders[slot].lines.clone().iter() {
        let held = &mut state.skus[line.sku].held;
        *held -= u64::from(line.quantity);
        if planted(Bug::DoubleRelease) {
            *held = held.saturating_sub(u64::from(line.quantity));
        }
        if !planted(Bug::UseKept) {
            give_back_use(state, user, line.sku, u64::from(line.quantity));
        }
    }
    state.orders.leave_hold(&mut state.users, slot, status);
    changed(state, slot);
}

/// The order keeps its user alive.
fn give_back_use(state: &mut State, user: u32, sku: u32, units: u64) {
    let State { skus, users, uses, principals, .. } = state;
    // A deleted SKU's use goes with it, as fast as it is purged.
    if units > 0
        && !skus[sku].deleted
        && let Some(gone) = uses.subtract(skus, users, (sku, user), units)
    {
        principals.subtract(Table::Uses, gone.owner());
    }
}

fn refund(state: &mut State, refunded: &OrderRefunded) {
    let slot = find_order(state, refunded.order);
    let user = state.orders[slot].user;
    assert!(state.orders[slot].status.is_sold(), "only sold units are refunded");
    for at in 0..state.orders[slot].lines.len() {
        let line = state.orders[slot].lines[at];
        let asked = refunded.lines.iter().find(|asked| asked.sku == state.skus[line.sku].id);
        let units = match asked {
            Some(asked) => asked.quantity,
            None if refunded.lines.is_empty() => line.quantity - line.refunded,
            None => 0,
        };
        let line = &mut state.orders[slot].lines[at];
        line.refunded += units;
        assert!(line.refunded <= line.quantity, "no more is given back than was ordered");
        let line = *line;
        give_back_sold(state, line.sku, u64::from(units), refunded.restock);
        give_back_use(state, user, line.sku, u64::from(units));
    }
    if state.orders[slot].lines.iter().all(|line| line.refunded == line.quantity) {
        state.orders[slot].status = Status::Refunded;
    }
    changed(state, slot);
}

/// Sold to available, or sold and total both drop; a deleted SKU's counts stand still.
fn give_back_sold(state: &mut State, slot: u32, units: u64, restock: bool) {
    let sequence = state.sequence;
    let sku = &mut state.skus[slot];
    if sku.deleted || units == 0 {
        return;
    }
    sku.sold -= units;
    if !restock {
        sku.total -= units;
        sku.version = sequence;
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

/// The order leaves; its units stay sold. At a SKU that keeps no use, its part of the use goes.
fn archive(state: &mut State, id: OrderId) {
    let slot = find_order(state, id);
    let order = state.orders.remove(&mut state.users, slot);
    state.principals.subtract(Table::Orders, order.principal);
    for line in order.lines.iter() {
        let sku = &mut state.skus[line.sku];
        sku.lines -= 1;
        let in_use = order.status.is_sold() && !sku.keeps_use();
        if in_use {
            give_back_use(state, order.user, line.sku, Order::left(line));
        }
        state.skus.release_if_unused(line.sku);
    }
    state.users.release_if_unused(&mut state.principals, order.user);
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
            (None, StoredReply::Sku(Box::new(read::sku_view(&state.skus[slot], state.stamp))))
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
