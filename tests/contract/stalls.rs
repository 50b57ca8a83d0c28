//! A disk that stands still: new orders are turned away, what exists waits, and all goes on by
//! itself when the disk does. What waits at the end of a drain hears that its outcome is unknown.
//! Where more waits than can be borne, orders of the priority class still get in, and payments
//! always.

use crate::TARGET;
use crate::faults::{check, declared};
use crate::world::{World, launch};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait;
use serde_json::json;

/// Writes that the writer takes to a disk that stands still; their answers are awaited later.
fn stalled() -> (World, doorbuster_test_support::client::Client, String) {
    let mut world =
        World::with(|launch| launch.variable("JOURNAL_STALL_MS", "1").variable("DRAIN_MS", "300"));
    let (_, order) = world.held();
    let sku = world.sku(json!({"stock": 9}));
    let ask = world.order(&sku);
    world.arm("Sync");
    let mut waiting = world.server.connect();
    waiting.write(&ask.bytes()).expect("the server takes bytes");
    wait::until("the circuit opens", || {
        let ready = world.client.ask(&Ask::get("/readyz"));
        (ready.status == 503).then_some(())
    });
    (world, waiting, order)
}

/// While the disk stands still new orders are refused and what exists waits.
#[test]
fn a_still_disk_refuses_new_orders_and_lets_others_wait() {
    let (mut world, mut waiting, order) = stalled();
    let ready = declared(&world.document, "overloaded");
    let ready = ready.into_iter().find(|declared| declared.operation == "getReady");
    check(
        &world.document,
        &ready.expect("it is declared"),
        &world.client.ask(&Ask::get("/readyz")),
    );
    let metrics = |world: &mut World| {
        let text = world.client.ask(&Ask::get("/metrics")).body;
        String::from_utf8(text).expect("the metrics are text")
    };
    let text = metrics(&mut world);
    assert!(text.contains("doorbuster_stalled 1") && text.contains("doorbuster_ready 0"), "{text}");
    // They are not put into the ring: nobody could answer them.
    for number in 0..100 {
        let ask = Ask::order(&format!("shed-{number}"), "u", "none", 1);
        assert_eq!(world.client.ask(&ask).problem(503, "overloaded")["retryable"], true);
    }
    let line =
        json!({"op": "order", "key": "shed", "user": "u", "lines": [{"sku": "s", "qty": 1}]});
    let answered = world.client.ask(&Ask::batch(&line.to_string())).json();
    assert_eq!(answered["body"]["code"], "overloaded", "{answered}");
    let mut confirming = world.server.connect();
    confirming.write(&Ask::act(&order, "confirm").bytes()).expect("the server takes bytes");
    world.arm("");
    assert_eq!(waiting.read(false).expect("an answer").status, 201);
    assert_eq!(confirming.read(false).expect("an answer").expect(200)["status"], "confirmed");
    wait::until("the circuit closes", || {
        let ready = world.client.ask(&Ask::get("/readyz"));
        (ready.status == 200).then_some(())
    });
    assert!(metrics(&mut world).contains("doorbuster_stalled 0"));
    let sku = world.sku(json!({"stock": 1}));
    let ask = world.order(&sku);
    world.client.ask(&ask).expect(201);
}

/// What waits at the end of a drain is told that its outcome is unknown and is not lost.
#[test]
fn what_waits_at_the_end_of_a_drain_has_an_unknown_outcome() {
    let (world, mut waiting, _) = stalled();
    world.server.terminate();
    waiting.read(false).expect("an answer").problem(503, "outcome_unknown");
    assert!(waiting.is_closed());
    world.arm("");
    let World { server, data, .. } = world;
    let stopped = server.wait().stopped();
    let server = launch(&data, "127.0.0.1:0").start();
    let status = server.connect().get("/v1/status");
    // The held one of before, and the one whose outcome was unknown.
    assert_eq!(status["tables"]["orders"]["used"], 2, "{status}");
    assert_eq!(status["epoch"], stopped.epoch + 1);
    server.stop().stopped();
}

/// A number of the metrics.
pub(crate) fn metric(client: &mut Client, name: &str) -> u64 {
    let text = client.ask(&Ask::get("/metrics")).body;
    let text = String::from_utf8(text).expect("the metrics are text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("there is no {name}: {text}"))
}

const SHED: &str = "doorbuster_admission_refusals_total{reason=\"shed\"} ";

/// An order over a connection of its own, whose answer is awaited later.
fn send(server: &Server, token: &str, waiting: &mut Vec<Client>) {
    let number = waiting.len();
    // A user has one hold at a time here, so each is somebody of their own.
    let name = format!("{token}-{number}");
    let ask = Ask::order(&name, &name, "s", 1);
    let mut client = server.connect();
    client.write(&ask.token(token).bytes()).expect("the server takes bytes");
    waiting.push(client);
}

/// Orders, until one is shed; those before it wait for their answers.
fn fill(server: &Server, watch: &mut Client, token: &str, waiting: &mut Vec<Client>) {
    let shed = metric(watch, SHED);
    wait::until("somebody is shed", || {
        send(server, token, waiting);
        (metric(watch, SHED) > shed).then_some(())
    });
}

/// The silence behind an order is noticed with the next one, at the earliest after an interval:
/// then as few may be under way as ever.
fn notice(server: &Server, watch: &mut Client, token: &str, waiting: &mut Vec<Client>) {
    send(server, token, waiting);
    wait::until("the order is under way", || {
        (metric(watch, "doorbuster_ring_requests ") > 0).then_some(())
    });
    // What was answered before the disk stood still may be judged with the first of them.
    wait::until("the limit shrinks", || {
        let over_ms = wait::wall_ms() + 200;
        wait::until("an interval", || (wait::wall_ms() > over_ms).then_some(()));
        send(server, token, waiting);
        (metric(watch, "doorbuster_admission_limit ") == 256).then_some(())
    });
}

/// Orders of the priority class get in while others are shed and payments even then.
#[test]
fn the_priority_class_gets_in_while_others_are_shed() {
    let data = TARGET.directory();
    let many = "class = \"priority\"";
    let _file = TokensFile::beside(
        data.path(),
        &[("a", "admin", "admin", ""), ("o", "buy", "other", ""), ("p", "buy", "first", many)],
    );
    let tokens = data.path().join("tokens.toml");
    let server = launch(&data, "127.0.0.1:0")
        .variable("AUTH_TOKENS_FILE", tokens.to_str().expect("a path in UTF-8"))
        .variable("IO_THREADS", "1")
        // Longer than this is too long; the disk's own circuit stays out of it.
        .variable("OVERLOAD_WAIT_MS_MAX", "1")
        .variable("JOURNAL_STALL_MS", "3600000")
        .start();
    let [mut admin, mut other, mut first] =
        ["admin", "other", "first"].map(|token| server.connect().with_token(token));
    admin.put_sku("s", &json!({"stock": 100_000}));
    let held = other.ask(&Ask::order("held", "h", "s", 1)).expect(201);
    let held = held["id"].as_str().expect("an id");
    let arm = |point| std::fs::write(data.path().join("armed"), point).expect("it is written");
    arm("Sync");
    let (mut waiting, mut preferred) = (Vec::new(), Vec::new());
    notice(&server, &mut admin, "other", &mut waiting);
    fill(&server, &mut admin, "other", &mut waiting);
    // Nothing is answered while the disk stands still, so that stays as it is.
    let shed = metric(&mut admin, SHED);
    other.ask(&Ask::order("late", "l", "s", 1)).problem(503, "overloaded");
    fill(&server, &mut admin, "first", &mut preferred);
    assert!(preferred.len() > 1, "not one order of the priority class got in");
    first.ask(&Ask::order("late", "l", "s", 1)).problem(503, "overloaded");
    assert!(metric(&mut admin, SHED) > shed + 1);
    let mut paying = server.connect().with_token("other");
    paying.write(&Ask::act(held, "confirm").token("other").bytes()).expect("it takes bytes");
    arm("");
    assert_eq!(paying.read(false).expect("an answer").expect(200)["status"], "confirmed");
    let statuses = |clients: Vec<Client>| -> Vec<u16> {
        let answers = clients.into_iter().map(|mut client| client.read(false).expect("an answer"));
        answers.map(|answer| answer.status).collect()
    };
    for statuses in [statuses(waiting), statuses(preferred)] {
        assert_eq!(statuses[0], 201, "the first got in: {statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 503)), "{statuses:?}");
    }
    wait::until("orders are taken again", || {
        (other.ask(&Ask::order("late", "l", "s", 1)).status == 201).then_some(())
    });
    server.stop().stopped();
}
