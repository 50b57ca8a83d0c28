//! Checks that orders, SKUs and draws have in common, and why a decision ends early.
//!
//! Owns windows, pause, stock, the hold of an order, and what makes room in a full table. Changes
//! nothing; the order of the checks is `decide`'s. Next: `limits`, `sweep`.

use super::limits::FoundLine;
use super::sweep;
use crate::domain::model::answer::{Answer, Answered, Refusal, ShortLine, Window};
use crate::domain::model::command::{Precondition, Request};
use crate::domain::model::event::Event;
use crate::domain::model::ids::Stamp;
use crate::domain::state::tables::State;
use smallvec::SmallVec;

/// Why a decision ended early.
pub(in crate::domain) enum Early {
    Refused(Refusal),
    First(Event),
    Unchanged(Answer),
    Given(Answered),
}

impl From<Refusal> for Early {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub(in crate::domain) type Decided = Result<Event, Early>;

/// A sale is open iff `opens_at <= now < closes_at`; that it is over goes before that it is to
/// come.
pub(in crate::domain) fn check_windows(
    state: &State,
    lines: &[FoundLine],
    now: Stamp,
) -> Result<(), Refusal> {
    let window = |slot: u32, edge| Box::new(Window { sku: state.skus[slot].id.clone(), edge, now });
    for line in lines {
        match state.skus[line.sku].settings.closes_at {
            Some(edge) if now >= edge => return Err(Refusal::Closed(window(line.sku, edge))),
            _ => {}
        }
    }
    for line in lines {
        match state.skus[line.sku].settings.opens_at {
            Some(edge) if now < edge => return Err(Refusal::NotOpen(window(line.sku, edge))),
            _ => {}
        }
    }
    Ok(())
}

pub(in crate::domain) fn check_pause(state: &State, lines: &[FoundLine]) -> Result<(), Refusal> {
    match lines.iter().find(|line| state.skus[line.sku].settings.paused) {
        Some(line) => Err(Refusal::Paused(state.skus[line.sku].id.clone())),
        None => Ok(()),
    }
}

pub(in crate::domain) fn check_stock(state: &State, lines: &[FoundLine]) -> Result<(), Refusal> {
    let mut short: SmallVec<[Box<ShortLine>; 1]> = SmallVec::new();
    for line in lines {
        let sku = &state.skus[line.sku];
        if sku.available() < line.units {
            short.push(Box::new(ShortLine {
                sku: sku.id.clone(),
                requested: line.units,
                available: sku.available(),
                held: sku.held,
            }));
        }
    }
    if short.is_empty() { Ok(()) } else { Err(Refusal::SoldOut(short)) }
}

/// When the orders are full, those that may leave leave first; a key that pins the oldest of them
/// after its time goes before it.
pub(in crate::domain) fn make_room_for_order(state: &State, now: Stamp) -> Result<(), Early> {
    // One event makes room, or the table is over a cap that was lowered: then `sweep` drains it,
    // and one request must not.
    if state.orders.len() != state.settings.caps.orders {
        return Ok(());
    }
    let gone = sweep::archive_early(state, now).or_else(|| sweep::forget_keys(state, now));
    gone.map_or(Ok(()), |event| Err(Early::First(event)))
}

/// When the keys are full, those whose time is over leave first. Orders stay: an action on one
/// must not be what archives it.
pub(in crate::domain) fn make_room_for_key(
    state: &State,
    request: &Request,
    now: Stamp,
) -> Result<(), Early> {
    let caps = &state.settings.caps;
    if request.key.is_some()
        && state.requests.len() >= caps.keys - caps.keys / 10
        && let Some(event) = sweep::forget_keys(state, now)
    {
        return Err(Early::First(event));
    }
    Ok(())
}

/// The order's own hold, else the smallest over its SKUs; never more than the cap.
pub(in crate::domain) fn hold_ms(state: &State, asked: Option<u64>, lines: &[FoundLine]) -> u64 {
    let settings = &state.settings;
    let of_sku = |line: &FoundLine| {
        state.skus[line.sku].settings.hold_ms.unwrap_or(settings.hold_ms_default)
    };
    let of_skus = || lines.iter().map(of_sku).min().expect("an order has a line");
    asked.unwrap_or_else(of_skus).min(settings.hold_ms_max)
}

/// If-Match and If-None-Match against what exists.
pub(in crate::domain) fn check_precondition(
    precondition: &Precondition,
    version: Option<u64>,
) -> Result<(), Refusal> {
    if precondition.is_met(version) { Ok(()) } else { Err(Refusal::VersionMismatch(version)) }
}
