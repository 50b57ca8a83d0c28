//! Journals of several nodes, byte for byte.
//!
//! Owns the comparison, up to where both end. Reads only. Next: `main`.

use doorbuster::engine::replay::{journal_directory, open};
use doorbuster_journal::{JournalEnd, Origin, scan};
use doorbuster_test_support::wait;
use std::fs;
use std::path::{Path, PathBuf};

fn segments(data: &Path) -> Vec<PathBuf> {
    let directory = journal_directory(data);
    let entries = fs::read_dir(&directory).expect("there is a journal");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it is listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "segment"));
    paths.sort();
    paths
}

/// Where a journal ends; beside a live server it may be read in the middle of a change.
pub(crate) fn end(data: &Path) -> JournalEnd {
    let disk = open(&journal_directory(data)).expect("there is a journal");
    wait::until("a journal that is read whole", || {
        Some(scan(&disk, Origin::Genesis).ok()?.journal_end())
    })
}

/// All segments that both have are equal, up to where the shorter journal ends. Gives its last
/// sequence.
pub(crate) fn compare(one: &Path, other: &Path) -> u64 {
    let (first, second) = (end(one), end(other));
    let place = |end: &JournalEnd| (end.place.segment, end.place.offset);
    let shorter = if place(&first) <= place(&second) { first } else { second };
    let last = format!("{:08}.segment", shorter.place.segment);
    let mut compared = Vec::new();
    for path in segments(one) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let counterpart = journal_directory(other).join(name);
        if *name > *last || !counterpart.exists() {
            continue;
        }
        let bytes = fs::read(&path).expect("it reads");
        let theirs = fs::read(&counterpart).expect("it reads");
        let offset = usize::try_from(shorter.place.offset).expect("it fits");
        let end = if *name == *last { offset } else { bytes.len().max(theirs.len()) };
        let differs = (0..end).find(|at| bytes.get(*at) != theirs.get(*at));
        assert_eq!(differs, None, "{} differs", path.display());
        compared.push(name.to_owned());
    }
    assert_eq!(compared.last(), Some(&last), "{compared:?}");
    shorter.sequence
}
