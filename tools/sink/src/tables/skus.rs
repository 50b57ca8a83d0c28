//! What events mean for the units of SKUs.
//!
//! Owns the counts: always available + held + sold = total. Next: `orders`.

use super::fold::{Rows, Slot, number, signed, text, without};
use super::rows::SkuRow;
use crate::event::Event;
use crate::instant;

/// Members of an event that are no settings.
const NO_SETTINGS: &[&str] = &["sku", "total", "created", "seq"];

/// Where units are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    Available,
    Held,
    Sold,
    /// No longer counted in the total.
    Gone,
}

impl Rows {
    pub(super) fn sku_put(&mut self, event: &Event) {
        let (data, seq) = (&event.data, signed(event.seq()));
        let is_new = data.get("created").and_then(serde_json::Value::as_bool) == Some(true);
        let slot = self.sku_slot(text(data, "sku"), seq);
        let row = &mut slot.row;
        if seq <= row.counted_seq {
            // It is in the counts that were listed, as is what happened to the units since.
            if is_new {
                row.created_seq = Some(seq);
                slot.changed = true;
            }
            return;
        }
        if is_new {
            if row.deleted_ms.take().is_some() {
                (row.held, row.sold) = (0, 0);
            }
            row.created_seq = Some(seq);
        }
        row.total = number(data, "total");
        row.settings = without(data, NO_SETTINGS);
        row.seq = row.seq.max(seq);
        slot.changed = true;
    }

    pub(super) fn sku_patched(&mut self, event: &Event) {
        let (data, seq) = (&event.data, signed(event.seq()));
        self.change_sku(text(data, "sku"), seq, |row| row.settings = without(data, NO_SETTINGS));
    }

    pub(super) fn sku_adjusted(&mut self, event: &Event) {
        let (data, seq) = (&event.data, signed(event.seq()));
        self.change_sku(text(data, "sku"), seq, |row| row.total = number(data, "total"));
    }

    pub(super) fn sku_deleted(&mut self, event: &Event) {
        let (data, seq) = (&event.data, signed(event.seq()));
        let at = instant::parse(&event.time).unwrap_or_default();
        self.change_sku(text(data, "sku"), seq, |row| row.deleted_ms = Some(at));
    }

    /// Moves units of a line, whatever became of the counts that were listed.
    pub(super) fn move_units(&mut self, sku: &str, seq: i64, units: i64, from: Shelf, to: Shelf) {
        self.change_sku(sku, seq, |row| {
            match from {
                Shelf::Held => row.held -= units,
                Shelf::Sold => row.sold -= units,
                Shelf::Available | Shelf::Gone => {}
            }
            match to {
                Shelf::Held => row.held += units,
                Shelf::Sold => row.sold += units,
                Shelf::Gone => row.total -= units,
                Shelf::Available => {}
            }
        });
    }

    fn change_sku(&mut self, sku: &str, seq: i64, change: impl FnOnce(&mut SkuRow)) {
        let slot = self.sku_slot(sku, seq);
        if seq > slot.row.counted_seq {
            change(&mut slot.row);
            slot.row.seq = slot.row.seq.max(seq);
            slot.changed = true;
        }
    }

    /// A SKU's row; where the event that creates it is among the dead letters, one that waits for
    /// it.
    fn sku_slot(&mut self, sku: &str, seq: i64) -> &mut Slot<SkuRow> {
        self.skus.entry(sku.to_owned()).or_insert_with(|| {
            let row = SkuRow {
                sku: sku.to_owned(),
                total: 0,
                held: 0,
                sold: 0,
                settings: "{}".to_owned(),
                deleted_ms: None,
                seq,
                created_seq: None,
                counted_seq: 0,
            };
            Slot { row, changed: false }
        })
    }
}
