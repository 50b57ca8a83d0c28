//! Orders as a client sees them (API 3).

use super::answer::{Answer, Page};
use super::error::Error;
use super::handle::Client;
use super::key::Key;
use super::request::{Ask, path, with_parameters};
use hyper::Method;
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OrderStatus {
    /// Units are set aside until `expires_at`.
    Held,
    /// Sold.
    Confirmed,
    /// Sold and on its way.
    Shipped,
    /// Sold and arrived.
    Completed,
    /// Given back by the buyer before it was sold.
    Cancelled,
    /// The hold ran out.
    Expired,
    /// All units were given back after the sale.
    Refunded,
    /// A status that this client does not know yet.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl OrderStatus {
    fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Refunded => "refunded",
            Self::Unknown => return None,
        })
    }
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderLine {
    /// The id of the SKU.
    pub sku: String,
    /// Units ordered.
    pub qty: u64,
    /// Units given back by refunds.
    pub refunded_qty: u64,
}

/// An order. Instants are RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// The id: opaque text.
    pub id: String,
    /// The user who buys.
    pub user: String,
    /// The status.
    pub status: OrderStatus,
    /// What is bought.
    pub lines: Vec<OrderLine>,
    /// The shop's own reference.
    pub reference: Option<String>,
    /// When it was decided.
    pub created_at: String,
    /// When the hold runs out; none unless held.
    pub expires_at: Option<String>,
    /// The sequence of its last change.
    pub changed_seq: u64,
    /// The sequence that this was decided or read at.
    pub seq: u64,
}

/// Units of one SKU, wanted or given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineUnits {
    /// The id of the SKU.
    pub sku: String,
    /// How many, 1 to 1,000,000.
    pub qty: u64,
}

/// An order to be made: 1 to 16 lines, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewOrder {
    /// The user who buys.
    pub user: String,
    /// What, each SKU once.
    pub lines: Vec<LineUnits>,
    /// How long to hold, in milliseconds; none leaves it to the SKUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_ms: Option<u64>,
    /// Sells at once, without a hold.
    pub confirm: bool,
    /// The shop's own, 1 to 128 printable ASCII characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl NewOrder {
    /// Units of one SKU for a user, held as long as the SKU says.
    #[must_use]
    pub fn of(user: impl Into<String>, sku: impl Into<String>, qty: u64) -> Self {
        let lines = vec![LineUnits { sku: sku.into(), qty }];
        Self { user: user.into(), lines, hold_ms: None, confirm: false, reference: None }
    }
}

/// What may be done to an order. All of these may be asked twice: the second changes nothing.
/// Giving back single lines is [`Client::refund_lines`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Held to sold.
    Confirm {
        /// Takes the stock again if the hold has run out.
        reacquire: bool,
    },
    /// Gives a hold back.
    Cancel,
    /// A later deadline.
    Extend {
        /// From now, in milliseconds.
        hold_ms: u64,
    },
    /// Confirmed to shipped.
    Ship,
    /// Shipped to completed.
    Complete,
    /// All that is left comes back.
    Refund {
        /// To be sold again; otherwise the units are gone.
        restock: bool,
    },
}

impl Action {
    /// Held to sold, unless the hold has run out.
    #[must_use]
    pub fn confirm() -> Self {
        Self::Confirm { reacquire: false }
    }

    /// The word for it, and what else is said.
    pub(super) fn parts(&self) -> (&'static str, Option<serde_json::Value>) {
        match self {
            Self::Confirm { reacquire: false } => ("confirm", None),
            Self::Confirm { reacquire: true } => {
                ("confirm", Some(serde_json::json!({"if_expired": "reacquire"})))
            }
            Self::Cancel => ("cancel", None),
            Self::Extend { hold_ms } => ("extend", Some(serde_json::json!({"hold_ms": hold_ms}))),
            Self::Ship => ("ship", None),
            Self::Complete => ("complete", None),
            Self::Refund { restock } => ("refund", Some(serde_json::json!({"restock": restock}))),
        }
    }

    fn ask(&self, id: &str) -> Ask {
        let (verb, body) = self.parts();
        let ask = Ask::new(Method::POST, path(["orders", id, verb]), true);
        match body {
            Some(body) => ask.json(&body),
            None => ask,
        }
    }
}

/// Which orders to list; empty lists all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only those that stand here.
    pub status: Option<OrderStatus>,
    /// Only those with a line of this SKU.
    pub sku: Option<String>,
}

impl Client {
    /// Makes an order, once for each key.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `sold_out`, `user_limit`, `hold_limit`, `not_open`, `closed`,
    /// `paused`, `unknown_sku` and those that any request may meet.
    pub async fn create_order(&self, order: &NewOrder, key: &Key) -> Result<Answer<Order>, Error> {
        self.ask(&Ask::new(Method::POST, path(["orders"]), true).keyed(key).json(order)).await
    }

    /// Does something to an order. With a key, the first answer is given again even if the order
    /// went on since.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_order`, `invalid_transition`, `hold_expired`.
    pub async fn act(
        &self,
        id: &str,
        action: &Action,
        key: Option<&Key>,
    ) -> Result<Answer<Order>, Error> {
        let ask = action.ask(id);
        let ask = match key {
            Some(key) => ask.keyed(key),
            None => ask,
        };
        self.ask(&ask).await
    }

    /// Takes back some units of a sold order, once for each key.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_order`, `invalid_transition`, and `invalid` for more
    /// units than are left.
    pub async fn refund_lines(
        &self,
        id: &str,
        lines: &[LineUnits],
        restock: bool,
        key: &Key,
    ) -> Result<Answer<Order>, Error> {
        let body = serde_json::json!({"lines": lines, "restock": restock});
        let ask = Ask::new(Method::POST, path(["orders", id, "refund"]), true);
        self.ask(&ask.keyed(key).json(&body)).await
    }

    /// An order as it is now.
    ///
    /// # Errors
    /// See [`Error`]; `unknown_order` also for another principal's.
    pub async fn order(&self, id: &str) -> Result<Answer<Order>, Error> {
        self.ask(&Ask::get(path(["orders", id]))).await
    }

    /// A user's orders, newest first; `cursor` is the page before's `next_cursor`.
    ///
    /// # Errors
    /// See [`Error`]; `invalid` for a limit that is not 1 to 100.
    pub async fn user_orders(
        &self,
        user: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Order>, Error> {
        let limit = limit.to_string();
        let given = [("limit", Some(limit.as_str())), ("cursor", cursor)];
        let ask = Ask::get(with_parameters(path(["users", user, "orders"]), given));
        self.ask(&ask).await.map(|answer| answer.body)
    }

    /// Everybody's orders, by id.
    ///
    /// # Errors
    /// See [`Error`]; `invalid` for a limit that is not 1 to 100, `forbidden` without the role.
    pub async fn orders(
        &self,
        filter: &OrderFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page<Order>, Error> {
        let limit = limit.to_string();
        let given = [
            ("status", filter.status.and_then(OrderStatus::as_str)),
            ("sku", filter.sku.as_deref()),
            ("limit", Some(limit.as_str())),
            ("cursor", cursor),
        ];
        let ask = Ask::get(with_parameters(path(["orders"]), given));
        self.ask(&ask).await.map(|answer| answer.body)
    }
}
