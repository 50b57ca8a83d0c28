//! What was decided, in the past tense: the journaled truth.
//!
//! One event has one sequence and is one record. An event holds all that `apply` needs, and, with
//! its origin, all of the command that made it. Variants are appended, never reordered: old
//! journals are read for ever (`codec`). Next: `apply`.

use super::command::{Adjustment, PatchSku, Precondition, SkuSettings, Take};
use super::draw::{Admission, Pick, Reason, SeedCommitment, Terms};
use super::ids::{
    DrawId, KeyClaim, LineRequests, OrderId, PrincipalName, Sequence, SkuId, Stamp, Traceparent,
    UserId,
};
use super::kept::{KeptRefusal, NotKept};
use super::lives::Life;
use super::settings::Settings;
use super::sku::RefusalReason;
use compact_str::CompactString;

/// An event with whose command made it; none for what no request caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who asked, under which key.
    pub origin: Option<Origin>,
    pub event: Event,
}

/// Whose command made an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub principal: PrincipalName,
    /// Whether the principal saw the orders of all principals.
    pub reach_all: bool,
    /// Under which key.
    pub key: Option<KeyClaim>,
    /// In which trace.
    pub traceparent: Option<Traceparent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server started. Its epoch is higher than the last; where an arbiter grants epochs, those
    /// of starts that ended before they wrote are missing.
    Started(Started),
    /// The settings that decide outcomes changed.
    SettingsChanged(Box<Settings>),
    /// A SKU was created, or replaced whole.
    SkuPut(Box<SkuPut>),
    /// Some settings of a SKU changed.
    SkuPatched(Box<SkuPatched>),
    /// A SKU's total was set anew.
    SkuAdjusted(Box<SkuAdjusted>),
    /// A SKU went off sale for good.
    SkuDeleted(SkuDeleted),
    /// Units were taken.
    OrderCreated(OrderCreated),
    /// Held units were sold.
    OrderConfirmed(OrderId),
    /// An expired order took its units again and sold them.
    OrderReacquired(OrderId),
    /// A hold was given back.
    OrderCancelled(OrderId),
    /// A hold ran out.
    OrderExpired(OrderId),
    /// A hold got a later deadline.
    OrderExtended(OrderExtended),
    /// Holds that fell due while the server was away got their grace.
    HoldsGraced(HoldsGraced),
    /// Sold units left the house.
    OrderShipped(OrderId),
    /// Sold units arrived.
    OrderCompleted(OrderId),
    /// Sold units came back.
    OrderRefunded(Box<OrderRefunded>),
    /// A keyed command found all as it wanted it; the answer is remembered.
    AnswerRepeated(Box<AnswerRepeated>),
    /// The oldest keys left, this many.
    KeysForgotten(u32),
    /// Orders that were not touched for long left the table.
    OrdersArchived(Vec<OrderId>),
    /// The first uses of a deleted SKU left.
    UsesPurged(UsesPurged),
    /// Refusals since the last of these.
    RefusalsCounted(Vec<RefusalCount>),
    /// A draw was made, or changed.
    DrawPut(Box<DrawPut>),
    /// A draw was closed.
    DrawClosed(DrawId),
    /// A keyed closing found the draw closed; the answer is remembered.
    DrawCloseRepeated(DrawId),
    /// A closed draw was let go.
    DrawDeleted(Box<DrawDeleted>),
    /// An entry was made; a win holds or sells a unit in the same event.
    EntryMade(Box<EntryMade>),
    /// The last entries of a deleted draw left.
    EntriesPurged(EntriesPurged),
    /// A keyed adjustment found the total as it wanted it; the answer is remembered.
    AdjustmentRepeated(Box<SkuAdjusted>),
    /// Refusals, whole; they change nothing.
    RefusalsKept(Vec<KeptRefusal>),
    /// Refusals that could not be kept whole.
    RefusalsNotKept(NotKept),
}

impl Event {
    /// A key that comes with its command is remembered; PUT, PATCH and DELETE ignore theirs.
    #[must_use]
    pub fn remembers(&self) -> bool {
        matches!(
            self,
            Self::OrderCreated(_)
                | Self::SkuAdjusted(_)
                | Self::AdjustmentRepeated(_)
                | Self::EntryMade(_)
                | Self::DrawClosed(_)
                | Self::DrawCloseRepeated(_)
        ) || self.order().is_some()
    }

    /// The one order that an action changed or named; none for its creation, whose id is the
    /// event's own sequence, and for events on several.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::OrderConfirmed(order)
            | Self::OrderReacquired(order)
            | Self::OrderCancelled(order)
            | Self::OrderExpired(order)
            | Self::OrderShipped(order)
            | Self::OrderCompleted(order) => Some(*order),
            Self::OrderExtended(extended) => Some(extended.order),
            Self::OrderRefunded(refunded) => Some(refunded.order),
            Self::AnswerRepeated(repeated) => Some(repeated.order),
            _ => None,
        }
    }
}

/// A start of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// 1 for the first.
    pub epoch: u32,
    /// Key of the hashes of principals and idempotency keys: made once, the same in every epoch.
    pub hash_key: [u8; 16],
    /// Answers of this epoch may go out before their records are synced.
    pub answers_before_sync: bool,
    /// Sequences that an unclean stop may have lost after they were answered, in a mode that
    /// answers before the sync: from the first to any number.
    pub lost_from: Option<Sequence>,
    /// What the ids of this start are written with; none in journals from before there were lives.
    pub life: Option<Life>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuPut {
    pub sku: SkuId,
    /// All units ever on sale.
    pub stock: u64,
    pub settings: SkuSettings,
    pub precondition: Precondition,
    /// Whether the SKU did not exist before.
    pub created: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuPatched {
    pub patch: PatchSku,
    /// What came of it.
    pub settings: SkuSettings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuAdjusted {
    pub sku: SkuId,
    pub adjustment: Adjustment,
    pub reason: String,
    pub precondition: Precondition,
    /// What came of it.
    pub total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuDeleted {
    pub sku: SkuId,
    pub precondition: Precondition,
}

/// See `CreateOrder`. The order's id is the epoch and this event's sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCreated {
    pub user: UserId,
    pub lines: LineRequests,
    /// The shop's own name for it.
    pub reference: Option<CompactString>,
    pub take: Take,
    /// The deadline; none if sold at once.
    pub expires_at: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderExtended {
    pub order: OrderId,
    /// As asked, in milliseconds.
    pub hold_ms: u64,
    /// What came of it.
    pub expires_at: Stamp,
}

/// Holds that were due when the server started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldsGraced {
    /// Which, by deadline.
    pub orders: Vec<OrderId>,
    /// Their new deadline.
    pub expires_at: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRefunded {
    pub order: OrderId,
    /// As asked; empty = all that was left.
    pub lines: LineRequests,
    /// Back on sale, or gone.
    pub restock: bool,
}

/// A keyed action that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRepeated {
    pub order: OrderId,
    pub action: super::command::Action,
}

/// Uses of a deleted SKU, in the order they began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsesPurged {
    /// The event that created the SKU: its name may be another's by now.
    pub created_sequence: Sequence,
    pub count: u32,
}

/// Refusals of one SKU for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCount {
    /// Which; counted only if it still exists.
    pub sku: SkuId,
    pub reason: RefusalReason,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawPut {
    pub draw: DrawId,
    /// What is fixed.
    pub terms: Terms,
    /// What may change.
    pub admission: Admission,
    pub precondition: Precondition,
    /// Its secret, if it was made by this.
    pub sealed: Option<SeedCommitment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawDeleted {
    pub draw: DrawId,
    pub precondition: Precondition,
}

/// See `EnterDraw`. A win's order has this event's sequence, as if it had been created alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryMade {
    pub draw: DrawId,
    pub user: UserId,
    /// What the user added.
    pub client_seed: Option<CompactString>,
    /// Its number in the draw, from 1.
    pub number: u32,
    /// What was picked.
    pub pick: Pick,
    /// Its outcome.
    pub reason: Reason,
    /// The deadline of a win that is held.
    pub expires_at: Option<Stamp>,
}

/// Entries of a deleted draw, from its last one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesPurged {
    /// The event that made the draw: its name may be another's by now.
    pub created_sequence: Sequence,
    pub count: u32,
}
