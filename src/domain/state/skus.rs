//! All SKUs: by id, in order, by limit group; and the deleted ones that orders still name.
//!
//! Never decides and never counts units: it finds, creates and lets go. Next: `apply`.

use crate::domain::memory::hash::TableHash;
use crate::domain::memory::index::Index;
use crate::domain::memory::slab::{NONE, Slab, by_slot};
use crate::domain::model::ids::{GroupId, Sequence, SkuId};
use crate::domain::model::sku::Sku;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// The SKUs of the state.
#[derive(Debug, Clone)]
pub struct Skus {
    slab: Slab<Sku>,
    index: Index,
    /// The slot that was found last. A crowd comes for one SKU, and each order asks for it several
    /// times; the answer is the same with and without.
    found_last: Cell<u32>,
    by_id: BTreeMap<SkuId, u32>,
    groups: BTreeMap<GroupId, Vec<u32>>,
    /// Deleted ones by the event that created them.
    deleted: BTreeMap<Sequence, u32>,
    /// The deleted SKUs that still have uses.
    to_purge: BTreeSet<Sequence>,
    hash: TableHash,
}

impl Skus {
    pub(in crate::domain) const ENTRY_BYTES: usize = Slab::<Sku>::ENTRY_BYTES + Index::ENTRY_BYTES;

    pub(in crate::domain) fn with_cap(cap: u32, hash: TableHash) -> Self {
        Self {
            slab: Slab::default(),
            index: Index::with_cap(cap),
            found_last: Cell::new(NONE),
            by_id: BTreeMap::new(),
            groups: BTreeMap::new(),
            deleted: BTreeMap::new(),
            to_purge: BTreeSet::new(),
            hash,
        }
    }

    pub(in crate::domain) fn grow(&mut self, cap: u32) {
        self.index.grow(cap);
    }

    /// Entries, deleted ones that orders still name included.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    fn hash(&self, id: &SkuId) -> u64 {
        self.hash.text(id.as_str())
    }

    /// The slot of the SKU that has this id now.
    #[must_use]
    pub fn find(&self, id: &SkuId) -> Option<u32> {
        let last = self.found_last.get();
        if self.slab.get(last).is_some_and(|sku| sku.id == *id && !sku.deleted) {
            return Some(last);
        }
        let found = self.index.find(self.hash(id), |slot| self.slab[slot].id == *id)?;
        self.found_last.set(found);
        Some(found)
    }

    /// The slot of a deleted SKU, by the event that created it.
    #[must_use]
    pub fn find_deleted(&self, created: Sequence) -> Option<u32> {
        self.deleted.get(&created).copied()
    }

    pub(in crate::domain) fn create(&mut self, id: SkuId, sequence: Sequence) -> u32 {
        let hash = self.hash(&id);
        let slot = self.slab.insert(Sku::new(id.clone(), sequence));
        self.index.insert(hash, slot);
        let before = self.by_id.insert(id, slot);
        assert!(before.is_none(), "an id names one SKU at a time");
        slot
    }

    /// Takes a SKU as a snapshot holds it, without its group.
    pub(in crate::domain) fn restore(&mut self, sku: Sku) -> u32 {
        let (id, created, deleted) = (sku.id.clone(), sku.created_sequence, sku.deleted);
        let hash = self.hash(&id);
        let slot = self.slab.insert(sku);
        if deleted {
            self.deleted.insert(created, slot);
            self.to_purge.insert(created);
        } else {
            self.index.insert(hash, slot);
            self.by_id.insert(id, slot);
        }
        slot
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(in crate::domain) fn make_room(&mut self) {
        self.index.make_room();
    }

    /// Puts a SKU into its group, or out of it.
    pub(in crate::domain) fn regroup(&mut self, slot: u32, group: Option<&GroupId>) {
        let current = self.slab[slot].settings.limit_group.clone();
        if current.as_ref() == group {
            return;
        }
        if let Some(name) = current {
            self.leave_group(slot, &name);
        }
        if let Some(name) = group {
            self.groups.entry(name.clone()).or_default().push(slot);
        }
        self.slab[slot].settings.limit_group = group.cloned();
    }

    fn leave_group(&mut self, slot: u32, name: &GroupId) {
        let members = self.groups.get_mut(name).expect("a SKU's group knows it");
        members.retain(|member| *member != slot);
        if members.is_empty() {
            self.groups.remove(name);
        }
    }

    /// Slots of the SKUs in a group now.
    #[must_use]
    pub fn group(&self, name: &GroupId) -> &[u32] {
        self.groups.get(name).map_or(&[], Vec::as_slice)
    }

    /// Frees the id. The SKU stays as long as orders or uses refer to it.
    pub(in crate::domain) fn delete(&mut self, slot: u32) {
        self.regroup(slot, None);
        let sku = &mut self.slab[slot];
        sku.deleted = true;
        let (id, created) = (sku.id.clone(), sku.created_sequence);
        self.index.remove(self.hash(&id), slot);
        self.by_id.remove(&id);
        self.deleted.insert(created, slot);
        self.to_purge.insert(created);
        self.release_if_unused(slot);
    }

    /// Lets a deleted SKU go once nothing refers to it.
    pub(in crate::domain) fn release_if_unused(&mut self, slot: u32) {
        let sku = &self.slab[slot];
        if !sku.deleted || sku.uses > 0 {
            return;
        }
        self.to_purge.remove(&sku.created_sequence);
        if sku.lines == 0 {
            self.deleted.remove(&sku.created_sequence);
            self.slab.remove(slot);
        }
    }

    /// A deleted SKU that still has uses, with how many.
    #[must_use]
    pub fn to_purge(&self) -> Option<(Sequence, u32)> {
        let created = *self.to_purge.first()?;
        Some((created, self.slab[self.deleted[&created]].uses))
    }

    /// SKUs by id, those after `after`.
    pub fn after(&self, after: Option<&SkuId>) -> impl Iterator<Item = &Sku> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.by_id.range::<SkuId, _>((from, Unbounded)).map(|(_, slot)| &self.slab[*slot])
    }

    /// Deleted SKUs that are still referred to, by the event that created them.
    pub fn deleted(&self) -> impl Iterator<Item = &Sku> {
        self.deleted.values().map(|slot| &self.slab[*slot])
    }

    /// All slots in use, for checks.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Sku)> {
        self.slab.iter()
    }
}

by_slot!(Skus, Sku);

#[cfg(test)]
mod tests {
    use super::*;

    /// An id that was found last is found only while it names that SKU.
    #[test]
    fn the_last_found_id_holds_only_while_it_names_that_sku() {
        let mut skus = Skus::with_cap(4, TableHash::new(1));
        let [one, other] = ["one", "other"].map(|id| SkuId::parse(id).expect("an id"));
        let first = skus.create(one.clone(), 1);
        assert_eq!((skus.find(&one), skus.find(&other)), (Some(first), None));
        // An order still names it, so its slot is not free.
        skus[first].lines = 1;
        skus.delete(first);
        assert_eq!(skus.find(&one), None);
        let second = skus.create(one.clone(), 2);
        assert_ne!(first, second);
        assert_eq!(skus.find(&one), Some(second));
        // Nor is one found whose slot is free, or another's.
        skus.delete(second);
        assert_eq!(skus.find(&one), None);
        assert_eq!(skus.create(other.clone(), 3), second);
        assert_eq!((skus.find(&one), skus.find(&other)), (None, Some(second)));
    }
}
