//! The shapes, parameters and headers that the contract's operations name.

use super::operation::schema;
use crate::domain::draw::Reason;
use crate::domain::ids::{
    CLIENT_SEED_BYTES_MAX, HOLD_MS_END, INTEGER_END, LINES_MAX, PRIZES_MAX, QUANTITY_MAX,
    REASON_CHARACTERS_MAX, REFERENCE_BYTES_MAX, STOCK_MAX, WEIGHT_MAX,
};
use crate::domain::sku::RefusalReason;
use crate::http::mode;
use crate::http::problem::Code;
use crate::metrics::Stage;
use serde_json::{Map, Value, json};

const ID: &str = "^(?!\\.{1,2}$)[A-Za-z0-9._:@-]{1,64}$";
/// A life, or an epoch of a journal from before there were lives; and a sequence.
const EVENT_ID: &str = "^([0-9a-hjkmnp-tv-z]{8}|[1-9][0-9]*)-[1-9][0-9]*$";
const USER: &str = "^(?!\\.{1,2}$)[A-Za-z0-9._:@+|=~-]{1,64}$";
const INSTANT: &str = "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$";

/// An object of exactly these members; the names in `optional` may be absent.
fn object(members: Value, optional: &[&str]) -> Value {
    let names = members.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<&String> = names.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": members,
    })
}

/// What a request may leave out, it may also give as null.
fn request(members: Value, required: &[&str]) -> Value {
    let mut properties = Map::new();
    for (name, member) in members.as_object().into_iter().flatten() {
        let member = match required.contains(&name.as_str()) {
            true => member.clone(),
            false => json!({"oneOf": [member, {"type": "null"}]}),
        };
        properties.insert(name.clone(), member);
    }
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn maybe(shape: Value) -> Value {
    json!({"oneOf": [shape, {"type": "null"}]})
}

fn integer(from: u64, to: u64) -> Value {
    json!({"type": "integer", "minimum": from, "maximum": to})
}

fn count() -> Value {
    integer(0, INTEGER_END)
}

fn page(of: &str, cursor: Value) -> Value {
    let list = json!({"type": "array", "maxItems": 100, "items": schema(of)});
    let name = format!("{}s", of.to_lowercase());
    object(json!({name: list, "next_cursor": maybe(cursor), "seq": count()}), &[])
}

pub(super) fn schemas() -> Value {
    let mut all = Map::new();
    for part in [basics(), skus(), orders(), draws(), many(), server(), problem()] {
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    Value::Object(all)
}

fn basics() -> Value {
    json!({
        "Id": {"type": "string", "pattern": ID},
        "UserId": {"type": "string", "pattern": USER},
        "OrderId": {
            "type": "string",
            "description": "Opaque. Never given out twice, not even after an old copy of the data \
                directory was put back.",
            "examples": ["7k3v9q2m-4"],
        },
        "Instant": {"type": "string", "format": "date-time", "pattern": INSTANT},
        "InstantIn": {
            "type": "string",
            "format": "date-time",
            "description": "Any RFC 3339 offset; cut to milliseconds.",
        },
        "Empty": request(json!({}), &[]),
        "Document": {"type": "object", "required": ["openapi", "info", "paths", "components"]},
    })
}

/// What operators choose of a SKU, as a request says it.
fn settings() -> Value {
    json!({
        "per_user_limit": integer(0, INTEGER_END),
        "limit_group": schema("Id"),
        "opens_at": schema("InstantIn"),
        "closes_at": schema("InstantIn"),
        "hold_ms": integer(1, HOLD_MS_END),
        "paused": {"type": "boolean"},
        "direct": {"type": "boolean"},
    })
}

fn skus() -> Value {
    let mut put = settings();
    put["stock"] = integer(0, STOCK_MAX);
    let reasons = RefusalReason::ALL.map(RefusalReason::as_str);
    let refused = json!({
        "type": "object",
        "propertyNames": {"enum": reasons},
        "additionalProperties": integer(1, INTEGER_END),
    });
    let adjustment = json!({
        "delta": {"type": "integer", "not": {"const": 0}},
        "stock": integer(0, STOCK_MAX),
        "reason": {"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS_MAX},
    });
    json!({
        "Sku": object(json!({
            "sku": schema("Id"),
            "total": integer(0, STOCK_MAX),
            "available": integer(0, STOCK_MAX),
            "held": integer(0, STOCK_MAX),
            "sold": integer(0, STOCK_MAX),
            "refused": refused,
            "per_user_limit": count(),
            "limit_group": maybe(schema("Id")),
            "opens_at": maybe(schema("Instant")),
            "closes_at": maybe(schema("Instant")),
            "hold_ms": maybe(integer(1, HOLD_MS_END)),
            "paused": {"type": "boolean"},
            "direct": {"type": "boolean"},
            "version": count(),
            "seq": count(),
            "now": schema("Instant"),
        }), &[]),
        "SkuPut": request(put, &["stock"]),
        "SkuPatch": request(settings(), &[]),
        "Adjustment": request(adjustment, &["reason"]),
        "SkuPage": page("Sku", schema("Id")),
    })
}

fn lines() -> Value {
    let line = object(json!({"sku": schema("Id"), "qty": integer(1, QUANTITY_MAX)}), &[]);
    json!({"type": "array", "minItems": 1, "maxItems": LINES_MAX, "items": line})
}

fn orders() -> Value {
    let quantity = |from| integer(from, QUANTITY_MAX);
    let line =
        object(json!({"sku": schema("Id"), "qty": quantity(1), "refunded_qty": quantity(0)}), &[]);
    let reference = json!({
        "type": "string", "minLength": 1, "maxLength": REFERENCE_BYTES_MAX, "pattern": "^[ -~]*$",
    });
    json!({
        "OrderStatus": {
            "enum": [
                "held", "confirmed", "shipped", "completed", "cancelled", "expired", "refunded",
            ],
        },
        "Order": object(json!({
            "id": schema("OrderId"),
            "user": schema("UserId"),
            "status": schema("OrderStatus"),
            "lines": {"type": "array", "minItems": 1, "maxItems": LINES_MAX, "items": line},
            "reference": maybe(reference.clone()),
            "created_at": schema("Instant"),
            "expires_at": maybe(schema("Instant")),
            "changed_seq": count(),
            "seq": count(),
        }), &[]),
        "OrderCreate": request(json!({
            "user": schema("UserId"),
            "lines": lines(),
            "hold_ms": integer(1, HOLD_MS_END),
            "confirm": {"type": "boolean"},
            "reference": reference,
        }), &["user", "lines"]),
        "Confirmation": request(json!({"if_expired": {"enum": ["reacquire"]}}), &[]),
        "Extension": request(json!({"hold_ms": integer(1, HOLD_MS_END)}), &["hold_ms"]),
        "Refund": request(json!({"lines": lines(), "restock": {"type": "boolean"}}), &[]),
        "OrderPage": page("Order", schema("OrderId")),
        "Remembered": object(json!({
            "status": {"enum": [200, 201]},
            "body": {
                "oneOf": [schema("Order"), schema("Sku"), schema("Entry"), schema("Draw")],
            },
            "seq": count(),
        }), &[]),
    })
}

/// Many at once, and the feed.
fn many() -> Value {
    let op = json!({"enum": crate::http::routes::batch::op_names()});
    let text = || json!({"type": "string"});
    let line = json!({
        "type": "object",
        "description": "The members of the same request's body, and these.",
        "required": ["op"],
        "properties": {
            "op": op,
            "key": {"type": "string", "minLength": 1},
            "id": schema("OrderId"),
            "sku": schema("Id"),
            "draw": schema("Id"),
            "if_match": {"type": ["string", "integer"]},
        },
    });
    let event = object(
        json!({
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "pattern": EVENT_ID},
            "source": {"type": "string", "pattern": "^urn:doorbuster:journal:[0-9a-f]{32}$"},
            "type": {"type": "string", "pattern": "^doorbuster\\."},
            "subject": text(),
            "time": schema("Instant"),
            "traceparent": text(),
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object", "required": ["seq"]},
        }),
        &["traceparent"],
    );
    let list = json!({"type": "array", "maxItems": 1000, "items": schema("Event")});
    json!({
        "BatchLine": line,
        "BatchAnswer": object(
            json!({
                "status": integer(200, 599),
                "body": {"type": ["object", "null"]},
                "replayed": {"type": "boolean"},
            }),
            &["replayed"],
        ),
        "Event": event,
        "EventPage": object(json!({"events": list, "next_after": text(), "seq": count()}), &[]),
    })
}

fn draws() -> Value {
    let weight = || integer(0, WEIGHT_MAX);
    let prize = object(json!({"sku": schema("Id"), "weight": weight()}), &[]);
    let prizes =
        || json!({"type": "array", "minItems": 1, "maxItems": PRIZES_MAX, "items": prize.clone()});
    let hash = || json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    let client_seed =
        || json!({"type": "string", "maxLength": CLIENT_SEED_BYTES_MAX, "pattern": "^[ -~]*$"});
    let entries = json!({"type": "array", "maxItems": 100, "items": schema("Entry")});
    json!({
        "Draw": object(json!({
            "draw": schema("Id"),
            "prizes": prizes(),
            "blank_weight": weight(),
            "entries_per_user": count(),
            "opens_at": maybe(schema("Instant")),
            "closes_at": maybe(schema("Instant")),
            "hold_ms": maybe(integer(1, HOLD_MS_END)),
            "confirm": {"type": "boolean"},
            "commitment": hash(),
            "seed": maybe(hash()),
            "closed_at": maybe(schema("Instant")),
            "entries": count(),
            "version": count(),
            "seq": count(),
            "now": schema("Instant"),
        }), &[]),
        "DrawPut": request(json!({
            "prizes": prizes(),
            "blank_weight": weight(),
            "entries_per_user": count(),
            "opens_at": schema("InstantIn"),
            "closes_at": schema("InstantIn"),
            "hold_ms": integer(1, HOLD_MS_END),
            "confirm": {"type": "boolean"},
        }), &["prizes"]),
        "Entry": object(json!({
            "draw": schema("Id"),
            "entry": integer(1, INTEGER_END),
            "user": schema("UserId"),
            "client_seed": maybe(client_seed()),
            "outcome": {"enum": ["won", "lost"]},
            "pick": maybe(schema("Id")),
            "reason": {"enum": Reason::ALL.map(Reason::as_str)},
            "order": maybe(schema("Order")),
            "seq": count(),
        }), &[]),
        "EntryCreate": request(
            json!({"user": schema("UserId"), "client_seed": client_seed()}),
            &["user"],
        ),
        "EntryPage": object(
            json!({"entries": entries, "next_after": maybe(count()), "seq": count()}),
            &[],
        ),
    })
}

fn server() -> Value {
    let fill = object(json!({"used": count(), "cap": count()}), &[]);
    let micros = json!({"type": "number", "minimum": 0});
    let mut stage = Map::new();
    stage.insert("count".to_owned(), count());
    for name in ["mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"] {
        stage.insert(name.to_owned(), micros.clone());
    }
    let stage = object(Value::Object(stage), &[]);
    let stages: Map<String, Value> =
        Stage::ALL.iter().map(|name| (name.as_str().to_owned(), stage.clone())).collect();
    json!({
        "Probe": object(json!({"status": {"enum": ["live", "ready"]}}), &[]),
        "Status": object(json!({
            "version": {"type": "string"},
            "role": {"const": "primary"},
            "epoch": count(),
            "seq": count(),
            "durable_seq": count(),
            "snapshot_seq": maybe(count()),
            "snapshot_error": {"type": "string"},
            "journal_damage": {"type": "string"},
            "journal_bytes": count(),
            "uptime_ms": count(),
            "mode": {"enum": mode::WORDS},
            "durability": {"type": "string"},
            "tables": {"type": "object", "additionalProperties": fill},
        }), &["snapshot_error", "journal_damage"]),
        "Latency": object(json!({
            "unit": {"const": "us"},
            "durability": {"type": "string"},
            "uptime_ms": count(),
            "stages": object(Value::Object(stages), &[]),
        }), &[]),
        "Mode": object(json!({"mode": {"enum": mode::WORDS}}), &[]),
        "Snapshot": object(json!({"snapshot_seq": count(), "seq": count()}), &[]),
    })
}

fn problem() -> Value {
    let short = object(
        json!({"sku": schema("Id"), "requested": count(), "available": count(), "held": count()}),
        &[],
    );
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let fault = object(json!({"field": {"type": "string"}, "reason": {"type": "string"}}), &[]);
    json!({
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code", "retryable"],
            "properties": {
                "type": {"type": "string", "pattern": "^urn:doorbuster:problem:"},
                "title": {"type": "string"},
                "status": integer(400, 599),
                "detail": {"type": "string"},
                "code": {"enum": codes},
                "retryable": {"type": "boolean"},
                "retry_after_ms": count(),
                "seq": count(),
                "errors": {"type": "array", "minItems": 1, "items": fault},
                "lines": {"type": "array", "minItems": 1, "items": short},
                "opens_at": schema("Instant"),
                "closes_at": schema("Instant"),
                "now": schema("Instant"),
                "order_status": schema("OrderStatus"),
                "sku": {"type": "string"},
                "oldest": {"type": "string"},
                "limit": count(),
                "used": count(),
                "requested": count(),
                "version": maybe(count()),
            },
        },
    })
}

pub(super) fn parameters() -> Value {
    let path = |name: &str, shape: Value| json!({"name": name, "in": "path", "required": true, "schema": shape});
    let query = |name: &str, shape: Value, meaning: &str| json!({"name": name, "in": "query", "schema": shape, "description": meaning});
    let header = |name: &str, required: bool, shape: Value, meaning: &str| {
        json!({
            "name": name, "in": "header", "required": required,
            "schema": shape, "description": meaning,
        })
    };
    let key = json!({"type": "string", "minLength": 1, "maxLength": 255});
    let key_means = "Yours to choose: one key, one decision. Retry with the same key.";
    let text = || json!({"type": "string"});
    let stages = json!({"enum": Stage::ALL.map(Stage::as_str), "default": "whole"});
    let events = json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 100});
    json!({
        "Sku": path("sku", schema("Id")),
        "Draw": path("draw", schema("Id")),
        "After": query(
            "after",
            integer(0, u64::from(u32::MAX)),
            "The `next_after` of the page before, or the number of an entry.",
        ),
        "OfUser": query("user", schema("UserId"), "Only entries of this user."),
        "Order": path("order", schema("OrderId")),
        "User": path("user", schema("UserId")),
        "Key": path("key", key.clone()),
        "Limit": query("limit", limit, "Entries of a page at most."),
        "Cursor": query("cursor", schema("Id"), "The `next_cursor` of the page before."),
        "OrderCursor": query("cursor", schema("OrderId"), "The `next_cursor` of the page before."),
        "Status": query("status", schema("OrderStatus"), "Only orders of this status."),
        "OfSku": query("sku", schema("Id"), "Only orders with a line of this SKU."),
        "After": query("after", text(), "Events behind this id, `next_after` or `seq`."),
        "EventLimit": query("limit", events, "Events of a page at most; not for streams."),
        "LastEventId": header("Last-Event-ID", false, text(), "Beats `after`."),
        "Stage": query("stage", stages, "Which part of a request's time."),
        "IdempotencyKey": header("Idempotency-Key", true, key.clone(), key_means),
        "OptionalKey": header("Idempotency-Key", false, key, key_means),
        "IfMatch": header(
            "If-Match", false, text(),
            "The version that is to be changed, several of which one must be it, or *; weak tags \
             match nothing.",
        ),
        "IfNoneMatch": header(
            "If-None-Match", false, text(),
            "Create only (*), or versions that must not be there; weak tags match nothing.",
        ),
        "RequestTimeout": header(
            "Request-Timeout-Ms", false, integer(1, INTEGER_END),
            "Not decided at all unless it is decided within this.",
        ),
        "Traceparent": header(
            "traceparent", false, text(), "W3C Trace Context; echoed, journaled, in the feed.",
        ),
        "ServerTiming": header(
            "Server-Timing", false, json!({"const": "1"}), "Tell where the time went.",
        ),
    })
}

pub(super) fn headers() -> Value {
    let text = json!({"type": "string"});
    json!({
        "ETag": {"schema": text, "description": "The version in double quotes, for If-Match."},
        "WWW-Authenticate": {"schema": {"const": "Bearer"}, "description": "A token is needed."},
        "Location": {"schema": text, "description": "The path of what was created."},
        "Idempotent-Replayed": {
            "schema": {"const": "true"},
            "description": "This is the first answer, given again.",
        },
        "Retry-After": {
            "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds to stay away; `retry_after_ms` in the body is exact.",
        },
        "RateLimit-Policy": {
            "schema": text,
            "description": "Buckets that the request is taken out of: `q` requests in `w` seconds.",
        },
        "RateLimit": {
            "schema": text,
            "description": "Of each bucket, `r` requests are left, and all again in `t` seconds.",
        },
    })
}
