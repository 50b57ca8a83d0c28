//! `kill -9` while one snapshot after the other is being taken.
//!
//! Owns lives in which the snapshotter is never idle. Kills without snapshots are in `crash`.

use crate::TARGET;
use doorbuster::codec;
use doorbuster::engine::replay::From;
use doorbuster_journal::{FileDisk, Origin, scan_with};
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_directories::history::History;
use doorbuster_test_directories::stored::{replayed, segments};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::{Launch, Server};
use std::path::Path;

/// So few that the next snapshot is due before the last one is done.
const EVERY_EVENTS: &str = "10";

fn launch(data: &Path) -> Launch {
    Crowd::launch(TARGET, data).variable("SNAPSHOTS_EVERY_EVENTS", EVERY_EVENTS)
}

/// Kills it so often under load; gives what is left, serving.
fn kill_often(crowd: &mut Crowd, data: &Path, kills: u64, start: impl Fn() -> Server) -> Server {
    let mut server = start();
    open_sale(&server);
    // From here on there is always a snapshot; the next one is in the making all the time.
    server.connect().ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    for kill in 1..=kills {
        let exit = crowd.rush(server, Server::kill);
        assert_eq!((exit.code, exit.lines.len()), (None, 0), "{exit:?}");
        assert!(!exit.complaints.contains("no snapshot was taken"), "{exit:?}");
        // Whatever a snapshot in the making left behind: nothing that is damaged has a name.
        let replayed = replayed(data, From::NewestSnapshot, None);
        assert!(replayed.passed_over.is_empty(), "{:?}", replayed.passed_over);
        assert!(replayed.snapshot_sequence > 0, "a snapshot that was taken is there after a kill");
        server = start();
        assert_eq!(server.connect().get("/v1/status")["epoch"], kill + 1);
        crowd.check_sample(&server);
    }
    server
}

/// Twenty kills between snapshots lose nothing that was answered.
#[test]
fn kills_between_snapshots_lose_nothing_that_was_answered() {
    let data = TARGET.directory();
    let mut crowd = Crowd::new(TARGET.random());
    let server = kill_often(&mut crowd, data.path(), 20, || launch(data.path()).start());
    let stopped = crowd.check_all(server, data.path());
    let replayed = replayed(data.path(), From::NewestSnapshot, None);
    assert_eq!(replayed.snapshot_sequence, stopped.sequence);
    assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
}

/// Kills between snapshots and prunings lose nothing that was answered.
#[test]
fn kills_between_snapshots_and_prunings_lose_no_answer() {
    let data = TARGET.directory();
    let mut crowd = Crowd::new(TARGET.random());
    let start = || launch(data.path()).variable("JOURNAL_RETAIN_MS", "1").start();
    let server = kill_often(&mut crowd, data.path(), 10, start);
    crowd.check_books(&mut server.connect());
    let stopped = server.stop().stopped();
    let replayed = replayed(data.path(), From::NewestSnapshot, None);
    assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
    check_kept(data.path(), stopped.sequence);
}

/// What is kept of the journal has no gap, from the oldest snapshot that still leads to its end.
fn check_kept(data: &Path, last: u64) {
    let first = segments(data)[0].0;
    if first == 1 {
        assert_eq!(History::of(data).state.sequence, last);
        return;
    }
    let oldest = doorbuster_test_directories::stored::oldest_end(data);
    let disk =
        FileDisk::open(doorbuster::engine::replay::journal_directory(data)).expect("a journal");
    let mut next = oldest.sequence + 1;
    let scan = scan_with(&disk, Origin::Snapshot(oldest), &mut |frame| {
        for (sequence, bytes) in frame.records() {
            assert_eq!(sequence, next, "sequences have no gap");
            codec::decode_record(bytes)?;
            next += 1;
        }
        Ok(())
    });
    let scan = scan.expect("what is kept reads");
    assert_eq!((scan.last_sequence, next), (last, last + 1));
    eprintln!("segments from {first} on, {} behind a snapshot", last - oldest.sequence);
}
