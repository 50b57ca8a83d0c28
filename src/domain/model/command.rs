//! What a client asks. The shape is already checked: ids match their patterns, quantities are in
//! range, no SKU stands twice. Whether it may be had is `decide`'s question.
//!
//! Reads are commands too: they pass through the same ring, so they see every decision that was
//! answered before them. Next: `decide`, `answer`.

use super::draw::{Admission, Seed, Terms};
use super::ids::{
    DrawId, GroupId, KeyClaim, LineRequests, OrderId, PrincipalName, SkuId, Stamp, Traceparent,
    UserId,
};
use super::order::{Status, Verb};
use compact_str::CompactString;

/// A command with who asked for it and how.
#[derive(Debug, Clone)]
pub struct Request {
    pub principal: Principal,
    /// The idempotency key, where one came with it.
    pub key: Option<KeyClaim>,
    /// The trace it belongs to, for journal and feed.
    pub traceparent: Option<Traceparent>,
    /// What was asked.
    pub command: Command,
}

/// Who asks, and whose orders they may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's name.
    pub name: PrincipalName,
    /// Whose orders they see.
    pub reach: Reach,
}

/// Whose orders a principal may see and act on; the others do not exist for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The orders that it created.
    Own,
    /// Everybody's.
    All,
}

/// What is asked. Rare and wide ones are boxed, so that the order stays small in its ring slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take units, all lines or none.
    CreateOrder(CreateOrder),
    /// Move an order along its transitions.
    ActOnOrder(OrderId, Action),
    /// Create a SKU or replace it whole.
    PutSku(Box<PutSku>),
    /// Change some settings of a SKU.
    PatchSku(Box<PatchSku>),
    /// Change a SKU's total.
    AdjustSku(Box<AdjustSku>),
    /// Take a SKU off sale for good.
    DeleteSku(Box<DeleteSku>),
    /// Make a draw, or change who may enter it and when.
    PutDraw(Box<PutDraw>),
    /// Try one's luck.
    EnterDraw(EnterDraw),
    /// End the entries of a draw and reveal its seed.
    CloseDraw(DrawId),
    /// Let a closed draw go.
    DeleteDraw(Box<DeleteDraw>),
    /// Look, change nothing.
    Read(Box<Query>),
}

/// `POST /v1/orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOrder {
    pub user: UserId,
    /// 1..=16 lines, each SKU once.
    pub lines: LineRequests,
    /// The shop's own name for it.
    pub reference: Option<CompactString>,
    /// Hold it, or sell it at once.
    pub take: Take,
}

/// How an order takes its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Held; with its own hold in milliseconds, or the SKUs'.
    Hold(Option<u64>),
    /// Sold at once.
    Sell,
}

/// `POST /v1/orders/{id}/…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Held to sold.
    Confirm {
        /// Take the stock again where the hold has expired.
        reacquire: bool,
    },
    /// Give the hold back.
    Cancel,
    /// Move the deadline to this many milliseconds from now.
    Extend(u64),
    /// Sold units left the house.
    Ship,
    /// Sold units arrived.
    Complete,
    /// Take sold units back.
    Refund(Refund),
}

impl Action {
    /// Its column in the table of transitions.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Confirm { .. } => Verb::Confirm,
            Self::Cancel => Verb::Cancel,
            Self::Extend(_) => Verb::Extend,
            Self::Ship => Verb::Ship,
            Self::Complete => Verb::Complete,
            Self::Refund(_) => Verb::Refund,
        }
    }
}

/// What a refund takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// These units; empty = all that is left.
    pub lines: LineRequests,
    /// Back on sale; otherwise sold and total both drop.
    pub restock: bool,
}

/// The settings of a SKU that operators choose (API 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkuSettings {
    /// Units one user may hold and own; 0 = no limit.
    pub per_user_limit: u64,
    /// SKUs whose use counts together.
    pub limit_group: Option<GroupId>,
    /// Orders are refused before.
    pub opens_at: Option<Stamp>,
    /// Orders are refused from then on.
    pub closes_at: Option<Stamp>,
    /// Hold of its orders in milliseconds.
    pub hold_ms: Option<u64>,
    /// Orders are refused while set.
    pub paused: bool,
    /// May be ordered although an unclosed draw names it.
    pub direct: bool,
}

/// What `If-Match` and `If-None-Match` ask of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No header.
    None,
    /// `If-Match: *`.
    Exists,
    /// `If-Match: "<version>"`; `None` for tags that were never a version of ours.
    Version(Option<u64>),
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match` with several versions: one of them.
    OneOf(Box<[u64]>),
    /// `If-None-Match` with versions: none of them; with `If-Match: *` beside it if `exists`.
    NoneOf {
        /// There must be a version.
        exists: bool,
        /// The versions that it must not have.
        versions: Box<[u64]>,
    },
}

impl Precondition {
    /// What has this version, or does not exist, is as it was asked to be.
    #[must_use]
    pub fn is_met(&self, version: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Exists => version.is_some(),
            Self::Absent => version.is_none(),
            Self::Version(asked) => version.is_some() && *asked == version,
            Self::OneOf(versions) => version.is_some_and(|version| versions.contains(&version)),
            Self::NoneOf { exists, versions } => match version {
                Some(version) => !versions.contains(&version),
                None => !exists,
            },
        }
    }

    /// Says whether there is an `If-Match`, as a change of what exists must have.
    #[must_use]
    pub fn is_match(&self) -> bool {
        match self {
            Self::Exists | Self::Version(_) | Self::OneOf(_) => true,
            Self::NoneOf { exists, .. } => *exists,
            Self::None | Self::Absent => false,
        }
    }

    /// The simplest one that this version, which meets it, meets for the same reason. An event
    /// keeps that: deciding it again comes out the same.
    #[must_use]
    pub fn met_by(&self, version: Option<u64>) -> Self {
        match self {
            Self::OneOf(_) => Self::Version(version),
            Self::NoneOf { exists: true, .. } => Self::Exists,
            Self::NoneOf { exists: false, .. } => Self::None,
            simple => simple.clone(),
        }
    }
}

/// `PUT /v1/skus/{sku}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutSku {
    pub sku: SkuId,
    /// All units ever on sale, 0..=`STOCK_MAX`.
    pub stock: u64,
    /// Everything else; what was not said is its default.
    pub settings: SkuSettings,
    pub precondition: Precondition,
}

/// A member of a PATCH body: not named, named with null, or given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Stays as it is.
    #[default]
    Keep,
    /// Back to its default.
    Reset,
    Set(T),
}

impl<T: Clone + Default> Patch<T> {
    /// What becomes of `current`.
    #[must_use]
    pub fn over(&self, current: &T) -> T {
        match self {
            Self::Keep => current.clone(),
            Self::Reset => T::default(),
            Self::Set(value) => value.clone(),
        }
    }
}

/// The members of a PATCH body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkuChanges {
    pub per_user_limit: Patch<u64>,
    pub limit_group: Patch<Option<GroupId>>,
    pub opens_at: Patch<Option<Stamp>>,
    pub closes_at: Patch<Option<Stamp>>,
    pub hold_ms: Patch<Option<u64>>,
    pub paused: Patch<bool>,
    pub direct: Patch<bool>,
}

impl SkuChanges {
    /// The settings after the change.
    #[must_use]
    pub fn over(&self, current: &SkuSettings) -> SkuSettings {
        SkuSettings {
            per_user_limit: self.per_user_limit.over(&current.per_user_limit),
            limit_group: self.limit_group.over(&current.limit_group),
            opens_at: self.opens_at.over(&current.opens_at),
            closes_at: self.closes_at.over(&current.closes_at),
            hold_ms: self.hold_ms.over(&current.hold_ms),
            paused: self.paused.over(&current.paused),
            direct: self.direct.over(&current.direct),
        }
    }
}

/// `PATCH /v1/skus/{sku}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchSku {
    pub sku: SkuId,
    pub changes: SkuChanges,
    pub precondition: Precondition,
}

/// `POST /v1/skus/{sku}/adjust`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjustSku {
    pub sku: SkuId,
    /// By how much, or to what.
    pub adjustment: Adjustment,
    /// Why, for the journal; 1..=200 characters.
    pub reason: String,
    pub precondition: Precondition,
}

/// How a total changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// By this many units, not 0.
    Delta(i64),
    /// To this total; needs If-Match.
    Stock(u64),
}

/// `DELETE /v1/skus/{sku}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteSku {
    pub sku: SkuId,
    pub precondition: Precondition,
}

/// `PUT /v1/draws/{draw}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutDraw {
    pub draw: DrawId,
    /// What is fixed.
    pub terms: Terms,
    /// What may change later.
    pub admission: Admission,
    /// Fresh and secret; used only if the draw is made by this.
    pub seed: Seed,
    pub precondition: Precondition,
}

/// `POST /v1/draws/{draw}/entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterDraw {
    pub draw: DrawId,
    pub user: UserId,
    /// What the user adds to the roll, at most `CLIENT_SEED_BYTES_MAX` printable ASCII.
    pub client_seed: Option<CompactString>,
}

/// `DELETE /v1/draws/{draw}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteDraw {
    pub draw: DrawId,
    pub precondition: Precondition,
}

/// Where a page of a user's orders ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderPlace {
    /// At this order.
    pub order: OrderId,
    /// The page did not show it: its id came sealed, and may be that of another principal's order.
    /// Of an id that came open, nothing is told by whose it is.
    pub sealed: bool,
}

/// What is read. Pages hold `limit` entries, 1..=100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    Sku(SkuId),
    /// SKUs by id, those after the cursor.
    Skus {
        /// The last id of the page before.
        after: Option<SkuId>,
        /// Entries at most.
        limit: usize,
    },
    Order(OrderId),
    /// All orders by id, those after the cursor.
    Orders {
        status: Option<Status>,
        /// Only those with a line of it.
        sku: Option<SkuId>,
        /// The last id that the page before looked at.
        after: Option<OrderId>,
        /// Entries at most.
        limit: usize,
    },
    /// A user's orders of this principal, newest first.
    UserOrders {
        user: UserId,
        /// Where the page before ended.
        after: Option<OrderPlace>,
        /// Entries at most.
        limit: usize,
    },
    Draw(DrawId),
    /// Entries of a draw by number: this principal's, or all of a closed draw.
    Entries {
        draw: DrawId,
        /// Only this user's.
        user: Option<UserId>,
        /// The last number that the page before looked at; 0 = from the first.
        after: u32,
        /// Entries at most.
        limit: usize,
    },
    /// What a key of this principal was answered; by the hash of principal and key.
    Remembered(u128),
    /// Counts of tables and totals.
    Status,
}
