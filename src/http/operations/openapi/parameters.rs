//! The parameters and headers that the contract's operations name.
//!
//! Owns their schemas and what they mean. Next: `headers` and `target`, which read them.

use super::patterns;
use super::shapes::{integer, matching, number, says, schema, text, words};
use crate::metrics::Stage;
use serde_json::{Map, Value, json};

/// Ends the name of a header that may be missing; others are always there.
const OPTIONAL: &str = "-Optional";

const KEY: &str = "Yours to choose: one key, one decision. Retry with the same key. 1 to 255 \
printable ASCII characters, or those in double quotes, which is the same key.";

const IF_MATCH: &str = "The version that is to be changed, as `ETag` tells it, several of \
them, or `*` for any. A weak tag never matches.";

const IF_NONE_MATCH: &str = "`*`: only if there is none yet, which is not said together with \
If-Match. Otherwise the versions that it must not be. A weak tag never matches.";

pub(super) fn parameters() -> Value {
    let mut all = Map::new();
    for part in [of_paths(), of_queries(), of_headers()] {
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    Value::Object(all)
}

fn of_paths() -> Value {
    let path = |name: &str, shape: Value, example: &str, meaning: &str| {
        json!({
            "name": name, "in": "path", "required": true, "schema": shape, "example": example,
            "description": meaning,
        })
    };
    json!({
        "Sku": path("sku", schema("Id"), "phone", "The id of a SKU."),
        "Draw": path("draw", schema("Id"), "spring", "The id of a draw."),
        "Order": path("order", schema("OrderId"), "k3v9x2qa-17", "The id of an order."),
        "User": path("user", schema("UserId"), "u1", "The id of a user."),
        "Key": path(
            "key", matching(patterns::KEY_TEXT), "shop-17",
            "An idempotency key, percent-encoded.",
        ),
    })
}

fn of_queries() -> Value {
    let query = |name: &str, shape: Value, meaning: &str| {
        json!({
            "name": name, "in": "query", "schema": shape,
            "description": meaning,
        })
    };
    let with_default = |mut shape: Value, default: Value| {
        shape["default"] = default;
        shape
    };
    json!({
        "EntriesAfter": query(
            "after",
            integer(0, u64::from(u32::MAX)),
            "The `next_after` of the page before, or the number of an entry.",
        ),
        "EventsAfter": query(
            "after", matching(patterns::PLACE), "Events behind this id, `next_after` or `seq`.",
        ),
        "OfUser": query("user", schema("UserId"), "Only entries of this user."),
        "OfSku": query("sku", schema("Id"), "Only orders with a line of this SKU."),
        "Status": query("status", schema("OrderStatus"), "Only orders of this status."),
        "Limit": query(
            "limit", with_default(integer(1, 100), json!(100)), "Entries of a page at most.",
        ),
        "EventLimit": query(
            "limit",
            with_default(integer(1, 1000), json!(100)),
            "Events of a page at most; not for streams.",
        ),
        "SkuCursor": query("cursor", schema("Id"), "The `next_cursor` of the page before."),
        "OrderCursor": query(
            "cursor", schema("OrderCursor"), "The `next_cursor` of the page before.",
        ),
        "Stage": query(
            "stage",
            with_default(words(Stage::ALL.map(Stage::as_str)), json!("whole")),
            "Which part of a request's time.",
        ),
    })
}

fn of_headers() -> Value {
    let header = |name: &str, required: bool, shape: Value, example: Value, meaning: &str| {
        json!({
            "name": name, "in": "header", "required": required, "schema": shape,
            "example": example, "description": meaning,
        })
    };
    let key = |required| {
        header("Idempotency-Key", required, matching(patterns::KEY), json!("shop-17"), KEY)
    };
    let tags = || matching(patterns::TAGS);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    json!({
        "IdempotencyKey": key(true),
        "OptionalKey": key(false),
        "IfMatch": header("If-Match", false, tags(), json!("\"17\""), IF_MATCH),
        "IfNoneMatch": header("If-None-Match", false, tags(), json!("*"), IF_NONE_MATCH),
        "LastEventId": header(
            "Last-Event-ID", false, matching(patterns::LAST_PLACE), json!("k3v9x2qa-17"),
            "Beats `after`; empty where no event was seen yet.",
        ),
        "RequestTimeout": header(
            "Request-Timeout-Ms", false, number(), json!(2000),
            "It is not decided at all unless it is decided within so many milliseconds.",
        ),
        "Traceparent": header(
            "traceparent", false, text(), json!(trace),
            "W3C Trace Context; echoed, journaled, in the feed. One that is not valid is ignored.",
        ),
        "ServerTiming": header(
            "Server-Timing", false, text(), json!("1"),
            "`1`: tell in a header of the same name how long it took, to the roles `metrics` and \
             `admin` stage by stage. Anything else is ignored.",
        ),
    })
}

/// The name among the document's headers of one that is always there, or may be missing.
pub(super) fn header_key(name: &str, always: bool) -> String {
    if always { name.to_owned() } else { format!("{name}{OPTIONAL}") }
}

pub(super) fn headers() -> Value {
    let tag = matching(patterns::TAG);
    let all: [(&str, bool, Value, &str); 13] = [
        ("ETag", true, tag, "The version in double quotes, for If-Match."),
        ("Location", true, matching("^/v1/orders/"), "The path of what was created."),
        ("WWW-Authenticate", true, words(["Bearer"]), "A token is needed."),
        ("Idempotent-Replayed", false, words(["true"]), "This is the first answer, given again."),
        ("Retry-After", true, number(), RETRY_AFTER),
        ("Retry-After", false, number(), RETRY_AFTER),
        ("RateLimit-Policy", true, text(), POLICY),
        ("RateLimit-Policy", false, text(), POLICY),
        ("RateLimit", true, text(), RATE),
        ("RateLimit", false, text(), RATE),
        ("Server-Timing", false, text(), "How long it took, if that was asked for."),
        ("traceparent", false, text(), "The one that came in, if it was valid."),
        (
            "X-Accel-Buffering",
            false,
            words(["no"]),
            "On a stream: a proxy must pass each piece on as it comes.",
        ),
    ];
    let entries = all.into_iter().map(|(name, always, shape, meaning)| {
        let header = json!({"required": always, "schema": shape});
        (header_key(name, always), says(header, meaning))
    });
    Value::Object(entries.collect())
}

const RETRY_AFTER: &str = "Seconds to stay away; `retry_after_ms` in the body is exact.";
const POLICY: &str = "Buckets that the request is taken out of: `q` requests in `w` seconds.";
const RATE: &str = "Of each bucket, `r` requests are left, and all again in `t` seconds.";
