//! Any body: what the server's JSON reader takes, an independent one (serde_json's own values)
//! reads alike, and what that one writes again is taken alike; a command does not depend on white
//! space, on the order of members or on members that are null; and a line of a batch is the same
//! command as a request of its own.
//!
//! The first byte says which route the body is sent to. Next: `request`.

use crate::bytes::Bytes;
use doorbuster::http::doors::{self, Json, Sense};
use serde_json::{Map, Value};

/// What the server's reader bounds beyond JSON itself.
const DEPTH_MAX: usize = 4;
const MEMBERS_MAX: usize = 32;

/// Method, path, and how a line of a batch says the same.
type Route = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Method, path, the word of a batch's line, and the member that stands for the path's id there.
const ROUTES: &[Route] = &[
    ("POST", "/v1/orders", Some(("order", ""))),
    ("POST", "/v1/orders/1-4/confirm", Some(("confirm", "id"))),
    ("POST", "/v1/orders/1-4/cancel", Some(("cancel", "id"))),
    ("POST", "/v1/orders/1-4/extend", Some(("extend", "id"))),
    ("POST", "/v1/orders/1-4/ship", Some(("ship", "id"))),
    ("POST", "/v1/orders/1-4/complete", Some(("complete", "id"))),
    ("POST", "/v1/orders/1-4/refund", Some(("refund", "id"))),
    ("POST", "/v1/skus/A/adjust", Some(("adjust", "sku"))),
    ("POST", "/v1/draws/d/entries", Some(("entry", "draw"))),
    ("PUT", "/v1/skus/A", Some(("sku", "sku"))),
    ("PATCH", "/v1/skus/A", None),
    ("POST", "/v1/draws/d/close", None),
    // Makes a seed of its own each time.
    ("PUT", "/v1/draws/d", None),
];
const MAKES_A_SEED: &str = "/v1/draws/d";

pub(crate) fn body(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let route = ROUTES[usize::from(bytes.byte()) % ROUTES.len()];
    let body = bytes.rest();
    let ours = doors::json(body);
    let theirs: Result<Value, _> = serde_json::from_slice(body);
    match (&ours, &theirs) {
        (Some(ours), Ok(theirs)) => {
            assert!(same(ours, theirs), "{ours:?} is not {theirs:?}");
        }
        (Some(ours), Err(bad)) => {
            // Integers of hundreds of digits are the nearest there are to us and too much to them.
            assert!(has_end_of_range(ours), "only we take it, they say {bad}: {ours:?}");
        }
        (None, _) => {}
    }
    if let Ok(Value::Object(members)) = theirs {
        check_again(&members);
    }
    if let Some(Json::Object(_)) = ours {
        check_sense(route, body);
    }
}

/// What they write is taken, where it is within bounds, and says the same.
fn check_again(members: &Map<String, Value>) {
    let value = Value::Object(members.clone());
    let text = value.to_string();
    let fits = depth(&value) <= DEPTH_MAX && widest(&value) <= MEMBERS_MAX;
    let again = doors::json(text.as_bytes());
    assert_eq!(again.is_some(), fits, "bounds alone are refused: {text}");
    if let Some(again) = again {
        assert!(same(&again, &value), "{again:?} is not {text}");
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

fn widest(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(widest).max().unwrap_or_default(),
        Value::Object(members) => {
            members.values().map(widest).max().unwrap_or_default().max(members.len())
        }
        _ => 0,
    }
}

fn has_end_of_range(json: &Json) -> bool {
    match json {
        Json::Natural(number) => *number == u64::MAX,
        Json::Negative(number) => *number == i64::MIN,
        Json::List(list) => list.iter().any(has_end_of_range),
        Json::Object(members) => members.iter().any(|(_, value)| has_end_of_range(value)),
        _ => false,
    }
}

fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(one), Value::Bool(other)) => one == other,
        // What does not fit 64 bits is a float to them.
        (Json::Natural(u64::MAX), Value::Number(number)) => {
            number.is_f64() || number.as_u64() == Some(u64::MAX)
        }
        (Json::Negative(i64::MIN), Value::Number(number)) => {
            number.is_f64() || number.as_i64() == Some(i64::MIN)
        }
        (Json::Natural(one), Value::Number(other)) => other.as_u64() == Some(*one),
        (Json::Negative(one), Value::Number(other)) => other.as_i64() == Some(*one),
        (Json::OtherNumber, Value::Number(other)) => other.is_f64(),
        (Json::Text(one), Value::String(other)) => one == other,
        (Json::List(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Value::Object(other)) => {
            let found = |(name, value): &(String, Json)| {
                other.get(name).is_some_and(|theirs| same(value, theirs))
            };
            one.len() == other.len() && one.iter().all(found)
        }
        _ => false,
    }
}

fn sense(method: &str, path: &str, body: &[u8]) -> Sense {
    let lines: &[(&str, &[u8])] =
        &[("content-type", b"application/json"), ("idempotency-key", b"k-1")];
    doors::sense(method, path.as_bytes(), lines, body).expect("a good request line")
}

/// A command means the same however it is written down.
fn check_sense((method, path, line): Route, body: &[u8]) {
    let found = sense(method, path, body);
    if let Sense::Refused(status, code) = found {
        assert!((400..500).contains(&status), "{status} {code} for a body");
    }
    // Numbers beyond theirs do not come through them.
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return };
    let Sense::Asks(..) = found else { return };
    if path == MAKES_A_SEED {
        return;
    }
    // Their members stand in the order of the alphabet, with other white space.
    let sorted = serde_json::to_vec_pretty(&members).expect("it is memory");
    assert_eq!(sense(method, path, &sorted), found, "{}", String::from_utf8_lossy(body));
    if method != "PATCH" {
        let without: Map<String, Value> =
            members.iter().filter(|(_, value)| !value.is_null()).map(clone).collect();
        let text = Value::Object(without).to_string();
        assert_eq!(sense(method, path, text.as_bytes()), found, "null is absent: {text}");
    }
    if let Some((op, id)) = line {
        let mut alone = members;
        let id_there = path.split('/').nth(3).unwrap_or_default();
        if !id.is_empty() && alone.insert(id.to_owned(), id_there.into()).is_some() {
            return;
        }
        alone.insert("op".to_owned(), op.into());
        if op != "sku" {
            alone.insert("key".to_owned(), "k-1".into());
        }
        let text = Value::Object(alone).to_string();
        assert_eq!(doors::sense_of_line(text.as_bytes()), found, "a line is the same: {text}");
    }
}

fn clone((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
