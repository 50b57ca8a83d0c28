//! What events mean for draws and their entries.
//!
//! Owns that a win is an order too, by the code that makes all others. Next: `orders`.

use super::fold::{Need, Rows, Slot, number, owned, signed, text, without};
use super::rows::{DrawRow, EntryRow, OrderRow};
use crate::event::Event;
use crate::instant;
use serde_json::Value;

/// Members of an event that are no terms.
const NO_TERMS: &[&str] = &["draw", "created", "commitment", "seq"];

/// The SKUs to be won, in their order.
pub(super) fn prizes(terms: &Value) -> Vec<String> {
    let prizes = terms.get("prizes").and_then(Value::as_array);
    prizes.into_iter().flatten().map(|prize| text(prize, "sku").to_owned()).collect()
}

impl Rows {
    pub(super) fn draw_put(&mut self, event: &Event) {
        let (data, seq) = (&event.data, signed(event.seq()));
        let draw = text(data, "draw").to_owned();
        let before = self.draws.get(&draw).map(|slot| &slot.row);
        if before.is_some_and(|row| seq <= row.seq) {
            return;
        }
        let is_new = data.get("created").and_then(Value::as_bool) == Some(true);
        let commitment = match before {
            Some(row) if !is_new => row.commitment.clone(),
            _ => owned(data, "commitment"),
        };
        let (terms, prizes) = (without(data, NO_TERMS), prizes(data));
        let (closed_ms, deleted_ms) = (None, None);
        let row =
            DrawRow { draw: draw.clone(), terms, prizes, commitment, closed_ms, deleted_ms, seq };
        self.draws.insert(draw, Slot { row, changed: true });
    }

    pub(super) fn draw_closed(&mut self, event: &Event) {
        self.end_draw(event, |row, at| row.closed_ms = at);
    }

    pub(super) fn draw_deleted(&mut self, event: &Event) {
        self.end_draw(event, |row, at| row.deleted_ms = at);
    }

    fn end_draw(&mut self, event: &Event, end: impl FnOnce(&mut DrawRow, Option<i64>)) {
        let seq = signed(event.seq());
        let slot = self.draws.get_mut(text(&event.data, "draw"));
        if let Some(slot) = slot.filter(|slot| seq > slot.row.seq) {
            end(&mut slot.row, instant::parse(&event.time));
            slot.row.seq = seq;
            slot.changed = true;
        }
    }

    pub(super) fn draw_entered(&mut self, event: &Event) -> Result<(), Need> {
        let (data, seq) = (&event.data, signed(event.seq()));
        let draw = text(data, "draw").to_owned();
        let Some(slot) = self.draws.get(&draw) else { return Err(Need::Draw(draw)) };
        let prize = data.get("prize").and_then(Value::as_u64);
        let prize = prize.and_then(|place| usize::try_from(place).ok());
        let pick = prize.and_then(|place| slot.row.prizes.get(place)).cloned();
        let order_id = owned(data, "order");
        if let Some(id) = &order_id {
            let expires_ms = instant::parse(text(data, "expires_at"));
            let status = if expires_ms.is_some() { "held" } else { "confirmed" };
            let order = OrderRow {
                id: id.clone(),
                user: text(data, "user").to_owned(),
                principal: owned(data, "principal"),
                status: status.to_owned(),
                reference: None,
                created_ms: instant::parse(&event.time).unwrap_or_default(),
                expires_ms,
                archived_ms: None,
                changed_seq: seq,
                lines: pick.iter().map(|sku| self.line(sku, 1)).collect(),
                has_new_lines: true,
            };
            self.add_order(order);
        }
        self.entries.push(EntryRow {
            seq,
            draw,
            entry: number(data, "entry"),
            user: text(data, "user").to_owned(),
            outcome: text(data, "outcome").to_owned(),
            pick,
            reason: text(data, "reason").to_owned(),
            order_id,
        });
        Ok(())
    }
}
