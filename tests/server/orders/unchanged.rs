//! Writes that find everything as they want it, and what else an answer to a write says: no event,
//! a key that is remembered all the same, the stamp of the decision, and the end of what is
//! remembered.

use crate::TARGET;
use crate::feed::reading::{pages, sequence};
use crate::snapshots::pruning;
use crate::snapshots::taking::take_snapshot;
use doorbuster::engine::replay;
use doorbuster_journal::{DumpContent, dump};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::path::Path;

fn last_event(client: &mut Client) -> Value {
    pages(client, "0", 1000).0.pop().expect("an event")
}

#[test]
fn an_adjustment_to_the_same_number_is_remembered_and_no_event() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let put = client.put_sku("s", &json!({"stock": 5}));
    let body = json!({"stock": 5, "reason": "recount"});
    let ask = Ask::post("/v1/skus/s/adjust", &body).header("If-Match", "*").key("recount");
    let first = client.ask(&ask);
    let told = first.expect(200);
    assert_eq!((&told["version"], &told["total"]), (&put["version"], &json!(5)));
    assert!(told["seq"].as_u64() > put["seq"].as_u64(), "it is remembered by a record: {told}");
    let (events, _) = pages(client, "0", 1000);
    assert_eq!(events.len(), 1, "{events:?}");
    // A number that is another is an event again, and the first answer stays what it was.
    let more = json!({"stock": 6, "reason": "found"});
    let more = Ask::post("/v1/skus/s/adjust", &more).header("If-Match", "*").key("found");
    let changed = client.ask(&more).expect(200);
    assert_eq!(changed["version"], changed["seq"]);
    assert_eq!(last_event(client)["type"], "doorbuster.sku.adjusted");
    for round in 0..2 {
        let again = client.ask(&ask);
        assert!(again.is_replayed() && again.body == first.body, "{round}: {again:?}");
        assert_eq!(client.get("/v1/requests/recount")["body"], told);
        if round == 0 {
            client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
        }
    }
    let stopped = server.stop().stopped();
    let server = TARGET.launch(data.path()).small().start();
    assert!(server.connect().ask(&ask).is_replayed(), "over a restart too");
    assert!(server.stop().stopped().sequence > stopped.sequence);
}

#[test]
fn no_write_that_finds_all_as_it_wants_it_is_an_event() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5, "hold_ms": 60_000}));
    let draw = json!({"prizes": [{"sku": "s", "weight": 1}], "blank_weight": 1});
    client.ask(&Ask::put("/v1/draws/d", &draw)).expect(201);
    client.put_sku("t", &json!({"stock": 5}));
    let order = client.ask(&Ask::order("o", "u", "t", 1)).expect(201);
    let order = order["id"].as_str().expect("an id");
    client.ask(&Ask::act(order, "confirm")).expect(200);
    client.ask(&Ask::new("POST", "/v1/draws/d/close")).expect(200);
    let before = pages(client, "0", 1000);
    let same = [
        Ask::put("/v1/skus/s", &json!({"stock": 5, "hold_ms": 60_000})),
        Ask::new("PATCH", "/v1/skus/s").json(r#"{"hold_ms":60000,"paused":false}"#),
        Ask::post("/v1/skus/s/adjust", &json!({"stock": 5, "reason": "r"}))
            .header("If-Match", "*")
            .key("adjust"),
        Ask::put("/v1/draws/d", &draw),
        Ask::act(order, "confirm").key("confirm"),
        Ask::act(order, "confirm"),
        Ask::new("POST", "/v1/draws/d/close").key("close"),
        Ask::new("POST", "/v1/draws/d/close"),
    ];
    for ask in &same {
        client.ask(ask).expect(200);
    }
    let line = r#"{"op":"sku","sku":"s","stock":5,"hold_ms":60000}"#;
    assert_eq!(client.ask(&Ask::batch(line)).json()["status"], 200);
    assert_eq!(pages(client, "0", 1000).0, before.0);
}

#[test]
fn the_now_of_a_write_is_the_stamp_that_followers_see() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let put = Ask::put("/v1/skus/s", &json!({"stock": 5}));
    let put_again = Ask::put("/v1/skus/s", &json!({"stock": 6})).header("If-Match", "*");
    let patch = Ask::new("PATCH", "/v1/skus/s").json(r#"{"hold_ms":5000}"#);
    let adjust = Ask::post("/v1/skus/s/adjust", &json!({"delta": 1, "reason": "r"})).key("a");
    let draw = |most| json!({"prizes": [{"sku": "s", "weight": 1}], "blank_weight": 1, "entries_per_user": most});
    let put_draw = Ask::put("/v1/draws/d", &draw(1));
    let put_draw_again = Ask::put("/v1/draws/d", &draw(2)).header("If-Match", "*");
    let close = Ask::new("POST", "/v1/draws/d/close");
    for ask in [put, put_again, patch, adjust, put_draw, put_draw_again, close] {
        let answer = client.ask(&ask);
        let told = answer.json();
        assert!(answer.status < 300, "{told}");
        let event = last_event(client);
        assert_eq!(sequence(event["id"].as_str().expect("an id")), told["seq"], "{ask:?}");
        assert_eq!(event["time"], told["now"], "{ask:?}");
    }
}

/// The first record that the journal still holds.
fn first_sequence(data: &Path) -> u64 {
    let disk = replay::open(&replay::journal_directory(data)).expect("there is a journal");
    let mut first = None;
    let mut visit = |item: &doorbuster_journal::DumpItem<'_>| {
        if let DumpContent::Frame { frame, .. } = &item.content
            && frame.count() > 0
        {
            first.get_or_insert(frame.first_sequence());
        }
        Ok(())
    };
    dump(&disk, &mut visit).expect("it reads");
    first.expect("a record")
}

#[test]
fn going_on_from_the_oldest_place_skips_nothing_that_is_kept() {
    let data = TARGET.directory();
    let server = pruning::launch(data.path()).start();
    let client = &mut server.connect();
    pruning::fill_segments(client, data.path(), 3);
    let (all, _) = pages(client, "0", 1000);
    let refused = wait::until("the first segment goes", || {
        client.put_sku("more", &json!({"stock": 1}));
        client.ask(&Ask::new("DELETE", "/v1/skus/more").header("If-Match", "*"));
        take_snapshot(client);
        let answer = client.ask(&Ask::get("/v1/events?after=0"));
        (answer.status == 410).then(|| answer.problem(410, "compacted"))
    });
    let oldest = sequence(refused["oldest"].as_str().expect("a place"));
    assert_eq!(oldest + 1, first_sequence(data.path()), "the place before the first record");
    let (kept, _) = pages(client, &oldest.to_string(), 1000);
    let id = |event: &Value| sequence(event["id"].as_str().expect("an id"));
    let known: Vec<&Value> = all.iter().filter(|event| id(event) > oldest).collect();
    assert!(!known.is_empty() && known.len() < all.len());
    assert!(kept.iter().zip(&known).all(|(kept, known)| kept == *known));
    assert!(kept.len() >= known.len());
    let before = format!("/v1/events?after={}", oldest - 1);
    let again = client.ask(&Ask::get(before)).problem(410, "compacted");
    assert_eq!(again["oldest"], refused["oldest"]);
}

#[test]
fn a_key_is_remembered_at_least_as_long_as_told() {
    const RETAIN_MS: u64 = 1_500;
    let data = TARGET.directory();
    let retain = RETAIN_MS.to_string();
    let launch = TARGET.launch(data.path()).small();
    let launch = launch.variable("IDEMPOTENCY_RETAIN_MS", &retain);
    let server = launch.variable("ORDERS_RETAIN_MS", &retain).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    let instant = |value: &Value| {
        let text = value.as_str().expect("an instant");
        text.parse::<jiff::Timestamp>().expect("RFC 3339").as_millisecond()
    };
    let asks = [Ask::order("one", "u", "s", 1), Ask::order("two", "u", "s", 1)];
    let created = asks.each_ref().map(|ask| instant(&client.ask(ask).expect(201)["created_at"]));
    for (key, created) in ["one", "two"].iter().zip(created) {
        wait::until("the key is forgotten", || {
            // Before the look, so that the look is later than this says.
            let answer = client.ask(&Ask::get(format!("/v1/requests/{key}")));
            if answer.status == 200 {
                return None;
            }
            answer.problem(404, "unknown_request");
            let now = instant(&client.get("/v1/skus/s")["now"]);
            assert!(now >= created + RETAIN_MS as i64, "{key} went after {}", now - created);
            Some(())
        });
    }
}
