//! Who asks: the principals that own something or are configured to, and each one's part of the
//! tables.
//!
//! Owns what is reserved for whom. A principal that is configured to order has a reserve in every
//! table that clients fill, from its first row on: whatever others do, it fills that far (API 1).
//! What lies beyond all reserves is common. Reads and counts only; the tables are elsewhere. Next:
//! `limits`.

use crate::domain::model::ids::PrincipalName;
use crate::domain::model::settings::Caps;
use std::collections::BTreeMap;

/// Principals that may own orders and keys at most; tokens are few.
pub const PRINCIPALS_MAX: usize = 4096;

/// The owner of a row that no configured principal brought.
pub const NO_PRINCIPAL: u16 = u16::MAX;

/// Up to so many configured principals each has a twentieth of a table; beyond, they share a half.
const EVEN_PART_FROM: u32 = 10;

/// A table that clients fill, with a reserve for each configured principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Kept orders.
    Orders,
    /// Remembered keys.
    Keys,
    /// Remembered answers that are not an order, kept whole.
    Answers,
    /// Pairs of user and SKU with units in use.
    Uses,
    /// Users with an order or a use.
    Users,
    /// Entries of draws.
    Entries,
}

/// How many tables there are.
pub const TABLE_COUNT: usize = 6;

impl Table {
    /// All of them, in their order.
    pub const ALL: [Self; TABLE_COUNT] =
        [Self::Orders, Self::Keys, Self::Answers, Self::Uses, Self::Users, Self::Entries];

    /// Its name, as in `capacity` problems and in the status.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Keys => "keys",
            Self::Answers => "answers",
            Self::Uses => "uses",
            Self::Users => "users",
            Self::Entries => "entries",
        }
    }

    /// Rows that it may hold.
    #[must_use]
    pub const fn cap(self, caps: &Caps) -> u32 {
        match self {
            Self::Orders => caps.orders,
            Self::Keys => caps.keys,
            Self::Answers => caps.answers,
            Self::Uses => caps.uses,
            Self::Users => caps.users,
            Self::Entries => caps.entries,
        }
    }
}

/// A principal with how much of the tables it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalEntry {
    /// The token's name.
    pub name: PrincipalName,
    /// Whether it is configured to order, and so has a reserve.
    pub configured: bool,
    owned: [u32; TABLE_COUNT],
}

impl PrincipalEntry {
    fn new(name: PrincipalName) -> Self {
        Self { name, configured: false, owned: [0; TABLE_COUNT] }
    }

    /// Rows of a table that it brought. Users and uses count from when it was configured.
    #[must_use]
    pub const fn owned(&self, table: Table) -> u32 {
        self.owned[table as usize]
    }

    fn is_gone(&self) -> bool {
        !self.configured && self.owned == [0; TABLE_COUNT]
    }
}

/// The principals, by number. A number stays a principal's as long as it owns something.
#[derive(Debug, Clone, Default)]
pub struct Principals {
    entries: Vec<PrincipalEntry>,
    by_name: BTreeMap<PrincipalName, u16>,
    configured: u32,
    /// Rows of each table that are reserved for each configured principal.
    reserve: [u32; TABLE_COUNT],
    /// Of each table, how many rows of all reserves are filled.
    filled: [u64; TABLE_COUNT],
}

impl Principals {
    /// Principals that have a number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &PrincipalEntry> {
        self.entries.iter()
    }

    /// The number of a principal.
    #[must_use]
    pub fn number(&self, name: &PrincipalName) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    /// Every number is a principal's: one more may find none.
    pub(in crate::domain) fn is_full(&self) -> bool {
        self.entries.len() >= PRINCIPALS_MAX
    }

    /// There is a number for one more: a new one, or that of a principal that owns nothing any
    /// more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.entries.len() < PRINCIPALS_MAX || self.entries.iter().any(PrincipalEntry::is_gone)
    }

    /// The number of a principal; the lowest free one if it has none.
    ///
    /// # Panics
    /// Where there is no room, which `limits` checks.
    pub(in crate::domain) fn number_or_new(&mut self, name: &PrincipalName) -> u16 {
        if let Some(number) = self.number(name) {
            return number;
        }
        let gone = (self.entries.len() >= PRINCIPALS_MAX)
            .then(|| self.entries.iter().position(PrincipalEntry::is_gone))
            .flatten();
        let place = gone.unwrap_or(self.entries.len());
        assert!(place < PRINCIPALS_MAX, "room for a principal is checked before it owns anything");
        let principal = PrincipalEntry::new(name.clone());
        match self.entries.get_mut(place) {
            Some(gone) => {
                self.by_name.remove(&gone.name);
                *gone = principal;
            }
            None => self.entries.push(principal),
        }
        let number = u16::try_from(place).expect("principals are capped below 2^16");
        self.by_name.insert(name.clone(), number);
        number
    }

    /// From here on these are the configured ones; but those for which there is no number, as
    /// others own something under each.
    pub(in crate::domain) fn configure(&mut self, names: &[PrincipalName], caps: &Caps) {
        self.entries.iter_mut().for_each(|entry| entry.configured = false);
        // First those that have a number: none of the others may be given it.
        let known = |name: &&PrincipalName| self.by_name.contains_key(*name);
        let (known, new): (Vec<_>, Vec<_>) = names.iter().partition(known);
        for name in known.into_iter().chain(new) {
            if self.number(name).is_some() || self.has_room() {
                let number = self.number_or_new(name);
                self.entries[usize::from(number)].configured = true;
            }
        }
        self.reserve_in(caps);
    }

    /// Makes the principals of these numbers the configured ones, as a snapshot tells.
    pub(in crate::domain) fn restore_configured(&mut self, numbers: &[u16], caps: &Caps) {
        for number in numbers {
            self.entries[usize::from(*number)].configured = true;
        }
        self.reserve_in(caps);
    }

    /// The numbers of the configured ones, ascending.
    pub fn configured(&self) -> impl Iterator<Item = u16> {
        let numbered = (0_u16..).zip(&self.entries);
        numbered.filter(|(_, entry)| entry.configured).map(|(number, _)| number)
    }

    /// Takes the caps that hold from here on.
    pub(in crate::domain) fn reserve_in(&mut self, caps: &Caps) {
        let count = self.entries.iter().filter(|entry| entry.configured).count();
        self.configured = u32::try_from(count).expect("principals are few");
        self.reserve = Table::ALL.map(|table| match (self.configured, table.cap(caps)) {
            (0, _) => 0,
            (count, cap) if count <= EVEN_PART_FROM => cap / 20,
            (count, cap) => cap / 2 / count,
        });
        let configured = || self.entries.iter().filter(|entry| entry.configured);
        self.filled = Table::ALL.map(|table| {
            let reserve = self.reserve[table as usize];
            configured().map(|entry| u64::from(entry.owned(table).min(reserve))).sum()
        });
    }

    /// Rows reserved for any of them that are not filled.
    pub(in crate::domain) const fn kept(&self, table: Table) -> u64 {
        let at = table as usize;
        self.reserve[at] as u64 * self.configured as u64 - self.filled[at]
    }

    /// Rows reserved for others than this one that they have not filled; all, if it has no reserve.
    pub(in crate::domain) fn kept_for_others(&self, table: Table, number: Option<u16>) -> u64 {
        self.kept(table) - u64::from(self.own_reserve(table, number))
    }

    /// Rows of its reserve that a principal has not filled.
    pub(in crate::domain) fn own_reserve(&self, table: Table, number: Option<u16>) -> u32 {
        let own = number.map(|number| &self.entries[usize::from(number)]);
        own.filter(|entry| entry.configured)
            .map_or(0, |entry| self.reserve[table as usize].saturating_sub(entry.owned(table)))
    }

    /// The owner that a new user or use gets: they are told apart for configured principals only.
    pub(in crate::domain) fn owner(&self, number: u16) -> u16 {
        if self.entries[usize::from(number)].configured { number } else { NO_PRINCIPAL }
    }

    /// A row came that this one brought.
    pub(in crate::domain) fn add(&mut self, table: Table, number: u16) {
        if number == NO_PRINCIPAL {
            return;
        }
        let (entry, at) = (&mut self.entries[usize::from(number)], table as usize);
        let fills = entry.configured && entry.owned[at] < self.reserve[at];
        self.filled[at] += u64::from(fills);
        entry.owned[at] += 1;
    }

    /// A row left that this one had brought.
    pub(in crate::domain) fn subtract(&mut self, table: Table, number: u16) {
        if number == NO_PRINCIPAL {
            return;
        }
        let (entry, at) = (&mut self.entries[usize::from(number)], table as usize);
        entry.owned[at] = entry.owned[at].checked_sub(1).expect("what leaves was counted");
        let frees = entry.configured && entry.owned[at] < self.reserve[at];
        self.filled[at] -= u64::from(frees);
    }
}

impl std::ops::Index<u16> for Principals {
    type Output = PrincipalEntry;

    fn index(&self, number: u16) -> &PrincipalEntry {
        &self.entries[usize::from(number)]
    }
}

const _: () = assert!(PRINCIPALS_MAX <= NO_PRINCIPAL as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PrincipalName {
        PrincipalName::parse(text).expect("a good name")
    }

    fn caps(orders: u32) -> Caps {
        Caps { orders, ..Caps::default() }
    }

    #[test]
    fn a_reserve_is_a_twentieth_or_an_even_part_of_a_half() {
        for (count, reserve) in [(1, 5), (2, 5), (10, 5), (11, 4), (25, 2), (100, 0)] {
            let names: Vec<_> = (0..count).map(|number| name(&format!("p{number}"))).collect();
            let mut principals = Principals::default();
            principals.configure(&names, &caps(100));
            assert_eq!(principals.own_reserve(Table::Orders, Some(0)), reserve, "{count}");
            let others = u64::from(reserve) * (u64::from(count as u32) - 1);
            assert_eq!(principals.kept_for_others(Table::Orders, Some(0)), others, "{count}");
        }
    }

    #[test]
    fn what_is_filled_is_no_longer_kept() {
        let mut principals = Principals::default();
        principals.configure(&[name("a"), name("b")], &caps(100));
        for filled in 1..=7_u32 {
            principals.add(Table::Orders, 0);
            assert_eq!(
                principals.own_reserve(Table::Orders, Some(0)),
                5_u32.saturating_sub(filled)
            );
            let kept = principals.kept_for_others(Table::Orders, Some(1));
            assert_eq!(kept, u64::from(5_u32.saturating_sub(filled)));
            assert_eq!(principals.kept_for_others(Table::Orders, None), 5 + kept);
        }
        for filled in (0..7_u32).rev() {
            principals.subtract(Table::Orders, 0);
            assert_eq!(
                principals.own_reserve(Table::Orders, Some(0)),
                5_u32.saturating_sub(filled)
            );
        }
        // Another list, other caps: what is owned stays, and is measured by what holds now.
        principals.add(Table::Orders, 0);
        principals.configure(&[name("b")], &caps(200));
        assert_eq!(principals.own_reserve(Table::Orders, Some(0)), 0);
        assert_eq!(principals.own_reserve(Table::Orders, Some(1)), 10);
        principals.configure(&[name("a")], &caps(200));
        assert_eq!(principals.own_reserve(Table::Orders, Some(0)), 9);
    }

    /// The number of a principal that owns nothing is given again when all are.
    #[test]
    fn a_number_is_given_again_once_all_are_given() {
        let mut principals = Principals::default();
        for number in 0..PRINCIPALS_MAX {
            let number = principals.number_or_new(&name(&format!("p{number}")));
            principals.add(Table::Keys, number);
        }
        assert!(!principals.has_room());
        principals.subtract(Table::Keys, 77);
        assert!(principals.has_room());
        assert_eq!(principals.number_or_new(&name("late")), 77);
        assert_eq!(principals.number(&name("p77")), None);
        assert_eq!(principals[77].name, name("late"));
        principals.add(Table::Keys, 77);
        assert!(!principals.has_room());
    }
}
