//! Names and values as the tools show them.
//!
//! Owns how an instant, some bytes, ids and lines look. Knows no event. Next: `events`, `refusals`.

use crate::{instant, printable};
use doorbuster::domain::model::ids::{LineRequests, OrderId, Stamp};
use doorbuster::domain::model::lives::Lives;
use serde_json::{Map, Value, json};

/// Names and values in the order in which they are shown.
pub(crate) type Members = Vec<(&'static str, Value)>;

/// As the contract shows it; null for none.
pub(crate) fn instant(stamp: Option<Stamp>) -> Value {
    stamp.map(instant::text).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn object(members: Members) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

/// A value that stays one word: quoted where it has blanks or what a terminal would act on.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') => {
            text.clone()
        }
        other => printable::json(other),
    }
}

pub(crate) fn lines(lines: &LineRequests) -> Value {
    let line = |line: &doorbuster::domain::model::ids::LineRequest| json!({ "sku": line.sku.as_str(), "qty": line.quantity });
    lines.iter().map(line).collect()
}

pub(crate) fn orders(orders: &[OrderId], lives: &Lives) -> Value {
    orders.iter().map(|order| Value::from(lives.text(*order).as_str())).collect()
}
