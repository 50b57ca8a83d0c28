//! The rows of a snapshot: their stored shapes, writing them in order, taking them back.
//!
//! Next: `snapshot`, `domain::restore`.

use super::draw::{
    StoredAdmission, StoredDrawView, StoredSealed, StoredTerms, client_seed, draw_id, entry_reason,
};
use super::owners::OwnedUsers;
use super::sku::{StoredSettings, StoredSkuView, read_refused, refused, sku_id};
use super::values::{self, StoredOrderId, StoredRules, principal_names, status, user_id};
use super::{CodecError, LAYOUT};
use crate::domain::memory::prefetch::PrefetchKeys;
use crate::domain::model::ids::{KeyClaim, PrincipalName, SkuId};
use crate::domain::model::lives::Begun;
use crate::domain::model::order::{Line, Order};
use crate::domain::model::settings::Caps;
use crate::domain::model::sku::Sku;
use crate::domain::state::draws::Draw;
use crate::domain::state::entries::Entry;
use crate::domain::state::idempotency::{OrderThen, Remembered, StoredReply};
use crate::domain::state::principals::NO_PRINCIPAL;
use crate::domain::state::restore::Restore;
use crate::domain::state::snapshot_rows::{
    DrawRow, EntryRow, HeadRow, KeptRow, KeyRow, OrderRow, Owner, SkuRow,
};
use crate::domain::state::tables::State;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// In the order of the variants, but keys last; uses by SKU in the order they began, entries after
/// their draw, keys oldest first. Caps of draws that are not the defaults follow the head, and then
/// lives, by epoch.
#[derive(Serialize, Deserialize)]
pub(super) enum Row<'a> {
    Head {
        sequence: u64,
        stamp: u64,
        epoch: u32,
        hash_key: [u8; 16],
        answers_before_sync: bool,
        rules: StoredRules,
        first_key: u64,
    },
    Principal(&'a str),
    Sku {
        sku: &'a str,
        created_sequence: u64,
        deleted: bool,
        total: u64,
        held: u64,
        sold: u64,
        #[serde(borrow)]
        settings: StoredSettings<'a>,
        version: u64,
        refused: Vec<(u8, u64)>,
    },
    Use {
        sku_created_sequence: u64,
        user: &'a str,
        units: u64,
    },
    Order {
        order: StoredOrderId,
        user: &'a str,
        principal: u16,
        status: u8,
        graced: bool,
        created_at: u64,
        expires_at: u64,
        changed_sequence: u64,
        touched_at: u64,
        touched_sequence: u64,
        lines: SmallVec<[(u64, u32, u32); 1]>,
        reference: Option<&'a str>,
    },
    Key {
        hash: u128,
        fingerprint: u64,
        sequence: u64,
        at: u64,
        principal: u16,
        #[serde(borrow)]
        answer: StoredKept<'a>,
    },
    DrawCaps {
        draws: u32,
        entries: u32,
    },
    Draw {
        draw: &'a str,
        created_sequence: u64,
        deleted: bool,
        #[serde(borrow)]
        terms: StoredTerms<'a>,
        admission: StoredAdmission,
        sealed: StoredSealed,
        closed_at: Option<u64>,
        version: u64,
    },
    Entry {
        user: &'a str,
        principal: u16,
        client_seed: Option<&'a str>,
        pick: Option<u8>,
        reason: u8,
        sequence: u64,
        epoch: u32,
    },
    Life {
        epoch: u32,
        life: u64,
        sequence: u64,
    },
    /// The principals that the settings name, and the numbers of those that are configured; after
    /// the principals, where there are any.
    Configured {
        names: Vec<&'a str>,
        numbers: Vec<u16>,
    },
    /// Whose the next user is that no row before named, or the next use; where a configured
    /// principal brought it.
    Owner {
        principal: u16,
        of_user: bool,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) enum StoredKept<'a> {
    Created {
        order: StoredOrderId,
        expires_at: Option<u64>,
    },
    Order {
        order: StoredOrderId,
        status: u8,
        expires_at: Option<u64>,
        changed_sequence: u64,
        refunded: SmallVec<[u32; 1]>,
    },
    Sku(#[serde(borrow)] StoredSkuView<'a>),
    Entry {
        draw_created_sequence: u64,
        number: u32,
        expires_at: u64,
    },
    Draw(#[serde(borrow)] StoredDrawView<'a>),
}

/// Shows every row of a state in its order; ends at the first error.
pub(super) fn each_row<E>(
    state: &State,
    row: &mut dyn FnMut(&Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    each_row_of_all(state, row)?;
    let mut owned_users = OwnedUsers::of(state);
    let skus = || state.skus.after(None::<&SkuId>).chain(state.skus.deleted());
    for sku in skus() {
        row(&sku_row(sku))?;
    }
    for sku in skus() {
        for found in state.uses.of_sku(sku) {
            if let Some(principal) = owned_users.first_named(state, found.user) {
                row(&Row::Owner { principal, of_user: true })?;
            }
            if found.owner() != NO_PRINCIPAL {
                row(&Row::Owner { principal: found.owner(), of_user: false })?;
            }
            row(&Row::Use {
                sku_created_sequence: sku.created_sequence,
                user: state.users[found.user].id.as_str(),
                units: found.units(),
            })?;
        }
    }
    for order in state.orders.after(None) {
        if let Some(principal) = owned_users.first_named(state, order.user) {
            row(&Row::Owner { principal, of_user: true })?;
        }
        row(&order_row(state, order))?;
    }
    for draw in state.draws.by_id().chain(state.draws.deleted()) {
        row(&draw_row(draw))?;
        for (_, entry) in draw.entries.after(0) {
            row(&entry_row(state, entry))?;
        }
    }
    for key in state.requests.iter() {
        row(&key_row(state, &key))?;
    }
    Ok(())
}

/// What holds for all rows that follow: where the state is, its settings, lives and principals.
fn each_row_of_all<E>(
    state: &State,
    row: &mut dyn FnMut(&Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    row(&Row::Head {
        sequence: state.sequence,
        stamp: state.stamp,
        epoch: state.epoch,
        hash_key: state.hash_key,
        answers_before_sync: state.answers_before_sync,
        rules: (&state.settings).into(),
        first_key: state.requests.first(),
    })?;
    if let (draws, entries) = state.settings.caps.of_draws()
        && (draws, entries) != Caps::OF_DRAWS
    {
        row(&Row::DrawCaps { draws, entries })?;
    }
    for Begun { epoch, life, sequence } in state.lives.begun() {
        row(&Row::Life { epoch: *epoch, life: life.bits(), sequence: *sequence })?;
    }
    for entry in state.principals.iter() {
        row(&Row::Principal(entry.name.as_str()))?;
    }
    if !state.settings.principals.is_empty() {
        let names = state.settings.principals.iter().map(PrincipalName::as_str).collect();
        row(&Row::Configured { names, numbers: state.principals.configured().collect() })?;
    }
    Ok(())
}

fn sku_row(sku: &Sku) -> Row<'_> {
    Row::Sku {
        sku: sku.id.as_str(),
        created_sequence: sku.created_sequence,
        deleted: sku.deleted,
        total: sku.total,
        held: sku.held,
        sold: sku.sold,
        settings: (&sku.settings).into(),
        version: sku.version,
        refused: refused(&sku.refused),
    }
}

fn order_row<'a>(state: &'a State, order: &'a Order) -> Row<'a> {
    let line = |line: &Line| (state.skus[line.sku].created_sequence, line.quantity, line.refunded);
    Row::Order {
        order: order.id.into(),
        user: state.users[order.user].id.as_str(),
        principal: order.principal,
        status: order.status as u8,
        graced: order.graced,
        created_at: order.created_at,
        expires_at: order.expires_at,
        changed_sequence: order.changed_sequence,
        touched_at: order.touched_at,
        touched_sequence: order.touched_sequence,
        lines: order.lines.iter().map(line).collect(),
        reference: order.reference.as_ref().map(|reference| reference.as_str()),
    }
}

fn draw_row(draw: &Draw) -> Row<'_> {
    Row::Draw {
        draw: draw.id.as_str(),
        created_sequence: draw.created_sequence,
        deleted: draw.deleted,
        terms: (&draw.terms).into(),
        admission: draw.admission.into(),
        sealed: draw.sealed.into(),
        closed_at: draw.closed_at,
        version: draw.version,
    }
}

fn entry_row<'a>(state: &'a State, entry: &'a Entry) -> Row<'a> {
    Row::Entry {
        user: state.draws.entrant_of(entry).user.as_str(),
        principal: entry.principal,
        client_seed: entry.client_seed.as_deref(),
        pick: entry.pick,
        reason: entry.reason as u8,
        sequence: entry.sequence,
        epoch: entry.epoch,
    }
}

fn key_row<'a>(state: &State, key: &'a Remembered<'_>) -> Row<'a> {
    let answer = match &*key.answer {
        StoredReply::Created { order, expires_at } => {
            StoredKept::Created { order: state.orders[*order].id.into(), expires_at: *expires_at }
        }
        StoredReply::Order { order, then } => StoredKept::Order {
            order: state.orders[*order].id.into(),
            status: then.status as u8,
            expires_at: then.expires_at,
            changed_sequence: then.changed_sequence,
            refunded: then.refunded.clone(),
        },
        StoredReply::Sku(sku) => StoredKept::Sku((&**sku).into()),
        StoredReply::Entry { draw, number, expires_at } => StoredKept::Entry {
            draw_created_sequence: state.draws[*draw].created_sequence,
            number: *number,
            expires_at: *expires_at,
        },
        StoredReply::Draw(draw) => StoredKept::Draw((&**draw).into()),
    };
    Row::Key {
        hash: key.hash,
        fingerprint: key.fingerprint,
        sequence: key.sequence,
        at: key.at,
        principal: key.principal,
        answer,
    }
}

impl<'a> Row<'a> {
    /// Decodes a row.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let (row, read) = bincode::serde::borrow_decode_from_slice(bytes, LAYOUT)?;
        if read != bytes.len() {
            return Err(CodecError::Trailing(bytes.len() - read));
        }
        Ok(row)
    }

    /// What it will be looked up by, in tables that are far larger than any cache.
    pub(super) fn wanted(&self) -> Option<PrefetchKeys<'a>> {
        let wanted = PrefetchKeys { key: None, user: None, order: None };
        match self {
            Row::Use { user, .. } | Row::Order { user, .. } => {
                Some(PrefetchKeys { user: Some(*user), ..wanted })
            }
            Row::Key { hash, .. } => Some(PrefetchKeys { key: Some(*hash), ..wanted }),
            _ => None,
        }
    }
}

/// Hands a row to the state in the making; the head begins it.
pub(super) fn take_row(
    restore: &mut Option<Restore>,
    seed: u64,
    row: Row<'_>,
) -> Result<(), CodecError> {
    match (row, restore) {
        (
            Row::Head { sequence, stamp, epoch, hash_key, answers_before_sync, rules, first_key },
            place @ None,
        ) => {
            let settings = rules.into();
            let head = HeadRow {
                sequence,
                stamp,
                epoch,
                hash_key,
                answers_before_sync,
                settings,
                first_key,
            };
            *place = Some(Restore::new(seed, head));
            Ok(())
        }
        (Row::Head { .. }, Some(_)) => Err(CodecError::Value("second head")),
        (_, None) => Err(CodecError::Value("row before the head")),
        (row, Some(restore)) => take_after_head(restore, row),
    }
}

fn take_after_head(restore: &mut Restore, row: Row<'_>) -> Result<(), CodecError> {
    let taken = match row {
        Row::Head { .. } => unreachable!("the head was taken before"),
        Row::DrawCaps { draws, entries } => {
            restore.draw_caps(draws, entries);
            Ok(())
        }
        Row::Life { epoch, life, sequence } => {
            restore.life(Begun { epoch, life: values::life(life)?, sequence })
        }
        Row::Draw {
            draw,
            created_sequence,
            deleted,
            terms,
            admission,
            sealed,
            closed_at,
            version,
        } => restore.draw(DrawRow {
            id: draw_id(draw)?,
            created_sequence,
            deleted,
            terms: terms.read()?,
            admission: admission.into(),
            sealed: sealed.into(),
            closed_at,
            version,
        }),
        Row::Entry { user, principal, client_seed: added, pick, reason, sequence, epoch } => {
            restore.entry(EntryRow {
                user: user_id(user)?,
                principal,
                pick,
                reason: entry_reason(reason)?,
                sequence,
                epoch,
                client_seed: client_seed(added)?.as_deref().map(Into::into),
            })
        }
        Row::Principal(name) => {
            let name = PrincipalName::parse(name).map_err(|_| CodecError::Value("principal"))?;
            restore.principal(name)
        }
        Row::Configured { names, numbers } => restore.configured(principal_names(names)?, &numbers),
        Row::Owner { principal, of_user } => restore.owner(Owner { principal, of_user }),
        Row::Sku {
            sku,
            created_sequence,
            deleted,
            total,
            held,
            sold,
            settings,
            version,
            refused,
        } => restore.sku(SkuRow {
            id: sku_id(sku)?,
            created_sequence,
            deleted,
            total,
            held,
            sold,
            settings: settings.read()?,
            version,
            refused: read_refused(&refused)?,
        }),
        Row::Use { sku_created_sequence, user, units } => {
            restore.use_of(sku_created_sequence, &user_id(user)?, units)
        }
        row @ Row::Order { .. } => restore.order(read_order(row)?),
        Row::Key { hash, fingerprint, sequence, at, principal, answer } => restore.key(KeyRow {
            claim: KeyClaim { hash, fingerprint },
            sequence,
            at,
            principal,
            answer: read_kept(answer)?,
        }),
    };
    taken.map_err(|contradiction| CodecError::Value(contradiction.0))
}

fn read_order(row: Row<'_>) -> Result<OrderRow, CodecError> {
    let Row::Order {
        order,
        user,
        principal,
        status: number,
        graced,
        created_at,
        expires_at,
        changed_sequence,
        touched_at,
        touched_sequence,
        lines,
        reference,
    } = row
    else {
        unreachable!("only orders come here");
    };
    Ok(OrderRow {
        id: order.into(),
        user: user_id(user)?,
        principal,
        status: status(number)?,
        graced,
        created_at,
        expires_at,
        changed_sequence,
        touched_at,
        touched_sequence,
        lines,
        reference: reference.map(Into::into),
    })
}

fn read_kept(stored: StoredKept<'_>) -> Result<KeptRow, CodecError> {
    Ok(match stored {
        StoredKept::Created { order, expires_at } => KeptRow::Created(order.into(), expires_at),
        StoredKept::Order { order, status: number, expires_at, changed_sequence, refunded } => {
            let status = status(number)?;
            let then = OrderThen { status, expires_at, changed_sequence, refunded };
            KeptRow::Order(order.into(), Box::new(then))
        }
        StoredKept::Sku(sku) => KeptRow::Sku(Box::new(sku.read()?)),
        StoredKept::Entry { draw_created_sequence, number, expires_at } => {
            KeptRow::Entry(draw_created_sequence, number, expires_at)
        }
        StoredKept::Draw(draw) => KeptRow::Draw(Box::new(draw.read()?)),
    })
}
