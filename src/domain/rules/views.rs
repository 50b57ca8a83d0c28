//! SKUs and orders as answers show them: now, and as they were made.
//!
//! Owns no look-up: the caller has found the row. Next: `read`, `read_draw`.

use crate::domain::model::answer::{LineView, OrderView, SkuView};
use crate::domain::model::ids::Stamp;
use crate::domain::model::order::{Order, Status};
use crate::domain::model::sku::Sku;
use crate::domain::state::tables::State;

/// A SKU as it is.
#[must_use]
pub(in crate::domain) fn sku_view(sku: &Sku, now: Stamp) -> SkuView {
    SkuView {
        sku: sku.id.clone(),
        total: sku.total,
        held: sku.held,
        sold: sku.sold,
        refused: sku.refused,
        settings: sku.settings.clone(),
        version: sku.version,
        now,
    }
}

/// An order as it is.
#[must_use]
pub(in crate::domain) fn order_view(state: &State, order: &Order) -> OrderView {
    let line = |line: &crate::domain::model::order::Line| LineView {
        sku: state.skus[line.sku].id.clone(),
        quantity: line.quantity,
        refunded: line.refunded,
    };
    OrderView {
        order: order.id,
        user: state.users[order.user].id.clone(),
        status: order.status,
        lines: order.lines.iter().map(line).collect(),
        reference: order.reference.as_deref().cloned(),
        created_at: order.created_at,
        expires_at: (order.status == Status::Held).then_some(order.expires_at),
        changed_sequence: order.changed_sequence,
    }
}

pub(in crate::domain) const fn created_status(expires_at: Option<Stamp>) -> Status {
    if expires_at.is_some() { Status::Held } else { Status::Confirmed }
}

/// An order as it was created, with the deadline that it had then.
#[must_use]
pub(in crate::domain) fn created_view(
    state: &State,
    order: &Order,
    expires_at: Option<Stamp>,
) -> OrderView {
    let mut view = order_view(state, order);
    view.status = created_status(expires_at);
    view.expires_at = expires_at;
    view.changed_sequence = order.id.sequence;
    view.lines.iter_mut().for_each(|line| line.refunded = 0);
    view
}
