//! Rows as every database has them.
//!
//! Owns their members. Instants are milliseconds since 1970. Next: `fold`.

use crate::event::Event;

/// A SKU and its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkuRow {
    pub(crate) sku: String,
    pub(crate) total: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
    /// As JSON.
    pub(crate) settings: String,
    pub(crate) deleted_ms: Option<i64>,
    /// Of the last event that changed the row.
    pub(crate) seq: i64,
    /// Which SKU of this name it is: the event that created it, 0 for the one that was listed,
    /// none where that event is not there yet.
    pub(crate) created_seq: Option<i64>,
    /// The units count everything up to here already: they were listed at this sequence.
    pub(crate) counted_seq: i64,
}

impl SkuRow {
    pub(crate) fn available(&self) -> i64 {
        self.total - self.held - self.sold
    }
}

/// An order without its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderRow {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) principal: Option<String>,
    pub(crate) status: String,
    pub(crate) reference: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: Option<i64>,
    pub(crate) archived_ms: Option<i64>,
    pub(crate) changed_seq: i64,
    pub(crate) lines: Vec<LineRow>,
    /// The lines differ from the database's too.
    pub(crate) has_new_lines: bool,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineRow {
    pub(crate) sku: String,
    pub(crate) qty: i64,
    pub(crate) refunded: i64,
    /// Which SKU of this name it was bought of, as `SkuRow::created_seq`; none where unknown.
    pub(crate) sku_seq: Option<i64>,
}

/// A draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DrawRow {
    pub(crate) draw: String,
    /// As JSON.
    pub(crate) terms: String,
    /// The SKUs to be won, in their order.
    pub(crate) prizes: Vec<String>,
    pub(crate) commitment: Option<String>,
    pub(crate) closed_ms: Option<i64>,
    pub(crate) deleted_ms: Option<i64>,
    pub(crate) seq: i64,
}

/// An entry of a draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    pub(crate) seq: i64,
    pub(crate) draw: String,
    pub(crate) entry: i64,
    pub(crate) user: String,
    pub(crate) outcome: String,
    pub(crate) pick: Option<String>,
    pub(crate) reason: String,
    pub(crate) order_id: Option<String>,
}

/// What one transaction stores besides the position.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    pub(crate) events: &'a [Event],
    pub(crate) skus: Vec<&'a SkuRow>,
    pub(crate) orders: Vec<&'a OrderRow>,
    pub(crate) draws: Vec<&'a DrawRow>,
    pub(crate) entries: Vec<&'a EntryRow>,
}
