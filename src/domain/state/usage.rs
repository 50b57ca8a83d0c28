//! Users, and how many units of each SKU each of them holds and owns.
//!
//! A user exists while it has an order or a use. Use is counted for every user and SKU from the
//! SKU's creation, so that a limit set later counts what was bought before (API 3). Never decides.
//! Next: `limits`.

use super::principals::{Principals, Table};
use super::skus::Skus;
use crate::domain::memory::hash::TableHash;
use crate::domain::memory::index::{Index, Places, near};
use crate::domain::memory::slab::{NONE, Slab, by_slot};
use crate::domain::model::ids::{STOCK_MAX, UserId};
use crate::domain::model::sku::Sku;
use std::num::NonZeroU64;

/// A user as kept.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    /// Held orders.
    pub holds: u32,
    /// SKUs with units in use.
    pub uses: u32,
    /// One of its uses, if any is found from here; all others are found by the index of `Uses`.
    near_usage: u32,
    /// Its newest kept order; none if it has none.
    pub newest: u32,
    /// Number of the configured principal that brought it, if one did.
    pub owner: u16,
}

/// The users of the state.
#[derive(Debug, Clone)]
pub struct Users {
    pub(in crate::domain) slab: Slab<User>,
    index: Index,
    hash: TableHash,
}

impl Users {
    pub(in crate::domain) const ENTRY_BYTES: usize = Slab::<User>::ENTRY_BYTES + Index::ENTRY_BYTES;

    pub(in crate::domain) fn with_cap(cap: u32, hash: TableHash) -> Self {
        Self { slab: Slab::default(), index: Index::with_cap(cap), hash }
    }

    pub(in crate::domain) fn grow(&mut self, cap: u32) {
        self.index.grow(cap);
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(in crate::domain) fn make_room(&mut self) {
        self.index.make_room();
    }

    /// Users with an order or a use.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(in crate::domain) fn hash(&self, id: &str) -> u64 {
        self.hash.text(id)
    }

    /// Where the searches for some users begin; see `prefetch`.
    pub(in crate::domain) fn places(&self, hashes: impl Iterator<Item = u64>) -> Places {
        self.index.places(hashes)
    }

    /// Reads there; see `prefetch`.
    pub(in crate::domain) fn prefetch_probe(&self, places: &Places) -> u64 {
        self.index.prefetch_probe(places)
    }

    /// Reads the user that a hash finds first; see `prefetch`.
    pub(in crate::domain) fn glance_entry(&self, hash: u64) -> u64 {
        let found = self.index.find(hash, |_| true);
        found.map_or(0, |slot| u64::from(self.slab[slot].newest))
    }

    /// The slot of a user.
    #[must_use]
    pub fn find(&self, id: &UserId) -> Option<u32> {
        self.index.find(self.hash(id.as_str()), |slot| self.slab[slot].id == *id)
    }

    /// The slot of a user; a new one is charged to `principal`, if that is configured.
    pub(in crate::domain) fn find_or_create(
        &mut self,
        principals: &mut Principals,
        id: &UserId,
        principal: u16,
    ) -> u32 {
        let owner = principals.owner(principal);
        self.find_or_create_of(principals, id, owner)
    }

    /// As [`find_or_create`](Self::find_or_create), with the owner of a new one.
    pub(in crate::domain) fn find_or_create_of(
        &mut self,
        principals: &mut Principals,
        id: &UserId,
        owner: u16,
    ) -> u32 {
        let found =
            self.index.find_or_vacant(self.hash(id.as_str()), |slot| self.slab[slot].id == *id);
        found.unwrap_or_else(|vacant| {
            principals.add(Table::Users, owner);
            let (id, newest) = (id.clone(), NONE);
            let user = User { id, holds: 0, uses: 0, near_usage: NONE, newest, owner };
            let slot = self.slab.insert(user);
            self.index.fill(vacant, slot);
            slot
        })
    }

    pub(in crate::domain) fn release_if_unused(&mut self, principals: &mut Principals, slot: u32) {
        let user = &self.slab[slot];
        if user.newest == NONE && user.uses == 0 {
            assert!(
                user.holds == 0 && user.near_usage == NONE,
                "a user without orders has no links"
            );
            let hash = self.hash(user.id.as_str());
            self.index.remove(hash, slot);
            principals.subtract(Table::Users, self.slab.remove(slot).owner);
        }
    }

    /// Slots that were ever used; all users are below.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slab.end()
    }

    /// The users in some slots, which end at `slots` at most.
    pub fn in_slots(&self, slots: std::ops::Range<u32>) -> impl Iterator<Item = &User> {
        self.slab.range(slots)
    }

    /// All slots in use, for checks.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &User)> {
        self.slab.iter()
    }
}

by_slot!(Users, User);

/// Units of one SKU that one user holds and owns.
#[derive(Debug, Clone)]
pub struct Use {
    /// Slot of the SKU.
    pub sku: u32,
    /// Slot of the user.
    pub user: u32,
    /// Units, and above them the owner.
    units_and_owner: NonZeroU64,
    before: u32,
    after: u32,
}

impl Use {
    /// Units of a SKU are far fewer (`STOCK_MAX`).
    const OWNER_AT: u32 = 48;

    fn packed(units: u64, owner: u16) -> Option<NonZeroU64> {
        assert!(units >> Self::OWNER_AT == 0, "units of a SKU are bounded");
        // Without units there is no use, whoever's it would be.
        NonZeroU64::new(units)?;
        NonZeroU64::new(units | (u64::from(owner) << Self::OWNER_AT))
    }

    #[must_use]
    pub const fn units(&self) -> u64 {
        self.units_and_owner.get() & ((1 << Self::OWNER_AT) - 1)
    }

    /// Number of the configured principal that began it, if one did.
    #[must_use]
    pub const fn owner(&self) -> u16 {
        (self.units_and_owner.get() >> Self::OWNER_AT) as u16
    }
}

const _: () = assert!(STOCK_MAX < 1 << Use::OWNER_AT && size_of::<Use>() == 24);

/// The uses of the state, each in its SKU's list in the order they began.
///
/// Most users ever use one SKU, and that use is found from its user, who is at hand anyway. Which
/// of several is found so depends on what came and went, and changes no outcome.
#[derive(Debug, Clone)]
pub struct Uses {
    pub(in crate::domain) slab: Slab<Use>,
    /// The uses that are not found from their user.
    index: Index,
    hash: TableHash,
}

impl Uses {
    pub(in crate::domain) const ENTRY_BYTES: usize = Slab::<Use>::ENTRY_BYTES + Index::ENTRY_BYTES;

    pub(in crate::domain) fn with_cap(cap: u32, hash: TableHash) -> Self {
        Self { slab: Slab::default(), index: Index::with_cap(cap), hash }
    }

    /// Users who came one after the other for the same SKU stand together.
    const fn hash(&self, sku: u32, user: u32) -> u64 {
        let group = ((sku as u64) << 32) | (user >> 3) as u64;
        near(self.hash.number(group), user as u64)
    }

    pub(in crate::domain) fn grow(&mut self, cap: u32) {
        self.index.grow(cap);
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(in crate::domain) fn make_room(&mut self) {
        self.index.make_room();
    }

    /// Pairs of user and SKU with units in use.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    fn find(&self, users: &Users, sku: u32, user: u32) -> Option<u32> {
        let User { uses, near_usage, .. } = users[user];
        if near_usage != NONE && self.slab[near_usage].sku == sku {
            return Some(near_usage);
        }
        let indexed = uses - u32::from(near_usage != NONE);
        if indexed == 0 {
            return None;
        }
        self.index.find(self.hash(sku, user), |slot| {
            let found = &self.slab[slot];
            found.sku == sku && found.user == user
        })
    }

    /// Units that a user holds and owns of a SKU.
    #[must_use]
    pub fn units(&self, users: &Users, sku: u32, user: u32) -> u64 {
        self.find(users, sku, user).map_or(0, |slot| self.slab[slot].units())
    }

    /// Adds units to a use; says whether it began with them, and so is its owner's.
    pub(in crate::domain) fn add(
        &mut self,
        skus: &mut Skus,
        users: &mut Users,
        pair: (u32, u32),
        (units, owner): (u64, u16),
    ) -> bool {
        let Some(units_and_owner) = Use::packed(units, owner) else { return false };
        let (sku, user) = pair;
        if let Some(slot) = self.find(users, sku, user) {
            let found = &mut self.slab[slot];
            let more = Use::packed(found.units() + units, found.owner());
            found.units_and_owner = more.expect("there are more than before");
            return false;
        }
        let before = skus[sku].last_use;
        let slot = self.slab.insert(Use { sku, user, units_and_owner, before, after: NONE });
        let user = &mut users[user];
        user.uses += 1;
        if user.near_usage == NONE {
            user.near_usage = slot;
        } else {
            self.index.insert(self.hash(sku, pair.1), slot);
        }
        match before {
            NONE => skus[sku].first_use = slot,
            last => self.slab[last].after = slot,
        }
        skus[sku].last_use = slot;
        skus[sku].uses += 1;
        true
    }

    /// Takes units off a use; gives the use, if that ends it. The user may have to be released
    /// afterwards.
    pub(in crate::domain) fn subtract(
        &mut self,
        skus: &mut Skus,
        users: &mut Users,
        pair: (u32, u32),
        units: u64,
    ) -> Option<Use> {
        let slot = self
            .find(users, pair.0, pair.1)
            .expect("units in use were counted when they were taken");
        let found = &mut self.slab[slot];
        let left = found.units().checked_sub(units);
        let left = left.expect("no more is given back than was taken");
        match Use::packed(left, found.owner()) {
            Some(left) => {
                found.units_and_owner = left;
                None
            }
            None => Some(self.remove(skus, users, slot)),
        }
    }

    fn remove(&mut self, skus: &mut Skus, users: &mut Users, slot: u32) -> Use {
        let gone = self.slab.remove(slot);
        let user = &mut users[gone.user];
        user.uses -= 1;
        if user.near_usage == slot {
            user.near_usage = NONE;
        } else {
            self.index.remove(self.hash(gone.sku, gone.user), slot);
        }
        match gone.before {
            NONE => skus[gone.sku].first_use = gone.after,
            before => self.slab[before].after = gone.after,
        }
        match gone.after {
            NONE => skus[gone.sku].last_use = gone.before,
            after => self.slab[after].before = gone.before,
        }
        skus[gone.sku].uses -= 1;
        gone
    }

    /// Takes the first use of a deleted SKU away.
    pub(in crate::domain) fn remove_first(
        &mut self,
        skus: &mut Skus,
        users: &mut Users,
        sku: u32,
    ) -> Use {
        let first = skus[sku].first_use;
        self.remove(skus, users, first)
    }

    /// A SKU's uses in the order they began.
    pub fn of_sku(&self, sku: &Sku) -> impl Iterator<Item = &Use> {
        let first = sku.first_use;
        let entry = |slot: u32| (slot != NONE).then(|| &self.slab[slot]);
        std::iter::successors(entry(first), move |found| entry(found.after))
    }
}
