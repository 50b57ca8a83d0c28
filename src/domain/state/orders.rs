//! All kept orders: by id, by user, by deadline while held, by last touch afterwards.
//!
//! Owns the links between orders and their users. Never moves stock: that is `apply`. Next:
//! `deadlines`, `order`.

use super::deadlines::Deadlines;
use super::usage::Users;
use crate::domain::memory::hash::TableHash;
use crate::domain::memory::index::{Index, Places, near};
use crate::domain::memory::slab::{NONE, Slab, by_slot};
use crate::domain::model::ids::{OrderId, Sequence, Stamp};
use crate::domain::model::order::{Order, Status};
use std::collections::BTreeMap;

/// The orders of the state.
#[derive(Debug, Clone)]
pub struct Orders {
    pub(in crate::domain) slab: Slab<Order>,
    index: Index,
    hash: TableHash,
    /// Which of 64 sequences that follow each other are orders: bit by bit, by their upper bits.
    by_id: BTreeMap<Sequence, u64>,
    /// The last of these groups, which new orders come into, and its bits; not in `by_id`.
    last_group: (Sequence, u64),
    pub(in crate::domain) deadlines: Deadlines,
    /// Orders that are not held, by last touch: the oldest and the newest.
    oldest_touched: u32,
    newest_touched: u32,
}

const GROUP_BITS: u32 = 6;

/// The group of a sequence, and its bit there.
const fn group(sequence: Sequence) -> (Sequence, u64) {
    (sequence >> GROUP_BITS, 1 << (sequence & ((1 << GROUP_BITS) - 1)))
}

impl Orders {
    pub(in crate::domain) const ENTRY_BYTES: usize =
        Slab::<Order>::ENTRY_BYTES + Index::ENTRY_BYTES + Deadlines::ENTRY_BYTES;

    pub(in crate::domain) fn with_cap(cap: u32, hash: TableHash) -> Self {
        Self {
            slab: Slab::default(),
            index: Index::with_cap(cap),
            hash,
            by_id: BTreeMap::new(),
            last_group: (0, 0),
            deadlines: Deadlines::default(),
            oldest_touched: NONE,
            newest_touched: NONE,
        }
    }

    pub(in crate::domain) fn grow(&mut self, cap: u32) {
        self.index.grow(cap);
    }

    /// Kept orders.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// The held ones by deadline.
    #[must_use]
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// The slot of an order.
    #[must_use]
    pub fn find(&self, id: OrderId) -> Option<u32> {
        self.index.find(self.hash(id.sequence), |slot| self.slab[slot].id == id)
    }

    /// Orders that came one after the other stand together.
    pub(in crate::domain) const fn hash(&self, sequence: Sequence) -> u64 {
        near(self.hash.number(sequence >> 3), sequence)
    }

    /// Where the searches for some orders begin; see `prefetch`.
    pub(in crate::domain) fn places(&self, hashes: impl Iterator<Item = u64>) -> Places {
        self.index.places(hashes)
    }

    /// Reads there; see `prefetch`.
    pub(in crate::domain) fn prefetch_probe(&self, places: &Places) -> u64 {
        self.index.prefetch_probe(places)
    }

    /// Reads the order that a hash finds first; see `prefetch`.
    pub(in crate::domain) fn glance_entry(&self, hash: u64) -> u64 {
        self.index.find(hash, |_| true).map_or(0, |slot| {
            let order = &self.slab[slot];
            order.touched_at ^ u64::from(order.heap_or_later)
        })
    }

    /// Makes room for one more; see `Index::make_room`.
    pub(in crate::domain) fn make_room(&mut self) {
        self.index.make_room();
    }

    /// Keeps an order, newest of its user, held or not as it says.
    pub(in crate::domain) fn insert(&mut self, users: &mut Users, order: Order) -> u32 {
        let slot = self.restore(users, order);
        if self.slab[slot].status != Status::Held {
            self.rest(slot);
        }
        slot
    }

    /// Keeps an order; one that is not held must be put to rest afterwards.
    pub(in crate::domain) fn restore(&mut self, users: &mut Users, mut order: Order) -> u32 {
        let (sequence, held) = (order.id.sequence, order.status == Status::Held);
        let user = &mut users[order.user];
        let older = user.newest;
        (order.older, order.newer) = (older, NONE);
        let slot = self.slab.insert(order);
        user.newest = slot;
        user.holds += u32::from(held);
        if older != NONE {
            self.slab[older].newer = slot;
        }
        self.index.insert(self.hash(sequence), slot);
        self.note_id(sequence);
        if held {
            self.deadlines.insert(&mut self.slab, slot);
        }
        slot
    }

    /// A new order belongs to the last group, or after it.
    fn note_id(&mut self, sequence: Sequence) {
        let (group, bit) = group(sequence);
        let (last, bits) = self.last_group;
        assert!(group >= last, "orders come in the order of their ids");
        if group == last {
            self.last_group.1 |= bit;
            return;
        }
        if bits != 0 {
            self.by_id.insert(last, bits);
        }
        self.last_group = (group, bit);
    }

    fn forget_id(&mut self, sequence: Sequence) {
        let (group, bit) = group(sequence);
        if group == self.last_group.0 {
            self.last_group.1 &= !bit;
            return;
        }
        let bits = self.by_id.get_mut(&group).expect("an order that is kept has its bit");
        *bits &= !bit;
        if *bits == 0 {
            self.by_id.remove(&group);
        }
    }

    /// All groups from one on with their bits, by their upper bits.
    fn groups_from(&self, first: Sequence) -> impl Iterator<Item = (Sequence, u64)> {
        let last = (self.last_group.0 >= first).then_some(self.last_group);
        self.by_id.range(first..).map(|(&group, &bits)| (group, bits)).chain(last)
    }

    /// A held order is held no more.
    pub(in crate::domain) fn leave_hold(&mut self, users: &mut Users, slot: u32, status: Status) {
        assert!(self.slab[slot].status == Status::Held && status != Status::Held);
        self.deadlines.remove(&mut self.slab, slot);
        users[self.slab[slot].user].holds -= 1;
        self.slab[slot].status = status;
        self.rest(slot);
    }

    /// Moves the deadline of a held order.
    pub(in crate::domain) fn move_deadline(&mut self, slot: u32, expires_at: Stamp) {
        assert!(self.slab[slot].status == Status::Held);
        self.slab[slot].expires_at = expires_at;
        self.deadlines.update(&mut self.slab, slot);
    }

    /// Notes a change or a keyed answer: retention begins anew.
    pub(in crate::domain) fn touch(&mut self, slot: u32, at: Stamp, sequence: Sequence) {
        self.slab[slot].touched_at = at;
        self.slab[slot].touched_sequence = sequence;
        if self.slab[slot].status != Status::Held && self.newest_touched != slot {
            self.unlink_touched(slot);
            self.rest(slot);
        }
    }

    /// An order that is not held stands last among those by touch.
    pub(in crate::domain) fn rest(&mut self, slot: u32) {
        let earlier = std::mem::replace(&mut self.newest_touched, slot);
        self.slab[slot].earlier = earlier;
        self.slab[slot].heap_or_later = NONE;
        match earlier {
            NONE => self.oldest_touched = slot,
            earlier => self.slab[earlier].heap_or_later = slot,
        }
    }

    fn unlink_touched(&mut self, slot: u32) {
        let (earlier, later) = (self.slab[slot].earlier, self.slab[slot].heap_or_later);
        match earlier {
            NONE => self.oldest_touched = later,
            earlier => self.slab[earlier].heap_or_later = later,
        }
        match later {
            NONE => self.newest_touched = earlier,
            later => self.slab[later].earlier = earlier,
        }
    }

    /// Lets an order go that is not held.
    pub(in crate::domain) fn remove(&mut self, users: &mut Users, slot: u32) -> Order {
        assert!(self.slab[slot].status != Status::Held, "a held order is never let go");
        self.unlink_touched(slot);
        let order = self.slab.remove(slot);
        self.index.remove(self.hash(order.id.sequence), slot);
        self.forget_id(order.id.sequence);
        match order.newer {
            NONE => users[order.user].newest = order.older,
            newer => self.slab[newer].older = order.older,
        }
        if order.older != NONE {
            self.slab[order.older].newer = order.newer;
        }
        order
    }

    /// Orders that are not held, the one that was not touched for longest first.
    pub fn by_touch(&self) -> impl Iterator<Item = &Order> {
        let entry = |slot: u32| (slot != NONE).then(|| &self.slab[slot]);
        std::iter::successors(entry(self.oldest_touched), move |order| entry(order.heap_or_later))
    }

    /// Orders by id, those after `after`.
    pub fn after(&self, after: Option<OrderId>) -> impl Iterator<Item = &Order> {
        let from = after.map_or(0, |id| id.sequence.saturating_add(1));
        self.groups_from(from >> GROUP_BITS).flat_map(move |(group, bits)| {
            let first = group << GROUP_BITS;
            let before = from.saturating_sub(first).min(u64::from(u64::BITS));
            let mut bits = bits & u64::MAX.checked_shl(before as u32).unwrap_or(0);
            std::iter::from_fn(move || {
                let next = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                (next < u64::BITS).then(|| self.at(first + u64::from(next)))
            })
        })
    }

    fn at(&self, sequence: Sequence) -> &Order {
        let found =
            self.index.find(self.hash(sequence), |slot| self.slab[slot].id.sequence == sequence);
        &self.slab[found.expect("what has its bit is an order that is kept")]
    }

    /// An order and its user's older ones, newest first.
    pub fn of_user_from(&self, slot: u32) -> impl Iterator<Item = &Order> {
        let entry = |slot: u32| (slot != NONE).then(|| &self.slab[slot]);
        std::iter::successors(entry(slot), move |order| entry(order.older))
    }

    /// Panics where a link is broken.
    pub(in crate::domain) fn check(&self) {
        self.deadlines.check(&self.slab);
        let held = self.slab.iter().filter(|(_, order)| order.status == Status::Held).count();
        assert_eq!(held, self.deadlines.len(), "every held order has one deadline");
        let resting: Vec<_> = self.by_touch().map(|order| order.touched_sequence).collect();
        assert!(resting.is_sorted(), "touches are linked in their order");
        assert_eq!(resting.len() + held, self.slab.len() as usize, "every order is in one list");
        let ids: u32 = self.groups_from(0).map(|(_, bits)| bits.count_ones()).sum();
        let behind =
            self.by_id.last_key_value().is_none_or(|(group, _)| *group < self.last_group.0);
        assert!(behind, "the last group is behind all others");
        assert_eq!(ids, self.slab.len(), "every order has its bit");
        for (slot, order) in self.slab.iter() {
            assert_eq!(self.find(order.id), Some(slot));
        }
    }
}

by_slot!(Orders, Order);
