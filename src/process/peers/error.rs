//! Why a node does not start or goes on no longer, each with what an operator does about it.
//!
//! Owns the sentences. Next: `checks`, which finds the reasons.

use super::peer_tls::PeerTlsError;
use crate::cluster::etcd::BadEndpoints;
use crate::cluster::node::Name;
use crate::cluster::node_file::NodeFileError;
use crate::cluster::register::{ClusterId, Epoch, UnknownNode};
use std::io;
use std::path::PathBuf;

/// Why a node cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The directory is a node's, and the settings replicate nothing.
    #[error(
        "{} is the node {node} of the cluster {cluster}, and replication.mode is off: it would write \
         by itself while another node may sell the same units. Set replication.mode; to take it out \
         of the cluster for good, remove {}",
        data.display(), file.display()
    )]
    ByItself { data: PathBuf, file: PathBuf, node: Name, cluster: Name },
    /// The directory is another node's.
    #[error(
        "{} is the node {found} of the cluster {found_cluster}, and the settings name the node \
         {node} of {cluster}: start it with the data directory of that node, or an empty one",
        data.display()
    )]
    AnotherNode {
        data: PathBuf,
        /// In the directory.
        found: Name,
        found_cluster: Name,
        /// In the settings.
        node: Name,
        cluster: Name,
    },
    /// What the directory keeps of its cluster cannot be used.
    #[error(transparent)]
    NodeFile(#[from] NodeFileError),
    /// Links would be in clear on a network.
    #[error(
        "{what} is {address}, beyond loopback, and nodes would speak in clear: seeds of open draws \
         are in what they send. Set cluster.tls_cert_file, cluster.tls_key_file and \
         cluster.tls_ca_file, or add --insecure"
    )]
    InClear { what: String, address: String },
    /// A file of TLS.
    #[error(transparent)]
    Tls(#[from] PeerTlsError),
    /// The arbiter's address or credentials.
    #[error("cluster.arbiter: {0}")]
    Arbiter(#[from] BadEndpoints),
    /// The file with the arbiter's user cannot be read.
    #[error("cannot read cluster.arbiter_auth_file {}: {cause}", file.display())]
    Credentials {
        file: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// Other nodes cannot be heard.
    #[error("cannot listen for other nodes on {address}: {cause}")]
    Listen {
        address: String,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// There is no register, and this directory has never seen one.
    #[error(
        "there is no register at {key}: run `doorbusterctl cluster init` for the node whose journal \
         all others shall hold, and start the others with empty directories"
    )]
    NoRegister { key: String },
    /// There is none, or one from before what was seen.
    #[error(
        "the register at {key} has forgotten: this node has seen it in epoch {epoch} at version \
         {version}, and now {now}. etcd was wiped or restored from an older backup. Nobody may write \
         until `doorbusterctl cluster restore` has made the register anew from the node that holds \
         most; this node was left as it is"
    )]
    RegisterForgot {
        key: String,
        epoch: Epoch,
        version: u64,
        /// In words.
        now: String,
    },
    /// The register is another cluster's.
    #[error(
        "the register at {key} is that of the cluster {found}, and {} belongs to {own}: either \
         cluster.name or cluster.arbiter names the wrong one, or the register was made anew by \
         `cluster init`, where `doorbusterctl cluster restore` was called for",
        data.display()
    )]
    AnotherCluster { key: String, data: PathBuf, found: ClusterId, own: ClusterId },
    /// The register names another journal.
    #[error(
        "{} holds the journal {own}, and the cluster's is {found}: it is a directory of another \
         history. Start with the right directory, or set this one aside and begin with an empty one",
        data.display()
    )]
    AnotherJournal { data: PathBuf, own: String, found: String },
    /// The register names a node that the settings do not.
    #[error("{0}: cluster.nodes must be the same on all nodes")]
    UnknownNode(#[from] UnknownNode),
    /// The writer lacks what this directory vouches for.
    #[error(
        "the writer lacks records that {} holds as settled: one of the two was restored from a \
         backup, or they are of different clusters. If the writer is right, set this directory aside \
         and start with an empty one; if this one is, stop all nodes and run `doorbusterctl cluster \
         restore`",
        data.display()
    )]
    ForeignHistory { data: PathBuf },
    /// Another node writes now.
    #[error(
        "another node was made the writer: clients that waited were told that their outcome is \
         unknown; started again, this node follows"
    )]
    Deposed,
    /// The role was given to another node.
    #[error("the role of the writer was handed over; started again, this node follows")]
    HandedOver,
    /// The part that keeps nodes together cannot go on.
    #[error("{0}")]
    Failed(String),
}

impl ClusterError {
    /// Whether the same process, started again, is what is called for.
    #[must_use]
    pub fn is_to_start_again(&self) -> bool {
        matches!(self, Self::Deposed | Self::HandedOver)
    }
}
