//! What a key was answered, how the server stands, snapshots on demand (API 1 and 6).

use super::error::Error;
use super::handle::Client;
use super::key::Key;
use super::orders::Order;
use super::request::{Ask, path};
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The first answer to a key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Remembered {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub body: Value,
    /// The sequence that this was read at.
    pub seq: u64,
}

impl Remembered {
    /// The order in it, if it is one.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        Order::deserialize(&self.body).ok()
    }
}

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Table {
    /// Entries in use.
    pub used: u64,
    /// Entries there may be.
    pub cap: u64,
}

/// How a copy stands, as the writer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CopyStatus {
    /// Its name.
    pub node: String,
    /// Records that the writer has and the copy has not synced yet.
    pub lag_records: u64,
    /// How long it has been behind, in milliseconds.
    pub lag_ms: u64,
}

/// How the server stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// The version of the server.
    pub version: String,
    /// What it does in its deployment.
    pub role: String,
    /// Starts in this journal.
    pub epoch: u64,
    /// The sequence that this was read at.
    pub seq: u64,
    /// The highest sequence known to be on disk.
    pub durable_seq: u64,
    /// The newest snapshot's; none before the first.
    pub snapshot_seq: Option<u64>,
    /// Why the last snapshot failed, while it is so.
    pub snapshot_error: Option<String>,
    /// Damage found in the journal's older segments, while it is there.
    pub journal_damage: Option<String>,
    /// What the journal takes on disk.
    pub journal_bytes: u64,
    /// Since the server started, in milliseconds.
    pub uptime_ms: u64,
    /// When answers leave: `group`, `interval:MS` or `os`.
    pub durability: String,
    /// All tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Where the writer is, as a URL; none where it is not known, and without replication.
    pub writer: Option<String>,
    /// The nodes that hold everything that was answered.
    #[serde(default)]
    pub in_sync: Vec<String>,
    /// How the copies of a writer stand.
    #[serde(default)]
    pub copies: Vec<CopyStatus>,
}

#[derive(Serialize)]
struct Successor<'n> {
    to: &'n str,
}

#[derive(Deserialize)]
struct Snapshot {
    snapshot_seq: u64,
}

impl Client {
    /// What a key was answered; waits for a decision in flight. None: not accepted so far. A
    /// request still on the network may land later, so ask it again with its key instead of
    /// believing a none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remembered(&self, key: &Key) -> Result<Option<Remembered>, Error> {
        match self.ask(&Ask::get(path(["requests", key.as_str()]))).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.code() == Some("unknown_request") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How the server stands; of several, the one that is believed to write, or else any other.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn status(&self) -> Result<Status, Error> {
        let ask = Ask { is_of_a_node: true, ..Ask::get(path(["status"])) };
        self.ask(&ask).await.map(|answer| answer.body)
    }

    /// Has a snapshot taken, and gives the sequence that it is of.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take_snapshot(&self) -> Result<u64, Error> {
        let ask = Ask::new(Method::POST, path(["admin", "snapshot"]), true);
        self.ask::<Snapshot>(&ask).await.map(|answer| answer.body.snapshot_seq)
    }

    /// Has the writer hand over to a copy that is in sync: to this one, or to any. A lost answer is
    /// [`Error::OutcomeUnknown`]: the status tells who writes.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hand_over(&self, to: Option<&str>) -> Result<Value, Error> {
        let ask = Ask::new(Method::POST, path(["admin", "handover"]), false);
        let ask = match to {
            Some(to) => ask.json(&Successor { to }),
            None => ask,
        };
        self.ask(&ask).await.map(|answer| answer.body)
    }
}
