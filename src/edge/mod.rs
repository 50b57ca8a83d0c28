//! The sold-out edge: what lets an IO thread refuse an order of a SKU with nothing available
//! without asking the writer.
//!
//! Owns a copy of the little that such a refusal needs: the SKUs with nothing available, and
//! filters of all remembered keys and of all users that own anything. The writer publishes what a
//! turn changed when it is durable, before the answers of that turn leave, so a refusal here never
//! contradicts what anybody was told. What is not sure takes the ring: this module says "sold out"
//! or nothing. Never decides what an order may have, never counts. Read in this order: `check` (the
//! question), `publisher` (the writer's side), `sold_out_table`, `filter`.

mod check;
mod filter;
mod publisher;
mod sold_out_table;

pub use check::SoldOutCheck;
pub use publisher::{Members, Publisher};
pub use sold_out_table::SoldOut;

use crate::domain::model::ids::{SkuId, UserId};
use crate::shared::reloadable::Reloadable;
use filter::Filter;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use sold_out_table::SoldOutTable;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the writer shows and IO threads look at.
#[derive(Debug)]
pub struct Edge {
    skus: Arc<Reloadable<SoldOutTable>>,
    keys: Arc<Reloadable<Filter>>,
    users: Arc<Reloadable<Filter>>,
    hashes: Hashes,
    keeps_refusals: Arc<AtomicBool>,
}

/// How names are spread; another way in each process, so that nobody can choose what collides.
#[derive(Debug, Clone)]
struct Hashes(SeedableRandomState);

impl Hashes {
    fn sku(&self, sku: &SkuId) -> u64 {
        self.0.hash_one(sku.as_str())
    }

    fn user(&self, user: &UserId) -> u64 {
        self.0.hash_one(user.as_str())
    }

    /// A key's hash is one already, under a secret.
    fn key(hash: u128) -> u64 {
        (hash >> 64) as u64 ^ hash as u64
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self::spreading(SeedableRandomState::random())
    }
}

impl Edge {
    /// One that spreads names the same way in every process with this seed: for simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::spreading(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
    }

    /// One where refusals are kept whole, by the writer and in front of it, while this says so.
    #[must_use]
    pub fn keeping(self, keeps_refusals: Arc<AtomicBool>) -> Self {
        Self { keeps_refusals, ..self }
    }

    /// Refusals are kept whole.
    #[must_use]
    pub fn keeps_refusals(&self) -> bool {
        self.keeps_refusals.load(Ordering::Relaxed)
    }

    fn spreading(names: SeedableRandomState) -> Self {
        Self {
            skus: Arc::new(Reloadable::new(SoldOutTable::new())),
            keys: Arc::new(Reloadable::new(Filter::with_room(0))),
            users: Arc::new(Reloadable::new(Filter::with_room(0))),
            hashes: Hashes(names),
            keeps_refusals: Arc::default(),
        }
    }
}
