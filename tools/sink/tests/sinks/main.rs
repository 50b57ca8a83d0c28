//! `doorbuster-sink` as an operator runs it: a real server, real targets that the tests start, and
//! the sink killed in the middle.
//!
//! How many events and kills: `EVENTS=200000 KILLS=200 cargo test --release -p doorbuster-sink
//! --test sinks kills -- --nocapture`. A target that is not installed is an error where `CI` is set,
//! and told elsewhere. Next: `shop`, `child`, the targets; then what must hold: `filed`, `tables`,
//! `hooks`, `streams`, `rates`.
#![allow(missing_docs)]

mod child;
mod database;
mod filed;
mod hooks;
mod kafka;
mod mariadb;
mod nats;
mod postgres;
mod programs;
mod rates;
mod receiver;
mod shop;
mod streams;
mod tables;
mod topics;
mod troubles;
