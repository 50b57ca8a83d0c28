//! Snapshots that are taken while the server serves, and what comes of a replay from each (DESIGN
//! 4).
//!
//! Owns the way in: by request, by count, at a stop; and that all ways give one state. Damaged
//! snapshots are in `damage`, those that cannot be written in `failure`.

use crate::TARGET;
use doorbuster::codec;
use doorbuster::engine::replay::From;
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_directories::history::History;
use doorbuster_test_directories::stored::{replayed, snapshot_count, snapshots, with_snapshots};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Server, Stopped};
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::path::Path;

/// More events than any test makes: a snapshot only where one is asked for.
const NEVER: &str = "1000000000";

/// Takes a snapshot and says its sequence.
pub(crate) fn take_snapshot(client: &mut Client) -> u64 {
    let taken = client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    taken["snapshot_seq"].as_u64().unwrap_or_else(|| panic!("no sequence in {taken}"))
}

fn sequence(client: &mut Client, name: &str) -> Option<u64> {
    client.get("/v1/status")[name].as_u64()
}

/// What shoppers do not do: groups, windows, pauses, changes, SKUs that come, go and come again.
fn furnish(client: &mut Client) {
    for (sku, group) in [("pair-a", "pair"), ("pair-b", "pair"), ("lone", "none")] {
        let settings = json!({"stock": 9, "per_user_limit": 3, "limit_group": group});
        client.put_sku(sku, &settings);
    }
    let window = json!({"stock": 5, "opens_at": "2001-01-01T00:00:00Z",
        "closes_at": "2100-01-01T00:00:00+02:00", "hold_ms": 77_000});
    client.put_sku("window", &window);
    client.put_sku("gone", &json!({"stock": 4}));
    client.put_sku("back", &json!({"stock": 4}));
    for (key, sku, quantity) in
        [("g1", "pair-a", 2), ("g2", "pair-b", 1), ("g3", "gone", 1), ("g4", "back", 2)]
    {
        let lines = json!([{"sku": sku, "qty": quantity}]);
        let body = json!({"user": "g", "lines": lines, "confirm": true, "reference": key});
        client.ask(&Ask::post("/v1/orders", &body).key(key)).expect(201);
    }
    client.ask(&Ask::order("g5", "g", "pair-a", 1)).problem(409, "user_limit");
    for sku in ["gone", "back"] {
        let version = client.get(&format!("/v1/skus/{sku}"))["version"].clone();
        let delete = Ask::new("DELETE", format!("/v1/skus/{sku}"));
        assert_eq!(client.ask(&delete.header("If-Match", &format!("\"{version}\""))).status, 204);
    }
    client.put_sku("back", &json!({"stock": 2, "paused": true}));
    let pause = Ask::new("PATCH", "/v1/skus/lone").json(r#"{"paused":true,"hold_ms":5}"#);
    client.ask(&pause).expect(200);
}

/// Snapshots at three moments while everybody asks, then the end.
fn photograph(server: Server) -> (Vec<u64>, doorbuster_test_support::process::Exit) {
    let client = &mut server.connect();
    let mut taken = Vec::new();
    for _ in 0..3 {
        let before = sequence(client, "seq").expect("a sequence");
        wait::until("more is sold", || (sequence(client, "seq") > Some(before + 40)).then_some(()));
        let snapshot = take_snapshot(client);
        assert!(snapshot >= before, "a snapshot holds what was answered before it was asked for");
        assert!(sequence(client, "snapshot_seq") >= Some(snapshot));
        taken.push(snapshot);
    }
    (taken, server.stop())
}

/// From the first event, from each snapshot with the newer ones hidden, twice: one state.
fn check_ways(data: &Path, stopped: &Stopped) {
    let check = |data: &Path, from: From, snapshot: u64| {
        for _ in 0..2 {
            let replayed = replayed(data, from, None);
            assert_eq!((replayed.snapshot_sequence, replayed.passed_over.len()), (snapshot, 0));
            assert_eq!(replayed.state.sequence, stopped.sequence, "from {snapshot}");
            assert_eq!(
                codec::digest(&replayed.state).to_string(),
                stopped.digest,
                "from {snapshot}"
            );
            assert!(replayed.drained, "from {snapshot}");
        }
    };
    check(data, From::Genesis, 0);
    let snapshots = snapshots(data);
    assert_eq!(snapshots[0].sequence, stopped.sequence, "the last snapshot is of the last state");
    assert_eq!(snapshots[0].digest, stopped.digest);
    for newest in 0..snapshots.len() {
        let kept = snapshots[newest..].iter().map(|snapshot| snapshot.path.as_path());
        let beside = with_snapshots(TARGET, data, kept);
        check(beside.path(), From::NewestSnapshot, snapshots[newest].sequence);
        check(beside.path(), From::Genesis, 0);
        // What a snapshot says of itself is what the journal says of that moment.
        let then = replayed(data, From::Genesis, Some(snapshots[newest].sequence));
        assert_eq!(then.state.sequence, snapshots[newest].sequence, "a snapshot ends with a frame");
        assert_eq!(codec::digest(&then.state).to_string(), snapshots[newest].digest);
    }
    check(with_snapshots(TARGET, data, []).path(), From::NewestSnapshot, 0);
}

#[test]
fn every_way_to_replay_gives_the_state_that_was_live() {
    let data = TARGET.directory();
    let start = || {
        Crowd::launch(TARGET, data.path())
            .variable("SNAPSHOTS_KEEP", "all")
            .variable("SNAPSHOTS_EVERY_EVENTS", NEVER)
            .start()
    };
    let mut crowd = Crowd::new(TARGET.random());
    let mut stops: Vec<Stopped> = Vec::new();
    let mut taken = Vec::new();
    for life in 0..3 {
        let server = start();
        if life == 0 {
            furnish(&mut server.connect());
            open_sale(&server);
        } else {
            crowd.check_sample(&server);
        }
        let mut photographed = Vec::new();
        let exit = crowd.rush(server, |server| {
            let (taken, exit) = photograph(server);
            photographed = taken;
            exit
        });
        let stopped = exit.stopped();
        taken.extend(photographed);
        taken.push(stopped.sequence);
        check_ways(data.path(), &stopped);
        // Later lives change nothing of earlier ones.
        for earlier in &stops {
            let then = replayed(data.path(), From::Genesis, Some(earlier.sequence));
            assert_eq!(then.state.sequence, earlier.sequence);
            assert_eq!(codec::digest(&then.state).to_string(), earlier.digest);
        }
        stops.push(stopped);
    }
    taken.sort_unstable();
    taken.dedup();
    let mut kept: Vec<u64> =
        snapshots(data.path()).iter().map(|snapshot| snapshot.sequence).collect();
    kept.reverse();
    assert_eq!(kept, taken, "every snapshot that was answered is kept, and no other");
    crowd.check_sample(&start());
}

#[test]
fn a_snapshot_asked_for_twice_with_nothing_new_is_one() {
    let data = TARGET.directory();
    let server =
        TARGET.launch(data.path()).small().variable("SNAPSHOTS_EVERY_EVENTS", NEVER).start();
    let client = &mut server.connect();
    assert_eq!(client.get("/v1/status")["snapshot_seq"], Value::Null);
    let sku = client.put_sku("s", &json!({"stock": 5}));
    let first = take_snapshot(client);
    assert_eq!(Some(first), sku["seq"].as_u64());
    assert_eq!(sequence(client, "snapshot_seq"), Some(first));
    let kept = std::fs::read(&snapshots(data.path())[0].path).expect("a snapshot reads");
    for _ in 0..3 {
        assert_eq!(take_snapshot(client), first);
        assert_eq!(snapshots(data.path()).len(), 1);
    }
    assert!(std::fs::read(&snapshots(data.path())[0].path).expect("a snapshot reads") == kept);
    client.ask(&Ask::order("k", "u", "s", 6)).problem(409, "sold_out");
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    let second = take_snapshot(client);
    assert!(second > first);
    assert_eq!(sequence(client, "snapshot_seq"), Some(second));
    assert_eq!(sequence(client, "seq"), Some(second), "a snapshot is no event");
    let status = client.get("/v1/status");
    assert!(status.get("snapshot_error").is_none(), "{status}");
}

#[test]
fn many_who_ask_for_a_snapshot_at_once_are_all_told() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let sku = server.connect().put_sku("s", &json!({"stock": 5}));
    let mut clients: Vec<Client> = (0..64).map(|_| server.connect()).collect();
    let ask = Ask::new("POST", "/v1/admin/snapshot");
    clients.iter_mut().for_each(|client| client.write(&ask.bytes()).expect("it takes bytes"));
    let mut told = 0;
    for client in &mut clients {
        let answer = client.read(false).expect("an answer");
        match answer.status {
            200 => assert_eq!(answer.expect(200)["snapshot_seq"], sku["seq"]),
            _ => drop(answer.problem(503, "overloaded")),
        }
        told += u32::from(answer.status == 200);
    }
    assert!(told > 0, "nobody was told a sequence");
}

/// Snapshots are taken by themselves after so many events and at a stop.
#[test]
fn snapshots_are_taken_by_count_and_at_a_stop() {
    let data = TARGET.directory();
    let launch = || TARGET.launch(data.path()).small().variable("SNAPSHOTS_EVERY_EVENTS", "25");
    let server = launch().start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1000}));
    let mut last = 0;
    for round in 0..4 {
        for order in 0..30 {
            let user = format!("u{order}");
            client.ask(&Ask::order(&format!("{round}/{order}"), &user, "s", 1)).expect(201);
        }
        last = wait::until("a snapshot", || {
            sequence(client, "snapshot_seq").filter(|now| *now > last)
        });
    }
    wait::until("two snapshots are kept", || (snapshot_count(data.path()) == 2).then_some(()));
    let stopped = server.stop().stopped();
    let kept = snapshots(data.path());
    assert_eq!((kept.len(), kept[0].sequence), (2, stopped.sequence));
    assert_eq!(kept[0].digest, stopped.digest);
    let server = launch().start();
    let status = server.connect().get("/v1/status");
    assert!(status["snapshot_seq"].as_u64() >= Some(stopped.sequence), "{status}");
    let complaints = server.stop().complaints;
    let all = format!("recovered events={0} snapshot_sequence={0}\n", stopped.sequence);
    assert!(complaints.contains(&all), "{complaints:?}");
    assert_eq!(History::of(data.path()).scan.older_segments, 0, "nothing was pruned");
}
