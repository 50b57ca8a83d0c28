//! All that the rules know. Written only by `apply`; the same events give the same state.
//!
//! Owns the tables and their caps. Next: `decide`, `apply`.

use super::draws::Draws;
use super::idempotency::Requests;
use super::orders::Orders;
use super::principals::{Principals, Table};
use super::skus::Skus;
use super::usage::{Users, Uses};
use crate::domain::memory::hash::TableHash;
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::model::lives::Lives;
use crate::domain::model::settings::{Caps, Settings};

/// Entries that the tables of draws have room for before the first settings arrive.
const FEW: u32 = 16;

/// The state of one journal at one sequence.
#[derive(Debug, Clone)]
pub struct State {
    /// The last event applied; 0 before the first.
    pub sequence: Sequence,
    pub stamp: Stamp,
    /// Starts of the server so far.
    pub epoch: u32,
    /// What the ids of each start are written with.
    pub lives: Lives,
    /// Key of the hashes of idempotency keys, from the first start.
    pub hash_key: [u8; 16],
    /// Answers of this epoch may go out before their records are synced.
    pub answers_before_sync: bool,
    /// What decides outcomes from outside.
    pub settings: Settings,
    /// Who owns something or is configured to, and how much of the tables they fill.
    pub principals: Principals,
    pub skus: Skus,
    pub users: Users,
    /// Units in use per user and SKU.
    pub uses: Uses,
    pub orders: Orders,
    pub draws: Draws,
    /// The idempotency keys.
    pub requests: Requests,
}

impl State {
    /// The empty state, before the first event. `secret` spreads the tables' hashes; nothing that
    /// is kept or answered depends on it.
    #[must_use]
    pub fn new(secret: u64) -> Self {
        // Small until the first settings arrive as an event: a state is often only looked at.
        let settings = Settings {
            caps: Caps {
                skus: 16,
                orders: 16,
                keys: 16,
                answers: 16,
                uses: 16,
                users: 16,
                ..Caps::default()
            },
            ..Settings::default()
        };
        let caps = &settings.caps;
        let hash = TableHash::new(secret);
        Self {
            sequence: 0,
            stamp: 0,
            epoch: 0,
            lives: Lives::new(),
            hash_key: [0; 16],
            answers_before_sync: false,
            principals: Principals::default(),
            skus: Skus::with_cap(caps.skus, hash.clone()),
            users: Users::with_cap(caps.users, hash.clone()),
            uses: Uses::with_cap(caps.uses, hash.clone()),
            orders: Orders::with_cap(caps.orders, hash.clone()),
            draws: Draws::with_cap(FEW, hash),
            requests: Requests::with_cap(caps.keys),
            settings,
        }
    }

    /// Address space that tables of these caps reserve, in bytes.
    #[must_use]
    pub fn reserved_bytes(caps: &Caps) -> u64 {
        let of = |cap: u32, entry_bytes: usize| u64::from(cap) * entry_bytes as u64;
        of(caps.skus, Skus::ENTRY_BYTES)
            + of(caps.users, Users::ENTRY_BYTES)
            + of(caps.uses, Uses::ENTRY_BYTES)
            + of(caps.orders, Orders::ENTRY_BYTES)
            + of(caps.draws, Draws::ENTRY_BYTES)
            + of(caps.entries, Draws::ENTRIES_ENTRY_BYTES)
            + of(caps.keys, Requests::ENTRY_BYTES)
    }

    /// Takes settings; tables get room for their new caps and keep it.
    pub(in crate::domain) fn take_settings(&mut self, settings: Settings) {
        let caps = &settings.caps;
        self.skus.grow(caps.skus);
        self.users.grow(caps.users);
        self.uses.grow(caps.uses);
        self.orders.grow(caps.orders);
        self.draws.grow(caps.entries);
        self.requests.grow(caps.keys);
        if settings.principals == self.settings.principals {
            self.principals.reserve_in(caps);
        } else {
            self.principals.configure(&settings.principals, caps);
        }
        self.settings = settings;
    }

    /// Rows in a table.
    #[must_use]
    pub fn rows(&self, table: Table) -> u32 {
        match table {
            Table::Orders => self.orders.len(),
            Table::Keys => self.requests.len(),
            Table::Answers => self.requests.wide(),
            Table::Uses => self.uses.len(),
            Table::Users => self.users.len(),
            Table::Entries => self.draws.entries(),
        }
    }
}
