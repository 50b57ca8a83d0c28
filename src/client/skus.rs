//! SKUs as a client sees them (API 2).

use super::answer::{Answer, Page};
use super::error::Error;
use super::handle::Client;
use super::key::Key;
use super::request::{Ask, path, with_parameters};
use hyper::Method;
use hyper::header::{self, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// What may be set about a SKU besides its stock. Instants are RFC 3339.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkuSettings {
    /// Units a user may hold and own; 0 is no limit.
    #[serde(default)]
    pub per_user_limit: u64,
    /// SKUs of one group share their users' limits.
    pub limit_group: Option<String>,
    /// The sale opens here.
    pub opens_at: Option<String>,
    /// The sale closes here, RFC 3339; none = never.
    pub closes_at: Option<String>,
    /// How long an order of it is held, in milliseconds.
    pub hold_ms: Option<u64>,
    /// No new orders for now.
    #[serde(default)]
    pub paused: bool,
    /// May be ordered although a draw gives it away.
    #[serde(default)]
    pub direct: bool,
}

/// A SKU to be put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSku {
    /// All units ever on sale, 0 to 10^12.
    pub stock: u64,
    /// All other settings.
    #[serde(flatten)]
    pub settings: SkuSettings,
}

impl NewSku {
    /// So many units, on sale at once, without limits.
    #[must_use]
    pub fn of(stock: u64) -> Self {
        Self { stock, settings: SkuSettings::default() }
    }
}

/// A SKU. Always `available + held + sold = total`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sku {
    /// The id.
    pub sku: String,
    /// All units ever on sale.
    pub total: u64,
    /// Units to be had.
    pub available: u64,
    /// Units set aside.
    pub held: u64,
    /// Units sold.
    pub sold: u64,
    /// Refusals by reason; may lag by a second.
    pub refused: BTreeMap<String, u64>,
    /// All other settings.
    #[serde(flatten)]
    pub settings: SkuSettings,
    /// The sequence of the last change of total or settings; what `If-Match` takes.
    pub version: u64,
    /// The sequence that this was decided or read at.
    pub seq: u64,
    /// The server's time then.
    pub now: String,
}

/// What a change of a SKU or a draw rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing. A PUT over one that differs is refused then.
    None,
    /// The SKU exists, whatever its version.
    Exists,
    /// The SKU has this version.
    Version(u64),
    /// There is none of this id.
    IfAbsent,
}

impl Precondition {
    pub(super) fn header(self) -> Option<(HeaderName, HeaderValue)> {
        let any = HeaderValue::from_static("*");
        match self {
            Self::None => None,
            Self::Exists => Some((header::IF_MATCH, any)),
            Self::Version(version) => {
                let tag = HeaderValue::from_str(&format!("\"{version}\""));
                Some((header::IF_MATCH, tag.expect("a quoted number is a header's value")))
            }
            Self::IfAbsent => Some((header::IF_NONE_MATCH, any)),
        }
    }

    /// Whether a second time finds the condition as the first did.
    pub(super) fn repeats(self) -> bool {
        matches!(self, Self::None | Self::Exists)
    }
}

/// What happens to one setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leaves the setting as it is.
    #[default]
    Keep,
    /// Sets it to its default.
    Reset,
    /// Sets it to this value.
    Set(T),
}

impl<T> Change<T> {
    fn keeps(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(value) => serializer.serialize_some(value),
            Self::Keep | Self::Reset => serializer.serialize_none(),
        }
    }
}

/// Changes of settings; those that are kept are not named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SkuChanges {
    /// Units a user may hold and own.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub per_user_limit: Change<u64>,
    /// The group that shares limits.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub limit_group: Change<String>,
    /// When the sale opens, RFC 3339.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub opens_at: Change<String>,
    /// When it closes, RFC 3339.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub closes_at: Change<String>,
    /// How long an order is held, in milliseconds.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub hold_ms: Change<u64>,
    /// No new orders for now.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub paused: Change<bool>,
    /// May be ordered although a draw gives it away.
    #[serde(skip_serializing_if = "Change::keeps")]
    pub direct: Change<bool>,
}

/// A change of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// So many more, or fewer; not 0.
    Delta(i64),
    /// So many in all, if the SKU has this version.
    Stock {
        /// All units ever on sale.
        stock: u64,
        /// The version that the count was made at.
        version: u64,
    },
}

impl Adjustment {
    pub(super) fn body(self, reason: &str) -> serde_json::Value {
        match self {
            Self::Delta(delta) => serde_json::json!({"delta": delta, "reason": reason}),
            Self::Stock { stock, .. } => serde_json::json!({"stock": stock, "reason": reason}),
        }
    }

    pub(super) fn precondition(self) -> Precondition {
        match self {
            Self::Delta(_) => Precondition::None,
            Self::Stock { version, .. } => Precondition::Version(version),
        }
    }
}

impl Client {
    /// Creates a SKU or replaces what there is.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `if_match_required`, `version_mismatch`,
    /// `stock_below_committed`, `invalid`.
    pub async fn put_sku(
        &self,
        sku: &str,
        new: &NewSku,
        precondition: Precondition,
    ) -> Result<Answer<Sku>, Error> {
        self.change_sku(Method::PUT, sku, Some(new), precondition).await
    }

    /// Changes some settings.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_sku`, `version_mismatch`, `invalid`.
    pub async fn patch_sku(
        &self,
        sku: &str,
        changes: &SkuChanges,
        precondition: Precondition,
    ) -> Result<Answer<Sku>, Error> {
        self.change_sku(Method::PATCH, sku, Some(changes), precondition).await
    }

    /// Deletes a SKU of this version.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_sku`, `version_mismatch`, `in_use`.
    pub async fn delete_sku(&self, sku: &str, version: u64) -> Result<Answer<()>, Error> {
        let precondition = Precondition::Version(version);
        self.change_sku(Method::DELETE, sku, None::<&NewSku>, precondition).await
    }

    async fn change_sku<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        sku: &str,
        body: Option<&impl Serialize>,
        precondition: Precondition,
    ) -> Result<Answer<T>, Error> {
        let mut ask = Ask::new(method, path(["skus", sku]), precondition.repeats());
        ask.precondition = precondition.header();
        let ask = match body {
            Some(body) => ask.json(body),
            None => ask,
        };
        self.ask(&ask).await
    }

    /// Changes the stock, once for each key; `reason` has 1 to 200 characters.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_sku`, `version_mismatch`, `stock_below_committed`.
    pub async fn adjust_sku(
        &self,
        sku: &str,
        adjustment: Adjustment,
        reason: &str,
        key: &Key,
    ) -> Result<Answer<Sku>, Error> {
        let mut ask = Ask::new(Method::POST, path(["skus", sku, "adjust"]), true).keyed(key);
        ask.precondition = adjustment.precondition().header();
        let ask = ask.json(&adjustment.body(reason));
        self.ask(&ask).await
    }

    /// A SKU as it is now.
    ///
    /// # Errors
    /// See [`Error`]; `unknown_sku`.
    pub async fn sku(&self, sku: &str) -> Result<Answer<Sku>, Error> {
        self.ask(&Ask::get(path(["skus", sku]))).await
    }

    /// All SKUs, by id; `cursor` is the page before's `next_cursor`.
    ///
    /// # Errors
    /// See [`Error`]; `invalid` for a limit that is not 1 to 100.
    pub async fn skus(&self, limit: u32, cursor: Option<&str>) -> Result<Page<Sku>, Error> {
        let limit = limit.to_string();
        let given = [("limit", Some(limit.as_str())), ("cursor", cursor)];
        let ask = Ask::get(with_parameters(path(["skus"]), given));
        self.ask(&ask).await.map(|answer| answer.body)
    }
}
