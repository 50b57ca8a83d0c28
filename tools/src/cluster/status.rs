//! `cluster status`: the register, and how etcd is. Changes nothing.

use super::arbiter::{Cluster, block_on, unanswered};
use crate::inspect::{Findings, Table, Trouble};
use doorbuster::cluster::arbiter::Arbiter as _;
use doorbuster::cluster::etcd::EtcdHealth;
use serde_json::{Value, json};
use std::path::Path;

/// Shows the register and how etcd is.
pub(crate) fn status(config: Option<&Path>) -> Result<Findings, Trouble> {
    let cluster = Cluster::of(config)?;
    block_on(look(&cluster))
}

async fn look(cluster: &Cluster) -> Result<Findings, Trouble> {
    let (read, health) = (cluster.etcd.read().await, cluster.etcd.health().await);
    let troubles = health.troubles();
    let held = match read {
        Ok(Some(held)) => held,
        Ok(None) => return Err(cluster.absent()),
        Err(error) => {
            let told = [error.to_string()].into_iter().chain(troubles).collect::<Vec<_>>();
            return Err(match unanswered(&error) {
                Trouble::Unreadable(_) => Trouble::Unreadable(told.join("\n")),
                other => other,
            });
        }
    };
    let mut facts = cluster.facts(&held);
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
