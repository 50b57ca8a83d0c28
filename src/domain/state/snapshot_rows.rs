//! The rows of a snapshot: a state as it is told, kind by kind, before it is one.
//!
//! Owns what stands in them, by names and events instead of slots; what follows from them is not
//! there. Checks nothing. Next: `restore`, which makes a state of them, and `codec::rows`, which
//! stores them.

use super::idempotency::OrderThen;
use crate::domain::model::answer::{DrawView, SkuView};
use crate::domain::model::command::SkuSettings;
use crate::domain::model::draw::{Admission, Pick, Reason, SeedCommitment, Terms};
use crate::domain::model::ids::{DrawId, KeyClaim, OrderId, Sequence, SkuId, Stamp, UserId};
use crate::domain::model::order::Status;
use crate::domain::model::settings::Settings;
use crate::domain::model::sku::Refused;
use compact_str::CompactString;
use smallvec::SmallVec;

/// The numbers of the whole state.
#[derive(Debug)]
pub struct HeadRow {
    pub sequence: Sequence,
    pub stamp: Stamp,
    pub epoch: u32,
    pub hash_key: [u8; 16],
    pub answers_before_sync: bool,
    pub settings: Settings,
    /// The number of the oldest key kept.
    pub first_key: u64,
}

/// A SKU; live ones by id, then deleted ones by the event that created them.
#[derive(Debug)]
pub struct SkuRow {
    pub id: SkuId,
    pub created_sequence: Sequence,
    pub deleted: bool,
    pub total: u64,
    pub held: u64,
    pub sold: u64,
    pub settings: SkuSettings,
    pub version: Sequence,
    pub refused: Refused,
}

/// An order, by id.
#[derive(Debug)]
pub struct OrderRow {
    pub id: OrderId,
    pub user: UserId,
    pub principal: u16,
    pub status: Status,
    pub graced: bool,
    pub created_at: Stamp,
    pub expires_at: Stamp,
    pub changed_sequence: Sequence,
    pub touched_at: Stamp,
    pub touched_sequence: Sequence,
    /// SKUs by the events that created them, units ordered, units given back.
    pub lines: SmallVec<[(Sequence, u32, u32); 1]>,
    pub reference: Option<CompactString>,
}

/// A draw; live ones by id, then deleted ones by the event that made them.
#[derive(Debug)]
pub struct DrawRow {
    pub id: DrawId,
    pub created_sequence: Sequence,
    pub deleted: bool,
    pub terms: Terms,
    pub admission: Admission,
    pub sealed: SeedCommitment,
    pub closed_at: Option<Stamp>,
    pub version: Sequence,
}

/// An entry of the draw before it, by number.
#[derive(Debug)]
pub struct EntryRow {
    pub user: UserId,
    pub principal: u16,
    pub pick: Pick,
    pub reason: Reason,
    pub sequence: Sequence,
    pub epoch: u32,
    pub client_seed: Option<Box<str>>,
}

/// A key, oldest first.
#[derive(Debug)]
pub struct KeyRow {
    pub claim: KeyClaim,
    pub sequence: Sequence,
    pub at: Stamp,
    pub principal: u16,
    pub answer: KeptRow,
}

/// See `StoredReply`; orders by id.
#[derive(Debug)]
pub enum KeptRow {
    /// 201 with a new order.
    Created(OrderId, Option<Stamp>),
    /// 200 with an order.
    Order(OrderId, Box<OrderThen>),
    /// 200 with a SKU.
    Sku(Box<SkuView>),
    /// 201 with an entry: the event that made its draw, its number, the deadline of a held win or
    /// 0.
    Entry(Sequence, u32, Stamp),
    /// 200 with a draw.
    Draw(Box<DrawView>),
}

/// Whose the next user or use is; only where a configured principal brought it.
#[derive(Debug)]
pub struct Owner {
    /// Number of the principal.
    pub principal: u16,
    /// The next user that was not there before, or the next use.
    pub of_user: bool,
}
