//! `cluster forget`: a node that will not come back is named no more by the register.
//!
//! Owns that it is gone, and that nothing rests on it. Next: `arbiter`, `nodes`.

use super::arbiter::{Cluster, Refused, block_on, list, operation};
use super::asking::Asking;
use super::nodes::{self, KnownNode};
use crate::inspect::{Findings, Trouble};
use doorbuster::cluster::arbiter::Versioned;
use doorbuster::cluster::node::Name;
use doorbuster::cluster::register::Register;
use std::path::Path;

/// Takes a dead node out of the copies that count, and its URL away.
pub(crate) fn forget(
    data: &Path,
    config: Option<&Path>,
    node: &Name,
    yes: bool,
    asking: &Asking,
) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    let after = block_on(take_out(&cluster, node, yes, asking, data))?;
    Ok(Findings::good(cluster.facts(&after), None))
}

async fn take_out(
    cluster: &Cluster,
    node: &Name,
    yes: bool,
    asking: &Asking,
    data: &Path,
) -> Result<Versioned, Trouble> {
    let held = cluster.register().await?;
    let register = &held.register;
    let after = without(register, node)?;
    let asked = nodes::ask_all(cluster, Some(register), asking, data).await?;
    if asked.iter().any(|asked| asked.node == *node && asked.runs()) {
        return Err(Trouble::NotThere(format!(
            "{node} runs, and would come in again: stop it first, and see that nothing starts it"
        )));
    }
    let writer = asked.iter().find(|asked| asked.node == register.writer);
    if writer.is_some_and(KnownNode::writes) && !yes {
        let writer = &register.writer;
        return Err(Trouble::NotThere(format!(
            "nothing was changed. {writer} writes, and drops {node} from those in sync by itself \
             within cluster.lag_ms; what stays is its URL, which does no harm. To change the \
             register under {writer} all the same, at the price of one takeover: --yes"
        )));
    }
    cluster.change(Some(held.version), &after).await.map_err(Refused::moved_on)
}

/// The same register without a node.
fn without(register: &Register, node: &Name) -> Result<Register, Trouble> {
    if register.writer == *node {
        return Err(Trouble::NotThere(format!(
            "{node} is the writer by the register. Let another one take over first: in sync are \
             {}; where none of those is left, `doorbusterctl cluster force` makes a copy the \
             writer",
            list(&register.in_sync)
        )));
    }
    if !register.in_sync.contains(node) && !register.urls.contains_key(node) {
        let told = format!("the register does not name {node}: there is nothing to forget");
        return Err(Trouble::NotThere(told));
    }
    let mut after = Register { operation: operation()?, ..register.clone() };
    after.in_sync.retain(|other| other != node);
    after.urls.remove(node);
    Ok(after)
}
