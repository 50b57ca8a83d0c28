//! Which settings of a cluster go together, where the server replicates.
//!
//! Owns the sentences that say what is missing. Whether the nodes' links may go without TLS depends
//! on the addresses that names have, and is asked at the start. Next: `table_replication`.

use super::error::ConfigError;
use super::values::{Config, Durability, ReplicationMode};

/// The first relation that does not hold.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    match broken(config) {
        Some(told) => Err(ConfigError::Relation(told)),
        None => Ok(()),
    }
}

fn broken(config: &Config) -> Option<String> {
    let (cluster, replication) = (&config.cluster, &config.replication);
    let tls = [&replication.tls_cert, &replication.tls_key, &replication.tls_ca];
    let given = tls.iter().filter(|file| file.is_some()).count();
    if given != 0 && given != tls.len() {
        return Some(
            "cluster.tls_cert_file, cluster.tls_key_file and cluster.tls_ca_file go together: nodes \
             show one another certificates, give all three or none"
                .to_owned(),
        );
    }
    if replication.mode == ReplicationMode::Off {
        return None;
    }
    if replication.mode == ReplicationMode::Sync && config.durability != Durability::Group {
        return Some(format!(
            "replication.mode = sync needs durability = group, and it is {}: an answer that does not \
             wait for this disk cannot wait for those of the copies",
            config.durability
        ));
    }
    let missing = [
        ("cluster.name", cluster.name.is_none()),
        ("cluster.node", cluster.node.is_none()),
        ("cluster.nodes", cluster.nodes.is_none()),
        ("cluster.url", cluster.url.is_none()),
        ("cluster.arbiter", cluster.arbiter.is_none()),
    ];
    if let Some((name, _)) = missing.iter().find(|(_, missing)| *missing) {
        return Some(format!("a server that replicates needs {name}, and it is not set"));
    }
    let (node, nodes) = cluster.node.as_ref().zip(cluster.nodes.as_ref())?;
    if nodes.find(node.as_str()).is_none() {
        return Some(format!("cluster.node is {node}, and cluster.nodes does not name it"));
    }
    if replication.copies > nodes.count() {
        return Some(format!(
            "replication.copies is {}, and cluster.nodes names {} only",
            replication.copies,
            nodes.count()
        ));
    }
    if replication.beat_ms.saturating_mul(2) > replication.lease_ms {
        return Some(format!(
            "cluster.beat_ms is {} and cluster.lease_ms {}: a lease must outlive two beats",
            replication.beat_ms, replication.lease_ms
        ));
    }
    let told = replication.timing().checked().err()?;
    Some(format!("cluster.silence_ms and cluster.lease_ms: {told}"))
}

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    const NODE: &[(&str, &str)] = &[
        ("replication.mode", "sync"),
        ("cluster.name", "shop"),
        ("cluster.node", "n1"),
        ("cluster.nodes", "n1=127.0.0.1:1,n2=127.0.0.1:2"),
        ("cluster.url", "http://127.0.0.1:7070"),
        ("cluster.arbiter", "etcd://127.0.0.1:2379"),
    ];

    fn told(changes: &[(&str, &str)]) -> Option<String> {
        let mut sources = Sources::default();
        for (name, value) in NODE.iter().chain(changes) {
            sources.set("flag", name, (*value).to_owned()).expect("there is such a setting");
        }
        sources.config().err().map(|error| error.to_string())
    }

    #[test]
    fn a_node_that_is_named_whole_may_start() {
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("replication.mode", "async"), ("durability", "os")]), None);
        assert_eq!(told(&[("cluster.lease_ms", "200"), ("cluster.silence_ms", "400")]), None);
    }

    #[test]
    fn without_replication_nothing_is_asked_of_the_cluster() {
        assert_eq!(told(&[("replication.mode", "off"), ("cluster.node", "n7")]), None);
    }

    #[test]
    fn what_does_not_go_together_is_told_with_its_setting() {
        for (changes, expected) in [
            (&[("durability", "interval:10")][..], "needs durability = group"),
            (&[("cluster.url", "")], "needs cluster.url"),
            (&[("cluster.node", "n3")], "cluster.nodes does not name it"),
            (&[("replication.copies", "3")], "cluster.nodes names 2 only"),
            (&[("replication.copies", "17")], "must be an integer, 1 to 16"),
            (&[("cluster.silence_ms", "999")], "at least twice the lease"),
            (&[("cluster.beat_ms", "251")], "a lease must outlive two beats"),
            (&[("cluster.tls_cert_file", "a.pem")], "go together"),
            (&[("cluster.when_alone", "stop")], "must be serve or refuse"),
            (&[("replication.mode", "on")], "must be off, sync or async"),
            (&[("cluster.listen", "7171")], "an address or a host name"),
        ] {
            let told = told(changes).unwrap_or_else(|| panic!("{changes:?} is taken"));
            assert!(told.contains(expected), "{told}");
        }
    }
}
