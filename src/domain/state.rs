//! All that the rules know. Written only by `apply`; the same events give the same state.
//!
//! Owns the tables and their caps. Next: `decide`, `apply`.

use super::draws::Draws;
use super::ids::{PrincipalName, Sequence, Stamp};
use super::lives::Lives;
use super::orders::Orders;
use super::requests::Requests;
use super::settings::{Caps, Settings};
use super::skus::Skus;
use super::users::{Users, Uses};

/// Principals that may own orders and keys at most; tokens are few.
pub const PRINCIPALS_MAX: usize = 4096;

/// Entries that the tables of draws have room for before the first settings arrive.
const FEW: u32 = 16;

/// The state of one journal at one sequence.
#[derive(Debug, Clone)]
pub struct State {
    /// The last event applied; 0 before the first.
    pub sequence: Sequence,
    /// Its stamp.
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
    /// Who has owned something, in the order they first did.
    pub principals: Vec<PrincipalEntry>,
    /// The SKUs.
    pub skus: Skus,
    /// The users.
    pub users: Users,
    /// Units in use per user and SKU.
    pub uses: Uses,
    /// The orders.
    pub orders: Orders,
    /// The draws.
    pub draws: Draws,
    /// The idempotency keys.
    pub requests: Requests,
}

/// A principal with how much of the tables it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalEntry {
    /// The token's name.
    pub name: PrincipalName,
    /// Kept orders it created.
    pub orders: u32,
    /// Remembered keys.
    pub keys: u32,
    /// Entries of draws that it brought.
    pub entries: u32,
}

impl State {
    /// The empty state, before the first event. `seed` spreads the tables' hashes; nothing that is
    /// kept or answered depends on it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
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
        Self {
            sequence: 0,
            stamp: 0,
            epoch: 0,
            lives: Lives::new(),
            hash_key: [0; 16],
            answers_before_sync: false,
            principals: Vec::new(),
            skus: Skus::with_cap(caps.skus, seed),
            users: Users::with_cap(caps.users, seed),
            uses: Uses::with_cap(caps.uses),
            orders: Orders::with_cap(caps.orders),
            draws: Draws::with_cap(FEW, seed),
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
    pub(super) fn take_settings(&mut self, settings: Settings) {
        let caps = &settings.caps;
        self.skus.grow(caps.skus);
        self.users.grow(caps.users);
        self.uses.grow(caps.uses);
        self.orders.grow(caps.orders);
        self.draws.grow(caps.entries);
        self.requests.grow(caps.keys);
        self.settings = settings;
    }

    /// The number of a principal that has owned something.
    #[must_use]
    pub fn principal(&self, name: &PrincipalName) -> Option<u16> {
        let found = self.principals.iter().position(|entry| entry.name == *name)?;
        u16::try_from(found).ok()
    }

    pub(super) fn principal_or_new(&mut self, name: &PrincipalName) -> u16 {
        if let Some(number) = self.principal(name) {
            return number;
        }
        self.principals.push(PrincipalEntry { name: name.clone(), orders: 0, keys: 0, entries: 0 });
        u16::try_from(self.principals.len() - 1).expect("principals are capped below 2^16")
    }
}

const _: () = assert!(PRINCIPALS_MAX <= u16::MAX as usize);
