//! What stops an order that the stock would allow: users' limits, open holds, and room.
//!
//! Reads only. Next: `decide`.

use crate::domain::model::answer::{Refusal, UserLimit};
use crate::domain::model::command::Request;
use crate::domain::model::ids::PrincipalName;
use crate::domain::model::order::ACTION_KEYS_MAX;
use crate::domain::state::principals::Table;
use crate::domain::state::tables::State;

/// A line whose SKU has been found.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct FoundLine {
    /// Slot of the SKU.
    pub(in crate::domain) sku: u32,
    /// Units asked for.
    pub(in crate::domain) units: u64,
}

/// Checks each line against its own SKU's limit, the lines before it counted.
///
/// A SKU's use by a user is what the user holds and owns of it; with a group, of all SKUs that are
/// in the group now.
pub(in crate::domain) fn user_limits(
    state: &State,
    user: Option<u32>,
    lines: &[FoundLine],
) -> Result<(), Refusal> {
    for (at, line) in lines.iter().enumerate() {
        let sku = &state.skus[line.sku];
        let limit = sku.settings.per_user_limit;
        if limit == 0 {
            continue;
        }
        let used = used(state, user, line.sku) + asked_before(state, &lines[..at], line.sku);
        if used + line.units > limit {
            let sku = sku.id.clone();
            let limit = UserLimit { sku, limit, used, requested: line.units };
            return Err(Refusal::UserLimit(Box::new(limit)));
        }
    }
    Ok(())
}

fn used(state: &State, user: Option<u32>, sku: u32) -> u64 {
    let Some(user) = user else { return 0 };
    let group = state.skus[sku].settings.limit_group.as_ref();
    match group {
        None => state.uses.units(&state.users, sku, user),
        Some(group) => state
            .skus
            .group(group)
            .iter()
            .map(|member| state.uses.units(&state.users, *member, user))
            .sum(),
    }
}

fn asked_before(state: &State, before: &[FoundLine], sku: u32) -> u64 {
    let group = &state.skus[sku].settings.limit_group;
    let counted = |line: &&FoundLine| {
        line.sku == sku || (group.is_some() && state.skus[line.sku].settings.limit_group == *group)
    };
    before.iter().filter(counted).map(|line| line.units).sum()
}

/// Checks how many orders the user holds already.
pub(in crate::domain) fn open_holds(state: &State, user: Option<u32>) -> Result<(), Refusal> {
    let limit = state.settings.open_holds_per_user_max;
    let used = user.map_or(0, |user| state.users[user].holds);
    if limit > 0 && used >= limit {
        return Err(Refusal::HoldLimit { used, limit });
    }
    Ok(())
}

/// Room for the use and the user that some lines would add for this principal.
pub(in crate::domain) fn room_for_use(
    state: &State,
    principal: &PrincipalName,
    user: Option<u32>,
    lines: &[FoundLine],
) -> Result<(), Refusal> {
    if user.is_none() {
        room(state, principal, Table::Users, 1)?;
    }
    let known = |line: &&FoundLine| {
        user.is_none_or(|user| state.uses.units(&state.users, line.sku, user) == 0)
    };
    match lines.iter().filter(known).count() as u64 {
        0 => Ok(()),
        new => room(state, principal, Table::Uses, new),
    }
}

/// One more use of this principal has room.
pub(in crate::domain) fn has_room_for_uses(state: &State, principal: &PrincipalName) -> bool {
    room(state, principal, Table::Uses, 1).is_ok()
}

/// Room for one more order of this principal.
pub(in crate::domain) fn room_for_order(
    state: &State,
    principal: &PrincipalName,
) -> Result<(), Refusal> {
    room(state, principal, Table::Orders, 1)
}

/// Room for one more entry of this principal.
pub(in crate::domain) fn room_for_entry(
    state: &State,
    principal: &PrincipalName,
) -> Result<(), Refusal> {
    room(state, principal, Table::Entries, 1)
}

/// Room to keep one more answer whole, if the request has a key.
pub(in crate::domain) fn room_for_answer(state: &State, request: &Request) -> Result<(), Refusal> {
    match request.key {
        None => Ok(()),
        Some(_) => room(state, &request.principal.name, Table::Answers, 1),
    }
}

/// What a key is for: the last tenth of the table serves only what exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum KeyFor {
    /// Something new.
    New,
    /// An action on the order in this slot.
    Existing(u32),
}

/// Room to remember the key, if the request has one.
pub(in crate::domain) fn room_for_key(
    state: &State,
    request: &Request,
    what: KeyFor,
) -> Result<(), Refusal> {
    if request.key.is_none() {
        return Ok(());
    }
    if let KeyFor::Existing(order) = what
        && state.orders[order].keys.of_actions() >= ACTION_KEYS_MAX
    {
        return Err(Refusal::Capacity(Table::Keys.name()));
    }
    room_in(state, &request.principal.name, (Table::Keys, 1), |cap| match what {
        KeyFor::New => cap - cap / 10,
        KeyFor::Existing(_) => cap,
    })
}

/// Room for more rows of this principal.
fn room(state: &State, principal: &PrincipalName, table: Table, more: u64) -> Result<(), Refusal> {
    room_in(state, principal, (table, more), |cap| cap)
}

/// Room for more rows of this principal: in its own reserve, or in what no reserve holds, up to
/// where the common part ends.
fn room_in(
    state: &State,
    principal: &PrincipalName,
    (table, more): (Table, u64),
    common_end: impl Fn(u32) -> u32,
) -> Result<(), Refusal> {
    let cap = table.cap(&state.settings.caps);
    let after = u64::from(state.rows(table)) + more;
    let is_free = after + state.principals.kept(table) <= u64::from(common_end(cap));
    if is_free && !state.principals.is_full() {
        // Room that is nobody's, whoever asks: so it mostly is.
        return Ok(());
    }
    let number = state.principals.number(principal);
    if number.is_none() && !state.principals.has_room() {
        return Err(Refusal::Capacity("principals"));
    }
    let in_reserve = u64::from(state.principals.own_reserve(table, number)) >= more;
    let kept = state.principals.kept_for_others(table, number);
    let end = if in_reserve { cap } else { common_end(cap) };
    let common = in_reserve || after + kept <= u64::from(end);
    if after <= u64::from(end) && common { Ok(()) } else { Err(Refusal::Capacity(table.name())) }
}
