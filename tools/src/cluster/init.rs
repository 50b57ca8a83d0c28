//! `cluster init`: the register, made once for a cluster that has none.
//!
//! Owns that the directory is told which node it is. Never changes a register that is there: that
//! is for the nodes, which do it by their rules. Next: `arbiter`.

use super::arbiter::{Cluster, Refused, block_on, list, operation, unanswered, unkept};
use crate::inspect::{self, Findings, Trouble};
use doorbuster::cluster::arbiter::{Arbiter as _, Versioned};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::node_file::NodeFile;
use doorbuster::cluster::register::{ClusterId, Register};
use doorbuster::cluster::role::Seen;
use std::fs;
use std::path::Path;

/// Makes the register: the node of this directory writes, alone for now. The directory is told
/// first which node it is: a register without a directory that knows it would be nobody's.
pub(crate) fn init(data: &Path, config: Option<&Path>) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    let node = cluster.own()?;
    if cluster.nodes()?.find(node.as_str()).is_none() {
        let told = format!("cluster.node is {node}, and cluster.nodes does not name it");
        return Err(Trouble::Usage(told));
    }
    let mut register = first(data, node, cluster.config.cluster.url.as_ref())?;
    let before = cluster.kept(data)?;
    if let Some(before) = before.as_ref().filter(|before| before.seen.version > 0) {
        return Err(block_on(made_before(data, before, &cluster))?);
    }
    register.cluster = before.as_ref().map_or(register.cluster, |before| before.cluster);
    let seen = Seen { epoch: register.epoch, version: 0, began_empty: false };
    let (name, node) = (cluster.name.clone(), node.clone());
    let mut kept = NodeFile { cluster: register.cluster, name, node, seen };
    kept.write(data).map_err(unkept)?;
    let made = match block_on(async { Ok(cluster.change(None, &register).await) })? {
        Ok(made) => made,
        Err(Refused::Another(held)) => {
            // It would be a member of a cluster that knows nothing of it.
            let removed = fs::remove_file(NodeFile::path(data));
            removed.map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
            return Err(there_already(&cluster, &held));
        }
        Err(Refused::Trouble(trouble)) => return Err(trouble),
    };
    kept.seen = Seen { epoch: made.register.epoch, version: made.version, began_empty: false };
    kept.write(data).map_err(unkept)?;
    Ok(Findings::good(cluster.facts(&made), None))
}

/// The directory has seen a register: it is there still, or must be made anew by another command.
async fn made_before(data: &Path, kept: &NodeFile, cluster: &Cluster) -> Result<Trouble, Trouble> {
    match cluster.etcd.read().await.map_err(|error| unanswered(&error))? {
        Some(held) => Ok(there_already(cluster, &held)),
        None => Ok(Trouble::Damage(format!(
            "{} has seen the register of its cluster in epoch {}, and there is none at {} now: it \
             was removed or lost. `doorbusterctl cluster restore` makes it anew from the node that \
             holds most",
            data.display(),
            kept.seen.epoch,
            cluster.etcd.key(),
        ))),
    }
}

/// The first register of a cluster, for the journal of a directory.
fn first(data: &Path, node: &Name, url: Option<&String>) -> Result<Register, Trouble> {
    let (journal, epoch) = inspect::identity(data)?;
    let mut cluster = [0; 16];
    getrandom::fill(&mut cluster).map_err(|cause| Trouble::Unreadable(cause.to_string()))?;
    Ok(Register {
        cluster: ClusterId(cluster),
        journal,
        epoch: epoch.max(1),
        writer: node.clone(),
        in_sync: vec![node.clone()],
        operation: operation()?,
        urls: url.map(|url| (node.clone(), url.clone())).into_iter().collect(),
        forced: None,
    })
}

fn there_already(cluster: &Cluster, held: &Versioned) -> Trouble {
    let Register { epoch, writer, .. } = &held.register;
    Trouble::NotThere(format!(
        "there is a register already, and it was left as it is: {writer} writes in epoch {epoch}, \
         in sync: {}. `doorbusterctl cluster status` shows it. To begin anew all the same, stop \
         every node and remove the key {} from etcd; which nodes hold what was answered is \
         forgotten with it",
        list(&held.register.in_sync),
        cluster.etcd.key(),
    ))
}
