//! Refusals that this IO thread gives by itself.
//!
//! What cannot be counted is not refused here. Never decides: see `edge`. Where refusals are kept
//! whole, each goes to the writer as well, if there is room for it. Next: `sold_out_responder`,
//! `answers`.

use super::submit::Submit;
use crate::domain::model::command::{Command, Request};
use crate::http::response::answers;
use crate::http::response::reply::Reply;
use crate::http::worker::Worker;
use crate::ring::TurnedAway;

/// The refusal of an order that can only be sold out; none where the writer must be asked.
pub(in crate::http) fn refuse<A: Submit>(worker: &Worker<A>, request: &Request) -> Option<Reply> {
    let front = &*worker.front;
    // Before the SKU is read: what is published of it by then holds at this sequence too.
    let answerable = front.cursors.answerable();
    let in_flight = |key| worker.lane.may_be_in_flight(key);
    let (copied, elapsed_ms) = (front.cursors.copied(), || front.clock.elapsed_ms());
    let found = worker.sold_out.check.refusal(request, copied, in_flight, elapsed_ms)?;
    if !front.cursors.is_good(|| front.clock.boottime_ms()) {
        // Another node may write by now. The writer's answer waits for the lease.
        return None;
    }
    let Command::CreateOrder(order) = &request.command else { return None };
    let line = order.lines.first()?;
    if !worker.sold_out.count(&*worker.lane, worker.now_ms(), &line.sku, found.created) {
        return None;
    }
    let (held, seen) = (found.held, found.sequence.max(answerable));
    if front.edge.keeps_refusals() {
        let elapsed_ms = front.clock.elapsed_ms();
        worker.lane.keep(TurnedAway { request: request.clone(), held, seen, elapsed_ms });
    }
    Some(answers::nothing_available(line, held, seen))
}
