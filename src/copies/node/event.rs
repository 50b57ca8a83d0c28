//! What a node is told, and what it says is to be done.
//!
//! Owns the words between the node and the thread, or the simulation, around it. Next: `mod.rs`.

use crate::cluster::arbiter::{ArbiterError, Swapped, Versioned};
use crate::cluster::node::Node;
use crate::cluster::register::{Epoch, OperationId, Register, Version};
use crate::cluster::role::{EndReason, Seen};
use crate::domain::model::ids::Sequence;
use crate::shared::standing::Standing;
use doorbuster_journal::{JournalHistory, JournalId};

/// A connection, or an attempt at one. Never used twice in a process. Those that are dialled get
/// theirs from the node, with the highest bit set; those that are taken get theirs from the caller,
/// without it.
pub type LinkId = u64;

/// The first id of a connection that the node has asked for.
pub const DIALLED_LINKS: LinkId = 1 << 63;

/// Something happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time passed: each 20 to 100 ms.
    Tick,
    /// What was said is done, and nothing else waits: the node does what can wait. A copy applies
    /// what is settled here, after its acknowledgement is on its way; else with the next tick.
    Idle,
    /// A connection stands.
    Opened {
        /// Which.
        link: LinkId,
        /// The node that was dialled; none where another has dialled this one.
        to: Option<Node>,
    },
    /// Bytes have come, however they were cut.
    Received {
        /// From where.
        link: LinkId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// All that was to be sent on this connection is with the system.
    Writable {
        /// Which.
        link: LinkId,
    },
    /// A connection is closed, or could not be made. Not told for one that the node has closed.
    Closed {
        /// Which.
        link: LinkId,
    },
    /// What became of [`Output::ReadRegister`].
    RegisterRead(Result<Option<Versioned>, ArbiterError>),
    /// What became of [`Output::SwapRegister`].
    RegisterSwapped(OperationId, Result<Swapped, ArbiterError>),
    /// The server writes: after [`Output::Promote`], `Started` is appended. Copies connect from here
    /// on.
    Began {
        /// The journal.
        journal: JournalId,
        /// The sequence of `Started`.
        started: Sequence,
        /// What the own journal vouches for as settled.
        settled: Sequence,
        /// The journal's, as it is now.
        history: JournalHistory,
    },
    /// The own journal has grown.
    JournalMoved {
        /// Stored up to here.
        appended: Sequence,
        /// On this disk up to here.
        synced: Sequence,
    },
    /// An operator wants another node to write; nothing new is appended from here on until
    /// [`Output::StayWriter`].
    HandOver {
        /// Which; none for any that is in sync.
        to: Option<Node>,
    },
    /// A snapshot was taken here.
    ImageTaken {
        /// At this sequence.
        sequence: Sequence,
        /// The digest of its state.
        digest: [u8; 32],
    },
    /// A digest that was compared differed from the writer's: this copy holds other data.
    DigestDiffers {
        /// At this sequence.
        sequence: Sequence,
    },
}

/// Something is to be done, in the order in which it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Dial a node. [`Input::Opened`] or [`Input::Closed`] tells what became of it.
    Connect {
        /// The id of the connection.
        link: LinkId,
        /// Whom.
        node: Node,
    },
    /// Send these bytes, then tell [`Input::Writable`] once no byte of the link waits any more.
    Send {
        /// Where.
        link: LinkId,
        /// The bytes; a link has at most 1 MiB and one message of them that wait.
        bytes: Vec<u8>,
    },
    /// Close a connection once what was to be sent is sent, or after a moment.
    Close {
        /// Which.
        link: LinkId,
        /// For the log.
        reason: String,
    },
    /// Read the register. Never asked for again before the answer.
    ReadRegister,
    /// Change the register if it stands at this version.
    SwapRegister {
        /// What it must stand at.
        version: Version,
        /// What it shall say.
        proposal: Register,
        /// Its operation.
        operation: OperationId,
    },
    /// Store this where a later start finds it, and sync it, before anything that is said later.
    Keep(Seen),
    /// Answers may leave up to here, and reads until then on the clock of `now_ms`.
    Publish {
        /// Up to here, and no further than the own sync.
        copied: Sequence,
        /// `u64::MAX`: for as long as nothing changes; 0: not yet.
        good_until_ms: u64,
    },
    /// How this node stands has changed.
    Standing(Box<Standing>),
    /// Take the directory ([`super::ClusterNode::take_replica`]), make it the writer's in this
    /// epoch, and tell [`Input::Began`].
    Promote {
        /// The epoch.
        epoch: Epoch,
        /// From here on the writer before may have answered what this node never had.
        lost_from: Option<Sequence>,
    },
    /// Nobody could take over: take new commands in again.
    StayWriter {
        /// Why.
        reason: String,
    },
    /// Another node was told that it may write. [`Output::End`] follows.
    HandedOver {
        /// Which.
        to: Node,
    },
    /// The writer has this digest: compare it with the own state at that sequence, if it can still
    /// be had.
    CompareImage {
        /// The sequence.
        sequence: Sequence,
        /// The writer's digest.
        digest: [u8; 32],
    },
    /// A line for the operator.
    Warn(String),
    /// Nothing is done any more. The process ends.
    End(EndReason),
}
