//! The sold-out edge: what is refused without the writer, and what never is.
//!
//! Owns that the edge is there at all (its own count says so), that it never stands between a
//! winner and the answer to a retry, that it says nothing that contradicts an answer already given,
//! and that every refusal is counted in the end. That it refuses exactly as the writer would is
//! `writer::showing`'s test.

use crate::TARGET;
use doorbuster::domain::model::ids::SkuId;
use doorbuster::domain::model::sku::RefusalReason;
use doorbuster_test_directories::history::History;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Refusals that were given without the writer.
fn at_edge(client: &mut Client) -> u64 {
    let text = String::from_utf8(client.ask(&Ask::get("/metrics")).body).expect("UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix("doorbuster_edge_refusals_total "));
    line.unwrap_or_else(|| panic!("no count in {text}")).parse().expect("a count")
}

/// The answer to `ask`, and that it came from the edge, or that it did not.
#[track_caller]
fn check(client: &mut Client, ask: &Ask, (status, code): (u16, &str), edge: bool) -> Value {
    let before = at_edge(client);
    let problem = client.ask(ask).problem(status, code);
    assert_eq!(at_edge(client) - before, u64::from(edge), "{ask:?}: {problem}");
    problem
}

const SOLD_OUT: (u16, &str) = (409, "sold_out");

/// What the journal holds of refusals as sold out of the SKU that has this name now.
fn journaled(data: &Path, sku: &str) -> u64 {
    let state = History::of(data).state;
    let slot = state.skus.find(&SkuId::parse(sku).unwrap()).expect("it is there");
    state.skus[slot].refused.0[RefusalReason::SoldOut as usize]
}

fn fast() -> (tempfile::TempDir, Server) {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().argument("--io-threads").argument("2").start();
    (data, server)
}

/// Winners hear 201 again among thousands of refusals and each of these is counted.
#[test]
fn winners_hear_201_again_among_thousands_of_refusals() {
    const WINNERS: usize = 40;
    const CROWD: usize = 6;
    const EACH: usize = 1_500;
    let (data, server) = fast();
    let client = &mut server.connect();
    client.put_sku("drop", &json!({"stock": WINNERS, "per_user_limit": 1}));
    let order = |buyer: usize| Ask::order(&format!("win-{buyer}"), &format!("w{buyer}"), "drop", 1);
    let won: Vec<Answer> = (0..WINNERS).map(|buyer| client.ask(&order(buyer))).collect();
    won.iter().for_each(|answer| drop(answer.expect(201)));
    let check_retry = |client: &mut Client, buyer: usize| {
        let again = client.ask(&order(buyer));
        assert!(again.is_replayed() && again.body == won[buyer].body, "{again:?}");
        let other = Ask::order(&format!("win-{buyer}"), "stranger", "drop", 1);
        client.ask(&other).problem(422, "idempotency_key_reused");
    };
    let address = server.address;
    let crowd = |number: usize| {
        let mut client = Client::connect(address).expect("the server takes a connection");
        for ask in 0..EACH {
            let name = format!("late-{number}-{ask}");
            client.ask(&Ask::order(&name, &name, "drop", 1)).problem(409, "sold_out");
            if ask % 25 == 0 {
                check_retry(&mut client, (number * 7 + ask / 25) % WINNERS);
            }
        }
    };
    thread::scope(|scope| {
        (0..CROWD).for_each(|number| drop(scope.spawn(move || crowd(number))));
    });
    let refused = (CROWD * EACH) as u64;
    let edge = at_edge(client);
    assert!(edge > refused * 9 / 10, "{edge} of {refused} were refused at the edge");
    let shown = wait::until("all refusals are journaled", || {
        let sku = client.get("/v1/skus/drop");
        (sku["refused"]["sold_out"].as_u64() >= Some(refused)).then_some(sku)
    });
    assert_eq!(shown["refused"], json!({"sold_out": refused}));
    // Some that nobody hands in any more but the drain.
    (0..9).for_each(|late| {
        let name = format!("last-{late}");
        client.ask(&Ask::order(&name, &name, "drop", 1)).problem(409, "sold_out");
    });
    let stopped = server.stop().stopped();
    assert_eq!(journaled(data.path(), "drop"), refused + 9);
    let history = History::of(data.path());
    assert_eq!(stopped.digest, doorbuster::codec::digest(&history.state).to_string());
}

/// The edge knows winners and what is sold out right after a kill.
#[test]
fn the_edge_knows_winners_and_sold_out_right_after_a_kill() {
    let data = TARGET.directory();
    let order = |name: &str| Ask::order(name, name, "last", 1);
    let mut server = TARGET.launch(data.path()).small().start();
    server.connect().put_sku("last", &json!({"stock": 2}));
    let won = ["ann", "bob"].map(|name| server.connect().ask(&order(name)));
    for round in 0..3 {
        server.kill();
        server = TARGET.launch(data.path()).small().start();
        let client = &mut server.connect();
        let newcomer = order(&format!("newcomer-{round}"));
        let before = client.get("/v1/status")["seq"].as_u64();
        let problem = check(client, &newcomer, SOLD_OUT, true);
        let short = json!([{"sku": "last", "requested": 1, "available": 0, "held": 2}]);
        assert_eq!((&problem["lines"], &problem["retryable"]), (&short, &json!(true)));
        assert!(problem["seq"].as_u64() >= before, "{problem} after {before:?}");
        for (name, first) in ["ann", "bob"].iter().zip(&won) {
            let again = client.ask(&order(name));
            assert!(again.is_replayed() && again.body == first.body, "{again:?}");
            // Whoever holds something is the writer's to answer, under any key.
            check(
                client,
                &Ask::order(&format!("{name}-{round}"), name, "last", 1),
                SOLD_OUT,
                false,
            );
        }
    }
}

/// What was given back is sold to the next who asks on any connection.
#[test]
fn what_was_given_back_is_sold_to_the_next_who_asks() {
    let (_data, server) = fast();
    let client = &mut server.connect();
    client.put_sku("one", &json!({"stock": 1}));
    let done = AtomicBool::new(false);
    // They want two where there is one, so nobody takes the unit away.
    let address = server.address;
    let crowd = |number: usize| {
        let mut client = Client::connect(address).expect("the server takes a connection");
        let mut ask = 0;
        while !done.load(Ordering::Relaxed) {
            let name = format!("two-{number}-{ask}");
            client.ask(&Ask::order(&name, &name, "one", 2)).problem(409, "sold_out");
            ask += 1;
        }
    };
    thread::scope(|scope| {
        (0..4).for_each(|number| drop(scope.spawn(move || crowd(number))));
        let mut connections: Vec<Client> = (0..8).map(|_| server.connect()).collect();
        let mut order = |round: usize| {
            let (key, user) = (format!("k-{round}"), format!("u-{round}"));
            connections[round % 8].ask(&Ask::order(&key, &user, "one", 1)).expect(201)
        };
        let mut held = order(0);
        for round in 1..300 {
            let path = |action| Ask::act(held["id"].as_str().expect("an id"), action);
            let back = if round % 2 == 0 {
                client.ask(&path("cancel"))
            } else {
                client.ask(&path("confirm")).expect(200);
                client.ask(&path("refund"))
            };
            back.expect(200);
            held = order(round);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(at_edge(client) > 0);
}

/// A hold that ran out is for sale as soon as any client was shown that.
#[test]
fn an_expired_hold_is_for_sale_as_soon_as_it_is_shown() {
    let (_data, server) = fast();
    let client = &mut server.connect();
    client.put_sku("one", &json!({"stock": 1, "hold_ms": 40}));
    for round in 0..10 {
        let name = format!("buyer-{round}");
        server.connect().ask(&Ask::order(&name, &name, "one", 1)).expect(201);
        wait::until("it is back", || {
            let name = format!("early-{round}-{}", wait::wall_ms());
            server.connect().ask(&Ask::order(&name, &name, "one", 2)).problem(409, "sold_out");
            (client.get("/v1/skus/one")["available"] == 1).then_some(())
        });
    }
}

/// Only sold out is told at the edge and only while it is all there is to tell.
#[test]
fn only_sold_out_is_told_at_the_edge() {
    let (_data, server) = fast();
    let client = &mut server.connect();
    let ask = |name: &str, quantity| Ask::order(name, name, "s", quantity);
    let patch = |client: &mut Client, body: &str| {
        client.ask(&Ask::new("PATCH", "/v1/skus/s").json(body)).expect(200);
    };
    check(client, &ask("a", 1), (404, "unknown_sku"), false);
    client.put_sku("s", &json!({"stock": 1, "per_user_limit": 2}));
    check(client, &ask("b", 2), SOLD_OUT, false);
    let first = client.ask(&ask("owner", 1)).expect(201);
    check(client, &ask("c", 1), SOLD_OUT, true);
    check(client, &ask("d", 3), (409, "user_limit"), false);
    check(client, &Ask::order("e", "owner", "s", 2), (409, "user_limit"), false);
    patch(client, r#"{"paused":true}"#);
    check(client, &ask("f", 1), (409, "paused"), false);
    patch(client, r#"{"paused":null,"closes_at":"2001-01-01T00:00:00Z"}"#);
    check(client, &ask("g", 1), (410, "closed"), false);
    patch(client, r#"{"closes_at":null,"opens_at":"2999-01-01T00:00:00Z"}"#);
    check(client, &ask("h", 1), (409, "not_open"), false);
    patch(client, r#"{"opens_at":"2001-01-01T00:00:00Z","closes_at":"2999-01-01T00:00:00Z"}"#);
    check(client, &ask("i", 1), SOLD_OUT, true);
    let prize = json!({"prizes": [{"sku": "s", "weight": 1}]});
    client.ask(&Ask::put("/v1/draws/d", &prize)).expect(201);
    check(client, &ask("j", 1), (409, "draw_only"), false);
    patch(client, r#"{"direct":true}"#);
    check(client, &ask("k", 1), SOLD_OUT, false);
    client.ask(&Ask::new("POST", "/v1/draws/d/close")).expect(200);
    check(client, &ask("l", 1), SOLD_OUT, true);
    let more = Ask::post("/v1/skus/s/adjust", &json!({"delta": 1, "reason": "found"}));
    client.ask(&more.key("adjust")).expect(200);
    client.ask(&ask("m", 1)).expect(201);
    check(client, &ask("n", 1), SOLD_OUT, true);
    // Two lines are the writer's.
    client.put_sku("t", &json!({"stock": 0}));
    let lines = json!([{"sku": "s", "qty": 1}, {"sku": "t", "qty": 1}]);
    let both = Ask::post("/v1/orders", &json!({"user": "o", "lines": lines})).key("o");
    check(client, &both, SOLD_OUT, false);
    let deed = Ask::act(first["id"].as_str().expect("an id"), "confirm");
    client.ask(&deed.key("p")).expect(200);
    check(client, &ask("p", 1), (422, "idempotency_key_reused"), false);
}

/// A SKU that comes again under its name is another with counts of its own.
#[test]
fn a_sku_that_comes_again_has_counts_of_its_own() {
    let (data, server) = fast();
    let client = &mut server.connect();
    let ask = |name: &str| Ask::order(name, name, "s", 1);
    client.put_sku("s", &json!({"stock": 0}));
    (0..5).for_each(|one| drop(check(client, &ask(&format!("old-{one}")), SOLD_OUT, true)));
    let delete = Ask::new("DELETE", "/v1/skus/s").header("If-Match", "*");
    assert_eq!(client.ask(&delete).status, 204);
    check(client, &ask("none"), (404, "unknown_sku"), false);
    client.put_sku("s", &json!({"stock": 0}));
    (0..3).for_each(|one| drop(check(client, &ask(&format!("new-{one}")), SOLD_OUT, true)));
    server.stop().stopped();
    assert_eq!(journaled(data.path(), "s"), 3);
}

/// A user with as many holds as may be hears of that and a sale at once does not ask.
#[test]
fn a_user_with_all_holds_hears_of_that() {
    let (_data, server) = fast();
    let client = &mut server.connect();
    client.put_sku("gone", &json!({"stock": 0}));
    client.put_sku("plenty", &json!({"stock": 100}));
    for hold in 0..8 {
        client.ask(&Ask::order(&format!("hold-{hold}"), "ann", "plenty", 1)).expect(201);
    }
    check(client, &Ask::order("more", "ann", "gone", 1), (409, "hold_limit"), false);
    let lines = json!([{"sku": "gone", "qty": 1}]);
    let sale = Ask::post("/v1/orders", &json!({"user": "ann", "lines": lines, "confirm": true}));
    check(client, &sale.key("sale"), SOLD_OUT, true);
}

#[test]
fn a_key_belongs_to_its_principal_at_the_edge_too() {
    let folder = TARGET.directory();
    let tokens = TokensFile::beside(
        folder.path(),
        &[("root", "admin", "t-root", ""), ("a", "buy", "t-a", ""), ("b", "buy", "t-b", "")],
    );
    let server = tokens.launch(TARGET).start();
    let client = &mut server.connect();
    client.ask(&Ask::put("/v1/skus/s", &json!({"stock": 1})).token("t-root")).expect(201);
    let won = client.ask(&Ask::order("k", "ann", "s", 1).token("t-a"));
    won.expect(201);
    let other = Ask::order("k", "bob", "s", 1).token("t-b");
    client.ask(&other).problem(409, "sold_out");
    let again = client.ask(&Ask::order("k", "ann", "s", 1).token("t-a"));
    assert!(again.is_replayed() && again.body == won.body, "{again:?}");
    let metrics = client.ask(&Ask::get("/metrics").token("t-root"));
    let text = String::from_utf8(metrics.body).expect("UTF-8");
    assert!(text.contains("doorbuster_edge_refusals_total 1\n"), "{text}");
}
