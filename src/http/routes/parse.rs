//! What can be done at a place: from method, path, headers and body to a request for the writer, or
//! to a reply that needs no writer.
//!
//! Owns the order of the checks of shape, and the one match of routes. Parsing touches no socket
//! and no clock. Never asks the writer: that is `handlers::submit`. Next: `route`, the families.

use super::batch::BatchContext;
use super::events::Follow;
use super::input::{Input, ParsedCommand};
use super::route::Route;
use super::writer_request::{RequestMeta, WriterRequest, key_missing, question_of};
use super::{batch, draws, events, operations, orders, requests, skus};
use crate::domain::model::command::Command;
use crate::http::front::{Front, Phase};
use crate::http::handlers::mode::Change;
use crate::http::request::conditions::Condition;
use crate::http::request::headers::RequestHeaders;
use crate::http::request::media_type::check_media_type;
use crate::http::request::target::parameters;
use crate::http::response::problem::Refused;
use crate::http::response::reply::Reply;
use hyper::Method;

/// The outcome of a request.
#[derive(Debug)]
pub(in crate::http) enum Parsed {
    Reply(Reply),
    /// A snapshot, by the snapshotter.
    TakeSnapshot,
    /// Another node is to write: this one, or any.
    HandOver(Option<String>),
    /// Another mode of the server.
    Change(Change),
    /// Answers to the lines of the body.
    Batch(Box<BatchContext>),
    /// Events, by the feeder.
    Follow(Follow),
    /// The writer's answer.
    Submit(WriterRequest),
}

/// Checks shape, in the order of API 1: media type, body, headers.
pub(in crate::http) fn parse(
    front: &Front,
    place: Route<'_>,
    input: &Input<'_>,
) -> Result<Parsed, Refused> {
    if input.method == Method::OPTIONS {
        input.no_parameters()?;
        return Ok(Parsed::Reply(Reply::options(place.allow())));
    }
    if !input.body.is_empty() {
        check_media_type(input.method, input.head)?;
    }
    let parsed = match &place {
        Route::Live => return operations::live(input).map(Parsed::Reply),
        Route::Ready => return operations::ready(front, input).map(Parsed::Reply),
        Route::Status if front.phase() == Phase::Following => {
            return operations::status_of_follower(front, input).map(Parsed::Reply);
        }
        Route::Status => operations::status(input)?,
        Route::Latency => return operations::latency(front, input).map(Parsed::Reply),
        Route::Percentiles => return operations::percentiles(front, input).map(Parsed::Reply),
        Route::Metrics => return operations::metrics(front, input).map(Parsed::Reply),
        Route::Contract | Route::Root => return operations::contract(input).map(Parsed::Reply),
        Route::TakeSnapshot => return operations::bare(input).map(|()| Parsed::TakeSnapshot),
        Route::HandOver => return operations::hand_over(input).map(Parsed::HandOver),
        Route::Mode(change) => return operations::bare(input).map(|()| Parsed::Change(*change)),
        Route::Events => return events::follow(input).map(Parsed::Follow),
        Route::Batch => {
            let context = batch::begin(|| (input.now_ms)(front), input)?;
            return Ok(Parsed::Batch(Box::new(context)));
        }
        Route::Skus => skus::list(input)?,
        Route::Sku(sku) => skus::one(sku, input)?,
        Route::Adjust(sku) => skus::adjust_alone(sku, input)?,
        Route::Orders => orders::all(input)?,
        Route::Order(order) => orders::one(order, input)?,
        Route::Act(order, verb) => orders::act_alone(order, *verb, input)?,
        Route::UserOrders(user) => orders::of_user(user, input)?,
        Route::Remembered(key) => requests::remembered(key, input)?,
        Route::Draw(draw) => draws::one(draw, input)?,
        Route::Entries(draw) => draws::entries(draw, input)?,
        Route::CloseDraw(draw) => draws::close(draw, input)?,
    };
    question(front, parsed, input).map(Parsed::Submit)
}

fn question(
    front: &Front,
    parsed: ParsedCommand<'_>,
    input: &Input<'_>,
) -> Result<WriterRequest, Refused> {
    let (mut if_match, mut if_none_match) = (Condition::None, Condition::None);
    if !matches!(parsed.command, Command::Read(_)) {
        if_match = input.head.if_match()?;
        // What has a key is known again by If-Match alone.
        if input.method != Method::POST {
            if_none_match = input.head.if_none_match()?;
        }
    }
    // Keys are ignored on methods that are idempotent by themselves.
    let key = if input.method == Method::POST { input.head.idempotency_key()? } else { None };
    if parsed.key_required && key.is_none() {
        return Err(key_missing());
    }
    let beyond = RequestMeta {
        principal: input.principal,
        role: input.role,
        hash_key: input.hash_key,
        if_match,
        if_none_match,
        key,
        traceparent: input.head.traceparent().map(|(traceparent, _)| traceparent),
        deadline_ms: input.head.deadline_ms(|| (input.now_ms)(front))?,
    };
    question_of(parsed, beyond)
}

/// What the head of a request decides by itself. It is told before a client that waits for leave to
/// send the body is given that; any other hears the same when its body is parsed. `is_bodied` says
/// that there is a body, as far as the head can tell.
pub(in crate::http) fn check_head(
    place: &Route<'_>,
    (method, query): (&Method, Option<&str>),
    head: &RequestHeaders<'_>,
    is_bodied: bool,
) -> Result<(), Refused> {
    if is_bodied || !place.may_lack_body() {
        check_media_type(method, head)?;
    }
    parameters(query, []).map(|[]| ())?;
    head.if_match()?;
    if method == Method::POST {
        if head.idempotency_key()?.is_none() && place.needs_key() {
            return Err(key_missing());
        }
    } else {
        head.if_none_match()?;
    }
    head.deadline_ms(|| 0).map(drop)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
