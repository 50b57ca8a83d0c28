//! A draw as kept, and all draws: by id, by the SKUs they name while unclosed; who entered which,
//! and how often.
//!
//! Never rolls and never moves stock: it finds, keeps and lets go. Entrants are kept here and not
//! among the users: a user that only lost owns nothing. Next: `apply_draw`, `decide_draw`.

use super::entries::{Entries, Entry};
use crate::domain::memory::hash::TableHash;
use crate::domain::memory::index::Index;
use crate::domain::memory::slab::{Slab, by_slot};
use crate::domain::model::command::Take;
use crate::domain::model::draw::{Admission, Pick, SeedCommitment, Terms};
use crate::domain::model::ids::{DrawId, OrderId, PrincipalName, Sequence, SkuId, Stamp, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// A draw as kept. After its deletion it stays, unnamed, until no key names an entry of it and its
/// entries have left.
#[derive(Debug, Clone)]
pub struct Draw {
    pub id: DrawId,
    /// The event that made it: tells it from a namesake before or after.
    pub created_sequence: Sequence,
    /// Its id is free again.
    pub deleted: bool,
    /// What is fixed.
    pub terms: Terms,
    /// What may change.
    pub admission: Admission,
    /// The secret and its commitment.
    pub sealed: SeedCommitment,
    /// When it was closed.
    pub closed_at: Option<Stamp>,
    /// The event that last changed what operators chose, or closed it.
    pub version: Sequence,
    /// One more than the number of the newest key whose answer names an entry; 0 = none did.
    pub key_end: u64,
    /// Who entered, in the order they did.
    pub entries: Entries,
}

impl Draw {
    /// How a win takes its unit.
    #[must_use]
    pub const fn take(&self) -> Take {
        if self.terms.sell { Take::Sell } else { Take::Hold(self.terms.hold_ms) }
    }

    /// When entries end or ended, and not before.
    #[must_use]
    pub fn end(&self) -> Option<Stamp> {
        let edges = [self.admission.closes_at, self.closed_at];
        edges.into_iter().flatten().min()
    }

    /// The SKU of a pick.
    #[must_use]
    pub fn picked(&self, pick: Pick) -> Option<&SkuId> {
        Some(&self.terms.odds.prizes().get(usize::from(pick?))?.sku)
    }

    /// An entry is shown to the principal that brought it, and to all once the draw is closed.
    #[must_use]
    pub fn shows(&self, brought_by: &PrincipalName, to: &PrincipalName) -> bool {
        self.closed_at.is_some() || brought_by == to
    }
}

/// A user with entries in one draw.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// Slot of the draw.
    pub draw: u32,
    pub user: UserId,
    pub entries: u32,
    /// The number of the first.
    pub first: u32,
    /// The number of the last.
    pub last: u32,
}

/// The draws of the state.
#[derive(Debug, Clone)]
pub struct Draws {
    slab: Slab<Draw>,
    by_id: BTreeMap<DrawId, u32>,
    /// Deleted ones by the event that made them.
    deleted: BTreeMap<Sequence, u32>,
    /// Those of them whose entries a key may name, by the first key that none of them needs.
    pinned: BTreeSet<(u64, Sequence)>,
    /// The others: their entries may leave.
    to_purge: BTreeSet<Sequence>,
    /// Unclosed ones by the slots of the SKUs that they name.
    naming: BTreeMap<u32, Vec<u32>>,
    entrants: Slab<Entrant>,
    index: Index,
    entries: u32,
    hash: TableHash,
}

impl Draws {
    pub(in crate::domain) const ENTRY_BYTES: usize = Slab::<Draw>::ENTRY_BYTES;
    pub(in crate::domain) const ENTRIES_ENTRY_BYTES: usize =
        size_of::<Entry>() + Slab::<Entrant>::ENTRY_BYTES + Index::ENTRY_BYTES;

    pub(in crate::domain) fn with_cap(entries: u32, hash: TableHash) -> Self {
        Self {
            slab: Slab::default(),
            by_id: BTreeMap::new(),
            deleted: BTreeMap::new(),
            pinned: BTreeSet::new(),
            to_purge: BTreeSet::new(),
            naming: BTreeMap::new(),
            entrants: Slab::default(),
            index: Index::with_cap(entries),
            entries: 0,
            hash,
        }
    }

    pub(in crate::domain) fn grow(&mut self, entries: u32) {
        self.index.grow(entries);
    }

    /// Draws, deleted ones whose entries have not left included.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Entries of all of them.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.entries
    }

    /// The slot of the draw that has this id now.
    #[must_use]
    pub fn find(&self, id: &DrawId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// The slot of a deleted draw, by the event that made it.
    #[must_use]
    pub fn find_deleted(&self, created: Sequence) -> Option<u32> {
        self.deleted.get(&created).copied()
    }

    /// Keeps a draw; while unclosed it names the SKUs in these slots.
    pub(in crate::domain) fn insert(&mut self, draw: Draw, skus: &[u32]) -> u32 {
        let (id, created, deleted) = (draw.id.clone(), draw.created_sequence, draw.deleted);
        let slot = self.slab.insert(draw);
        if deleted {
            self.deleted.insert(created, slot);
        } else {
            let before = self.by_id.insert(id, slot);
            assert!(before.is_none(), "an id names one draw at a time");
        }
        for sku in skus {
            self.naming.entry(*sku).or_default().push(slot);
        }
        slot
    }

    /// A closed draw names its SKUs no longer.
    pub(in crate::domain) fn unname(&mut self, slot: u32, skus: &[u32]) {
        for sku in skus {
            let draws = self.naming.get_mut(sku).expect("a named SKU knows its draws");
            draws.retain(|draw| *draw != slot);
            if draws.is_empty() {
                self.naming.remove(sku);
            }
        }
    }

    /// An unclosed draw names the SKU in this slot.
    #[must_use]
    pub fn names(&self, sku: u32) -> bool {
        self.naming.contains_key(&sku)
    }

    /// An order of this user is a win of an unclosed draw that names the SKU in this slot.
    #[must_use]
    pub fn has_won(&self, sku: u32, user: &UserId, order: OrderId) -> bool {
        let won = |slot: u32| {
            let entries = &self.slab[slot].entries;
            let found = entries.of_sequence(order.sequence).and_then(|number| entries.get(number));
            self.entrant(slot, user).is_some()
                && found.is_some_and(|entry| entry.epoch == order.epoch)
        };
        self.naming.get(&sku).is_some_and(|draws| draws.iter().any(|slot| won(*slot)))
    }

    fn hash(&self, draw: u32, user: &UserId) -> u64 {
        self.hash.text(user.as_str()) ^ self.hash.number(u64::from(draw))
    }

    /// Who entered a draw, if they did.
    #[must_use]
    pub fn entrant(&self, draw: u32, user: &UserId) -> Option<&Entrant> {
        let found = self.index.find(self.hash(draw, user), |slot| {
            let entrant = &self.entrants[slot];
            entrant.draw == draw && entrant.user == *user
        });
        found.map(|slot| &self.entrants[slot])
    }

    /// The entrant of an entry.
    #[must_use]
    pub fn entrant_of(&self, entry: &Entry) -> &Entrant {
        &self.entrants[entry.entrant]
    }

    /// Keeps an entry, the last of its draw and of its user there; gives its number. Whose it is,
    /// it knows afterwards.
    pub(in crate::domain) fn enter(&mut self, draw: u32, user: &UserId, mut entry: Entry) -> u32 {
        let number = self.slab[draw].entries.len() + 1;
        let hash = self.hash(draw, user);
        let known = self.index.find(hash, |slot| {
            let entrant = &self.entrants[slot];
            entrant.draw == draw && entrant.user == *user
        });
        entry.entrant = match known {
            Some(slot) => {
                let entrant = &mut self.entrants[slot];
                let before = std::mem::replace(&mut entrant.last, number);
                entrant.entries += 1;
                let before = self.slab[draw].entries.get_mut(before);
                before.expect("an entrant's last entry is kept").next = number;
                slot
            }
            None => {
                let user = user.clone();
                let entrant = Entrant { draw, user, entries: 1, first: number, last: number };
                let slot = self.entrants.insert(entrant);
                self.index.make_room();
                self.index.insert(hash, slot);
                slot
            }
        };
        self.slab[draw].entries.push(entry);
        self.entries += 1;
        number
    }

    /// Frees the id of a closed draw. Its entries stay as long as keys name some of them;
    /// `first_key` is the number of the oldest key kept.
    pub(in crate::domain) fn delete(&mut self, slot: u32, first_key: u64) {
        let draw = &mut self.slab[slot];
        draw.deleted = true;
        let (created, key_end) = (draw.created_sequence, draw.key_end);
        self.by_id.remove(&draw.id);
        if draw.entries.is_empty() {
            self.slab.remove(slot);
            return;
        }
        self.deleted.insert(created, slot);
        self.pinned.insert((key_end, created));
        self.unpin(first_key);
    }

    /// Keys below `first_key` were forgotten.
    pub(in crate::domain) fn unpin(&mut self, first_key: u64) {
        while let Some((_, created)) = self.pinned.first().filter(|(end, _)| *end <= first_key) {
            self.to_purge.insert(*created);
            self.pinned.pop_first();
        }
    }

    /// Notes when a deleted draw that was put together again may go.
    pub(in crate::domain) fn settle(&mut self, first_key: u64) {
        let end = |(created, slot): (&Sequence, &u32)| (self.slab[*slot].key_end, *created);
        self.pinned = self.deleted.iter().map(end).collect();
        self.unpin(first_key);
    }

    /// A deleted draw whose entries may leave, with how many there are.
    #[must_use]
    pub fn to_purge(&self) -> Option<(Sequence, u32)> {
        let created = self.to_purge.first()?;
        Some((*created, self.slab[self.deleted[created]].entries.len()))
    }

    /// Takes the last entries of a deleted draw away, and the draw with its last one; gives the
    /// numbers of the principals that had brought them.
    pub(in crate::domain) fn purge(&mut self, slot: u32, count: u32) -> Vec<u16> {
        let mut principals = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let gone = self.slab[slot].entries.pop().expect("only entries that are kept leave");
            principals.push(gone.principal);
            let entrant = &mut self.entrants[gone.entrant];
            entrant.entries -= 1;
            if entrant.entries == 0 {
                let entrant = self.entrants.remove(gone.entrant);
                let hash = self.hash(slot, &entrant.user);
                self.index.remove(hash, gone.entrant);
            }
        }
        self.entries -= count;
        if self.slab[slot].entries.is_empty() {
            let gone = self.slab.remove(slot);
            self.deleted.remove(&gone.created_sequence);
            self.to_purge.remove(&gone.created_sequence);
        }
        principals
    }

    /// Draws by id.
    pub fn by_id(&self) -> impl Iterator<Item = &Draw> {
        self.by_id.values().map(|slot| &self.slab[*slot])
    }

    /// Deleted draws that still have entries, by the event that made them.
    pub fn deleted(&self) -> impl Iterator<Item = &Draw> {
        self.deleted.values().map(|slot| &self.slab[*slot])
    }

    /// Panics where a link or a count is broken; `skus` gives the slots that a draw names.
    pub(in crate::domain) fn check(&self, skus: impl Fn(&Draw) -> Vec<u32>) {
        let (mut entries, mut entrants) = (0, 0);
        let mut naming: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (slot, draw) in self.slab.iter() {
            let named = if draw.closed_at.is_none() { skus(draw) } else { Vec::new() };
            for sku in named {
                naming.entry(sku).or_default().insert(slot);
            }
            assert!(draw.closed_at.is_some() || !draw.deleted, "only closed draws are deleted");
            let mut counted: BTreeMap<&UserId, Vec<u32>> = BTreeMap::new();
            let mut last = 0;
            for (number, entry) in draw.entries.after(0) {
                assert!(entry.sequence > last, "entries stand in the order of their events");
                last = entry.sequence;
                counted.entry(&self.entrant_of(entry).user).or_default().push(number);
            }
            for (user, numbers) in &counted {
                let entrant = self.entrant(slot, user).expect("an entry has its entrant");
                assert_eq!((entrant.entries as usize, entrant.first), (numbers.len(), numbers[0]));
                let next = |number: &u32| draw.entries.get(*number).expect("kept").next;
                let linked: Vec<u32> = numbers.iter().map(next).collect();
                let all = numbers.len() - 1;
                assert_eq!(linked[..all], numbers[1..], "a user's entries are linked");
                let purging = draw.deleted;
                assert!(purging || (linked[all] == 0 && entrant.last == numbers[all]));
            }
            entries += draw.entries.len();
            entrants += counted.len();
        }
        assert_eq!((entries, entrants), (self.entries, self.entrants.len() as usize));
        let kept = self.naming.iter().map(|(sku, draws)| (*sku, draws.iter().copied().collect()));
        assert_eq!(naming, kept.collect(), "a SKU knows the unclosed draws that name it");
        assert_eq!(self.by_id.len() + self.deleted.len(), self.slab.len() as usize);
        assert_eq!(self.to_purge.len() + self.pinned.len(), self.deleted.len());
    }
}

by_slot!(Draws, Draw);
