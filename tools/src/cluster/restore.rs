//! `cluster restore`: the register made anew, where it is gone or was put back from an old copy, so
//! that no node trusts it any more.
//!
//! Owns which node writes: the one whose journal is the most advanced, of all that could be asked.
//! Next: `nodes`, `force`.

use super::arbiter::{Cluster, Facts, Refused, block_on, operation, unanswered};
use super::asking::{Asking, End};
use super::force::{above, forced};
use super::nodes::{self, KnownNode};
use crate::inspect::{self, Findings, Table, Trouble};
use doorbuster::cluster::arbiter::{Arbiter as _, Versioned};
use doorbuster::cluster::node_file::NodeFile;
use doorbuster::cluster::register::Register;
use serde_json::{Value, json};
use std::path::Path;

/// Makes the register anew from what the nodes hold.
pub(crate) fn restore(
    data: &Path,
    config: Option<&Path>,
    yes: bool,
    asking: &Asking,
) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    let kept = cluster.kept(data)?.ok_or_else(|| {
        Trouble::NotThere(format!(
            "{} is no node of a cluster yet, so it does not know which one. Ask on a machine of \
             one of the nodes, with its --data",
            data.display()
        ))
    })?;
    block_on(make_anew(&cluster, &kept, yes, asking, data))
}

async fn make_anew(
    cluster: &Cluster,
    kept: &NodeFile,
    yes: bool,
    asking: &Asking,
    data: &Path,
) -> Result<Findings, Trouble> {
    let held = cluster.etcd.read().await.map_err(|error| unanswered(&error))?;
    let register = held.as_ref().map(|held| &held.register);
    let asked = nodes::ask_all(cluster, register, asking, data).await?;
    if let Some(held) = &held {
        is_outdated(cluster, kept, held, &asked)?;
    }
    let silent: Vec<&KnownNode> =
        asked.iter().filter(|asked| asked.exact_end().is_none()).collect();
    if !silent.is_empty() && !yes {
        return Err(not_all(&silent));
    }
    let Some((chosen, end)) = most_advanced(&asked) else {
        return Err(Trouble::NotThere("no node could be asked what it holds".to_owned()));
    };
    let before = Register {
        cluster: kept.cluster,
        journal: inspect::identity(data)?.0,
        epoch: kept.seen.epoch.max(register.map_or(0, |register| register.epoch)),
        writer: chosen.node.clone(),
        in_sync: vec![chosen.node.clone()],
        operation: operation()?,
        urls: asked.iter().filter_map(|one| Some((one.node.clone(), one.url.clone()?))).collect(),
        forced: None,
    };
    // What a node had that could not be asked may have been answered.
    let after = match silent.is_empty() {
        true => Register { epoch: above(before.epoch, &asked)?, ..before },
        false => forced(&before, &chosen.node, end, &asked)?,
    };
    let expected = held.as_ref().map(|held| held.version);
    let made = cluster.change(expected, &after).await.map_err(Refused::moved_on)?;
    let mut facts: Facts = cluster.facts(&made);
    let next = format!("start the nodes; {} writes, the others join it", chosen.node);
    facts.push(("next", next.into()));
    Ok(Findings::good(facts, Some(table(&asked))))
}

/// Refuses where the register is of this cluster and nobody knows a later one.
fn is_outdated(
    cluster: &Cluster,
    kept: &NodeFile,
    held: &Versioned,
    asked: &[KnownNode],
) -> Result<(), Trouble> {
    let register = &held.register;
    if register.cluster != kept.cluster {
        return Err(Trouble::Damage(format!(
            "the register at {} is of the cluster {}, and this directory of {}: is cluster.arbiter \
             or cluster.name that of another one?",
            cluster.etcd.key(),
            register.cluster,
            kept.cluster,
        )));
    }
    let seen = (kept.seen.epoch, kept.seen.version) > (register.epoch, held.version);
    let ahead = asked.iter().filter_map(KnownNode::end).any(|end| end.epoch > register.epoch);
    if seen || ahead {
        return Ok(());
    }
    Err(Trouble::NotThere(format!(
        "the register is there, in epoch {}, and no node knows a later one: there is nothing to \
         restore. `doorbusterctl cluster status` shows it",
        register.epoch
    )))
}

fn not_all(silent: &[&KnownNode]) -> Trouble {
    let why: Vec<_> = silent.iter().map(|asked| asked.why()).collect();
    Trouble::NotThere(format!(
        "nothing was changed: it is not known of all nodes what they hold, and one of these may \
         hold what was answered and the others lack: {}. Where a disk is gone for good, go on \
         without it with --yes",
        why.join("; ")
    ))
}

/// By the epoch of the last record, then by its sequence: as histories go. Of several alike, one
/// that writes.
fn most_advanced(asked: &[KnownNode]) -> Option<(&KnownNode, End)> {
    let ends = asked.iter().filter_map(|asked| Some((asked, asked.exact_end()?)));
    ends.max_by_key(|(asked, end)| (*end, asked.writes()))
}

fn table(asked: &[KnownNode]) -> Table {
    let row = |asked: &KnownNode| {
        let role = asked.status.as_ref().map_or(Value::Null, |status| json!(status.role));
        let end = asked.exact_end();
        let trouble = if end.is_none() { json!(asked.why()) } else { Value::Null };
        let end = end.map_or(Value::Null, |end| end.to_string().into());
        vec![asked.node.as_str().into(), end, role, trouble]
    };
    Table {
        name: "nodes",
        columns: &["node", "end", "role", "trouble"],
        rows: asked.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorbuster::cluster::node::Name;

    fn asked(node: &str, end: Option<(u32, u64)>) -> KnownNode {
        let on_disk = end.map(|(epoch, sequence)| End { epoch, sequence });
        let node = Name::parse(node).expect("it is a name");
        KnownNode { node, url: None, status: Err("gone".to_owned()), on_disk }
    }

    #[test]
    fn the_later_epoch_wins_over_more_records() {
        let all = [asked("n1", Some((3, 900))), asked("n2", Some((4, 700))), asked("n3", None)];
        let (chosen, end) = most_advanced(&all).expect("there is one");
        assert_eq!((chosen.node.as_str(), end), ("n2", End { epoch: 4, sequence: 700 }));
        assert!(most_advanced(&all[2..]).is_none());
    }
}
