//! The settings of a cluster: which node this is, which there are, and where the register is kept.
//!
//! Read by `doorbusterctl cluster` and by a server that replicates; a server by itself has none of
//! them. Next: `table_replication`, and `cluster` for what they mean.

use super::bounds::{FILE, file, set};
use super::setting::{Kind, Setting};
use crate::cluster::etcd::Endpoints;
use crate::cluster::node::{Name, Nodes, PLACE_BYTES_MAX};

/// None where the text is empty; out of bounds where it does not parse.
fn optional<T>(place: &mut Option<T>, text: &str, parse: fn(&str) -> Option<T>) -> Option<()> {
    set(place, if text.is_empty() { Some(None) } else { parse(text).map(Some) })
}

fn url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\"".contains(&byte));
    (plain && !rest.is_empty() && text.len() <= PLACE_BYTES_MAX).then(|| text.to_owned())
}

fn arbiter(text: &str) -> Option<String> {
    Endpoints::check(text).ok().map(|()| text.to_owned())
}

const NAME: &str = "1 to 64 of A-Z a-z 0-9 . _ -, or empty for none";

pub(super) static CLUSTER: &[Setting] = &[
    Setting {
        name: "cluster.name",
        kind: Kind::Text,
        default: "",
        bounds: NAME,
        meaning: "the cluster that this node belongs to; the same on all of its nodes",
        take: |config, text| {
            optional(&mut config.cluster.name, text, |text| Name::parse(text).ok())
        },
    },
    Setting {
        name: "cluster.node",
        kind: Kind::Text,
        default: "",
        bounds: NAME,
        meaning: "this node, one of cluster.nodes",
        take: |config, text| {
            optional(&mut config.cluster.node, text, |text| Name::parse(text).ok())
        },
    },
    Setting {
        name: "cluster.nodes",
        kind: Kind::Text,
        default: "",
        bounds: "up to 16 of NAME=HOST:PORT, separated by commas, or empty for none",
        meaning: "all nodes, with the address at which each listens for the others; the same on all",
        take: |config, text| {
            optional(&mut config.cluster.nodes, text, |text| Nodes::parse(text).ok())
        },
    },
    Setting {
        name: "cluster.url",
        kind: Kind::Text,
        default: "",
        bounds: "http://HOST:PORT or https://HOST:PORT, or empty for none",
        meaning: "where clients reach this node",
        take: |config, text| optional(&mut config.cluster.url, text, url),
    },
    Setting {
        name: "cluster.arbiter",
        kind: Kind::Text,
        default: "",
        bounds: "etcd://HOST:PORT,HOST:PORT,… or, for TLS, etcds://…, or empty for none",
        meaning: "where the register is kept that says who writes",
        take: |config, text| optional(&mut config.cluster.arbiter, text, arbiter),
    },
    Setting {
        name: "cluster.arbiter_auth_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "user and password for the arbiter, as one line user:password",
        take: |config, text| file(&mut config.cluster.arbiter_auth_file, text),
    },
    Setting {
        name: "cluster.arbiter_ca_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "certificate authorities in PEM to believe for etcds://; none means the system's",
        take: |config, text| file(&mut config.cluster.arbiter_ca_file, text),
    },
];

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    fn error(name: &str, value: &str) -> Option<String> {
        let mut sources = Sources::default();
        sources.set("flag", name, value.to_owned()).unwrap();
        sources.config().err().map(|error| error.to_string())
    }

    #[test]
    fn each_setting_of_a_cluster_has_its_form() {
        for (name, good, bad) in [
            ("cluster.name", "shop", "a/b"),
            ("cluster.node", "n1", ".."),
            ("cluster.nodes", "n1=10.0.0.1:7171,n2=10.0.0.2:7171", "n1"),
            ("cluster.url", "https://shop.example:7070", "shop.example"),
            ("cluster.arbiter", "etcd://a:2379,b:2379", "a:2379"),
        ] {
            assert_eq!(error(name, good), None);
            assert_eq!(error(name, ""), None);
            let told = error(name, bad).expect("it is out of bounds");
            assert!(told.contains(name) && told.contains("must be"), "{told}");
        }
    }
}
