//! How a node begins: what is looked at before the journal is read, and the thread.
//!
//! Owns the first read of the register, which is waited for as long as it takes: without it a node
//! does not know whom to follow. Next: `thread`.

use super::arbiter_calls::{ArbiterCalls, Call, Reply};
use super::checks::{self, Identity};
use super::digests::Digests;
use super::error::ClusterError;
use super::event::{ClusterEvent, Order};
use super::links::Links;
use super::peer_tls::PeerTls;
use super::register_watch::RegisterWatch;
use super::thread::{ClusterThread, Parts};
use crate::cluster::arbiter::{Arbiter, Versioned};
use crate::cluster::etcd::{Credentials, Endpoints, Etcd};
use crate::cluster::node_file::NodeFile;
use crate::cluster::register::ClusterId;
use crate::codec;
use crate::config::{Config, ReplicationMode};
use crate::copies::node::{ClusterNode, NodeSettings};
use crate::copies::replica::Replica;
use crate::ring::CopyProgress;
use crate::shared::clock::Clock;
use crate::shared::snapshots::Snapshots;
use crate::shared::standing::{Standing, StandingCell, StandingRole};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

/// There is one shard.
const SHARD: u16 = 0;
/// A link on which nobody has said who it is ends after this.
const HELLO_MS: u64 = 3_000;
/// Between two attempts at the first read.
const PAUSE: Duration = Duration::from_millis(200);
/// So many attempts fail between two lines for the operator.
const TOLD_EVERY: u64 = 50;

/// A node that may begin.
pub(crate) struct Prepared {
    pub(crate) identity: Identity,
    kept: Option<NodeFile>,
    listener: TcpListener,
    tls: Option<PeerTls>,
    etcd: Etcd,
}

/// Looks at all that can be wrong before the journal is read; none where nothing is replicated.
///
/// # Errors
/// What is wrong, with what to do about it.
pub(crate) fn prepare(config: &Config) -> Result<Option<Prepared>, ClusterError> {
    let identity = Identity::of(config);
    let kept = checks::directory(&config.data, identity.as_ref())?;
    let Some(identity) = identity else { return Ok(None) };
    let tls = PeerTls::read(&config.replication)?;
    checks::links(config, &identity, tls.is_some())?;
    let etcd = etcd(config, &identity)?;
    let address = checks::peer_address(config, &identity);
    let listener = listen(&address).map_err(|cause| ClusterError::Listen { address, cause })?;
    Ok(Some(Prepared { identity, kept, listener, tls, etcd }))
}

fn listen(address: &str) -> io::Result<TcpListener> {
    let found: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    let listener = TcpListener::bind(&*found)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn etcd(config: &Config, identity: &Identity) -> Result<Etcd, ClusterError> {
    let settings = &config.cluster;
    let arbiter = settings.arbiter.as_deref().unwrap_or_default();
    let endpoints = Endpoints::parse(arbiter, settings.arbiter_ca_file.as_deref())?;
    let credentials = settings.arbiter_auth_file.as_deref().map(credentials).transpose()?;
    Ok(Etcd::new(endpoints.with(credentials), &identity.cluster, SHARD))
}

fn credentials(file: &Path) -> Result<Credentials, ClusterError> {
    let text = fs::read_to_string(file)
        .map_err(|cause| ClusterError::Credentials { file: file.to_owned(), cause })?;
    Ok(Credentials::parse(&text)?)
}

/// What the thread is given.
pub(crate) struct ClusterParts<R> {
    pub(crate) clock: Clock,
    /// The directory, which follows.
    pub(crate) replica: R,
    pub(crate) progress: CopyProgress,
    pub(crate) standing: Arc<StandingCell>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) events: Sender<ClusterEvent<R>>,
}

impl Prepared {
    /// Goes on until this node ends; to be run on a thread of its own.
    pub(crate) async fn run<R: Replica>(self, config: &Config, parts: ClusterParts<R>) {
        let events = parts.events.clone();
        if let Err(error) = self.begin(config, parts).await {
            // Where nobody listens the process is about to end.
            let _ = events.send(ClusterEvent::Ended(error));
        }
    }

    async fn begin<R: Replica>(
        self,
        config: &Config,
        parts: ClusterParts<R>,
    ) -> Result<(), ClusterError> {
        let Self { identity, kept, listener, tls, etcd } = self;
        let ClusterParts { clock, replica, progress, standing, snapshots, mut orders, events } =
            parts;
        let digests = Digests::of(snapshots);
        let joining = Standing {
            is_replicated: true,
            role: StandingRole::Joining,
            node: identity.node.to_string(),
            ..Standing::default()
        };
        standing.store(joining.clone());
        // Nothing is shown before a writer's start is settled on all that count.
        progress.publish_with_lease(replica.settled(), 0);
        let journal = replica.journal_id().map(|id| id.to_string());
        let key = etcd.key().to_owned();
        let nodes = identity.nodes.clone();
        let mut calls = ArbiterCalls::to(etcd);
        let data = config.data.clone();
        let mut watch = RegisterWatch::new(data, key, identity.clone(), kept, journal);
        let first = tokio::select! {
            biased;
            first = first_read(&mut calls, clock, &joining, &standing) => first,
            // The server stops; it has nothing else to say before it writes.
            _ = orders.recv() => {
                let _ = events.send(ClusterEvent::Left { replica: Some(replica) });
                return Ok(());
            }
        };
        watch.look_at(first.as_ref())?;
        let cluster = watch.cluster().ok_or_else(|| watch.forgot())?;
        let settings = settings(config, &identity, cluster)?;
        let (data, now_ms) = (config.data.clone(), clock.boottime_ms());
        let node = ClusterNode::start(settings, data, replica, watch.seen(), now_ms);
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|cause| ClusterError::Failed(cause.to_string()))?;
        let links = Links::new(listener, tls, nodes.count());
        let parts = Parts {
            clock,
            nodes,
            links,
            calls,
            watch,
            progress,
            standing,
            digests,
            orders,
            events,
        };
        ClusterThread::new(parts, node).run().await;
        Ok(())
    }
}

/// Asks until there is an answer.
async fn first_read<A: Arbiter + Send + Sync + 'static>(
    calls: &mut ArbiterCalls<A>,
    clock: Clock,
    joining: &Standing,
    standing: &StandingCell,
) -> Option<Versioned> {
    let arbiter_gone_since_ms = Some(clock.elapsed_ms());
    let mut attempts: u64 = 0;
    loop {
        calls.ask(Call::Read);
        let cause = match calls.reply().await {
            Reply::Read(Ok(held)) => return held,
            Reply::Read(Err(cause)) | Reply::Swapped(_, Err(cause)) => cause.to_string(),
            Reply::Swapped(_, Ok(_)) => continue,
        };
        if attempts.is_multiple_of(TOLD_EVERY) {
            tracing::warn!(cause, "the arbiter does not answer; this node waits for it");
        }
        attempts += 1;
        standing.store(Standing { arbiter_gone_since_ms, ..joining.clone() });
        sleep(PAUSE).await;
    }
}

fn settings(
    config: &Config,
    identity: &Identity,
    cluster: ClusterId,
) -> Result<NodeSettings, ClusterError> {
    let Identity { node, nodes, url, .. } = identity.clone();
    let own = nodes.find(node.as_str());
    let own = own.ok_or_else(|| ClusterError::Failed(format!("{node} is not in the list")))?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|cause| ClusterError::Failed(cause.to_string()))?;
    let replication = &config.replication;
    let caps = &config.rules.caps;
    let caps = [
        ("caps.skus", caps.skus),
        ("caps.orders", caps.orders),
        ("caps.keys", caps.keys),
        ("caps.answers", caps.answers),
        ("caps.uses", caps.uses),
        ("caps.users", caps.users),
        ("caps.draws", caps.draws),
        ("caps.entries", caps.entries),
    ];
    Ok(NodeSettings {
        cluster,
        nodes,
        own,
        name: node,
        is_sync: replication.mode == ReplicationMode::Sync,
        copies: replication.copies,
        timing: replication.timing(),
        beat_ms: replication.beat_ms,
        hello_ms: HELLO_MS,
        bootstrap_bytes_per_s: replication.bootstrap_bytes_per_s,
        clock_skew_ms_max: replication.clock_skew_ms_max,
        process: u64::from_le_bytes(random),
        record_version: codec::RECORD_VERSION,
        product: env!("CARGO_PKG_VERSION").to_owned(),
        machine: machine(),
        caps: caps.map(|(name, cap)| (name.to_owned(), u64::from(cap))).into(),
        url: Some(url),
    })
}

/// What tells this machine from others; empty where nothing does.
fn machine() -> String {
    fs::read_to_string("/etc/machine-id").map(|id| id.trim().to_owned()).unwrap_or_default()
}
