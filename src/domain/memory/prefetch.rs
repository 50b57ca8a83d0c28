//! Prefetch: touches the table slots that up to 64 commands, events or snapshot rows will need.
//!
//! An order looks for its key and its user in tables far larger than any cache, and writes new
//! rows. Touched one after the other, each slot waits for memory; touched together before the first
//! request is decided, the cache misses overlap. Changes no state and no outcome. Next: `index`,
//! `chunked`.

use super::index::NEIGHBOURS;
pub use super::index::TOGETHER_MAX;
use crate::domain::model::command::{Command, Request};
use crate::domain::model::event::{Event, Record};
use crate::domain::model::ids::OrderId;
use crate::domain::state::tables::State;
use smallvec::SmallVec;
use std::hint::black_box;

/// What one command or event will be looked up by.
#[derive(Debug, Clone, Copy)]
pub struct PrefetchKeys<'a> {
    /// The hash of a key.
    pub key: Option<u128>,
    pub user: Option<&'a str>,
    /// An order that is there.
    pub order: Option<OrderId>,
}

impl<'a> From<&'a Request> for PrefetchKeys<'a> {
    fn from(request: &'a Request) -> Self {
        let (user, order) = match &request.command {
            Command::CreateOrder(create) => (Some(create.user.as_str()), None),
            Command::ActOnOrder(order, _) => (None, Some(*order)),
            _ => (None, None),
        };
        Self { key: request.key.map(|claim| claim.hash), user, order }
    }
}

impl<'a> From<&'a Record> for PrefetchKeys<'a> {
    fn from(record: &'a Record) -> Self {
        let user = match &record.event {
            Event::OrderCreated(created) => Some(created.user.as_str()),
            _ => None,
        };
        let key = record.origin.as_ref().and_then(|origin| origin.key);
        Self { key: key.map(|claim| claim.hash), user, order: record.event.order() }
    }
}

/// The hashes of what is wanted.
#[derive(Clone, Copy, Default)]
struct Hashes {
    key: Option<u64>,
    user: Option<u64>,
    order: Option<u64>,
}

/// Reads the places of the first [`TOGETHER_MAX`] in the tables, and where orders made by them
/// would stand; and fetches the rows that these would fill in.
pub fn warm<'a>(state: &mut State, wanted: impl Iterator<Item = PrefetchKeys<'a>>) {
    let hashes = hashes(state, wanted);
    // Who names a user makes an order, but for those that are refused or come again.
    let new = hashes.iter().filter(|hashes| hashes.user.is_some()).count();
    if new > 1 {
        fetch_rows(state, new);
    }
    read(state, &hashes, hashes.len() as u64);
}

/// Where the rows of so many new orders will stand, whose users, uses and keys are new too.
fn fetch_rows(state: &mut State, new: usize) {
    let State { requests, users, uses, orders, .. } = state;
    orders.slab.fetch_next(new);
    orders.deadlines.heap.fetch_next(new);
    users.slab.fetch_next(new);
    uses.slab.fetch_next(new);
    requests.rows.fetch_next(new);
}

/// As [`prefetch`], for rows of a snapshot, which make no orders that are not named.
pub(in crate::domain) fn warm_rows<'a>(
    state: &State,
    wanted: impl Iterator<Item = PrefetchKeys<'a>>,
) {
    read(state, &hashes(state, wanted), 0);
}

fn hashes<'a>(
    state: &State,
    wanted: impl Iterator<Item = PrefetchKeys<'a>>,
) -> SmallVec<[Hashes; TOGETHER_MAX]> {
    let State { requests, users, orders, .. } = state;
    let hashes = wanted.take(TOGETHER_MAX).map(|wanted| Hashes {
        key: wanted.key.map(|hash| requests.hash(hash)),
        user: wanted.user.map(|user| users.hash(user)),
        order: wanted.order.map(|order| orders.hash(order.sequence)),
    });
    hashes.collect()
}

/// First where the searches begin, and where so many new orders would stand; then the users and
/// orders that stand there.
fn read(state: &State, hashes: &[Hashes], new: u64) {
    let State { requests, users, orders, .. } = state;
    // One alone has no other miss to overlap with.
    if hashes.len() < 2 {
        return;
    }
    // The last of them too: eight that follow each other may stand in two lines.
    let ahead = (1..=new).step_by(NEIGHBOURS).chain((new > 0).then_some(new));
    let next = ahead.map(|ahead| orders.hash(state.sequence + ahead));
    // All places first: a core waits for as much together as it finds among its next few hundred
    // instructions.
    let keys = requests.places(hashes.iter().filter_map(|hashes| hashes.key));
    let names = users.places(hashes.iter().filter_map(|hashes| hashes.user));
    let ids = orders.places(hashes.iter().filter_map(|hashes| hashes.order).chain(next));
    let mut read =
        requests.prefetch_probe(&keys) ^ users.prefetch_probe(&names) ^ orders.prefetch_probe(&ids);
    black_box(read);
    for Hashes { user, order, .. } in hashes {
        read ^= user.map_or(0, |hash| users.glance_entry(hash));
        read ^= order.map_or(0, |hash| orders.glance_entry(hash));
    }
    black_box(read);
}
