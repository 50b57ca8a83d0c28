//! Snapshots that are not whole: the one before is taken, or the whole journal, and it is said;
//! where neither leads to the last state, nothing is served and nothing is changed.
//!
//! Owns damage to the snapshot files of a server that stopped. Damage to the journal is in
//! `damage`.

use crate::TARGET;
use crate::snapshots::pruning::{fill_segments, launch as pruning_launch};
use crate::snapshots::taking::take_snapshot;
use doorbuster::background::snapshotter::fold;
use doorbuster::codec;
use doorbuster::engine::replay::{From, journal_directory, open};
use doorbuster_journal::journal_id;
use doorbuster_snapshots::no_pause;
use doorbuster_test_directories::history::{check_unchanged, files};
use doorbuster_test_directories::ledger::check_remembered;
use doorbuster_test_directories::shopper::Accepted;
use doorbuster_test_directories::stored::{
    StoredSnapshot, copy, replayed, segments, snapshots, with_snapshots,
};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::{Launch, Stopped};
use doorbuster_test_support::wait;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Bits flipped at random places, beside those of header and trailer.
const FLIPS: usize = 1000;
/// Where the fields of a header end, and the length of a trailer (snapshots/FORMAT.md).
const FIELDS_END: usize = 356;
const TRAILER_BYTES: usize = 64;

fn launch(data: &Path) -> Launch {
    TARGET.launch(data).small().variable("JOURNAL_SEGMENT_BYTES", "262144")
}

/// A stopped directory with two snapshots, all its journal, and what a buyer was told.
struct Left {
    data: TempDir,
    stopped: Stopped,
    newest: StoredSnapshot,
    older: StoredSnapshot,
    bought: Vec<Accepted>,
}

impl Left {
    fn new() -> Self {
        let data = TARGET.directory();
        let server = launch(data.path()).start();
        let client = &mut server.connect();
        client.put_sku("s", &json!({"stock": 5000, "per_user_limit": 90}));
        let mut bought = Vec::new();
        for number in 0..60 {
            let user = format!("user-{}", number % 20);
            let ask = Ask::order(&format!("key-{number}"), &user, "s", 1 + number % 3);
            let answer = client.ask(&ask);
            let order = answer.expect(201);
            if number % 4 == 0 {
                let id = order["id"].as_str().expect("an order has an id");
                client.ask(&Ask::act(id, "confirm")).expect(200);
            }
            bought.push(Accepted { ask, answer });
            if number == 30 {
                take_snapshot(client);
            }
        }
        let stopped = server.stop().stopped();
        let mut stored = snapshots(data.path());
        assert_eq!(stored.len(), 2);
        let older = stored.pop().expect("two snapshots");
        let newest = stored.pop().expect("two snapshots");
        assert_eq!(newest.sequence, stopped.sequence);
        Self { data, stopped, newest, older, bought }
    }

    /// What a replay of a directory with this newest snapshot comes to.
    fn check_passed_over(&self, beside: &Path, bytes: &[u8], what: &str) {
        let newest = beside.join("snapshots").join(self.newest.path.file_name().expect("a file"));
        fs::write(&newest, bytes).expect("a copy of ours");
        let replayed = replayed(beside, From::NewestSnapshot, None);
        assert_eq!(replayed.snapshot_sequence, self.older.sequence, "{what}");
        assert_eq!(replayed.passed_over.len(), 1, "{what}");
        let why = replayed.passed_over[0].why.to_string();
        assert!(why.contains(&*newest.to_string_lossy()), "{what}: {why:?}");
        assert_eq!(codec::digest(&replayed.state).to_string(), self.stopped.digest, "{what}");
    }

    /// A start says which snapshots it passed over, and serves what was there.
    fn check_start(&self, data: &Path, passed_over: &[&str], from: u64, what: &str) {
        let server = launch(data).start();
        let client = &mut server.connect();
        let status = client.get("/v1/status");
        assert_eq!(status["epoch"], self.stopped.epoch + 1, "{what}");
        let snapshot = status["snapshot_seq"].as_u64().unwrap_or(0);
        assert_eq!(snapshot, from, "{what}: {status}");
        let last = self.bought.last().expect("something was bought");
        for accepted in [&self.bought[0], last] {
            check_remembered(client, accepted, true);
        }
        // What is damaged is in nobody's way.
        client.put_sku("later", &json!({"stock": 1}));
        let snapshot = take_snapshot(client);
        let status = client.get("/v1/status");
        assert!(status.get("snapshot_error").is_none(), "{what}: {status}");
        assert_eq!(status["snapshot_seq"], snapshot, "{what}: {status}");
        let complaints = server.stop().complaints;
        for part in passed_over {
            assert!(complaints.contains("passed over a snapshot"), "{what}: {complaints:?}");
            assert!(complaints.contains(part), "{what}: no {part:?} in {complaints:?}");
        }
        let recovered =
            format!("recovered events={} snapshot_sequence={from}\n", self.stopped.sequence);
        assert!(complaints.contains(&recovered), "{what}: {complaints:?}");
        let then = replayed(data, From::Genesis, Some(self.stopped.sequence));
        assert_eq!(codec::digest(&then.state).to_string(), self.stopped.digest, "{what}");
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names are plain")
}

#[test]
fn no_flipped_bit_of_the_newest_snapshot_changes_the_state() {
    let left = Left::new();
    let beside =
        with_snapshots(TARGET, left.data.path(), [left.newest.path.as_path(), &left.older.path]);
    let whole = fs::read(&left.newest.path).expect("a snapshot reads");
    let mut random = TARGET.random();
    let ends = (0..FIELDS_END).chain(whole.len() - TRAILER_BYTES..whole.len());
    let mut places: Vec<usize> = ends.collect();
    places.extend((0..FLIPS).map(|_| random.place(whole.len())));
    for place in places {
        let bit = random.place(8);
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << bit;
        let what = format!("bit {bit} of byte {place} of {} flipped", whole.len());
        left.check_passed_over(beside.path(), &bytes, &what);
    }
}

/// No length of the newest snapshot but its own changes the state.
#[test]
fn a_wrong_length_of_the_newest_snapshot_changes_no_state() {
    let left = Left::new();
    let beside =
        with_snapshots(TARGET, left.data.path(), [left.newest.path.as_path(), &left.older.path]);
    let whole = fs::read(&left.newest.path).expect("a snapshot reads");
    let mut random = TARGET.random();
    let mut lengths = vec![0, 1, 4095, 4096, 4097, whole.len() - TRAILER_BYTES, whole.len() - 1];
    lengths.extend((0..100).map(|_| random.place(whole.len())));
    for length in lengths {
        let what = format!("cut to {length} of {} bytes", whole.len());
        left.check_passed_over(beside.path(), &whole[..length], &what);
        let mut zeroed = whole.clone();
        if zeroed[length..].iter().any(|byte| *byte != 0) {
            zeroed[length..].fill(0);
            left.check_passed_over(beside.path(), &zeroed, &format!("zeros from byte {length}"));
        }
    }
    for more in [1, 64, 4096] {
        let mut bytes = whole.clone();
        bytes.extend((0..more).map(|_| random.place(256) as u8));
        left.check_passed_over(beside.path(), &bytes, &format!("{more} bytes of noise behind"));
    }
    let random: Vec<u8> = whole.iter().map(|_| random.place(256) as u8).collect();
    left.check_passed_over(beside.path(), &random, "noise all over");
}

/// What it is called, and how it is done to a snapshot.
type Kind = (&'static str, fn(&Path));

/// Kinds of damage to one snapshot.
const KINDS: &[Kind] = &[
    ("a flipped bit", |snapshot| {
        let mut bytes = fs::read(snapshot).expect("a snapshot reads");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(snapshot, bytes).expect("a copy of ours");
    }),
    ("a file cut short", |snapshot| {
        let bytes = fs::read(snapshot).expect("a snapshot reads");
        fs::write(snapshot, &bytes[..bytes.len() / 2]).expect("a copy of ours");
    }),
    ("an empty file", |snapshot| fs::write(snapshot, []).expect("a copy of ours")),
    ("garbage behind it", |snapshot| {
        let mut bytes = fs::read(snapshot).expect("a snapshot reads");
        bytes.extend_from_slice(b"garbage");
        fs::write(snapshot, bytes).expect("a copy of ours");
    }),
    ("a directory of its name", |snapshot| {
        fs::remove_file(snapshot).expect("a copy of ours");
        fs::create_dir(snapshot).expect("a copy of ours");
    }),
];

#[test]
fn a_start_passes_over_a_damaged_newest_snapshot_and_says_so() {
    let left = Left::new();
    for (kind, damage) in KINDS {
        let copy = copy(TARGET, left.data.path());
        let newest = copy.path().join("snapshots").join(name(&left.newest.path));
        damage(&newest);
        let file = newest.to_string_lossy();
        left.check_start(copy.path(), &[&file], left.older.sequence, kind);
    }
}

/// A start passes over snapshots under other names and of other journals.
#[test]
fn a_start_passes_over_foreign_and_misnamed_snapshots() {
    let left = Left::new();
    let snapshots_of = |copy: &TempDir| copy.path().join("snapshots");
    let sequence = left.stopped.sequence;
    let earlier = format!("image-{:020}.image", sequence - 1);

    let renamed = copy(TARGET, left.data.path());
    let newest = snapshots_of(&renamed).join(name(&left.newest.path));
    fs::rename(&newest, snapshots_of(&renamed).join(&earlier)).expect("a copy of ours");
    left.check_start(renamed.path(), &[&earlier], left.older.sequence, "an earlier one's name");

    let beside = with_snapshots(TARGET, left.data.path(), [left.newest.path.as_path()]);
    let later = snapshots_of(&beside).join(format!("image-{:020}.image", u64::MAX));
    fs::copy(&left.older.path, later).expect("a copy of ours");
    let replayed = replayed(beside.path(), From::NewestSnapshot, None);
    assert_eq!((replayed.passed_over.len(), replayed.snapshot_sequence), (1, sequence));
    assert_eq!(codec::digest(&replayed.state).to_string(), left.stopped.digest);

    // A name that no snapshot has is not looked at.
    let hidden = copy(TARGET, left.data.path());
    let newest = snapshots_of(&hidden).join(name(&left.newest.path));
    fs::rename(&newest, snapshots_of(&hidden).join("image-7.image")).expect("a copy of ours");
    left.check_start(hidden.path(), &[], left.older.sequence, "no name of a snapshot");

    let mixed = copy(TARGET, left.data.path());
    let other = Left::new();
    assert_eq!(other.stopped.sequence, sequence, "the same was asked of both");
    let foreign = snapshots_of(&mixed).join(name(&left.newest.path));
    fs::copy(&other.newest.path, &foreign).expect("a copy of ours");
    let parts = [name(&left.newest.path), "belongs to journal"];
    left.check_start(mixed.path(), &parts, left.older.sequence, "another journal's");
}

#[test]
fn with_all_snapshots_damaged_a_start_replays_the_whole_journal() {
    let left = Left::new();
    for (kind, damage) in KINDS {
        let copy = copy(TARGET, left.data.path());
        let paths: Vec<PathBuf> = [&left.newest, &left.older]
            .map(|snapshot| copy.path().join("snapshots").join(name(&snapshot.path)))
            .into();
        paths.iter().for_each(|path| damage(path));
        left.check_start(copy.path(), &[name(&paths[0]), name(&paths[1])], 0, kind);
    }
    let copy = copy(TARGET, left.data.path());
    fs::remove_dir_all(copy.path().join("snapshots")).expect("a copy of ours");
    left.check_start(copy.path(), &[], 0, "no snapshots at all");
}

/// With all snapshots damaged and segments pruned a start refuses and changes nothing.
#[test]
fn a_start_without_a_whole_history_refuses() {
    let data = TARGET.directory();
    let server = pruning_launch(data.path()).start();
    let client = &mut server.connect();
    fill_segments(client, data.path(), 3);
    wait::until("old segments go", || {
        let snapshot = take_snapshot(client);
        client.put_sku(&format!("more-{snapshot}"), &json!({"stock": 1}));
        (segments(data.path())[0].0 > 1).then_some(())
    });
    server.stop().stopped();
    let first = segments(data.path())[0].0;
    assert!(first > 1);
    for (kind, damage) in KINDS {
        let copy = copy(TARGET, data.path());
        snapshots(copy.path()).iter().for_each(|snapshot| damage(&snapshot.path));
        fs::write(copy.path().join("LOCK"), []).expect("a copy of ours");
        let before = files(copy.path());
        let exit = pruning_launch(copy.path()).run();
        assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{kind}: {exit:?}");
        assert!(exit.complaints.contains("00000001.segment"), "{kind}: {exit:?}");
        check_unchanged(&before, &files(copy.path()));
    }
}

#[test]
fn a_damaged_snapshot_does_not_stand_in_the_way_of_the_next() {
    let left = Left::new();
    let sequence = left.stopped.sequence;
    for (what, standing) in [("in its place", sequence), ("under a later name", sequence + 7)] {
        let copy = copy(TARGET, left.data.path());
        let snapshots_of = copy.path().join("snapshots");
        let at = snapshots_of.join(format!("image-{standing:020}.image"));
        fs::rename(snapshots_of.join(name(&left.newest.path)), &at).expect("a copy of ours");
        let mut bytes = fs::read(&at).expect("a copy of ours");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&at, &bytes).expect("a copy of ours");
        let journal = open(&journal_directory(copy.path())).expect("a directory");
        let id = journal_id(&journal).expect("a journal").expect("of ours");
        let taken = fold(copy.path(), id, None, no_pause).expect(what);
        assert_eq!(taken, sequence, "{what}");
        let again = replayed(copy.path(), From::NewestSnapshot, None);
        assert_eq!((again.snapshot_sequence, again.passed_over.len()), (sequence, 0), "{what}");
        assert_eq!(codec::digest(&again.state).to_string(), left.stopped.digest, "{what}");
        assert_eq!(fs::read(at.with_extension("image.damaged")).expect(what), bytes, "{what}");
    }
}

#[test]
fn a_replay_that_ends_early_uses_no_later_snapshot() {
    let left = Left::new();
    let until = left.older.sequence + 3;
    let replayed_until = |from| replayed(left.data.path(), from, Some(until));
    let (newest, genesis) = (replayed_until(From::NewestSnapshot), replayed_until(From::Genesis));
    assert_eq!(newest.snapshot_sequence, left.older.sequence);
    assert!(newest.state.sequence <= until);
    assert_eq!(codec::digest(&newest.state), codec::digest(&genesis.state));
}
