//! Starts that the system does not allow: each call to the disk fails once, a directory cannot be
//! made, there is no address space. Each is told, and the next start has everything.
//!
//! Owns starts in this process, on a disk in memory. Next: `damage`, files that are not as they
//! were.

use crate::TARGET;
use doorbuster::background::snapshotter::fold;
use doorbuster::codec;
use doorbuster::config::{Config, Sources};
use doorbuster::engine::recovery::{NewEpoch, RecoveryError, lock, recover_in};
use doorbuster::engine::replay::{DataDirectory, ReplayError};
use doorbuster::shared::clock::Clock;
use doorbuster_journal::{JournalError, MemoryDisk, journal_id};
use doorbuster_snapshots::{SnapshotError, no_pause};
use doorbuster_test_support::faulty_disk::{FaultyDisk, SAID};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A data directory in memory.
struct Data {
    journal: FaultyDisk,
    snapshots: FaultyDisk,
}

impl Data {
    /// What is on these disks, of which these calls fail.
    fn copy(&self, in_journal: Option<usize>, in_snapshots: Option<usize>) -> Self {
        let copy = |disk: &FaultyDisk| disk.inner.after_power_loss(|_, _| true);
        Self {
            journal: FaultyDisk::failing_at(copy(&self.journal), in_journal),
            snapshots: FaultyDisk::failing_at(copy(&self.snapshots), in_snapshots),
        }
    }

    fn empty() -> Self {
        let disk = || FaultyDisk::failing_at(MemoryDisk::default(), None);
        Self { journal: disk(), snapshots: disk() }
    }

    /// Starts, and is gone again. Gives the epoch and the digest.
    fn start(&self, config: &Config) -> Result<(u32, String), RecoveryError> {
        let recovered =
            recover_in(self, &config.rules, config, (Clock::start(), NewEpoch::Next), &mut |_| {})?;
        let digest = codec::digest(&recovered.state).to_string();
        Ok((recovered.state.epoch, digest))
    }

    /// Puts all there is into a snapshot.
    fn snapshot(&self) {
        let id = journal_id(&self.journal).expect("nothing fails").expect("a journal");
        fold(self, id, None, no_pause).expect("nothing fails");
    }
}

impl DataDirectory for Data {
    type Disk = FaultyDisk;

    fn journal(&self) -> Result<FaultyDisk, ReplayError> {
        Ok(self.journal.clone())
    }

    fn has_snapshots(&self) -> bool {
        true
    }

    fn snapshots(&self) -> Result<FaultyDisk, ReplayError> {
        Ok(self.snapshots.clone())
    }

    fn top(&self) -> Result<FaultyDisk, ReplayError> {
        unreachable!("only a ballast stands there")
    }

    fn set_aside(&self, _name: &str) -> Result<FaultyDisk, ReplayError> {
        unreachable!("a start alone cuts nothing for another history")
    }

    fn random(&self) -> [u8; 16] {
        // Not one and the same: each start draws a life.
        static DRAWN: AtomicU64 = AtomicU64::new(1);
        u128::from(DRAWN.fetch_add(1, Ordering::Relaxed)).to_le_bytes()
    }
}

fn config(orders: &str) -> Config {
    let mut sources = Sources::default();
    let mut set = |name: &str, value: &str| sources.set("test", name, value.to_owned()).unwrap();
    set("journal.segment_bytes", "262144");
    for name in ["skus", "keys", "answers", "uses", "users", "entries"] {
        set(&format!("caps.{name}"), "100");
    }
    set("caps.orders", orders);
    sources.config().expect("settings of the test")
}

/// What the failing call was told as.
fn operation(error: &RecoveryError) -> &'static str {
    let (RecoveryError::Journal(journal) | RecoveryError::Replay(ReplayError::Journal(journal))) =
        error
    else {
        panic!("{error}")
    };
    let JournalError::Io { operation, cause, .. } = journal else { panic!("{journal}") };
    assert_eq!(cause.to_string(), SAID);
    operation
}

/// A start of `data` with each call to the journal's disk failing once. Whatever it came to, the
/// power fails, and the start after it has all there was.
fn check_every_failure(data: &Data, config: &Config, epoch: u32) -> BTreeSet<&'static str> {
    let whole = data.copy(None, None);
    assert_eq!(whole.start(config).expect("nothing fails").0, epoch + 1);
    let mut operations = BTreeSet::new();
    for failing in 0..whole.journal.calls() {
        let data = data.copy(Some(failing), None);
        match data.start(config) {
            Err(error) => operations.insert(operation(&error)),
            Ok((begun, _)) => panic!("call {failing} failed, and epoch {begun} was begun"),
        };
        for kept in [false, true] {
            let left = data.journal.inner.after_power_loss(|_, _| kept);
            let snapshots = data.snapshots.inner.after_power_loss(|_, _| true);
            let next = Data {
                journal: FaultyDisk::failing_at(left, None),
                snapshots: FaultyDisk::failing_at(snapshots, None),
            };
            let (begun, _) =
                next.start(config).unwrap_or_else(|error| panic!("{failing}: {error}"));
            assert!((epoch + 1..=epoch + 2).contains(&begun), "{failing}: epoch {begun}");
        }
    }
    operations
}

#[test]
fn a_first_start_that_fails_at_any_call_can_be_made_then() {
    let told = check_every_failure(&Data::empty(), &config("100"), 0);
    let all =
        ["allocate", "list", "map", "remove", "rename", "sync", "sync the directory of", "write"];
    assert_eq!(told, all.into());
}

#[test]
fn a_start_that_fails_at_any_call_loses_nothing() {
    let data = Data::empty();
    data.start(&config("100")).expect("nothing fails");
    data.snapshot();
    data.start(&config("100")).expect("nothing fails");
    // Changed settings are journaled with the start.
    let told = check_every_failure(&data, &config("200"), 2);
    let all = ["list", "map", "measure", "open", "read", "sync", "write"];
    assert_eq!(told, all.into());
}

/// Snapshots that cannot be listed end a start and one that cannot be read does not.
#[test]
fn snapshots_that_cannot_be_listed_end_a_start() {
    let data = Data::empty();
    data.start(&config("100")).expect("nothing fails");
    data.snapshot();
    let whole = data.copy(None, None);
    let expected = whole.start(&config("100")).expect("nothing fails");
    assert!(whole.snapshots.calls() > 3, "the snapshot is read");
    for failing in 0..whole.snapshots.calls() {
        match data.copy(None, Some(failing)).start(&config("100")) {
            Ok(started) => assert_eq!(started.0, expected.0, "call {failing}"),
            Err(RecoveryError::Replay(ReplayError::Snapshot(error))) => {
                let SnapshotError::Io { operation, cause, .. } = error else { panic!("{error}") };
                assert_eq!((failing, operation), (0, "list"));
                assert_eq!(cause.to_string(), SAID);
            }
            Err(other) => panic!("call {failing}: {other}"),
        }
    }
}

/// What was tried on which path, of a lock that cannot be had.
#[track_caller]
fn check_locked_out(data: &Path, operation: &str, path: &Path) {
    match lock(data) {
        Err(RecoveryError::Io { operation: tried, path: named, .. }) => {
            assert_eq!((tried, named), (operation, path.display().to_string()));
        }
        other => panic!("{}: {other:?}", data.display()),
    }
}

#[test]
fn a_data_directory_is_made_with_its_parents_or_named() {
    let place = TARGET.directory();
    let deep = place.path().join("a/b/c");
    lock(&deep).expect("it can be made");
    assert!(deep.join("LOCK").is_file());

    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    check_locked_out(&file.join("data"), "create", &file.join("data"));
    check_locked_out(&file.join("more/data"), "create", &file.join("more"));
    check_locked_out(&file, "open", &file.join("LOCK"));
    fs::create_dir_all(place.path().join("d/LOCK")).unwrap();
    check_locked_out(&place.path().join("d"), "open", &place.path().join("d/LOCK"));
    check_locked_out(Path::new(""), "create", Path::new(""));
}

/// Tables that the system has no room for are refused before anything is made.
#[test]
fn tables_without_room_are_refused_before_anything_is_made() {
    let data = TARGET.directory();
    let orders = "100000000";
    let exit = TARGET.launch(data.path()).variable("CAPS_ORDERS", orders).within(6_000_000).run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    assert!(exit.complaints.contains("the tables' caps ask for "), "{exit:?}");
    assert!(exit.complaints.contains("lower caps.orders"), "{exit:?}");
    assert!(!data.path().join("journal").exists());
}
