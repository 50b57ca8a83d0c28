//! The shapes of SKUs, orders, draws and the server's own figures, as the operations name them.
//!
//! Owns which members a request may have and an answer has. Next: `json_writer` and `draw_writer`,
//! which write the answers; `routes`, which read the requests.

use super::patterns::{self, HASH};
use super::shapes::{
    boolean, count, id, integer, list, matching, maybe, number, object, printable, request, says,
    schema, set, text, with, words,
};
use crate::domain::model::draw::Reason;
use crate::domain::model::ids::{
    CLIENT_SEED_BYTES_MAX, HOLD_MS_END, LINES_MAX, PRIZES_MAX, QUANTITY_MAX, REASON_CHARACTERS_MAX,
    REFERENCE_BYTES_MAX, STOCK_MAX, WEIGHT_MAX,
};
use crate::domain::model::sku::RefusalReason;
use crate::http::handlers::mode;
use crate::metrics::Stage;
use crate::shared::standing::StandingRole;
use serde_json::{Map, Value, json};

/// Members of a status that are there only while they tell something, or where there are copies.
const OF_SOME: [&str; 8] = [
    "snapshot_error",
    "journal_damage",
    "node",
    "writer",
    "in_sync",
    "copies",
    "alone",
    "digest_differs",
];

pub(super) fn schemas() -> Value {
    let mut all = Map::new();
    for part in [basics(), skus(), orders(), draws(), server()] {
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    Value::Object(all)
}

fn basics() -> Value {
    let order = json!({
        "type": "string",
        "description": "Opaque: compare it, and nothing else.",
        "pattern": patterns::ORDER,
        "examples": ["k3v9x2qa-17", "3-17"],
    });
    let order_cursor = json!({
        "type": "string",
        "description": "Opaque: give it back, and nothing else. It keeps over a restart.",
        "pattern": patterns::ORDER_CURSOR,
        "examples": ["k3v9x2qa-17"],
    });
    let instant_in = json!({
        "type": "string",
        "format": "date-time",
        "pattern": patterns::INSTANT_IN,
        "description": "RFC 3339 with any offset, from 1970 to 9999 in UTC; cut to milliseconds.",
    });
    let part = || json!({"type": "object"});
    json!({
        "Id": id(patterns::ID),
        "UserId": id(patterns::USER),
        "OrderId": order,
        "OrderCursor": order_cursor,
        "Instant": {"type": "string", "format": "date-time", "pattern": patterns::INSTANT},
        "InstantIn": instant_in,
        "Empty": request(json!({}), &[]),
        "Document": {
            "type": "object",
            "required": ["openapi", "info", "paths", "components"],
            "properties": {
                "openapi": text(), "info": part(), "paths": part(), "components": part(),
            },
        },
    })
}

fn page(of: &str, cursor: Value) -> Value {
    let name = format!("{}s", of.to_lowercase());
    object(json!({name: list(100, of), "next_cursor": maybe(cursor), "seq": count()}), &[])
}

/// How long a hold may be asked to last.
fn hold_ms() -> Value {
    integer(1, HOLD_MS_END)
}

/// What operators choose of a SKU, as a request says it.
fn settings() -> Value {
    json!({
        "per_user_limit": says(count(), "Units of one user at most; 0 for no limit."),
        "limit_group": says(schema("Id"), "At most 64 SKUs share the uses of a group."),
        "opens_at": says(schema("InstantIn"), "Must be before `closes_at`."),
        "closes_at": schema("InstantIn"),
        "hold_ms": hold_ms(),
        "paused": boolean(),
        "direct": says(boolean(), "It can be ordered though a draw names it."),
    })
}

/// The members of a SKU that is put.
pub(super) fn sku_put() -> Value {
    with(settings(), json!({"stock": integer(0, STOCK_MAX)}))
}

/// The two ways to change a total, each with the members that it needs.
pub(super) fn adjustments() -> [(Value, [&'static str; 2]); 2] {
    let edge = i64::try_from(STOCK_MAX).unwrap_or(i64::MAX);
    let delta = json!({"type": "integer", "minimum": -edge, "maximum": edge, "not": {"const": 0}});
    let reason = json!({"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS_MAX});
    let by = json!({"delta": says(delta, "Up or down, not 0."), "reason": reason});
    let to = json!({"stock": integer(0, STOCK_MAX), "reason": reason});
    [(by, ["delta", "reason"]), (to, ["stock", "reason"])]
}

fn skus() -> Value {
    let refused = RefusalReason::ALL.map(|reason| (reason.as_str().to_owned(), number()));
    let refused: Map<String, Value> = refused.into_iter().collect();
    let reasons: Vec<&str> = refused.keys().map(String::as_str).collect();
    let refused = object(Value::Object(refused.clone()), &reasons);
    let units = || integer(0, STOCK_MAX);
    let [by, to] = adjustments().map(|(members, required)| request(members, &required));
    json!({
        "Sku": object(json!({
            "sku": schema("Id"),
            "total": units(),
            "available": units(),
            "held": units(),
            "sold": units(),
            "refused": says(refused, "How often and why it was not sold."),
            "per_user_limit": count(),
            "limit_group": maybe(schema("Id")),
            "opens_at": maybe(schema("Instant")),
            "closes_at": maybe(schema("Instant")),
            "hold_ms": maybe(hold_ms()),
            "paused": boolean(),
            "direct": boolean(),
            "version": count(),
            "seq": count(),
            "now": schema("Instant"),
        }), &[]),
        "SkuPut": request(sku_put(), &["stock"]),
        "SkuPatch": request(settings(), &[]),
        "Adjustment": {"oneOf": [schema("AdjustmentBy"), schema("AdjustmentTo")]},
        "AdjustmentBy": says(by, "By a difference."),
        "AdjustmentTo": says(to, "To a number; needs If-Match."),
        "SkuPage": page("Sku", schema("Id")),
    })
}

/// The lines of an order or a refund, as they are asked for.
fn lines() -> Value {
    says(set(1, LINES_MAX, schema("Line")), "Each SKU once.")
}

fn reference() -> Value {
    printable(1, REFERENCE_BYTES_MAX)
}

/// The members of an order that is to be made.
pub(super) fn order_create() -> Value {
    json!({
        "user": schema("UserId"),
        "lines": lines(),
        "hold_ms": says(hold_ms(), "Not with `confirm`, which holds nothing."),
        "confirm": says(boolean(), "Sell at once."),
        "reference": reference(),
    })
}

/// What no new order may say: how long to hold what it sells at once.
pub(super) fn sells_what_it_holds() -> Value {
    json!({
        "required": ["confirm", "hold_ms"],
        "properties": {"confirm": {"const": true}, "hold_ms": {"type": "integer"}},
    })
}

/// The members of what is done to an order.
pub(super) fn confirmation() -> Value {
    json!({"if_expired": words(["reacquire"])})
}

pub(super) fn extension() -> Value {
    json!({"hold_ms": hold_ms()})
}

pub(super) fn refund() -> Value {
    let restock = says(boolean(), "False: the units do not go on sale again.");
    json!({"lines": says(lines(), "A part; needs a key."), "restock": restock})
}

fn orders() -> Value {
    let quantity = |from| integer(from, QUANTITY_MAX);
    let mut create = request(order_create(), &["user", "lines"]);
    create["not"] = sells_what_it_holds();
    json!({
        "OrderStatus": words([
            "held", "confirmed", "shipped", "completed", "cancelled", "expired", "refunded",
        ]),
        "Order": object(json!({
            "id": schema("OrderId"),
            "user": schema("UserId"),
            "status": schema("OrderStatus"),
            "lines": {
                "type": "array", "minItems": 1, "maxItems": LINES_MAX,
                "items": schema("OrderLine"),
            },
            "reference": maybe(reference()),
            "created_at": schema("Instant"),
            "expires_at": says(maybe(schema("Instant")), "Null unless it is held."),
            "changed_seq": count(),
            "seq": count(),
        }), &[]),
        "OrderLine": object(
            json!({"sku": schema("Id"), "qty": quantity(1), "refunded_qty": quantity(0)}),
            &[],
        ),
        "Line": object(json!({"sku": schema("Id"), "qty": quantity(1)}), &[]),
        "OrderCreate": create,
        "Confirmation": request(confirmation(), &[]),
        "Extension": request(extension(), &["hold_ms"]),
        "Refund": request(refund(), &[]),
        "OrderPage": page("Order", schema("OrderCursor")),
        "Remembered": object(json!({
            "status": {"type": "integer", "enum": [200, 201]},
            "body": {
                "oneOf": [schema("Order"), schema("Sku"), schema("Entry"), schema("Draw")],
            },
            "seq": count(),
        }), &[]),
    })
}

/// The members of an entry that is to be made.
pub(super) fn entry_create() -> Value {
    json!({"user": schema("UserId"), "client_seed": printable(0, CLIENT_SEED_BYTES_MAX)})
}

fn draws() -> Value {
    let weight = || integer(0, WEIGHT_MAX);
    let prizes = || says(set(1, PRIZES_MAX, schema("Prize")), "Each SKU once.");
    let mut put = request(
        json!({
            "prizes": prizes(),
            "blank_weight": weight(),
            "entries_per_user": says(count(), "1 where nothing is said; 0 for no limit."),
            "opens_at": says(schema("InstantIn"), "Must be before `closes_at`."),
            "closes_at": schema("InstantIn"),
            "hold_ms": says(hold_ms(), "Not with `confirm`, which holds nothing."),
            "confirm": says(boolean(), "A win is sold at once."),
        }),
        &["prizes"],
    );
    // Some weight must be above 0.
    let nothing = json!({"properties": {
        "prizes": {"type": "array", "items": {"properties": {"weight": {"const": 0}}}},
        "blank_weight": {"enum": [0, null]},
    }});
    put["not"] = json!({"anyOf": [sells_what_it_holds(), nothing]});
    json!({
        "Draw": object(json!({
            "draw": schema("Id"),
            "prizes": prizes(),
            "blank_weight": weight(),
            "entries_per_user": count(),
            "opens_at": maybe(schema("Instant")),
            "closes_at": maybe(schema("Instant")),
            "hold_ms": maybe(hold_ms()),
            "confirm": boolean(),
            "commitment": matching(HASH),
            "seed": maybe(matching(HASH)),
            "closed_at": maybe(schema("Instant")),
            "entries": count(),
            "version": count(),
            "seq": count(),
            "now": schema("Instant"),
        }), &[]),
        "Prize": object(json!({"sku": schema("Id"), "weight": weight()}), &[]),
        "DrawPut": put,
        "Entry": object(json!({
            "draw": schema("Id"),
            "entry": number(),
            "user": schema("UserId"),
            "client_seed": maybe(printable(0, CLIENT_SEED_BYTES_MAX)),
            "outcome": words(["won", "lost"]),
            "pick": maybe(schema("Id")),
            "reason": words(Reason::ALL.map(Reason::as_str)),
            "order": maybe(schema("Order")),
            "seq": count(),
        }), &[]),
        "EntryCreate": request(entry_create(), &["user"]),
        "EntryPage": object(
            json!({"entries": list(100, "Entry"), "next_after": maybe(count()), "seq": count()}),
            &[],
        ),
    })
}

fn server() -> Value {
    let micros = || json!({"type": "number", "minimum": 0});
    let mut stage = Map::new();
    stage.insert("count".to_owned(), count());
    for name in ["mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"] {
        stage.insert(name.to_owned(), micros());
    }
    let stages: Map<String, Value> =
        Stage::ALL.iter().map(|name| (name.as_str().to_owned(), schema("Latencies"))).collect();
    json!({
        "Probe": object(json!({"status": words(["live", "ready"])}), &[]),
        "Status": object(json!({
            "version": text(),
            "role": words(StandingRole::ALL.map(StandingRole::word)),
            "node": says(text(), "The name of this node."),
            "writer": says(maybe(text()), "Where clients reach the writer, if it is known."),
            "in_sync": says(
                json!({"type": "array", "items": text()}),
                "The nodes that hold all that was answered.",
            ),
            "copies": {"type": "array", "items": schema("Copy")},
            "alone": says(boolean(), "No other node could take over."),
            "digest_differs": object(json!({"seq": count(), "how": text()}), &[]),
            "epoch": count(),
            "seq": count(),
            "durable_seq": count(),
            "snapshot_seq": maybe(count()),
            "snapshot_error": text(),
            "journal_damage": text(),
            "journal_bytes": count(),
            "uptime_ms": count(),
            "mode": words(mode::WORDS),
            "durability": text(),
            "tables": {"type": "object", "additionalProperties": schema("Fill")},
        }), &OF_SOME),
        "Copy": object(
            json!({"node": text(), "lag_records": count(), "lag_ms": count()}), &[],
        ),
        "Handover": request(json!({"to": says(text(), "The copy; any that is in sync.")}), &[]),
        "HandedOver": object(json!({"to": says(text(), "The node that writes on.")}), &[]),
        "Fill": object(json!({"used": count(), "cap": count()}), &[]),
        "Latency": object(json!({
            "unit": words(["us"]),
            "durability": text(),
            "uptime_ms": count(),
            "stages": object(Value::Object(stages), &[]),
        }), &[]),
        "Latencies": object(Value::Object(stage), &[]),
        "Mode": object(json!({"mode": words(mode::WORDS)}), &[]),
        "Snapshot": object(json!({"snapshot_seq": count(), "seq": count()}), &[]),
    })
}
