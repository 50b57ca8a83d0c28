//! What a process is told before it is told events.
//!
//! Owns no rule. Next: `machine`.

use super::event::Seen;
use super::timing::Timing;
use crate::cluster::node::Node;
use crate::cluster::register::Epoch;

/// What does not change while a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoleSettings {
    /// This node.
    pub own: Node,
    /// Nodes in the list.
    pub nodes: usize,
    /// How many disks an answer waits for, the own included.
    pub copies: usize,
    /// How long to wait for others.
    pub timing: Timing,
    /// What this process drew at its start, so that its changes of the register are told from all
    /// others.
    pub process: u64,
}

/// What a start finds on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Found {
    /// The epoch of the last record; 0 where there is none.
    pub log_epoch: Epoch,
    /// What an earlier start of this directory has kept; none in a new or foreign one.
    pub seen: Option<Seen>,
}
