//! When holds run out: a heap of the held orders by deadline, one entry each.
//!
//! An order knows its place in the heap, so a deadline moves or leaves without a search, and no
//! stale entry is ever kept. Equal deadlines go by order id, so the order of expiry is the same in
//! every replay. Next: `orders`.

use crate::domain::memory::chunked::ChunkedVec;
use crate::domain::memory::slab::{NONE, Slab};
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::model::order::Order;

/// The held orders by deadline.
#[derive(Debug, Clone)]
pub struct Deadlines {
    pub(in crate::domain) heap: ChunkedVec<Deadline>,
}

/// Packed, as there is one for every held order: 20 bytes instead of 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
pub(in crate::domain) struct Deadline {
    expires_at: Stamp,
    order: Sequence,
    slot: u32,
}

fn index(place: u32) -> usize {
    place as usize
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("there are no more deadlines than orders")
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { heap: ChunkedVec::new() }
    }
}

impl Deadlines {
    pub(in crate::domain) const ENTRY_BYTES: usize = size_of::<Deadline>();

    /// Held orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// No order is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The next deadline and the slot of its order.
    #[must_use]
    pub fn first(&self) -> Option<(Stamp, u32)> {
        self.heap.get(0).map(|first| (first.expires_at, first.slot))
    }

    /// Slots of all orders due at `now`, by deadline, then id. Looks only at due ones.
    #[must_use]
    pub fn due(&self, now: Stamp) -> Vec<u32> {
        let mut due = Vec::new();
        let mut places = vec![0];
        while let Some(at) = places.pop() {
            if self.heap.get(at).is_some_and(|deadline| deadline.expires_at <= now) {
                due.push(self.heap[at]);
                places.extend([2 * at + 1, 2 * at + 2]);
            }
        }
        due.sort_unstable();
        due.into_iter().map(|deadline| deadline.slot).collect()
    }

    pub(in crate::domain) fn insert(&mut self, orders: &mut Slab<Order>, slot: u32) {
        let order = &orders[slot];
        self.heap.push(Deadline { expires_at: order.expires_at, order: order.id.sequence, slot });
        self.rise(orders, self.heap.len() - 1);
    }

    pub(in crate::domain) fn remove(&mut self, orders: &mut Slab<Order>, slot: u32) {
        let at = index(orders[slot].heap_or_later);
        assert!(self.heap[at].slot == slot, "a held order knows its place in the heap");
        let last = self.heap.pop().expect("it holds what was just looked at");
        if at < self.heap.len() {
            self.heap[at] = last;
            self.settle(orders, at);
        }
        orders[slot].heap_or_later = NONE;
    }

    /// Follows a changed deadline.
    pub(in crate::domain) fn update(&mut self, orders: &mut Slab<Order>, slot: u32) {
        let at = index(orders[slot].heap_or_later);
        assert!(self.heap[at].slot == slot, "a held order knows its place in the heap");
        self.heap[at].expires_at = orders[slot].expires_at;
        self.settle(orders, at);
    }

    fn settle(&mut self, orders: &mut Slab<Order>, at: usize) {
        let at = self.rise(orders, at);
        self.sink(orders, at);
    }

    fn rise(&mut self, orders: &mut Slab<Order>, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent] <= self.heap[at] {
                break;
            }
            self.heap.swap(parent, at);
            orders[self.heap[at].slot].heap_or_later = place(at);
            at = parent;
        }
        orders[self.heap[at].slot].heap_or_later = place(at);
        at
    }

    fn sink(&mut self, orders: &mut Slab<Order>, mut at: usize) {
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let mut least = at;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
            if least == at {
                break;
            }
            self.heap.swap(least, at);
            orders[self.heap[at].slot].heap_or_later = place(at);
            at = least;
        }
        if let Some(deadline) = self.heap.get(at) {
            orders[deadline.slot].heap_or_later = place(at);
        }
    }

    /// Panics where the heap or a back pointer is broken.
    pub(in crate::domain) fn check(&self, orders: &Slab<Order>) {
        for (at, deadline) in self.heap.iter().enumerate() {
            assert!(at == 0 || self.heap[(at - 1) / 2] <= *deadline, "a parent is due before");
            let order = &orders[deadline.slot];
            assert_eq!(order.heap_or_later, place(at), "a held order knows its place");
            assert_eq!(order.expires_at, { deadline.expires_at });
            assert_eq!(order.id.sequence, { deadline.order });
        }
    }
}
