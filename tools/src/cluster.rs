//! `cluster init` and `cluster status`: the register of a cluster, made once and shown.
//!
//! Owns what an operator is told of it. Never changes a register that is there: that is for the
//! nodes, which do it by their rules. Next: `doorbuster::cluster`.

use crate::inspect::{self, Findings, Table, Trouble};
use doorbuster::cluster::arbiter::{Arbiter, ArbiterError, Swapped, Versioned};
use doorbuster::cluster::etcd::{Credentials, Endpoints, Etcd, EtcdHealth};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::node_file::{NodeFile, NodeFileError};
use doorbuster::cluster::register::{ClusterId, OperationId, Register};
use doorbuster::cluster::role::Seen;
use doorbuster::config::{ClusterSettings, Sources};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How often the register is asked for what became of a change whose outcome is not known.
const ATTEMPTS_MAX: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// There is one shard.
const SHARD: u16 = 0;

/// The settings, from the file and the environment, as the server reads them.
fn settings(config: Option<&Path>) -> Result<ClusterSettings, Trouble> {
    let mut sources = Sources::default();
    if let Some(file) = config {
        let name = file.display().to_string();
        let text = fs::read_to_string(file)
            .map_err(|cause| Trouble::Unreadable(format!("cannot read {name}: {cause}")))?;
        sources.file(&name, &text).map_err(|error| Trouble::Usage(error.to_string()))?;
    }
    sources.environment(std::env::vars_os()).map_err(|error| Trouble::Usage(error.to_string()))?;
    let config = sources.config().map_err(|error| Trouble::Usage(error.to_string()))?;
    Ok(config.cluster)
}

fn given<'a, T>(name: &str, value: Option<&'a T>) -> Result<&'a T, Trouble> {
    let told = || Trouble::Usage(format!("{name} is not set: name it in the file of --config"));
    value.ok_or_else(told)
}

fn etcd(settings: &ClusterSettings) -> Result<Etcd, Trouble> {
    let arbiter = given("cluster.arbiter", settings.arbiter.as_ref())?;
    let authorities = settings.arbiter_ca_file.as_deref();
    let endpoints = Endpoints::parse(arbiter, authorities)
        .map_err(|error| Trouble::Usage(format!("cluster.arbiter: {error}")))?;
    let credentials = settings.arbiter_auth_file.as_deref().map(credentials).transpose()?;
    let name = given("cluster.name", settings.name.as_ref())?;
    Ok(Etcd::new(endpoints.with(credentials), name, SHARD))
}

fn credentials(file: &Path) -> Result<Credentials, Trouble> {
    let text = fs::read_to_string(file)
        .map_err(|cause| Trouble::Unreadable(format!("cannot read {}: {cause}", file.display())))?;
    Credentials::parse(&text).map_err(|error| Trouble::Usage(error.to_string()))
}

/// Runs what waits for the network.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
    Ok(runtime.block_on(work))
}

fn unanswered(error: &ArbiterError) -> Trouble {
    match error {
        ArbiterError::Unreadable(_) => Trouble::Damage(error.to_string()),
        ArbiterError::Unavailable(_) | ArbiterError::Unknown(_) => {
            Trouble::Unreadable(error.to_string())
        }
    }
}

/// Makes the register: the node of this directory writes, alone for now. The directory is told
/// first which node it is: a register without a directory that knows it would be nobody's.
pub(crate) fn init(data: &Path, config: Option<&Path>) -> Result<Findings, Trouble> {
    let settings = settings(config)?;
    let node = given("cluster.node", settings.node.as_ref())?;
    let nodes = given("cluster.nodes", settings.nodes.as_ref())?;
    if nodes.find(node.as_str()).is_none() {
        let told = format!("cluster.node is {node}, and cluster.nodes does not name it");
        return Err(Trouble::Usage(told));
    }
    let etcd = etcd(&settings)?;
    let name = given("cluster.name", settings.name.as_ref())?;
    let mut register = first(data, node, settings.url.as_ref())?;
    let before = kept(data, name, node)?;
    if let Some(before) = before.as_ref().filter(|before| before.seen.version > 0) {
        return Err(made_before(data, before, &etcd)?);
    }
    register.cluster = before.as_ref().map_or(register.cluster, |before| before.cluster);
    let seen = Seen { epoch: register.epoch, version: 0, began_empty: false };
    let mut kept =
        NodeFile { cluster: register.cluster, name: name.clone(), node: node.clone(), seen };
    kept.write(data).map_err(unkept)?;
    let made = match block_on(make(&etcd, &register))? {
        Ok(made) => made,
        Err(Refused::Another(held)) => {
            // It would be a member of a cluster that knows nothing of it.
            fs::remove_file(NodeFile::path(data)).map_err(|cause| unreadable(&cause))?;
            return Err(there_already(&etcd, &held));
        }
        Err(Refused::Trouble(trouble)) => return Err(trouble),
    };
    kept.seen = Seen { epoch: made.register.epoch, version: made.version, began_empty: false };
    kept.write(data).map_err(unkept)?;
    Ok(Findings::good(facts(&etcd, &made), None))
}

fn unreadable(cause: &std::io::Error) -> Trouble {
    Trouble::Unreadable(cause.to_string())
}

fn unkept(error: NodeFileError) -> Trouble {
    match error {
        NodeFileError::Io { .. } => Trouble::Unreadable(error.to_string()),
        NodeFileError::Unreadable { .. } => Trouble::Damage(error.to_string()),
    }
}

/// What the directory knows, which must be that it is this node.
fn kept(data: &Path, name: &Name, node: &Name) -> Result<Option<NodeFile>, Trouble> {
    let Some(kept) = NodeFile::read(data).map_err(unkept)? else { return Ok(None) };
    if kept.name == *name && kept.node == *node {
        return Ok(Some(kept));
    }
    Err(Trouble::NotThere(format!(
        "{} is the node {} of the cluster {}, and the settings name the node {node} of {name}",
        data.display(),
        kept.node,
        kept.name,
    )))
}

/// The directory has seen a register: it is there still, or must be made anew by another command.
fn made_before(data: &Path, kept: &NodeFile, etcd: &Etcd) -> Result<Trouble, Trouble> {
    match block_on(etcd.read())?.map_err(|error| unanswered(&error))? {
        Some(held) => Ok(there_already(etcd, &held)),
        None => Ok(Trouble::Damage(format!(
            "{} has seen the register of its cluster in epoch {}, and there is none at {} now: it \
             was removed or lost. `doorbusterctl cluster restore` makes it anew from the node that \
             holds most",
            data.display(),
            kept.seen.epoch,
            etcd.key(),
        ))),
    }
}

/// The first register of a cluster, for the journal of a directory.
fn first(data: &Path, node: &Name, url: Option<&String>) -> Result<Register, Trouble> {
    let (journal, epoch) = inspect::identity(data)?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
    let (cluster, process) = random.split_at(16);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Ok(Register {
        cluster: ClusterId(cluster.try_into().expect("half of it is 16 bytes")),
        journal,
        epoch: epoch.max(1),
        writer: node.clone(),
        in_sync: vec![node.clone()],
        operation: OperationId { process: number(&process[..8]), number: 1 },
        urls: url.map(|url| (node.clone(), url.clone())).into_iter().collect(),
    })
}

/// Why the register was not made.
enum Refused {
    /// Another one is there.
    Another(Box<Versioned>),
    Trouble(Trouble),
}

/// Puts it where there is none. An outcome that is not known is found by the operation, and a
/// register that an earlier attempt made by the cluster's id.
async fn make(etcd: &Etcd, register: &Register) -> Result<Versioned, Refused> {
    let mut attempts = 1;
    loop {
        match etcd.swap(None, register).await {
            Ok(Swapped::Done(version)) => {
                return Ok(Versioned { version, register: register.clone() });
            }
            Ok(Swapped::Refused(Some(held))) if held.register.cluster == register.cluster => {
                return Ok(held);
            }
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

fn there_already(etcd: &Etcd, held: &Versioned) -> Trouble {
    let Register { epoch, writer, .. } = &held.register;
    Trouble::NotThere(format!(
        "there is a register already, and it was left as it is: {writer} writes in epoch {epoch}, \
         in sync: {}. `doorbusterctl cluster status` shows it. To begin anew all the same, stop \
         every node and remove the key {} from etcd; which nodes hold what was answered is \
         forgotten with it",
        list(&held.register.in_sync),
        etcd.key(),
    ))
}

fn list(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// Shows the register and how etcd is.
pub(crate) fn status(config: Option<&Path>) -> Result<Findings, Trouble> {
    let settings = settings(config)?;
    let etcd = etcd(&settings)?;
    let (read, health) = block_on(async { (etcd.read().await, etcd.health().await) })?;
    let troubles = health.troubles();
    let held = match read {
        Ok(Some(held)) => held,
        Ok(None) => {
            return Err(Trouble::NotThere(format!(
                "there is no register at {}; `doorbusterctl cluster init`, on the node whose \
                 journal all others shall hold, makes it",
                etcd.key()
            )));
        }
        Err(error) => {
            let told = [error.to_string()].into_iter().chain(troubles).collect::<Vec<_>>();
            return Err(match unanswered(&error) {
                Trouble::Unreadable(_) => Trouble::Unreadable(told.join("\n")),
                other => other,
            });
        }
    };
    let mut facts = facts(&etcd, &held);
    facts.push(("members", health.members.clone().map_or(Value::Null, |count| count.into())));
    facts.push((
        "alarms",
        health.alarms.clone().map_or(Value::Null, |alarms| alarms.join(", ").into()),
    ));
    let wrong = !troubles.is_empty();
    if wrong {
        facts.push(("troubles", troubles.join("; ").into()));
    }
    Ok(Findings { facts, table: Some(endpoints(&health)), wrong })
}

fn facts(etcd: &Etcd, held: &Versioned) -> Vec<(&'static str, Value)> {
    let Register { cluster, journal, epoch, writer, in_sync, urls, .. } = &held.register;
    let urls: Vec<_> = urls.iter().map(|(name, url)| format!("{name}={url}")).collect();
    vec![
        ("key", etcd.key().into()),
        ("version", held.version.into()),
        ("cluster", cluster.to_string().into()),
        ("journal_id", journal.as_str().into()),
        ("epoch", (*epoch).into()),
        ("writer", writer.as_str().into()),
        ("in_sync", list(in_sync).into()),
        ("urls", urls.join(", ").into()),
    ]
}

fn endpoints(health: &EtcdHealth) -> Table {
    let rows = health.endpoints.iter().map(|endpoint| {
        let (version, trouble) = match &endpoint.version {
            Ok(version) => (json!(version), Value::Null),
            Err(cause) => (Value::Null, json!(cause)),
        };
        vec![endpoint.endpoint.as_str().into(), version, endpoint.has_leader.into(), trouble]
    });
    Table {
        name: "endpoints",
        columns: &["endpoint", "version", "leader", "trouble"],
        rows: rows.collect(),
    }
}
