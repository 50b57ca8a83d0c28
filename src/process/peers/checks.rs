//! What a node must be before it joins: the directory that its settings name, at addresses where links
//! may be as they are, of the cluster whose register there is.
//!
//! Owns the comparisons; each that fails is an error with its remedy. Changes nothing. Next: `error`.

use super::error::ClusterError;
use crate::cluster::arbiter::Versioned;
use crate::cluster::node::{Name, Nodes};
use crate::cluster::node_file::NodeFile;
use crate::cluster::register::Register;
use crate::config::{Config, Listen, ReplicationMode};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// Who this node is, by its settings; they are there, as the relations of settings say.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) cluster: Name,
    pub(crate) node: Name,
    pub(crate) nodes: Nodes,
    pub(crate) url: String,
}

impl Identity {
    /// None in a server that replicates nothing.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let settings = &config.cluster;
        if config.replication.mode == ReplicationMode::Off {
            return None;
        }
        Some(Self {
            cluster: settings.name.clone()?,
            node: settings.node.clone()?,
            nodes: settings.nodes.clone()?,
            url: settings.url.clone()?,
        })
    }
}

/// Compares what the directory keeps with the settings. Gives what it keeps.
pub(super) fn directory(
    data: &Path,
    identity: Option<&Identity>,
) -> Result<Option<NodeFile>, ClusterError> {
    let Some(kept) = NodeFile::read(data)? else { return Ok(None) };
    let data = data.to_owned();
    match identity {
        None => {
            let file = NodeFile::path(&data);
            Err(ClusterError::ByItself { data, file, node: kept.node, cluster: kept.name })
        }
        Some(own) if own.node != kept.node || own.cluster != kept.name => {
            Err(ClusterError::AnotherNode {
                data,
                found: kept.node,
                found_cluster: kept.name,
                node: own.node.clone(),
                cluster: own.cluster.clone(),
            })
        }
        Some(_) => Ok(Some(kept)),
    }
}

/// Where to listen for the others, as text.
pub(super) fn peer_address(config: &Config, identity: &Identity) -> String {
    let own = || {
        let node = identity.nodes.find(identity.node.as_str())?;
        identity.nodes.address(node).map(str::to_owned)
    };
    let listen = config.replication.listen.as_ref().map(Listen::to_string);
    // Relations of settings say that the list names this node.
    listen.or_else(own).unwrap_or_default()
}

/// Links in clear stay on this machine, unless the operator says otherwise. A name without an
/// address may have any.
pub(super) fn links(config: &Config, identity: &Identity, tls: bool) -> Result<(), ClusterError> {
    if tls || config.insecure {
        return Ok(());
    }
    let listen = ("cluster.listen".to_owned(), peer_address(config, identity));
    let nodes = identity.nodes.iter().map(|(_, name, address)| (name.to_string(), address.into()));
    for (what, address) in nodes.chain([listen]) {
        let found: Vec<SocketAddr> =
            address.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
        let is_near = !found.is_empty() && found.iter().all(|found| found.ip().is_loopback());
        if !is_near {
            return Err(ClusterError::InClear { what, address });
        }
    }
    Ok(())
}

/// Compares a register that was read with the directory; `journal` is its id, if it has one.
pub(super) fn register(
    register: &Register,
    (key, data): (&str, &Path),
    kept: Option<&NodeFile>,
    journal: Option<&str>,
) -> Result<(), ClusterError> {
    if let Some(kept) = kept.filter(|kept| kept.cluster != register.cluster) {
        return Err(ClusterError::AnotherCluster {
            key: key.to_owned(),
            data: data.to_owned(),
            found: register.cluster,
            own: kept.cluster,
        });
    }
    match journal.filter(|own| *own != register.journal) {
        Some(own) => Err(ClusterError::AnotherJournal {
            data: data.to_owned(),
            own: own.to_owned(),
            found: register.journal.clone(),
        }),
        None => Ok(()),
    }
}

/// Why a register that was read cannot be gone on with.
pub(super) fn forgot(
    key: &str,
    kept: Option<&NodeFile>,
    found: Option<&Versioned>,
) -> ClusterError {
    let key = key.to_owned();
    let Some(NodeFile { seen, .. }) = kept.filter(|kept| kept.seen.version > 0) else {
        return ClusterError::NoRegister { key };
    };
    let now = match found {
        None => "there is none".to_owned(),
        Some(Versioned { version, register }) => {
            format!("it stands in epoch {} at version {version}", register.epoch)
        }
    };
    ClusterError::RegisterForgot { key, epoch: seen.epoch, version: seen.version, now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::register::{ClusterId, OperationId};
    use crate::cluster::role::Seen;
    use crate::config::Sources;

    fn config(changes: &[(&str, &str)]) -> Config {
        let mut sources = Sources::default();
        let node = [
            ("replication.mode", "sync"),
            ("cluster.name", "shop"),
            ("cluster.node", "n1"),
            ("cluster.nodes", "n1=127.0.0.1:7171,n2=127.0.0.1:7172"),
            ("cluster.url", "http://127.0.0.1:7070"),
            ("cluster.arbiter", "etcd://127.0.0.1:2379"),
        ];
        for (name, value) in node.iter().chain(changes) {
            sources.set("flag", name, (*value).to_owned()).unwrap();
        }
        sources.config().unwrap()
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn kept() -> NodeFile {
        let seen = Seen { epoch: 3, version: 9, began_empty: false };
        NodeFile { cluster: ClusterId([1; 16]), name: name("shop"), node: name("n1"), seen }
    }

    #[test]
    fn a_directory_is_the_node_that_the_settings_name() {
        let data = tempfile::tempdir().unwrap();
        let compared = |changes: &[(&str, &str)]| {
            directory(data.path(), Identity::of(&config(changes)).as_ref())
        };
        assert_eq!(compared(&[]).unwrap(), None);
        kept().write(data.path()).unwrap();
        assert_eq!(compared(&[]).unwrap(), Some(kept()));
        for (changes, told) in [
            (("replication.mode", "off"), "would write by itself"),
            (("cluster.node", "n2"), "is the node n1 of the cluster shop"),
            (("cluster.name", "other"), "the node n1 of other"),
        ] {
            let error = compared(&[changes]).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn links_in_clear_stay_on_this_machine() {
        let far = ("cluster.nodes", "n1=127.0.0.1:7171,n2=192.0.2.1:7171");
        let compared = |changes: &[(&str, &str)], tls: bool| {
            let config = config(changes);
            links(&config, &Identity::of(&config).unwrap(), tls)
        };
        assert!(compared(&[], false).is_ok());
        assert!(compared(&[far], true).is_ok());
        assert!(compared(&[far, ("insecure", "true")], false).is_ok());
        let told = compared(&[far], false).unwrap_err().to_string();
        assert!(told.contains("n2 is 192.0.2.1:7171") && told.contains("--insecure"), "{told}");
        let told = compared(&[("cluster.listen", "0.0.0.0:7171")], false).unwrap_err().to_string();
        assert!(told.contains("cluster.listen is 0.0.0.0:7171"), "{told}");
    }

    #[test]
    fn a_register_is_of_the_same_cluster_and_journal() {
        let found = Register {
            cluster: ClusterId([1; 16]),
            journal: "aa".to_owned(),
            epoch: 2,
            writer: name("n1"),
            in_sync: vec![name("n1")],
            operation: OperationId { process: 1, number: 1 },
            urls: [].into(),
            forced: None,
        };
        let place = ("/doorbuster/shop/0", Path::new("data"));
        let compared = |kept: Option<&NodeFile>, journal: Option<&str>| {
            register(&found, place, kept, journal).map_err(|error| error.to_string())
        };
        assert_eq!(compared(None, None), Ok(()));
        assert_eq!(compared(Some(&kept()), Some("aa")), Ok(()));
        let other = NodeFile { cluster: ClusterId([2; 16]), ..kept() };
        assert!(compared(Some(&other), None).unwrap_err().contains("cluster restore"));
        assert!(compared(None, Some("bb")).unwrap_err().contains("of another history"));
    }

    #[test]
    fn a_register_that_is_gone_is_not_one_that_never_was() {
        let told = |kept: Option<&NodeFile>| forgot("/doorbuster/shop/0", kept, None).to_string();
        assert!(told(None).contains("cluster init"));
        let told = told(Some(&kept()));
        assert!(told.contains("epoch 3 at version 9, and now there is none"), "{told}");
        assert!(told.contains("cluster restore"), "{told}");
    }
}
