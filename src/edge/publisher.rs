//! The writer's side of the edge: what it says when.
//!
//! Owns the order in which a turn is published, and when a filter is made anew. Keys and users go
//! into the filters at the end of their turn, before anything that rests on them is published. A
//! filter that has taken in as many as it has room for is replaced by one that is filled a bounded
//! number a turn from those that are still there, while both take in what comes; so what was
//! forgotten leaves in the end, memory follows what is there, and no look ever misses one. Knows no
//! state of the domain: the writer shows it. Next: `writer::edge_updates`.

use super::filter::Filter;
use super::published::{Edge, Hashes};
use super::sold_out_table::{SoldOut, SoldOutTable};
use crate::domain::model::ids::{SkuId, UserId};
use crate::shared::reloadable::Reloadable;
use std::sync::Arc;

/// A filter has room for so many more than half as many again as there were when it was made.
const ROOM_BEYOND: u64 = 65_536;

/// The one that writes to the edge.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Reloadable<SoldOutTable>>,
    table: Arc<SoldOutTable>,
    hashes: Hashes,
    changes: Vec<(SkuId, Option<SoldOut>)>,
    /// The remembered keys.
    keys: Renewed,
    /// Everybody who owns anything.
    users: Renewed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    /// Of remembered keys.
    Keys,
    /// Of users who own anything.
    Users,
}

/// A filter, and the one that will take its place.
#[derive(Debug)]
struct Renewed {
    shared: Arc<Reloadable<Filter>>,
    filter: Arc<Filter>,
    /// Members of this turn, which go in together: their misses overlap.
    new: Vec<u64>,
    /// Members that it may still take in before it is replaced.
    left: u64,
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    filter: Filter,
    left: u64,
}

impl Renewed {
    /// Worn from the start: the filter that is there has room for none.
    fn new(shared: &Arc<Reloadable<Filter>>) -> Self {
        let (filter, shared) = (shared.current(), shared.clone());
        Self { filter, shared, new: Vec::new(), left: 0, next: None }
    }

    fn insert_new(&mut self) {
        let count = self.new.len() as u64;
        self.left = self.left.saturating_sub(count);
        if let Some(next) = &mut self.next {
            self.new.iter().for_each(|hash| next.filter.insert(*hash));
            next.left = next.left.saturating_sub(count);
        }
        self.new.drain(..).for_each(|hash| self.filter.insert(hash));
    }

    fn begin(&mut self, members: u64) {
        let more = members / 2 + ROOM_BEYOND;
        let filter = Filter::with_room(members + more);
        self.next = Some(Next { filter, left: more });
    }

    fn finish(&mut self) {
        let next = self.next.take().expect("only what was begun is finished");
        self.shared.replace(next.filter);
        self.filter = self.shared.current();
        self.left = next.left;
    }
}

impl Publisher {
    /// The writer of this edge, before it has shown anything.
    #[must_use]
    pub fn of(edge: &Edge) -> Self {
        Self {
            shared: edge.skus.clone(),
            table: edge.skus.current(),
            hashes: edge.hashes.clone(),
            changes: Vec::new(),
            keys: Renewed::new(&edge.keys),
            users: Renewed::new(&edge.users),
        }
    }

    /// A key is remembered from this turn on; by its hash.
    pub fn remember(&mut self, key: u128) {
        self.keys.new.push(Hashes::key(key));
    }

    /// A user owns something from this turn on.
    pub fn note_user(&mut self, user: &UserId) {
        self.users.new.push(self.hashes.user(user));
    }

    fn members(&mut self, members: Members) -> &mut Renewed {
        match members {
            Members::Keys => &mut self.keys,
            Members::Users => &mut self.users,
        }
    }

    /// The filter is to be made anew, and that has not begun.
    #[must_use]
    pub fn is_worn(&self, members: Members) -> bool {
        let renewed = match members {
            Members::Keys => &self.keys,
            Members::Users => &self.users,
        };
        renewed.left == 0 && renewed.next.is_none()
    }

    /// Begins to make a filter anew, with room for so many that are there now and for more to come.
    /// Each of them must be shown before it is finished.
    pub fn begin(&mut self, members: Members, count: u64) {
        self.members(members).begin(count);
    }

    /// Shows a key that is remembered to the filter that is being made.
    pub fn show_key(&mut self, key: u128) {
        if let Some(next) = &self.keys.next {
            next.filter.insert(Hashes::key(key));
        }
    }

    /// Shows a user who owns something to the filter that is being made.
    pub fn show_user(&mut self, user: &UserId) {
        if let Some(next) = &self.users.next {
            next.filter.insert(self.hashes.user(user));
        }
    }

    /// All were shown: the new filter takes the old one's place.
    pub fn finish(&mut self, members: Members) {
        self.members(members).finish();
    }

    /// How a SKU stands at the end of this turn: sold out, or not to be refused here.
    pub fn change(&mut self, sku: SkuId, stands: Option<SoldOut>) {
        self.changes.push((sku, stands));
    }

    /// Publishes the turn. Its records are durable, and no answer of it has left.
    pub fn publish(&mut self) {
        // First, as what is opened below may rest on them.
        self.keys.insert_new();
        self.users.insert_new();
        let mut changes = std::mem::take(&mut self.changes);
        // All are closed before the first is opened: see `sold_out_table`.
        changes.retain(|(sku, stands)| self.close(sku, stands.as_ref()));
        for (sku, stands) in changes.drain(..) {
            self.open(&sku, stands.as_ref());
        }
        self.changes = changes;
    }

    /// Closes the place of a SKU; false where nothing more is to be done about it.
    fn close(&self, sku: &SkuId, stands: Option<&SoldOut>) -> bool {
        match (self.table.place(self.hashes.sku(sku), sku), stands) {
            (None, None) => false,
            (None, Some(_)) => true,
            (Some(at), None) => {
                self.table.vacate(at);
                false
            }
            (Some(at), Some(_)) => {
                self.table.close(at);
                true
            }
        }
    }

    fn open(&mut self, sku: &SkuId, stands: Option<&SoldOut>) {
        let Some(facts) = stands else { return };
        let hash = self.hashes.sku(sku);
        if let Some(at) = self.table.place(hash, sku) {
            self.table.rewrite(at, facts);
            return;
        }
        if !self.table.put(hash, sku, facts)
            && let Some(grown) = self.table.grown()
        {
            // What finds no place there either takes the ring.
            grown.put(hash, sku, facts);
            self.shared.replace(grown);
            self.table = self.shared.current();
        }
    }
}

#[cfg(test)]
#[path = "publisher_tests.rs"]
mod tests;
