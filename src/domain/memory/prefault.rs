//! Memory for the rows that come next, prefaulted by another thread than the state's owner.
//!
//! The system clears a page when it is touched first, which takes as long as filling a dozen rows.
//! So a thread with time to spare touches whole pieces for the tables that grow with every order,
//! and hands them over. It changes no outcome: a table that is given nothing
//! takes memory of its own. Bounded: one spare piece a table. Next: `chunked`,
//! `crate::background::prefault_thread`.

use super::chunked::Chunk;
pub use super::chunked::Prefault;
use super::slab::Entry;
use crate::domain::model::order::Order;
use crate::domain::state::deadlines::Deadline;
use crate::domain::state::idempotency::Row;
use crate::domain::state::tables::State;
use crate::domain::state::usage::{Use, User};

/// Which tables have no spare piece and will need one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefaultRequest {
    orders: bool,
    deadlines: bool,
    users: bool,
    uses: bool,
    keys: bool,
}

impl PrefaultRequest {
    /// What a state wants, if it wants anything.
    #[must_use]
    pub fn by(state: &State) -> Option<Self> {
        let wanted = Self {
            orders: state.orders.slab.rows.wants_piece(),
            deadlines: state.orders.deadlines.heap.wants_piece(),
            users: state.users.slab.rows.wants_piece(),
            uses: state.uses.slab.rows.wants_piece(),
            keys: state.requests.rows.wants_piece(),
        };
        let Self { orders, deadlines, users, uses, keys } = wanted;
        (orders | deadlines | users | uses | keys).then_some(wanted)
    }
}

/// Empty pieces with their pages touched.
#[derive(Debug)]
pub struct PrefaultedChunks {
    orders: Option<Chunk<Entry<Order>>>,
    deadlines: Option<Chunk<Deadline>>,
    users: Option<Chunk<Entry<User>>>,
    uses: Option<Chunk<Entry<Use>>>,
    keys: Option<Chunk<Row>>,
}

impl PrefaultedChunks {
    /// Takes what is wanted and has it touched, up to about two megabytes. Takes a millisecond.
    #[must_use]
    pub fn prepare(wanted: PrefaultRequest, by: &impl Prefault) -> Self {
        let PrefaultRequest { orders, deadlines, users, uses, keys } = wanted;
        Self {
            orders: orders.then(|| Chunk::touched(by)),
            deadlines: deadlines.then(|| Chunk::touched(by)),
            users: users.then(|| Chunk::touched(by)),
            uses: uses.then(|| Chunk::touched(by)),
            keys: keys.then(|| Chunk::touched(by)),
        }
    }

    /// Hands it over.
    pub fn give(self, state: &mut State) {
        let Self { orders, deadlines, users, uses, keys } = self;
        orders.into_iter().for_each(|piece| state.orders.slab.rows.give_piece(piece));
        deadlines.into_iter().for_each(|piece| state.orders.deadlines.heap.give_piece(piece));
        users.into_iter().for_each(|piece| state.users.slab.rows.give_piece(piece));
        uses.into_iter().for_each(|piece| state.uses.slab.rows.give_piece(piece));
        keys.into_iter().for_each(|piece| state.requests.rows.give_piece(piece));
    }
}
