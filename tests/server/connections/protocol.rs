//! Requests that are wrong, over bare sockets: the right status and code, and a connection that
//! stays usable, or says that it does not (API 1, "Answers").
//!
//! Owns shape and framing as seen from outside. The parser has finer tests beside its code. Next:
//! `operations`.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use serde_json::json;
use tempfile::TempDir;

const BODY_BYTES_MAX: usize = 64 * 1024;

/// A server with one SKU, `s`.
fn shop() -> (TempDir, Server, Client) {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let mut client = server.connect();
    client.put_sku("s", &json!({"stock": 100}));
    (data, server, client)
}

#[track_caller]
fn check_usable(client: &mut Client, after: &Answer) {
    assert_eq!(after.header("Connection"), None, "{after:?}");
    client.ask(&Ask::get("/livez")).expect(200);
}

/// Refused, and the same connection answers the next request.
#[track_caller]
fn check(client: &mut Client, ask: &Ask, status: u16, code: &str) -> Answer {
    let answer = client.ask(ask);
    answer.problem(status, code);
    check_usable(client, &answer);
    answer
}

fn order(body: &str) -> Ask {
    Ask::new("POST", "/v1/orders").json(body).key("k")
}

/// A body that is no order is refused with the reason and the connection stays.
#[test]
fn a_body_that_is_no_order_is_refused_and_the_connection_stays() {
    let (_data, _server, mut client) = shop();
    for body in [
        "",
        "{",
        "[]",
        "nonsense",
        r#"{"user":"u","lines":[{"sku":"s","qty":1}]} x"#,
        r#"{"user":"u","user":"u","lines":[{"sku":"s","qty":1}]}"#,
        r#"{"user":"u","lines":[{"sku":"s","qty":1,"qty":1}]}"#,
        r#"{"user":"u","lines":[{"sku":"s","qty":1.0}]}"#,
        r#"{"user":"u","lines":[{"sku":"s","qty":1e0}]}"#,
        r#"{"user":"u","lines":[{"sku":"s","qty":"1"}]}"#,
        r#"{"user":"u","lines":[{"sku":"s s","qty":1}]}"#,
        r#"{"user":"u","lines":[{"sku":"..","qty":1}]}"#,
        r#"{"user":"ü","lines":[{"sku":"s","qty":1}]}"#,
        r#"{"user":7,"lines":[{"sku":"s","qty":1}]}"#,
        r#"{"lines":[{"sku":"s","qty":1}]}"#,
        r#"{"user":null,"lines":[{"sku":"s","qty":1}]}"#,
        r#"{"user":"u"}"#,
    ] {
        check(&mut client, &order(body), 400, "malformed");
    }
    for body in [
        r#"{"user":"u","lines":[{"sku":"s","qty":1}],"colour":"red"}"#,
        r#"{"user":"u","lines":[{"sku":"s","qty":1,"price":5}]}"#,
    ] {
        check(&mut client, &order(body), 400, "unknown_field");
    }
    let many: Vec<_> = (0..17).map(|n| json!({"sku": format!("s{n}"), "qty": 1})).collect();
    for body in [
        r#"{"user":"u","lines":[]}"#.to_owned(),
        r#"{"user":"u","lines":[{"sku":"s","qty":0}]}"#.to_owned(),
        r#"{"user":"u","lines":[{"sku":"s","qty":1000001}]}"#.to_owned(),
        r#"{"user":"u","lines":[{"sku":"s","qty":1},{"sku":"s","qty":1}]}"#.to_owned(),
        r#"{"user":"u","lines":[{"sku":"s","qty":1}],"hold_ms":0}"#.to_owned(),
        r#"{"user":"u","lines":[{"sku":"s","qty":1}],"hold_ms":5,"confirm":true}"#.to_owned(),
        r#"{"user":"u","lines":[{"sku":"s","qty":1}],"reference":""}"#.to_owned(),
        json!({"user": "u", "lines": many}).to_string(),
    ] {
        let answer = check(&mut client, &order(&body), 422, "invalid");
        let errors = answer.json()["errors"].clone();
        let first = errors.get(0).unwrap_or_else(|| panic!("no errors in {answer:?}"));
        assert!(first["field"].is_string() && first["reason"].is_string(), "{answer:?}");
    }
    assert_eq!(client.get("/v1/skus/s")["available"], 100, "a refusal changes nothing");
}

#[test]
fn a_path_or_query_that_names_nothing_is_refused() {
    let (_data, _server, mut client) = shop();
    for path in ["/", "/v2/skus", "/v1", "/v1/skus/", "/v1/skus/s/", "/v1/orders/", "/livez/"] {
        // The root may serve the OpenAPI document.
        if path != "/" {
            check(&mut client, &Ask::get(path), 404, "not_found");
        }
    }
    for path in ["/v1/skus/%zz", "/v1/skus/%4", "/v1/skus/a%20b", "/v1/skus/%2e%2e", "/v1/skus/%ff"]
    {
        check(&mut client, &Ask::get(path), 400, "malformed");
    }
    for path in
        ["/v1/skus/s?verbose=1", "/v1/skus?colour=red", "/livez?x", "/v1/orders?limit=1&limit=2"]
    {
        let answer = client.ask(&Ask::get(path));
        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        assert!(["malformed", "unknown_field"].contains(&code.as_str()), "{path}: {answer:?}");
        answer.problem(400, &code);
        check_usable(&mut client, &answer);
    }
    for id in ["none", "1-999999", "999999999999-1", "1-1", "%2F"] {
        check(&mut client, &Ask::get(format!("/v1/orders/{id}")), 404, "unknown_order");
    }
    check(&mut client, &Ask::get("/v1/skus/unknown"), 404, "unknown_sku");
    // Decoded once, so an escaped letter is the letter.
    assert_eq!(client.get("/v1/skus/%73")["sku"], "s");
}

#[test]
fn a_wrong_method_is_405_with_what_is_allowed() {
    let (_data, _server, mut client) = shop();
    for (method, path, allowed) in [
        ("DELETE", "/v1/orders", "POST"),
        ("PUT", "/v1/orders", "GET"),
        ("POST", "/v1/skus/s", "PUT"),
        ("GET", "/v1/skus/s/adjust", "POST"),
        ("GET", "/v1/orders/1-1/confirm", "POST"),
        ("PATCH", "/livez", "GET"),
        ("BREW", "/v1/orders", "POST"),
    ] {
        let answer = check(&mut client, &Ask::new(method, path), 405, "method_not_allowed");
        let allow = answer.header("Allow").unwrap_or_else(|| panic!("no Allow: {answer:?}"));
        let mut listed = allow.split(", ");
        assert!(listed.any(|listed| listed == allowed) && !allow.contains(method), "{answer:?}");
    }
    let options = client.ask(&Ask::new("OPTIONS", "/v1/orders"));
    assert_eq!((options.status, options.body.len()), (204, 0));
    assert!(options.header("Allow").is_some_and(|allow| allow.contains("POST")), "{options:?}");
    check_usable(&mut client, &options);
    let (got, head) = (client.ask(&Ask::get("/livez")), client.ask(&Ask::new("HEAD", "/livez")));
    assert_eq!((head.status, head.header("Content-Length")), (200, got.header("Content-Length")));
    check_usable(&mut client, &head);
}

#[test]
fn a_body_must_say_that_it_is_json() {
    let (_data, _server, mut client) = shop();
    let mut bare = order(r#"{"user":"u","lines":[{"sku":"s","qty":1}]}"#);
    bare.headers.retain(|(name, _)| name != "Content-Type");
    check(&mut client, &bare, 415, "unsupported_media_type");
    for media_type in ["text/plain", "application/jsonp", "application/json; charset=latin1", ""] {
        let ask = bare.clone().header("Content-Type", media_type);
        check(&mut client, &ask, 415, "unsupported_media_type");
    }
    let ask = bare.clone().header("content-type", "Application/JSON; charset=UTF-8");
    let created = client.ask(&ask).expect(201);
    let id = created["id"].as_str().expect("an order has an id");
    client.ask(&Ask::act(id, "confirm")).expect(200);
    client.ask(&Ask::act(id, "ship").json("{}")).expect(200);
}

#[test]
fn a_body_of_64_kib_is_taken_and_one_byte_more_is_413() {
    let (_data, server, mut client) = shop();
    let body = r#"{"user":"u","lines":[{"sku":"s","qty":1}]}"#;
    let padded = |bytes: usize| order(&format!("{body}{}", " ".repeat(bytes - body.len())));
    client.ask(&padded(BODY_BYTES_MAX)).expect(201);
    let answer = client.ask(&padded(BODY_BYTES_MAX + 1));
    answer.problem(413, "too_large");
    match answer.header("Connection") {
        Some("close") => assert!(client.is_closed()),
        _ => check_usable(&mut client, &answer),
    }
    server.connect().ask(&Ask::get("/livez")).expect(200);
}

#[test]
fn a_key_that_is_none_or_comes_twice_is_refused() {
    let (_data, _server, mut client) = shop();
    let body = json!({"user": "u", "lines": [{"sku": "s", "qty": 1}]});
    let bare = Ask::post("/v1/orders", &body);
    check(&mut client, &bare, 400, "idempotency_key_missing");
    check(&mut client, &bare.clone().key("a").key("a"), 400, "malformed");
    check(&mut client, &bare.clone().key("a").key("b"), 400, "malformed");
    check(&mut client, &bare.clone().key(&"k".repeat(256)), 400, "malformed");
    check(&mut client, &bare.clone().key("\u{e4}"), 400, "malformed");
    client.ask(&bare.key(&"k".repeat(255))).expect(201);
}

#[test]
fn a_page_of_another_origin_is_forbidden() {
    let (_data, _server, mut client) = shop();
    let ask = Ask::get("/v1/skus/s").header("Origin", "http://elsewhere");
    check(&mut client, &ask, 403, "forbidden");
    client.ask(&Ask::get("/v1/skus/s").header("Origin", "http://localhost")).expect(200);
}

/// Ambiguous or broken framing closes and nothing behind it is read.
#[test]
fn ambiguous_framing_closes_and_nothing_behind_it_is_read() {
    let (_data, server, mut client) = shop();
    let behind = String::from_utf8(Ask::order("smuggled", "u", "s", 1).bytes()).unwrap();
    let post = "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\n";
    for (start, rest) in [
        (post, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (post, "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        (post, "Content-Length: 0\r\nContent-Length: 5\r\n\r\n"),
        (post, "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (post, "Content-Length: -1\r\n\r\n"),
        ("POST /v1/orders HTTP/1.1\r\n", "Content-Length: 0\r\n\r\n"),
        ("GET /v1/skus/s HTTP/1.1\r\n", "Host: localhost\r\nHost: localhost\r\n\r\n"),
        ("GET /v1/skus/s HTTP/1.1\r\n", "Host localhost\r\n\r\n"),
        ("GET /v1/skus/s\r\n", "Host: localhost\r\n\r\n"),
        ("nonsense\r\n", "\r\n"),
    ] {
        let mut broken = server.connect();
        let answer = broken.raw(format!("{start}{rest}{behind}").as_bytes());
        assert_eq!(answer.status, 400, "{start:?}{rest:?}: {answer:?}");
        assert!(broken.is_closed(), "{start:?}{rest:?}: it goes on after {answer:?}");
    }
    client.ask(&Ask::get("/v1/requests/smuggled")).problem(404, "unknown_request");
}

/// A trailer or a bare line feed among chunks closes and hides no request. What one reader takes
/// for the rest of a body and another for a request.
#[test]
fn a_trailer_or_bare_line_feed_closes_and_hides_no_request() {
    let (_data, server, mut client) = shop();
    let body = r#"{"user":"u","lines":[{"sku":"s","qty":1}]}"#;
    let behind = String::from_utf8(Ask::order("behind", "u", "s", 1).bytes()).unwrap();
    for end in ["0\r\nX: a\n\r\n", "0\r\nX: a\r\n\r\n", "0\n\r\n", "0\r\n\n", "0;a\n\r\n"] {
        let bytes = format!(
            "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: before\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{body}\r\n{end}{behind}",
            body.len()
        );
        let mut broken = server.connect();
        let answer = broken.raw(bytes.as_bytes());
        answer.problem(400, "malformed");
        assert_eq!(answer.header("Connection"), Some("close"), "{end:?}: {answer:?}");
        assert!(broken.is_closed(), "{end:?}: it goes on after {answer:?}");
    }
    for key in ["before", "behind"] {
        client.ask(&Ask::get(format!("/v1/requests/{key}"))).problem(404, "unknown_request");
    }
}

/// An endless request line takes nothing from the request before it.
#[test]
fn an_endless_request_line_spares_the_request_before_it() {
    let (_data, server, _client) = shop();
    let order = Ask::order("k", "u", "s", 1).bytes();
    let endless = format!("GET /livez?{}", "a".repeat(5000));
    let mut one = server.connect();
    let first = one.raw(&[order.as_slice(), endless.as_bytes()].concat());
    first.expect(201);
    let second = one.read(false).expect("an answer to the second");
    second.problem(414, "uri_too_long");
    assert!(second.header("Connection") == Some("close") && one.is_closed());
}

#[test]
fn heads_and_targets_beyond_their_bounds_are_431_and_414() {
    let (_data, server, _client) = shop();
    let long = "x".repeat(3000);
    let answer = server.connect().ask(&Ask::get(format!("/v1/skus/{long}")));
    assert_eq!(answer.status, 414, "{answer:?}");
    let many = (0..200).fold(Ask::get("/livez"), |ask, n| ask.header(&format!("x-{n}"), "y"));
    let answer = server.connect().ask(&many);
    assert_eq!(answer.status, 431, "{answer:?}");
}

#[test]
fn requests_written_one_behind_the_other_are_answered_in_order() {
    let (_data, _server, mut client) = shop();
    let asks: Vec<Ask> =
        (0..20).map(|n| Ask::order(&format!("k{n}"), &format!("u{n}"), "s", 1)).collect();
    let bytes: Vec<u8> = asks.iter().flat_map(Ask::bytes).collect();
    client.write(&bytes).expect("the server takes bytes");
    let mut last = 0;
    for n in 0..asks.len() {
        let order = client.read(false).expect("an answer").expect(201);
        assert_eq!(order["user"], format!("u{n}"));
        let sequence = order["seq"].as_u64().expect("an order has a seq");
        assert!(sequence > last);
        last = sequence;
    }
}

#[test]
fn a_body_in_chunks_or_byte_by_byte_is_the_same_body() {
    let (_data, _server, mut client) = shop();
    let whole = Ask::order("k", "u", "s", 1);
    let first = client.ask(&whole);
    first.expect(201);
    for byte in whole.bytes() {
        client.write(&[byte]).expect("the server takes a byte");
    }
    let slow = client.read(false).expect("an answer");
    let body = whole.body.as_deref().expect("an order has a body");
    let (left, right) = body.split_at(body.len() / 2);
    let chunked = format!(
        "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{left}\r\n{:x};a=b\r\n{right}\r\n0\r\n\r\n",
        left.len(),
        right.len()
    );
    for answer in [slow, client.raw(chunked.as_bytes())] {
        assert!(answer.is_replayed() && answer.body == first.body, "{answer:?}");
    }
}
