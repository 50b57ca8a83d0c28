//! `cluster handover`: another node writes from now on, and nothing is lost.
//!
//! Owns that it is asked of the node that writes, and that its end is seen in the register. Changes
//! the register by nothing but what the nodes do themselves. Next: `nodes`.

use super::arbiter::{Cluster, block_on, list};
use super::asking::Asking;
use super::nodes;
use crate::inspect::{Findings, Trouble};
use doorbuster::cluster::arbiter::Versioned;
use doorbuster::cluster::node::Name;
use std::path::Path;
use std::time::Duration;

/// How often the register is looked at for what came of it, and how long the pause in between is.
const LOOKS_MAX: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Has the writer hand over to this node, or to any that is in sync.
pub(crate) fn handover(
    config: Option<&Path>,
    to: Option<&Name>,
    asking: &Asking,
) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    let after = block_on(hand_over(&cluster, to, asking))?;
    Ok(Findings::good(cluster.facts(&after), None))
}

async fn hand_over(
    cluster: &Cluster,
    to: Option<&Name>,
    asking: &Asking,
) -> Result<Versioned, Trouble> {
    let held = cluster.register().await?;
    let register = &held.register;
    let writer = &register.writer;
    if to == Some(writer) {
        return Ok(held);
    }
    let others: Vec<_> = register.in_sync.iter().filter(|node| *node != writer).cloned().collect();
    if let Some(to) = to.filter(|to| !others.contains(to)) {
        return Err(Trouble::NotThere(format!(
            "{to} is not in sync, and would lack what was answered. In sync: {}. It comes in by \
             itself once it runs and has caught up: `/v1/status` of {writer} shows its lag",
            list(&register.in_sync),
        )));
    }
    if others.is_empty() {
        return Err(Trouble::NotThere(format!(
            "no other node is in sync, so nobody can take over from {writer}. Start one, and wait \
             until `doorbusterctl cluster status` names it in sync",
        )));
    }
    let url = nodes::url(writer, Some(register), asking).ok_or_else(|| {
        Trouble::Usage(format!(
            "where clients reach {writer} is not known: set cluster.url there, or name it with \
             --url {writer}=http://…"
        ))
    })?;
    nodes::hand_over(url, to, asking).await?;
    for _ in 0..LOOKS_MAX {
        let now = cluster.register().await?;
        if now.register.epoch > register.epoch {
            return Ok(now);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Trouble::NotThere(format!(
        "{writer} said that it hands over, and still writes by the register after {} s. Its log \
         tells why; `doorbusterctl cluster status` shows how it stands",
        (PAUSE * LOOKS_MAX).as_secs()
    )))
}
