//! The mutants, one row each.
//!
//! - `storage`: what is durable, journal, snapshots
//! - `rules`: what is decided and what comes of it
//! - `engine`: time, wakes, starts, the edge
//! - `replication`: what is settled

mod engine;
mod replication;
mod rules;
mod storage;

use crate::mutant::Mutant;

/// All of them; the number of one is its place.
pub fn mutants() -> Vec<Mutant> {
    [storage::MUTANTS, rules::MUTANTS, engine::MUTANTS, replication::MUTANTS].concat()
}
