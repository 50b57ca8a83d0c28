//! What the state shows: to reads, after a change, and to a client that repeats a key.
//!
//! Reads only. A list walks kept indices and looks at a bounded number of entries, so no read
//! holds the writer up. Next: `answer`.

use super::read_draw;
use super::views::{created_status, created_view, order_view, sku_view};
pub use super::visibility::VISITS_MAX;
use super::visibility::{find_order, visible};
use crate::domain::memory::slab::NONE;
use crate::domain::model::answer::{
    Answer, Answered, Created, OrderView, Page, Refusal, Remembered, RememberedBody, SkuView,
    StateStatus, TABLES, TableFill,
};
use crate::domain::model::command::{OrderPlace, Principal, Query};
use crate::domain::model::event::Event;
use crate::domain::model::ids::{OrderId, Sequence, SkuId, Stamp, UserId};
use crate::domain::model::order::Order;
use crate::domain::state::idempotency::{self, StoredReply};
use crate::domain::state::principals::PRINCIPALS_MAX;
use crate::domain::state::tables::State;

/// Answers a read.
#[must_use]
pub(in crate::domain) fn read(
    state: &State,
    principal: &Principal,
    query: &Query,
    now: Stamp,
) -> Answer {
    match query {
        Query::Sku(sku) => match state.skus.find(sku) {
            Some(slot) => Answer::Sku(Box::new(sku_view(&state.skus[slot], now))),
            None => Answer::Refused(Refusal::UnknownSku(sku.clone())),
        },
        Query::Skus { after, limit } => {
            Answer::Skus(Box::new(sku_page(state, after.as_ref(), *limit, now)))
        }
        Query::Order(order) => match find_order(state, principal, *order) {
            Ok(slot) => Answer::Order(Box::new(order_view(state, &state.orders[slot]))),
            Err(refusal) => Answer::Refused(refusal),
        },
        Query::Orders { status, sku, after, limit } => {
            let wanted = |order: &Order| {
                status.is_none_or(|status| order.status == status)
                    && sku.as_ref().is_none_or(|sku| names(state, order, sku))
                    && visible(state, principal, order)
            };
            let orders = state.orders.after(*after);
            Answer::Orders(Box::new(order_page(state, orders, *limit, wanted)))
        }
        Query::UserOrders { user, after, limit } => {
            user_orders(state, principal, user, *after, *limit)
        }
        Query::Draw(draw) => read_draw::one(state, draw, now),
        Query::Entries { draw, user, after, limit } => {
            read_draw::entries(state, principal, draw, user.as_ref(), *after, *limit)
        }
        Query::Remembered(hash) => match state.requests.find(*hash) {
            Some(kept) => Answer::Remembered(Box::new(remembered(state, &kept))),
            None => Answer::Refused(Refusal::UnknownRequest),
        },
        Query::Status => Answer::Status(Box::new(status(state))),
    }
}

fn names(state: &State, order: &Order, sku: &SkuId) -> bool {
    order.lines.iter().any(|line| state.skus[line.sku].id == *sku)
}

fn sku_page(
    state: &State,
    after: Option<&SkuId>,
    limit: usize,
    now: Stamp,
) -> Page<SkuView, SkuId> {
    let mut skus = state.skus.after(after);
    let entries: Vec<SkuView> = skus.by_ref().take(limit).map(|sku| sku_view(sku, now)).collect();
    let more = skus.next().is_some();
    let next = entries.last().filter(|_| more).map(|last| last.sku.clone());
    Page { entries, next }
}

/// A page goes on where another order is to be shown, and then from the last one that it shows:
/// that there are others, which its reader may not see, must not show. Where it has looked at as
/// many as it may, it goes on from the last of them, which is for `http::sealed` to hide.
fn order_page<'a>(
    state: &State,
    orders: impl Iterator<Item = &'a Order>,
    limit: usize,
    wanted: impl Fn(&Order) -> bool,
) -> Page<OrderView, OrderId> {
    let mut entries: Vec<OrderView> = Vec::new();
    let mut last = None;
    for (visited, order) in orders.enumerate() {
        if visited == VISITS_MAX {
            return Page { entries, next: last };
        }
        if wanted(order) {
            if entries.len() == limit {
                let next = entries.last().map(|view| view.order);
                return Page { entries, next };
            }
            entries.push(order_view(state, order));
        }
        last = Some(order.id);
    }
    Page { entries, next: None }
}

fn user_orders(
    state: &State,
    principal: &Principal,
    user: &UserId,
    after: Option<OrderPlace>,
    limit: usize,
) -> Answer {
    let own = |order: &Order| state.principals[order.principal].name == principal.name;
    let user = state.users.find(user);
    let newest = user.map_or(NONE, |user| state.users[user].newest);
    let first = match after {
        None => Some(newest),
        Some(OrderPlace { order: after, sealed }) => match state.orders.find(after) {
            // An id may be made up: it finds no other's order.
            Some(slot)
                if Some(state.orders[slot].user) == user
                    && (sealed || own(&state.orders[slot])) =>
            {
                Some(state.orders[slot].older)
            }
            _ => first_older(state, newest, after),
        },
    };
    let Some(first) = first else {
        let reason = "names an order that is no longer kept: begin again without it";
        return Answer::Refused(Refusal::Invalid { field: "cursor", reason });
    };
    Answer::Orders(Box::new(order_page(state, state.orders.of_user_from(first), limit, own)))
}

/// Where a list goes on whose last order has left the table; none if that is too far to look for.
fn first_older(state: &State, newest: u32, than: OrderId) -> Option<u32> {
    let mut slot = newest;
    for _ in 0..VISITS_MAX {
        if slot == NONE || state.orders[slot].id.sequence < than.sequence {
            return Some(slot);
        }
        slot = state.orders[slot].older;
    }
    None
}

fn status(state: &State) -> StateStatus {
    StateStatus { epoch: state.epoch, tables: tables(state).to_vec() }
}

/// How full the tables are, in the order of [`TABLES`].
#[must_use]
pub fn tables(state: &State) -> [TableFill; TABLES.len()] {
    let caps = &state.settings.caps;
    let principals = u32::try_from(state.principals.len()).expect("principals are few");
    let fills = [
        (state.skus.len(), caps.skus),
        (state.orders.len(), caps.orders),
        (state.requests.len(), caps.keys),
        (state.requests.wide(), caps.answers),
        (state.uses.len(), caps.uses),
        (state.users.len(), caps.users),
        (state.draws.len(), caps.draws),
        (state.draws.entries(), caps.entries),
        (principals, PRINCIPALS_MAX as u32),
    ];
    let mut names = TABLES.iter();
    fills.map(|(used, cap)| TableFill {
        name: names.next().expect("each table has a name"),
        used: used.into(),
        cap: cap.into(),
    })
}

/// What a command is answered whose event has just been applied.
///
/// # Panics
/// For events that no request causes.
#[must_use]
pub fn answer_to(state: &State, event: &Event) -> Answered {
    let sku = |id: &SkuId| {
        let slot = state.skus.find(id).expect("a changed SKU exists");
        Box::new(sku_view(&state.skus[slot], state.stamp))
    };
    let answer = match event {
        Event::OrderCreated(created) => Answer::Created(Created {
            order: OrderId { epoch: state.epoch, sequence: state.sequence },
            status: created_status(created.expires_at),
            created_at: state.stamp,
            expires_at: created.expires_at,
        }),
        Event::SkuPut(put) if put.created => Answer::SkuCreated(sku(&put.sku)),
        Event::SkuPut(put) => Answer::Sku(sku(&put.sku)),
        Event::SkuPatched(patched) => Answer::Sku(sku(&patched.patch.sku)),
        Event::SkuAdjusted(adjusted) | Event::AdjustmentRepeated(adjusted) => {
            Answer::Sku(sku(&adjusted.sku))
        }
        Event::SkuDeleted(_) => Answer::SkuDeleted,
        Event::DrawPut(_)
        | Event::DrawClosed(_)
        | Event::DrawCloseRepeated(_)
        | Event::DrawDeleted(_)
        | Event::EntryMade(_) => return read_draw::answer_to(state, event),
        event => {
            let order = event.order().expect("a command changes a SKU or an order");
            let slot = state.orders.find(order).expect("a changed order is kept");
            Answer::Order(Box::new(order_view(state, &state.orders[slot])))
        }
    };
    Answered { sequence: state.sequence, replayed: false, answer }
}

/// The first answer to a key, for a request that holds what the answer does not.
#[must_use]
pub(in crate::domain) fn replay(state: &State, kept: &idempotency::Remembered<'_>) -> Answered {
    let answer = match &*kept.answer {
        StoredReply::Created { order, expires_at } => Answer::Created(Created {
            order: state.orders[*order].id,
            status: created_status(*expires_at),
            created_at: state.orders[*order].created_at,
            expires_at: *expires_at,
        }),
        _ => match remembered(state, kept).body {
            RememberedBody::Entered(entry) => Answer::Entered(Box::new(entry)),
            RememberedBody::Draw(draw) => Answer::Draw(Box::new(draw)),
            RememberedBody::Created(order) | RememberedBody::Order(order) => {
                Answer::Order(Box::new(order))
            }
            RememberedBody::Sku(sku) => Answer::Sku(Box::new(sku)),
        },
    };
    Answered { sequence: told_sequence(kept), replayed: true, answer }
}

/// The first answer to a key, whole.
fn remembered(state: &State, kept: &idempotency::Remembered<'_>) -> Remembered {
    let body = match &*kept.answer {
        StoredReply::Created { order, expires_at } => {
            RememberedBody::Created(created_view(state, &state.orders[*order], *expires_at))
        }
        StoredReply::Order { order, then } => {
            let mut view = order_view(state, &state.orders[*order]);
            view.status = then.status;
            view.expires_at = then.expires_at;
            view.changed_sequence = then.changed_sequence;
            let refunds = then.refunded.iter().copied().chain(std::iter::repeat(0));
            view.lines.iter_mut().zip(refunds).for_each(|(line, units)| line.refunded = units);
            RememberedBody::Order(view)
        }
        StoredReply::Sku(sku) => RememberedBody::Sku((**sku).clone()),
        StoredReply::Entry { draw, number, expires_at } => {
            let expires_at = (*expires_at > 0).then_some(*expires_at);
            RememberedBody::Entered(read_draw::entry_then(state, *draw, *number, expires_at))
        }
        StoredReply::Draw(draw) => RememberedBody::Draw((**draw).clone()),
    };
    Remembered { sequence: told_sequence(kept), body }
}

/// A draw that is closed again answers as it did when it was closed.
fn told_sequence(kept: &idempotency::Remembered<'_>) -> Sequence {
    match &*kept.answer {
        StoredReply::Draw(view) => view.version,
        _ => kept.sequence,
    }
}
