//! `/v1/skus` in the contract (API 2).

use super::operation::{Content, Operation};
use crate::http::response::problem::Code;
use serde_json::json;

const TAG: &str = "skus";

pub(super) fn operations() -> Vec<Operation> {
    vec![put(), get(), patch(), delete(), adjust(), list()]
}

fn put() -> Operation {
    Operation::new(("put", "/v1/skus/{sku}"), "putSku", TAG, "Put a SKU on sale, or replace it")
        .says(
            "`stock` is all units ever on sale, sold ones included. The same again changes \
             nothing; anything else replaces all and needs If-Match.",
        )
        .takes(&["Sku", "IfMatch", "IfNoneMatch"])
        .body(
            "SkuPut",
            vec![
                ("plain", json!({"stock": 1000})),
                (
                    "drop",
                    json!({
                        "stock": 1000, "per_user_limit": 1, "limit_group": "runner",
                        "opens_at": "2026-01-01T10:00:00Z", "closes_at": null,
                        "hold_ms": 300_000, "paused": false, "direct": false,
                    }),
                ),
            ],
        )
        .answers(201, "It is new.", Content::Json("Sku"), &["ETag"])
        .answers(200, "It was there, and is now like this.", Content::Json("Sku"), &["ETag"])
        .leads(&["getSku", "patchSku", "adjustSku", "deleteSku"], ("sku", "sku"))
        .recorded()
        .refuses(&[
            Code::StockBelowCommitted,
            Code::VersionMismatch,
            Code::IfMatchRequired,
            Code::Invalid,
            Code::Capacity,
        ])
}

fn get() -> Operation {
    Operation::new(("get", "/v1/skus/{sku}"), "getSku", TAG, "Look at a SKU")
        .says("Always available + held + sold = total. `refused` may lag by two seconds.")
        .takes(&["Sku"])
        .answers(200, "As it is.", Content::Json("Sku"), &["ETag"])
        .asked()
        .refuses(&[Code::UnknownSku])
}

fn patch() -> Operation {
    Operation::new(("patch", "/v1/skus/{sku}"), "patchSku", TAG, "Change some settings of a SKU")
        .says("A merge patch: what is null goes back to its default. The total is not a setting.")
        .takes(&["Sku", "IfMatch", "IfNoneMatch"])
        .patch("SkuPatch", vec![("pause", json!({"paused": true}))])
        .answers(200, "It is now like this.", Content::Json("Sku"), &["ETag"])
        .recorded()
        .refuses(&[Code::UnknownSku, Code::VersionMismatch, Code::Invalid])
}

fn delete() -> Operation {
    Operation::new(("delete", "/v1/skus/{sku}"), "deleteSku", TAG, "Take a SKU off sale for good")
        .says("Its orders stay readable; use counted per user goes with it.")
        .takes(&["Sku", "IfMatch", "IfNoneMatch"])
        .answers(204, "It is gone.", Content::Empty, &[])
        .recorded()
        .refuses(&[Code::UnknownSku, Code::InUse, Code::VersionMismatch, Code::IfMatchRequired])
}

fn adjust() -> Operation {
    Operation::new(("post", "/v1/skus/{sku}/adjust"), "adjustSku", TAG, "Change a SKU's total")
        .says("By a difference, or with If-Match to an absolute number.")
        .takes(&["Sku", "IdempotencyKey", "IfMatch"])
        .body("Adjustment", vec![("damage", json!({"delta": -5, "reason": "damaged"}))])
        .answers(
            200,
            "It is now like this.",
            Content::Json("Sku"),
            &["ETag", "Idempotent-Replayed"],
        )
        .recorded()
        .refuses(&[
            Code::IdempotencyKeyMissing,
            Code::IdempotencyKeyReused,
            Code::UnknownSku,
            Code::StockBelowCommitted,
            Code::VersionMismatch,
            Code::IfMatchRequired,
            Code::Invalid,
            Code::Capacity,
        ])
}

fn list() -> Operation {
    Operation::new(("get", "/v1/skus"), "listSkus", TAG, "Page through the SKUs, by id")
        .says("A page is one consistent state; the list is not.")
        .takes(&["Limit", "SkuCursor"])
        .answers(200, "A page.", Content::Json("SkuPage"), &[])
        .asked()
        .refuses(&[Code::Invalid])
}
