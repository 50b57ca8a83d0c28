//! Orders as wide as they come, so that few of them fill a segment or a disk.
//!
//! Owns their SKUs and their shape. Next: `tests/power/full.rs`.

use crate::client::{Ask, Client};
use serde_json::{Value, json};

/// Lines of such an order; each is of a SKU of its own.
pub const LINES: usize = 16;

/// The id of a SKU.
pub fn sku(number: usize) -> String {
    format!("sku-{number}-{}", "x".repeat(50))
}

/// Puts all of them on sale.
pub fn put_skus(client: &mut Client) {
    for number in 0..LINES {
        client.put_sku(&sku(number), &json!({"stock": 1_000_000}));
    }
}

/// One unit of each SKU.
pub fn order(key: &str) -> Ask {
    let lines: Vec<Value> = (0..LINES).map(|n| json!({"sku": sku(n), "qty": 1})).collect();
    let reference = "r".repeat(128);
    let body = json!({"user": "u".repeat(64), "lines": lines, "reference": reference});
    Ask::post("/v1/orders", &body).key(key)
}
