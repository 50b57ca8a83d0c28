//! Segments that no snapshot needs and that are old enough go; nothing else does (DESIGN 4,
//! "Snapshots").
//!
//! Owns what is left in the directory and that a server starts from it with every answer it gave.

use crate::TARGET;
use crate::snapshots::taking::take_snapshot;
use doorbuster::codec;
use doorbuster::engine::replay::From;
use doorbuster_test_directories::history::History;
use doorbuster_test_directories::ledger::check_remembered;
use doorbuster_test_directories::shopper::Accepted;
use doorbuster_test_directories::stored::{replayed, segments, snapshots};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Stopped};
use doorbuster_test_support::wait;
use doorbuster_test_support::wide;
use serde_json::json;
use std::path::Path;

/// Small segments, snapshots only when asked for, and nothing kept for its age.
pub(crate) fn launch(data: &Path) -> Launch {
    launch_keeping(data).variable("JOURNAL_RETAIN_MS", "1")
}

fn launch_keeping(data: &Path) -> Launch {
    TARGET
        .launch(data)
        .small()
        .variable("JOURNAL_SEGMENT_BYTES", "262144")
        .variable("SNAPSHOTS_KEEP", "2")
        .variable("SNAPSHOTS_EVERY_EVENTS", "1000000000")
        .variable("OPEN_HOLDS_PER_USER_MAX", "0")
}

/// Sells until the journal is in this segment and has its spare. Gives what was answered.
pub(crate) fn fill_segments(client: &mut Client, data: &Path, number: u64) -> Vec<Accepted> {
    wide::put_skus(client);
    let mut bought = Vec::new();
    for order in 0..100_000 {
        let ask = wide::order(&format!("wide-{order}"));
        let answer = wait::until("there is room", || {
            let answer = client.ask(&ask);
            (answer.status != 503).then_some(answer)
        });
        answer.expect(201);
        bought.push(Accepted { ask, answer });
        // The last one is the spare, once there is one.
        if segments(data).last().is_some_and(|(last, _)| *last > number) {
            return bought;
        }
    }
    panic!("segment {number} is never reached")
}

/// What the journal takes in the directory, the unused spare left out.
fn used_bytes(data: &Path) -> u64 {
    let spare = replayed(data, From::NewestSnapshot, None).scan.and_then(|scan| scan.spare());
    let all = segments(data).into_iter().filter(|(number, _)| Some(*number) != spare);
    all.map(|(_, bytes)| bytes).sum()
}

fn check_bytes(client: &mut Client, data: &Path) {
    wait::until("the status says what the journal takes", || {
        (client.get("/v1/status")["journal_bytes"] == used_bytes(data)).then_some(())
    });
}

/// Everything that was answered, over a restart; then the end.
fn check_restart(data: &Path, bought: &[Accepted], launch: impl Fn(&Path) -> Launch) -> Stopped {
    let server = launch(data).start();
    let client = &mut server.connect();
    for accepted in bought {
        check_remembered(client, accepted, true);
    }
    check_bytes(client, data);
    client.ask(&wide::order("after")).expect(201);
    server.stop().stopped()
}

/// Segments go once two snapshots hold them and answered keys stay.
#[test]
fn segments_go_once_two_snapshots_hold_them() {
    let data = TARGET.directory();
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    let mut bought = fill_segments(client, data.path(), 4);
    check_bytes(client, data.path());
    take_snapshot(client);
    assert_eq!(segments(data.path())[0].0, 1, "with one snapshot all segments stay");
    let mut more = 0;
    wait::until("all segments before the open one go", || {
        let ask = Ask::order(&format!("more-{more}"), &format!("user-{more}"), &wide::sku(0), 1);
        more += 1;
        let answer = client.ask(&ask);
        answer.expect(201);
        bought.push(Accepted { ask, answer });
        take_snapshot(client);
        assert_eq!(snapshots(data.path()).len(), 2);
        (segments(data.path())[0].0 >= 4).then_some(())
    });
    check_bytes(client, data.path());
    server.kill();
    check_restart(data.path(), &bought, launch);
    let stopped = check_restart(data.path(), &bought, launch);
    let kept = snapshots(data.path());
    assert_eq!((kept.len(), kept[0].sequence), (2, stopped.sequence));
    let replayed = replayed(data.path(), From::NewestSnapshot, None);
    assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
    let first = segments(data.path())[0].0;
    let genesis = doorbuster::engine::replay::replay(data.path(), From::Genesis, None, &mut |_| {});
    let refused = genesis.err().expect("the first events are gone").to_string();
    assert!(first > 1 && refused.contains("00000001.segment"), "{refused:?}");
}

#[test]
fn with_the_default_retention_no_segment_goes() {
    let data = TARGET.directory();
    let server = launch_keeping(data.path()).start();
    let client = &mut server.connect();
    let bought = fill_segments(client, data.path(), 3);
    for more in 0..4 {
        client.put_sku(&format!("more-{more}"), &json!({"stock": 1}));
        take_snapshot(client);
    }
    assert_eq!(snapshots(data.path()).len(), 2);
    assert_eq!(segments(data.path())[0].0, 1);
    server.stop().stopped();
    let stopped = check_restart(data.path(), &bought, launch_keeping);
    let history = History::of(data.path());
    assert_eq!(codec::digest(&history.state).to_string(), stopped.digest);
}

#[test]
fn where_all_snapshots_are_kept_no_segment_goes_however_old() {
    let data = TARGET.directory();
    let launch = |data: &Path| launch(data).variable("SNAPSHOTS_KEEP", "all");
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    let bought = fill_segments(client, data.path(), 3);
    for more in 0..4 {
        client.put_sku(&format!("more-{more}"), &json!({"stock": 1}));
        take_snapshot(client);
    }
    assert_eq!(snapshots(data.path()).len(), 4);
    server.stop().stopped();
    check_restart(data.path(), &bought, launch);
    assert_eq!(
        snapshots(data.path()).len(),
        5,
        "the second stop added one, the first had nothing new"
    );
    assert_eq!(History::of(data.path()).scan.older_segments, 0);
}
