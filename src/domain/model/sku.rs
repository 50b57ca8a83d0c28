//! A SKU: its counters, its settings, the refusals counted against it.
//!
//! Owns the rule that available + held + sold = total, none below zero. Next: `apply`.

use super::command::SkuSettings;
use super::ids::{Sequence, SkuId};
use super::words::words;
use crate::domain::memory::slab::NONE;

words! {
    /// Why an order could not be had, as counted per SKU and shown in `refused`.
    pub enum RefusalReason {
        /// Not enough units.
        SoldOut = 0 "sold_out",
        /// The user's own limit.
        UserLimit = 1 "user_limit",
        /// Too many open holds of the user; counted at the first line's SKU.
        HoldLimit = 2 "hold_limit",
        /// Before the window.
        NotOpen = 3 "not_open",
        /// After the window.
        Closed = 4 "closed",
        /// An operator paused it.
        Paused = 5 "paused",
        /// The SKU can only be won.
        DrawOnly = 6 "draw_only",
    }
}

/// Refusals by reason, each at the number of its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refused(pub [u64; RefusalReason::ALL.len()]);

impl Refused {
    /// Reason and count, where there is any.
    pub fn iter(&self) -> impl Iterator<Item = (RefusalReason, u64)> + '_ {
        RefusalReason::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// A SKU as kept. After its deletion it stays, unnamed, until no order and no use refers to it.
#[derive(Debug, Clone)]
pub struct Sku {
    pub id: SkuId,
    /// The event that created it: tells it from a namesake before or after.
    pub created_sequence: Sequence,
    /// Its id is free again; no count moves any more.
    pub deleted: bool,
    /// All units ever on sale.
    pub total: u64,
    /// Units in holds.
    pub held: u64,
    /// Units sold.
    pub sold: u64,
    /// What operators chose.
    pub settings: SkuSettings,
    /// The event that last changed total or settings.
    pub version: Sequence,
    /// Journaled refusals.
    pub refused: Refused,
    /// Lines of kept orders that name it.
    pub lines: u32,
    /// Users with units in use.
    pub uses: u32,
    /// The first of its uses, in the order they began.
    pub first_use: u32,
    /// The last of its uses.
    pub last_use: u32,
}

impl Sku {
    /// A new SKU without units.
    #[must_use]
    pub fn new(id: SkuId, sequence: Sequence) -> Self {
        Self {
            id,
            created_sequence: sequence,
            deleted: false,
            total: 0,
            held: 0,
            sold: 0,
            settings: SkuSettings::default(),
            version: sequence,
            refused: Refused::default(),
            lines: 0,
            uses: 0,
            first_use: NONE,
            last_use: NONE,
        }
    }

    /// Units that can be ordered.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.total
            .checked_sub(self.committed())
            .expect("available + held + sold = total, none below zero")
    }

    /// Units that the total cannot go below.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.held + self.sold
    }

    /// Its users' use survives the orders it came from.
    #[must_use]
    pub fn keeps_use(&self) -> bool {
        self.settings.per_user_limit > 0 || self.settings.limit_group.is_some()
    }
}
