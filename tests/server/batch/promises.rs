//! `POST /v1/batch` (API 5): its keys, its order, its bounds.
//!
//! Owns what a batch promises beyond its lines. That each line is answered as if it had been sent
//! alone is in `alone`, what happens to a stream at fault in `faults`.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::thread;

/// The lines of an answered batch.
pub(crate) fn answers(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("Content-Type"), Some("application/x-ndjson"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let text = std::str::from_utf8(&answer.body).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(line).collect()
}

/// The line of an order of one unit.
pub(crate) fn order(key: &str, user: &str, sku: &str) -> String {
    let lines = json!([{"sku": sku, "qty": 1}]);
    json!({"op": "order", "key": key, "user": user, "lines": lines}).to_string()
}

pub(crate) fn orders(prefix: &str, count: usize) -> String {
    let line = |number| order(&format!("{prefix}-{number}"), &format!("{prefix}-{number}"), "s");
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn lines_are_decided_one_after_another_and_see_those_before() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let lines = [
        r#"{"op":"sku","sku":"s","stock":1}"#.to_owned(),
        String::new(),
        order("a", "anna", "s"),
        order("b", "ben", "s"),
        r#"{"op":"adjust","sku":"s","key":"more","delta":1,"reason":"found one"}"#.to_owned(),
        "   ".to_owned(),
        order("b", "ben", "s"),
        order("a", "anna", "s"),
    ];
    let told = answers(&client.ask(&Ask::batch(&lines.join("\r\n"))));
    let statuses: Vec<u64> = told.iter().map(|line| number(&line["status"])).collect();
    assert_eq!(statuses, [201, 201, 409, 200, 201, 201], "{told:?}");
    assert_eq!(told[2]["body"]["code"], "sold_out");
    assert_eq!(told[5]["replayed"], true);
    assert_eq!(told[5]["body"], told[1]["body"]);
    let decided: Vec<u64> = told[..5].iter().map(|line| number(&line["body"]["seq"])).collect();
    assert!(decided.is_sorted(), "{decided:?}");
    assert_eq!(answers(&client.ask(&Ask::batch(""))), Vec::<Value>::new());
    assert_eq!(answers(&client.ask(&Ask::batch("\n \n\n"))), Vec::<Value>::new());
    assert_eq!(client.get("/v1/skus/s")["available"], 0);
}

/// A line and the same request alone have one answer and keep it over a kill.
#[test]
fn a_line_and_the_same_request_alone_have_one_answer() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 100}));
    let alone = client.ask(&Ask::order("alone", "u1", "s", 1));
    let id = alone.expect(201)["id"].as_str().expect("an id").to_owned();
    let adjust = json!({"stock": 90, "reason": "recount"});
    let adjust = || Ask::post("/v1/skus/s/adjust", &adjust).key("count").header("If-Match", "*");
    let adjusted = client.ask(&adjust());
    adjusted.expect(200);
    let confirm = json!({"op": "confirm", "key": "paid", "id": id}).to_string();
    let lines = [
        order("alone", "u1", "s"),
        order("\"alone\"", "u1", "s"),
        order("line", "u2", "s"),
        r#"{"op":"adjust","sku":"s","key":"count","if_match":"*","stock":90,"reason":"recount"}"#
            .to_owned(),
        confirm,
        order("alone", "u3", "s"),
    ];
    let batch = client.ask(&Ask::batch(&lines.join("\n")));
    let told = answers(&batch);
    let texts: Vec<&str> = std::str::from_utf8(&batch.body).expect("UTF-8").lines().collect();
    let replayed = |answer: &Answer| {
        let body = std::str::from_utf8(&answer.body).expect("UTF-8");
        format!("{{\"status\":{},\"body\":{body},\"replayed\":true}}", answer.status)
    };
    assert_eq!(texts[0], replayed(&alone));
    assert_eq!(texts[1], replayed(&alone));
    assert_eq!(texts[3], replayed(&adjusted));
    assert_eq!(
        (&told[4]["status"], &told[4]["body"]["status"]),
        (&json!(200), &json!("confirmed"))
    );
    assert_eq!(told[5]["body"]["code"], "idempotency_key_reused");

    server.kill();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let again = client.ask(&Ask::order("line", "u2", "s", 1));
    assert!(again.is_replayed());
    assert_eq!(texts[2].replace("\"replayed\":false", "\"replayed\":true"), replayed(&again));
    let again = client.ask(&Ask::act(&id, "confirm").key("paid"));
    assert!(again.is_replayed());
    assert_eq!(again.json(), told[4]["body"]);
    client.ask(&Ask::act(&id, "cancel").key("paid")).problem(422, "idempotency_key_reused");
}

/// Far more lines than the ring has places, from several connections, while single requests go on:
/// everything is read as room comes, and nothing is refused for want of it.
#[test]
fn a_full_ring_slows_batches_and_refuses_no_line() {
    const BATCHES: usize = 6;
    const LINES: usize = 10_000;
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().argument("--io-threads").argument("2").start();
    server.connect().put_sku("s", &json!({"stock": 1_000_000}));
    let address = server.address;
    thread::scope(|scope| {
        for number in 0..BATCHES {
            scope.spawn(move || {
                let mut client = Client::connect(address).expect("a connection");
                let lines = orders(&format!("b{number}"), LINES);
                // Everything is sent before anything is read.
                let told = answers(&client.ask(&Ask::batch(&lines)));
                assert_eq!(told.len(), LINES);
                for (at, line) in told.iter().enumerate() {
                    // A spare segment may be in the making, which is another matter.
                    let made = line["status"] == 201 || line["body"]["code"] == "no_space";
                    assert!(made, "{line}");
                    if line["status"] == 201 {
                        assert_eq!(line["body"]["user"], format!("b{number}-{at}"));
                    }
                }
            });
        }
        scope.spawn(move || {
            let mut client = Client::connect(address).expect("a connection");
            for number in 0..200 {
                let answer = client.ask(&Ask::order(&format!("k{number}"), "single", "s", 1));
                let answered = answer.status != 503 || answer.json()["code"] == "no_space";
                assert!(answered, "{answer:?}");
            }
        });
    });
    let sku = server.connect().get("/v1/skus/s");
    let orders = wait::until("all keys count", || {
        server.connect().get("/v1/status")["tables"]["orders"]["used"].as_u64()
    });
    assert_eq!(number(&sku["held"]), orders);
}
