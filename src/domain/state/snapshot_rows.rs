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
    /// See `State`.
    pub sequence: Sequence,
    /// See `State`.
    pub stamp: Stamp,
    /// See `State`.
    pub epoch: u32,
    /// See `State`.
    pub hash_key: [u8; 16],
    /// See `State`.
    pub answers_before_sync: bool,
    /// See `State`.
    pub settings: Settings,
    /// The number of the oldest key kept.
    pub first_key: u64,
}

/// A SKU; live ones by id, then deleted ones by the event that created them.
#[derive(Debug)]
pub struct SkuRow {
    /// See `Sku`.
    pub id: SkuId,
    /// See `Sku`.
    pub created_sequence: Sequence,
    /// See `Sku`.
    pub deleted: bool,
    /// See `Sku`.
    pub total: u64,
    /// See `Sku`.
    pub held: u64,
    /// See `Sku`.
    pub sold: u64,
    /// See `Sku`.
    pub settings: SkuSettings,
    /// See `Sku`.
    pub version: Sequence,
    /// See `Sku`.
    pub refused: Refused,
}

/// An order, by id.
#[derive(Debug)]
pub struct OrderRow {
    /// See `Order`.
    pub id: OrderId,
    /// See `Order`.
    pub user: UserId,
    /// See `Order`.
    pub principal: u16,
    /// See `Order`.
    pub status: Status,
    /// See `Order`.
    pub graced: bool,
    /// See `Order`.
    pub created_at: Stamp,
    /// See `Order`.
    pub expires_at: Stamp,
    /// See `Order`.
    pub changed_sequence: Sequence,
    /// See `Order`.
    pub touched_at: Stamp,
    /// See `Order`.
    pub touched_sequence: Sequence,
    /// SKUs by the events that created them, units ordered, units given back.
    pub lines: SmallVec<[(Sequence, u32, u32); 1]>,
    /// See `Order`.
    pub reference: Option<CompactString>,
}

/// A draw; live ones by id, then deleted ones by the event that made them.
#[derive(Debug)]
pub struct DrawRow {
    /// See `Draw`.
    pub id: DrawId,
    /// See `Draw`.
    pub created_sequence: Sequence,
    /// See `Draw`.
    pub deleted: bool,
    /// See `Draw`.
    pub terms: Terms,
    /// See `Draw`.
    pub admission: Admission,
    /// See `Draw`.
    pub sealed: SeedCommitment,
    /// See `Draw`.
    pub closed_at: Option<Stamp>,
    /// See `Draw`.
    pub version: Sequence,
}

/// An entry of the draw before it, by number.
#[derive(Debug)]
pub struct EntryRow {
    /// Who tried.
    pub user: UserId,
    /// See `Entry`.
    pub principal: u16,
    /// See `Entry`.
    pub pick: Pick,
    /// See `Entry`.
    pub reason: Reason,
    /// See `Entry`.
    pub sequence: Sequence,
    /// See `Entry`.
    pub epoch: u32,
    /// See `Entry`.
    pub client_seed: Option<Box<str>>,
}

/// A key, oldest first.
#[derive(Debug)]
pub struct KeyRow {
    /// See `Remembered`.
    pub claim: KeyClaim,
    /// See `Remembered`.
    pub sequence: Sequence,
    /// See `Remembered`.
    pub at: Stamp,
    /// See `Remembered`.
    pub principal: u16,
    /// See `StoredReply`.
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
