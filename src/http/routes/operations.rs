//! `/livez`, `/readyz`, `/v1/status`.
//!
//! Owns what probes see. Never counts anything itself. Next: `answers::state_status`.

use super::{Input, Parsed, Wanted, not_ready};
use crate::domain::command::Query;
use crate::http::Phase;
use crate::http::fields::present;
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

/// `POST /v1/admin/snapshot`; it has no members.
pub(super) fn take_image(input: &Input<'_>) -> Result<Wanted, Refused> {
    input.no_parameters()?;
    present(&input.members_or_none()?, &[], "").map(drop)?;
    Ok(Wanted::TakeImage)
}

pub(super) fn status(input: &Input<'_>) -> Result<Parsed<'static>, Refused> {
    input.no_parameters()?;
    Ok(Parsed::read(Query::Status))
}
