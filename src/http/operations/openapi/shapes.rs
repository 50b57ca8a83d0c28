//! Pieces that schemas are made of.
//!
//! Owns how objects, numbers and words are written, so that validators, generators and readers all
//! take them: every schema has a `type`, a word that is fixed is an `enum` of one. Next: `schemas`.

use super::patterns;
use crate::domain::model::ids::{ID_BYTES_MAX, INTEGER_END};
use serde_json::{Map, Value, json};

/// The largest integer that every JSON reader holds exactly.
const INTEGER_MAX: u64 = INTEGER_END - 1;

/// One among the document's schemas.
pub(super) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object of exactly these members; the names in `optional` may be absent.
pub(super) fn object(members: Value, optional: &[&str]) -> Value {
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
pub(super) fn request(members: Value, required: &[&str]) -> Value {
    let mut properties = Map::new();
    for (name, member) in members.as_object().into_iter().flatten() {
        let member = match required.contains(&name.as_str()) {
            true => member.clone(),
            false => maybe(member.clone()),
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

/// The members of both.
pub(super) fn with(mut members: Value, more: Value) -> Value {
    let more = more.as_object().into_iter().flatten();
    for (name, member) in more {
        members[name] = member.clone();
    }
    members
}

/// The shape or null.
pub(super) fn maybe(shape: Value) -> Value {
    json!({"oneOf": [shape, {"type": "null"}]})
}

/// The shape, and what it means.
pub(super) fn says(mut shape: Value, meaning: &str) -> Value {
    shape["description"] = meaning.into();
    shape
}

pub(super) fn integer(from: u64, to: u64) -> Value {
    json!({"type": "integer", "minimum": from, "maximum": to})
}

/// An integer that only the readers of JSON bound.
pub(super) fn count() -> Value {
    integer(0, INTEGER_MAX)
}

/// The same from 1.
pub(super) fn number() -> Value {
    integer(1, INTEGER_MAX)
}

pub(super) fn boolean() -> Value {
    json!({"type": "boolean"})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn matching(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

/// An id of this pattern.
pub(super) fn id(pattern: &str) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX, "pattern": pattern})
}

/// Printable ASCII of so many characters.
pub(super) fn printable(from: usize, to: usize) -> Value {
    json!({
        "type": "string", "minLength": from, "maxLength": to, "pattern": patterns::PRINTABLE,
    })
}

/// One of these words.
pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()})
}

/// A list with no entry twice.
pub(super) fn set(from: usize, to: usize, items: Value) -> Value {
    json!({
        "type": "array", "minItems": from, "maxItems": to, "uniqueItems": true, "items": items,
    })
}

/// A list of a page.
pub(super) fn list(to: usize, of: &str) -> Value {
    json!({"type": "array", "maxItems": to, "items": schema(of)})
}
