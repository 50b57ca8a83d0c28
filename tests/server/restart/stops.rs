//! Stopping in good order, starting again, and what happens to holds meanwhile (API 1, "Time").
//!
//! Owns orderly stops and what a start changes. Sudden ends are in `crash`.

use crate::TARGET;
use doorbuster::domain::model::event::Event;
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_directories::history::History;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::wait;
use serde_json::{Value, json};

#[test]
fn a_stop_under_load_answers_ends_with_0_and_loses_nothing() {
    let data = TARGET.directory();
    let mut crowd = Crowd::new(TARGET.random());
    let mut server = Crowd::launch(TARGET, data.path()).start();
    open_sale(&server);
    for stop in 1..=5 {
        let exit = crowd.rush(server, |server| {
            server.terminate();
            server.wait()
        });
        let stopped = exit.stopped();
        assert_eq!((stopped.epoch, exit.lines.len()), (stop, 1), "{exit:?}");
        let history = History::of(data.path());
        assert_eq!(stopped.sequence, history.state.sequence);
        assert_eq!(stopped.digest, doorbuster::codec::digest(&history.state).to_string());
        assert!(history.scan.dropped.is_none(), "{:?}", history.scan.dropped);
        server = Crowd::launch(TARGET, data.path()).start();
        let status = server.connect().get("/v1/status");
        assert_eq!(status["epoch"], stop + 1);
        assert!(status["seq"].as_u64() > Some(stopped.sequence), "{status}");
        crowd.check_sample(&server);
    }
    crowd.check_all(server, data.path());
}

#[test]
fn an_idle_stop_and_start_is_one_epoch_more_and_the_same_state() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let sku = server.connect().put_sku("s", &json!({"stock": 7}));
    let first = server.stop().stopped();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    let again = client.get("/v1/skus/s");
    assert_eq!((&again["version"], &again["available"]), (&sku["version"], &json!(7)));
    let second = server.stop().stopped();
    assert_eq!((first.epoch, second.epoch), (1, 2));
    assert_eq!(second.sequence, first.sequence + 1, "only the start happened");
}

#[test]
fn a_stop_ends_although_a_client_keeps_its_connection() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let mut idle = server.connect();
    idle.get("/livez");
    let untouched = server.connect();
    assert_eq!(server.stop().code, Some(0));
    assert!(idle.is_closed());
    drop(untouched);
}

/// A request whose body has begun when the server is told to stop, and its bytes that are left.
fn half_sent(server: &Server) -> (Client, Vec<u8>) {
    let mut client = server.connect();
    client.put_sku("s", &json!({"stock": 3}));
    let mut bytes = Ask::order("k", "u", "s", 1).bytes();
    let rest = bytes.split_off(bytes.len() - 10);
    client.write(&bytes).expect("the server takes bytes");
    // Another connection of the same server is answered: the bytes before are there.
    server.connect().get("/readyz");
    server.terminate();
    wait::until("the server says that it drains", || {
        (server.connect().ask(&Ask::get("/readyz")).status == 503).then_some(())
    });
    (client, rest)
}

#[test]
fn a_stop_waits_for_a_request_under_way() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let (mut client, rest) = half_sent(&server);
    client.write(&rest).expect("the server takes bytes");
    let answer = client.read(false).expect("an answer");
    let created = match answer.status {
        201 => 1,
        _ => answer.problem(503, "draining")["retryable"].as_bool().map(|_| 0).unwrap(),
    };
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(client.is_closed());
    let stopped = server.wait().stopped();
    let history = History::of(data.path());
    assert_eq!(history.state.sequence, stopped.sequence);
    assert_eq!(history.state.orders.len(), created);
}

/// While a stop waits probes are answered and new requests refused.
#[test]
fn a_waiting_stop_answers_probes_and_refuses_new_requests() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let (mut client, rest) = half_sent(&server);
    let checks = [
        (Ask::get("/livez"), 200),
        (Ask::get("/readyz"), 503),
        (Ask::get("/v1/skus/s"), 503),
        (Ask::order("late", "u", "s", 1), 503),
    ];
    for (ask, status) in checks {
        let mut new = server.connect();
        let answer = new.ask(&ask);
        if status == 503 {
            assert_eq!(answer.problem(503, "draining")["retryable"], true);
        }
        assert_eq!((answer.status, answer.header("Connection")), (status, Some("close")));
        assert!(new.is_closed());
    }
    // Those who only connect do not make it last.
    let silent = server.connect();
    client.write(&rest).expect("the server takes bytes");
    client.read(false).expect("an answer").expect(201);
    server.wait().stopped();
    drop(silent);
}

#[test]
fn a_second_signal_ends_a_stop_that_waits() {
    let data = TARGET.directory();
    let server = TARGET
        .launch(data.path())
        .variable("HTTP_BODY_TIMEOUT_MS", "3600000")
        .variable("DRAIN_MS", "3600000")
        .start();
    let (_client, _rest) = half_sent(&server);
    server.terminate();
    let exit = server.wait();
    assert!(exit.code != Some(0) && exit.lines.is_empty(), "{exit:?}");
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    assert_eq!(client.get("/v1/skus/s")["available"], 3);
    client.ask(&Ask::get("/v1/requests/k")).problem(404, "unknown_request");
}

/// Where answers leave before the sync, a start says which answered records a power cut may have
/// taken, and only after an end without order.
#[test]
fn a_start_after_an_unclean_end_says_what_may_be_lost() {
    for (durability, says) in [("group", false), ("interval:20", true), ("os", true)] {
        let data = TARGET.directory();
        let start =
            || TARGET.launch(data.path()).argument("--durability").argument(durability).start();
        let server = start();
        server.connect().put_sku("s", &json!({"stock": 3}));
        server.kill();
        start().stop().stopped();
        start().stop().stopped();
        let history = History::of(data.path());
        let starts = history.records.iter().zip(1..).filter_map(|(record, sequence)| {
            let Event::Started(started) = &record.event else { return None };
            Some((started.epoch, started.lost_from.map(|from| from == sequence)))
        });
        let expected = [(1, None), (2, says.then_some(true)), (3, None)];
        assert_eq!(starts.collect::<Vec<_>>(), expected, "{durability}");
    }
}

/// A held order whose deadline passes after the server died, by all clocks.
fn held_and_due(mut server: Server, launch: impl Fn() -> Launch) -> Value {
    for round in 0..20 {
        let client = &mut server.connect();
        let body = json!({"user": "u", "lines": [{"sku": "s", "qty": 1}], "hold_ms": 500});
        let ask = Ask::post("/v1/orders", &body).key(&format!("k{round}"));
        let order = client.ask(&ask).expect(201);
        server.kill();
        let due_ms = instant_ms(&order["expires_at"]);
        wait::until("the hold is due", || (wait::wall_ms() > due_ms).then_some(()));
        server = launch().start();
        let id = order["id"].as_str().expect("an order has an id");
        let now = server.connect().get(&format!("/v1/orders/{id}"));
        // On a machine that stood still it may have run out before the kill.
        if now["status"] == "held" {
            server.kill();
            return json!({"before": order, "after": now});
        }
    }
    panic!("no hold outlived its server in 20 rounds")
}

fn instant_ms(instant: &Value) -> u64 {
    let instant = instant.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ms = instant.expect("an instant").as_millisecond();
    u64::try_from(ms).expect("after 1970")
}

#[test]
fn a_hold_due_while_the_server_was_away_is_graced_once() {
    const GRACE_MS: u64 = 2000;
    let data = TARGET.directory();
    let launch = || TARGET.launch(data.path()).variable("RECOVERY_GRACE_MS", &GRACE_MS.to_string());
    let server = launch().start();
    server.connect().put_sku("s", &json!({"stock": 30}));
    let seen = held_and_due(server, launch);
    let (before, after) = (&seen["before"], &seen["after"]);
    let id = before["id"].as_str().expect("an order has an id");
    assert!(after["changed_seq"].as_u64() > before["changed_seq"].as_u64(), "{seen}");
    assert_eq!(after["created_at"], before["created_at"]);
    let (due_ms, graced_ms) = (instant_ms(&before["expires_at"]), instant_ms(&after["expires_at"]));
    assert!(graced_ms >= due_ms + GRACE_MS, "{seen}");

    // Due again while away: now it runs out, and nothing moves it a second time.
    wait::until("the grace is over", || (wait::wall_ms() > graced_ms).then_some(()));
    let server = launch().start();
    let client = &mut server.connect();
    client.ask(&Ask::act(id, "confirm")).problem(410, "hold_expired");
    let expired = client.get(&format!("/v1/orders/{id}"));
    assert_eq!(expired["status"], "expired", "{expired}");
    assert!(server.stop().code == Some(0));
    let history = History::of(data.path());
    let graced = history.records.iter().filter(|record| match &record.event {
        Event::HoldsGraced(graced) => {
            graced.orders.iter().any(|order| id.ends_with(&format!("-{}", order.sequence)))
        }
        _ => false,
    });
    assert_eq!(graced.count(), 1);
}

#[test]
fn holds_that_are_not_due_stay_as_they_are_over_a_restart() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 3}));
    let order = client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an order has an id"));
    server.kill();
    let server = TARGET.launch(data.path()).start();
    let mut now = server.connect().get(&path);
    assert!(now["seq"].as_u64() > order["seq"].as_u64());
    now["seq"] = order["seq"].clone();
    assert_eq!(now, order);
}
