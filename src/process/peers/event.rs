//! What the server tells the thread around `copies`, and what it is told.
//!
//! Owns the words only. Next: `thread`, and `server::roles` for the other end.

use super::error::ClusterError;
use crate::cluster::node::Node;
use crate::domain::model::ids::Sequence;
use crate::shared::handover::HandoverAsk;
use doorbuster_journal::{JournalHistory, JournalId};

/// What the server tells the thread.
#[derive(Debug)]
pub(crate) enum Order {
    /// It writes in the epoch that was granted.
    Began {
        /// The journal.
        journal: JournalId,
        /// The sequence of `Started`.
        started: Sequence,
        /// What the journal vouched for as settled.
        settled: Sequence,
        /// As the journal is now.
        history: JournalHistory,
    },
    /// Nothing new is taken any more: another node shall write.
    HandOver {
        /// Which; none for any.
        to: Option<Node>,
    },
}

/// What a server that is a node waits for.
#[derive(Debug)]
pub(crate) enum ClusterEvent<R> {
    /// A signal or an operator asks it to stop: not the thread's word.
    Stop,
    /// An operator wants another node to write: not the thread's word.
    HandOver(HandoverAsk),
    /// This node writes from here on, in this epoch.
    Promote {
        /// Its directory.
        replica: R,
        /// As the register granted it.
        epoch: u32,
        /// Answers from here on may be lost.
        lost_from: Option<Sequence>,
    },
    /// Nobody could take over.
    StayWriter {
        /// Why.
        reason: String,
    },
    /// This node has left the others, as it was told.
    Left {
        /// Its directory, if it followed.
        replica: Option<R>,
    },
    /// It goes on no longer.
    Ended(ClusterError),
}
