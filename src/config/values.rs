//! The settings of one process as values, filled in by the tables.
//!
//! Owns what each setting becomes. What admission asks for and where to listen are in `admission`
//! and `listen`. Never reads a text. Next: `table`, `sources`.

use super::admission::AdmissionSettings;
use super::listen::Listen;
use crate::cluster::node::{Name, Nodes};
use crate::cluster::role::Timing;
use crate::domain::model::settings::Settings;
use doorbuster_snapshots::Keep;
use std::path::PathBuf;

/// When an answer may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// After a data sync; one for all that wait.
    Group,
    /// At once; a sync every so many milliseconds.
    Interval(u64),
    /// At once; the kernel syncs when it likes.
    Os,
}

impl Durability {
    /// Power loss may take back what was answered.
    #[must_use]
    pub fn answers_before_sync(self) -> bool {
        self != Self::Group
    }
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Group => f.write_str("group"),
            Self::Interval(interval_ms) => write!(f, "interval:{interval_ms}"),
            Self::Os => f.write_str("os"),
        }
    }
}

/// How the writer waits for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Sleeps; an idle server costs nothing.
    Park,
    /// Looks again at once; costs a core.
    Spin,
}

/// The settings of one process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: Listen,
    /// When an answer may leave.
    pub durability: Durability,
    /// Threads that read requests and write answers.
    pub io_threads: u16,
    /// How the writer waits for work.
    pub wait: Wait,
    /// Requests are timed, stage by stage.
    pub timed: bool,
    /// Start although the clock is far off.
    pub accept_clock: bool,
    /// Listen beyond loopback without tokens.
    pub insecure: bool,
    /// A core of this process may be dumped.
    pub core_dumps: bool,
    /// Who may come in; without it everybody may.
    pub tokens_file: Option<PathBuf>,
    /// The certificate to speak TLS with.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// A TLS handshake must be done within this, in milliseconds.
    pub handshake_timeout_ms: u64,
    /// TLS handshakes at a time.
    pub handshakes_max: usize,
    /// Size of a journal segment, in bytes.
    pub segment_bytes: u64,
    /// Every refusal is journaled whole; otherwise they are counted.
    pub refusals_full: bool,
    /// Segments are kept this long, snapshots or not, in milliseconds.
    pub journal_retain_ms: u64,
    /// A snapshot after so many events.
    pub snapshot_events: u64,
    /// A snapshot at least this often, in milliseconds.
    pub snapshot_every_ms: u64,
    /// How many snapshots stay.
    pub snapshot_keep: Keep,
    /// Room held back for a snapshot on a full disk, in bytes.
    pub ballast_bytes: u64,
    /// Connections at most.
    pub connections_max: usize,
    /// A request's head must be there within this, in milliseconds.
    pub header_timeout_ms: u64,
    /// A request's body must be there within this, in milliseconds.
    pub body_timeout_ms: u64,
    /// A connection without a request is closed after this, in milliseconds.
    pub idle_ms: u64,
    /// What else a client may use up.
    pub http: HttpSettings,
    /// A data sync that takes longer stops new orders, in milliseconds.
    pub stall_ms: u64,
    /// Before a drain, everything is served for this long while `/readyz` is 503, in milliseconds.
    pub drain_delay_ms: u64,
    /// A stop waits this long for requests under way, in milliseconds.
    pub drain_ms: u64,
    /// Who is let in while there are more than can be served.
    pub admission: AdmissionSettings,
    /// How and what is told on standard error.
    pub log: LogSettings,
    /// Which node of which cluster this is.
    pub cluster: ClusterSettings,
    /// How the journal is kept on several nodes.
    pub replication: ReplicationSettings,
    /// What decides outcomes.
    pub rules: Settings,
}

/// How much and how long a client may send, read or wait; bytes, counts and milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// Request line and headers together.
    pub header_bytes_max: usize,
    /// Header lines.
    pub headers_max: usize,
    /// The request target.
    pub uri_bytes_max: usize,
    /// A body but that of a batch.
    pub body_bytes_max: usize,
    /// For all of a batch to come.
    pub batch_timeout_ms: u64,
    /// For a client to take some of what is written to it.
    pub write_timeout_ms: u64,
    /// A connection's.
    pub lifetime_ms: u64,
    /// For one whose life is over, without a request.
    pub idle_grace_ms: u64,
    /// On one connection; 0 = no limit.
    pub requests_max: u64,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// What is told: this and everything graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Faults of the server.
    Error,
    /// What an operator must look at.
    Warn,
    /// What the server did.
    Info,
    /// What helps to find out why.
    Debug,
}

/// How and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Stays as it was at the start.
    pub format: LogFormat,
    /// May change while the server runs.
    pub level: LogLevel,
}

/// What a node must know of its cluster; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The name of the cluster, the same on all nodes.
    pub name: Option<Name>,
    /// This node.
    pub node: Option<Name>,
    /// All nodes, with the address at which each listens for the others.
    pub nodes: Option<Nodes>,
    /// Where clients reach this node.
    pub url: Option<String>,
    /// Where the register is kept, as written.
    pub arbiter: Option<String>,
    /// Who asks there.
    pub arbiter_auth_file: Option<PathBuf>,
    /// Whose certificates are believed there, under TLS; none means the system's.
    pub arbiter_ca_file: Option<PathBuf>,
}

/// What an answer waits for besides this disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReplicationMode {
    /// Nothing: this process writes by itself, and there are no other nodes.
    #[default]
    Off,
    /// The copies that count.
    Sync,
    /// Nothing; copies follow, and none takes over by itself.
    Async,
}

/// What a writer does whose last copy is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenAlone {
    /// Goes on by itself.
    #[default]
    Serve,
    /// Refuses new orders until a copy is back.
    Refuse,
}

/// How nodes replicate; durations in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicationSettings {
    /// What an answer waits for.
    pub mode: ReplicationMode,
    /// How many disks an answer waits for, the own included.
    pub copies: usize,
    /// Where the other nodes connect to; none means the own address of `cluster.nodes`.
    pub listen: Option<Listen>,
    /// What becomes of a writer without copies.
    pub when_alone: WhenAlone,
    /// Reads are good for so long after what all copies acknowledged was sent.
    pub lease_ms: u64,
    /// A copy claims after so much silence.
    pub silence_ms: u64,
    /// A copy that acknowledges nothing for so long is dropped.
    pub lag_ms: u64,
    /// The writer shows itself so often.
    pub beat_ms: u64,
    /// Beyond so many bytes that the copies do not have, new orders are refused.
    pub unsettled_bytes_max: u64,
    /// How fast an empty node is filled.
    pub bootstrap_bytes_per_s: u64,
    /// A node whose clock is further off does not claim.
    pub clock_skew_ms_max: u64,
    /// What a node shows to the others under TLS.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Whose certificates nodes believe of one another.
    pub tls_ca: Option<PathBuf>,
}

impl ReplicationSettings {
    /// How long a node waits for others.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing {
            lease_ms: self.lease_ms,
            silence_ms: self.silence_ms,
            closed_ms: self.lease_ms.saturating_mul(5).div_ceil(4),
            lag_ms: self.lag_ms,
            ..Timing::default()
        }
    }
}
