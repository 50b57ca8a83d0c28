//! A line of a batch is answered as if it had been sent alone (API 5): ten thousand mixed lines to
//! one server, each of them as a request of its own to another, and the answers side by side.
//!
//! Owns the comparison. What differs between two servers by nature, sequences and times, is left
//! out of it; everything else must be equal. Next: `batch`.

use crate::TARGET;
use crate::batch::promises::answers;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::random::Random;
use serde_json::{Value, json};
use std::collections::HashMap;

const LINES: usize = 10_000;
/// Orders that the lines act on, there before.
const ORDERS: usize = 400;

/// A line, and the same request alone.
#[derive(Clone)]
struct Pair {
    line: String,
    alone: Ask,
}

/// A request of its own from the members of a line.
fn alone(op: &str, line: &Value) -> Ask {
    let mut body = line.as_object().expect("a line is an object").clone();
    body.remove("op");
    let mut taken = |name: &str| body.remove(name);
    let (key, if_match) = (taken("key"), taken("if_match"));
    let text = |value: Option<Value>| value.and_then(|v| v.as_str().map(str::to_owned));
    let mut ask = match op {
        "order" => Ask::post("/v1/orders", &Value::Object(body)),
        "sku" => {
            let sku = text(taken("sku")).expect("a SKU");
            Ask::put(format!("/v1/skus/{sku}"), &Value::Object(body))
        }
        "entry" => {
            let draw = text(taken("draw")).expect("a draw");
            Ask::post(format!("/v1/draws/{draw}/entries"), &Value::Object(body))
        }
        "adjust" => {
            let sku = text(taken("sku")).expect("a SKU");
            Ask::post(format!("/v1/skus/{sku}/adjust"), &Value::Object(body))
        }
        action => {
            let id = text(taken("id")).expect("an id");
            Ask::post(format!("/v1/orders/{id}/{action}"), &Value::Object(body))
        }
    };
    if let Some(key) = text(key) {
        ask = ask.key(&key);
    }
    match if_match {
        Some(Value::Number(version)) => ask.header("If-Match", &format!("\"{version}\"")),
        Some(Value::String(tag)) => ask.header("If-Match", &tag),
        _ => ask,
    }
}

fn pair(line: &Value) -> Pair {
    let op = line["op"].as_str().expect("an op");
    Pair { line: line.to_string(), alone: alone(op, line) }
}

/// What is no line at all, where a body of its own would be as bad.
fn spoiled(random: &mut Random) -> Pair {
    let body = match random.below(8) {
        0 => r#"{"op":"order","key":"k","user":"u","lines":["#,
        1 => r#"{"op":"order","key":"k","user":"u","user":"u","lines":[]}"#,
        2 => r#"[]"#,
        3 => "nonsense",
        4 => r#"{"op":"order","key":"k","user":"u","lines":[[[[[1]]]]]}"#,
        5 => r#"{"op":"order","key":"k","user":"u""lines":[]}"#,
        6 => r#"{"user":"ü"#,
        _ => r#"7"#,
    };
    Pair { line: body.to_owned(), alone: Ask::new("POST", "/v1/orders").json(body).key("k") }
}

fn order_line(random: &mut Random) -> Value {
    let user = format!("u{}", random.below(300));
    let sku = ["plenty", "few", "limited", "gone", "paused", "absent"];
    let line = |random: &mut Random| {
        let quantity =
            if random.percent(95) { 1 + random.below(3) } else { random.below(2_000_000) };
        json!({"sku": sku[random.place(sku.len())], "qty": quantity})
    };
    let lines: Vec<Value> = (0..1 + random.below(2)).map(|_| line(random)).collect();
    let mut order = json!({"op": "order", "key": key(random), "user": user, "lines": lines});
    match random.below(20) {
        0 => order["confirm"] = json!(true),
        1 => order["hold_ms"] = json!(0),
        2 => order["reference"] = json!("r"),
        3 => order["colour"] = json!("red"),
        4 => drop(order.as_object_mut().expect("an object").remove("key")),
        5 => order["user"] = json!(5),
        6 => order["hold_ms"] = Value::Null,
        7 => order["id"] = json!("1-1"),
        _ => {}
    }
    order
}

/// Few enough that many are used again, for the same and for other requests.
fn key(random: &mut Random) -> String {
    format!("key-{}", random.below(6000))
}

fn action_line(random: &mut Random, ids: &[String]) -> Value {
    let op = ["confirm", "cancel", "extend", "ship", "complete", "refund"][random.place(6)];
    let id = match random.below(12) {
        0 => "1-999999999",
        1 => "nonsense",
        _ => &ids[random.place(ids.len())],
    };
    let mut line = json!({"op": op, "id": id});
    match op {
        "extend" => line["hold_ms"] = json!(random.below(100_000)),
        "refund" if random.percent(50) => line["lines"] = json!([{"sku": "plenty", "qty": 1}]),
        "confirm" if random.percent(10) => line["if_expired"] = json!("reacquire"),
        "confirm" if random.percent(10) => line["if_expired"] = json!("never"),
        _ => {}
    }
    if random.percent(60) {
        line["key"] = json!(key(random));
    }
    if random.percent(5) {
        line["note"] = json!("x");
    }
    line
}

/// Entries of a draw without blanks: two servers have two seeds, and must come to the same.
fn entry_line(random: &mut Random) -> Value {
    let draw = if random.percent(90) { "sure" } else { "absent" };
    let user = format!("u{}", random.below(300));
    let mut line = json!({"op": "entry", "key": key(random), "draw": draw, "user": user});
    match random.below(8) {
        0 => line["client_seed"] = json!("luck"),
        1 => line["client_seed"] = json!("x".repeat(65)),
        2 => line["colour"] = json!("red"),
        _ => {}
    }
    line
}

fn sku_line(random: &mut Random) -> Value {
    let if_match =
        [json!("*"), json!("\"abc\""), json!("W/\"1\""), json!("bad"), Value::Null, json!(1)];
    let sku = format!("new-{}", random.below(5));
    if random.percent(50) {
        let mut line = json!({"op": "sku", "sku": sku, "stock": random.below(9)});
        match random.below(4) {
            0 => line["if_match"] = if_match[random.place(if_match.len())].clone(),
            1 => line["paused"] = json!(true),
            2 => line["hold_ms"] = json!("long"),
            _ => {}
        }
        return line;
    }
    let mut line = json!({"op": "adjust", "sku": sku, "key": key(random), "reason": "count"});
    match random.below(4) {
        0 => line["delta"] = json!(0),
        1 => line["stock"] = json!(7),
        _ => line["delta"] = json!(random.below(9)),
    }
    if random.percent(40) {
        line["if_match"] = if_match[random.place(if_match.len())].clone();
    }
    line
}

fn pairs(random: &mut Random, ids: &[String]) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::with_capacity(LINES);
    while pairs.len() < LINES {
        let next = match random.below(100) {
            0..4 => spoiled(random),
            // A retry, of a good line or a bad one.
            4..20 if !pairs.is_empty() => pairs[random.place(pairs.len())].clone(),
            20..75 => pair(&order_line(random)),
            75..86 => pair(&action_line(random, ids)),
            86..90 => pair(&entry_line(random)),
            _ => pair(&sku_line(random)),
        };
        pairs.push(next);
    }
    pairs
}

/// A sale with orders to act on; gives their ids.
fn open(server: &Server) -> (Client, Vec<String>) {
    let mut client = server.connect();
    for (sku, settings) in [
        ("plenty", json!({"stock": 1_000_000})),
        ("few", json!({"stock": 50})),
        ("limited", json!({"stock": 1_000_000, "per_user_limit": 2})),
        ("gone", json!({"stock": 0})),
        ("paused", json!({"stock": 9, "paused": true})),
    ] {
        client.put_sku(sku, &settings);
    }
    client.put_sku("won", &json!({"stock": 90, "per_user_limit": 1}));
    let sure = json!({"prizes": [{"sku": "won", "weight": 1}], "entries_per_user": 2});
    client.ask(&Ask::put("/v1/draws/sure", &sure)).expect(201);
    let order = |number| {
        let ask = Ask::order(&format!("old-{number}"), &format!("old-{number}"), "plenty", 3);
        let order = client.ask(&ask).expect(201);
        order["id"].as_str().expect("an order has an id").to_owned()
    };
    let ids = (0..ORDERS).map(order).collect();
    (client, ids)
}

/// An answer without what two servers cannot agree on: sequences and times. Order ids, which hold a
/// sequence, become numbers in the order of their first mention.
fn plain(value: &mut Value, ids: &mut HashMap<String, usize>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), &member) {
                    ("seq" | "changed_seq" | "version" | "retry_after_ms", Value::Number(_)) => {
                        *member = json!("number");
                    }
                    // What is counted may lag (API 2).
                    ("refused", Value::Object(_)) => *member = json!("counts"),
                    ("created_at" | "expires_at" | "now", Value::String(_)) => {
                        *member = json!("instant");
                    }
                    ("id", Value::String(id)) => {
                        let next = ids.len();
                        *member = json!(*ids.entry(id.clone()).or_insert(next));
                    }
                    _ => plain(member, ids),
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| plain(entry, ids)),
        _ => {}
    }
}

/// What all ids of one start begin with.
fn life(id: &str) -> &str {
    id.split('-').next().expect("an id has two parts")
}

fn as_line(answer: &Answer) -> Value {
    json!({"status": answer.status, "body": answer.json(), "replayed": answer.is_replayed()})
}

/// Ten thousand mixed lines are each answered in order as if sent alone.
#[test]
fn mixed_lines_are_answered_in_order_as_if_sent_alone() {
    let mut random = TARGET.random();
    let launch = |data: &tempfile::TempDir| {
        let launch = TARGET.launch(data.path()).small().argument("--durability").argument("os");
        launch.variable("OPEN_HOLDS_PER_USER_MAX", "20").start()
    };
    let (one, two) = (TARGET.directory(), TARGET.directory());
    let (batching, single) = (launch(&one), launch(&two));
    let (mut batch, ids) = open(&batching);
    let (mut alone, same) = open(&single);
    let (life, other) = (life(&ids[0]), life(&same[0]));
    let in_other = |text: &str| text.replace(life, other);
    let renamed: Vec<String> = ids.iter().map(|id| in_other(id)).collect();
    assert_eq!(renamed, same, "both servers have seen the same");
    let pairs = pairs(&mut random, &ids);
    let lines: Vec<&str> = pairs.iter().map(|pair| pair.line.as_str()).collect();
    let mut told = answers(&batch.ask(&Ask::batch(&lines.join("\n"))));
    assert_eq!(told.len(), LINES);
    let mut seen = [HashMap::new(), HashMap::new()];
    let mut statuses: HashMap<u64, usize> = HashMap::new();
    let mut replayed = 0;
    for (number, (pair, line)) in pairs.iter().zip(&mut told).enumerate() {
        let mut ask = pair.alone.clone();
        ask.path = in_other(&ask.path);
        let mut expected = as_line(&alone.ask(&ask));
        plain(&mut expected, &mut seen[0]);
        plain(line, &mut seen[1]);
        assert_eq!(*line, expected, "line {number}: {}", pair.line);
        *statuses.entry(line["status"].as_u64().expect("a status")).or_default() += 1;
        replayed += usize::from(line["replayed"] == true);
    }
    // The mix is one.
    for status in [200, 201, 400, 404, 409, 412, 422, 428] {
        assert!(statuses.contains_key(&status), "{statuses:?}");
    }
    assert!(replayed > 100, "{replayed} answers were replayed");
    let mut books = [batch.get("/v1/skus"), alone.get("/v1/skus")];
    for (book, seen) in books.iter_mut().zip(&mut seen) {
        plain(book, seen);
    }
    assert_eq!(books[0], books[1], "both servers hold the same");
}
