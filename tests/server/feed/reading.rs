//! `GET /v1/events` (API 5): pages and streams, places and what becomes of them.
//!
//! Owns the ways to read the feed. That no event is lost however often reader and server are
//! killed is in `kills`, that readers cost buyers nothing in `crowd`.

use crate::TARGET;
use crate::feed::rebuilt::{Rebuilt, shown};
use crate::snapshots::pruning;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;

/// A connection on which events come.
pub(crate) struct Follower {
    client: Client,
    begun: Vec<u8>,
}

pub(crate) fn follow(after: &str) -> Ask {
    Ask::get(format!("/v1/events?after={after}")).header("Accept", "application/x-ndjson")
}

impl Follower {
    pub(crate) fn begin(address: SocketAddr, ask: &Ask) -> io::Result<Self> {
        let mut client = Client::connect(address)?;
        client.write(&ask.bytes())?;
        let head = client.head()?;
        if head.status != 200 {
            return Err(io::Error::other(format!("{head:?}")));
        }
        Ok(Self { client, begun: Vec::new() })
    }

    /// The next line that is not blank; none at the end of the stream.
    pub(crate) fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.begun.drain(..=end).collect();
                let line = String::from_utf8(line).expect("UTF-8");
                if !line.trim().is_empty() {
                    return Ok(Some(line.trim_end().to_owned()));
                }
                continue;
            }
            match self.client.chunk()? {
                Some(chunk) => self.begun.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    pub(crate) fn event(&mut self) -> io::Result<Option<Value>> {
        let line = self.line()?;
        Ok(line.map(|line| serde_json::from_str(&line).expect("an event is JSON")))
    }
}

/// All events behind a place, page by page, and the place behind the last.
pub(crate) fn pages(client: &mut Client, after: &str, limit: usize) -> (Vec<Value>, String) {
    let (mut events, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = client.get(&format!("/v1/events?after={after}&limit={limit}"));
        let found = page["events"].as_array().expect("events");
        assert!(found.len() <= limit);
        events.extend(found.iter().cloned());
        let next = page["next_after"].as_str().expect("a place").to_owned();
        if next == after || page["seq"].as_u64() == Some(sequence(&next)) {
            return (events, next);
        }
        after = next;
    }
}

/// What the ids of one start of the server begin with.
pub(crate) fn life(id: &str) -> &str {
    id.split('-').next().expect("an id has two parts")
}

/// The sequence in an id.
pub(crate) fn sequence(id: &str) -> u64 {
    id.rsplit('-').next().and_then(|text| text.parse().ok()).expect("a sequence")
}

/// A bit of everything that moves units. A SKU goes and comes again while an order names it.
fn trade(client: &mut Client) {
    for (sku, stock) in [("a", 100), ("b", 100), ("gone", 10)] {
        client.put_sku(sku, &json!({"stock": stock}));
    }
    let order = |client: &mut Client, key: &str, body: Value| -> String {
        let order = client.ask(&Ask::post("/v1/orders", &body).key(key)).expect(201);
        order["id"].as_str().expect("an id").to_owned()
    };
    let two = json!([{"sku": "a", "qty": 3}, {"sku": "b", "qty": 2}]);
    let held = order(client, "held", json!({"user": "u1", "lines": two}));
    let sold = order(client, "sold", json!({"user": "u2", "lines": two, "confirm": true}));
    let back = order(client, "back", json!({"user": "u3", "lines": two, "reference": "r\"1"}));
    let short = order(client, "short", json!({"user": "u4", "lines": two, "hold_ms": 1}));
    let bound = json!({"user": "u5", "lines": [{"sku": "gone", "qty": 4}], "confirm": true});
    let bound = order(client, "bound", bound);
    client.ask(&Ask::order("none", "u6", "a", 1_000)).problem(409, "sold_out");
    client.ask(&Ask::act(&back, "extend").json(r#"{"hold_ms":400000}"#)).expect(200);
    client.ask(&Ask::act(&back, "confirm")).expect(200);
    client.ask(&Ask::act(&back, "confirm").key("again")).expect(200);
    client.ask(&Ask::act(&held, "cancel")).expect(200);
    for action in ["ship", "complete"] {
        client.ask(&Ask::act(&sold, action)).expect(200);
    }
    let part = r#"{"lines":[{"sku":"a","qty":1}],"restock":false}"#;
    client.ask(&Ask::act(&sold, "refund").json(part).key("part")).expect(200);
    client.ask(&Ask::act(&back, "refund")).expect(200);
    wait::until("the hold runs out", || {
        (client.get(&format!("/v1/orders/{short}"))["status"] == "expired").then_some(())
    });
    let again = Ask::act(&short, "confirm").json(r#"{"if_expired":"reacquire"}"#);
    client.ask(&again).expect(200);
    let delete = Ask::new("DELETE", "/v1/skus/gone").header("If-Match", "*");
    assert_eq!(client.ask(&delete).status, 204);
    client.put_sku("gone", &json!({"stock": 7}));
    client.ask(&Ask::act(&bound, "refund")).expect(200);
    client.ask(&Ask::new("PATCH", "/v1/skus/b").json(r#"{"paused":true}"#)).expect(200);
    let put = Ask::put("/v1/skus/b", &json!({"stock": 90})).header("If-Match", "*");
    client.ask(&put).expect(200);
    let adjust = Ask::post("/v1/skus/a/adjust", &json!({"delta": -2, "reason": "broken"}));
    client.ask(&adjust.key("adjust")).expect(200);
    draw(client);
}

/// Prizes that go by odds; one of them is confirmed.
fn draw(client: &mut Client) {
    client.put_sku("prize", &json!({"stock": 3}));
    let body = json!({"prizes": [{"sku": "prize", "weight": 1}], "blank_weight": 1});
    client.ask(&Ask::put("/v1/draws/spring", &body)).expect(201);
    let mut won = Vec::new();
    for user in 0..12 {
        let body = json!({"user": format!("lucky-{user}"), "client_seed": "of my own"});
        let ask = Ask::post("/v1/draws/spring/entries", &body).key(&format!("entry-{user}"));
        let entry = client.ask(&ask).expect(201);
        won.extend(entry["order"]["id"].as_str().map(str::to_owned));
    }
    // Once in four thousand times nobody wins.
    if let Some(order) = won.first() {
        client.ask(&Ask::act(order, "confirm")).expect(200);
    }
    client.ask(&Ask::new("POST", "/v1/draws/spring/close")).expect(200);
    assert_eq!(client.ask(&Ask::new("DELETE", "/v1/draws/spring")).status, 204);
}

fn open(data: &tempfile::TempDir) -> Server {
    let server = TARGET.launch(data.path()).small().start();
    trade(&mut server.connect());
    server
}

#[test]
fn the_stock_can_be_rebuilt_from_the_feed_alone() {
    let data = TARGET.directory();
    let server = open(&data);
    let client = &mut server.connect();
    let (events, end) = pages(client, "0", 1000);
    let mut rebuilt = Rebuilt::default();
    events.iter().for_each(|event| rebuilt.take(event));
    let skus = client.get("/v1/skus");
    assert_eq!(rebuilt.counts(), shown(skus["skus"].as_array().expect("SKUs")));
    assert_eq!(sequence(&end), skus["seq"].as_u64().expect("a sequence"));
    // Every kind but the two that need time or a restart.
    assert_eq!(rebuilt.types.len(), 17, "{:?}", rebuilt.types);
    let ids: Vec<u64> =
        events.iter().map(|event| sequence(event["id"].as_str().expect("an id"))).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

#[test]
fn pages_lines_and_server_sent_events_hold_the_same() {
    let data = TARGET.directory();
    let server = open(&data);
    let client = &mut server.connect();
    let (events, end) = pages(client, "0", 1000);
    for limit in [1, 2, 7, 100] {
        assert_eq!(pages(client, "0", limit), (events.clone(), end.clone()), "pages of {limit}");
    }
    for (at, event) in events.iter().enumerate() {
        let id = event["id"].as_str().expect("an id");
        let rest = pages(client, id, 1000).0;
        assert_eq!(rest, events[at + 1..], "behind {id}");
        let by_sequence = pages(client, &sequence(id).to_string(), 3).0;
        assert_eq!(by_sequence, events[at + 1..], "behind {id}");
    }
    let mut lines = Follower::begin(server.address, &follow("0")).expect("a stream");
    for event in &events {
        assert_eq!(lines.event().expect("a line").as_ref(), Some(event));
    }
    let last_seen = events[2]["id"].as_str().expect("an id");
    let ask = Ask::get("/v1/events?after=0").header("Accept", "text/event-stream");
    let ask = ask.header("Last-Event-ID", last_seen);
    let mut sent = Follower::begin(server.address, &ask).expect("a stream");
    for event in &events[3..] {
        let id = format!("id: {}", event["id"].as_str().expect("an id"));
        assert_eq!(sent.line().expect("a line"), Some(id));
        let data = sent.line().expect("a line").expect("it goes on");
        let data = data.strip_prefix("data: ").expect("a data line");
        assert_eq!(serde_json::from_str::<Value>(data).expect("JSON"), *event);
    }
    // Both go on with what happens next.
    client.put_sku("new", &json!({"stock": 1}));
    let event = lines.event().expect("a line").expect("it goes on");
    assert_eq!(
        (&event["type"], &event["subject"]),
        (&json!("doorbuster.sku.put"), &json!("skus/new"))
    );
    assert_eq!(
        sent.line().expect("a line"),
        Some(format!("id: {}", event["id"].as_str().expect("an id")))
    );
}

#[test]
fn an_event_is_a_cloud_event_and_carries_its_trace() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let put = Ask::put("/v1/skus/s", &json!({"stock": 5})).header("traceparent", trace);
    let sku = client.ask(&put).expect(201);
    let order = client.ask(&Ask::order("k", "u", "s", 2)).expect(201);
    let (events, _) = pages(client, "0", 10);
    let [first, second] = &events[..] else { panic!("{events:?}") };
    let (life, _) = order["id"].as_str().and_then(|id| id.split_once('-')).expect("an id");
    let id = format!("{life}-{}", sku["seq"]);
    assert_eq!((&first["id"], &first["traceparent"]), (&json!(id), &json!(trace)));
    assert_eq!(second["traceparent"], Value::Null);
    assert_eq!(
        (&second["specversion"], &second["datacontenttype"]),
        (&json!("1.0"), &json!("application/json"))
    );
    assert_eq!(
        (&second["type"], &second["time"]),
        (&json!("doorbuster.order.created"), &order["created_at"])
    );
    assert_eq!(second["subject"], format!("orders/{}", order["id"].as_str().expect("an id")));
    assert!(
        second["source"].as_str().is_some_and(|uri| uri.starts_with("urn:doorbuster:journal:"))
    );
    assert_eq!(first["source"], second["source"]);
    let lines = json!([{"sku": "s", "qty": 2}]);
    let mut expected = json!({"lines": lines, "seq": order["seq"]});
    for name in ["id", "user", "status", "reference", "created_at", "expires_at"] {
        expected[name] = order[name].clone();
    }
    assert_eq!(second["data"], expected);
}

/// A place ahead is empty and one of another history is told from it.
#[test]
fn a_place_ahead_differs_from_one_of_another_history() {
    let data = TARGET.directory();
    open(&data).kill();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let (events, end) = pages(client, "0", 1000);
    let (last, life) = (sequence(&end), life(&end));
    let ahead = last + 1000;
    for after in [end.clone(), last.to_string(), format!("{life}-{ahead}"), ahead.to_string()] {
        let page = client.get(&format!("/v1/events?after={after}"));
        assert_eq!((&page["events"], &page["seq"]), (&json!([]), &json!(last)), "{after}");
        // A sequence alone is answered with a place of this start, which no other will have.
        let next = page["next_after"].as_str().expect("a place");
        assert_eq!((self::life(next), sequence(next)), (life, sequence(&after)));
    }
    let first = events[0]["id"].as_str().expect("an id");
    let (before, first) = (self::life(first), sequence(first));
    assert_ne!(before, life, "each start has a life of its own");
    let others = [
        format!("{before}-{last}"),
        format!("{life}-{first}"),
        format!("{before}-{}", last + 1),
        format!("{life}-0"),
        // What a version from before would have called the same places, and a life of no start.
        format!("1-{first}"),
        format!("2-{last}"),
        format!("3-{ahead}"),
        format!("zzzzzzzz-{first}"),
    ];
    for after in others {
        for ask in [Ask::get(format!("/v1/events?after={after}")), follow(&after)] {
            client.ask(&ask).problem(410, "diverged");
        }
    }
    for shapeless in ["now".to_owned(), end.to_uppercase(), format!("{life}-0{last}")] {
        client.ask(&Ask::get(format!("/v1/events?after={shapeless}"))).problem(422, "invalid");
    }
    client.ask(&Ask::get("/v1/events?limit=1001")).problem(422, "invalid");
    let refused = client.ask(&Ask::post("/v1/events", &json!({})));
    refused.problem(405, "method_not_allowed");
    assert_eq!(refused.header("Allow"), Some("GET, HEAD, OPTIONS"));
    let head = client.ask(&Ask::new("HEAD", "/v1/events"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_place_that_was_pruned_is_compacted_and_says_what_is_left() {
    let data = TARGET.directory();
    let server = pruning::launch(data.path()).start();
    let client = &mut server.connect();
    pruning::fill_segments(client, data.path(), 4);
    let (all, _) = pages(client, "0", 1000);
    let mut more = 0;
    let oldest = wait::until("the first segment goes", || {
        client.ask(&Ask::order(
            &format!("more-{more}"),
            &format!("m{more}"),
            &doorbuster_test_support::wide::sku(0),
            1,
        ));
        more += 1;
        crate::snapshots::taking::take_snapshot(client);
        let answer = client.ask(&Ask::get("/v1/events?after=0"));
        (answer.status != 200).then(|| answer.problem(410, "compacted")["oldest"].clone())
    });
    let oldest = oldest.as_str().expect("a place");
    assert_eq!(life(oldest), life(all[0]["id"].as_str().expect("an id")));
    client.ask(&follow("0")).problem(410, "compacted");
    client.ask(&Ask::get("/v1/events")).problem(410, "compacted");
    let before = (sequence(oldest) - 1).to_string();
    client.ask(&Ask::get(format!("/v1/events?after={before}"))).problem(410, "compacted");
    let (left, _) = pages(client, oldest, 1000);
    let expected =
        all.iter().filter(|event| event["data"]["seq"].as_u64() > Some(sequence(oldest)));
    let expected: Vec<&Value> = expected.collect();
    assert!(!expected.is_empty() && expected.len() < all.len());
    assert_eq!(left.iter().take(expected.len()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_stop_ends_streams_in_good_order() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    server.connect().put_sku("s", &json!({"stock": 5}));
    let mut streams: Vec<Follower> = ["0", "1000000"]
        .into_iter()
        .map(|after| Follower::begin(server.address, &follow(after)).expect("a stream"))
        .collect();
    assert!(streams[0].event().expect("a line").is_some());
    server.terminate();
    for stream in &mut streams {
        assert_eq!(stream.line().expect("it ends as it should"), None);
    }
    server.wait().stopped();
}
