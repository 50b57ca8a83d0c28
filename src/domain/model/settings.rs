//! The settings that decide outcomes. They are state: each change is a journaled event, so a replay
//! decides with what was in force then. Next: `tables`, and `config` for where they come from.

use super::ids::PrincipalName;

/// What the rules may be told from outside; durations in milliseconds, caps in entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The hold of an order whose SKUs name none.
    pub hold_ms_default: u64,
    /// No hold is longer, whatever asked for it.
    pub hold_ms_max: u64,
    /// Held orders that one user may have; 0 = no limit.
    pub open_holds_per_user_max: u32,
    /// Holds that fell due while the server was away live this much longer than its start.
    pub recovery_grace_ms: u64,
    /// How long a keyed 2xx is remembered.
    pub idempotency_retain_ms: u64,
    /// How long an order that is not held stays after its last change or keyed answer.
    pub orders_retain_ms: u64,
    /// The caps of the tables.
    pub caps: Caps,
    /// The principals that may order, by name: each has a reserve in every table that clients fill.
    /// None where no tokens are configured: one principal has all to itself.
    pub principals: Vec<PrincipalName>,
}

/// How many entries each table may hold; beyond it a command is refused with `capacity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// SKUs, deleted ones whose orders are still kept included.
    pub skus: u32,
    /// Orders in any status.
    pub orders: u32,
    /// Remembered idempotency keys.
    pub keys: u32,
    /// Remembered answers that are not an order, kept whole.
    pub answers: u32,
    /// Pairs of user and SKU with units in use.
    pub uses: u32,
    /// Users with an order or a use.
    pub users: u32,
    /// Draws, deleted ones whose entries have not left included.
    pub draws: u32,
    /// Entries of all draws.
    pub entries: u32,
}

impl Default for Settings {
    fn default() -> Self {
        const HOUR_MS: u64 = 60 * 60 * 1000;
        Self {
            hold_ms_default: 300_000,
            hold_ms_max: 1_800_000,
            open_holds_per_user_max: 8,
            recovery_grace_ms: 60_000,
            idempotency_retain_ms: 24 * HOUR_MS,
            orders_retain_ms: 30 * 24 * HOUR_MS,
            caps: Caps::default(),
            principals: Vec::new(),
        }
    }
}

impl Caps {
    /// Draws that there may be unless settings say otherwise, as in journals from before draws.
    pub const DRAWS: u32 = 10_000;
    /// Entries that there may be unless settings say otherwise.
    pub const ENTRIES: u32 = 10_000_000;
    pub const OF_DRAWS: (u32, u32) = (Self::DRAWS, Self::ENTRIES);

    /// The caps of draws and of their entries.
    #[must_use]
    pub const fn of_draws(&self) -> (u32, u32) {
        (self.draws, self.entries)
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            skus: 100_000,
            orders: 10_000_000,
            keys: 10_000_000,
            answers: 100_000,
            uses: 10_000_000,
            users: 10_000_000,
            draws: Self::DRAWS,
            entries: Self::ENTRIES,
        }
    }
}
