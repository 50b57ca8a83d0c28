//! The one shape of errors (RFC 9457), with all that any of them may say.
//!
//! Owns what each member means. Next: `http::problem`, the codes; `http::answers`, which fills
//! them.

use super::patterns;
use super::shapes::{boolean, count, integer, matching, maybe, object, says, schema, text, words};
use crate::http::response::problem::Code;
use serde_json::{Map, Value, json};

const MEANS: &str = "Every error has this shape. `code` is for programs, `title` and `detail` for \
people; the members behind `retryable` are there where they say something. More may be added.";

pub(super) fn schemas() -> Value {
    let fault = object(
        json!({
            "field": says(text(), "Which member or parameter, like `lines[1].qty`."),
            "reason": says(text(), "What it should be."),
        }),
        &[],
    );
    let short = object(
        json!({
            "sku": schema("Id"), "requested": count(), "available": count(), "held": count(),
        }),
        &[],
    );
    json!({
        "Problem": {
            "type": "object",
            "description": MEANS,
            "required": ["type", "title", "status", "detail", "code", "retryable"],
            "properties": members(),
        },
        "Fault": fault,
        "ShortLine": short,
        "Code": code(),
    })
}

fn code() -> Value {
    let told = Code::ALL
        .iter()
        .map(|code| format!("- `{}` ({}): {}.", code.as_str(), code.status(), code.title()));
    let told: Vec<String> = told.collect();
    says(words(Code::ALL.iter().map(|code| code.as_str())), &told.join("\n"))
}

fn members() -> Value {
    let list = |of: &str, meaning: &str| {
        says(json!({"type": "array", "minItems": 1, "items": schema(of)}), meaning)
    };
    let mut members = Map::new();
    for (name, shape, meaning) in [
        ("type", matching("^urn:doorbuster:problem:[a-z_]+$"), "`code` as a URN."),
        ("title", text(), "What `code` means."),
        ("status", integer(400, 599), "The status of the answer."),
        ("detail", text(), "What is wrong with this request."),
        ("code", schema("Code"), ""),
        ("retryable", boolean(), "The same request may succeed later."),
        ("retry_after_ms", count(), "How long to stay away, as `Retry-After` says in seconds."),
        ("seq", count(), "The journal sequence of the state that it was decided at."),
        ("errors", list("Fault", "`invalid`: all values that are."), ""),
        ("field", text(), "`unknown_field`: the member or query parameter that is unknown."),
        ("lines", list("ShortLine", "`sold_out`: all lines that are short."), ""),
        ("sku", text(), "The SKU that it is about."),
        ("opens_at", schema("Instant"), "`not_open`: when it opens."),
        ("closes_at", schema("Instant"), "`closed`: when it closed."),
        ("now", schema("Instant"), "The time that it was decided at."),
        ("order_status", schema("OrderStatus"), "`invalid_transition`: the order's status."),
        (
            "oldest",
            matching(patterns::PLACE),
            "`compacted`: the furthest back that `after` may be.",
        ),
        ("limit", count(), "What a user may have at most."),
        ("used", count(), "What the user has."),
        ("requested", count(), "What was asked for."),
        ("held", count(), "Units that are held."),
        ("sold", count(), "Units that are sold."),
        ("version", maybe(count()), "The version there is; null where there is none."),
        ("table", text(), "`capacity`: the table that is full."),
        (
            "writer",
            maybe(text()),
            "`not_writer`: where clients reach the writer; null where that is not known.",
        ),
    ] {
        let shape = if meaning.is_empty() { shape } else { says(shape, meaning) };
        members.insert(name.to_owned(), shape);
    }
    Value::Object(members)
}
