//! A golden directory with bits that are not its own: the same state, or none, but never another.
//!
//! Owns a sample of the bits, with real records and the real replay; every bit of a smaller journal
//! is flipped by the journal's own tests, every bit of a smaller snapshot by those of the
//! snapshots.

use crate::directory::{Facts, unpack};
use crate::replayed;
use doorbuster::codec;
use doorbuster::engine::replay::{
    From, ReplayError, journal_directory, replay, snapshot_directory,
};
use doorbuster_snapshots::{FORMAT_VERSION, SnapshotError, snapshot_name};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Where the fields of a segment's and of a snapshot's header end, at the least, in bytes.
const FIELDS_END: u64 = 356;

/// Flips a bit of each of these bytes in turn.
fn flip(path: &Path, bytes: impl Iterator<Item = u64>, mut check: impl FnMut(&str)) {
    let file = File::options().read(true).write(true).open(path).expect("a copy of ours");
    for (number, at) in bytes.enumerate() {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("a copy of ours");
        let flipped = [byte[0] ^ 1 << (number % 8)];
        file.write_all_at(&flipped, at).expect("a copy of ours");
        check(&format!("bit {} of byte {at} of {}", number % 8, path.display()));
        file.write_all_at(&byte, at).expect("a copy of ours");
    }
}

fn sample(used: u64, step: usize) -> impl Iterator<Item = u64> {
    (0..FIELDS_END).chain((FIELDS_END..used).step_by(step))
}

fn segments(data: &Path) -> [PathBuf; 2] {
    ["00000001.segment", "00000002.segment"].map(|name| journal_directory(data).join(name))
}

#[track_caller]
fn check_state(data: &Path, from: From, snapshot: u64, facts: &Facts, what: &str) {
    let replayed = replayed(data, from, None);
    assert_eq!(replayed.snapshot_sequence, snapshot, "{what}");
    assert_eq!(replayed.state.sequence, facts.sequence, "{what}");
    assert_eq!(codec::digest(&replayed.state).to_string(), facts.digest, "{what}");
}

#[test]
fn a_flipped_bit_of_the_journal_gives_the_same_state_or_none() {
    let (data, facts) = unpack("format-1");
    let data = data.path();
    let [one, two] = segments(data);
    // What is stored of them is what is used.
    for (path, used, step) in [(one, 261_192, 397), (two, 7_256, 29)] {
        let first = path.ends_with("00000001.segment");
        flip(&path, sample(used, step), |what| {
            let refused = replay(data, From::Genesis, None, &mut |_| {});
            let refused = refused.err().unwrap_or_else(|| panic!("{what}: taken")).to_string();
            for part in [&*path.to_string_lossy(), "at byte ", "at sequence "] {
                assert!(refused.contains(part), "{what}: {refused}");
            }
            if first {
                // A snapshot holds all of it.
                check_state(data, From::NewestSnapshot, facts.snapshot_sequence, &facts, what);
            } else {
                assert!(replay(data, From::NewestSnapshot, None, &mut |_| {}).is_err(), "{what}");
            }
        });
    }
    check_state(data, From::Genesis, 0, &facts, "as it was");
}

/// A flipped bit of the snapshot costs a longer replay to the same state.
#[test]
fn a_flipped_bit_of_the_snapshot_costs_only_a_longer_replay() {
    let (data, facts) = unpack("format-1");
    let snapshot = snapshot_directory(data.path()).join(snapshot_name(facts.snapshot_sequence));
    let used = snapshot.metadata().expect("it is there").len();
    flip(&snapshot, sample(used, 11), |what| {
        check_state(data.path(), From::NewestSnapshot, 0, &facts, what);
    });
    check_state(data.path(), From::NewestSnapshot, facts.snapshot_sequence, &facts, "as it was");
}

/// A snapshot of a newer version ends a start until a person moves it. What a newer version left is
/// not passed over like damage: it may be all there is.
#[test]
fn a_snapshot_of_a_newer_version_ends_a_start() {
    let (data, facts) = unpack("format-1");
    let path = snapshot_directory(data.path()).join(snapshot_name(facts.snapshot_sequence));
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..4096]);
    bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    fs::write(&path, &bytes).expect("a copy of ours");
    for from in [From::NewestSnapshot, From::OldestSnapshot] {
        let Err(ReplayError::Snapshot(error)) = replay(data.path(), from, None, &mut |_| {}) else {
            panic!("{from:?}: it is read, or refused for something else")
        };
        let SnapshotError::NewerVersion { format, .. } = error else { panic!("{error}") };
        assert_eq!(format, FORMAT_VERSION + 1);
    }
    check_state(data.path(), From::Genesis, 0, &facts, "without snapshots");
    fs::remove_file(&path).expect("it is there");
    check_state(data.path(), From::NewestSnapshot, 0, &facts, "the snapshot is gone");
}
