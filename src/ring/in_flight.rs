//! The keys of requests that are on their way to the writer, for IO threads that think of answering
//! without it.
//!
//! Owns a small table of counts to each lane, which only that lane changes and every lane looks at.
//! A key that is under way is always found; another may be taken for it. A count goes down when the
//! answer has come, so a caller that finds nothing here sees what the writer published with it.
//! Next: `lane`.

use super::tickets::Ticket;
use crate::domain::model::command::Request;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Counts of one lane; at least twice its tickets, so that with half of those out three keys in
/// four are told apart from all that are under way.
const PLACES: usize = (2 * super::TICKETS_PER_LANE).next_power_of_two();

const _: () = assert!(PLACES <= u16::MAX as usize && PLACES.is_power_of_two());

/// The counts of all lanes.
pub(super) type Counts = Arc<[Box<[AtomicU16]>]>;

/// As many counts as there are lanes.
pub(super) fn counts(lanes: u16) -> Counts {
    let none = |_| (0..PLACES).map(|_| AtomicU16::new(0)).collect();
    (0..lanes).map(none).collect()
}

const fn place(key: u128) -> usize {
    key as usize % PLACES
}

/// One lane's part.
#[derive(Debug)]
pub(super) struct InFlightKeys {
    counts: Counts,
    lane: usize,
    /// By the place of a ticket: that of its key, from 1; 0 = none.
    by_ticket: RefCell<Box<[u16]>>,
}

impl InFlightKeys {
    pub(super) fn new(counts: Counts, lane: u16, tickets: usize) -> Self {
        let by_ticket = RefCell::new(vec![0; tickets].into());
        Self { counts, lane: usize::from(lane), by_ticket }
    }

    /// A request is about to go into the ring with this ticket.
    pub(super) fn enter(&self, ticket: Ticket, request: Option<&Request>) {
        let Some(claim) = request.and_then(|request| request.key) else { return };
        let at = place(claim.hash);
        self.by_ticket.borrow_mut()[ticket.place as usize] = at as u16 + 1;
        self.add(at, 1);
    }

    /// The request with this ticket was answered, or has not gone in.
    pub(super) fn leave(&self, ticket: Ticket) {
        let at = std::mem::take(&mut self.by_ticket.borrow_mut()[ticket.place as usize]);
        if let Some(at) = at.checked_sub(1) {
            self.add(usize::from(at), u16::MAX);
        }
    }

    /// Without a locked instruction: only this lane changes its counts.
    fn add(&self, at: usize, more: u16) {
        let count = &self.counts[self.lane][at];
        count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Release);
    }

    /// A request with this key, by its hash, may be under way on some lane.
    pub(super) fn may_be(&self, key: u128) -> bool {
        let at = place(key);
        self.counts.iter().any(|counts| counts[at].load(Ordering::Acquire) > 0)
    }
}
