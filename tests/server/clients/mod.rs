//! Clients as they are: common libraries, and the typed client for Rust.
//!
//! - `libraries`: what common libraries send beyond the contract's examples
//! - `typed`: the typed client across lost answers and kills
//! - `typed_many`: its draws, batches and events
//! - `typed_several`: it with several addresses

pub(crate) mod libraries;
pub(crate) mod typed;
pub(crate) mod typed_many;
mod typed_several;
