//! What the machine is told, and what it says is to be done.
//!
//! Owns the words between the machine and the threads around it. Next: `mod.rs`.

use crate::cluster::node::Node;
use crate::cluster::register::{Epoch, Held, Membership, OperationId, Version};
use crate::domain::model::ids::Sequence;

/// Something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleEvent {
    /// Time passed.
    Tick,
    /// The register was read, linearizably; none where there is none.
    Read(Option<Held>),
    /// What became of a swap.
    Swapped(OperationId, SwapOutcome),
    /// A writer has shown itself, and its history was compared with the own.
    Met(Meeting),
    /// What a writer sent is stored and synced, up to here.
    Stored {
        /// The epoch of the writer that sent it.
        epoch: Epoch,
        /// The last record that is synced here.
        end: Sequence,
        /// When the newest of it was sent, by the writer's clock; sent back as it is.
        sent_ms: u64,
    },
    /// The connection to the writer is closed.
    Closed,
    /// The writer of this epoch says that it has ended and that all is settled.
    Surrendered(Epoch),
    /// `Started` of the own epoch is appended here. What is settled in the own journal is known up
    /// to `settled`.
    Began {
        /// The sequence of `Started`.
        started: Sequence,
        /// As the own journal vouches.
        settled: Sequence,
    },
    /// The own journal is appended up to here.
    Appended(Sequence),
    /// The own journal is synced up to here.
    Synced(Sequence),
    /// A copy has connected; what is on its way of a connection before is never told any more.
    Joined {
        /// Which.
        copy: Node,
        /// The last record that it has and shares.
        end: Sequence,
        /// As its [`Seen`] says.
        began_empty: bool,
    },
    /// A copy has synced up to here.
    Acknowledged {
        /// Which.
        copy: Node,
        /// The epoch it follows.
        epoch: Epoch,
        /// The last record that it has synced.
        end: Sequence,
        /// When the newest was sent that the copy had then, by the own clock.
        sent_ms: u64,
    },
    /// The connection to a copy is closed.
    Left(Node),
    /// An operator wants another node to write.
    HandOver,
    /// A peer has shown this epoch.
    Outdated(Epoch),
}

/// What became of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SwapOutcome {
    /// The register holds the proposal, at this version.
    Done(Version),
    /// Another version was found. It is this; none where the register is gone.
    Refused(Option<Held>),
    /// It may have been done, may not, and may still be.
    Unknown,
}

/// Two histories, compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meeting {
    /// Who says that it writes.
    pub writer: Node,
    /// In which epoch.
    pub epoch: Epoch,
    /// The version of the register that the writer knew when it took the connection.
    pub version: Version,
    /// The last record that both have, by their tables of epochs.
    pub common_end: Sequence,
    /// What the own journal vouches for as settled.
    pub settled: Sequence,
}

/// Something is to be done, in the order in which it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleAction {
    /// Read the register, linearizably. Calls to the arbiter are made one at a time and in order,
    /// and a read that is asked for while one is under way is the same read.
    Read,
    /// Change the register if it holds this version. Sent again, it is the same operation.
    Swap {
        /// What it must hold.
        version: Version,
        /// What it shall hold.
        proposal: Membership,
    },
    /// Connect to this node, which writes by the register.
    Connect(Node),
    /// The writer that was met is to be followed: cut the own journal behind this record, then
    /// store what it sends.
    Follow {
        /// The writer's epoch.
        epoch: Epoch,
        /// The last record that stays.
        cut_to: Sequence,
    },
    /// The writer that was met is an old one: close the connection, and tell it this epoch.
    Refuse(Epoch),
    /// Tell the writer.
    Acknowledge {
        /// The epoch it writes in.
        epoch: Epoch,
        /// The last record that is synced here.
        end: Sequence,
        /// As it came.
        sent_ms: u64,
    },
    /// Close the connection to a copy, which then comes again.
    Disconnect(Node),
    /// Take the rest of the own journal, append and sync `Started` with this epoch, let copies
    /// connect.
    Begin(Epoch),
    /// Keep this where a later start of this node finds it, and sync it.
    Keep(Seen),
    /// All is settled, and nothing is answered from here on: tell this copy, and end.
    Surrender {
        /// Who may claim at once.
        to: Node,
        /// The epoch that ends.
        epoch: Epoch,
    },
    /// No copy could take over: go on.
    StayWriter,
    /// Tell the clients that wait that the outcome is unknown, and end this process.
    End(EndReason),
}

/// What a node knows of the register from one start to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The epoch it has seen there.
    pub epoch: Epoch,
    /// The version it has seen there, in that epoch.
    pub version: Version,
    /// The directory began empty, and the register may still count an earlier one of this name.
    pub began_empty: bool,
}

/// Why a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Another node writes. The next start joins.
    Deposed,
    /// The role was handed over. The next start joins.
    Surrendered,
    /// The register is gone, or is older than what was seen of it: an operator must make it anew.
    RegisterForgot,
    /// The writer lacks what the own journal vouches for: the journals are not of one history.
    ForeignHistory,
}

/// What a node is, for status and for what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeRole {
    /// It follows nobody yet.
    Joining,
    /// It stores what a writer sends.
    Following,
    /// It has asked the register to be the writer, and does not know yet.
    Claiming,
    /// It is the writer by the register, and its `Started` is not settled yet.
    Elected,
    /// It decides and answers.
    Writing,
    /// Nothing is done any more.
    Ended(EndReason),
}
