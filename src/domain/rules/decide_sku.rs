//! What a command on a SKU does: reads the state, changes nothing. Next: `apply`.

use super::checks::{Decided, Early, check_precondition, make_room_for_key};
use super::limits::{self, KeyFor};
use super::views;
use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::{
    AdjustSku, Adjustment, DeleteSku, PatchSku, PutSku, Request, SkuSettings,
};
use crate::domain::model::event::{Event, SkuAdjusted, SkuDeleted, SkuPatched, SkuPut};
use crate::domain::model::ids::{GROUP_SKUS_MAX, STOCK_MAX, SkuId, Stamp};
use crate::domain::model::sku::Sku;
use crate::domain::state::tables::State;

fn find(state: &State, sku: &SkuId) -> Result<u32, Refusal> {
    state.skus.find(sku).ok_or_else(|| Refusal::UnknownSku(sku.clone()))
}

/// Creates or replaces. An identical PUT changes nothing and needs no If-Match.
pub(in crate::domain) fn put(state: &State, put: &PutSku, now: Stamp) -> Decided {
    let slot = state.skus.find(&put.sku);
    let version = slot.map(|slot| state.skus[slot].version);
    check_precondition(&put.precondition, version)?;
    if let Some(slot) = slot {
        let sku = &state.skus[slot];
        if sku.total == put.stock && sku.settings == put.settings {
            return Err(Early::Unchanged(Answer::Sku(Box::new(views::sku_view(sku, now)))));
        }
        if !put.precondition.is_match() {
            return Err(Refusal::IfMatchRequired(sku.version).into());
        }
        check_committed(sku, put.stock)?;
    }
    check_settings(state, slot, &put.settings)?;
    if slot.is_none() && state.skus.len() >= state.settings.caps.skus {
        return Err(Refusal::Capacity("skus").into());
    }
    Ok(Event::SkuPut(Box::new(SkuPut {
        sku: put.sku.clone(),
        stock: put.stock,
        settings: put.settings.clone(),
        precondition: put.precondition.met_by(version),
        created: slot.is_none(),
    })))
}

/// Changes some settings. A PATCH without effect changes nothing.
pub(in crate::domain) fn patch(state: &State, patch: &PatchSku, now: Stamp) -> Decided {
    let slot = find(state, &patch.sku)?;
    let sku = &state.skus[slot];
    check_precondition(&patch.precondition, Some(sku.version))?;
    let settings = patch.changes.over(&sku.settings);
    if settings == sku.settings {
        return Err(Early::Unchanged(Answer::Sku(Box::new(views::sku_view(sku, now)))));
    }
    check_settings(state, Some(slot), &settings)?;
    let precondition = patch.precondition.met_by(Some(sku.version));
    let patch = PatchSku { precondition, ..patch.clone() };
    Ok(Event::SkuPatched(Box::new(SkuPatched { patch, settings })))
}

/// Rules over several settings, and over the SKUs of a group.
fn check_settings(state: &State, slot: Option<u32>, settings: &SkuSettings) -> Result<(), Refusal> {
    if let (Some(opens_at), Some(closes_at)) = (settings.opens_at, settings.closes_at)
        && opens_at >= closes_at
    {
        return Err(Refusal::Invalid { field: "closes_at", reason: "must be after opens_at" });
    }
    if let Some(group) = &settings.limit_group {
        let members = state.skus.group(group);
        let joins = slot.is_none_or(|slot| !members.contains(&slot));
        if joins && members.len() >= GROUP_SKUS_MAX {
            let reason = "is a group of 64 SKUs already, which is the most";
            return Err(Refusal::Invalid { field: "limit_group", reason });
        }
    }
    Ok(())
}

fn check_committed(sku: &Sku, total: u64) -> Result<(), Refusal> {
    if total < sku.committed() {
        return Err(Refusal::StockBelowCommitted { held: sku.held, sold: sku.sold });
    }
    Ok(())
}

/// Sets the total anew, by a difference or, with If-Match, to a number.
pub(in crate::domain) fn adjust(
    state: &State,
    request: &Request,
    adjust: &AdjustSku,
    now: Stamp,
) -> Decided {
    let slot = find(state, &adjust.sku)?;
    let sku = &state.skus[slot];
    check_precondition(&adjust.precondition, Some(sku.version))?;
    let total = match adjust.adjustment {
        Adjustment::Stock(_) if !adjust.precondition.is_match() => {
            return Err(Refusal::IfMatchRequired(sku.version).into());
        }
        Adjustment::Stock(total) => total,
        // Below nothing is below what is held and sold, whatever that is.
        Adjustment::Delta(delta) => match sku.total.checked_add_signed(delta) {
            Some(total) => total,
            None => {
                let (held, sold) = (sku.held, sku.sold);
                return Err(Refusal::StockBelowCommitted { held, sold }.into());
            }
        },
    };
    check_committed(sku, total)?;
    if total > STOCK_MAX {
        let reason = "would make more than 1,000,000,000,000 units";
        return Err(Refusal::Invalid { field: "delta", reason }.into());
    }
    make_room_for_key(state, request, now)?;
    limits::room_for_key(state, request, KeyFor::New)?;
    limits::room_for_answer(state, request)?;
    let unchanged = total == sku.total;
    let adjusted = Box::new(SkuAdjusted {
        sku: adjust.sku.clone(),
        adjustment: adjust.adjustment,
        reason: adjust.reason.clone(),
        precondition: adjust.precondition.met_by(Some(sku.version)),
        total,
    });
    // Its key must be remembered, and that is an event; for followers nothing happened.
    Ok(if unchanged { Event::AdjustmentRepeated(adjusted) } else { Event::SkuAdjusted(adjusted) })
}

/// Takes a SKU off sale, if no user holds a unit of it and no unclosed draw names it.
pub(in crate::domain) fn delete(state: &State, delete: &DeleteSku) -> Decided {
    let slot = find(state, &delete.sku)?;
    let sku = &state.skus[slot];
    check_precondition(&delete.precondition, Some(sku.version))?;
    if !delete.precondition.is_match() {
        return Err(Refusal::IfMatchRequired(sku.version).into());
    }
    if sku.held > 0 || state.draws.names(slot) {
        return Err(Refusal::InUse { held: sku.held }.into());
    }
    let precondition = delete.precondition.met_by(Some(sku.version));
    Ok(Event::SkuDeleted(SkuDeleted { sku: delete.sku.clone(), precondition }))
}
