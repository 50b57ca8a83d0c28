//! What the writer says back: numbers and names, never text for people and never JSON.
//!
//! Narrow answers go by value, wide ones boxed: most answers are a new order or a refusal, and the
//! IO thread has its own copy of the request to render them from. Next: `http::wire`.

use super::command::SkuSettings;
use super::draw::{Admission, Reason, Seed, Terms};
use super::ids::{DrawId, OrderId, Sequence, SkuId, Stamp, UserId};
use super::order::Status;
use super::sku::Refused;
use compact_str::CompactString;
use smallvec::SmallVec;

/// An answer and the state it was given in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The sequence it was decided or read at; for a replay, then.
    pub sequence: Sequence,
    /// Whether this is the first answer to the key, given again.
    pub replayed: bool,
    pub answer: Answer,
}

/// What was decided or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A new order; user, lines and reference are the request's own.
    Created(Created),
    /// An order after an action, or as read.
    Order(Box<OrderView>),
    /// A SKU as read, changed or left unchanged.
    Sku(Box<SkuView>),
    /// A SKU that did not exist before.
    SkuCreated(Box<SkuView>),
    /// The SKU is gone.
    SkuDeleted,
    /// A page of SKUs.
    Skus(Box<Page<SkuView, SkuId>>),
    /// A page of orders.
    Orders(Box<Page<OrderView, OrderId>>),
    /// A draw as read, changed, closed or left unchanged.
    Draw(Box<DrawView>),
    /// A draw that did not exist before.
    DrawCreated(Box<DrawView>),
    /// The draw is gone.
    DrawDeleted,
    /// A new entry.
    Entered(Box<EntryView>),
    /// A page of entries; the numbers of the last ones looked at.
    Entries(Box<Page<EntryView, u32>>),
    /// What a key was answered.
    Remembered(Box<Remembered>),
    /// Counts for `/v1/status`.
    Status(Box<StateStatus>),
    /// A business no.
    Refused(Refusal),
}

/// The numbers of a new order that its request does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    pub order: OrderId,
    /// Held or confirmed.
    pub status: Status,
    /// The stamp of the decision.
    pub created_at: Stamp,
    /// Only while held.
    pub expires_at: Option<Stamp>,
}

/// An order, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    pub order: OrderId,
    pub user: UserId,
    /// Where it stands.
    pub status: Status,
    /// What, as ordered and as given back.
    pub lines: SmallVec<[LineView; 1]>,
    /// The shop's own name for it.
    pub reference: Option<CompactString>,
    /// When it was decided.
    pub created_at: Stamp,
    /// Only while held.
    pub expires_at: Option<Stamp>,
    /// The event that changed it last.
    pub changed_sequence: Sequence,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// What; still its name after the SKU was deleted.
    pub sku: SkuId,
    /// Units ordered.
    pub quantity: u32,
    /// Units given back by refunds.
    pub refunded: u32,
}

/// A SKU, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuView {
    pub sku: SkuId,
    /// All units ever on sale.
    pub total: u64,
    /// Units in holds.
    pub held: u64,
    /// Units sold.
    pub sold: u64,
    /// Journaled refusals by reason.
    pub refused: Refused,
    /// What operators chose.
    pub settings: SkuSettings,
    /// The event that last changed total or settings.
    pub version: Sequence,
    /// The stamp it was read at.
    pub now: Stamp,
}

impl SkuView {
    /// Units that can be ordered.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.total - self.held - self.sold
    }
}

/// A draw, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawView {
    pub draw: DrawId,
    /// What is fixed.
    pub terms: Terms,
    /// What may change.
    pub admission: Admission,
    /// SHA-256 of the seed.
    pub commitment: [u8; 32],
    /// The secret, once the draw is closed.
    pub seed: Option<Seed>,
    /// Entries so far.
    pub entries: u32,
    /// When it was closed.
    pub closed_at: Option<Stamp>,
    /// The event that last changed or closed it.
    pub version: Sequence,
    /// The stamp it was read at.
    pub now: Stamp,
}

/// An entry, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    pub draw: DrawId,
    /// Its number in the draw, from 1.
    pub number: u32,
    pub user: UserId,
    /// What the user added.
    pub client_seed: Option<CompactString>,
    /// What was picked; none = blank.
    pub pick: Option<SkuId>,
    /// Its outcome.
    pub reason: Reason,
    /// The order of a win, if it is still kept.
    pub order: Option<OrderView>,
    /// The event that it was.
    pub sequence: Sequence,
}

/// Entries, and where the next page begins; none = that was all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    pub entries: Vec<T>,
    /// The last id looked at, if there may be more.
    pub next: Option<C>,
}

/// What a key was answered, for a client that has only the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The sequence of that answer.
    pub sequence: Sequence,
    pub body: RememberedBody,
}

/// The kinds of answers that are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RememberedBody {
    /// 201 with the order as it was created.
    Created(OrderView),
    /// 200 with the order as it was.
    Order(OrderView),
    /// 200 with the SKU as it was.
    Sku(SkuView),
    /// 201 with the entry as it was.
    Entered(EntryView),
    /// 200 with the draw as it was closed.
    Draw(DrawView),
}

/// One row of `/v1/status`' tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableFill {
    /// The table's name.
    pub name: &'static str,
    /// Entries in it.
    pub used: u64,
    /// Entries at most.
    pub cap: u64,
}

/// The names of the tables that have a cap, in the order that they are told in.
pub const TABLES: [&str; 9] =
    ["skus", "orders", "keys", "answers", "uses", "users", "draws", "entries", "principals"];

/// What `/v1/status` needs of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateStatus {
    /// Starts of the server in this journal.
    pub epoch: u32,
    /// How full each table is.
    pub tables: Vec<TableFill>,
}

/// A line that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortLine {
    pub sku: SkuId,
    pub requested: u64,
    pub available: u64,
    /// In holds that may come back.
    pub held: u64,
}

/// A business no, or a no for want of room. None of them changes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 422: the key was used for something else.
    KeyReused,
    /// 404.
    UnknownSku(SkuId),
    /// 404.
    UnknownOrder,
    /// 404.
    UnknownDraw,
    /// 404: nothing is remembered under the key.
    UnknownRequest,
    /// 412, with the version there is.
    VersionMismatch(Option<Sequence>),
    /// 428, with the version there is.
    IfMatchRequired(Sequence),
    /// 409, with where the order stands.
    InvalidTransition(Status),
    /// 410: the hold ran out.
    HoldExpired,
    /// 410.
    Closed(Box<Window>),
    /// 409.
    NotOpen(Box<Window>),
    /// 409.
    Paused(SkuId),
    /// 409: the user has, or with the lines before would have, too many.
    UserLimit(Box<UserLimit>),
    /// 409: open holds of this user, and how many there may be.
    HoldLimit {
        /// Held orders now.
        used: u32,
        /// Held orders at most.
        limit: u32,
    },
    /// 409: an unclosed draw names it, and it may not be ordered past that.
    DrawOnly(SkuId),
    /// 410: the draw takes no more entries.
    DrawClosed {
        /// When that began.
        closes_at: Stamp,
        /// The stamp of the decision.
        now: Stamp,
    },
    /// 409: the draw takes no entries yet.
    DrawNotOpen {
        /// When it will.
        opens_at: Stamp,
        /// The stamp of the decision.
        now: Stamp,
    },
    /// 409: entries of this user in this draw, and how many there may be.
    EntryLimit {
        /// Entries made.
        used: u64,
        /// Entries at most.
        limit: u64,
    },
    /// 409 `in_use`: what the commitment was made for cannot change.
    DrawFixed,
    /// 409 `in_use`: only a closed draw can go.
    DrawUnclosed,
    /// 409, all short lines.
    SoldOut(SmallVec<[Box<ShortLine>; 1]>),
    /// 409: held and sold units that the total cannot go below.
    StockBelowCommitted {
        /// Units in holds.
        held: u64,
        /// Units sold.
        sold: u64,
    },
    /// 409: units are still held, or an unclosed draw names it.
    InUse {
        /// Units in holds.
        held: u64,
    },
    /// 422: a member that only the state can judge.
    Invalid {
        /// Its name, as in the request.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// 503: this table is full.
    Capacity(&'static str),
}

/// Why a sale is not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    pub sku: SkuId,
    /// The edge of its window that stands in the way.
    pub edge: Stamp,
    /// The stamp of the decision.
    pub now: Stamp,
}

/// Why a user may not have more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserLimit {
    /// The line's SKU.
    pub sku: SkuId,
    pub limit: u64,
    /// Units in use, of its group if it has one, the order's lines before this one included.
    pub used: u64,
    /// Units asked for.
    pub requested: u64,
}
