//! Data directories of every stored format version there has been, and that this version still
//! reads them: the same state, the same digest, every record as it was meant.
//!
//! `format-N` beside this file is what the first server of version N left behind, packed as its
//! `manifest` says. It never changes. Stored shapes only grow by kinds at the end (`src/codec`), so
//! new kinds of events and rows need no new directory: old ones must go on decoding, which is what
//! is tested here. Where a kind takes the place of one that every journal has, a directory shows
//! it: `format-1-lives` is the same story from when starts drew lives. A version whose bytes mean
//! something else gets a directory of its own:
//!
//! 1. Raise `FORMAT_VERSION` of the crate whose layout changes, and say so in its `FORMAT.md`.
//! 2. Add `tell_N` beside `story::tell`: every kind of event, and of row at the snapshot, there is.
//! 3. Run `cargo test --test golden`: the test that makes the stories leaves a packed directory of
//!    each in `target/tmp/golden`. Copy it to `tests/golden/format-N`, and add it to `DIRECTORIES`.
//! 4. The directories before it stay in `DIRECTORIES` for as long as the server reads them, and so
//!    do their stories; only those of the newest version are written again, byte by byte.
//!
//! Where a later version encodes an old state in other bytes, its digest is another: then `digest`
//! in the old manifests is brought up to date, in a change of its own that shows that genesis and
//! snapshot agree before and after. Next: `story`, `directory`.

mod damage;
mod directory;
mod story;

use directory::{ID, OPTIONS, make, pack, unpack};
use doorbuster::codec;
use doorbuster::domain::model::event::{Event, Record};
use doorbuster::domain::model::ids::OrderId;
use doorbuster::domain::model::settings::Settings;
use doorbuster::domain::state::idempotency::StoredReply;
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::{From, Replayed, journal_directory, replay, snapshot_directory};
use doorbuster_journal::{FileDisk, Journal, Kind, Origin, scan_with};
use doorbuster_snapshots::{SnapshotReader, snapshot_name};
use doorbuster_test_directories::history::{History, check_unchanged, files};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::target::Target;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use story::Turn;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

/// Tells what the server decided while a directory was written.
type Story = fn() -> Vec<Turn>;

/// Every directory with its story; all of them are of the newest version.
const DIRECTORIES: [(&str, Story); 2] =
    [("format-1", story::tell), ("format-1-lives", story::tell_with_lives)];

/// Every kind of event that version 1 began with, in the order they are stored.
const EVENTS_1: [&str; 21] = [
    "Started",
    "SettingsChanged",
    "SkuPut",
    "SkuPatched",
    "SkuAdjusted",
    "SkuDeleted",
    "OrderCreated",
    "OrderConfirmed",
    "OrderReacquired",
    "OrderCancelled",
    "OrderExpired",
    "OrderExtended",
    "HoldsGraced",
    "OrderShipped",
    "OrderCompleted",
    "OrderRefunded",
    "AnswerRepeated",
    "KeysForgotten",
    "OrdersArchived",
    "UsesPurged",
    "RefusalsCounted",
];
/// Head, principals, SKUs, uses, orders, keys.
const ROWS_1: u32 = 6;
/// The row of a life.
const LIFE_ROW: u32 = 9;

#[track_caller]
fn replayed(data: &Path, from: From, until: Option<u64>) -> Replayed {
    replay(data, from, until, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn kind(event: &Event) -> String {
    let told = format!("{event:?}");
    told.split(|other: char| !other.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// From the first event and from its snapshot, every version replays to its digest.
#[test]
fn every_version_replays_to_its_digest() {
    for (version, _) in DIRECTORIES {
        let (data, facts) = unpack(version);
        for (from, snapshot) in
            [(From::Genesis, 0), (From::NewestSnapshot, facts.snapshot_sequence)]
        {
            let replayed = replayed(data.path(), from, None);
            assert_eq!(replayed.snapshot_sequence, snapshot, "version {version}");
            assert!(replayed.passed_over.is_empty(), "version {version}");
            assert!(replayed.drained, "version {version} was stopped in good order");
            let state = &replayed.state;
            assert_eq!((state.epoch, state.sequence), (facts.epoch, facts.sequence));
            assert_eq!(codec::digest(state).to_string(), facts.digest, "version {version}");
        }
        let then = replayed(data.path(), From::Genesis, Some(facts.snapshot_sequence));
        assert_eq!(then.state.sequence, facts.snapshot_sequence);
        assert_eq!(codec::digest(&then.state).to_string(), facts.snapshot_digest);
    }
}

/// The members that settings had in version 1; later ones have their defaults.
fn settings_1(settings: &Settings) -> [u64; 12] {
    let caps = &settings.caps;
    let caps = [caps.skus, caps.orders, caps.keys, caps.answers, caps.uses, caps.users];
    let [skus, orders, keys, answers, uses, users] = caps.map(u64::from);
    [
        settings.hold_ms_default,
        settings.hold_ms_max,
        settings.open_holds_per_user_max.into(),
        settings.recovery_grace_ms,
        settings.idempotency_retain_ms,
        settings.orders_retain_ms,
        skus,
        orders,
        keys,
        answers,
        uses,
        users,
    ]
}

#[test]
fn every_directory_says_what_it_was_meant_to_say() {
    for (name, tell) in DIRECTORIES {
        let (data, _) = unpack(name);
        let meant: Vec<Record> = tell().into_iter().flat_map(|turn| turn.records).collect();
        let read = History::of(data.path()).records;
        assert_eq!(read.len(), meant.len());
        for (sequence, (read, meant)) in (1..).zip(read.iter().zip(&meant)) {
            if let (Event::SettingsChanged(read), Event::SettingsChanged(meant)) =
                (&read.event, &meant.event)
            {
                assert_eq!(settings_1(read), settings_1(meant), "{name} {sequence}");
            } else {
                assert_eq!(read, meant, "{name} {sequence}");
            }
        }
    }
}

/// Version 1 has two segments every kind of event and every kind of row.
#[test]
fn version_1_has_every_kind_of_event_and_row() {
    check_kinds("format-1", (0..ROWS_1).collect());
    check_kinds("format-1-lives", (0..ROWS_1).chain([LIFE_ROW]).collect());
}

fn check_kinds(name: &str, expected: BTreeSet<u32>) {
    let (data, facts) = unpack(name);
    let history = History::of(data.path());
    assert_eq!(history.scan.segments.len(), 2);
    let kinds: BTreeSet<String> = history.records.iter().map(|of| kind(&of.event)).collect();
    assert_eq!(kinds, EVENTS_1.map(str::to_owned).into());
    let disk = FileDisk::open(snapshot_directory(data.path())).expect("it is there");
    let mut snapshot =
        SnapshotReader::open(&disk, &snapshot_name(facts.snapshot_sequence)).expect("it reads");
    let mut payload = Vec::new();
    while let Some(block) = snapshot.next_block().expect("it reads") {
        payload.extend_from_slice(block);
    }
    // Each row is a length and as many bytes, the first four of which name its kind.
    let (mut rows, mut rest) = (BTreeSet::new(), &payload[..]);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (row, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        rows.insert(u32::from_le_bytes(*row.first_chunk().expect("a row has a kind")));
        rest = behind;
    }
    assert_eq!(rows, expected);
    let state = replayed(data.path(), From::NewestSnapshot, Some(facts.snapshot_sequence)).state;
    let kept: BTreeSet<u8> = state.requests.iter().map(|key| kept_kind(&key.answer)).collect();
    assert_eq!(kept, BTreeSet::from([0, 1, 2]), "every kind of answer is remembered");
    assert_eq!(state.skus.deleted().count(), 1, "a deleted SKU that an order names");
}

#[test]
fn ids_of_a_directory_from_before_lives_stay_valid() {
    let state = |name| replayed(unpack(name).0.path(), From::NewestSnapshot, None).state;
    let (before, after) = (state("format-1"), state("format-1-lives"));
    let orders = |state: &State| -> Vec<OrderId> {
        state.orders.after(None).map(|order| order.id).collect()
    };
    assert_eq!(orders(&before), orders(&after), "the story is the same");
    for id in orders(&before) {
        let text = format!("{}-{}", id.epoch, id.sequence);
        assert_eq!(before.lives.text(id).as_str(), text);
        assert_eq!((before.lives.order(&text), after.lives.order(&text)), (Some(id), None));
        let text = format!("{}-{}", story::LIVES[id.epoch as usize - 1], id.sequence);
        assert_eq!(after.lives.text(id).as_str(), text);
        assert_eq!((before.lives.order(&text), after.lives.order(&text)), (None, Some(id)));
    }
}

fn kept_kind(kept: &StoredReply) -> u8 {
    match kept {
        StoredReply::Created { .. } => 0,
        StoredReply::Order { .. } => 1,
        StoredReply::Sku(_) => 2,
        #[allow(unreachable_patterns, reason = "kinds that come later are not of version 1")]
        _ => u8::MAX,
    }
}

/// The journal of the newest version is written byte by byte as it always was.
#[test]
fn the_newest_version_is_written_byte_by_byte_as_ever() {
    for (name, _) in DIRECTORIES {
        check_written_again(name);
    }
}

fn check_written_again(name: &str) {
    let (data, _) = unpack(name);
    let copy = TARGET.directory();
    let disk = FileDisk::open(copy.path()).expect("it is there");
    let mut journal = Journal::create(disk, OPTIONS, ID).expect("there is room");
    let disk = FileDisk::open(journal_directory(data.path())).expect("it is there");
    scan_with(&disk, Origin::Genesis, &mut |frame| {
        match frame.kind() {
            Kind::Records => {
                journal.begin(frame.epoch(), frame.stamp_ms());
                for (_, record) in frame.records() {
                    journal.push(|bytes| bytes.extend_from_slice(record))?;
                }
                journal.finish()?;
            }
            Kind::Seal => {
                let totals = frame.totals().expect("a seal has totals");
                journal.seal(frame.epoch(), frame.stamp_ms(), totals)?;
            }
            // It comes by itself, with the frame that does not fit any more.
            Kind::EndMark => return Ok(()),
        }
        journal.sync()?;
        Ok(())
    })
    .expect("it reads");
    journal.close().expect("no allocator was started");
    let golden = files(&journal_directory(data.path()));
    assert_eq!(golden.len(), 2);
    for (path, bytes) in golden {
        let written = fs::read(copy.path().join(path.file_name().expect("a file")));
        assert!(written.expect("it was written") == bytes, "{} differs", path.display());
    }
}

/// The story of the newest version can be stored again and comes to the same.
#[test]
fn the_newest_story_stored_again_comes_to_the_same() {
    for (name, tell) in DIRECTORIES {
        let (made, facts) = make(&tell());
        // For whoever begins a new version, see above.
        println!("packed into {}", pack(name, made.path(), &facts).display());
        let (_, golden) = unpack(name);
        assert_eq!(facts, golden, "{name}");
        for from in [From::Genesis, From::NewestSnapshot] {
            let replayed = replayed(made.path(), from, None);
            assert_eq!(codec::digest(&replayed.state).to_string(), golden.digest, "{name}");
        }
    }
}

#[test]
fn a_server_starts_from_every_version_and_goes_on() {
    for (version, _) in DIRECTORIES {
        let (data, facts) = unpack(version);
        // It is from long ago: the clock has gone on, and only who keeps all snapshots keeps it
        // whole.
        let launch = TARGET.launch(data.path()).small().argument("--accept-clock");
        let server = launch.variable("SNAPSHOTS_KEEP", "all").start();
        let client = &mut server.connect();
        assert_eq!(client.get("/v1/status")["epoch"], facts.epoch + 1, "version {version}");
        let sku = client.get("/v1/skus/A");
        let [total, available, held, sold] =
            ["total", "available", "held", "sold"].map(|name| sku[name].as_u64().expect("a count"));
        assert_eq!((available + held + sold, held), (total, 1), "a hold got its grace: {sku}");
        // The first order is written as it was before, and the new one with a life of its own.
        let oldest = client.get("/v1/orders?limit=1")["orders"][0]["id"].clone();
        let first = if version == "format-1" { "1" } else { story::LIVES[0] };
        let oldest = oldest.as_str().expect("an id");
        assert_eq!(oldest.split('-').next(), Some(first), "{version}: {oldest}");
        assert_eq!(client.get(&format!("/v1/orders/{oldest}"))["id"], oldest);
        let sold = client.ask(&Ask::order("golden", "hal", "B", 1)).expect(201);
        let life = sold["id"].as_str().and_then(|id| id.split('-').next()).unwrap_or_default();
        assert!(life.len() == 8 && !story::LIVES.contains(&life), "{version}: {sold}");
        let stopped = server.stop().stopped();
        let replayed_now = replayed(data.path(), From::Genesis, None);
        assert_eq!(codec::digest(&replayed_now.state).to_string(), stopped.digest);
        let then = replayed(data.path(), From::Genesis, Some(facts.sequence));
        assert_eq!(codec::digest(&then.state).to_string(), facts.digest, "version {version}");
    }
}

/// Makes a file of a format that no version knows yet, whole otherwise. Segments and snapshots have
/// magic, format and checksum in the same place of a page that the checksum covers.
fn make_newer(path: &Path) {
    let mut bytes = fs::read(path).expect("a copy of ours");
    bytes[8..12].copy_from_slice(&99_u32.to_le_bytes());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[..12]);
    checksum.update(&bytes[16..4096]);
    bytes[12..16].copy_from_slice(&checksum.finalize().to_le_bytes());
    fs::write(path, bytes).expect("a copy of ours");
}

/// The server refuses, says all of this, and changes nothing.
fn check_refused(data: &Path, parts: &[&str]) {
    let before = [files(&journal_directory(data)), files(&snapshot_directory(data))];
    let exit = TARGET.launch(data).small().argument("--accept-clock").run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    for part in parts {
        assert!(exit.complaints.contains(part), "{part:?} is not in {exit:?}");
    }
    eprintln!("{}", exit.complaints.trim_end());
    check_unchanged(&before[0], &files(&journal_directory(data)));
    check_unchanged(&before[1], &files(&snapshot_directory(data)));
}

#[test]
fn a_journal_of_a_newer_version_is_refused_with_what_to_do() {
    for name in ["00000001.segment", "00000002.segment"] {
        let (data, facts) = unpack("format-1");
        make_newer(&journal_directory(data.path()).join(name));
        // What the snapshot holds is not read; without it everything is.
        if name == "00000001.segment" {
            let snapshot =
                snapshot_directory(data.path()).join(snapshot_name(facts.snapshot_sequence));
            fs::remove_file(snapshot).expect("a copy of ours");
        }
        check_refused(data.path(), &[name, "format 99", "Start the version of the server that"]);
    }
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused_with_what_to_do() {
    let (data, facts) = unpack("format-1");
    let name = snapshot_name(facts.snapshot_sequence);
    make_newer(&snapshot_directory(data.path()).join(&name));
    let advice = "start the newer version that wrote it, or move the file away";
    check_refused(data.path(), &[&name, "format 99", advice]);
}
