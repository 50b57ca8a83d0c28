//! A data directory as files: its segments, its snapshots, and copies in which some are missing.
//!
//! Owns looking and copying. Changes no directory of a test, only copies. Next: `history`.

use doorbuster::codec;
use doorbuster::engine::replay::{self, From, Replayed, journal_directory, snapshot_directory};
use doorbuster_journal::SnapshotEnd;
use doorbuster_snapshots::SnapshotState;
use doorbuster_test_support::target::Target;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A snapshot that has its name.
#[derive(Debug, Clone)]
pub struct StoredSnapshot {
    /// Up to where it holds everything.
    pub sequence: u64,
    /// Its file.
    pub path: PathBuf,
    /// What its header says of the state in it.
    pub digest: String,
}

/// The snapshots of a directory, newest first. All must have whole headers of this journal.
pub fn snapshots(data: &Path) -> Vec<StoredSnapshot> {
    let journal = replay::open(&journal_directory(data)).expect("there is a journal");
    let id = doorbuster_journal::journal_id(&journal).expect("it reads").expect("it has an id");
    let disk = replay::open(&snapshot_directory(data)).expect("there is a directory of snapshots");
    let listed = doorbuster_snapshots::list(&disk, id).expect("snapshots are listed");
    let stored = listed.into_iter().map(|snapshot| {
        let SnapshotState::Valid(meta) = snapshot.state else { panic!("{snapshot:?} in {data:?}") };
        assert_eq!(meta.sequence, snapshot.sequence, "{}", snapshot.name);
        let path = snapshot_directory(data).join(snapshot.name);
        StoredSnapshot {
            sequence: snapshot.sequence,
            path,
            digest: codec::Digest(meta.digest).to_string(),
        }
    });
    stored.collect()
}

/// How many snapshots have their name; they may come and go meanwhile.
pub fn snapshot_count(data: &Path) -> usize {
    let names = std::fs::read_dir(snapshot_directory(data)).expect("there are snapshots");
    let names = names.map(|entry| entry.expect("it is listed").file_name());
    names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "image")).count()
}

/// Where the oldest snapshot of a directory ends.
pub fn oldest_end(data: &Path) -> SnapshotEnd {
    let disk = replay::open(&snapshot_directory(data)).expect("there is a directory of snapshots");
    let oldest = snapshots(data).pop().expect("there is a snapshot");
    let name = oldest.path.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let meta = doorbuster_snapshots::verify(&disk, name).expect("it is whole").meta;
    SnapshotEnd { sequence: meta.sequence, chain: meta.chain }
}

/// The numbers and sizes of all segments, an unused one included, in order.
pub fn segments(data: &Path) -> Vec<(u64, u64)> {
    let entries = fs::read_dir(journal_directory(data)).expect("there is a journal");
    let mut found: Vec<(u64, u64)> = entries
        .filter_map(|entry| {
            let entry = entry.expect("a directory reads");
            let name = entry.file_name().into_string().expect("names are plain");
            let number = name.strip_suffix(".segment")?.parse().expect("segments have numbers");
            // It may be pruned meanwhile.
            entry.metadata().ok().map(|metadata| (number, metadata.len()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// The same journal by a link, for reading only, beside snapshots of one's own.
pub fn with_snapshots<'p>(
    target: Target,
    data: &Path,
    snapshots: impl IntoIterator<Item = &'p Path>,
) -> TempDir {
    let beside = target.directory();
    symlink(journal_directory(data), journal_directory(beside.path())).expect("a link");
    let own = snapshot_directory(beside.path());
    fs::create_dir(&own).expect("a directory of ours");
    for snapshot in snapshots {
        fs::copy(snapshot, own.join(snapshot.file_name().expect("a file"))).expect("a copy");
    }
    beside
}

/// A directory with all its files, to be changed and served from.
pub fn copy(target: Target, data: &Path) -> TempDir {
    let copy = target.directory();
    for part in [journal_directory, snapshot_directory] {
        let (from, to) = (part(data), part(copy.path()));
        fs::create_dir(&to).expect("a directory of ours");
        for entry in fs::read_dir(from).expect("a directory reads") {
            let path = entry.expect("a directory reads").path();
            fs::copy(&path, to.join(path.file_name().expect("a file"))).expect("a copy");
        }
    }
    copy
}

/// Replays a directory to its end, which must be possible.
#[track_caller]
pub fn replayed(data: &Path, from: From, until: Option<u64>) -> Replayed {
    replay::replay(data, from, until, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}
