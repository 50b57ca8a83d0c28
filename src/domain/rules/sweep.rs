//! What is due without a request: holds that run out, keys and orders past their retention,
//! the uses of deleted SKUs, the entries of deleted draws, and the grace of holds that fell due
//! while the server was away.
//!
//! Each function reads the state and names at most one event of bounded size; the writer applies
//! them, a bounded number a turn. Next: `writer`.

use crate::domain::model::event::{EntriesPurged, Event, HoldsGraced, UsesPurged};
use crate::domain::model::ids::{OrderId, Stamp};
use crate::domain::model::order::Order;
use crate::domain::state::tables::State;

/// Orders that one event archives or graces at most.
const ORDERS_PER_EVENT_MAX: usize = 256;
/// Keys that one event forgets at most.
const KEYS_PER_EVENT_MAX: u32 = 256;
/// Uses that one event purges at most.
const USES_PER_EVENT_MAX: u32 = 256;
/// Entries that one event purges at most.
const ENTRIES_PER_EVENT_MAX: u32 = 256;

/// The hold that is due first, if it is due.
#[must_use]
pub fn expire(state: &State, now: Stamp) -> Option<Event> {
    let (expires_at, slot) = state.orders.deadlines().first()?;
    (expires_at <= now).then(|| Event::OrderExpired(state.orders[slot].id))
}

/// How late the oldest due hold is, in milliseconds.
#[must_use]
pub fn expiry_lag_ms(state: &State, now: Stamp) -> u64 {
    state.orders.deadlines().first().map_or(0, |(expires_at, _)| now.saturating_sub(expires_at))
}

/// Everything else that is due, one step of it.
#[must_use]
pub fn tidy(state: &State, now: Stamp) -> Option<Event> {
    forget_keys(state, now)
        .or_else(|| archive(state, now, retain_ms(state)))
        .or_else(|| purge_uses(state))
        .or_else(|| purge_entries(state))
}

/// Where a cap was lowered below what is there, orders leave as early as they may.
fn retain_ms(state: &State) -> u64 {
    let settings = &state.settings;
    let over = state.orders.len() > settings.caps.orders;
    if over { settings.idempotency_retain_ms } else { settings.orders_retain_ms }
}

/// When the next hold runs out.
#[must_use]
pub fn next_expiry(state: &State) -> Option<Stamp> {
    state.orders.deadlines().first().map(|(expires_at, _)| expires_at)
}

/// When there is something to tidy next. A purge is due at once.
#[must_use]
pub fn next_tidy(state: &State) -> Option<Stamp> {
    let key = state.requests.oldest_at().map(|at| at + state.settings.idempotency_retain_ms);
    let order = state.orders.by_touch().next();
    let order = order.map(|order| order.touched_at + retain_ms(state));
    let purge = state.skus.to_purge().or_else(|| state.draws.to_purge());
    let purge = purge.map(|_| state.stamp);
    [key, order, purge].into_iter().flatten().min()
}

/// The oldest keys, where their time is over.
pub(in crate::domain) fn forget_keys(state: &State, now: Stamp) -> Option<Event> {
    let until = now.checked_sub(state.settings.idempotency_retain_ms)?;
    let count = state.requests.old(until, KEYS_PER_EVENT_MAX);
    (count > 0).then_some(Event::KeysForgotten(count))
}

/// The orders touched longest ago, when the table is full: those whose keys may be forgotten too.
pub(in crate::domain) fn archive_early(state: &State, now: Stamp) -> Option<Event> {
    archive(state, now, state.settings.idempotency_retain_ms)
}

/// An order never leaves while a remembered key names it.
fn archive(state: &State, now: Stamp, retain_ms: u64) -> Option<Event> {
    let until = now.checked_sub(retain_ms)?;
    let may_go =
        |order: &&Order| order.touched_at <= until && order.keys.end() <= state.requests.first();
    let orders = state.orders.by_touch().take_while(may_go).take(ORDERS_PER_EVENT_MAX);
    let orders: Vec<OrderId> = orders.map(|order| order.id).collect();
    (!orders.is_empty()).then_some(Event::OrdersArchived(orders))
}

fn purge_uses(state: &State) -> Option<Event> {
    let (created_sequence, uses) = state.skus.to_purge()?;
    let count = uses.min(USES_PER_EVENT_MAX);
    Some(Event::UsesPurged(UsesPurged { created_sequence, count }))
}

fn purge_entries(state: &State) -> Option<Event> {
    let (created_sequence, entries) = state.draws.to_purge()?;
    let count = entries.min(ENTRIES_PER_EVENT_MAX);
    Some(Event::EntriesPurged(EntriesPurged { created_sequence, count }))
}

/// The grace of holds that are due at a start, each once in its life; some of them an event.
#[must_use]
pub fn grace(state: &State, start: Stamp) -> Vec<Event> {
    let due = state.orders.deadlines().due(start);
    let waiting = due.into_iter().filter(|slot| !state.orders[*slot].graced);
    let orders: Vec<OrderId> = waiting.map(|slot| state.orders[slot].id).collect();
    let expires_at = start + state.settings.recovery_grace_ms;
    let graced = |orders: &[OrderId]| {
        Event::HoldsGraced(HoldsGraced { orders: orders.to_vec(), expires_at })
    };
    orders.chunks(ORDERS_PER_EVENT_MAX).map(graced).collect()
}
