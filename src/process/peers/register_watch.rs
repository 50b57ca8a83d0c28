//! What this node knows of its cluster and its register, and keeps.
//!
//! Owns the file that a later start reads, and the look at each register that was read: it must be
//! of this cluster and of this journal. Judges no epoch: that is `cluster::role`'s. Next: `checks`.

use super::checks::{self, Identity};
use super::error::ClusterError;
use crate::cluster::arbiter::Versioned;
use crate::cluster::node_file::NodeFile;
use crate::cluster::register::ClusterId;
use crate::cluster::role::Seen;
use std::path::PathBuf;

/// What is known.
pub(super) struct RegisterWatch {
    data: PathBuf,
    /// Where the register is.
    key: String,
    identity: Identity,
    /// As the directory has it now.
    kept: Option<NodeFile>,
    /// The journal that the directory began with; none where it was empty.
    journal: Option<String>,
    /// The register as it was read last, and its version.
    read: Option<Versioned>,
}

impl RegisterWatch {
    pub(super) fn new(
        data: PathBuf,
        key: String,
        identity: Identity,
        kept: Option<NodeFile>,
        journal: Option<String>,
    ) -> Self {
        Self { data, key, identity, kept, journal, read: None }
    }

    /// What was seen of the register by an earlier start; none in a directory that is new.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.kept.as_ref().map(|kept| kept.seen)
    }

    /// Compares a register that was read with this directory.
    pub(super) fn look_at(&mut self, held: Option<&Versioned>) -> Result<(), ClusterError> {
        self.read = held.cloned();
        let Some(Versioned { register, .. }) = held else { return Ok(()) };
        let place = (&*self.key, &*self.data);
        checks::register(register, place, self.kept.as_ref(), self.journal.as_deref())
    }

    /// The cluster: as the directory knows it, or as the register says.
    pub(super) fn cluster(&self) -> Option<ClusterId> {
        let kept = self.kept.as_ref().map(|kept| kept.cluster);
        kept.or_else(|| self.read.as_ref().map(|held| held.register.cluster))
    }

    /// Keeps what was seen.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn keep(&mut self, seen: Seen) -> Result<(), ClusterError> {
        let Some(cluster) = self.cluster() else { return Ok(()) };
        let Identity { cluster: name, node, .. } = self.identity.clone();
        let kept = NodeFile { cluster, name, node, seen };
        kept.write(&self.data)?;
        self.kept = Some(kept);
        Ok(())
    }

    /// Why the register, as it was read last, cannot be gone on with.
    pub(super) fn forgot(&self) -> ClusterError {
        checks::forgot(&self.key, self.kept.as_ref(), self.read.as_ref())
    }

    pub(super) fn foreign_history(&self) -> ClusterError {
        ClusterError::ForeignHistory { data: self.data.clone() }
    }
}
