//! The rules: pure, synchronous, and the only place where anything is decided.
//!
//! Nothing here reads a clock, does IO, draws randomness, counts in floats or lets the order of a
//! map reach an outcome. A live server runs `decide` and `apply`; a replay runs only `apply`. The
//! rooms; each `mod.rs` is a table of contents:
//!
//! - `model`: what is asked, what was decided, and what it is about
//! - `rules`: `decide` reads the state, `apply` writes it
//! - `state`: one table a file, each with its cap
//! - `memory`: slab, index and lists whose cost is bounded

pub mod memory;
pub mod model;
pub mod rules;
pub mod state;
