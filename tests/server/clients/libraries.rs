//! What common client libraries send beyond what the contract's own examples show.
//!
//! Owns lists of entity tags, bodies that say nothing, merge patches, and offers of other
//! protocols. The libraries themselves sell a unit in `tests/outside`. Next: `protocol`.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

fn shop() -> (TempDir, Server, Client) {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let mut client = server.connect();
    client.put_sku("s", &json!({"stock": 100}));
    (data, server, client)
}

fn version(client: &mut Client) -> u64 {
    client.get("/v1/skus/s")["version"].as_u64().expect("a version")
}

#[test]
fn one_tag_of_a_list_that_is_the_version_is_enough() {
    let (_data, server, mut client) = shop();
    let list = |version: u64| format!("\"1\", W/\"{version}\", \"{version}\",\"x\"");
    let put = |stock: u64| Ask::put("/v1/skus/s", &json!({"stock": stock}));
    let now = version(&mut client);
    client.ask(&put(101).header("If-Match", &list(now))).expect(200);
    client.ask(&put(102).header("If-Match", &list(now))).problem(412, "version_mismatch");
    let now = version(&mut client);
    let weak = format!("W/\"{now}\"");
    client.ask(&put(102).header("If-Match", &weak)).problem(412, "version_mismatch");
    let two = put(102).header("If-Match", "\"1\"").header("If-Match", &format!("\"{now}\""));
    client.ask(&two).expect(200);
    // None of a list, for what is there and what is not.
    let now = version(&mut client);
    let none = format!("\"1\", \"{now}\"");
    client.ask(&put(102).header("If-None-Match", &none)).problem(412, "version_mismatch");
    client.ask(&put(103).header("If-None-Match", "\"1\"")).problem(428, "if_match_required");
    let new = Ask::put("/v1/skus/new", &json!({"stock": 1})).header("If-None-Match", &none);
    client.ask(&new).expect(201);
    let gone = Ask::new("DELETE", "/v1/skus/new").header("If-Match", "*");
    client.ask(&gone.clone().header("If-None-Match", "*")).problem(400, "malformed");
    assert_eq!(client.ask(&gone).status, 204);
    // A keyed one is known again by its list.
    let adjust = |tags: &str| {
        let body = json!({"stock": 50, "reason": "recount"});
        Ask::post("/v1/skus/s/adjust", &body).key("count").header("If-Match", tags)
    };
    let tags = list(version(&mut client));
    let first = client.ask(&adjust(&tags));
    assert_eq!(first.expect(200)["total"], 50);
    let again = client.ask(&adjust(&tags.replace(", ", " ,,")));
    assert!(again.is_replayed() && again.body == first.body, "{again:?}");
    client.ask(&adjust("\"1\", \"2\"")).problem(422, "idempotency_key_reused");
    // What was decided by a list is decided the same again.
    let line = json!({"op": "adjust", "sku": "s", "key": "line", "delta": 1, "reason": "r",
                      "if_match": list(version(&mut client))});
    let answer = client.ask(&Ask::batch(&line.to_string()));
    let told: Value = serde_json::from_slice(&answer.body).expect("one line");
    assert_eq!(told["status"], 200, "{told}");
    server.stop().stopped();
}

#[test]
fn a_body_that_says_nothing_is_an_empty_object() {
    let (_data, _server, mut client) = shop();
    let bare = |id: &str, action: &str, body: Option<&str>, media_type: Option<&str>| {
        let mut ask = Ask::act(id, action);
        ask.body = body.map(str::to_owned);
        media_type.into_iter().fold(ask, |ask, named| ask.header("Content-Type", named))
    };
    let json = Some("application/json");
    let ways = [
        (None, None),
        (None, json),
        (Some(""), None),
        (Some(""), json),
        (Some(""), Some("application/x-www-form-urlencoded")),
        (Some("null"), json),
        (Some(" null\n"), Some("application/json; charset=utf-8")),
        (Some("{}"), json),
    ];
    for (number, (body, media_type)) in ways.into_iter().enumerate() {
        let name = format!("k{number}");
        let order = client.ask(&Ask::order(&name, &name, "s", 1)).expect(201);
        let id = order["id"].as_str().expect("an id").to_owned();
        for action in ["confirm", "ship", "complete", "refund"] {
            client.ask(&bare(&id, action, body, media_type)).expect(200);
        }
        let order = client.ask(&Ask::order(&format!("{name}c"), &name, "s", 1)).expect(201);
        let id = order["id"].as_str().expect("an id").to_owned();
        client.ask(&bare(&id, "cancel", body, media_type)).expect(200);
    }
    client.ask(&Ask::new("POST", "/v1/admin/read-write").json("null")).expect(200);
    client
        .ask(&Ask::new("POST", "/v1/skus/s/adjust").json("null").key("a"))
        .problem(400, "malformed");
    client.ask(&Ask::new("POST", "/v1/orders").json("null").key("b")).problem(400, "malformed");
    client.ask(&Ask::new("PUT", "/v1/skus/s").json("null")).problem(400, "malformed");
}

#[test]
fn a_merge_patch_is_taken_where_a_patch_is() {
    let (_data, _server, mut client) = shop();
    let merge = |method, body: &str| {
        let mut ask = Ask::new(method, "/v1/skus/s");
        ask.body = Some(body.to_owned());
        ask.header("Content-Type", "application/merge-patch+json")
    };
    assert_eq!(client.ask(&merge("PATCH", r#"{"paused":true}"#)).expect(200)["paused"], true);
    assert_eq!(client.ask(&merge("PATCH", r#"{"paused":null}"#)).expect(200)["paused"], false);
    client.ask(&merge("PUT", r#"{"stock":1}"#)).problem(415, "unsupported_media_type");
}

/// Offers of other protocols are ignored and the connection goes on.
#[test]
fn offers_of_other_protocols_are_ignored() {
    let (_data, _server, mut client) = shop();
    for (name, value) in [
        ("Upgrade", "h2c"),
        ("Upgrade", "websocket"),
        ("Upgrade", "TLS/1.2, HTTP/2.0"),
        ("Connection", "keep-alive, Upgrade"),
        ("TE", "trailers"),
        ("Keep-Alive", "timeout=5, max=100"),
        ("Proxy-Connection", "keep-alive"),
        ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
    ] {
        client.ask(&Ask::get("/livez").header(name, value)).expect(200);
    }
    let offer = Ask::order("k", "u", "s", 1)
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA");
    let answer = client.ask(&offer);
    answer.expect(201);
    assert_eq!((answer.header("Upgrade"), answer.header("Connection")), (None, None));
    client.get("/livez");
}
