//! `/livez`, `/readyz`, `/v1/status`.
//!
//! Owns what probes see. Never counts anything itself. Next: `answers::state_status`.

use super::{Input, Parsed, not_ready};
use crate::domain::command::Query;
use crate::http::Phase;
use crate::http::problem::Refused;
use crate::http::reply::Reply;

pub(super) fn live(input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    Ok(Reply::fixed("{\"status\":\"live\"}"))
}

pub(super) fn ready(phase: Phase, input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    match not_ready(phase) {
        Some(refused) => Err(refused),
        None => Ok(Reply::fixed("{\"status\":\"ready\"}")),
    }
}

pub(super) fn status(input: &Input<'_>) -> Result<Parsed, Refused> {
    input.no_parameters()?;
    Ok(Parsed::read(Query::Status))
}
