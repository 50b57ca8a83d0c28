//! What the state shows of draws and their entries. Reads only. Next: `read`.

use super::views::{created_view, order_view};
use super::visibility::{VISITS_MAX, visible};
use crate::domain::model::answer::{
    Answer, Answered, DrawView, EntryView, OrderView, Page, Refusal,
};
use crate::domain::model::command::Principal;
use crate::domain::model::draw::Reason;
use crate::domain::model::event::{EntryMade, Event};
use crate::domain::model::ids::{DrawId, OrderId, Stamp, UserId};
use crate::domain::state::draws::Draw;
use crate::domain::state::entries::Entry;
use crate::domain::state::tables::State;

/// A draw as it is; the seed only once it is closed.
#[must_use]
pub(in crate::domain) fn draw_view(draw: &Draw, now: Stamp) -> DrawView {
    DrawView {
        draw: draw.id.clone(),
        terms: draw.terms.clone(),
        admission: draw.admission,
        commitment: draw.sealed.commitment,
        seed: draw.closed_at.map(|_| draw.sealed.seed),
        entries: draw.entries.len(),
        closed_at: draw.closed_at,
        version: draw.version,
        now,
    }
}

/// What closing is answered, then and ever after.
#[must_use]
pub(in crate::domain) fn close_answer(draw: &Draw) -> Answered {
    let answer = Answer::Draw(Box::new(close_view(draw)));
    Answered { sequence: draw.version, replayed: false, answer }
}

/// The draw as it was when it was closed: nothing of it has changed since.
#[must_use]
pub(in crate::domain) fn close_view(draw: &Draw) -> DrawView {
    draw_view(draw, draw.closed_at.expect("it was closed"))
}

#[must_use]
pub(in crate::domain) fn one(state: &State, draw: &DrawId, now: Stamp) -> Answer {
    match state.draws.find(draw) {
        Some(slot) => Answer::Draw(Box::new(draw_view(&state.draws[slot], now))),
        None => Answer::Refused(Refusal::UnknownDraw),
    }
}

/// An entry with the order that came with it.
#[must_use]
pub(in crate::domain) fn entry_view(
    state: &State,
    slot: u32,
    number: u32,
    order: impl FnOnce(OrderId) -> Option<OrderView>,
) -> EntryView {
    let draw = &state.draws[slot];
    let entry = draw.entries.get(number).expect("an entry that is shown is kept");
    let won = entry.reason == Reason::Won;
    let id = OrderId { epoch: entry.epoch, sequence: entry.sequence };
    EntryView {
        draw: draw.id.clone(),
        number,
        user: state.draws.entrant_of(entry).user.clone(),
        client_seed: entry.client_seed.as_deref().map(Into::into),
        pick: draw.picked(entry.pick).cloned(),
        reason: entry.reason,
        order: if won { order(id) } else { None },
        sequence: entry.sequence,
    }
}

/// An entry as it was answered, its order as it was created.
#[must_use]
pub(in crate::domain) fn entry_then(
    state: &State,
    slot: u32,
    number: u32,
    expires_at: Option<Stamp>,
) -> EntryView {
    entry_view(state, slot, number, |id| {
        let order = state.orders.find(id).expect("the order of a remembered win is kept");
        Some(created_view(state, &state.orders[order], expires_at))
    })
}

/// An entry as it is: its order as it stands; none if that is no longer kept, or is another
/// principal's, whose order does not exist for this one (API 1).
fn entry_now(state: &State, principal: &Principal, slot: u32, number: u32) -> EntryView {
    entry_view(state, slot, number, |id| {
        let order = &state.orders[state.orders.find(id)?];
        visible(state, principal, order).then(|| order_view(state, order))
    })
}

/// A page of entries by number; `after` is where the page before ended.
#[must_use]
pub(in crate::domain) fn entries(
    state: &State,
    principal: &Principal,
    draw: &DrawId,
    user: Option<&UserId>,
    after: u32,
    limit: usize,
) -> Answer {
    let Some(slot) = state.draws.find(draw) else { return Answer::Refused(Refusal::UnknownDraw) };
    let draw = &state.draws[slot];
    let shown = |entry: &Entry| {
        let name = &state.principals[entry.principal].name;
        draw.shows(name, &principal.name)
            && user.is_none_or(|user| state.draws.entrant_of(entry).user == *user)
    };
    let mut page = Page { entries: Vec::<EntryView>::new(), next: None };
    let mut number = first_after(state, slot, user, after);
    for visited in 0.. {
        let Some(entry) = draw.entries.get(number) else {
            return Answer::Entries(Box::new(Page { next: None, ..page }));
        };
        if visited == VISITS_MAX {
            return Answer::Entries(Box::new(page));
        }
        if shown(entry) {
            if page.entries.len() == limit {
                // As in a page of orders: the others' entries between must not show.
                page.next = page.entries.last().map(|view| view.number);
                return Answer::Entries(Box::new(page));
            }
            page.entries.push(entry_now(state, principal, slot, number));
        }
        page.next = Some(number);
        number = match user {
            Some(_) if shown_user(state, entry, user) => entry.next,
            _ => number + 1,
        };
    }
    unreachable!("a page ends")
}

fn shown_user(state: &State, entry: &Entry, user: Option<&UserId>) -> bool {
    user.is_some_and(|user| state.draws.entrant_of(entry).user == *user)
}

/// Where a page begins. A user's entries are linked, so that finding them takes no scan: one from a
/// number that is made up would end elsewhere than the links do, and so tell whose entry that is.
/// Only after as many entries of one user as a page may look at, the numbers are gone through.
fn first_after(state: &State, slot: u32, user: Option<&UserId>, after: u32) -> u32 {
    let Some(user) = user else { return after.saturating_add(1) };
    let Some(entrant) = state.draws.entrant(slot, user) else { return 0 };
    if after < entrant.first {
        return entrant.first;
    }
    let entries = &state.draws[slot].entries;
    if let Some(entry) = entries.get(after)
        && shown_user(state, entry, Some(user))
    {
        return entry.next;
    }
    let mut number = entrant.first;
    for _ in 0..VISITS_MAX {
        match entries.get(number) {
            Some(entry) if number <= after => number = entry.next,
            _ => return number,
        }
    }
    after.saturating_add(1)
}

/// What a command on a draw is answered whose event has just been applied.
#[must_use]
pub(in crate::domain) fn answer_to(state: &State, event: &Event) -> Answered {
    let slot = |draw: &DrawId| state.draws.find(draw).expect("a changed draw exists");
    let view = |draw: &DrawId| Box::new(draw_view(&state.draws[slot(draw)], state.stamp));
    let answer = match event {
        Event::DrawPut(put) if put.sealed.is_some() => Answer::DrawCreated(view(&put.draw)),
        Event::DrawPut(put) => Answer::Draw(view(&put.draw)),
        Event::DrawClosed(draw) | Event::DrawCloseRepeated(draw) => {
            return close_answer(&state.draws[slot(draw)]);
        }
        Event::DrawDeleted(_) => Answer::DrawDeleted,
        Event::EntryMade(made) => Answer::Entered(Box::new(entered(state, slot(&made.draw), made))),
        _ => unreachable!("only events of draws come here"),
    };
    Answered { sequence: state.sequence, replayed: false, answer }
}

fn entered(state: &State, slot: u32, made: &EntryMade) -> EntryView {
    entry_then(state, slot, made.number, made.expires_at)
}
