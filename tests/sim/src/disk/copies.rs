//! Copies of all that is on a disk, as an operator takes and puts back.
//!
//! Owns nothing of what a disk may do by itself: a copy is what a reader sees at one moment, and
//! what was put back is whole and synced. Never looks into a file. Next: `files`.

use super::{Content, Medium, PAGE_BYTES, SimDisk};
use doorbuster_snapshots::snapshot_name;
use std::collections::BTreeMap;

/// The files of all directories, by name.
#[derive(Debug, Clone)]
pub(crate) struct Files(BTreeMap<String, Vec<u8>>);

impl SimDisk {
    /// All that is there, as a reader sees it.
    pub(crate) fn copy(&self) -> Files {
        let medium = self.medium();
        let file = |(name, file): (&String, &u64)| (name.clone(), medium.files[file].live.clone());
        Files(medium.names.iter().map(file).collect())
    }

    /// Puts a copy in place of all that is there, while no server runs.
    pub(crate) fn put_back(&self, files: &Files) {
        let mut medium = self.medium();
        let medium = &mut *medium;
        medium.pending.clear();
        medium.names.clear();
        medium.files.clear();
        for (name, bytes) in &files.0 {
            // What a dead process still has open is another file.
            let file = medium.next_file;
            medium.next_file += 1;
            let content = Content {
                live: bytes.clone(),
                durable: bytes.clone(),
                allocated: (0..bytes.len().div_ceil(PAGE_BYTES)).collect(),
                ..Content::default()
            };
            medium.files.insert(file, content);
            medium.names.insert(name.clone(), file);
            medium.note("put back", file, 0, bytes);
        }
        medium.durable_names = medium.names.clone();
    }
}

impl Medium {
    /// What would be left of a file without power.
    pub(crate) fn durable(&self, name: &str) -> Option<&[u8]> {
        let file = self.durable_names.get(name)?;
        Some(&self.files.get(file)?.durable)
    }

    /// The sequence of the newest snapshot that would be left; 0 without any.
    pub(crate) fn newest_durable_snapshot(&self) -> u64 {
        let names = self.durable_names.keys().filter_map(|name| name.strip_prefix("snapshots/"));
        names.filter_map(sequence_of).max().unwrap_or(0)
    }

    /// All that is there goes, as with another disk.
    pub(crate) fn wipe(&mut self) {
        self.pending.clear();
        self.names.clear();
        self.durable_names.clear();
        self.files.clear();
    }
}

fn sequence_of(name: &str) -> Option<u64> {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let sequence = digits.parse().ok()?;
    (snapshot_name(sequence) == name).then_some(sequence)
}
