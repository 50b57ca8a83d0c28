//! What an event does to an order, and to the stock and the use of its lines.
//!
//! Decides nothing: whatever an event says is done. Next: `apply`, `apply_draw`.

use crate::domain::memory::slab::NONE;
use crate::domain::model::event::{Event, OrderCreated, OrderRefunded, Origin};
use crate::domain::model::ids::OrderId;
use crate::domain::model::order::{Line, Order, OrderKeys, Status};
use crate::domain::state::principals::Table;
use crate::domain::state::tables::State;

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

pub(in crate::domain) fn find_order(state: &State, order: OrderId) -> u32 {
    state.orders.find(order).expect("an event names an order that is kept")
}

/// Events on an order that exists; all but the repeated answer change it.
pub(in crate::domain) fn apply_to_order(state: &mut State, event: &Event) {
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
        state.skus[line.sku].held -= u64::from(line.quantity);
        give_back_use(state, user, line.sku, u64::from(line.quantity));
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

/// The order leaves; its units stay sold. At a SKU that keeps no use, its part of the use goes.
pub(in crate::domain) fn archive(state: &mut State, id: OrderId) {
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
