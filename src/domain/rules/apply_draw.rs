//! What an event of a draw does to the state. Next: `apply`, `draws`.

use super::apply_order::create_order;
use crate::domain::model::draw::Reason;
use crate::domain::model::event::{DrawPut, EntriesPurged, EntryMade, Event, OrderCreated, Origin};
use crate::domain::model::ids::{DrawId, LineRequest, OrderId};
use crate::domain::state::draws::Draw;
use crate::domain::state::entries::Entry;
use crate::domain::state::principals::Table;
use crate::domain::state::tables::State;

/// Events of draws; the repeated closing changes nothing.
pub(in crate::domain) fn apply_to_draw(state: &mut State, origin: Option<&Origin>, event: &Event) {
    match event {
        Event::DrawPut(put) => put_draw(state, put),
        Event::DrawClosed(draw) => close(state, draw),
        Event::DrawCloseRepeated(_) => {}
        Event::DrawDeleted(deleted) => {
            let slot = find(state, &deleted.draw);
            assert!(state.draws[slot].closed_at.is_some(), "only closed draws are deleted");
            state.draws.delete(slot, state.requests.first());
        }
        Event::EntryMade(made) => enter(state, origin, made),
        Event::EntriesPurged(purged) => purge(state, purged),
        _ => unreachable!("only events of draws come here"),
    }
}

pub(in crate::domain) fn find(state: &State, draw: &DrawId) -> u32 {
    state.draws.find(draw).expect("an event names a draw that exists")
}

/// Slots of the SKUs that a draw names; while it is unclosed none of them can be deleted.
pub(in crate::domain) fn named(state: &State, draw: &Draw) -> Vec<u32> {
    let slot = |sku| state.skus.find(sku).expect("an unclosed draw's SKUs exist");
    draw.terms.odds.prizes().iter().map(|prize| slot(&prize.sku)).collect()
}

fn put_draw(state: &mut State, put: &DrawPut) {
    let sequence = state.sequence;
    match put.sealed {
        None => {
            let slot = find(state, &put.draw);
            state.draws[slot].admission = put.admission;
            state.draws[slot].version = sequence;
        }
        Some(sealed) => {
            let draw = Draw {
                id: put.draw.clone(),
                created_sequence: sequence,
                deleted: false,
                terms: put.terms.clone(),
                admission: put.admission,
                sealed,
                closed_at: None,
                version: sequence,
                key_end: 0,
                entries: Default::default(),
            };
            let skus = named(state, &draw);
            state.draws.insert(draw, &skus);
        }
    }
}

fn close(state: &mut State, draw: &DrawId) {
    let slot = find(state, draw);
    let skus = named(state, &state.draws[slot]);
    state.draws.unname(slot, &skus);
    let draw = &mut state.draws[slot];
    assert!(draw.closed_at.is_none(), "a draw is closed once");
    draw.closed_at = Some(state.stamp);
    draw.version = state.sequence;
}

/// The entry, and with a win its order, as any other order.
fn enter(state: &mut State, origin: Option<&Origin>, made: &EntryMade) {
    let brought_by = origin.expect("an entry has somebody who asked for it");
    let principal = state.principals.number_or_new(&brought_by.principal);
    state.principals.add(Table::Entries, principal);
    let slot = find(state, &made.draw);
    let won = made.reason == Reason::Won;
    let entry = Entry {
        entrant: 0,
        principal,
        pick: made.pick,
        reason: made.reason,
        sequence: state.sequence,
        epoch: if won { state.epoch } else { 0 },
        next: 0,
        client_seed: made.client_seed.as_deref().map(Into::into),
    };
    let number = state.draws.enter(slot, &made.user, entry);
    assert!(number == made.number, "entries are numbered without gaps");
    if won {
        let order = won_order(&state.draws[slot], made);
        create_order(state, origin, &order);
    }
}

/// The order that comes with a win.
fn won_order(draw: &Draw, made: &EntryMade) -> OrderCreated {
    let sku = draw.picked(made.pick).expect("a win has a prize").clone();
    OrderCreated {
        user: made.user.clone(),
        lines: [LineRequest { sku, quantity: 1 }].into(),
        reference: None,
        take: draw.take(),
        expires_at: made.expires_at,
    }
}

fn purge(state: &mut State, purged: &EntriesPurged) {
    let slot = state.draws.find_deleted(purged.created_sequence).expect("a deleted draw");
    for principal in state.draws.purge(slot, purged.count) {
        state.principals.subtract(Table::Entries, principal);
    }
}

/// The order of an entry that has just won; none if it lost.
pub(in crate::domain) fn order_of(state: &State, made: &EntryMade) -> Option<OrderId> {
    let id = OrderId { epoch: state.epoch, sequence: state.sequence };
    (made.reason == Reason::Won).then_some(id)
}
