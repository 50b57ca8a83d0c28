//! What a command does: reads the state, changes nothing.
//!
//! The order of the checks is API 1's: idempotency, existence, If-Match, status, window, pause,
//! draws, limits, stock, room; each over all lines, the first failing line in request order. Orders
//! are here, SKUs in `decide_sku`, draws in `decide_draw`, reads in `read`. Next: `apply`.

use super::checks::{
    Decided, Early, check_pause, check_stock, check_windows, hold_ms, make_room_for_key,
    make_room_for_order,
};
use super::decide_draw;
use super::decide_sku;
use super::limits::{self, FoundLine, KeyFor};
use super::read;
use super::views::order_view;
use super::visibility::find_order;
use crate::domain::model::answer::{Answer, Answered, Refusal};
use crate::domain::model::command::{Action, Command, CreateOrder, Refund, Request, Take};
use crate::domain::model::event::{
    AnswerRepeated, Event, OrderCreated, OrderExtended, OrderRefunded,
};
use crate::domain::model::ids::{LineRequests, OrderId, Stamp};
use crate::domain::model::order::{Order, Status, Transition, transition};
use crate::domain::state::tables::State;
use smallvec::SmallVec;

/// An extension of a hold of 200 ms or more moves the deadline by this at least.
pub const EXTENSION_MS_MIN: u64 = 100;

/// What is to be done about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This happened: apply it, then ask `read::answer_to`.
    Change(Event),
    /// This is due first, whatever becomes of the command: apply it, then decide again.
    First(Event),
    /// Nothing changes.
    Answer(Answered),
}

/// Decides a request at the writer's stamp.
#[must_use]
pub fn decide(state: &State, request: &Request, now: Stamp) -> Decision {
    if let Command::Read(query) = &request.command {
        let answer = read::read(state, &request.principal, query, now);
        return Decision::Answer(Answered { sequence: state.sequence, replayed: false, answer });
    }
    if let Some(answered) = remembered(state, request) {
        return Decision::Answer(answered);
    }
    let decided = match &request.command {
        Command::CreateOrder(create) => create_order(state, request, create, now),
        Command::ActOnOrder(order, action) => act_on_order(state, request, *order, action, now),
        Command::PutSku(put) => decide_sku::put(state, put, now),
        Command::PatchSku(patch) => decide_sku::patch(state, patch, now),
        Command::AdjustSku(adjust) => decide_sku::adjust(state, request, adjust, now),
        Command::DeleteSku(delete) => decide_sku::delete(state, delete),
        Command::PutDraw(put) => decide_draw::put(state, put, now),
        Command::EnterDraw(enter) => decide_draw::enter(state, request, enter, now),
        Command::CloseDraw(draw) => decide_draw::close(state, request, draw, now),
        Command::DeleteDraw(delete) => decide_draw::delete(state, delete),
        Command::Read(_) => unreachable!("reads were answered above"),
    };
    let unchanged =
        |answer| Decision::Answer(Answered { sequence: state.sequence, replayed: false, answer });
    match decided {
        Ok(event) => Decision::Change(event),
        Err(Early::First(event)) => Decision::First(event),
        Err(Early::Refused(refusal)) => unchanged(Answer::Refused(refusal)),
        Err(Early::Unchanged(answer)) => unchanged(answer),
        Err(Early::Given(answered)) => Decision::Answer(answered),
    }
}

/// The first answer to this key, or that it was used for something else.
fn remembered(state: &State, request: &Request) -> Option<Answered> {
    let claim = request.key?;
    let kept = state.requests.find(claim.hash)?;
    if kept.fingerprint == claim.fingerprint {
        return Some(read::replay(state, &kept));
    }
    let answer = Answer::Refused(Refusal::KeyReused);
    Some(Answered { sequence: state.sequence, replayed: false, answer })
}

fn create_order(state: &State, request: &Request, create: &CreateOrder, now: Stamp) -> Decided {
    let lines = find_lines(state, &create.lines)?;
    check_windows(state, &lines, now)?;
    check_pause(state, &lines)?;
    decide_draw::check_draw_only(state, &lines)?;
    let user = state.users.find(&create.user);
    limits::user_limits(state, user, &lines)?;
    if matches!(create.take, Take::Hold(_)) {
        limits::open_holds(state, user)?;
    }
    check_stock(state, &lines)?;
    limits::room_for_use(state, &request.principal.name, user, &lines)?;
    make_room_for_order(state, now)?;
    make_room_for_key(state, request, now)?;
    limits::room_for_order(state, &request.principal.name)?;
    limits::room_for_key(state, request, KeyFor::New)?;
    let expires_at = match create.take {
        Take::Sell => None,
        Take::Hold(asked) => Some(now + hold_ms(state, asked, &lines)),
    };
    Ok(Event::OrderCreated(OrderCreated {
        user: create.user.clone(),
        lines: create.lines.clone(),
        reference: create.reference.clone(),
        take: create.take,
        expires_at,
    }))
}

fn find_lines(state: &State, lines: &LineRequests) -> Result<SmallVec<[FoundLine; 4]>, Refusal> {
    let find = |line: &crate::domain::model::ids::LineRequest| match state.skus.find(&line.sku) {
        Some(sku) => Ok(FoundLine { sku, units: u64::from(line.quantity) }),
        None => Err(Refusal::UnknownSku(line.sku.clone())),
    };
    lines.iter().map(find).collect()
}

fn act_on_order(
    state: &State,
    request: &Request,
    id: OrderId,
    action: &Action,
    now: Stamp,
) -> Decided {
    let slot = find_order(state, &request.principal, id)?;
    let order = &state.orders[slot];
    if order.status == Status::Held && order.expires_at <= now {
        return Err(Early::First(Event::OrderExpired(id)));
    }
    match (transition(order.status, action.verb()), action) {
        (Transition::Same, _) => same(state, request, slot, action, now),
        (Transition::Gone, Action::Confirm { reacquire: true }) => {
            reacquire(state, request, slot, now)
        }
        (Transition::Gone, _) => Err(Refusal::HoldExpired.into()),
        (Transition::Not, _) => Err(Refusal::InvalidTransition(order.status).into()),
        (Transition::Change, Action::Extend(hold_ms)) => {
            extend(state, request, slot, *hold_ms, now)
        }
        (Transition::Change, Action::Refund(refund)) => {
            check_refund(state, order, refund)?;
            keep(state, request, slot, now, Event::OrderRefunded(Box::new(refunded(id, refund))))
        }
        (Transition::Change, Action::Confirm { .. }) => {
            keep(state, request, slot, now, Event::OrderConfirmed(id))
        }
        (Transition::Change, Action::Cancel) => {
            keep(state, request, slot, now, Event::OrderCancelled(id))
        }
        (Transition::Change, Action::Ship) => {
            keep(state, request, slot, now, Event::OrderShipped(id))
        }
        (Transition::Change, Action::Complete) => {
            keep(state, request, slot, now, Event::OrderCompleted(id))
        }
    }
}

fn refunded(order: OrderId, refund: &Refund) -> OrderRefunded {
    OrderRefunded { order, lines: refund.lines.clone(), restock: refund.restock }
}

/// The event, if its key can be remembered.
fn keep(state: &State, request: &Request, order: u32, now: Stamp, event: Event) -> Decided {
    make_room_for_key(state, request, now)?;
    limits::room_for_key(state, request, KeyFor::Existing(order))?;
    Ok(event)
}

/// The order is already as asked. With a key the answer must be remembered, and that is an event.
fn same(state: &State, request: &Request, slot: u32, action: &Action, now: Stamp) -> Decided {
    let order = &state.orders[slot];
    if request.key.is_none() {
        return Err(Early::Unchanged(Answer::Order(Box::new(order_view(state, order)))));
    }
    let repeated = AnswerRepeated { order: order.id, action: action.clone() };
    keep(state, request, slot, now, Event::AnswerRepeated(Box::new(repeated)))
}

/// One that would move the deadline by little leaves it where it is: each that moves it is an
/// event, and costs its caller nothing that is counted. The last step, to the cap, may be as small
/// as it is.
fn extend(state: &State, request: &Request, slot: u32, hold_ms: u64, now: Stamp) -> Decided {
    let order = &state.orders[slot];
    let expires_at = extended(state, order, hold_ms, now);
    let moved_ms = expires_at - order.expires_at;
    let is_last = expires_at == latest_deadline(state, order);
    if moved_ms == 0 || (moved_ms < extension_ms_min(hold_ms) && !is_last) {
        return same(state, request, slot, &Action::Extend(hold_ms), now);
    }
    let extended = OrderExtended { order: order.id, hold_ms, expires_at };
    keep(state, request, slot, now, Event::OrderExtended(extended))
}

/// The deadline that an extension gives: never earlier than it is, never later than the cap from
/// the order's creation.
#[must_use]
pub fn extended(state: &State, order: &Order, hold_ms: u64, now: Stamp) -> Stamp {
    order.expires_at.max((now + hold_ms).min(latest_deadline(state, order)))
}

fn latest_deadline(state: &State, order: &Order) -> Stamp {
    order.created_at + state.settings.hold_ms_max
}

/// What an extension must move the deadline by: a hundredth of the hold that is asked for, or 100
/// ms, if that is more; of a hold below 200 ms a half.
#[must_use]
pub const fn extension_ms_min(hold_ms: u64) -> u64 {
    let (hundredth, half) = (hold_ms / 100, hold_ms / 2);
    let short = if half < EXTENSION_MS_MIN { half } else { EXTENSION_MS_MIN };
    if hundredth > short { hundredth } else { short }
}

/// Takes an expired order's units again, as a new order would, but whatever the window says and
/// without asking for open holds: it is sold in the same decision.
fn reacquire(state: &State, request: &Request, slot: u32, now: Stamp) -> Decided {
    let order = &state.orders[slot];
    for line in order.lines.iter() {
        if state.skus[line.sku].deleted {
            return Err(Refusal::UnknownSku(state.skus[line.sku].id.clone()).into());
        }
    }
    let found = |line: &crate::domain::model::order::Line| FoundLine {
        sku: line.sku,
        units: Order::left(line),
    };
    let lines: SmallVec<[FoundLine; 4]> = order.lines.iter().map(found).collect();
    check_pause(state, &lines)?;
    decide_draw::check_retaken(state, order)?;
    limits::user_limits(state, Some(order.user), &lines)?;
    check_stock(state, &lines)?;
    let owner = &state.principals[order.principal].name;
    limits::room_for_use(state, owner, Some(order.user), &lines)?;
    keep(state, request, slot, now, Event::OrderReacquired(order.id))
}

fn check_refund(state: &State, order: &Order, refund: &Refund) -> Result<(), Refusal> {
    let invalid = |reason| Refusal::Invalid { field: "lines", reason };
    for asked in &refund.lines {
        let line = order
            .lines
            .iter()
            .find(|line| state.skus[line.sku].id == asked.sku)
            .ok_or_else(|| invalid("names a SKU that the order does not have"))?;
        if u64::from(asked.quantity) > Order::left(line) {
            return Err(invalid("asks for more units than are left of a line"));
        }
    }
    Ok(())
}
