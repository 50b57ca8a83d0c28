//! What lists show, as rows.
//!
//! Owns how the client's types become rows, and what a list does not tell: which SKU of its name a
//! line was bought of. Next: `rebuild`.

use super::draws::prizes;
use super::fold::signed;
use super::rows::{DrawRow, EntryRow, LineRow, OrderRow, SkuRow};
use crate::event::sequence;
use crate::instant;
use doorbuster::client::{Draw, Entry, EntryReason, Order, Sku};
use serde_json::{Value, json};

fn maybe_ms(text: Option<&str>) -> Option<i64> {
    text.and_then(instant::parse)
}

/// A SKU read at `seq`: the units count everything up to there.
pub(super) fn sku(sku: &Sku, seq: u64) -> SkuRow {
    let settings = serde_json::to_value(&sku.settings).unwrap_or_default();
    SkuRow {
        sku: sku.sku.clone(),
        total: signed(sku.total),
        held: signed(sku.held),
        sold: signed(sku.sold),
        settings: settings.to_string(),
        deleted_ms: None,
        seq: signed(sku.version),
        created_seq: Some(0),
        counted_seq: signed(seq),
    }
}

/// An order. Its lines name the order's own sequence as their SKU's, which `finish_staging`
/// compares with the SKU's last change.
pub(super) fn order(order: &Order) -> OrderRow {
    let own_seq = signed(sequence(&order.id).unwrap_or_default());
    let lines = order.lines.iter().map(|line| LineRow {
        sku: line.sku.clone(),
        qty: signed(line.qty),
        refunded: signed(line.refunded_qty),
        sku_seq: Some(own_seq),
    });
    OrderRow {
        id: order.id.clone(),
        user: order.user.clone(),
        principal: None,
        status: format!("{:?}", order.status).to_lowercase(),
        reference: order.reference.clone(),
        created_ms: instant::parse(&order.created_at).unwrap_or_default(),
        expires_ms: maybe_ms(order.expires_at.as_deref()),
        archived_ms: None,
        changed_seq: signed(order.changed_seq),
        lines: lines.collect(),
        has_new_lines: true,
    }
}

pub(super) fn draw(draw: &Draw) -> DrawRow {
    let terms = serde_json::to_value(&draw.terms).unwrap_or_default();
    DrawRow {
        draw: draw.draw.clone(),
        prizes: prizes(&terms),
        terms: terms.to_string(),
        commitment: Some(draw.commitment.clone()),
        closed_ms: maybe_ms(draw.closed_at.as_deref()),
        deleted_ms: None,
        seq: signed(draw.version),
    }
}

/// The draw of this name that is gone, and of which nothing is known.
pub(super) fn lost_draw(draw: &str) -> DrawRow {
    DrawRow {
        draw: draw.to_owned(),
        prizes: Vec::new(),
        terms: "{}".to_owned(),
        commitment: None,
        closed_ms: None,
        deleted_ms: None,
        seq: 0,
    }
}

pub(super) fn entry(entry: &Entry) -> EntryRow {
    let won = entry.reason == EntryReason::Won;
    EntryRow {
        seq: signed(entry.seq),
        draw: entry.draw.clone(),
        entry: signed(entry.entry),
        user: entry.user.clone(),
        outcome: if won { "won" } else { "lost" }.to_owned(),
        pick: entry.pick.clone(),
        reason: reason(entry.reason).to_owned(),
        order_id: entry.order.as_ref().map(|order| order.id.clone()),
    }
}

fn reason(reason: EntryReason) -> &'static str {
    match reason {
        EntryReason::Won => "won",
        EntryReason::Blank => "blank",
        EntryReason::NoStock => "no_stock",
        EntryReason::UserLimit => "user_limit",
        EntryReason::NotOpen => "not_open",
        EntryReason::Closed => "closed",
        EntryReason::Paused => "paused",
        _ => "unknown",
    }
}

/// The prizes of terms that a database kept as JSON.
pub(crate) fn prizes_of(terms: &str) -> Vec<String> {
    let terms: Value = serde_json::from_str(terms).unwrap_or_else(|_| json!({}));
    prizes(&terms)
}
