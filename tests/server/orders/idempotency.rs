//! A key and its answer, for as long as it is remembered (API 1, "Idempotency").
//!
//! Owns retries by one client, across kills too. Parallel duplicates are in `contention`; keys
//! under load and sudden death in `crash`.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask};
use serde_json::json;

/// The same answer but for the mark of a replay.
#[track_caller]
fn check_replay(first: &Answer, second: &Answer) {
    assert!(!first.is_replayed() && second.is_replayed(), "{first:?} {second:?}");
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    for name in ["Location", "ETag", "Content-Type"] {
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
}

/// The winner of the last unit gets its 201 again also after a kill.
#[test]
fn the_winner_of_the_last_unit_gets_its_201_again() {
    let data = TARGET.directory();
    let mut server = TARGET.launch(data.path()).start();
    let mut client = server.connect();
    client.put_sku("last", &json!({"stock": 1, "per_user_limit": 1}));
    let ask = Ask::order("winner", "ann", "last", 1);
    let won = client.ask(&ask);
    won.expect(201);
    client.ask(&Ask::order("loser", "bob", "last", 1)).problem(409, "sold_out");
    check_replay(&won, &client.ask(&ask));
    for _ in 0..2 {
        server.kill();
        server = TARGET.launch(data.path()).start();
        client = server.connect();
        check_replay(&won, &client.ask(&ask));
    }
    let id = won.json()["id"].as_str().expect("an order has an id").to_owned();
    client.ask(&Ask::act(&id, "confirm")).expect(200);
    check_replay(&won, &client.ask(&ask));
    client.ask(&Ask::order("loser", "bob", "last", 1)).problem(409, "sold_out");
    assert_eq!(client.get("/v1/skus/last")["sold"], 1);
}

/// A key with another request is 422 and a refused key is free again.
#[test]
fn a_key_with_another_request_is_422() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    let first = client.ask(&Ask::order("k", "u", "s", 1));
    let id = first.expect(201)["id"].as_str().expect("an order has an id").to_owned();
    for other in [
        Ask::order("k", "u", "s", 2),
        Ask::order("k", "v", "s", 1),
        Ask::order("k", "u", "unknown", 1),
        Ask::act(&id, "confirm").key("k"),
        Ask::post("/v1/skus/s/adjust", &json!({"delta": 1, "reason": "r"})).key("k"),
        Ask::order("k", "u", "s", 1).header("If-Match", "*"),
    ] {
        client.ask(&other).problem(422, "idempotency_key_reused");
    }
    // White space, the order of members, null and quotes around the key do not count.
    let same = r#" { "lines" : [ {"qty":1, "sku":"s"} ] , "hold_ms":null, "user":"u" } "#;
    check_replay(&first, &client.ask(&Ask::new("POST", "/v1/orders").json(same).key("\"k\"")));
    client.ask(&Ask::order("again", "u", "s", 9)).problem(409, "sold_out");
    client.ask(&Ask::order("again", "u", "s", 2)).expect(201);
    client
        .ask(&Ask::post("/v1/orders", &json!({"user": "u", "lines": [{"sku": "s", "qty": 1}]})))
        .problem(400, "idempotency_key_missing");
}

#[test]
fn tags_that_were_never_versions_of_ours_are_told_apart() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    let tagged = |tag: &str| Ask::order("k", "u", "s", 1).header("If-Match", tag);
    let first = client.ask(&tagged("\"abc\""));
    first.expect(201);
    check_replay(&first, &client.ask(&tagged("  \"abc\"  ")));
    for other in ["\"xyz\"", "W/\"abc\"", "\"7\"", "*"] {
        client.ask(&tagged(other)).problem(422, "idempotency_key_reused");
    }
}

#[test]
fn an_order_that_cannot_be_ours_is_looked_for_after_its_key() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    client.ask(&Ask::order("taken", "u", "s", 1)).expect(201);
    for id in ["nonsense", "0-0", "01-1", "999999999999-1"] {
        let confirm = |key: &str| Ask::act(id, "confirm").key(key);
        client.ask(&confirm("\u{e4}")).problem(400, "malformed");
        client.ask(&confirm("taken")).problem(422, "idempotency_key_reused");
        let unknown = client.ask(&confirm("free")).problem(404, "unknown_order");
        assert!(unknown["seq"].is_u64(), "{unknown}");
        let unknown = client.ask(&Ask::get(format!("/v1/orders/{id}")));
        assert!(unknown.problem(404, "unknown_order")["seq"].is_u64(), "{unknown:?}");
    }
}

#[test]
fn a_remembered_answer_is_of_then_and_the_order_of_now() {
    let data = TARGET.directory();
    let mut server = TARGET.launch(data.path()).start();
    let mut client = server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    let create = Ask::order("key/1 +", "u", "s", 2);
    let created = client.ask(&create);
    let id = created.expect(201)["id"].as_str().expect("an order has an id").to_owned();
    let confirm = Ask::act(&id, "confirm").key("c");
    let confirmed = client.ask(&confirm);
    confirmed.expect(200);
    let same = Ask::act(&id, "confirm").key("c2");
    let repeated = client.ask(&same);
    repeated.expect(200);
    let refund = Ask::post(
        format!("/v1/orders/{id}/refund"),
        &json!({"lines": [{"sku": "s", "qty": 1}], "restock": false}),
    );
    let refund = refund.key("r");
    let refunded = client.ask(&refund);
    refunded.expect(200);
    let adjust = Ask::post("/v1/skus/s/adjust", &json!({"delta": 3, "reason": "found"})).key("a");
    let adjusted = client.ask(&adjust);
    assert_eq!(adjusted.expect(200)["total"], 7);
    client.ask(&Ask::act(&id, "ship")).expect(200);
    let asked = [
        (&create, &created, "key%2F1%20%2b"),
        (&confirm, &confirmed, "c"),
        (&same, &repeated, "c2"),
        (&refund, &refunded, "r"),
        (&adjust, &adjusted, "a"),
    ];
    for restarts in 0..2 {
        for (ask, answer, key) in asked {
            check_replay(answer, &client.ask(ask));
            let kept = client.get(&format!("/v1/requests/{key}"));
            assert_eq!(kept["status"], answer.status, "{key} after {restarts} restarts");
            assert_eq!(kept["body"], answer.json(), "{key} after {restarts} restarts");
            assert!(kept["seq"].as_u64() >= answer.json()["seq"].as_u64(), "{kept}");
        }
        assert_eq!(client.get(&format!("/v1/orders/{id}"))["status"], "shipped");
        client.ask(&Ask::get("/v1/requests/never")).problem(404, "unknown_request");
        server.kill();
        server = TARGET.launch(data.path()).start();
        client = server.connect();
    }
}
