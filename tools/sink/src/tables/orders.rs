//! What events mean for orders, and for the units of their lines.
//!
//! Owns the transitions as the feed tells them: the server decided, nothing is checked again. An
//! event at or below an order's `changed_seq` changes nothing of it. Next: `skus`.

use super::fold::{Need, Rows, Slot, number, owned, signed, text};
use super::rows::{LineRow, OrderRow};
use super::skus::Shelf;
use crate::event::Event;
use crate::instant;
use serde_json::Value;

/// Where the units of an order of this status are.
fn shelf(status: &str) -> Shelf {
    match status {
        "held" => Shelf::Held,
        "confirmed" | "shipped" | "completed" => Shelf::Sold,
        _ => Shelf::Available,
    }
}

impl Rows {
    pub(super) fn order_created(&mut self, event: &Event) {
        let data = &event.data;
        let mut lines = Vec::new();
        for line in data.get("lines").and_then(Value::as_array).into_iter().flatten() {
            lines.push(self.line(text(line, "sku"), number(line, "qty")));
        }
        let at = instant::parse(&event.time).unwrap_or_default();
        self.add_order(OrderRow {
            id: text(data, "id").to_owned(),
            user: text(data, "user").to_owned(),
            principal: owned(data, "principal"),
            status: text(data, "status").to_owned(),
            reference: owned(data, "reference"),
            created_ms: instant::parse(text(data, "created_at")).unwrap_or(at),
            expires_ms: instant::parse(text(data, "expires_at")),
            archived_ms: None,
            changed_seq: signed(event.seq()),
            lines,
            has_new_lines: true,
        });
    }

    /// A new line, bound to the SKU of now.
    pub(super) fn line(&self, sku: &str, qty: i64) -> LineRow {
        let sku_seq = self.skus.get(sku).and_then(|slot| slot.row.created_seq);
        LineRow { sku: sku.to_owned(), qty, refunded: 0, sku_seq }
    }

    /// A new order takes its units.
    pub(super) fn add_order(&mut self, row: OrderRow) {
        if self.orders.contains_key(&row.id) {
            return;
        }
        for LineRow { sku, qty, .. } in &row.lines {
            self.move_units(sku, row.changed_seq, *qty, Shelf::Available, shelf(&row.status));
        }
        self.orders.insert(row.id.clone(), Slot { row, changed: true });
    }

    pub(super) fn order_moved(&mut self, event: &Event, status: &str) {
        let Some(id) = self.newer(event) else { return };
        let seq = signed(event.seq());
        let Some(slot) = self.orders.get_mut(&id) else { return };
        let (from, to) = (shelf(&slot.row.status), shelf(status));
        status.clone_into(&mut slot.row.status);
        if status != "held" {
            slot.row.expires_ms = None;
        }
        slot.row.changed_seq = seq;
        slot.changed = true;
        if from != to {
            for LineRow { sku, qty, refunded, .. } in slot.row.lines.clone() {
                self.move_units(&sku, seq, qty - refunded, from, to);
            }
        }
    }

    pub(super) fn order_extended(&mut self, event: &Event) {
        let Some(id) = self.newer(event) else { return };
        self.expire_at(&id, event);
    }

    pub(super) fn orders_graced(&mut self, event: &Event) {
        for id in ids(event) {
            if self.is_newer(&id, event) {
                self.expire_at(&id, event);
            }
        }
    }

    fn expire_at(&mut self, id: &str, event: &Event) {
        if let Some(slot) = self.orders.get_mut(id) {
            slot.row.expires_ms = instant::parse(text(&event.data, "expires_at"));
            slot.row.changed_seq = signed(event.seq());
            slot.changed = true;
        }
    }

    pub(super) fn orders_archived(&mut self, event: &Event) {
        for id in ids(event) {
            if let Some(slot) = self.orders.get_mut(&id)
                && slot.row.archived_ms.is_none()
            {
                slot.row.archived_ms = instant::parse(&event.time);
                slot.changed = true;
            }
        }
    }

    /// Units come back. A line that was bought of a SKU which was deleted since moves no count of
    /// the one that has its name now.
    pub(super) fn order_refunded(&mut self, event: &Event) -> Result<(), Need> {
        let Some(id) = self.newer(event) else { return Ok(()) };
        let (data, seq) = (&event.data, signed(event.seq()));
        let back = data.get("lines").and_then(Value::as_array);
        let units = |line: &LineRow| match back {
            None => line.qty - line.refunded,
            Some(lines) => {
                let of = lines.iter().find(|told| text(told, "sku") == line.sku);
                of.map_or(0, |told| number(told, "qty"))
            }
        };
        let Some(slot) = self.orders.get(&id) else { return Ok(()) };
        let lines = slot.row.lines.clone();
        for line in lines.iter().filter(|line| units(line) > 0) {
            if line.sku_seq.is_none() && self.counts_may_move(&line.sku, seq) {
                return Err(Need::Sku(line.sku.clone()));
            }
        }
        let restock = data.get("restock").and_then(Value::as_bool) != Some(false);
        let to = if restock { Shelf::Available } else { Shelf::Gone };
        for line in &lines {
            let bound = self.skus.get(&line.sku).map(|slot| slot.row.created_seq);
            if units(line) > 0 && bound == Some(line.sku_seq) {
                self.move_units(&line.sku, seq, units(line), Shelf::Sold, to);
            }
        }
        if let Some(slot) = self.orders.get_mut(&id) {
            let given: Vec<i64> = slot.row.lines.iter().map(units).collect();
            for (line, units) in slot.row.lines.iter_mut().zip(given) {
                line.refunded += units;
            }
            if slot.row.lines.iter().all(|line| line.refunded == line.qty) {
                "refunded".clone_into(&mut slot.row.status);
            }
            slot.row.changed_seq = seq;
            slot.row.has_new_lines = true;
            slot.changed = true;
        }
        Ok(())
    }

    /// Whether an event of this sequence would change the counts of this name, for a line of which
    /// it is not known which SKU it is of: one that was created since is not it.
    fn counts_may_move(&self, sku: &str, seq: i64) -> bool {
        let row = self.skus.get(sku).map(|slot| &slot.row);
        row.is_some_and(|row| {
            let is_listed = row.created_seq.is_none_or(|created| created == 0);
            is_listed && row.deleted_ms.is_none() && seq > row.counted_seq
        })
    }

    /// The order of an event, if it is there and older than it.
    fn newer(&self, event: &Event) -> Option<String> {
        let id = text(&event.data, "id");
        self.is_newer(id, event).then(|| id.to_owned())
    }

    fn is_newer(&self, id: &str, event: &Event) -> bool {
        let changed = self.orders.get(id).map(|slot| slot.row.changed_seq);
        changed.is_some_and(|changed| signed(event.seq()) > changed)
    }
}

fn ids(event: &Event) -> Vec<String> {
    let ids = event.data.get("orders").and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
