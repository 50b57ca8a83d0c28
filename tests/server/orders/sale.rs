//! A sale from opening to the unit that comes back, as the README tells it, and the rest of an
//! order's life.
//!
//! Owns what one client at a time sees (API 2 and 3). Never runs two clients at once: that is
//! `contention`. Next: `idempotency`.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::wait;
use serde_json::{Value, json};

fn sequence(body: &Value) -> u64 {
    body["seq"].as_u64().unwrap_or_else(|| panic!("no seq in {body}"))
}

fn counts(sku: &Value) -> [u64; 4] {
    ["total", "available", "held", "sold"]
        .map(|name| sku[name].as_u64().unwrap_or_else(|| panic!("no {name} in {sku}")))
}

fn create(client: &mut Client, key: &str, body: Value) -> Value {
    let answer = client.ask(&Ask::post("/v1/orders", &body).key(key));
    let order = answer.expect(201);
    let id = order["id"].as_str().expect("an order has an id");
    assert_eq!(answer.header("Location"), Some(&*format!("/v1/orders/{id}")));
    assert!(!answer.is_replayed());
    order
}

fn act(client: &mut Client, order: &Value, action: &str) -> Value {
    client.ask(&Ask::act(order["id"].as_str().expect("an order has an id"), action)).expect(200)
}

/// A sale sells out refuses confirms and takes an expired unit back.
#[test]
fn a_sale_sells_out_and_takes_an_expired_unit_back() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();

    let sku = client.put_sku("sneaker", &json!({"stock": 2, "per_user_limit": 1}));
    assert_eq!(counts(&sku), [2, 2, 0, 0]);
    let mut last = sequence(&sku);
    assert_eq!(sku["version"], last);

    let lines = json!([{"sku": "sneaker", "qty": 1}]);
    let ann = create(client, "k-ann", json!({"user": "ann", "lines": lines, "reference": "web-1"}));
    let own = json!([{"sku": "sneaker", "qty": 1, "refunded_qty": 0}]);
    assert_eq!((&ann["status"], &ann["lines"]), (&json!("held"), &own));
    assert_eq!((&ann["user"], &ann["reference"]), (&json!("ann"), &json!("web-1")));
    assert_eq!(ann["changed_seq"], ann["seq"]);
    assert!(ann["expires_at"].as_str() > ann["created_at"].as_str(), "{ann}");
    let bob = create(client, "k-bob", json!({"user": "bob", "lines": lines, "hold_ms": 300}));
    for order in [&ann, &bob] {
        assert!(sequence(order) > last, "sequences grow: {order}");
        last = sequence(order);
    }

    let refused = client.ask(&Ask::order("k-cleo", "cleo", "sneaker", 1));
    let problem = refused.problem(409, "sold_out");
    let short = json!([{"sku": "sneaker", "requested": 1, "available": 0, "held": 2}]);
    assert_eq!((&problem["lines"], &problem["retryable"]), (&short, &json!(true)));
    let wait_s: u64 = refused.header("Retry-After").expect("it may come back").parse().unwrap();
    assert!((2..=10).contains(&wait_s));
    assert!(sequence(&problem) >= last);

    let sold = act(client, &ann, "confirm");
    assert_eq!((&sold["status"], &sold["expires_at"]), (&json!("confirmed"), &Value::Null));
    assert!(sequence(&sold) > last);
    let again = act(client, &ann, "confirm");
    assert_eq!(again["changed_seq"], sold["changed_seq"], "webhooks repeat");

    let back = wait::until("bob's unit comes back", || {
        let sku = client.get("/v1/skus/sneaker");
        assert_eq!(counts(&sku)[1..].iter().sum::<u64>(), 2, "{sku}");
        (counts(&sku) == [2, 1, 0, 1]).then_some(sku)
    });
    assert!(sequence(&back) > sequence(&sold));
    let path = format!("/v1/orders/{}", bob["id"].as_str().unwrap());
    let expired = client.get(&path);
    assert_eq!((&expired["status"], &expired["expires_at"]), (&json!("expired"), &Value::Null));
    client.ask(&Ask::new("POST", format!("{path}/confirm"))).problem(410, "hold_expired");
    client
        .ask(&Ask::new("POST", format!("{path}/extend")).json(r#"{"hold_ms":1}"#))
        .problem(410, "hold_expired");
    assert_eq!(act(client, &bob, "cancel")["status"], "expired");
    create(client, "k-cleo", json!({"user": "cleo", "lines": lines}));
}

#[test]
fn an_order_goes_from_held_to_refunded_and_its_units_follow() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("a", &json!({"stock": 10}));
    client.put_sku("b", &json!({"stock": 10}));
    let lines = json!([{"sku": "a", "qty": 3}, {"sku": "b", "qty": 1}]);
    let order = create(client, "k", json!({"user": "u", "lines": lines}));
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let early = client.ask(&Ask::new("POST", format!("{path}/ship")));
    assert_eq!(early.problem(409, "invalid_transition")["order_status"], "held");
    for (action, status) in
        [("confirm", "confirmed"), ("ship", "shipped"), ("complete", "completed")]
    {
        assert_eq!(act(client, &order, action)["status"], status);
    }
    let late = client.ask(&Ask::new("POST", format!("{path}/cancel")));
    assert_eq!(late.problem(409, "invalid_transition")["order_status"], "completed");

    let part = Ask::post(format!("{path}/refund"), &json!({"lines": [{"sku": "a", "qty": 2}]}));
    client.ask(&part).problem(400, "idempotency_key_missing");
    let partly = client.ask(&part.key("r1")).expect(200);
    assert_eq!(
        (&partly["status"], &partly["lines"][0]["refunded_qty"]),
        (&json!("completed"), &json!(2))
    );
    let more = Ask::post(format!("{path}/refund"), &json!({"lines": [{"sku": "a", "qty": 2}]}));
    client.ask(&more.key("r2")).problem(422, "invalid");
    let foreign = Ask::post(format!("{path}/refund"), &json!({"lines": [{"sku": "z", "qty": 1}]}));
    client.ask(&foreign.key("r3")).problem(422, "invalid");
    assert_eq!(counts(&client.get("/v1/skus/a")), [10, 9, 0, 1]);
    let gone = Ask::post(format!("{path}/refund"), &json!({"restock": false}));
    assert_eq!(client.ask(&gone).expect(200)["status"], "refunded");
    assert_eq!(counts(&client.get("/v1/skus/a")), [9, 9, 0, 0]);
    assert_eq!(counts(&client.get("/v1/skus/b")), [9, 9, 0, 0]);
    assert_eq!(act(client, &order, "refund")["status"], "refunded", "webhooks repeat");
}

#[test]
fn a_sku_changes_only_under_the_version_that_was_seen() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    let put = |stock: u64| Ask::put("/v1/skus/mug", &json!({"stock": stock}));
    client.ask(&put(5).header("If-Match", "*")).problem(412, "version_mismatch");
    let first = client.ask(&put(5).header("If-None-Match", "*"));
    let version = first.expect(201)["version"].clone();
    assert_eq!(first.header("ETag"), Some(&*format!("\"{version}\"")));
    client.ask(&put(5).header("If-None-Match", "*")).problem(412, "version_mismatch");
    assert_eq!(client.ask(&put(5)).expect(200)["version"], version, "an identical PUT is nothing");
    client.ask(&put(6)).problem(428, "if_match_required");
    let tag = format!("\"{version}\"");
    let second = client.ask(&put(6).header("If-Match", &tag)).expect(200)["version"].clone();
    assert!(second.as_u64() > version.as_u64());
    client.ask(&put(7).header("If-Match", &tag)).problem(412, "version_mismatch");
    // Who names a version wants that one, whatever the PUT would change.
    client.ask(&put(6).header("If-Match", &tag)).problem(412, "version_mismatch");
    let pause = Ask::new("PATCH", "/v1/skus/mug").json(r#"{"paused":true,"per_user_limit":2}"#);
    let paused = client.ask(&pause).expect(200);
    assert_eq!((&paused["paused"], &paused["per_user_limit"]), (&json!(true), &json!(2)));
    client.ask(&Ask::order("k", "u", "mug", 1)).problem(409, "paused");
    let resume = Ask::new("PATCH", "/v1/skus/mug").json(r#"{"paused":null}"#);
    assert_eq!(client.ask(&resume).expect(200)["paused"], false, "null resets to the default");
    let order = create(client, "k", json!({"user": "u", "lines": [{"sku": "mug", "qty": 2}]}));
    let limit = client.ask(&Ask::order("k2", "u", "mug", 1)).problem(409, "user_limit");
    assert_eq!(
        (&limit["limit"], &limit["used"], &limit["requested"]),
        (&json!(2), &json!(2), &json!(1))
    );
    let less = Ask::post("/v1/skus/mug/adjust", &json!({"delta": -5, "reason": "damaged"}));
    client.ask(&less.key("a1")).problem(409, "stock_below_committed");
    let less = Ask::post("/v1/skus/mug/adjust", &json!({"delta": -4, "reason": "damaged"}));
    assert_eq!(counts(&client.ask(&less.key("a1")).expect(200)), [2, 0, 2, 0]);
    let delete = Ask::new("DELETE", "/v1/skus/mug").header("If-Match", "*");
    client.ask(&delete).problem(409, "in_use");
    act(client, &order, "cancel");
    assert_eq!(client.ask(&delete).status, 204);
    client.ask(&Ask::get("/v1/skus/mug")).problem(404, "unknown_sku");
    assert_eq!(act(client, &order, "cancel")["status"], "cancelled", "old orders stay readable");
}

#[test]
fn a_window_opens_and_closes_a_sale() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("soon", &json!({"stock": 1, "opens_at": "2999-01-01T02:00:00.0009+02:00"}));
    client.put_sku("over", &json!({"stock": 1, "closes_at": "2001-01-01T00:00:00Z"}));
    let refused = client.ask(&Ask::order("k", "u", "soon", 1));
    let problem = refused.problem(409, "not_open");
    assert_eq!(problem["opens_at"], "2999-01-01T00:00:00.000Z", "cut to milliseconds, UTC");
    assert_eq!(refused.header("Retry-After"), Some("60"), "at most a minute");
    assert_eq!(problem["retry_after_ms"], 60_000);
    let problem = client.ask(&Ask::order("k", "u", "over", 1)).problem(410, "closed");
    assert_eq!(problem["closes_at"], "2001-01-01T00:00:00.000Z");
    client.ask(&Ask::order("k", "u", "none", 1)).problem(404, "unknown_sku");
}

#[test]
fn lists_come_in_pages_that_join_without_a_gap() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 100}));
    let lines = json!([{"sku": "s", "qty": 1}]);
    let ids: Vec<Value> = (0..7)
        .map(|n| {
            let body = json!({"user": "u", "lines": lines});
            create(client, &format!("k{n}"), body)["id"].clone()
        })
        .collect();
    let mut walk = |path: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..10 {
            let page = client.get(&format!("{path}?limit=3{cursor}"));
            let orders = page["orders"].as_array().expect("a page of orders");
            found.extend(orders.iter().map(|order| order["id"].clone()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        found
    };
    assert_eq!(walk("/v1/orders"), ids);
    let newest_first: Vec<Value> = ids.iter().rev().cloned().collect();
    assert_eq!(walk("/v1/users/u/orders"), newest_first);
    client.ask(&Ask::get("/v1/orders?limit=101")).problem(422, "invalid");
    client.ask(&Ask::get("/v1/skus?limit=0")).problem(422, "invalid");
}
