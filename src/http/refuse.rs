//! Refusals that this IO thread gives by itself, and how they come to be counted.
//!
//! Owns what was refused here and is not handed in yet: a bounded list, handed to the writer once a
//! second and when this thread ends. What cannot be counted is not refused here. Never decides: see
//! `edge`. Where refusals are kept whole, each goes to the writer as well, if there is room for it.
//! Next: `answers`.

use super::answers;
use super::ask::Ask;
use super::listener::Worker;
use super::reply::Reply;
use crate::domain::command::{Command, Request};
use crate::domain::ids::{Sequence, SkuId};
use crate::edge::{Door, Edge};
use crate::ring::{HANDED_IN_MAX, HandedIn, TurnedAway};
use std::cell::{Cell, RefCell};

/// Refusals wait this long before they are handed in.
const HAND_IN_MS: u64 = 1_000;

/// One IO thread's refusals.
#[derive(Debug)]
pub(super) struct Refuser {
    door: Door,
    counted: RefCell<Vec<HandedIn>>,
    /// When the first of them was counted, on the clock of `Worker`.
    since_ms: Cell<u64>,
}

impl Refuser {
    pub(super) fn at(edge: &Edge) -> Self {
        let counted = RefCell::new(Vec::with_capacity(HANDED_IN_MAX));
        Self { door: Door::of(edge), counted, since_ms: Cell::new(0) }
    }

    /// Hands in what has waited long enough; with `all`, everything.
    pub(super) fn hand_in(&self, lane: &impl Ask, now_ms: u64, all: bool) {
        let mut counted = self.counted.borrow_mut();
        let due = all || now_ms.saturating_sub(self.since_ms.get()) >= HAND_IN_MS;
        if due && !counted.is_empty() {
            // Where the writer is behind, they wait on.
            lane.hand_in(&mut counted, false);
        }
    }

    /// This thread refuses no more: hands in everything.
    pub(super) fn end(&self, lane: &impl Ask) {
        let taken = lane.hand_in(&mut self.counted.borrow_mut(), true);
        assert!(taken, "there is always room for the last");
    }

    /// Counts a refusal; false where that is not possible.
    fn count(&self, lane: &impl Ask, now_ms: u64, sku: &SkuId, created: Sequence) -> bool {
        let mut counted = self.counted.borrow_mut();
        let same = |counted: &&mut HandedIn| counted.sku == *sku && counted.created == created;
        if let Some(counted) = counted.iter_mut().find(same) {
            counted.count += 1;
            return true;
        }
        if counted.len() == HANDED_IN_MAX && !lane.hand_in(&mut counted, false) {
            return false;
        }
        if counted.is_empty() {
            self.since_ms.set(now_ms);
        }
        counted.push(HandedIn { sku: sku.clone(), created, count: 1 });
        true
    }
}

/// The refusal of an order that can only be sold out; none where the writer must be asked.
pub(super) fn refuse<A: Ask>(worker: &Worker<A>, request: &Request) -> Option<Reply> {
    let front = &*worker.front;
    // Before the SKU is read: what is published of it by then holds at this sequence too.
    let answerable = front.cursors.answerable();
    let under_way = |key| worker.lane.may_be_under_way(key);
    let found = worker.refuser.door.refusal(request, under_way, || front.clock.elapsed_ms())?;
    let Command::CreateOrder(order) = &request.command else { return None };
    let line = order.lines.first()?;
    if !worker.refuser.count(&*worker.lane, worker.now_ms(), &line.sku, found.created) {
        return None;
    }
    let (held, seen) = (found.held, found.sequence.max(answerable));
    if front.edge.keeps_refusals() {
        let elapsed_ms = front.clock.elapsed_ms();
        worker.lane.keep(TurnedAway { request: request.clone(), held, seen, elapsed_ms });
    }
    Some(answers::nothing_available(line, held, seen))
}
