//! Text into values: heads, bodies, JSON, fields.
//!
//! Owns every check of shape. Never knows the state. Read `headers`, `media_type`, `target` (path
//! and query), `http_rules` (what hyper does not check), `accept` and `conditions` (two headers
//! with a grammar), `body` (whole), `ndjson` (line by line), `json`, `fields` (members as values),
//! `fingerprint` (what a key claims), `sealed_cursor` (where a list goes on).

pub(in crate::http) mod accept;
pub(in crate::http) mod body;
pub(in crate::http) mod conditions;
pub(in crate::http) mod fields;
pub(in crate::http) mod fingerprint;
pub(in crate::http) mod headers;
pub(in crate::http) mod http_rules;
pub(in crate::http) mod json;
pub(in crate::http) mod media_type;
pub(in crate::http) mod ndjson;
pub(in crate::http) mod sealed_cursor;
pub(in crate::http) mod target;
