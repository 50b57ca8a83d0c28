//! Draws as a client sees them (API 4).

use super::answer::Answer;
use super::error::Error;
use super::handle::Client;
use super::key::Key;
use super::orders::Order;
use super::request::{Ask, path, with_parameters};
use super::skus::Precondition;
use hyper::Method;
use serde::{Deserialize, Serialize};

/// A SKU that may be won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prize {
    /// One unit of it.
    pub sku: String,
    /// Its share of all weights, 0 to 10^9.
    pub weight: u64,
}

/// What a draw is about. Only the window and `entries_per_user` may change later. Instants are
/// RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDraw {
    /// 1 to 100, each SKU once, in the order in which a pick walks over them.
    pub prizes: Vec<Prize>,
    /// The weight of winning nothing, 0 to 10^9.
    pub blank_weight: u64,
    /// Entries of one user at most; 0 is no limit.
    pub entries_per_user: u64,
    /// Entries are refused before.
    pub opens_at: Option<String>,
    /// Entries are refused from then on.
    pub closes_at: Option<String>,
    /// How long a win is held, in milliseconds; none leaves it to the SKU.
    pub hold_ms: Option<u64>,
    /// A win is sold at once, without a hold.
    pub confirm: bool,
}

impl NewDraw {
    /// These prizes and blanks, one entry a user, at once and until it is closed.
    #[must_use]
    pub fn of(prizes: Vec<Prize>, blank_weight: u64) -> Self {
        Self {
            prizes,
            blank_weight,
            entries_per_user: 1,
            opens_at: None,
            closes_at: None,
            hold_ms: None,
            confirm: false,
        }
    }
}

/// A draw as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Draw {
    /// The id.
    pub draw: String,
    /// What it is about.
    #[serde(flatten)]
    pub terms: NewDraw,
    /// SHA-256 of the seed, in hex.
    pub commitment: String,
    /// The seed in hex, once the draw is closed.
    pub seed: Option<String>,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// Entries made.
    pub entries: u64,
    /// The sequence of the last change of what may change, or of the closing; what `If-Match`
    /// takes.
    pub version: u64,
    /// The sequence that this was decided or read at.
    pub seq: u64,
    /// The server's time then.
    pub now: String,
}

/// The outcome of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryReason {
    /// The pick is the user's.
    Won,
    /// Nothing was picked.
    Blank,
    /// The pick was gone.
    NoStock,
    /// The user may not have more of the pick.
    UserLimit,
    /// The pick's own sale had not begun.
    NotOpen,
    /// The pick's own sale was over.
    Closed,
    /// The pick's own sale was paused.
    Paused,
    /// A reason that this client does not know yet; a loss.
    #[serde(other)]
    Unknown,
}

/// An entry of a draw.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The id of the draw.
    pub draw: String,
    /// Its number there, from 1.
    pub entry: u64,
    /// The user who entered.
    pub user: String,
    /// What the user added to the chance.
    pub client_seed: Option<String>,
    /// The SKU that was picked; none = blank.
    pub pick: Option<String>,
    /// The outcome.
    pub reason: EntryReason,
    /// The order that a win is; in a list none if it is no longer kept.
    pub order: Option<Order>,
    /// The sequence that it was decided at.
    pub seq: u64,
}

/// One page of entries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EntryPage {
    /// By number, at most 100; may be empty and still not be the last.
    pub entries: Vec<Entry>,
    /// Where the next page begins; none after the last.
    pub next_after: Option<u64>,
    /// The sequence that the page was read at.
    pub seq: u64,
}

impl Client {
    /// Makes a draw, or changes what may change of it.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_sku`, `if_match_required`, `version_mismatch`, `in_use`
    /// for what is committed to, `closed`, `invalid`.
    pub async fn put_draw(
        &self,
        draw: &str,
        new: &NewDraw,
        precondition: Precondition,
    ) -> Result<Answer<Draw>, Error> {
        let mut ask = Ask::new(Method::PUT, path(["draws", draw]), precondition.repeats());
        ask.precondition = precondition.header();
        self.ask(&ask.json(new)).await
    }

    /// A draw as it is now.
    ///
    /// # Errors
    /// See [`Error`]; `unknown_draw`.
    pub async fn draw(&self, draw: &str) -> Result<Answer<Draw>, Error> {
        self.ask(&Ask::get(path(["draws", draw]))).await
    }

    /// Tries a user's luck, once for each key; asked again with its key, a loss stays a loss. The
    /// client seed has at most 64 printable ASCII characters.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_draw`, `closed`, `not_open`, `entry_limit`,
    /// `hold_limit` and those that any request may meet.
    pub async fn enter_draw(
        &self,
        draw: &str,
        user: &str,
        client_seed: Option<&str>,
        key: &Key,
    ) -> Result<Answer<Entry>, Error> {
        let body = serde_json::json!({"user": user, "client_seed": client_seed});
        let ask = Ask::new(Method::POST, path(["draws", draw, "entries"]), true);
        self.ask(&ask.keyed(key).json(&body)).await
    }

    /// Entries by number, one user's or all; before the draw is closed the own principal's only.
    /// `after` is the page before's `next_after`.
    ///
    /// # Errors
    /// See [`Error`]; `unknown_draw`, `invalid` for a limit that is not 1 to 100.
    pub async fn entries(
        &self,
        draw: &str,
        user: Option<&str>,
        limit: u32,
        after: Option<u64>,
    ) -> Result<EntryPage, Error> {
        let (limit, after) = (limit.to_string(), after.map(|after| after.to_string()));
        let given = [("limit", Some(limit.as_str())), ("after", after.as_deref()), ("user", user)];
        let ask = Ask::get(with_parameters(path(["draws", draw, "entries"]), given));
        self.ask(&ask).await.map(|answer| answer.body)
    }

    /// Ends a draw and has its seed told; a second time it is told again.
    ///
    /// # Errors
    /// See [`Error`]; `unknown_draw`.
    pub async fn close_draw(&self, draw: &str) -> Result<Answer<Draw>, Error> {
        self.ask(&Ask::new(Method::POST, path(["draws", draw, "close"]), true)).await
    }

    /// Frees the id of a closed draw. Not asked again after a lost answer: the id may be another's
    /// by then.
    ///
    /// # Errors
    /// See [`Error`]; refusals are `unknown_draw`, and `in_use` for one that is not closed.
    pub async fn delete_draw(&self, draw: &str) -> Result<Answer<()>, Error> {
        self.ask(&Ask::new(Method::DELETE, path(["draws", draw]), false)).await
    }
}
