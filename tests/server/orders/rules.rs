//! The finer rules of SKUs and orders, as one client meets them (API 2 and 3).
//!
//! Owns what is easy to get wrong and visible from outside: holds, limit groups, names put again,
//! counts of refusals. The rules themselves are tested beside the domain. Next: `sale`.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

fn shop() -> (TempDir, Server, Client) {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = server.connect();
    (data, server, client)
}

fn create(client: &mut Client, key: &str, body: &Value) -> Value {
    client.ask(&Ask::post("/v1/orders", body).key(key)).expect(201)
}

fn id(order: &Value) -> &str {
    order["id"].as_str().expect("an order has an id")
}

fn hold_ms(order: &Value) -> i64 {
    let ms = |name: &str| {
        let instant = order[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        instant.unwrap_or_else(|| panic!("no {name} in {order}")).as_millisecond()
    };
    ms("expires_at") - ms("created_at")
}

fn counts(client: &mut Client, sku: &str) -> [u64; 4] {
    let sku = client.get(&format!("/v1/skus/{sku}"));
    ["total", "available", "held", "sold"].map(|name| sku[name].as_u64().expect("a count"))
}

#[test]
fn a_hold_is_the_shortest_of_its_lines_unless_it_says_its_own() {
    let (_data, _server, mut client) = shop();
    client.put_sku("short", &json!({"stock": 10, "hold_ms": 60_000}));
    client.put_sku("long", &json!({"stock": 10, "hold_ms": 900_000}));
    client.put_sku("plain", &json!({"stock": 10}));
    let mut hold = |key: &str, skus: &[&str], own: Value| {
        let lines: Vec<_> = skus.iter().map(|sku| json!({"sku": sku, "qty": 1})).collect();
        let body = json!({"user": key, "lines": lines, "hold_ms": own});
        hold_ms(&create(&mut client, key, &body))
    };
    assert_eq!(hold("1", &["plain"], Value::Null), 300_000);
    assert_eq!(hold("2", &["long", "short"], Value::Null), 60_000);
    assert_eq!(hold("3", &["long", "plain"], Value::Null), 300_000);
    assert_eq!(hold("4", &["long"], Value::Null), 900_000);
    assert_eq!(hold("5", &["short"], json!(120_000)), 120_000);
    assert_eq!(hold("6", &["short"], json!(2_592_000_000_u64)), 1_800_000);
}

#[test]
fn an_extension_never_shortens_and_ends_at_the_cap() {
    let (_data, _server, mut client) = shop();
    client.put_sku("s", &json!({"stock": 10}));
    let order = create(&mut client, "k", &json!({"user": "u", "lines": [{"sku": "s", "qty": 1}]}));
    let extend =
        |ms: u64| Ask::post(format!("/v1/orders/{}/extend", id(&order)), &json!({"hold_ms": ms}));
    let same = client.ask(&extend(1)).expect(200);
    assert_eq!((&same["expires_at"], &same["status"]), (&order["expires_at"], &json!("held")));
    let longer = client.ask(&extend(600_000)).expect(200);
    assert!((600_000..1_800_000).contains(&hold_ms(&longer)), "{longer}");
    assert_eq!(hold_ms(&client.ask(&extend(2_592_000_000)).expect(200)), 1_800_000);
    assert_eq!(hold_ms(&client.ask(&extend(1)).expect(200)), 1_800_000);
    client.ask(&Ask::act(id(&order), "extend")).problem(400, "malformed");
}

#[test]
fn a_groups_limit_counts_all_of_its_skus_and_is_given_back() {
    let (_data, _server, mut client) = shop();
    for sku in ["red", "blue"] {
        let settings = json!({"stock": 100, "per_user_limit": 3, "limit_group": "runner"});
        client.put_sku(sku, &settings);
    }
    let order =
        create(&mut client, "1", &json!({"user": "u", "lines": [{"sku": "red", "qty": 2}]}));
    let both = json!([{"sku": "red", "qty": 1}, {"sku": "blue", "qty": 1}]);
    let ask = Ask::post("/v1/orders", &json!({"user": "u", "lines": both})).key("2");
    let problem = client.ask(&ask).problem(409, "user_limit");
    assert_eq!(
        (&problem["sku"], &problem["limit"]),
        (&json!("blue"), &json!(3)),
        "the lines before count"
    );
    client.ask(&Ask::order("3", "u", "blue", 1)).expect(201);
    client.ask(&Ask::order("4", "u", "red", 1)).problem(409, "user_limit");
    client.ask(&Ask::order("5", "v", "red", 3)).expect(201);
    client.ask(&Ask::act(id(&order), "confirm")).expect(200);
    client.ask(&Ask::order("4", "u", "red", 1)).problem(409, "user_limit");
    client.ask(&Ask::act(id(&order), "refund")).expect(200);
    client.ask(&Ask::order("4", "u", "red", 2)).expect(201);
}

#[test]
fn an_expired_order_may_take_its_stock_again_if_it_is_there() {
    let (_data, _server, mut client) = shop();
    client.put_sku("s", &json!({"stock": 1}));
    let body = json!({"user": "u", "lines": [{"sku": "s", "qty": 1}], "hold_ms": 1});
    let order = create(&mut client, "1", &body);
    wait::until("the hold runs out", || (counts(&mut client, "s")[1] == 1).then_some(()));
    let again = Ask::post(
        format!("/v1/orders/{}/confirm", id(&order)),
        &json!({"if_expired": "reacquire"}),
    );
    let other = create(&mut client, "2", &json!({"user": "v", "lines": [{"sku": "s", "qty": 1}]}));
    client.ask(&again).problem(409, "sold_out");
    client.ask(&Ask::act(id(&other), "cancel")).expect(200);
    let confirmed = client.ask(&again).expect(200);
    assert_eq!((&confirmed["status"], &confirmed["id"]), (&json!("confirmed"), &order["id"]));
    assert_eq!(counts(&mut client, "s"), [1, 0, 0, 1]);
}

#[test]
fn an_order_is_bound_to_the_sku_it_bought_not_to_its_name() {
    let (_data, _server, mut client) = shop();
    client.put_sku("s", &json!({"stock": 5}));
    let sell = json!({"user": "u", "lines": [{"sku": "s", "qty": 2}], "confirm": true});
    let sold = create(&mut client, "1", &sell);
    let hold = json!({"user": "u", "lines": [{"sku": "s", "qty": 1}], "hold_ms": 1});
    let expired = create(&mut client, "2", &hold);
    wait::until("the hold runs out", || (counts(&mut client, "s")[2] == 0).then_some(()));
    let delete = Ask::new("DELETE", "/v1/skus/s");
    client.ask(&delete).problem(428, "if_match_required");
    let gone = client.ask(&delete.header("If-Match", "*"));
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    client.put_sku("s", &json!({"stock": 9}));
    assert_eq!(client.get(&format!("/v1/orders/{}", id(&sold)))["lines"][0]["sku"], "s");
    assert_eq!(client.ask(&Ask::act(id(&sold), "refund")).expect(200)["status"], "refunded");
    assert_eq!(counts(&mut client, "s"), [9, 9, 0, 0], "the new one has nothing to do with it");
    let again = json!({"if_expired": "reacquire"});
    let again = Ask::post(format!("/v1/orders/{}/confirm", id(&expired)), &again);
    client.ask(&again).problem(404, "unknown_sku");
}

#[test]
fn refusals_are_counted_by_reason_and_survive_a_restart() {
    let (data, server, mut client) = shop();
    client.put_sku("s", &json!({"stock": 1, "per_user_limit": 1}));
    client.ask(&Ask::order("1", "u", "s", 1)).expect(201);
    for n in 0..3 {
        client.ask(&Ask::order(&format!("r{n}"), "v", "s", 1)).problem(409, "sold_out");
    }
    client.ask(&Ask::order("r", "w", "s", 2)).problem(409, "user_limit");
    let wanted = json!({"sold_out": 3, "user_limit": 1});
    wait::until("refusals are journaled", || {
        (client.get("/v1/skus/s")["refused"] == wanted).then_some(())
    });
    client.ask(&Ask::order("r3", "v", "s", 1)).problem(409, "sold_out");
    server.stop();
    let server = TARGET.launch(data.path()).start();
    let refused = server.connect().get("/v1/skus/s")["refused"].clone();
    assert_eq!(refused, json!({"sold_out": 4, "user_limit": 1}), "a stop counts what is left");
}

#[test]
fn orders_are_found_by_status_and_by_sku() {
    let (_data, _server, mut client) = shop();
    for sku in ["a", "b"] {
        client.put_sku(sku, &json!({"stock": 10}));
    }
    let lines = |skus: &[&str]| -> Vec<Value> {
        skus.iter().map(|sku| json!({"sku": sku, "qty": 1})).collect()
    };
    let first = create(&mut client, "1", &json!({"user": "u", "lines": lines(&["a"])}));
    let second = create(&mut client, "2", &json!({"user": "u", "lines": lines(&["a", "b"])}));
    client.ask(&Ask::act(id(&first), "confirm")).expect(200);
    let mut found = |query: &str| -> Vec<String> {
        let page = client.get(&format!("/v1/orders?{query}"));
        let orders = page["orders"].as_array().expect("a page").iter();
        orders.map(|order| id(order).to_owned()).collect()
    };
    assert_eq!(found("status=confirmed"), [id(&first)]);
    assert_eq!(found("status=held&sku=a"), [id(&second)]);
    assert_eq!(found("sku=b"), [id(&second)]);
    assert_eq!(found("sku=a").len(), 2);
    assert_eq!(found("sku=none").len(), 0);
    client.ask(&Ask::get("/v1/orders?status=lost")).problem(422, "invalid");
}

/// A line that is short is named and only hopeful ones are retryable.
#[test]
fn a_short_line_is_named_and_only_hopeful_ones_are_retryable() {
    let (_data, _server, mut client) = shop();
    client.put_sku("a", &json!({"stock": 3}));
    client.put_sku("b", &json!({"stock": 3}));
    client.ask(&Ask::order("1", "u", "a", 2)).expect(201);
    let lines = |a: u64, b: u64| {
        let lines = json!([{"sku": "a", "qty": a}, {"sku": "b", "qty": b}]);
        json!({"user": "v", "lines": lines})
    };
    let hopeful = client.ask(&Ask::post("/v1/orders", &lines(3, 3)).key("2"));
    let problem = hopeful.problem(409, "sold_out");
    let short_a = json!({"sku": "a", "requested": 3, "available": 1, "held": 2});
    assert_eq!((&problem["lines"], &problem["retryable"]), (&json!([short_a]), &json!(true)));
    let vain = client.ask(&Ask::post("/v1/orders", &lines(3, 4)).key("2"));
    let problem = vain.problem(409, "sold_out");
    let short_b = json!({"sku": "b", "requested": 4, "available": 3, "held": 0});
    let expected = (&json!([short_a, short_b]), &json!(false));
    assert_eq!((&problem["lines"], &problem["retryable"]), expected);
    assert_eq!(vain.header("Retry-After"), None);
    assert_eq!(counts(&mut client, "b"), [3, 3, 0, 0]);
}
