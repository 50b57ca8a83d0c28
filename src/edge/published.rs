//! What the writer shows and IO threads look at, and how names are spread in it.
//!
//! Owns no condition and no order of anything: those are `check`'s and `publisher`'s. Next:
//! `sold_out_table`, `filter`.

use super::filter::Filter;
use super::sold_out_table::SoldOutTable;
use crate::domain::model::ids::{SkuId, UserId};
use crate::shared::reloadable::Reloadable;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the writer shows and IO threads look at.
#[derive(Debug)]
pub struct Edge {
    pub(super) skus: Arc<Reloadable<SoldOutTable>>,
    pub(super) keys: Arc<Reloadable<Filter>>,
    pub(super) users: Arc<Reloadable<Filter>>,
    pub(super) hashes: Hashes,
    keeps_refusals: Arc<AtomicBool>,
}

/// How names are spread; another way in each process, so that no client can choose what collides.
#[derive(Debug, Clone)]
pub(super) struct Hashes(SeedableRandomState);

impl Hashes {
    pub(super) fn sku(&self, sku: &SkuId) -> u64 {
        self.0.hash_one(sku.as_str())
    }

    pub(super) fn user(&self, user: &UserId) -> u64 {
        self.0.hash_one(user.as_str())
    }

    /// A key's hash is one already, under a secret.
    pub(super) fn key(hash: u128) -> u64 {
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
