//! Every refusal that the server brings upon a request: starting, stopping, full, failing.

use crate::TARGET;
use crate::document::{Declared, Document};
use crate::world::{World, launch};
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::wait;
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::thread;

const STATES: [&str; 2] = ["recovering", "draining"];
const POINTS: [(&str, &str); 4] = [
    ("overloaded", "RingFull"),
    ("deadline_exceeded", "Deadline"),
    ("no_space", "NoSpace"),
    ("internal", "Decide"),
];

/// What takes other nodes to meet. Unit tests beside `handlers::replication` bring each about.
const OF_NODES: [&str; 4] = ["not_writer", "standby", "no_arbiter", "not_in_sync"];

/// Without copies a handover is refused before it can meet these.
const OF_HANDOVERS: [&str; 2] = ["overloaded", "outcome_unknown"];

/// It is met here and not in `refusals`.
pub(crate) fn provokes(code: &str) -> bool {
    STATES.contains(&code)
        || POINTS.iter().any(|(own, _)| *own == code)
        || OF_NODES.contains(&code)
        || ["outcome_unknown", "read_only", "rate_limited", "unreplicated"].contains(&code)
}

pub(crate) fn declared(document: &Document, code: &str) -> Vec<Declared> {
    let mut all = document.refusals();
    all.retain(|declared| declared.code == code);
    all.retain(|declared| declared.operation != "handOver" || !OF_HANDOVERS.contains(&code));
    assert!(!all.is_empty(), "{code} is declared nowhere");
    all
}

pub(crate) fn check(document: &Document, declared: &Declared, answer: &Answer) {
    assert_eq!(answer.status, declared.status, "{declared:?}: {answer:?}");
    assert_eq!(answer.json()["code"], declared.code, "{declared:?}: {answer:?}");
    assert_eq!(answer.json()["retryable"], declared.code != "internal", "{answer:?}");
    document.check(&declared.operation, answer);
}

#[test]
fn a_server_that_is_full_or_fails_says_so_and_decides_nothing() {
    let mut world = World::new();
    for (code, point) in POINTS {
        for declared in declared(&world.document, code) {
            // It asks nobody: see `stalls`.
            if (declared.operation.as_str(), code) == ("getReady", "overloaded") {
                continue;
            }
            let mut ask = world.good(&declared.operation);
            if code == "deadline_exceeded" {
                ask = ask.header("Request-Timeout-Ms", "60000");
            }
            let before = world.client.get("/v1/status")["seq"].clone();
            world.arm(match (declared.operation.as_str(), code) {
                ("takeSnapshot", "overloaded") => "SnapshotAsks",
                ("takeSnapshot", "internal") => "Snapshot",
                ("getEvents", "overloaded") => "FeedAsks",
                ("getEvents", "internal") => "Feed",
                _ => point,
            });
            let answer = world.client.ask(&ask);
            world.arm("");
            check(&world.document, &declared, &answer);
            assert_eq!(world.client.get("/v1/status")["seq"], before, "{declared:?}");
            // And then it goes on.
            assert!(world.client.ask(&ask).status < 300, "{declared:?}");
        }
    }
    // A panic is a line like any other, of the gravest level.
    let World { server, .. } = world;
    let exit = server.stop();
    let panicked =
        "ERROR doorbuster::process::log: panicked thread=\"writer\" place=\"src/writer/mod.rs:";
    assert!(exit.complaints.contains(panicked), "{exit:?}");
    exit.stopped();
}

/// An operator must not take it for a server that may sell. `tests/server/logging.rs` shows that no
/// other build says so.
#[test]
fn a_build_with_failpoints_warns_of_itself_at_its_start() {
    let World { server, .. } = World::new();
    let exit = server.stop();
    let warned = exit.complaints.lines().find(|line| line.contains("feature=\"failpoints\""));
    let level = warned.and_then(|line| line.split_whitespace().nth(1));
    assert_eq!(level, Some("WARN"), "{exit:?}");
    exit.stopped();
}

#[test]
fn a_server_that_only_reads_says_so_and_decides_nothing() {
    let mut world = World::new();
    for declared in declared(&world.document, "read_only") {
        let ask = world.good(&declared.operation);
        world.client.ask(&Ask::new("POST", "/v1/admin/read-only")).expect(200);
        let before = world.client.get("/v1/status")["seq"].clone();
        check(&world.document, &declared, &world.client.ask(&ask));
        let status = world.client.get("/v1/status");
        assert_eq!((&status["seq"], &status["mode"]), (&before, &json!("read-only")));
        world.client.ask(&Ask::new("POST", "/v1/admin/read-write")).expect(200);
        // And then it goes on.
        assert!(world.client.ask(&ask).status < 300, "{declared:?}");
    }
}

#[test]
fn a_writer_that_stops_in_the_middle_leaves_the_outcome_unknown() {
    let operations = declared(&World::new().document, "outcome_unknown");
    for declared in operations {
        let mut world = World::new();
        let ask = world.good(&declared.operation);
        world.arm("Store");
        let answer = world.client.ask(&ask);
        check(&world.document, &declared, &answer);
        let World { server, .. } = world;
        let exit = server.wait();
        assert_eq!(exit.code, None, "{exit:?}");
        assert!(exit.complaints.contains("stopped in the middle"), "{exit:?}");
    }
}

/// A client that asks too often is told so and nothing is decided.
#[test]
fn a_client_that_asks_too_often_gets_no_decision() {
    let directory = TARGET.directory();
    let file = directory.path().join("doorbuster.toml");
    let limit = |world: &World, rate: &str| {
        fs::write(&file, format!("rate.address = \"{rate}\"\n")).expect("the file is written");
        world.server.reload("took the limits");
    };
    fs::write(&file, "").expect("the file is written");
    let mut world = World::with(|launch| launch.argument("--config").argument(&file));
    limit(&world, "1/3600");
    // What is urgent has as much again as orders have.
    for _ in 0..2 {
        world.client.get("/v1/status");
    }
    for declared in declared(&world.document, "rate_limited") {
        limit(&world, "");
        let ask = world.good(&declared.operation);
        let before = world.client.get("/v1/status")["seq"].clone();
        limit(&world, "1/3600");
        let answer = world.client.ask(&ask);
        check(&world.document, &declared, &answer);
        let retry_after_ms = answer.json()["retry_after_ms"].as_u64().expect("a pause");
        let retry_after = retry_after_ms.div_ceil(1000).to_string();
        assert_eq!(answer.header("Retry-After"), Some(retry_after.as_str()), "{answer:?}");
        limit(&world, "");
        assert_eq!(world.client.get("/v1/status")["seq"], before, "{declared:?}");
        // These would keep the others from being taken.
        if !["drain", "setReadOnly", "handOver"].contains(&declared.operation.as_str()) {
            assert!(world.client.ask(&ask).status < 300, "{declared:?}");
        }
    }
}

/// A port that was free a moment ago.
fn port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

#[test]
fn a_server_that_starts_says_so() {
    let mut world = World::new();
    let operations = declared(&world.document, "recovering");
    let asks: Vec<Ask> = operations.iter().map(|one| world.good(&one.operation)).collect();
    let (data, address) = (TARGET.directory(), port());
    fs::write(data.path().join("armed"), "Recovery").expect("the file is written");
    let starting = launch(&data, &address.to_string());
    let starting = thread::spawn(move || starting.start());
    let mut client = wait::until("a listener", || Client::connect(address).ok());
    for (declared, ask) in operations.iter().zip(asks) {
        check(&world.document, declared, &client.ask(&ask));
    }
    client.get("/livez");
    fs::write(data.path().join("armed"), "").expect("the file is written");
    let server = starting.join().expect("it starts");
    server.connect().get("/readyz");
}

#[test]
fn a_server_that_stops_says_so() {
    let mut world = World::with(|launch| launch.variable("HTTP_BODY_TIMEOUT_MS", "60000"));
    let operations = declared(&world.document, "draining");
    let asks: Vec<Ask> = operations.iter().map(|one| world.good(&one.operation)).collect();
    // A request under way holds the stop up: it was told to go on with its body.
    let sku = world.sku(json!({"stock": 1}));
    let slow = world.order(&sku).header("Expect", "100-continue").bytes();
    let head = slow.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut held_up = world.server.connect();
    assert_eq!(held_up.raw(&slow[..head]).status, 100);
    world.server.terminate();
    wait::until("the drain", || {
        let ready = world.server.connect().send(&Ask::get("/readyz")).ok()?;
        (ready.status == 503).then_some(())
    });
    for (declared, ask) in operations.iter().zip(asks) {
        let answer = world.server.connect().ask(&ask);
        check(&world.document, declared, &answer);
    }
    assert_eq!(held_up.raw(&slow[head..]).status, 201);
    let World { server, .. } = world;
    server.wait().stopped();
}
