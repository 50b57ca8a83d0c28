//! Stored values that events, rows and refusals have in common, and how they are read back.
//!
//! Owns no variant of anything: those are where they are stored. Next: `event`, `rows`, `kept`.

use super::CodecError;
use crate::domain::model::ids::{OrderId, PrincipalName, UserId};
use crate::domain::model::lives::Life;
use crate::domain::model::order::Status;
use crate::domain::model::settings::{Caps, Settings};
use serde::{Deserialize, Serialize};

/// Reads names of principals.
pub(super) fn principal_names(names: Vec<&str>) -> Result<Vec<PrincipalName>, CodecError> {
    let name = |name| PrincipalName::parse(name).map_err(|_| CodecError::Value("principal"));
    names.into_iter().map(name).collect()
}

/// Epoch and sequence.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub(super) struct StoredOrderId(u32, u64);

impl From<OrderId> for StoredOrderId {
    fn from(id: OrderId) -> Self {
        Self(id.epoch, id.sequence)
    }
}

impl From<StoredOrderId> for OrderId {
    fn from(stored: StoredOrderId) -> Self {
        Self { epoch: stored.0, sequence: stored.1 }
    }
}

pub(super) fn store_ids(orders: &[OrderId]) -> Vec<StoredOrderId> {
    orders.iter().map(|order| (*order).into()).collect()
}

pub(super) fn read_ids(orders: Vec<StoredOrderId>) -> Vec<OrderId> {
    orders.into_iter().map(OrderId::from).collect()
}

/// The settings that decide outcomes.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRules {
    hold_ms_default: u64,
    hold_ms_max: u64,
    open_holds_per_user_max: u32,
    recovery_grace_ms: u64,
    idempotency_retain_ms: u64,
    orders_retain_ms: u64,
    caps: [u32; 6],
}

impl From<&Settings> for StoredRules {
    fn from(settings: &Settings) -> Self {
        // Those of draws and entries stand elsewhere, and only where they are not the defaults; so
        // do principals.
        let Caps { skus, orders, keys, answers, uses, users, draws: _, entries: _ } = settings.caps;
        Self {
            hold_ms_default: settings.hold_ms_default,
            hold_ms_max: settings.hold_ms_max,
            open_holds_per_user_max: settings.open_holds_per_user_max,
            recovery_grace_ms: settings.recovery_grace_ms,
            idempotency_retain_ms: settings.idempotency_retain_ms,
            orders_retain_ms: settings.orders_retain_ms,
            caps: [skus, orders, keys, answers, uses, users],
        }
    }
}

impl From<StoredRules> for Settings {
    fn from(stored: StoredRules) -> Self {
        let [skus, orders, keys, answers, uses, users] = stored.caps;
        Self {
            hold_ms_default: stored.hold_ms_default,
            hold_ms_max: stored.hold_ms_max,
            open_holds_per_user_max: stored.open_holds_per_user_max,
            recovery_grace_ms: stored.recovery_grace_ms,
            idempotency_retain_ms: stored.idempotency_retain_ms,
            orders_retain_ms: stored.orders_retain_ms,
            caps: Caps { skus, orders, keys, answers, uses, users, ..Caps::default() },
            principals: Vec::new(),
        }
    }
}

/// The stored number of a life, read back.
pub(super) fn life(bits: u64) -> Result<Life, CodecError> {
    Life::of_bits(bits).ok_or(CodecError::Value("life"))
}

pub(super) fn user_id(text: &str) -> Result<UserId, CodecError> {
    UserId::parse(text).map_err(|_| CodecError::Value("user id"))
}

pub(super) fn status(number: u8) -> Result<Status, CodecError> {
    let known = Status::ALL.get(usize::from(number)).copied();
    known.ok_or(CodecError::Value("order status"))
}
