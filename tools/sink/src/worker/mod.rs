//! The loop of one sink: where its target stands, the feed from there, batch after batch. One batch is
//! in flight. Nothing is passed over: an event is at the target, among the dead letters, or the sink
//! stands still.
//!
//! - `state`: what a loop keeps
//! - `life`: from the start to the end
//! - `delivery`: a batch to the target, once
//! - `steps`: a step of the target, tried until it succeeds
//! - `replay`: dead letters, sent again
//! - `retry`: how long to wait
//! - `standing`: what `/metrics` and `/readyz` show

mod delivery;
mod life;
mod replay;
mod retry;
mod standing;
mod state;
mod steps;

pub(crate) use standing::{Standing, metrics};
pub(crate) use state::{Shared, Worker};
