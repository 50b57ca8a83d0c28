//! A snapshot that cannot be written costs nobody an order: it is said, and the next one works.
//!
//! Owns what stands in the way of a snapshot. Permissions would not stop a privileged user, so
//! files and directories of the wrong kind do.

use crate::TARGET;
use crate::snapshots::taking::take_snapshot;
use doorbuster::codec;
use doorbuster::engine::replay::{From, snapshot_directory};
use doorbuster_test_directories::stored::{replayed, snapshots};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What stands in the way, how it comes there and how it goes.
struct Obstacle {
    what: &'static str,
    put: fn(&Path),
    remove: fn(&Path),
    /// What is named in the error.
    named: fn(&Path) -> PathBuf,
}

fn aside(data: &Path) -> PathBuf {
    data.join("aside")
}

fn leftover(data: &Path) -> PathBuf {
    snapshot_directory(data).join(format!("image-{:020}.writing", 7))
}

fn put_aside(data: &Path) {
    fs::rename(snapshot_directory(data), aside(data)).expect("a directory of ours");
}

fn put_back(data: &Path) {
    fs::rename(aside(data), snapshot_directory(data)).expect("a directory of ours");
}

const OBSTACLES: &[Obstacle] = &[
    Obstacle {
        what: "a file where the directory was",
        put: |data| {
            put_aside(data);
            fs::write(snapshot_directory(data), "not a directory").expect("a file of ours");
        },
        remove: |data| {
            fs::remove_file(snapshot_directory(data)).expect("a file of ours");
            put_back(data);
        },
        named: snapshot_directory,
    },
    Obstacle { what: "no directory", put: put_aside, remove: put_back, named: snapshot_directory },
    Obstacle {
        what: "a directory with the name of an unfinished snapshot",
        put: |data| fs::create_dir(leftover(data)).expect("a directory of ours"),
        remove: |data| fs::remove_dir(leftover(data)).expect("a directory of ours"),
        named: leftover,
    },
];

fn launch(data: &Path) -> Launch {
    TARGET.launch(data).small()
}

/// Sells one unit and gives the order's number.
fn sell(client: &mut Client, number: &mut u64) -> Value {
    *number += 1;
    client.ask(&Ask::order(&format!("k{number}"), &format!("u{number}"), "s", 1)).expect(201)
}

fn check_obstacle(server: &Server, data: &Path, obstacle: &Obstacle, number: &mut u64) {
    let what = obstacle.what;
    let client = &mut server.connect();
    sell(client, number);
    let before = take_snapshot(client);
    sell(client, number);
    (obstacle.put)(data);
    for _ in 0..2 {
        let refused = client.ask(&Ask::new("POST", "/v1/admin/snapshot")).problem(500, "internal");
        let named = (obstacle.named)(data);
        let named = named.to_string_lossy();
        let detail = refused["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(&*named), "{what}: {refused}");
        let status = client.get("/v1/status");
        assert_eq!(status["snapshot_error"], refused["detail"], "{what}: {status}");
        assert_eq!(status["snapshot_seq"], before, "{what}: {status}");
        let order = sell(client, number);
        let id = order["id"].as_str().expect("an order has an id");
        client.ask(&Ask::act(id, "confirm")).expect(200);
        client.get("/readyz");
    }
    (obstacle.remove)(data);
    let after = take_snapshot(client);
    let status = client.get("/v1/status");
    assert!(status.get("snapshot_error").is_none(), "{what}: {status}");
    assert!(after > before, "{what}");
    assert_eq!((&status["snapshot_seq"], &status["seq"]), (&json!(after), &json!(after)), "{what}");
    assert_eq!(snapshots(data)[0].sequence, after, "{what}");
}

/// A snapshot that cannot be written stops nothing and the next one works.
#[test]
fn a_snapshot_that_cannot_be_written_stops_nothing() {
    let data = TARGET.directory();
    let server = launch(data.path()).start();
    server.connect().put_sku("s", &json!({"stock": 1000}));
    let mut number = 0;
    for obstacle in OBSTACLES {
        check_obstacle(&server, data.path(), obstacle, &mut number);
    }
    let exit = server.stop();
    let told = exit.complaints.matches("no snapshot was taken").count();
    assert_eq!(told, 2 * OBSTACLES.len(), "{exit:?}");
    let stopped = exit.stopped();
    let replayed = replayed(data.path(), From::NewestSnapshot, None);
    assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
    assert_eq!(replayed.snapshot_sequence, stopped.sequence);
}

/// Snapshots that fail by themselves show in the status while orders go on.
#[test]
fn failing_snapshots_show_in_the_status_while_orders_go_on() {
    let data = TARGET.directory();
    let server = launch(data.path()).variable("SNAPSHOTS_EVERY_EVENTS", "5").start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1_000_000}));
    let mut number = 0;
    for obstacle in OBSTACLES {
        sell(client, &mut number);
        take_snapshot(client);
        (obstacle.put)(data.path());
        wait::until("a failure shows", || {
            sell(client, &mut number);
            client.get("/v1/status")["snapshot_error"].is_string().then_some(())
        });
        (obstacle.remove)(data.path());
        wait::until("the failure goes", || {
            sell(client, &mut number);
            client.get("/v1/status").get("snapshot_error").is_none().then_some(())
        });
    }
    server.stop().stopped();
}

#[test]
fn a_stop_without_a_last_snapshot_is_still_orderly() {
    for obstacle in OBSTACLES {
        let what = obstacle.what;
        let data = TARGET.directory();
        let server = launch(data.path()).start();
        let client = &mut server.connect();
        client.put_sku("s", &json!({"stock": 10}));
        let order = sell(client, &mut 0);
        (obstacle.put)(data.path());
        let exit = server.stop();
        assert!(exit.complaints.contains("no snapshot was taken"), "{what}: {exit:?}");
        let stopped = exit.stopped();
        (obstacle.remove)(data.path());
        let replayed = replayed(data.path(), From::NewestSnapshot, None);
        assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest, "{what}");
        let server = launch(data.path()).start();
        let id = order["id"].as_str().expect("an order has an id");
        assert_eq!(server.connect().get(&format!("/v1/orders/{id}"))["status"], "held", "{what}");
    }
}
