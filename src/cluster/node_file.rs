//! What a node knows of its cluster from one start to the next: the file `cluster` of its data
//! directory.
//!
//! Owns its form, and that it is there whole or as it was before. It is the node's and not the
//! journal's: a backup and a bootstrap leave it out. Never judges the register. Next: `register`,
//! and `role` for what is seen of it.

use super::node::Name;
use super::register::ClusterId;
use super::role::Seen;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
const FILE: &str = "cluster";
/// Written, synced, and then given the name that a start reads.
const UNFINISHED: &str = "cluster.unfinished";
/// A file that is longer is none of these.
const BYTES_MAX: u64 = 4096;
const MODE: u32 = 0o600;

/// Which node of which cluster a directory belongs to, and what it has seen of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// The cluster, for good.
    pub cluster: ClusterId,
    /// Its name in the settings.
    pub name: Name,
    /// The node.
    pub node: Name,
    /// What of the register was seen.
    pub seen: Seen,
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NodeFileError {
    /// The system said no.
    #[error("cannot {operation} {}: {cause}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        path: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// It is there, and says nothing.
    #[error(
        "{} does not say which node this is: {why}. Take it from a backup of this machine, or begin \
         this node anew with an empty directory",
        path.display()
    )]
    Unreadable {
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    cluster: String,
    name: String,
    node: String,
    epoch: u32,
    version: u64,
    began_empty: bool,
}

fn failed<'a>(
    operation: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> NodeFileError + 'a {
    move |cause| NodeFileError::Io { operation, path: path.to_owned(), cause }
}

impl NodeFile {
    /// Where it lies in a data directory.
    #[must_use]
    pub fn path(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// What a directory knows; none where it belongs to no cluster yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(data: &Path) -> Result<Option<Self>, NodeFileError> {
        let path = Self::path(data);
        let length = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(failed("read", &path)(cause)),
        };
        let unreadable = |why| NodeFileError::Unreadable { path: path.clone(), why };
        if length > BYTES_MAX {
            return Err(unreadable(format!("it has {length} bytes")));
        }
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        parse(&bytes).map(Some).map_err(unreadable)
    }

    /// Keeps it: from its return on a power cut does not take it back, and one before leaves what
    /// was there.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn write(&self, data: &Path) -> Result<(), NodeFileError> {
        let (path, unfinished) = (Self::path(data), data.join(UNFINISHED));
        let mut options = File::options();
        options.create(true).truncate(true).write(true).mode(MODE);
        let mut file = options.open(&unfinished).map_err(failed("create", &unfinished))?;
        file.write_all(self.text().as_bytes()).map_err(failed("write", &unfinished))?;
        file.sync_all().map_err(failed("sync", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(failed("rename", &unfinished))?;
        File::open(data).and_then(|data| data.sync_all()).map_err(failed("sync", data))
    }

    fn text(&self) -> String {
        let Seen { epoch, version, began_empty } = self.seen;
        let stored = Stored {
            format: FORMAT,
            cluster: self.cluster.to_string(),
            name: self.name.to_string(),
            node: self.node.to_string(),
            epoch,
            version,
            began_empty,
        };
        let text = serde_json::to_string(&stored).expect("numbers and text are JSON");
        format!("{text}\n")
    }
}

fn parse(bytes: &[u8]) -> Result<NodeFile, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|cause| cause.to_string())?;
    let Stored { format, epoch, version, began_empty, .. } = stored;
    if format != FORMAT {
        return Err(format!("it is of format {format}, and this version knows format {FORMAT}"));
    }
    let name = |text: &str| Name::parse(text).map_err(|cause| cause.to_string());
    Ok(NodeFile {
        cluster: ClusterId::parse(&stored.cluster)
            .ok_or_else(|| format!("{:?} is no id of a cluster", stored.cluster))?,
        name: name(&stored.name)?,
        node: name(&stored.node)?,
        seen: Seen { epoch, version, began_empty },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(version: u64) -> NodeFile {
        NodeFile {
            cluster: ClusterId([0xab; 16]),
            name: Name::parse("shop").unwrap(),
            node: Name::parse("n1").unwrap(),
            seen: Seen { epoch: 3, version, began_empty: true },
        }
    }

    #[test]
    fn what_was_kept_is_read_and_replaced_whole() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(NodeFile::read(data.path()).unwrap(), None);
        for version in [7, 8] {
            sample(version).write(data.path()).unwrap();
            assert_eq!(NodeFile::read(data.path()).unwrap(), Some(sample(version)));
        }
        let names: Vec<_> = fs::read_dir(data.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing unfinished stays");
    }

    #[test]
    fn an_unfinished_one_is_never_read() {
        let data = tempfile::tempdir().unwrap();
        sample(7).write(data.path()).unwrap();
        fs::write(data.path().join(UNFINISHED), "{").unwrap();
        assert_eq!(NodeFile::read(data.path()).unwrap(), Some(sample(7)));
        sample(8).write(data.path()).unwrap();
        assert_eq!(NodeFile::read(data.path()).unwrap(), Some(sample(8)));
    }

    #[test]
    fn one_that_says_nothing_is_told_with_its_path() {
        let data = tempfile::tempdir().unwrap();
        let good = sample(7).text();
        for (text, told) in [
            (String::new(), "EOF"),
            (good.replace("\"format\":1", "\"format\":2"), "format 2"),
            (good.replace("abab", "xyxy"), "no id of a cluster"),
            (good.replace("\"n1\"", "\"n/1\""), "is no name"),
            (good.replace("epoch", "era"), "era"),
            ("x".repeat(5000), "it has 5000 bytes"),
        ] {
            fs::write(NodeFile::path(data.path()), text).unwrap();
            let error = NodeFile::read(data.path()).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("cluster"), "{error}");
            assert!(error.contains("empty directory"), "{error}");
        }
    }
}
