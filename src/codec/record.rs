//! Records and seals: what one journal record holds, and what a seal says of the state.
//!
//! Owns the stored record and its general way through serde. Never decides. Next: `created`, the
//! short way of the usual record; `event`.

use super::event::StoredEvent;
use super::{CodecError, LAYOUT, created};
use crate::domain::model::event::{Event, Origin, Record};
use crate::domain::model::ids::{KeyClaim, PrincipalName, Traceparent};
use crate::domain::state::tables::State;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct StoredRecord<'a> {
    #[serde(borrow)]
    origin: Option<StoredOrigin<'a>>,
    #[serde(borrow)]
    event: StoredEvent<'a>,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin<'a> {
    principal: &'a str,
    reach_all: bool,
    key: Option<(u128, u64)>,
    traceparent: Option<StoredTraceparent>,
}

#[derive(Serialize, Deserialize)]
struct StoredTraceparent {
    trace: [u8; 16],
    parent: [u8; 8],
    flags: u8,
}

fn store_origin(origin: &Origin) -> StoredOrigin<'_> {
    StoredOrigin {
        principal: origin.principal.as_str(),
        reach_all: origin.reach_all,
        key: origin.key.map(|key| (key.hash, key.fingerprint)),
        traceparent: origin.traceparent.map(|traceparent| StoredTraceparent {
            trace: traceparent.trace,
            parent: traceparent.parent,
            flags: traceparent.flags,
        }),
    }
}

fn read_origin(stored: StoredOrigin<'_>) -> Result<Origin, CodecError> {
    let principal = PrincipalName::parse(stored.principal);
    Ok(Origin {
        principal: principal.map_err(|_| CodecError::Value("principal"))?,
        reach_all: stored.reach_all,
        key: stored.key.map(|(hash, fingerprint)| KeyClaim { hash, fingerprint }),
        traceparent: stored.traceparent.map(|stored| Traceparent {
            trace: stored.trace,
            parent: stored.parent,
            flags: stored.flags,
        }),
    })
}

/// Appends a record's bytes to `bytes`.
pub fn encode_record(record: &Record, bytes: &mut Vec<u8>) {
    match record {
        Record { origin: Some(origin), event: Event::OrderCreated(created) } => {
            created::encode(origin, created, bytes);
        }
        record => encode_in_general(record, bytes),
    }
}

/// As [`encode_record`], for a record of any kind.
pub(super) fn encode_in_general(record: &Record, bytes: &mut Vec<u8>) {
    let stored = StoredRecord {
        origin: record.origin.as_ref().map(store_origin),
        event: (&record.event).into(),
    };
    bincode::serde::encode_into_std_write(stored, bytes, LAYOUT)
        .expect("a record of bounded members always encodes into memory");
}

/// Reads a record back.
///
/// # Errors
/// When the bytes are not one whole record of this or an earlier version.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    created::decode(bytes).map_or_else(|| decode_in_general(bytes), Ok)
}

/// As [`decode_record`], for a record of any kind.
pub(super) fn decode_in_general(bytes: &[u8]) -> Result<Record, CodecError> {
    let (stored, read): (StoredRecord<'_>, usize) =
        bincode::serde::borrow_decode_from_slice(bytes, LAYOUT)?;
    if read != bytes.len() {
        return Err(CodecError::Trailing(bytes.len() - read));
    }
    Ok(Record { origin: stored.origin.map(read_origin).transpose()?, event: stored.event.read()? })
}

/// What a seal says of the state, so that a replay can be compared with the writer's own view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The server stopped here in good order.
    pub drained: bool,
    /// The state's sequence.
    pub sequence: u64,
    /// SKUs, deleted ones that orders still name included.
    pub skus: u32,
    pub users: u32,
    /// Pairs of user and SKU.
    pub uses: u32,
    pub orders: u32,
    /// Held ones among them.
    pub held: u64,
    pub keys: u32,
}

impl Totals {
    /// The totals of a state.
    #[must_use]
    pub fn of(state: &State, drained: bool) -> Self {
        Self {
            drained,
            sequence: state.sequence,
            skus: state.skus.len(),
            users: state.users.len(),
            uses: state.uses.len(),
            orders: state.orders.len(),
            held: state.orders.deadlines().len() as u64,
            keys: state.requests.len(),
        }
    }
}

/// The bytes of totals.
#[must_use]
pub fn encode_totals(totals: &Totals) -> Vec<u8> {
    bincode::serde::encode_to_vec(totals, LAYOUT).expect("numbers always encode into memory")
}

/// Reads totals back; members that a later version appended are passed over.
///
/// # Errors
/// When the bytes are too few.
pub fn decode_totals(bytes: &[u8]) -> Result<Totals, CodecError> {
    let (totals, _) = bincode::serde::decode_from_slice(bytes, LAYOUT)?;
    Ok(totals)
}
