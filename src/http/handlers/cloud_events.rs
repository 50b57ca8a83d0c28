//! Records of the journal as events for followers: CloudEvents 1.0, JSON format (API 5).
//!
//! Owns which records are events: those that changed a SKU, an order or a draw. Starts, settings,
//! what is remembered under keys, and counts of refusals are the server's own affair. An event says
//! what its record says; lines of an order stand in the event that created it, and an order keeps
//! the SKUs of then. Written on the feeder's thread, once for all who follow. Next: `events`.

use crate::domain::model::command::{Adjustment, SkuSettings};
use crate::domain::model::draw::Reason;
use crate::domain::model::event::{DrawPut, EntryMade, Event};
use crate::domain::model::event::{OrderCreated, OrderRefunded, SkuAdjusted, SkuPut};
use crate::domain::model::ids::{DrawId, LineRequests, OrderId, SkuId, Traceparent};
use crate::domain::model::lives::Lives;
use crate::http::response::draw_writer;
use crate::http::response::json_writer::{self, Json};
use crate::shared::feed::{FeedEvent, Form};

/// Appends a record in this form, if it is an event; says whether it is.
pub fn write_event(form: Form, out: &mut Vec<u8>, happened: &FeedEvent<'_>) -> bool {
    let Some(kind) = kind(&happened.record.event) else { return false };
    let mut json = Json::new();
    envelope(&mut json, kind, happened);
    match form {
        Form::List => {
            if !out.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(json.bytes());
        }
        Form::Lines => {
            out.extend_from_slice(json.bytes());
            out.push(b'\n');
        }
        Form::ServerEvents => {
            let mut head = Json::new();
            head.raw("id: ");
            place(&mut head, happened);
            head.raw("\ndata: ");
            out.extend_from_slice(head.bytes());
            out.extend_from_slice(json.bytes());
            out.extend_from_slice(b"\n\n");
        }
    }
    true
}

/// The last part of an event's type; none for what is no event for followers.
fn kind(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::SkuPut(_) => "sku.put",
        Event::SkuPatched(_) => "sku.patched",
        Event::SkuAdjusted(_) => "sku.adjusted",
        Event::SkuDeleted(_) => "sku.deleted",
        Event::OrderCreated(_) => "order.created",
        Event::OrderConfirmed(_) => "order.confirmed",
        Event::OrderReacquired(_) => "order.reacquired",
        Event::OrderCancelled(_) => "order.cancelled",
        Event::OrderExpired(_) => "order.expired",
        Event::OrderExtended(_) => "order.extended",
        Event::OrderShipped(_) => "order.shipped",
        Event::OrderCompleted(_) => "order.completed",
        Event::OrderRefunded(_) => "order.refunded",
        Event::HoldsGraced(_) => "orders.graced",
        Event::OrdersArchived(_) => "orders.archived",
        Event::DrawPut(_) => "draw.put",
        Event::DrawClosed(_) => "draw.closed",
        Event::DrawDeleted(_) => "draw.deleted",
        Event::EntryMade(_) => "draw.entered",
        Event::Started(_)
        | Event::SettingsChanged(_)
        | Event::AnswerRepeated(_)
        | Event::DrawCloseRepeated(_)
        | Event::EntriesPurged(_)
        | Event::KeysForgotten(_)
        | Event::UsesPurged(_)
        | Event::RefusalsCounted(_)
        | Event::AdjustmentRepeated(_)
        | Event::RefusalsKept(_)
        | Event::RefusalsNotKept(_) => return None,
    })
}

fn place(json: &mut Json, happened: &FeedEvent<'_>) {
    json.place(happened.lives, own_id(happened));
}

/// An event's id; an order that it made has the same.
fn own_id(happened: &FeedEvent<'_>) -> OrderId {
    OrderId { epoch: happened.epoch, sequence: happened.sequence }
}

fn envelope(json: &mut Json, kind: &str, happened: &FeedEvent<'_>) {
    json.raw("{\"specversion\":\"1.0\",\"id\":\"");
    place(json, happened);
    json.raw("\",\"source\":\"");
    json.raw(happened.source);
    json.raw("\",\"type\":\"doorbuster.");
    json.raw(kind);
    json.raw("\",\"subject\":\"");
    subject(json, happened);
    json.raw("\",\"time\":");
    json.instant(happened.stamp);
    let origin = happened.record.origin.as_ref();
    if let Some(trace) = origin.and_then(|origin| origin.traceparent) {
        json.raw(",\"traceparent\":\"");
        traceparent(json, &trace);
        json.raw("\"");
    }
    json.raw(",\"datacontenttype\":\"application/json\",\"data\":");
    data(json, happened);
    json.raw("}");
}

/// What it happened to, as a path below `/v1/`.
fn subject(json: &mut Json, happened: &FeedEvent<'_>) {
    let sku = |json: &mut Json, sku: &SkuId| {
        json.raw("skus/");
        json.raw(sku.as_str());
    };
    let draw = |json: &mut Json, draw: &DrawId| {
        json.raw("draws/");
        json.raw(draw.as_str());
    };
    match &happened.record.event {
        Event::SkuPut(put) => sku(json, &put.sku),
        Event::SkuPatched(patched) => sku(json, &patched.patch.sku),
        Event::SkuAdjusted(adjusted) => sku(json, &adjusted.sku),
        Event::SkuDeleted(deleted) => sku(json, &deleted.sku),
        Event::DrawPut(put) => draw(json, &put.draw),
        Event::DrawClosed(closed) => draw(json, closed),
        Event::DrawDeleted(deleted) => draw(json, &deleted.draw),
        Event::EntryMade(made) => draw(json, &made.draw),
        event => {
            json.raw("orders");
            if let Some(order) = order(event, happened) {
                json.raw("/");
                json.place(happened.lives, order);
            }
        }
    }
}

/// The one order of an event; a new one has the event's own id.
fn order(event: &Event, happened: &FeedEvent<'_>) -> Option<OrderId> {
    match event {
        Event::OrderCreated(_) | Event::EntryMade(_) => Some(own_id(happened)),
        event => event.order(),
    }
}

/// What happened, with the names that the same things have elsewhere; `seq` last.
fn data(json: &mut Json, happened: &FeedEvent<'_>) {
    let event = &happened.record.event;
    json.raw("{");
    match event {
        Event::SkuPut(put) => sku_put(json, put),
        Event::SkuPatched(patched) => {
            named_sku(json, &patched.patch.sku);
            settings(json, &patched.settings);
        }
        Event::SkuAdjusted(adjusted) => sku_adjusted(json, adjusted),
        Event::SkuDeleted(deleted) => named_sku(json, &deleted.sku),
        Event::HoldsGraced(graced) => {
            orders(json, happened.lives, &graced.orders);
            json.raw(",\"expires_at\":");
            json.instant(graced.expires_at);
        }
        Event::OrdersArchived(ids) => orders(json, happened.lives, ids),
        Event::DrawPut(put) => draw_put(json, put),
        Event::DrawClosed(draw) => named_draw(json, draw),
        Event::DrawDeleted(deleted) => named_draw(json, &deleted.draw),
        Event::EntryMade(made) => entry_made(json, made, happened),
        event => {
            json.raw("\"id\":");
            maybe_order(json, happened.lives, order(event, happened));
            match event {
                Event::OrderCreated(created) => order_created(json, created, happened),
                Event::OrderExtended(extended) => {
                    json.raw(",\"expires_at\":");
                    json.instant(extended.expires_at);
                }
                Event::OrderRefunded(refunded) => order_refunded(json, refunded),
                _ => {}
            }
        }
    }
    json_writer::end(json, happened.sequence);
}

fn named_sku(json: &mut Json, sku: &SkuId) {
    json.raw("\"sku\":");
    json.id(sku.as_str());
}

fn sku_put(json: &mut Json, put: &SkuPut) {
    named_sku(json, &put.sku);
    json.raw(",\"total\":");
    json.number(put.stock);
    json.raw(",\"created\":");
    json.boolean(put.created);
    settings(json, &put.settings);
}

fn settings(json: &mut Json, of: &SkuSettings) {
    json.raw(",");
    json_writer::settings(json, of);
}

fn sku_adjusted(json: &mut Json, adjusted: &SkuAdjusted) {
    named_sku(json, &adjusted.sku);
    json.raw(",\"total\":");
    json.number(adjusted.total);
    if let Adjustment::Delta(delta) = adjusted.adjustment {
        json.raw(if delta < 0 { ",\"delta\":-" } else { ",\"delta\":" });
        json.number(delta.unsigned_abs());
    }
    json.raw(",\"reason\":");
    json.text(&adjusted.reason);
}

fn order_created(json: &mut Json, created: &OrderCreated, happened: &FeedEvent<'_>) {
    json.raw(",\"user\":");
    json.id(created.user.as_str());
    json.raw(",\"status\":");
    json.id(if created.expires_at.is_some() { "held" } else { "confirmed" });
    lines(json, &created.lines);
    json.raw(",\"reference\":");
    json.maybe(created.reference.as_deref(), Json::text);
    json.raw(",\"created_at\":");
    json.instant(happened.stamp);
    json.raw(",\"expires_at\":");
    json.maybe(created.expires_at, Json::instant);
}

/// Without lines everything that was left came back.
fn order_refunded(json: &mut Json, refunded: &OrderRefunded) {
    if !refunded.lines.is_empty() {
        lines(json, &refunded.lines);
    }
    json.raw(",\"restock\":");
    json.boolean(refunded.restock);
}

fn lines(json: &mut Json, lines: &LineRequests) {
    json.raw(",\"lines\":");
    json.list(lines, |json, line| {
        json.raw("{\"sku\":");
        json.id(line.sku.as_str());
        json.raw(",\"qty\":");
        json.number(u64::from(line.quantity));
        json.raw("}");
    });
}

fn maybe_order(json: &mut Json, lives: &Lives, order: Option<OrderId>) {
    json.maybe(order, |json, order| json.order_id(lives, order));
}

fn orders(json: &mut Json, lives: &Lives, ids: &[OrderId]) {
    json.raw("\"orders\":");
    json.list(ids, |json, id| json.order_id(lives, *id));
}

fn named_draw(json: &mut Json, draw: &DrawId) {
    json.raw("\"draw\":");
    json.id(draw.as_str());
}

/// Its seed is nobody's business before it is closed; what it commits to is everybody's.
fn draw_put(json: &mut Json, put: &DrawPut) {
    named_draw(json, &put.draw);
    json.raw(",\"created\":");
    json.boolean(put.sealed.is_some());
    json.raw(",");
    draw_writer::terms(json, &put.terms, &put.admission);
    if let Some(sealed) = &put.sealed {
        json.raw(",\"commitment\":");
        json.hex(&sealed.commitment);
    }
}

/// A win's order has the event's own id and one unit of the prize at this place, from 0.
fn entry_made(json: &mut Json, made: &EntryMade, happened: &FeedEvent<'_>) {
    let won = made.reason == Reason::Won;
    named_draw(json, &made.draw);
    json.raw(",\"entry\":");
    json.number(u64::from(made.number));
    json.raw(",\"user\":");
    json.id(made.user.as_str());
    json.raw(",\"client_seed\":");
    json.maybe(made.client_seed.as_deref(), Json::text);
    json.raw(",\"outcome\":");
    json.id(made.reason.outcome());
    json.raw(",\"prize\":");
    json.maybe(made.pick, |json, prize| json.number(u64::from(prize)));
    json.raw(",\"reason\":");
    json.id(made.reason.as_str());
    json.raw(",\"order\":");
    maybe_order(json, happened.lives, won.then(|| own_id(happened)));
    json.raw(",\"expires_at\":");
    json.maybe(made.expires_at, Json::instant);
}

/// Version 00 (W3C Trace Context).
fn traceparent(json: &mut Json, trace: &Traceparent) {
    json.raw("00-");
    json.digits(&trace.trace);
    json.raw("-");
    json.digits(&trace.parent);
    json.raw("-");
    json.digits(&[trace.flags]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::event::{Origin, Record, RefusalCount};
    use crate::domain::model::ids::PrincipalName;
    use crate::domain::model::sku::RefusalReason;
    use crate::http::testing::lives;

    fn written(form: Form, event: Event, trace: Option<Traceparent>) -> Option<String> {
        let principal = PrincipalName::local();
        let origin = Origin { principal, reach_all: true, key: None, traceparent: trace };
        let record = Record { origin: Some(origin), event };
        let (stamp, source) = (1_800_000_000_123, "urn:doorbuster:journal:00");
        let lives = &lives();
        let happened = FeedEvent { epoch: 4, sequence: 27, stamp, record: &record, source, lives };
        let mut out = Vec::new();
        write_event(form, &mut out, &happened).then(|| String::from_utf8(out).unwrap())
    }

    const CANCELLED: &str = r#"{"specversion":"1.0","id":"7k3v9q2m-27","source":"urn:doorbuster:journal:00","type":"doorbuster.order.cancelled","subject":"orders/2-9","time":"2027-01-15T08:00:00.123Z","datacontenttype":"application/json","data":{"id":"2-9","seq":27}}"#;

    #[test]
    fn an_event_is_written_in_each_form() {
        let event = || Event::OrderCancelled(OrderId { epoch: 2, sequence: 9 });
        let in_form = |form| written(form, event(), None).unwrap();
        assert_eq!(in_form(Form::List), CANCELLED);
        assert_eq!(in_form(Form::Lines), format!("{CANCELLED}\n"));
        assert_eq!(in_form(Form::ServerEvents), format!("id: 7k3v9q2m-27\ndata: {CANCELLED}\n\n"));
        let trace = Traceparent { trace: [0xab; 16], parent: [1; 8], flags: 1 };
        let traced = written(Form::Lines, event(), Some(trace)).unwrap();
        let member = format!(r#""traceparent":"00-{}-{}-01""#, "ab".repeat(16), "01".repeat(8));
        assert!(traced.contains(&member), "{traced}");
    }

    #[test]
    fn what_changed_nothing_that_a_shop_holds_is_no_event() {
        let sku = SkuId::parse("A").unwrap();
        let refused = RefusalCount { sku, reason: RefusalReason::SoldOut, count: 2 };
        for event in [Event::KeysForgotten(2), Event::RefusalsCounted(vec![refused])] {
            assert_eq!(written(Form::Lines, event, None), None);
        }
    }
}
