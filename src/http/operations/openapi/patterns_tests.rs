//! The document's schemas of parameters and bodies against the parsers: whatever one takes, the
//! other does.

use crate::http::operations::openapi::document;
use crate::http::response::problem::Code;
use crate::http::routes::Parsed;
use crate::http::routes::batch::{op_names, question};
use crate::http::testing::wanted;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

fn validator(place: &str) -> Validator {
    let shape = json!({
        "components": document()["components"],
        "$ref": format!("#/components/{place}"),
    });
    jsonschema::draft202012::new(&shape).expect("a schema")
}

/// A validator of a parameter's schema.
macro_rules! of_parameter {
    ($name:literal) => {{
        static OWN: LazyLock<Validator> =
            LazyLock::new(|| validator(concat!("parameters/", $name, "/schema")));
        &*OWN
    }};
}

/// What a client writes into a query or a path for this text.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The text is allowed by the schema and taken by the server, or neither.
fn agree(shape: &Validator, text: &str, ask: &str) -> Result<(), TestCaseError> {
    let allowed = shape.is_valid(&json!(text));
    let taken = wanted(ask).map(drop).map_err(|refused| refused.code);
    // What is well said may still name a place that this journal never had.
    let well_said = matches!(taken, Ok(()) | Err(Code::Diverged));
    prop_assert_eq!(allowed, well_said, "{:?}: {:?}", text, taken);
    Ok(())
}

/// Texts that are ids, nearly so, or not at all.
const NEAR_IDS: &str = "\\.{0,3}[A-Za-z0-9._:@+|=~ ä!-]{0,3}[A-Za-z0-9._:@+|=~-]{0,62}";
const NEAR_PLACES: &str = concat!(
    "(([1-9][0-9]{0,6}|[1-9][0-9]{8}|0[0-9]{1,3}|[+-][1-9]|)-)?",
    "([1-9][0-9]{0,18}|0[0-9]{1,3}|)[a ]?",
);

proptest! {
    #[test]
    fn ids_are_those_that_are_taken(text in NEAR_IDS) {
        agree(of_parameter!("OfSku"), &text, &format!("GET /v1/orders?sku={}", encoded(&text)))?;
        agree(of_parameter!("SkuCursor"), &text, &format!("GET /v1/skus?cursor={}", encoded(&text)))?;
        let entries = format!("GET /v1/draws/d/entries?user={}", encoded(&text));
        agree(of_parameter!("OfUser"), &text, &entries)?;
        // An empty one makes another path.
        if !text.is_empty() {
            let path = encoded(&text);
            agree(of_parameter!("Sku"), &text, &format!("GET /v1/skus/{path}"))?;
            agree(of_parameter!("Draw"), &text, &format!("GET /v1/draws/{path}"))?;
            agree(of_parameter!("User"), &text, &format!("GET /v1/users/{path}/orders"))?;
        }
    }

    #[test]
    fn cursors_and_places_are_those_that_are_taken(text in NEAR_PLACES) {
        let encoded = encoded(&text);
        let orders = format!("GET /v1/orders?cursor={encoded}");
        agree(of_parameter!("OrderCursor"), &text, &orders)?;
        agree(of_parameter!("EventsAfter"), &text, &format!("GET /v1/events?after={encoded}"))?;
        let text = text.trim();
        let events = format!("Last-Event-ID: {text}\nGET /v1/events");
        agree(of_parameter!("LastEventId"), text, &events)?;
    }

    #[test]
    fn keys_are_those_that_are_taken(
        text in "\"?[ !\"#-.0-~]{0,3}([ !#-.0-\\[\\]-~]{0,255}|(\\\\[\"\\\\]){0,3})\"?ä?",
    ) {
        if !text.is_empty() {
            let path = encoded(&text);
            agree(of_parameter!("Key"), &text, &format!("GET /v1/requests/{path}"))?;
        }
        let text = text.trim();
        let cancel = format!("Idempotency-Key: {text}\nPOST /v1/orders/1-1/cancel");
        agree(of_parameter!("OptionalKey"), text, &cancel)?;
        let line = json!({"op": "cancel", "id": "1-1", "key": text});
        let allowed = validator("schemas/BatchCancel").is_valid(&line);
        prop_assert_eq!(allowed, of_parameter!("Key").is_valid(&json!(text)));
    }

    #[test]
    fn a_tag_is_one_that_is_taken(text in "\\*?(w|W/)?\"?[!#-+.0-~ ]{0,5}\"?[*\t]?") {
        let text = text.trim();
        let delete = format!("If-Match: {text}\nDELETE /v1/skus/a");
        agree(of_parameter!("IfMatch"), text, &delete)?;
    }
}

#[test]
fn ids_of_both_forms_and_lists_of_tags_are_allowed() {
    let allowed = |place: &str, texts: &[&str], expected: bool| {
        let shape = validator(place);
        for text in texts {
            assert_eq!(shape.is_valid(&json!(text)), expected, "{place}: {text:?}");
        }
    };
    let (good, bad) = (["k3v9x2qa-17", "3-17"], ["", "3", "k3v9x2q-1", "k3v9x2qab-1", "3-0", "-1"]);
    for place in ["schemas/OrderId", "parameters/Order/schema", "parameters/OrderCursor/schema"] {
        allowed(place, &good, true);
        allowed(place, &bad, false);
    }
    let sealed = "k3v9x2qa".repeat(8);
    allowed("parameters/OrderCursor/schema", &[&sealed], true);
    allowed("parameters/OrderCursor/schema", &[&sealed[1..], &format!("{sealed}0")], false);
    allowed("schemas/OrderId", &[&sealed], false);
    allowed("parameters/EventsAfter/schema", &["0", "17", "k3v9x2qa-17", "3-17"], true);
    allowed("parameters/LastEventId/schema", &["", "17", "k3v9x2qa-17"], true);
    for place in ["parameters/IfMatch/schema", "parameters/IfNoneMatch/schema"] {
        allowed(place, &["*", "\"1\"", "W/\"1\"", "\"1\", W/\"a,b\",\"\""], true);
        allowed(place, &["", "1", "\"1\" \"2\"", "*, \"1\"", "\"1\",", "w/\"1\""], false);
    }
}

/// The body is allowed by the schema and taken by the server, or neither.
fn bodies(schema: &str, ask: &str, bodies: &[(Value, bool)]) {
    let shape = validator(&format!("schemas/{schema}"));
    for (body, expected) in bodies {
        let taken = wanted(&format!("{ask} {body}")).map(drop);
        let taken =
            taken.map_err(|refused| format!("{}: {}", refused.code.as_str(), refused.detail));
        assert_eq!(taken.is_ok(), *expected, "{ask} {body}: {taken:?}");
        assert_eq!(shape.is_valid(body), *expected, "{schema}: {body}");
    }
}

const MAX: u64 = (1 << 53) - 1;

#[test]
fn bodies_of_skus_are_those_that_are_taken() {
    bodies(
        "SkuPut",
        "PUT /v1/skus/a",
        &[
            (json!({"stock": 0}), true),
            (json!({"stock": 1_000_000_000_000_u64, "per_user_limit": MAX, "hold_ms": null}), true),
            (json!({"stock": 1_000_000_000_001_u64}), false),
            (json!({"stock": 1, "per_user_limit": MAX + 1}), false),
            (json!({"stock": -1}), false),
            (json!({"stock": null}), false),
            (json!({}), false),
            (json!({"stock": 1, "colour": null}), false),
            (json!({"stock": 1, "limit_group": ".."}), false),
            (json!({"stock": 1, "limit_group": "..."}), true),
            (json!({"stock": 1, "hold_ms": 0}), false),
            (json!({"stock": 1, "hold_ms": 2_592_000_000_u64}), true),
            (json!({"stock": 1, "hold_ms": 2_592_000_001_u64}), false),
            (json!({"stock": 1, "paused": "yes"}), false),
            (json!({"stock": 1, "opens_at": "1969-12-31T23:59:59Z"}), false),
            (json!({"stock": 1, "opens_at": "1970-01-01t00:00:00.12345z"}), true),
            (json!({"stock": 1, "opens_at": "9999-12-31T23:59:59+23:59"}), true),
            (json!({"stock": 1, "opens_at": "2026-01-01T00:00:00"}), false),
            (json!({"stock": 1, "opens_at": "2026-01-01"}), false),
        ],
    );
    bodies(
        "SkuPatch",
        "PATCH /v1/skus/a",
        &[
            (json!({}), true),
            (json!({"paused": null, "per_user_limit": 0}), true),
            (json!({"stock": 1}), false),
        ],
    );
    let (long, longer) = ("ä".repeat(200), "ä".repeat(201));
    bodies(
        "Adjustment",
        "Idempotency-Key: k\nPOST /v1/skus/a/adjust",
        &[
            (json!({"delta": -5, "reason": "r"}), true),
            (json!({"delta": -5, "reason": long}), true),
            (json!({"stock": 0, "reason": "r"}), true),
            (json!({"delta": -5, "reason": longer}), false),
            (json!({"delta": -5, "reason": ""}), false),
            (json!({"delta": -5, "reason": null}), false),
            (json!({"delta": 0, "reason": "r"}), false),
            (json!({"delta": -1_000_000_000_000_i64, "reason": "r"}), true),
            (json!({"delta": -1_000_000_000_001_i64, "reason": "r"}), false),
            (json!({"delta": 1, "stock": 1, "reason": "r"}), false),
            (json!({"delta": null, "stock": null, "reason": "r"}), false),
            (json!({"reason": "r"}), false),
        ],
    );
}

#[test]
fn bodies_of_orders_are_those_that_are_taken() {
    let line = json!({"sku": "a", "qty": 1});
    let lines = |count: usize| -> Vec<Value> {
        (0..count).map(|at| json!({"sku": format!("s{at}"), "qty": 1_000_000})).collect()
    };
    bodies(
        "OrderCreate",
        "Idempotency-Key: k\nPOST /v1/orders",
        &[
            (json!({"user": "a+b|c=d~e", "lines": [line]}), true),
            (json!({"user": "u", "lines": lines(16), "hold_ms": 1, "confirm": false}), true),
            (json!({"user": "u", "lines": [line], "hold_ms": null, "confirm": true}), true),
            (json!({"user": "u", "lines": [line], "hold_ms": 1, "confirm": true}), false),
            (json!({"user": "u", "lines": lines(17)}), false),
            (json!({"user": "u", "lines": []}), false),
            (json!({"user": "u", "lines": [line, line]}), false),
            (json!({"user": "u", "lines": [{"sku": "a", "qty": 0}]}), false),
            (json!({"user": "u", "lines": [{"sku": "a", "qty": 1_000_001}]}), false),
            (json!({"user": "u", "lines": [{"sku": "a"}]}), false),
            (json!({"user": "u", "lines": [{"sku": "a", "qty": 1, "price": null}]}), false),
            (json!({"user": "", "lines": [line]}), false),
            (json!({"user": "u", "lines": [line], "reference": "~".repeat(128)}), true),
            (json!({"user": "u", "lines": [line], "reference": "~".repeat(129)}), false),
            (json!({"user": "u", "lines": [line], "reference": "ä"}), false),
            (json!({"user": "u", "lines": [line], "reference": ""}), false),
            (json!({"lines": [line]}), false),
        ],
    );
    bodies(
        "Confirmation",
        "POST /v1/orders/1-1/confirm",
        &[
            (json!({}), true),
            (json!({"if_expired": null}), true),
            (json!({"if_expired": "reacquire"}), true),
            (json!({"if_expired": "pray"}), false),
        ],
    );
    bodies(
        "Extension",
        "POST /v1/orders/1-1/extend",
        &[(json!({"hold_ms": 1}), true), (json!({"hold_ms": null}), false), (json!({}), false)],
    );
    bodies(
        "Refund",
        "Idempotency-Key: k\nPOST /v1/orders/1-1/refund",
        &[
            (json!({}), true),
            (json!({"lines": [line], "restock": false}), true),
            (json!({"lines": []}), false),
        ],
    );
    bodies("Empty", "POST /v1/orders/1-1/ship", &[(json!({}), true), (json!({"a": 1}), false)]);
}

#[test]
fn bodies_of_draws_are_those_that_are_taken() {
    let prize = |weight: u64| json!([{"sku": "a", "weight": weight}]);
    bodies(
        "DrawPut",
        "PUT /v1/draws/d",
        &[
            (json!({"prizes": prize(1)}), true),
            (json!({"prizes": prize(0), "blank_weight": 1}), true),
            (json!({"prizes": prize(0)}), false),
            (json!({"prizes": prize(0), "blank_weight": 0}), false),
            (json!({"prizes": prize(0), "blank_weight": null}), false),
            (json!({"prizes": prize(1_000_000_000), "entries_per_user": MAX}), true),
            (json!({"prizes": prize(1_000_000_001)}), false),
            (json!({"prizes": prize(1), "entries_per_user": MAX + 1}), false),
            (json!({"prizes": prize(1), "confirm": true, "hold_ms": 1}), false),
            (json!({"prizes": prize(1), "confirm": true, "hold_ms": null}), true),
            (json!({"prizes": []}), false),
            (json!({}), false),
        ],
    );
    bodies(
        "EntryCreate",
        "Idempotency-Key: k\nPOST /v1/draws/d/entries",
        &[
            (json!({"user": "u"}), true),
            (json!({"user": "u", "client_seed": ""}), true),
            (json!({"user": "u", "client_seed": "x".repeat(65)}), false),
            (json!({"client_seed": "x"}), false),
        ],
    );
}

#[test]
fn lines_of_a_batch_are_those_that_are_taken() {
    let head = "Content-Type: application/x-ndjson\nPOST /v1/batch";
    let Ok(Parsed::Batch(asker)) = wanted(head) else { panic!("the head of a batch") };
    let shape = validator("schemas/BatchLine");
    let line = json!([{"sku": "a", "qty": 1}]);
    let mut ops = BTreeSet::new();
    for (body, expected) in [
        (json!({"op": "order", "key": "k", "user": "u", "lines": line}), true),
        (json!({"op": "order", "user": "u", "lines": line}), false),
        (json!({"op": "order", "key": "", "user": "u", "lines": line}), false),
        (json!({"op": "order", "key": "k", "user": "u", "lines": line, "sku": "a"}), false),
        (
            json!({
                "op": "order", "key": "k", "user": "u", "lines": line, "hold_ms": 1,
                "confirm": true,
            }),
            false,
        ),
        (json!({"op": "confirm", "id": "1-1", "if_expired": "reacquire"}), true),
        (json!({"op": "confirm", "id": "whatever", "key": null, "if_match": "*"}), true),
        (json!({"op": "confirm"}), false),
        (json!({"op": "cancel", "id": "1-1", "key": "\"k\""}), true),
        (json!({"op": "cancel", "id": "1-1", "hold_ms": 1}), false),
        (json!({"op": "extend", "id": "1-1", "hold_ms": 1}), true),
        (json!({"op": "extend", "id": "1-1"}), false),
        (json!({"op": "ship", "id": "1-1"}), true),
        (json!({"op": "complete", "id": "1-1", "if_match": 7}), true),
        (json!({"op": "complete", "id": "1-1", "if_match": "7"}), false),
        (json!({"op": "refund", "id": "1-1"}), true),
        (json!({"op": "refund", "id": "1-1", "lines": null}), true),
        (json!({"op": "refund", "id": "1-1", "lines": line}), false),
        (json!({"op": "refund", "id": "1-1", "lines": line, "key": null}), false),
        (json!({"op": "refund", "id": "1-1", "lines": line, "key": "k"}), true),
        (json!({"op": "entry", "key": "k", "draw": "d", "user": "u"}), true),
        (json!({"op": "entry", "key": "k", "draw": "d"}), false),
        (json!({"op": "adjust", "key": "k", "sku": "a", "delta": 1, "reason": "r"}), true),
        (json!({"op": "adjust", "key": "k", "sku": "a", "stock": 1, "reason": "r"}), true),
        (json!({"op": "adjust", "sku": "a", "delta": 1, "reason": "r"}), false),
        (
            json!({"op": "adjust", "key": "k", "sku": "a", "delta": 1, "stock": 1, "reason": "r"}),
            false,
        ),
        (json!({"op": "sku", "sku": "a", "stock": 1, "if_match": "\"7\""}), true),
        (json!({"op": "sku", "sku": "a", "stock": 1, "key": "k"}), false),
        (json!({"op": "pray"}), false),
        (json!({"user": "u"}), false),
    ] {
        let taken = question(body.to_string().as_bytes(), &asker).map(drop);
        let taken =
            taken.map_err(|refused| format!("{}: {}", refused.code.as_str(), refused.detail));
        assert_eq!(taken.is_ok(), expected, "{body}: {taken:?}");
        assert_eq!(shape.is_valid(&body), expected, "{body}");
        ops.extend(body["op"].as_str().filter(|_| expected).map(str::to_owned));
    }
    assert_eq!(ops, op_names().into_iter().map(str::to_owned).collect());
}
