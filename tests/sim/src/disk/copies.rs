//! Copies of all that is on a disk, as an operator takes and puts back.
//!
//! Owns nothing of what a disk may do by itself: a copy is what a reader sees at one moment, and
//! what was put back is whole and synced. Never looks into a file. Next: `files`.

use super::{Content, PAGE_BYTES, SimDisk};
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
