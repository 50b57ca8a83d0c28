//! Who a node is, told before anything else, and whether two nodes may copy from one another.
//!
//! Owns what is compared and the remedy that each difference names. Stores nothing and decides no
//! role. Next: `wire`, `node`.

use crate::cluster::node::Name;
use crate::cluster::register::{ClusterId, Epoch, Version};
use doorbuster_journal::JournalId;

/// The first bytes of a hello.
pub const MAGIC: [u8; 4] = *b"DBcp";
/// The version of the messages between nodes.
pub const PROTOCOL_VERSION: u32 = 1;
/// Caps that a hello names, at most.
pub const CAPS_MAX: usize = 64;
/// Bytes of a product's version at most.
pub const PRODUCT_BYTES_MAX: usize = 128;
/// Bytes of a machine's id at most.
pub const MACHINE_BYTES_MAX: usize = 128;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of its program.
    pub protocol: u32,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub node: Name,
    /// Its journal; none where it holds none yet.
    pub journal: Option<JournalId>,
    /// The format of the segments that it reads.
    pub journal_format: u32,
    /// The version of the records that it reads.
    pub record_version: u32,
    /// The version of its program, for people.
    pub product: String,
    /// What tells its machine from others; empty where nothing does.
    pub machine: String,
    /// Its wall clock.
    pub wall_ms: u64,
    /// How large its tables get, by setting.
    pub caps: Vec<(String, u64)>,
    /// Where clients reach it.
    pub url: Option<String>,
    /// The highest epoch that it knows.
    pub epoch: Epoch,
    /// The version of the register that it has seen in that epoch.
    pub version: Version,
}

/// Why two nodes do not copy from one another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// Another cluster.
    #[error(
        "{node} is of the cluster {theirs}, this node of {mine}: cluster.nodes names a node of \
         another cluster, or one of the data directories was made for another"
    )]
    Cluster {
        /// The other node.
        node: Name,
        /// Its cluster.
        theirs: ClusterId,
        /// The own.
        mine: ClusterId,
    },
    /// A name twice.
    #[error("{0} has the name of this node: give each node a name of its own in cluster.node")]
    SameName(Name),
    /// Another journal.
    #[error(
        "{node} holds the journal {theirs}, this node {mine}: one of the data directories is of \
         another shop. Set it aside; an empty directory is filled by the writer"
    )]
    Journal {
        /// The other node.
        node: Name,
        /// Its journal.
        theirs: JournalId,
        /// The own.
        mine: JournalId,
    },
    /// Another form of what is stored.
    #[error(
        "{node} runs Doorbuster {product}, which stores {what} {theirs}, this node {mine}: bring \
         the copies up to the newer version first, hand over, then the old writer"
    )]
    Stored {
        /// The other node.
        node: Name,
        /// Its program.
        product: String,
        /// What differs.
        what: &'static str,
        /// Its version of that.
        theirs: u32,
        /// The own.
        mine: u32,
    },
    /// The copy could not hold the writer's state.
    #[error(
        "{cap} is {writer} on the writer {node} and {copy} here: set it to {writer} at least, or \
         this node could not take over"
    )]
    Cap {
        /// The writer.
        node: Name,
        /// The setting.
        cap: String,
        /// Its value on the writer.
        writer: u64,
        /// Its value on the copy.
        copy: u64,
    },
}

/// Whether a node may follow a writer, or be followed by a copy, as far as both say who they are.
///
/// # Errors
/// When it may not; the text names the remedy.
pub fn check(mine: &Hello, theirs: &Hello) -> Result<Vec<String>, Incompatible> {
    let node = theirs.node.clone();
    if theirs.cluster != mine.cluster {
        return Err(Incompatible::Cluster { node, theirs: theirs.cluster, mine: mine.cluster });
    }
    if theirs.node == mine.node {
        return Err(Incompatible::SameName(node));
    }
    if let (Some(other), Some(own)) = (theirs.journal, mine.journal)
        && other != own
    {
        return Err(Incompatible::Journal { node, theirs: other, mine: own });
    }
    for (what, theirs_version, mine) in [
        ("segments in format", theirs.journal_format, mine.journal_format),
        ("records in version", theirs.record_version, mine.record_version),
    ] {
        if theirs_version != mine {
            let (product, theirs) = (theirs.product.clone(), theirs_version);
            return Err(Incompatible::Stored { node, product, what, theirs, mine });
        }
    }
    Ok(warnings(mine, theirs))
}

/// Whether a copy can hold what the writer's tables can.
///
/// # Errors
/// When a table of the copy is smaller.
pub fn check_caps(copy: &Hello, writer: &Hello) -> Result<(), Incompatible> {
    for (cap, own) in &copy.caps {
        let theirs = writer.caps.iter().find(|(name, _)| name == cap);
        if let Some((_, theirs)) = theirs.filter(|(_, theirs)| theirs > own) {
            let (node, cap) = (writer.node.clone(), cap.clone());
            return Err(Incompatible::Cap { node, cap, writer: *theirs, copy: *own });
        }
    }
    Ok(())
}

fn warnings(mine: &Hello, theirs: &Hello) -> Vec<String> {
    let mut told = Vec::new();
    if !mine.machine.is_empty() && mine.machine == theirs.machine {
        told.push(format!("two copies on one machine: {} and {}", mine.node, theirs.node));
    }
    if mine.product != theirs.product {
        told.push(format!(
            "{} runs Doorbuster {}, this node {}",
            theirs.node, theirs.product, mine.product
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(node: &str) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            cluster: ClusterId([1; 16]),
            node: Name::parse(node).unwrap(),
            journal: Some(JournalId([2; 16])),
            journal_format: 1,
            record_version: 3,
            product: "1.0.0".to_owned(),
            machine: format!("machine of {node}"),
            wall_ms: 0,
            caps: vec![("orders_max".to_owned(), 100)],
            url: None,
            epoch: 1,
            version: 1,
        }
    }

    fn refused(theirs: &Hello) -> String {
        check(&hello("n1"), theirs).unwrap_err().to_string()
    }

    #[test]
    fn nodes_of_one_cluster_take_one_another() {
        assert_eq!(check(&hello("n1"), &hello("n2")), Ok(vec![]));
        let empty = Hello { journal: None, ..hello("n2") };
        assert_eq!(check(&hello("n1"), &empty), Ok(vec![]));
    }

    #[test]
    fn what_differs_is_told_with_its_remedy() {
        let cluster = Hello { cluster: ClusterId([9; 16]), ..hello("n2") };
        assert!(refused(&cluster).contains("names a node of another cluster"));
        assert!(refused(&hello("n1")).contains("a name of its own"));
        let journal = Hello { journal: Some(JournalId([9; 16])), ..hello("n2") };
        assert!(refused(&journal).contains("Set it aside"));
        let newer = Hello { record_version: 4, ..hello("n2") };
        assert!(refused(&newer).contains("records in version 4, this node 3: bring the copies"));
        let format = Hello { journal_format: 2, ..hello("n2") };
        assert!(refused(&format).contains("segments in format 2, this node 1"));
    }

    #[test]
    fn a_copy_with_smaller_tables_does_not_follow() {
        let writer = Hello { caps: vec![("orders_max".to_owned(), 101)], ..hello("n1") };
        let told = check_caps(&hello("n2"), &writer).unwrap_err().to_string();
        assert!(told.contains("orders_max is 101 on the writer n1 and 100 here"), "{told}");
        assert_eq!(check_caps(&writer, &hello("n2")), Ok(()));
    }

    #[test]
    fn two_nodes_on_one_machine_and_two_versions_are_warned_of() {
        let theirs = Hello {
            machine: "machine of n1".to_owned(),
            product: "1.1.0".to_owned(),
            ..hello("n2")
        };
        let told = check(&hello("n1"), &theirs).unwrap().join("\n");
        assert!(told.contains("two copies on one machine: n1 and n2"), "{told}");
        assert!(told.contains("n2 runs Doorbuster 1.1.0, this node 1.0.0"), "{told}");
    }
}
