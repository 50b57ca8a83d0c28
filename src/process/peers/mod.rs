//! This node among the others: threads, sockets, TLS and the arbiter around `copies`.
//!
//! Owns what a node keeps between its starts, and what its start refuses. Never decides who writes or
//! what is settled: that is `cluster::role`; nor what is sent: that is `copies`. With
//! `replication.mode = off` there is none of it. In reading order:
//!
//! - `checks`: what a start looks at; `error`: what it says
//! - `register_watch`: what is known of the cluster, and kept
//! - `digests`: states of several nodes compared while they run
//! - `arbiter_calls`: one call at a time
//! - `peer_tls`, `link`, `links`: bytes to and from other nodes
//! - `thread`: all of it
//! - `start`: how it begins

mod arbiter_calls;
mod checks;
mod digests;
mod error;
mod link;
mod links;
mod peer_tls;
mod register_watch;
mod start;
mod thread;

pub use error::ClusterError;
pub(crate) use start::{ClusterParts, Prepared, prepare};

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
    /// A node that followed has left the others, as it was told.
    Left {
        /// Its directory.
        replica: R,
    },
    /// It goes on no longer.
    Ended(ClusterError),
}
