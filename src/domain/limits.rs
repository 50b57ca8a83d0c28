//! What stops an order that the stock would allow: users' limits, open holds, and room.
//!
//! Reads only. Next: `decide`.

use super::answer::{Refusal, UserLimit};
use super::command::{Principal, Request};
use super::state::{PRINCIPALS_MAX, State};
use crate::planted::{Bug, planted};

/// A line whose SKU has been found.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundLine {
    /// Slot of the SKU.
    pub(super) sku: u32,
    /// Units asked for.
    pub(super) units: u64,
}

/// Checks each line against its own SKU's limit, the lines before it counted.
///
/// A SKU's use by a user is what the user holds and owns of it; with a group, of all SKUs that are
/// in the group now.
pub(super) fn user_limits(
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
    match group.filter(|_| !planted(Bug::GroupNotSummed)) {
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
pub(super) fn open_holds(state: &State, user: Option<u32>) -> Result<(), Refusal> {
    let limit = state.settings.open_holds_per_user_max;
    let used = user.map_or(0, |user| state.users[user].holds);
    if limit > 0 && used >= limit {
        return Err(Refusal::HoldLimit { used, limit });
    }
    Ok(())
}

/// Room for the use and the user that some lines would add.
pub(super) fn room_for_use(
    state: &State,
    user: Option<u32>,
    lines: &[FoundLine],
) -> Result<(), Refusal> {
    let caps = &state.settings.caps;
    if user.is_none() && state.users.len() >= caps.users {
        return Err(Refusal::Capacity("users"));
    }
    let known = |line: &&FoundLine| {
        user.is_none_or(|user| state.uses.units(&state.users, line.sku, user) == 0)
    };
    let new = lines.iter().filter(known).count() as u64;
    if new > 0 && u64::from(state.uses.len()) + new > u64::from(caps.uses) {
        return Err(Refusal::Capacity("uses"));
    }
    Ok(())
}

/// Room for one more order of this principal.
pub(super) fn room_for_order(state: &State, principal: &Principal) -> Result<(), Refusal> {
    let cap = state.settings.caps.orders;
    if state.orders.len() >= cap {
        return Err(Refusal::Capacity("orders"));
    }
    let share = |number: u16| state.principals[usize::from(number)].orders;
    fair_share(state, principal, "orders", (state.orders.len(), cap), share)
}

/// Room for one more entry of this principal.
pub(super) fn room_for_entry(state: &State, principal: &Principal) -> Result<(), Refusal> {
    let cap = state.settings.caps.entries;
    if state.draws.entries() >= cap {
        return Err(Refusal::Capacity("entries"));
    }
    let share = |number: u16| state.principals[usize::from(number)].entries;
    fair_share(state, principal, "entries", (state.draws.entries(), cap), share)
}

/// What a key is for: the last tenth of the table serves only what exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyFor {
    /// Something new.
    New,
    /// An action on an existing order.
    Existing,
}

/// Room to remember the key, if the request has one.
pub(super) fn room_for_key(state: &State, request: &Request, what: KeyFor) -> Result<(), Refusal> {
    if request.key.is_none() {
        return Ok(());
    }
    let cap = state.settings.caps.keys;
    let end = match what {
        KeyFor::New => cap - cap / 10,
        KeyFor::Existing => cap,
    };
    if state.requests.len() >= end {
        return Err(Refusal::Capacity("keys"));
    }
    let share = |number: u16| state.principals[usize::from(number)].keys;
    fair_share(state, &request.principal, "keys", (state.requests.len(), cap), share)
}

/// Where there are others, one principal may not fill more than half of a table that is 80 % full.
fn fair_share(
    state: &State,
    principal: &Principal,
    table: &'static str,
    (used, cap): (u32, u32),
    share: impl Fn(u16) -> u32,
) -> Result<(), Refusal> {
    let principals = state.principals.len();
    let full = principals >= PRINCIPALS_MAX;
    let crowded = u64::from(used) * 5 >= u64::from(cap) * 4;
    let contested = crowded && principals >= 2;
    // Who asks makes no difference then, and is not looked for.
    if !full && !contested {
        return Ok(());
    }
    match state.principal(&principal.name) {
        None if full => Err(Refusal::Capacity("principals")),
        Some(number) if contested && u64::from(share(number)) * 2 > u64::from(cap) => {
            Err(Refusal::Capacity(table))
        }
        _ => Ok(()),
    }
}
