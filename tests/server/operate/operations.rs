//! What probes and operators see of a server that runs (API 6).
//!
//! Owns `/livez`, `/readyz`, `/v1/status` and the settings a client can feel. Starting and stopping
//! are in `restart` and `configuration`.

use crate::TARGET;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn a_server_that_serves_is_live_and_ready() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.get("/livez");
    client.get("/readyz");
    client.ask(&Ask::get("/readyz").header("Accept", "text/html")).expect(200);
}

#[test]
fn the_status_has_the_members_of_the_contract_and_no_others() {
    let data = TARGET.directory();
    let server =
        TARGET.launch(data.path()).argument("--durability").argument("interval:20").start();
    let client = &mut server.connect();
    let sku = client.put_sku("s", &json!({"stock": 5}));
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    let status = client.get("/v1/status");
    let expected = [
        "version",
        "role",
        "epoch",
        "seq",
        "durable_seq",
        "snapshot_seq",
        "journal_bytes",
        "uptime_ms",
        "mode",
        "durability",
        "tables",
    ];
    assert_eq!(members(&status), BTreeSet::from(expected));
    assert_eq!((&status["epoch"], &status["durability"]), (&json!(1), &json!("interval:20")));
    assert!(status["seq"].as_u64() > sku["seq"].as_u64(), "{status}");
    assert!(status["durable_seq"].as_u64() <= status["seq"].as_u64(), "{status}");
    assert!(status["version"].is_string() && status["role"].is_string(), "{status}");
    assert!(status["journal_bytes"].as_u64() > Some(0) && status["uptime_ms"].is_u64(), "{status}");
    for (name, table) in status["tables"].as_object().expect("tables") {
        assert_eq!(members(table), BTreeSet::from(["used", "cap"]), "{name}");
        assert!(table["used"].as_u64() <= table["cap"].as_u64(), "{name}: {table}");
    }
    for (name, used) in [("skus", 1), ("orders", 1), ("keys", 1), ("uses", 1)] {
        assert_eq!(status["tables"][name]["used"], used, "{name} in {status}");
    }
}

#[test]
fn in_group_mode_the_durable_sequence_is_the_sequence() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    for n in 0..20 {
        let sku = client.put_sku(&format!("s{n}"), &json!({"stock": 5}));
        let status = client.get("/v1/status");
        assert_eq!((&status["seq"], &status["durable_seq"]), (&sku["seq"], &sku["seq"]));
    }
}

#[test]
fn where_syncs_come_later_the_durable_sequence_catches_up() {
    let data = TARGET.directory();
    let server =
        TARGET.launch(data.path()).argument("--durability").argument("interval:50").start();
    let client = &mut server.connect();
    let sku = client.put_sku("s", &json!({"stock": 5}));
    wait::until("the interval's sync", || {
        let durable = client.get("/v1/status")["durable_seq"].as_u64();
        (durable >= sku["seq"].as_u64()).then_some(())
    });
}

#[test]
fn a_trace_is_echoed_and_an_invalid_one_is_not() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = client.ask(&Ask::get("/livez").header("traceparent", trace));
    assert_eq!(answer.header("traceparent"), Some(trace));
    let answer = client.ask(&Ask::get("/nothing").header("traceparent", trace));
    answer.problem(404, "not_found");
    assert_eq!(answer.header("traceparent"), Some(trace));
    let answer = client.ask(&Ask::get("/livez").header("traceparent", "00-nonsense"));
    assert_eq!((answer.status, answer.header("traceparent")), (200, None));
}

#[test]
fn a_full_table_refuses_what_is_new_and_serves_what_exists() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).variable("CAPS_ORDERS", "3").start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 50}));
    let first = client.ask(&Ask::order("k0", "u0", "s", 1)).expect(201);
    for n in 1..3 {
        client.ask(&Ask::order(&format!("k{n}"), &format!("u{n}"), "s", 1)).expect(201);
    }
    let full = client.ask(&Ask::order("k3", "u3", "s", 1));
    assert_eq!(full.problem(503, "capacity")["retryable"], true);
    let seconds: u64 = full.header("Retry-After").expect("when to come again").parse().unwrap();
    assert!(seconds >= 1);
    let id = first["id"].as_str().expect("an order has an id");
    assert_eq!(client.ask(&Ask::act(id, "confirm")).expect(200)["status"], "confirmed");
    assert_eq!(client.get("/v1/skus/s")["held"], 2);
}

/// A user holds at most as many orders as set and no hold is longer than the cap.
#[test]
fn a_users_holds_keep_to_the_caps() {
    let data = TARGET.directory();
    let server = TARGET
        .launch(data.path())
        .variable("OPEN_HOLDS_PER_USER_MAX", "2")
        .variable("HOLD_MS_MAX", "60000")
        .start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 50}));
    let body =
        json!({"user": "u", "lines": [{"sku": "s", "qty": 1}], "hold_ms": 2_592_000_000_u64});
    let long = client.ask(&Ask::post("/v1/orders", &body).key("k0")).expect(201);
    let instant = |name: &str| long[name].as_str().expect("an instant").parse::<jiff::Timestamp>();
    let (created, expires) = (instant("created_at").unwrap(), instant("expires_at").unwrap());
    assert_eq!(expires.as_millisecond() - created.as_millisecond(), 60_000);
    client.ask(&Ask::order("k1", "u", "s", 1)).expect(201);
    client.ask(&Ask::order("k2", "u", "s", 1)).problem(409, "hold_limit");
    let sell = json!({"user": "u", "lines": [{"sku": "s", "qty": 1}], "confirm": true});
    let sold = client.ask(&Ask::post("/v1/orders", &sell).key("k2")).expect(201);
    assert_eq!((&sold["status"], &sold["expires_at"]), (&json!("confirmed"), &Value::Null));
}
