//! What is always true of a state, checked whole. For tests, replays and snapshots; the cheap local
//! halves of these stand as asserts in `apply`.

use super::idempotency::StoredReply;
use super::principals::{NO_PRINCIPAL, Table};
use super::tables::State;
use crate::domain::model::draw::Reason;
use crate::domain::model::order::{Order, Status};
use crate::domain::rules::apply_draw::named;
use std::collections::BTreeMap;

/// Panics where an invariant does not hold, naming it.
pub fn check(state: &State) {
    assert_eq!(state.lives.epochs(), state.epoch, "every start is known");
    state.orders.check();
    check_stock(state);
    check_use(state);
    check_users(state);
    check_keys(state);
    check_draws(state);
}

/// Held units are exactly those of held orders; sold ones are at least those of kept sold orders.
fn check_stock(state: &State) {
    let mut counted: BTreeMap<u32, (u64, u64, u32)> = BTreeMap::new();
    for order in state.orders.after(None) {
        for line in order.lines.iter() {
            let (held, sold, lines) = counted.entry(line.sku).or_default();
            match order.status {
                Status::Held => *held += Order::left(line),
                status if status.is_sold() => *sold += Order::left(line),
                _ => {}
            }
            *lines += 1;
        }
    }
    for (slot, sku) in state.skus.iter() {
        let (held, sold, lines) = counted.get(&slot).copied().unwrap_or_default();
        assert_eq!(sku.available() + sku.held + sku.sold, sku.total, "{:?}", sku.id);
        assert_eq!(sku.lines, lines, "lines that name {:?}", sku.id);
        if !sku.deleted {
            assert_eq!(sku.held, held, "held units of {:?}", sku.id);
            assert!(sku.sold >= sold, "sold units of {:?}", sku.id);
            assert_eq!(state.skus.find(&sku.id), Some(slot));
        }
        let group = sku.settings.limit_group.as_ref();
        assert!(group.is_none_or(|group| state.skus.group(group).contains(&slot)));
    }
}

/// A use is at least what kept orders account for; more only where archived ones are still counted.
fn check_use(state: &State) {
    let mut counted: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for order in state.orders.after(None) {
        for line in order.lines.iter() {
            if order.status == Status::Held || order.status.is_sold() {
                *counted.entry((line.sku, order.user)).or_default() += Order::left(line);
            }
        }
    }
    let mut uses = 0;
    for (slot, sku) in state.skus.iter() {
        let of_sku: Vec<_> = state.uses.of_sku(sku).collect();
        assert_eq!(of_sku.len(), sku.uses as usize, "uses of {:?}", sku.id);
        uses += sku.uses;
        for found in &of_sku {
            let units = state.uses.units(&state.users, slot, found.user);
            assert_eq!(units, found.units(), "a use is found by its SKU and user");
        }
        if sku.deleted {
            continue;
        }
        for found in of_sku {
            let kept = counted.remove(&(slot, found.user)).unwrap_or(0);
            assert!(found.units() >= kept, "use of {:?}", sku.id);
        }
    }
    assert_eq!(uses, state.uses.len());
    counted.retain(|(sku, _), units| *units > 0 && !state.skus[*sku].deleted);
    assert!(counted.is_empty(), "every unit held or sold is in its user's use");
}

fn check_users(state: &State) {
    let (mut orders, mut holds) = (0, 0);
    for (slot, user) in state.users.iter() {
        let own = state.orders.of_user_from(user.newest);
        let own: Vec<_> = own.map(|order| (order.id, order.user, order.status)).collect();
        assert!(own.iter().all(|(_, user, _)| *user == slot), "a user's list holds its orders");
        assert!(own.is_sorted_by(|one, next| one.0 > next.0), "newest first");
        let held = own.iter().filter(|(_, _, status)| *status == Status::Held).count();
        assert_eq!(held, user.holds as usize);
        assert!(!own.is_empty() || user.uses > 0, "a user exists for an order or a use");
        orders += own.len();
        holds += held;
    }
    assert_eq!(orders, state.orders.len() as usize);
    assert_eq!(holds, state.orders.deadlines().len());
    check_owned(state, Table::Orders, |counted| {
        state.orders.after(None).for_each(|order| counted(order.principal));
    });
    check_owned(state, Table::Users, |counted| {
        state.users.iter().for_each(|(_, user)| counted(user.owner));
    });
    check_owned(state, Table::Uses, |counted| {
        let uses = state.skus.iter().flat_map(|(_, sku)| state.uses.of_sku(sku));
        uses.for_each(|found| counted(found.owner()));
    });
}

/// A principal is charged for exactly the rows that name it.
fn check_owned(state: &State, table: Table, each: impl FnOnce(&mut dyn FnMut(u16))) {
    let mut counted = vec![0; state.principals.len()];
    each(&mut |owner| {
        if owner != NO_PRINCIPAL {
            counted[usize::from(owner)] += 1;
        }
    });
    let told: Vec<u32> = state.principals.iter().map(|entry| entry.owned(table)).collect();
    assert_eq!(counted, told, "{} by principal", table.name());
}

fn check_keys(state: &State) {
    let mut last = 0;
    let mut of_actions: BTreeMap<u32, u16> = BTreeMap::new();
    for key in state.requests.iter() {
        assert!(key.sequence > last, "keys stand in the order of their answers");
        last = key.sequence;
        assert!(state.requests.find(key.hash).is_some_and(|found| found.sequence == key.sequence));
        if let StoredReply::Created { order, .. } | StoredReply::Order { order, .. } = &*key.answer
        {
            assert!(
                state.orders[*order].keys.end() > state.requests.first(),
                "a key pins its order"
            );
        }
        if let StoredReply::Order { order, .. } = &*key.answer {
            *of_actions.entry(*order).or_default() += 1;
        }
        if let Some(draw) = key.answer.draw() {
            assert!(state.draws[draw].key_end > state.requests.first(), "a key pins its draw");
        }
    }
    for order in state.orders.after(None) {
        let slot = state.orders.find(order.id).expect("it is kept");
        let counted = of_actions.get(&slot).copied().unwrap_or(0);
        assert_eq!(order.keys.of_actions(), counted, "keys of actions on {:?}", order.id);
    }
    check_owned(state, Table::Keys, |counted| {
        state.requests.iter().for_each(|key| counted(key.principal));
    });
    check_owned(state, Table::Answers, |counted| {
        let whole = state.requests.iter().filter(|key| key.answer.is_whole());
        whole.for_each(|key| counted(key.principal));
    });
}

/// Entries are counted once each; a pick fits its reason, and a kept order of a win is the entry's.
fn check_draws(state: &State) {
    state.draws.check(|draw| named(state, draw));
    for draw in state.draws.by_id().chain(state.draws.deleted()) {
        for (_, entry) in draw.entries.after(0) {
            let picked = draw.picked(entry.pick);
            assert_eq!(picked.is_none(), entry.reason == Reason::Blank, "only blanks pick nothing");
            let won =
                crate::domain::model::ids::OrderId { sequence: entry.sequence, epoch: entry.epoch };
            let Some(slot) = state.orders.find(won).filter(|_| entry.reason == Reason::Won) else {
                continue;
            };
            let order = &state.orders[slot];
            assert_eq!(state.users[order.user].id, state.draws.entrant_of(entry).user);
            let sku = &state.skus[order.lines[0].sku].id;
            assert_eq!(
                (order.lines.len(), Some(sku)),
                (1, picked),
                "a win is one unit of its pick"
            );
        }
    }
    check_owned(state, Table::Entries, |counted| {
        let draws = state.draws.by_id().chain(state.draws.deleted());
        draws
            .flat_map(|draw| draw.entries.after(0))
            .for_each(|(_, entry)| counted(entry.principal));
    });
}
