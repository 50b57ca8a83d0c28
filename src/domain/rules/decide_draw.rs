//! What a command on a draw does: reads the state, changes nothing.
//!
//! An entry is checked in the order of API 1, room for a possible win included, before anything is
//! rolled: no refusal depends on the pick. Next: `draw`, `apply_draw`.

use super::checks::{Decided, Early, check_pause, check_precondition, check_stock, check_windows};
use super::checks::{hold_ms, make_room_for_key, make_room_for_order};
use super::limits::{self, FoundLine, KeyFor};
use super::read_draw;
use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::{DeleteDraw, EnterDraw, PutDraw, Request, Take};
use crate::domain::model::draw::{Pick, Reason, SeedCommitment, Ticket, roll};
use crate::domain::model::event::{DrawDeleted, DrawPut, EntryMade, Event};
use crate::domain::model::ids::{DrawId, PrincipalName, Stamp, UserId};
use crate::domain::model::order::{Line, Order};
use crate::domain::state::draws::Draw;
use crate::domain::state::tables::State;

fn find(state: &State, draw: &DrawId) -> Result<u32, Refusal> {
    state.draws.find(draw).ok_or(Refusal::UnknownDraw)
}

/// Makes a draw, or changes what may change. An identical PUT changes nothing and needs no
/// If-Match.
pub(in crate::domain) fn put(state: &State, put: &PutDraw, now: Stamp) -> Decided {
    let slot = state.draws.find(&put.draw);
    let draw = slot.map(|slot| &state.draws[slot]);
    let is_same = draw.is_some_and(|draw| draw.terms == put.terms);
    if !is_same {
        let prizes = put.terms.odds.prizes();
        if let Some(prize) = prizes.iter().find(|prize| state.skus.find(&prize.sku).is_none()) {
            return Err(Refusal::UnknownSku(prize.sku.clone()).into());
        }
    }
    check_precondition(&put.precondition, draw.map(|draw| draw.version))?;
    match draw {
        None if state.draws.len() >= state.settings.caps.draws => {
            return Err(Refusal::Capacity("draws").into());
        }
        None => {}
        Some(draw) => check_change(draw, put, now)?,
    }
    Ok(Event::DrawPut(Box::new(DrawPut {
        draw: put.draw.clone(),
        terms: put.terms.clone(),
        admission: put.admission,
        precondition: put.precondition.met_by(draw.map(|draw| draw.version)),
        sealed: draw.is_none().then(|| SeedCommitment::new(put.seed)),
    })))
}

fn check_change(draw: &Draw, put: &PutDraw, now: Stamp) -> Result<(), Early> {
    let is_same = draw.terms == put.terms;
    if is_same && draw.admission == put.admission {
        return Err(Early::Unchanged(Answer::Draw(Box::new(read_draw::draw_view(draw, now)))));
    }
    if !put.precondition.is_match() {
        return Err(Refusal::IfMatchRequired(draw.version).into());
    }
    if !is_same {
        return Err(Refusal::DrawFixed.into());
    }
    match draw.closed_at {
        Some(_) => Err(closed(draw, now).into()),
        None => Ok(()),
    }
}

/// Entries are over, by the window or by the closing, whichever came first.
fn closed(draw: &Draw, now: Stamp) -> Refusal {
    Refusal::DrawClosed { closes_at: draw.end().unwrap_or(now), now }
}

/// Closes a draw. A closed one answers as it did then: nothing of it changes any more.
pub(in crate::domain) fn close(
    state: &State,
    request: &Request,
    id: &DrawId,
    now: Stamp,
) -> Decided {
    let draw = &state.draws[find(state, id)?];
    if request.key.is_none() {
        return match draw.closed_at {
            Some(_) => Err(Early::Given(read_draw::close_answer(draw))),
            None => Ok(Event::DrawClosed(id.clone())),
        };
    }
    make_room_for_key(state, request, now)?;
    limits::room_for_key(state, request, KeyFor::New)?;
    limits::room_for_answer(state, request)?;
    Ok(match draw.closed_at {
        Some(_) => Event::DrawCloseRepeated(id.clone()),
        None => Event::DrawClosed(id.clone()),
    })
}

/// Frees the id of a closed draw.
pub(in crate::domain) fn delete(state: &State, delete: &DeleteDraw) -> Decided {
    let draw = &state.draws[find(state, &delete.draw)?];
    check_precondition(&delete.precondition, Some(draw.version))?;
    if draw.closed_at.is_none() {
        return Err(Refusal::DrawUnclosed.into());
    }
    let precondition = delete.precondition.met_by(Some(draw.version));
    let draw = delete.draw.clone();
    Ok(Event::DrawDeleted(Box::new(DrawDeleted { draw, precondition })))
}

/// Rolls for a user and decides the outcome.
pub(in crate::domain) fn enter(
    state: &State,
    request: &Request,
    enter: &EnterDraw,
    now: Stamp,
) -> Decided {
    let slot = find(state, &enter.draw)?;
    let draw = &state.draws[slot];
    check_open(draw, now)?;
    check_entries(state, slot, &enter.user)?;
    let user = state.users.find(&enter.user);
    if matches!(draw.take(), Take::Hold(_)) {
        limits::open_holds(state, user)?;
    }
    room_for_win(state, &request.principal.name, draw, user)?;
    make_room_for_order(state, now)?;
    make_room_for_key(state, request, now)?;
    limits::room_for_order(state, &request.principal.name)?;
    limits::room_for_key(state, request, KeyFor::New)?;
    limits::room_for_entry(state, &request.principal.name)?;

    let number = draw.entries.len() + 1;
    let client_seed = enter.client_seed.as_deref();
    let ticket = Ticket { draw: &draw.id, number, user: &enter.user, client_seed };
    let pick = roll(&draw.sealed.seed, ticket, &draw.terms.odds);
    let (reason, expires_at) = judge(state, draw, user, pick, now);
    Ok(Event::EntryMade(Box::new(EntryMade {
        draw: enter.draw.clone(),
        user: enter.user.clone(),
        client_seed: enter.client_seed.clone(),
        number,
        pick,
        reason,
        expires_at,
    })))
}

fn check_open(draw: &Draw, now: Stamp) -> Result<(), Refusal> {
    let over = draw.closed_at.is_some() || draw.end().is_some_and(|end| now >= end);
    if over {
        return Err(closed(draw, now));
    }
    match draw.admission.opens_at {
        Some(opens_at) if now < opens_at => Err(Refusal::DrawNotOpen { opens_at, now }),
        _ => Ok(()),
    }
}

/// Entries are never given back.
fn check_entries(state: &State, slot: u32, user: &UserId) -> Result<(), Refusal> {
    let limit = state.draws[slot].admission.entries_per_user;
    let used = state.draws.entrant(slot, user).map_or(0, |entrant| u64::from(entrant.entries));
    if limit > 0 && used >= limit { Err(Refusal::EntryLimit { used, limit }) } else { Ok(()) }
}

/// Room for the use and the user that a win would add, whatever would be won.
fn room_for_win(
    state: &State,
    principal: &PrincipalName,
    draw: &Draw,
    user: Option<u32>,
) -> Result<(), Refusal> {
    for prize in draw.terms.odds.prizes().iter().filter(|prize| prize.weight > 0) {
        limits::room_for_use(state, principal, user, &[line_of(state, &prize.sku)])?;
        // With room for one more use there is room for any.
        if limits::has_room_for_uses(state, principal) {
            break;
        }
    }
    Ok(())
}

fn line_of(state: &State, sku: &crate::domain::model::ids::SkuId) -> FoundLine {
    let sku = state.skus.find(sku).expect("an unclosed draw's SKUs exist");
    FoundLine { sku, units: 1 }
}

/// The outcome of a pick of a user now; none if there is no such draw.
#[must_use]
pub fn reason_of(
    state: &State,
    draw: &DrawId,
    user: &UserId,
    pick: Pick,
    now: Stamp,
) -> Option<Reason> {
    let draw = &state.draws[state.draws.find(draw)?];
    let user = state.users.find(user);
    Some(judge(state, draw, user, pick, now).0)
}

/// The outcome of a pick, by the checks of an order in their order, and until when a win is held.
fn judge(
    state: &State,
    draw: &Draw,
    user: Option<u32>,
    pick: Pick,
    now: Stamp,
) -> (Reason, Option<Stamp>) {
    let Some(sku) = draw.picked(pick) else { return (Reason::Blank, None) };
    let lines = [line_of(state, sku)];
    let checked = check_windows(state, &lines, now)
        .and_then(|()| check_pause(state, &lines))
        .and_then(|()| limits::user_limits(state, user, &lines))
        .and_then(|()| check_stock(state, &lines));
    let reason = match checked {
        Ok(()) => Reason::Won,
        Err(Refusal::Closed(_)) => Reason::Closed,
        Err(Refusal::NotOpen(_)) => Reason::NotOpen,
        Err(Refusal::Paused(_)) => Reason::Paused,
        Err(Refusal::UserLimit(_)) => Reason::UserLimit,
        Err(_) => Reason::NoStock,
    };
    match (reason, draw.take()) {
        (Reason::Won, Take::Hold(asked)) => (reason, Some(now + hold_ms(state, asked, &lines))),
        _ => (reason, None),
    }
}

/// An order of SKUs that an unclosed draw names goes through the draw, unless the SKU says
/// otherwise.
pub(in crate::domain) fn check_draw_only(
    state: &State,
    lines: &[FoundLine],
) -> Result<(), Refusal> {
    let only = |line: &&FoundLine| is_draw_only(state, line.sku);
    match lines.iter().find(only) {
        Some(line) => Err(Refusal::DrawOnly(state.skus[line.sku].id.clone())),
        None => Ok(()),
    }
}

/// An order that is taken again may be a win of the draw that names its SKU.
pub(in crate::domain) fn check_retaken(state: &State, order: &Order) -> Result<(), Refusal> {
    let user = &state.users[order.user].id;
    let only = |line: &&Line| {
        is_draw_only(state, line.sku) && !state.draws.has_won(line.sku, user, order.id)
    };
    match order.lines.iter().find(only) {
        Some(line) => Err(Refusal::DrawOnly(state.skus[line.sku].id.clone())),
        None => Ok(()),
    }
}

fn is_draw_only(state: &State, sku: u32) -> bool {
    state.draws.names(sku) && !state.skus[sku].settings.direct
}
