//! A journal whose end was lost: the longest prefix and what was dropped, or a refusal; never a
//! panic, never another content (DESIGN 4; the whole table is tested in the journal crate).
//!
//! Owns damage to the files of a real server that died or stopped. Recovers in this process, on
//! copies. Next: `tests/directories`.

use crate::TARGET;
use doorbuster::codec::{self, Digest};
use doorbuster::config::{Config, Sources};
use doorbuster::domain::model::event::Event;
use doorbuster::engine::recovery::{self, Recovered, RecoveryError};
use doorbuster::engine::replay::{self, ReplayError};
use doorbuster::shared::clock::Clock;
use doorbuster_journal::{JournalError, Refusal, Verdict};
use doorbuster_test_directories::history::{
    FIRST_FRAME_AT, History, StoredFrame, check_unchanged, digest_at, files,
};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::wait;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const SEGMENT_BYTES: &str = "262144";

fn launch(data: &Path) -> Launch {
    let caps = ["SKUS", "ORDERS", "KEYS", "ANSWERS", "USES", "USERS"];
    caps.into_iter()
        .fold(TARGET.launch(data), |launch, name| launch.variable(&format!("CAPS_{name}"), "100"))
        .variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES)
}

/// The settings of `launch`, for this process.
fn config(data: &Path) -> Config {
    let mut sources = Sources::default();
    let mut set = |name: &str, value: &str| sources.set("test", name, value.to_owned()).unwrap();
    set("data", &data.to_string_lossy());
    set("journal.segment_bytes", SEGMENT_BYTES);
    for name in ["skus", "orders", "keys", "answers", "uses", "users"] {
        set(&format!("caps.{name}"), "100");
    }
    sources.config().expect("settings of the test")
}

/// A server whose last turns are an order, one that is wider than a sector, and a confirmation.
fn sale(data: &Path) -> Server {
    let server = launch(data).start();
    let client = &mut server.connect();
    let skus: Vec<String> = (0..16).map(|n| format!("sku-{n}-{}", "x".repeat(50))).collect();
    for sku in &skus {
        client.put_sku(sku, &json!({"stock": 50}));
    }
    let order = client.ask(&Ask::order("k1", "u1", &skus[0], 3)).expect(201);
    let lines: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "qty": 2})).collect();
    let wide = Ask::post("/v1/orders", &json!({"user": "u2", "lines": lines}));
    client.ask(&wide.key("k2")).expect(201);
    let id = order["id"].as_str().expect("an order has an id");
    client.ask(&Ask::act(id, "confirm").key("k3")).expect(200);
    server
}

fn recover(data: &Path) -> Result<Recovered, RecoveryError> {
    let config = config(data);
    // A child that another test is just starting holds all files of this process until its exec.
    let lock = wait::until("the lock is free", || match recovery::lock(&config.data) {
        Err(RecoveryError::Locked { .. }) => None,
        other => Some(other),
    })?;
    recovery::recover(&lock, &config.rules, &config, Clock::start(), &mut |_| {})
}

#[track_caller]
fn refusal(recovered: Result<Recovered, RecoveryError>, what: &str) -> Refusal {
    match recovered {
        Err(RecoveryError::Replay(ReplayError::Journal(JournalError::Refused(refusal)))) => {
            *refusal
        }
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: taken"),
    }
}

/// The first segment of a directory, as it was left.
struct Left {
    data: PathBuf,
    frames: Vec<StoredFrame>,
    history: History,
    segment: Vec<u8>,
    digests: BTreeMap<u64, Digest>,
    copy: tempfile::TempDir,
}

impl Left {
    fn of(data: &Path) -> Self {
        let history = History::of(data);
        assert_eq!(history.scan.segments.len(), 1, "the sale fits one segment");
        let segment = fs::read(data.join("journal/00000001.segment")).expect("the first segment");
        let frames = history.frames.clone();
        let (data, copy) = (data.to_owned(), TARGET.directory());
        Self { data, frames, history, segment, digests: BTreeMap::new(), copy }
    }

    /// A copy of the directory, in place of the last one, with another first segment.
    fn with_segment(&self, bytes: &[u8]) -> &Path {
        let journal = replay::journal_directory(self.copy.path());
        if journal.exists() {
            fs::remove_dir_all(&journal).expect("a copy of ours");
        }
        fs::create_dir(&journal).expect("a copy of ours");
        for entry in fs::read_dir(replay::journal_directory(&self.data)).expect("a directory") {
            let path = entry.expect("a directory").path();
            fs::copy(&path, journal.join(path.file_name().expect("a file"))).expect("a copy");
        }
        fs::write(journal.join("00000001.segment"), bytes).expect("a copy of ours");
        self.copy.path()
    }

    fn digest(&mut self, sequence: u64) -> Digest {
        let data = &self.data;
        *self.digests.entry(sequence).or_insert_with(|| digest_at(data, sequence))
    }

    /// Zeros from a byte on; the outcome must be what is left whole, or a refusal.
    fn check_zeroed(&mut self, from: usize) {
        let what = format!("zeros from byte {from}");
        let mut bytes = self.segment.clone();
        bytes[from..].fill(0);
        let start = |frame: &StoredFrame| usize::try_from(frame.offset).expect("in a segment");
        let extent = |frame: &StoredFrame| {
            start(frame)..start(frame) + usize::try_from(frame.bytes).expect("in a segment")
        };
        let whole = |frame: &&StoredFrame| bytes[extent(frame)] == self.segment[extent(frame)];
        let kept = self.frames.iter().take_while(whole).last().copied().expect("some are whole");
        let tail = &bytes[extent(&kept).end..];
        let torn = tail.iter().any(|byte| *byte != 0);
        let copy = self.with_segment(&bytes).to_owned();
        match recover(&copy) {
            Ok(recovered) => {
                let dropped = recovered.dropped.as_ref().map(|dropped| dropped.first_sequence_lost);
                assert_eq!(dropped, torn.then_some(kept.last_sequence + 1), "{what}");
                self.check_prefix(&recovered, &copy, kept.last_sequence, &what);
            }
            refused => {
                assert!(torn, "{what}: nothing is left of the next frame");
                let refusal = refusal(refused, &what);
                let place = (refusal.verdict, refusal.offset, refusal.sequence);
                let end = kept.offset + kept.bytes;
                assert_eq!(place, (Verdict::Ambiguous, end, kept.last_sequence + 1), "{what}");
                let after = fs::read(copy.join("journal/00000001.segment")).expect("a copy");
                assert!(after == bytes, "{what}: a refusal changes nothing");
            }
        }
    }

    fn check_prefix(&mut self, recovered: &Recovered, copy: &Path, last: u64, what: &str) {
        assert_eq!(recovered.replayed, last, "{what}");
        let history = History::of(copy);
        let count = usize::try_from(last).expect("few records");
        assert_eq!(history.records[..count], self.history.records[..count], "{what}");
        let Event::Started(started) = &history.record(last + 1).event else {
            panic!("{what}: the next epoch does not begin behind the prefix")
        };
        assert_eq!(started.epoch, self.history.state.epoch + 1, "{what}");
        assert_eq!(digest_at(copy, last), self.digest(last), "{what}");
        assert_eq!(codec::digest(&recovered.state), codec::digest(&history.state), "{what}");
    }

    /// From the start of the last frames to the last byte of all.
    fn check_last_frames(&mut self, count: usize) {
        let first = self.frames[self.frames.len() - count];
        let last = self.frames[self.frames.len() - 1];
        let range = first.offset..=last.offset + last.bytes;
        eprintln!("frames {:?}", &self.frames[self.frames.len() - count..]);
        for from in range {
            self.check_zeroed(usize::try_from(from).expect("in a segment"));
        }
    }
}

/// Zeros from any byte of a killed server's last frames on leave a prefix, or are refused.
#[test]
fn zeros_in_a_killed_servers_tail_leave_a_prefix() {
    let data = TARGET.directory();
    sale(data.path()).kill();
    Left::of(data.path()).check_last_frames(3);
}

/// Zeros from any byte of a stopped server's last frames on leave a prefix, or are refused.
#[test]
fn zeros_in_a_stopped_servers_tail_leave_a_prefix() {
    let data = TARGET.directory();
    let stopped = sale(data.path()).stop().stopped();
    let mut left = Left::of(data.path());
    assert_eq!(stopped.sequence, left.history.scan.last_sequence);
    assert_eq!(stopped.digest, left.digest(stopped.sequence).to_string());
    left.check_last_frames(3);
}

/// A hole before a frame that vouches for it is refused by the server with its place.
#[test]
fn a_hole_before_a_frame_that_vouches_for_it_is_refused() {
    let data = TARGET.directory();
    sale(data.path()).kill();
    let left = Left::of(data.path());
    let records = left.frames.iter().filter(|frame| frame.last_sequence > 2);
    for frame in records.take(left.frames.len() - 3).step_by(4) {
        let at = usize::try_from(frame.offset).expect("in a segment");
        let mut bytes = left.segment.clone();
        bytes[at..at + 64].fill(0);
        let copy = left.with_segment(&bytes);
        let before = files(&replay::journal_directory(copy));
        let exit = launch(copy).run();
        assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
        for part in ["00000001.segment", &format!("byte {at}"), "sequence", "damaged"] {
            assert!(exit.complaints.contains(part), "{part:?} is not in {exit:?}");
        }
        check_unchanged(&before, &files(&replay::journal_directory(copy)));
    }
}

/// A torn tail is dropped by the server which says so and goes on.
#[test]
fn a_torn_tail_is_dropped_and_told() {
    let data = TARGET.directory();
    sale(data.path()).kill();
    let left = Left::of(data.path());
    let wide = left.frames.iter().rfind(|frame| frame.bytes > 1024);
    let wide = wide.expect("a frame of several sectors");
    let before = left.frames.iter().rfind(|frame| frame.offset < wide.offset);
    let last = before.expect("a frame before it").last_sequence;
    let mut bytes = left.segment.clone();
    bytes[usize::try_from(wide.offset).expect("in a segment") + 80..].fill(0);
    let server = launch(left.with_segment(&bytes)).start();
    let client = &mut server.connect();
    client.ask(&Ask::get("/v1/requests/k2")).problem(404, "unknown_request");
    assert_eq!(client.get("/v1/requests/k1")["status"], 201);
    client.ask(&Ask::order("k4", "u4", &format!("sku-1-{}", "x".repeat(50)), 50)).expect(201);
    let complaints = server.stop().complaints;
    let lost = format!("first_sequence_lost={}\n", last + 1);
    assert!(complaints.contains("dropped") && complaints.contains(&lost), "{complaints:?}");
}

#[test]
fn a_file_cut_short_is_refused_at_any_length() {
    let data = TARGET.directory();
    sale(data.path()).kill();
    let left = Left::of(data.path());
    let end = left.frames.last().map(|frame| frame.offset + frame.bytes).expect("frames");
    let end = usize::try_from(end).expect("in a segment");
    let header = usize::try_from(FIRST_FRAME_AT).expect("a page");
    let whole = left.segment.len();
    for bytes in
        [0, 1, 64, header - 1, header, header + 1, end - 1, end, end + 1, whole - 4096, whole - 1]
    {
        let copy = left.with_segment(&left.segment[..bytes]);
        let what = format!("cut to {bytes} bytes");
        assert_eq!(refusal(recover(copy), &what).verdict, Verdict::FileShort, "{what}");
        let after = fs::read(copy.join("journal/00000001.segment")).expect("a copy");
        assert!(after == left.segment[..bytes], "{what}: a refusal changes nothing");
    }
    let exit = launch(left.with_segment(&left.segment[..end])).run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    assert!(exit.complaints.contains("00000001.segment"), "{exit:?}");
}
