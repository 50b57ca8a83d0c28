//! How this node stands among the others: its role, who writes, which copies there are and how far
//! they are. A leaf between the server's parts: the thread that speaks with the other nodes fills
//! it in, HTTP shows it and refuses by it. Decides nothing itself. Next: `cluster::role`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// No moment.
const NEVER: u64 = u64::MAX;

/// What a node is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StandingRole {
    /// It decides and answers; so does a server that replicates nothing.
    #[default]
    Writer,
    /// It is the writer by the register, and what it begins with is not settled yet.
    Elected,
    /// It stores what the writer sends.
    Standby,
    /// It follows nobody yet.
    Joining,
    /// It has asked the register to be the writer, and does not know yet.
    Claiming,
    /// It does nothing any more: another node writes.
    Ended,
}

impl StandingRole {
    /// All of them, for counters of each.
    pub const ALL: [Self; 6] =
        [Self::Writer, Self::Elected, Self::Standby, Self::Joining, Self::Claiming, Self::Ended];

    /// As status and metrics tell it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Elected => "elected",
            Self::Standby => "standby",
            Self::Joining => "joining",
            Self::Claiming => "claiming",
            Self::Ended => "ended",
        }
    }
}

/// A node that others may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterPlace {
    /// Its name.
    pub node: String,
    /// Where clients reach it, once it has said so.
    pub url: Option<String>,
}

/// How a copy stands, as the writer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStanding {
    /// Its name.
    pub node: String,
    /// There is a connection to it.
    pub is_connected: bool,
    /// Records that are appended here and not acknowledged by it.
    pub lag_records: u64,
    /// Since when it lacks any of them, in milliseconds; 0 where it lacks none.
    pub lag_ms: u64,
}

/// How a node stands. The default is a server that replicates nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Other nodes may hold the same journal.
    pub is_replicated: bool,
    /// What this node is.
    pub role: StandingRole,
    /// The epoch that it writes or follows in; 0 while it does neither.
    pub epoch: u32,
    /// The name of this node; empty where nothing is replicated.
    pub node: String,
    /// Who writes, if it is known.
    pub writer: Option<WriterPlace>,
    /// The names of the nodes that the register counts, the writer's included.
    pub in_sync: Vec<String>,
    /// The other nodes, in the order of the list; none on a node that does not write.
    pub copies: Vec<CopyStanding>,
    /// The writer alone is in sync: nobody could take over.
    pub is_alone: bool,
    /// Bytes of the journal that are appended here and not settled.
    pub unsettled_bytes: u64,
    /// Since when records wait for copies that are behind or missing, on `Clock::elapsed_ms`.
    pub unreplicated_since_ms: Option<u64>,
    /// Since when the arbiter has not answered, on `Clock::elapsed_ms`.
    pub arbiter_gone_since_ms: Option<u64>,
    /// How far the clocks of this node and the writer, or of the writer and a copy, are apart, in
    /// milliseconds; the furthest.
    pub clock_skew_ms: u64,
    /// A copy holds other data than the writer at this sequence, and how it shows.
    pub digest_differs: Option<(u64, String)>,
}

/// The standing that holds now. What is asked with each command is beside it in atomics; the rest
/// takes a lock, which nobody holds for longer than it takes to copy a pointer.
#[derive(Debug)]
pub struct StandingCell {
    standing: Mutex<Arc<Standing>>,
    is_alone: AtomicBool,
    unsettled_bytes: AtomicU64,
    unreplicated_since_ms: AtomicU64,
}

impl Default for StandingCell {
    fn default() -> Self {
        Self {
            standing: Mutex::default(),
            is_alone: AtomicBool::new(false),
            unsettled_bytes: AtomicU64::new(0),
            unreplicated_since_ms: AtomicU64::new(NEVER),
        }
    }
}

impl StandingCell {
    /// From here on this holds.
    pub fn store(&self, standing: Standing) {
        let since_ms = standing.unreplicated_since_ms.unwrap_or(NEVER);
        self.is_alone.store(standing.is_alone, Ordering::Relaxed);
        self.unsettled_bytes.store(standing.unsettled_bytes, Ordering::Relaxed);
        self.unreplicated_since_ms.store(since_ms, Ordering::Relaxed);
        let standing = Arc::new(standing);
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// What holds now. Takes a lock.
    #[must_use]
    pub fn load(&self) -> Arc<Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The writer alone is in sync.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.is_alone.load(Ordering::Relaxed)
    }

    /// Bytes of the journal that are appended here and not settled.
    #[must_use]
    pub fn unsettled_bytes(&self) -> u64 {
        self.unsettled_bytes.load(Ordering::Relaxed)
    }

    /// How long records have waited for copies that are behind or missing, in milliseconds; 0 where
    /// none waits. `now_ms` is of `Clock::elapsed_ms`.
    #[must_use]
    pub fn unreplicated_ms(&self, now_ms: u64) -> u64 {
        // There is no moment after `NEVER`.
        now_ms.saturating_sub(self.unreplicated_since_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_shown_and_asked_for_by_itself() {
        let cell = StandingCell::default();
        assert_eq!(*cell.load(), Standing::default());
        assert_eq!(
            (cell.is_alone(), cell.unsettled_bytes(), cell.unreplicated_ms(9)),
            (false, 0, 0)
        );
        let standing = Standing {
            is_replicated: true,
            role: StandingRole::Elected,
            epoch: 3,
            node: "n1".to_owned(),
            writer: Some(WriterPlace { node: "n1".to_owned(), url: None }),
            is_alone: true,
            unsettled_bytes: 70,
            unreplicated_since_ms: Some(1_000),
            ..Standing::default()
        };
        cell.store(standing.clone());
        assert_eq!(*cell.load(), standing);
        assert_eq!((cell.is_alone(), cell.unsettled_bytes()), (true, 70));
        assert_eq!((cell.unreplicated_ms(1_500), cell.unreplicated_ms(900)), (500, 0));
        cell.store(Standing::default());
        assert_eq!((cell.is_alone(), cell.unreplicated_ms(u64::MAX - 1)), (false, 0));
    }

    #[test]
    fn each_role_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> =
            StandingRole::ALL.into_iter().map(StandingRole::word).collect();
        assert_eq!(words.len(), StandingRole::ALL.len());
    }
}
