//! `GET /v1/requests/{key}`: what a key was answered.
//!
//! Owns nothing but the key in the path, which follows the rules of the header. Next:
//! `fingerprint`.

use super::input::{Input, ParsedCommand};
use crate::domain::model::command::Query;
use crate::http::request::fingerprint::key_hash;
use crate::http::request::headers::unquoted_key;
use crate::http::response::problem::Refused;

pub(super) fn remembered(key: &str, input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    let key = unquoted_key(key.as_bytes())?;
    let hash = key_hash(input.hash_key, &input.principal.name, &key);
    Ok(ParsedCommand::read(Query::Remembered(hash)))
}
