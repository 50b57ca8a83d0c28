//! The rules: pure, synchronous, and the only place where anything is decided.
//!
//! `decide` reads the state and says what a command does; `apply` writes it. Live runs both, a
//! replay runs only `apply`. Nothing here reads a clock, does IO, draws randomness, counts in
//! floats or lets the order of a map reach an outcome. Read in this order: `ids`, `command`,
//! `order` (the transition table), `decide`, `event`, `apply`, `tables`.

pub mod memory;
pub mod model;
pub mod rules;
pub mod state;
