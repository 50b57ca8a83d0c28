//! `/v1/draws` in the contract (API 4).

use super::operation::{Content, Operation};
use crate::http::response::problem::Code;
use serde_json::json;

const TAG: &str = "draws";

pub(super) fn operations() -> Vec<Operation> {
    vec![put(), get(), delete(), enter(), entries(), close()]
}

fn put() -> Operation {
    Operation::new(("put", "/v1/draws/{draw}"), "putDraw", TAG, "Make a draw, or change its window")
        .says(
            "Prizes are SKUs; their stock is the hard bound. `commitment` is the SHA-256 of a \
             secret seed made with the draw. Later only `opens_at`, `closes_at` and \
             `entries_per_user` change, with If-Match and until it is closed; anything else is \
             `in_use`. Until it is closed its SKUs cannot be ordered past it, unless they say \
             `direct`.",
        )
        .takes(&["Draw", "IfMatch", "IfNoneMatch"])
        .body(
            "DrawPut",
            vec![(
                "one in ten",
                json!({
                    "prizes": [{"sku": "phone", "weight": 1}, {"sku": "coupon", "weight": 99}],
                    "blank_weight": 900, "entries_per_user": 1, "opens_at": null,
                    "closes_at": null, "hold_ms": 60_000, "confirm": false,
                }),
            )],
        )
        .answers(201, "It is new.", Content::Json("Draw"), &["ETag"])
        .answers(200, "It was there, and is now like this.", Content::Json("Draw"), &["ETag"])
        .leads(&["getDraw", "enterDraw", "listEntries", "closeDraw"], ("draw", "draw"))
        .recorded()
        .refuses(&[
            Code::UnknownSku,
            Code::InUse,
            Code::Closed,
            Code::VersionMismatch,
            Code::IfMatchRequired,
            Code::Invalid,
            Code::Capacity,
        ])
}

fn get() -> Operation {
    Operation::new(("get", "/v1/draws/{draw}"), "getDraw", TAG, "Look at a draw")
        .says("`seed` is null until it is closed.")
        .takes(&["Draw"])
        .answers(200, "As it is.", Content::Json("Draw"), &["ETag"])
        .asked()
        .refuses(&[Code::UnknownDraw])
}

fn delete() -> Operation {
    Operation::new(("delete", "/v1/draws/{draw}"), "deleteDraw", TAG, "Let a closed draw go")
        .says(
            "Its entries go with it, as far as no remembered key names them; orders that were won \
             stay. A closed draw does not change any more, so If-Match is not needed.",
        )
        .takes(&["Draw", "IfMatch", "IfNoneMatch"])
        .answers(204, "It is gone.", Content::Empty, &[])
        .recorded()
        .refuses(&[Code::UnknownDraw, Code::InUse, Code::VersionMismatch])
}

fn enter() -> Operation {
    Operation::new(("post", "/v1/draws/{draw}/entries"), "enterDraw", TAG, "Try one's luck")
        .says(
            "A win holds one unit as an ordinary order, or sells it where the draw says so. A loss \
             is a 201, too, and is remembered under its key like a win. What is refused was not \
             rolled for.",
        )
        .takes(&["Draw", "IdempotencyKey"])
        .body(
            "EntryCreate",
            vec![
                ("plain", json!({"user": "u1"})),
                ("own luck", json!({"user": "u1", "client_seed": "my own luck"})),
            ],
        )
        .answers(201, "Won or lost.", Content::Json("Entry"), &["Idempotent-Replayed"])
        .begins()
        .recorded()
        .refuses(&[
            Code::IdempotencyKeyMissing,
            Code::IdempotencyKeyReused,
            Code::UnknownDraw,
            Code::Closed,
            Code::NotOpen,
            Code::EntryLimit,
            Code::HoldLimit,
            Code::Invalid,
            Code::Capacity,
        ])
}

fn entries() -> Operation {
    Operation::new(
        ("get", "/v1/draws/{draw}/entries"),
        "listEntries",
        TAG,
        "Page through the entries, by number",
    )
    .says(
        "Your own before the draw is closed, all of them afterwards. `order` is the order as it \
         is now, null for a loss and once the order is no longer kept; `seq` of an entry is that of \
         its decision. A filtered page may be empty and still have a `next_after`.",
    )
    .takes(&["Draw", "EntriesAfter", "Limit", "OfUser"])
    .answers(200, "A page.", Content::Json("EntryPage"), &[])
    .asked()
    .refuses(&[Code::UnknownDraw, Code::Invalid])
}

fn close() -> Operation {
    Operation::new(
        ("post", "/v1/draws/{draw}/close"),
        "closeDraw",
        TAG,
        "End the entries of a draw and reveal its seed",
    )
    .says("Closing it again is answered the same.")
    .takes(&["Draw", "OptionalKey"])
    .may_have_body("Empty", vec![])
    .answers(
        200,
        "It is closed; `seed` is the secret.",
        Content::Json("Draw"),
        &["ETag", "Idempotent-Replayed"],
    )
    .leads(&["listEntries", "deleteDraw"], ("draw", "draw"))
    .recorded()
    .refuses(&[Code::UnknownDraw, Code::IdempotencyKeyReused, Code::Capacity])
}
