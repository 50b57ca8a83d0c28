//! The lines of a batch, their answers, and the events of the feed.
//!
//! Owns the members that stand for what else is in path and headers. Next: `routes::batch`, which
//! reads the lines; `cloud_events`, which writes the events.

use super::patterns;
use super::schemas::{
    adjustments, confirmation, entry_create, extension, order_create, refund, sells_what_it_holds,
    sku_put,
};
use super::shapes::{
    boolean, count, integer, list, matching, number, object, request, says, schema, text, with,
    words,
};
use serde_json::{Map, Value, json};

pub(super) fn schemas() -> Value {
    let lines = lines();
    let names: Vec<Value> = lines.iter().map(|(name, _)| schema(name)).collect();
    let meaning = "The members of the same request's body, and those that stand for path and \
                   headers.";
    let mut all = Map::new();
    all.insert("BatchLine".to_owned(), says(json!({"anyOf": names}), meaning));
    all.insert("BatchAnswer".to_owned(), answer());
    all.extend(lines.into_iter().map(|(name, shape)| (name.to_owned(), shape)));
    all.extend(feed().as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

fn key() -> Value {
    says(matching(patterns::KEY_TEXT), "As `Idempotency-Key` would say it.")
}

fn if_match() -> Value {
    let mut shape = count();
    shape["type"] = json!(["string", "integer"]);
    shape["pattern"] = patterns::TAGS.into();
    says(shape, "As `If-Match` would say it, or a version.")
}

/// A line that does this, with these members and those that are needed among them.
fn line(op: &str, members: Value, needed: &[&str]) -> Value {
    let members = with(members, json!({"op": words([op]), "if_match": if_match()}));
    let needed: Vec<&str> = [&["op"], needed].concat();
    request(members, &needed)
}

/// The kinds of line by name.
fn lines() -> Vec<(&'static str, Value)> {
    let act = |op, members: Value, needed: &[&str]| {
        let own = json!({"key": key(), "id": says(text(), "The order's id.")});
        line(op, with(members, own), &[&["id"], needed].concat())
    };
    let order = with(order_create(), json!({"key": key()}));
    let mut order = line("order", order, &["key", "user", "lines"]);
    order["not"] = sells_what_it_holds();
    let mut refund = act("refund", refund(), &[]);
    // A refund of a part needs a key.
    let keyed = json!({"required": ["key"], "properties": {"key": {"type": "string"}}});
    refund["if"] =
        json!({"required": ["lines"], "properties": {"lines": {"not": {"type": "null"}}}});
    refund["then"] = keyed;
    let entry = with(entry_create(), json!({"key": key(), "draw": schema("Id")}));
    let sku = with(sku_put(), json!({"sku": schema("Id")}));
    let [by, to] = adjustments().map(|(members, needed)| {
        let own = json!({"key": key(), "sku": schema("Id")});
        line("adjust", with(members, own), &[&["key", "sku"], &needed[..]].concat())
    });
    vec![
        ("BatchOrder", order),
        ("BatchConfirm", act("confirm", confirmation(), &[])),
        ("BatchCancel", act("cancel", json!({}), &[])),
        ("BatchExtend", act("extend", extension(), &["hold_ms"])),
        ("BatchShip", act("ship", json!({}), &[])),
        ("BatchComplete", act("complete", json!({}), &[])),
        ("BatchRefund", refund),
        ("BatchEntry", line("entry", entry, &["key", "draw", "user"])),
        ("BatchAdjustBy", by),
        ("BatchAdjustTo", to),
        ("BatchSku", line("sku", sku, &["sku", "stock"])),
    ]
}

fn answer() -> Value {
    let body = json!({"anyOf": [
        schema("Order"), schema("Sku"), schema("Entry"), schema("Problem"),
    ]});
    let body = says(body, "What the same request alone would be answered.");
    let replayed = says(boolean(), "As `Idempotent-Replayed`; absent in the answer to the stream.");
    object(json!({"status": integer(200, 599), "body": body, "replayed": replayed}), &["replayed"])
}

fn feed() -> Value {
    let data = json!({
        "type": "object",
        "required": ["seq"],
        "properties": {"seq": number()},
        "description": "What was changed, by the names that it has elsewhere; `seq` is the event's.",
    });
    let event = object(
        json!({
            "specversion": words(["1.0"]),
            "id": schema("OrderId"),
            "source": matching("^urn:doorbuster:journal:[0-9a-f]{32}$"),
            "type": says(
                matching("^doorbuster\\.[a-z]+\\.[a-z]+$"),
                "What happened, like `doorbuster.order.created`; more may be added.",
            ),
            "subject": says(text(), "What it happened to, as a path below `/v1/`."),
            "time": schema("Instant"),
            "traceparent": text(),
            "datacontenttype": words(["application/json"]),
            "data": data,
        }),
        &["traceparent"],
    );
    let page = json!({
        "events": list(1000, "Event"), "next_after": matching(patterns::PLACE), "seq": count(),
    });
    json!({"Event": event, "EventPage": object(page, &[])})
}
