//! Events folded into rows.
//!
//! Owns the rows that a batch is about, and which of them changed. An event that a row shows already
//! changes nothing, so folding one twice is folding it once. Where an event rests on what is not in
//! the database, it says what, and changes nothing. Next: `orders`, `skus`, `draws`.

use super::rows::{DrawRow, EntryRow, OrderRow, SkuRow};
use crate::event::Event;
use serde_json::Value;
use std::collections::HashMap;

/// A row, if there is one, and whether it differs from the database's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot<T> {
    pub(super) row: T,
    pub(super) changed: bool,
}

/// What has to be looked up first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// The units of a SKU: whether a line is of the SKU of now is not known.
    Sku(String),
    Draw(String),
}

/// Rows by their ids.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) skus: HashMap<String, Slot<SkuRow>>,
    pub(super) orders: HashMap<String, Slot<OrderRow>>,
    pub(super) draws: HashMap<String, Slot<DrawRow>>,
    pub(super) entries: Vec<EntryRow>,
}

/// Ids of rows that events are about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) skus: Vec<String>,
    pub(super) orders: Vec<String>,
    pub(super) draws: Vec<String>,
}

pub(super) fn text<'a>(data: &'a Value, name: &str) -> &'a str {
    data.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn owned(data: &Value, name: &str) -> Option<String> {
    data.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn number(data: &Value, name: &str) -> i64 {
    data.get(name).and_then(Value::as_i64).unwrap_or_default()
}

/// The members of an object without these, as JSON.
pub(super) fn without(data: &Value, names: &[&str]) -> String {
    let mut rest = data.as_object().cloned().unwrap_or_default();
    rest.retain(|name, _| !names.contains(&name.as_str()));
    Value::Object(rest).to_string()
}

pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

impl Wanted {
    /// What has to be loaded for these; the SKUs of orders' lines are known only then.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut wanted = Self::default();
        for event in events {
            let data = &event.data;
            let (family, _) = event.word().split_once('.').unwrap_or_default();
            match family {
                "sku" => wanted.skus.push(text(data, "sku").to_owned()),
                "order" => wanted.orders.push(text(data, "id").to_owned()),
                "draw" => {
                    wanted.draws.push(text(data, "draw").to_owned());
                    wanted.orders.extend(owned(data, "order"));
                }
                _ => {
                    let ids = data.get("orders").and_then(Value::as_array);
                    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
                    wanted.orders.extend(ids.map(str::to_owned));
                }
            }
            let lines = data.get("lines").and_then(Value::as_array);
            let skus = lines.into_iter().flatten().map(|line| text(line, "sku").to_owned());
            wanted.skus.extend(skus);
        }
        for ids in [&mut wanted.skus, &mut wanted.orders, &mut wanted.draws] {
            ids.sort_unstable();
            ids.dedup();
        }
        wanted
    }
}

impl Rows {
    /// SKUs that loaded orders and draws name and that are not here.
    pub(super) fn missing_skus(&self) -> Vec<String> {
        let lines = self.orders.values().flat_map(|slot| &slot.row.lines);
        let of_lines = lines.map(|line| &line.sku);
        let prizes = self.draws.values().flat_map(|slot| &slot.row.prizes);
        let mut missing: Vec<String> =
            of_lines.chain(prizes).filter(|sku| !self.skus.contains_key(*sku)).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Folds an event; where something has to be looked up first, nothing has changed.
    pub(super) fn fold(&mut self, event: &Event) -> Result<(), Need> {
        match event.word() {
            "sku.put" => self.sku_put(event),
            "sku.patched" => self.sku_patched(event),
            "sku.adjusted" => self.sku_adjusted(event),
            "sku.deleted" => self.sku_deleted(event),
            "order.created" => self.order_created(event),
            "order.confirmed" => self.order_moved(event, "confirmed"),
            "order.reacquired" => self.order_moved(event, "confirmed"),
            "order.cancelled" => self.order_moved(event, "cancelled"),
            "order.expired" => self.order_moved(event, "expired"),
            "order.shipped" => self.order_moved(event, "shipped"),
            "order.completed" => self.order_moved(event, "completed"),
            "order.extended" => self.order_extended(event),
            "order.refunded" => return self.order_refunded(event),
            "orders.graced" => self.orders_graced(event),
            "orders.archived" => self.orders_archived(event),
            "draw.put" => self.draw_put(event),
            "draw.closed" => self.draw_closed(event),
            "draw.deleted" => self.draw_deleted(event),
            "draw.entered" => return self.draw_entered(event),
            // What this version does not know changes no table; it stands among the events.
            _ => {}
        }
        Ok(())
    }
}
