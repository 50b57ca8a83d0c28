//! `GET /v1/requests/{key}`: what a key was answered.
//!
//! Owns nothing but the key in the path, which follows the rules of the header. Next:
//! `fingerprint`.

use super::{Input, Parsed};
use crate::domain::command::Query;
use crate::http::fingerprint::key_hash;
use crate::http::head::unquoted_key;
use crate::http::problem::Refused;

pub(super) fn remembered(key: &str, input: &Input<'_>) -> Result<Parsed<'static>, Refused> {
    input.no_parameters()?;
    let key = unquoted_key(key.as_bytes())?;
    let hash = key_hash(input.hash_key, &input.principal.name, &key);
    Ok(Parsed::read(Query::Remembered(hash)))
}
