//! `/livez`, `/readyz`, `/v1/status`, latencies and metrics.
//!
//! Owns what probes and operators see. Never counts anything itself. Next: `response::status`,
//! `request_metrics`.

use super::input::{Input, ParsedCommand};
use crate::domain::model::command::Query;
use crate::http::Front;
use crate::http::handlers::mode::unready;
use crate::http::operations::{openapi, request_metrics};
use crate::http::request::accept::{Offer, choose};
use crate::http::request::fields::{Faults, present, text};
use crate::http::request::headers::Name;
use crate::http::request::target::parameters;
use crate::http::response::problem::Refused;
use crate::http::response::reply::Reply;
use crate::http::response::status;
use crate::metrics::{Format, Stage};

pub(super) fn live(input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    Ok(Reply::fixed("{\"status\":\"live\"}"))
}

pub(super) fn ready(front: &Front, input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    match unready(front) {
        Some(refused) => Err(refused),
        None => Ok(Reply::fixed("{\"status\":\"ready\"}")),
    }
}

/// `POST /v1/admin/…`; such a body has no members.
pub(super) fn bare(input: &Input<'_>) -> Result<(), Refused> {
    input.no_parameters()?;
    present(&input.members_or_none()?, &[], "").map(drop)
}

pub(super) fn status(input: &Input<'_>) -> Result<ParsedCommand<'static>, Refused> {
    input.no_parameters()?;
    Ok(ParsedCommand::read(Query::Status))
}

/// Of a node that has no writer to ask.
pub(super) fn status_of_follower(front: &Front, input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    Ok(status::of_follower(front))
}

/// Which copy is to write on, if one is named.
pub(super) fn hand_over(input: &Input<'_>) -> Result<Option<String>, Refused> {
    input.no_parameters()?;
    let mut to = None;
    for (_, value) in present(&input.members_or_none()?, &["to"], "")? {
        to = Some(text(value, "to")?.to_owned());
    }
    Ok(to)
}

pub(super) fn latency(front: &Front, input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    Ok(request_metrics::latency(front))
}

/// `?stage=`; the whole if none is named.
pub(super) fn percentiles(front: &Front, input: &Input<'_>) -> Result<Reply, Refused> {
    let [stage] = parameters(input.query, ["stage"])?;
    let mut faults = Faults::default();
    let stage = match stage {
        None => Stage::Whole,
        Some(name) => Stage::of_name(&name).unwrap_or_else(|| {
            let names = Stage::ALL.map(Stage::as_str).join(", ");
            faults.add("stage", format!("must be one of {names}"));
            Stage::Whole
        }),
    };
    faults.end()?;
    Ok(request_metrics::percentiles(front, stage))
}

/// The text format 0.0.4, which every scraper reads, or OpenMetrics 1.0 where `Accept` would rather
/// have that.
pub(super) fn metrics(front: &Front, input: &Input<'_>) -> Result<Reply, Refused> {
    const FORMATS: [Format; 2] = [Format::Text, Format::OpenMetrics];
    const OFFERS: [Offer; 2] = [
        Offer { essence: "text/plain", version: Some("0.0.4") },
        Offer { essence: "application/openmetrics-text", version: Some("1.0.0") },
    ];
    input.no_parameters()?;
    let accept = input.head.bytes(Name::Accept).unwrap_or_default();
    Ok(request_metrics::exposition(front, FORMATS[choose(accept, &OFFERS)]))
}

pub(super) fn contract(input: &Input<'_>) -> Result<Reply, Refused> {
    input.no_parameters()?;
    Ok(openapi::reply())
}
