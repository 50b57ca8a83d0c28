//! Users, and how many units of each SKU each of them holds and owns.
//!
//! A user exists while it has an order or a use. Use is counted for every user and SKU from the
//! SKU's creation, so that a limit set later counts what was bought before (API 3). Never decides.
//! Next: `limits`.

use super::ids::UserId;
use super::index::{Index, Places, near};
use super::sku::Sku;
use super::skus::Skus;
use super::slab::{NONE, Slab};
use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU64;

/// A hash for our own tables. Nothing that is kept depends on it.
pub(super) fn hash_text(seed: u64, text: &str) -> u64 {
    let mut hasher = FixedState::with_seed(seed).build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// Spreads numbers that nobody outside chooses.
pub(super) const fn hash_number(number: u64) -> u64 {
    // 2^64 over the golden ratio; the product's halves are folded as the index looks at the upper.
    let product = (number as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A user as kept.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Held orders.
    pub holds: u32,
    /// SKUs with units in use.
    pub uses: u32,
    /// One of its uses, if any is found from here; all others are found by the index of `Uses`.
    near_use: u32,
    /// Its newest kept order; none if it has none.
    pub newest: u32,
}

/// The users of the state.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) slab: Slab<User>,
    index: Index,
    seed: u64,
}

impl Users {
    pub(super) const ENTRY_BYTES: usize = Slab::<User>::ENTRY_BYTES + Index::ENTRY_BYTES;

    pub(super) fn with_cap(cap: u32, seed: u64) -> Self {
        Self { slab: Slab::default(), index: Index::with_cap(cap), seed }
    }

    pub(super) fn grow(&mut self, cap: u32) {
        self.index.grow(cap);
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(super) fn make_room(&mut self) {
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

    pub(super) fn hash(&self, id: &str) -> u64 {
        hash_text(self.seed, id)
    }

    /// Where the searches for some users begin; see `warm`.
    pub(super) fn places(&self, hashes: impl Iterator<Item = u64>) -> Places {
        self.index.places(hashes)
    }

    /// Reads there; see `warm`.
    pub(super) fn glance(&self, places: &Places) -> u64 {
        self.index.glance(places)
    }

    /// Reads the user that a hash finds first; see `warm`.
    pub(super) fn glance_entry(&self, hash: u64) -> u64 {
        let found = self.index.find(hash, |_| true);
        found.map_or(0, |slot| u64::from(self.slab[slot].newest))
    }

    /// The slot of a user.
    #[must_use]
    pub fn find(&self, id: &UserId) -> Option<u32> {
        self.index.find(self.hash(id.as_str()), |slot| self.slab[slot].id == *id)
    }

    pub(super) fn find_or_create(&mut self, id: &UserId) -> u32 {
        let found =
            self.index.find_or_vacant(self.hash(id.as_str()), |slot| self.slab[slot].id == *id);
        found.unwrap_or_else(|vacant| {
            let user = User { id: id.clone(), holds: 0, uses: 0, near_use: NONE, newest: NONE };
            let slot = self.slab.insert(user);
            self.index.fill(vacant, slot);
            slot
        })
    }

    pub(super) fn release_if_unused(&mut self, slot: u32) {
        let user = &self.slab[slot];
        if user.newest == NONE && user.uses == 0 {
            assert!(user.holds == 0 && user.near_use == NONE, "a user without orders has no links");
            let hash = self.hash(user.id.as_str());
            self.index.remove(hash, slot);
            self.slab.remove(slot);
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

impl std::ops::Index<u32> for Users {
    type Output = User;

    fn index(&self, slot: u32) -> &User {
        &self.slab[slot]
    }
}

impl std::ops::IndexMut<u32> for Users {
    fn index_mut(&mut self, slot: u32) -> &mut User {
        &mut self.slab[slot]
    }
}

/// Units of one SKU that one user holds and owns.
#[derive(Debug, Clone)]
pub struct Use {
    /// Slot of the SKU.
    pub sku: u32,
    /// Slot of the user.
    pub user: u32,
    /// Units.
    pub units: NonZeroU64,
    before: u32,
    after: u32,
}

/// The uses of the state, each in its SKU's list in the order they began.
///
/// Most users ever use one SKU, and that use is found from its user, who is at hand anyway. Which of
/// several is found so depends on what came and went, and changes no outcome.
#[derive(Debug, Clone)]
pub struct Uses {
    pub(super) slab: Slab<Use>,
    /// Those that are not found from their user.
    index: Index,
}

/// Users who came one after the other for the same SKU stand together.
fn hash_use(sku: u32, user: u32) -> u64 {
    near(hash_number((u64::from(sku) << 32) | u64::from(user >> 3)), u64::from(user))
}

impl Uses {
    pub(super) const ENTRY_BYTES: usize = Slab::<Use>::ENTRY_BYTES + Index::ENTRY_BYTES;

    pub(super) fn with_cap(cap: u32) -> Self {
        Self { slab: Slab::default(), index: Index::with_cap(cap) }
    }

    pub(super) fn grow(&mut self, cap: u32) {
        self.index.grow(cap);
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(super) fn make_room(&mut self) {
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
        let User { uses, near_use, .. } = users[user];
        if near_use != NONE && self.slab[near_use].sku == sku {
            return Some(near_use);
        }
        let indexed = uses - u32::from(near_use != NONE);
        if indexed == 0 {
            return None;
        }
        self.index.find(hash_use(sku, user), |slot| {
            let found = &self.slab[slot];
            found.sku == sku && found.user == user
        })
    }

    /// Units that a user holds and owns of a SKU.
    #[must_use]
    pub fn units(&self, users: &Users, sku: u32, user: u32) -> u64 {
        self.find(users, sku, user).map_or(0, |slot| self.slab[slot].units.get())
    }

    pub(super) fn add(&mut self, skus: &mut Skus, users: &mut Users, pair: (u32, u32), units: u64) {
        let Some(units) = NonZeroU64::new(units) else { return };
        let (sku, user) = pair;
        if let Some(slot) = self.find(users, sku, user) {
            let more = self.slab[slot].units.checked_add(units.get());
            self.slab[slot].units = more.expect("units of a SKU are bounded");
            return;
        }
        let before = skus[sku].last_use;
        let slot = self.slab.insert(Use { sku, user, units, before, after: NONE });
        let user = &mut users[user];
        user.uses += 1;
        if user.near_use == NONE {
            user.near_use = slot;
        } else {
            self.index.insert(hash_use(sku, pair.1), slot);
        }
        match before {
            NONE => skus[sku].first_use = slot,
            last => self.slab[last].after = slot,
        }
        skus[sku].last_use = slot;
        skus[sku].uses += 1;
    }

    /// Takes units off a use. The user may have to be released afterwards.
    pub(super) fn subtract(
        &mut self,
        skus: &mut Skus,
        users: &mut Users,
        pair: (u32, u32),
        units: u64,
    ) {
        let slot = self
            .find(users, pair.0, pair.1)
            .expect("units in use were counted when they were taken");
        let found = &mut self.slab[slot];
        let left = found.units.get().checked_sub(units);
        match NonZeroU64::new(left.expect("no more is given back than was taken")) {
            Some(left) => found.units = left,
            None => drop(self.remove(skus, users, slot)),
        }
    }

    fn remove(&mut self, skus: &mut Skus, users: &mut Users, slot: u32) -> Use {
        let gone = self.slab.remove(slot);
        let user = &mut users[gone.user];
        user.uses -= 1;
        if user.near_use == slot {
            user.near_use = NONE;
        } else {
            self.index.remove(hash_use(gone.sku, gone.user), slot);
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

    /// Takes the first uses of a deleted SKU away.
    pub(super) fn purge(&mut self, skus: &mut Skus, users: &mut Users, sku: u32, count: u32) {
        for _ in 0..count {
            let first = skus[sku].first_use;
            let gone = self.remove(skus, users, first);
            users.release_if_unused(gone.user);
        }
    }

    /// A SKU's uses in the order they began.
    pub fn of_sku(&self, sku: &Sku) -> impl Iterator<Item = &Use> {
        let first = sku.first_use;
        let entry = |slot: u32| (slot != NONE).then(|| &self.slab[slot]);
        std::iter::successors(entry(first), move |found| entry(found.after))
    }
}
