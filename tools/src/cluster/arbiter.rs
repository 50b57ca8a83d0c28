//! The settings of the cluster, the arbiter that they name, and the register there: read, shown,
//! and changed.
//!
//! Owns what an operator is told where one of them is not there. Never says what the register shall
//! hold. Next: `doorbuster::cluster`.

use crate::inspect::Trouble;
use doorbuster::cluster::arbiter::{Arbiter, ArbiterError, Swapped, Versioned};
use doorbuster::cluster::etcd::{Credentials, Endpoints, Etcd};
use doorbuster::cluster::node::{Name, Nodes};
use doorbuster::cluster::node_file::{NodeFile, NodeFileError};
use doorbuster::cluster::register::{OperationId, Register};
use doorbuster::config::{Config, Sources};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How often the register is asked for what became of a change whose outcome is not known.
const ATTEMPTS_MAX: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// There is one shard.
const SHARD: u16 = 0;

/// A cluster, as the settings name it.
pub(super) struct Cluster {
    pub(super) config: Config,
    pub(super) name: Name,
    pub(super) etcd: Etcd,
}

impl Cluster {
    /// From the file and the environment, as the server reads them.
    pub(super) fn of(file: Option<&Path>) -> Result<Self, Trouble> {
        let mut sources = Sources::default();
        if let Some(file) = file {
            let name = file.display().to_string();
            let text = fs::read_to_string(file)
                .map_err(|cause| Trouble::Unreadable(format!("cannot read {name}: {cause}")))?;
            sources.file(&name, &text).map_err(|error| Trouble::Usage(error.to_string()))?;
        }
        let environment = sources.environment(std::env::vars_os());
        environment.map_err(|error| Trouble::Usage(error.to_string()))?;
        let config = sources.config().map_err(|error| Trouble::Usage(error.to_string()))?;
        let settings = &config.cluster;
        let arbiter = given("cluster.arbiter", settings.arbiter.as_ref())?;
        let authorities = settings.arbiter_ca_file.as_deref();
        let endpoints = Endpoints::parse(arbiter, authorities)
            .map_err(|error| Trouble::Usage(format!("cluster.arbiter: {error}")))?;
        let credentials = settings.arbiter_auth_file.as_deref().map(credentials).transpose()?;
        let name = given("cluster.name", settings.name.as_ref())?.clone();
        let etcd = Etcd::new(endpoints.with(credentials), &name, SHARD);
        Ok(Self { config, name, etcd })
    }

    /// Which node this is.
    pub(super) fn own(&self) -> Result<&Name, Trouble> {
        given("cluster.node", self.config.cluster.node.as_ref())
    }

    pub(super) fn nodes(&self) -> Result<&Nodes, Trouble> {
        given("cluster.nodes", self.config.cluster.nodes.as_ref())
    }

    /// The name in the list of nodes.
    pub(super) fn named(&self, node: &Name) -> Result<(), Trouble> {
        match self.nodes()?.find(node.as_str()) {
            Some(_) => Ok(()),
            None => Err(Trouble::Usage(format!("cluster.nodes does not name {node}"))),
        }
    }

    /// The register; none is a trouble with its remedy.
    pub(super) async fn register(&self) -> Result<Versioned, Trouble> {
        let read = self.etcd.read().await.map_err(|error| unanswered(&error))?;
        read.ok_or_else(|| self.absent())
    }

    pub(super) fn absent(&self) -> Trouble {
        Trouble::NotThere(format!(
            "there is no register at {}; `doorbusterctl cluster init`, on the node whose journal \
             all others shall hold, makes it. If there was one before, `doorbusterctl cluster \
             restore` makes it anew",
            self.etcd.key()
        ))
    }

    /// What a directory knows, which must be that it is this node.
    pub(super) fn kept(&self, data: &Path) -> Result<Option<NodeFile>, Trouble> {
        let Some(kept) = NodeFile::read(data).map_err(unkept)? else { return Ok(None) };
        let node = self.own()?;
        if kept.name == self.name && kept.node == *node {
            return Ok(Some(kept));
        }
        Err(Trouble::NotThere(format!(
            "{} is the node {} of the cluster {}, and the settings name the node {node} of {}",
            data.display(),
            kept.node,
            kept.name,
            self.name,
        )))
    }

    /// Changes the register if it stands as it was read; none means that there must be none yet. An
    /// outcome that is not known is found by the operation, and a register that is there already by
    /// the cluster's id.
    pub(super) async fn change(
        &self,
        expected: Option<u64>,
        register: &Register,
    ) -> Result<Versioned, Refused> {
        let is_ours = |held: &Register| match expected {
            Some(_) => held.operation == register.operation,
            None => held.cluster == register.cluster,
        };
        let mut attempts = 1;
        loop {
            match self.etcd.swap(expected, register).await {
                Ok(Swapped::Done(version)) => {
                    return Ok(Versioned { version, register: register.clone() });
                }
                Ok(Swapped::Refused(Some(held))) if is_ours(&held.register) => return Ok(held),
                Ok(Swapped::Refused(Some(held))) => return Err(Refused::Another(Box::new(held))),
                Err(error @ ArbiterError::Unreadable(_)) => {
                    return Err(Refused::Trouble(unanswered(&error)));
                }
                Ok(Swapped::Refused(None)) | Err(_) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(Swapped::Refused(None)) => {
                    let told = "etcd says that there is a register and that there is none";
                    return Err(Refused::Trouble(Trouble::Unreadable(told.to_owned())));
                }
                Err(error) => return Err(Refused::Trouble(unanswered(&error))),
            }
        }
    }

    pub(super) fn facts(&self, held: &Versioned) -> Facts {
        let Register { cluster, journal, epoch, writer, in_sync, urls, forced, .. } =
            &held.register;
        let urls: Vec<_> = urls.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let mut facts = vec![
            ("key", self.etcd.key().into()),
            ("version", held.version.into()),
            ("cluster", cluster.to_string().into()),
            ("journal_id", journal.as_str().into()),
            ("epoch", (*epoch).into()),
            ("writer", writer.as_str().into()),
            ("in_sync", list(in_sync).into()),
            ("urls", urls.join(", ").into()),
        ];
        if let Some(forced) = forced {
            facts.push(("forced_node", forced.node.as_str().into()));
            facts.push(("lost_from_seq", forced.lost_from.into()));
        }
        facts
    }
}

/// Why the register was not changed.
pub(super) enum Refused {
    /// Another one is there.
    Another(Box<Versioned>),
    Trouble(Trouble),
}

impl Refused {
    /// For a change that rests on what was read before.
    pub(super) fn moved_on(self) -> Trouble {
        match self {
            Self::Trouble(trouble) => trouble,
            Self::Another(held) => Trouble::NotThere(format!(
                "the register was changed meanwhile, and was left as it is: {} writes in epoch {}, \
                 in sync: {}. Look at `doorbusterctl cluster status`, and ask again",
                held.register.writer,
                held.register.epoch,
                list(&held.register.in_sync),
            )),
        }
    }
}

pub(super) type Facts = Vec<(&'static str, Value)>;

pub(super) fn given<'a, T>(name: &str, value: Option<&'a T>) -> Result<&'a T, Trouble> {
    let told = || Trouble::Usage(format!("{name} is not set: name it in the file of --config"));
    value.ok_or_else(told)
}

fn credentials(file: &Path) -> Result<Credentials, Trouble> {
    let text = fs::read_to_string(file)
        .map_err(|cause| Trouble::Unreadable(format!("cannot read {}: {cause}", file.display())))?;
    Credentials::parse(&text).map_err(|error| Trouble::Usage(error.to_string()))
}

/// Runs what waits for the network.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
    runtime.block_on(work)
}

pub(super) fn unanswered(error: &ArbiterError) -> Trouble {
    match error {
        ArbiterError::Unreadable(_) => Trouble::Damage(error.to_string()),
        ArbiterError::Unavailable(_) | ArbiterError::Unknown(_) => {
            Trouble::Unreadable(error.to_string())
        }
    }
}

pub(super) fn unkept(error: NodeFileError) -> Trouble {
    match error {
        NodeFileError::Io { .. } => Trouble::Unreadable(error.to_string()),
        NodeFileError::Unreadable { .. } => Trouble::Damage(error.to_string()),
    }
}

/// An operation that nobody else makes.
pub(super) fn operation() -> Result<OperationId, Trouble> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
    Ok(OperationId { process: u64::from_le_bytes(random), number: 1 })
}

pub(super) fn list(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
