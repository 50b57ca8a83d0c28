//! What a node is told before it is told events.
//!
//! Owns no rule. Next: `mod.rs`.

use crate::cluster::node::{Name, Node, Nodes};
use crate::cluster::register::ClusterId;
use crate::cluster::role::{RoleSettings, Timing};

/// What does not change while a process runs.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Its nodes.
    pub nodes: Nodes,
    /// This one.
    pub own: Node,
    /// Its name in the list.
    pub name: Name,
    /// `replication.mode`: answers wait for copies; otherwise copies follow, and nobody takes over
    /// by itself.
    pub is_sync: bool,
    /// `replication.copies`: how many disks an answer waits for.
    pub copies: usize,
    /// How long to wait for others.
    pub timing: Timing,
    /// The writer says that it is there so often.
    pub beat_ms: u64,
    /// A connection on which a node has not said who it is, or has not begun to follow, is closed
    /// after so long.
    pub hello_ms: u64,
    /// How fast a copy that begins anew is sent what it lacks.
    pub bootstrap_bytes_per_s: u64,
    /// Further apart, a copy does not take over.
    pub clock_skew_ms_max: u64,
    /// What this process drew at its start.
    pub process: u64,
    /// The version of the records of this program.
    pub record_version: u32,
    /// The version of this program.
    pub product: String,
    /// What tells this machine from others; empty where nothing does.
    pub machine: String,
    /// How large tables get, by setting.
    pub caps: Vec<(String, u64)>,
    /// Where clients reach this node.
    pub url: Option<String>,
}

impl NodeSettings {
    /// In the mode `async` nobody is waited for, so nobody comes in sync, and nobody claims.
    pub(super) fn role(&self) -> RoleSettings {
        RoleSettings {
            own: self.own,
            nodes: self.nodes.count(),
            copies: if self.is_sync { self.copies } else { 1 },
            timing: self.timing,
            process: self.process,
        }
    }
}
