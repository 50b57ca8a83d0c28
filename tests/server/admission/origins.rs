//! Browsers: pages of other origins, names that point here, and what they may read (CORS).
//!
//! Owns the requests that a browser would send, as bytes, and the headers it would look at. Next:
//! `proxies`, where a page's requests come through a proxy.

use crate::TARGET;
use crate::admission::quotas::Place;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait;
use serde_json::json;

const PAGE: &str = "https://shop.example";
const NAMED: &str = "http.origins = \"https://shop.example, http://localhost:3000\"\n";

/// Headers that a page may read, beside those that it always may.
const EXPOSED: [&str; 8] = [
    "ETag",
    "Location",
    "Retry-After",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Server-Timing",
    "traceparent",
];

/// What a browser asks before the request itself.
fn preflight(path: &str, origin: &str, method: &str) -> Ask {
    let headers = "authorization,content-type,idempotency-key";
    Ask::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method)
        .header("Access-Control-Request-Headers", headers)
}

fn of_page(ask: Ask) -> Ask {
    ask.header("Origin", PAGE).header("Sec-Fetch-Site", "cross-site")
}

/// The browser lets the page read this.
#[track_caller]
fn readable(answer: &Answer) {
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(PAGE), "{answer:?}");
    assert_eq!(answer.header("Vary"), Some("Origin"), "{answer:?}");
    let exposed = answer.header("Access-Control-Expose-Headers").expect("some are");
    let exposed: Vec<&str> = exposed.split(", ").collect();
    assert!(EXPOSED.iter().all(|name| exposed.contains(name)), "{exposed:?}");
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), None, "there are no cookies");
}

/// The browser sends the request that it asked about.
#[track_caller]
fn allowed(answer: &Answer, method: &str) {
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(PAGE));
    let words = |name| answer.header(name).expect(name).to_lowercase();
    let methods = words("Access-Control-Allow-Methods");
    assert!(methods.split(", ").any(|one| one == method.to_lowercase()), "{methods}");
    let headers = words("Access-Control-Allow-Headers");
    for name in ["authorization", "content-type", "idempotency-key", "if-match", "traceparent"] {
        assert!(headers.split(", ").any(|one| one == name), "{headers}");
    }
    assert!(words("Allow").contains("options"), "{answer:?}");
    assert!(words("Access-Control-Max-Age").parse::<u32>().expect("seconds") > 0);
    assert_eq!(answer.header("Vary"), Some("Origin"));
}

/// A page of a named origin sells and reads what it was answered.
#[test]
fn a_page_of_a_named_origin_sells_and_reads_its_answers() {
    let place = Place::with(NAMED, |launch| launch);
    let client = &mut place.server.connect();
    for (path, method) in [
        ("/v1/orders", "POST"),
        ("/v1/skus/s", "PUT"),
        ("/v1/skus/s", "DELETE"),
        ("/v1/no", "POST"),
    ] {
        allowed(&client.ask(&preflight(path, PAGE, method)), method);
    }
    let put = client.ask(&of_page(Ask::put("/v1/skus/s", &json!({"stock": 1}))));
    readable(&put);
    put.expect(201);
    assert!(put.header("ETag").is_some());
    let order = client.ask(&of_page(Ask::order("k", "u", "s", 1)));
    readable(&order);
    let id = order.expect(201)["id"].as_str().expect("an id").to_owned();
    let confirmed = client.ask(&of_page(Ask::act(&id, "confirm")));
    readable(&confirmed);
    confirmed.expect(200);
    // Refusals of every kind: of the rules, of the edge, of the shape, of the route.
    for (ask, status) in [
        (Ask::order("k2", "u", "s", 1), 409),
        (Ask::post("/v1/orders", &json!({})).key("k3"), 400),
        (Ask::get("/v1/nothing"), 404),
        (Ask::new("POST", "/v1/skus"), 405),
        (Ask::get("/livez").header("Upgrade-Insecure-Requests", "1"), 200),
    ] {
        let answer = client.ask(&of_page(ask));
        assert_eq!(answer.status, status, "{answer:?}");
        readable(&answer);
    }
    // Who is not named is not served, and reads nothing.
    for origin in
        ["https://evil.example", "http://shop.example", "null", "https://shop.example:444"]
    {
        let asked = client.ask(&Ask::get("/v1/skus/s").header("Origin", origin));
        asked.problem(403, "forbidden");
        let before = client.ask(&preflight("/v1/orders", origin, "POST"));
        before.problem(403, "forbidden");
        for answer in [asked, before] {
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{answer:?}");
            assert_eq!(answer.header("Access-Control-Allow-Methods"), None, "{answer:?}");
            assert_eq!(answer.header("Vary"), Some("Origin"), "{answer:?}");
        }
    }
    // No browser, no origin: as ever.
    assert_eq!(client.get("/v1/skus/s")["sold"], 1);
    place.set("");
    client.ask(&of_page(Ask::get("/v1/skus/s"))).problem(403, "forbidden");
    let plain = client.ask(&Ask::get("/v1/skus/s"));
    assert_eq!(plain.header("Vary"), None, "{plain:?}");
}

#[test]
fn streams_are_readable_and_no_proxy_keeps_them_back() {
    let place = Place::with(NAMED, |launch| launch);
    let mut client = place.server.connect();
    client.put_sku("s", &json!({"stock": 9}));
    let batch = client.ask(&of_page(Ask::batch("{\"op\":\"get_sku\",\"sku\":\"s\"}\n")));
    readable(&batch);
    assert_eq!((batch.status, batch.header("X-Accel-Buffering")), (200, Some("no")), "{batch:?}");
    for form in ["text/event-stream", "application/x-ndjson"] {
        let mut follower = place.server.connect();
        let ask = of_page(Ask::get("/v1/events").header("Accept", form));
        follower.write(&ask.bytes()).expect("the server takes bytes");
        let head = follower.head().expect("an answer");
        readable(&head);
        assert_eq!(head.header("Content-Type"), Some(form));
        assert_eq!(head.header("X-Accel-Buffering"), Some("no"));
        assert_eq!(head.header("Cache-Control"), Some("no-store"));
        assert!(follower.chunk().expect("a piece").is_some());
    }
    // What is whole at once says nothing of it.
    for ask in [Ask::get("/v1/events"), Ask::get("/v1/skus/s"), Ask::get("/metrics")] {
        assert_eq!(client.ask(&ask).header("X-Accel-Buffering"), None, "{ask:?}");
    }
}

#[test]
fn refusals_that_come_before_the_route_are_readable_too() {
    let directory = TARGET.directory();
    let file = directory.path().join("bots");
    std::fs::write(&file, "192.0.2.66\n").expect("a file is written");
    let entries = [("shop", "buy", "tb", ""), ("boss", "admin", "ta", "")];
    let tokens = TokensFile::beside(directory.path(), &entries);
    let launch = tokens
        .launch(TARGET)
        .variable("HTTP_ORIGINS", PAGE)
        .variable("RATE_PRINCIPAL", "1/3600")
        .variable("ADDRESS_TRUSTED_PROXIES", "127.0.0.1")
        .variable("ADDRESS_DENY_FILE", file.to_str().expect("a path in UTF-8"));
    let server = launch.start();
    let mut nobody = server.connect();
    // A browser shows no token before it knows that it may.
    allowed(&nobody.ask(&preflight("/v1/orders", PAGE, "POST")), "POST");
    let mut shop = server.connect().with_token("tb");
    shop.ask(&of_page(Ask::get("/v1/skus/s"))).problem(404, "unknown_sku");
    let denied = Ask::get("/v1/skus/s").header("X-Forwarded-For", "192.0.2.66");
    for (client, ask, status, code) in [
        (&mut nobody, Ask::get("/v1/skus/s"), 401, "unauthenticated"),
        (&mut server.connect().with_token("tb"), Ask::get("/metrics"), 403, "forbidden"),
        (&mut server.connect(), denied, 403, "forbidden"),
        (&mut shop, Ask::get("/v1/skus/s"), 429, "rate_limited"),
    ] {
        let answer = client.ask(&of_page(ask));
        answer.problem(status, code);
        readable(&answer);
    }
    // While it drains as well: the page hears that it is 503, and when to come again. A head that
    // has begun holds the drain up meanwhile.
    let mut holds = server.connect();
    holds.write(b"GET /livez HTTP/1.1\r\n").expect("the server takes bytes");
    let mut boss = server.connect().with_token("ta");
    boss.ask(&Ask::new("POST", "/v1/admin/drain")).expect(200);
    let answer = wait::until("a drain", || {
        let mut late = Client::connect(server.address).ok()?;
        let answer = late.send(&of_page(Ask::get("/v1/skus/s").token("tb"))).ok()?;
        (answer.status == 503).then_some(answer)
    });
    answer.problem(503, "draining");
    readable(&answer);
    assert!(answer.header("Retry-After").is_some(), "{answer:?}");
    drop(holds);
    server.wait().stopped();
}

#[test]
fn without_tokens_a_name_that_points_here_is_no_way_in() {
    let place = Place::with(NAMED, |launch| launch);
    let address = place.server.address;
    // The bytes of a browser whose page was pointed here, which `Ask` would send another host with.
    let ask = |host: &str, more: &str, method: &str, path: &str| {
        let text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        Client::connect(address).expect("a connection").raw(text.as_bytes())
    };
    let evil = format!("evil.example:{}", address.port());
    let own = format!("Origin: http://{evil}\r\nSec-Fetch-Site: same-origin\r\n");
    for (method, path) in [
        ("GET", "/v1/skus"),
        ("GET", "/livez"),
        ("GET", "/openapi.json"),
        ("OPTIONS", "/v1/orders"),
        ("POST", "/v1/admin/read-only"),
    ] {
        ask(&evil, &own, method, path).problem(403, "forbidden");
        ask(&evil, "", method, path).problem(403, "forbidden");
    }
    for host in ["127.0.0.1", "127.0.0.1:1", "localhost", "LOCALHOST:80", "[::1]:7070", "127.9.9.9"]
    {
        ask(host, "", "GET", "/v1/skus").expect(200);
    }
    // A page of another site that only makes the browser ask, without reading.
    let sites = |site: &str| format!("Sec-Fetch-Site: {site}\r\n");
    ask("localhost", &sites("cross-site"), "GET", "/v1/skus").problem(403, "forbidden");
    for site in ["same-origin", "none"] {
        ask("localhost", &sites(site), "GET", "/v1/skus").expect(200);
    }
    // Nothing of it happened.
    assert_eq!(place.server.connect().get("/v1/status")["mode"], "read-write");
    // Names that the operator gives are as good as loopback.
    place.set("http.hosts = \"EVIL.example, 10.1.2.3\"");
    ask(&evil, "", "GET", "/v1/skus").expect(200);
    ask(&evil, &own, "GET", "/v1/skus").expect(200);
    ask("10.1.2.3", "", "GET", "/v1/skus").expect(200);
    ask("other.example", "", "GET", "/v1/skus").problem(403, "forbidden");
}

/// With tokens any name is served and a link may come from anywhere.
#[test]
fn tokens_allow_any_name_and_links_from_anywhere() {
    let directory = TARGET.directory();
    let tokens = TokensFile::beside(directory.path(), &[("boss", "admin", "ta", "")]);
    let server = tokens.launch(TARGET).start();
    let lines = "Host: shop.example\r\nSec-Fetch-Site: cross-site\r\nAuthorization: Bearer ta\r\n";
    let text = format!("GET /v1/skus HTTP/1.1\r\n{lines}\r\n");
    server.connect().raw(text.as_bytes()).expect(200);
}

/// Without tokens beyond loopback names are checked only where they are given.
#[test]
fn names_are_checked_only_where_they_are_given() {
    let launch =
        |data: &std::path::Path| TARGET.launch_at(data, "0.0.0.0:0").small().argument("--insecure");
    let ask = |server: &Server, host: &str| {
        let address = (std::net::Ipv4Addr::LOCALHOST, server.address.port()).into();
        let text = format!("GET /v1/skus HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Client::connect(address).expect("a connection").raw(text.as_bytes())
    };
    let data = TARGET.directory();
    let server = launch(&data.path().join("open")).start();
    ask(&server, "doorbuster:7070").expect(200);
    let named = launch(&data.path().join("named")).variable("HTTP_HOSTS", "doorbuster").start();
    ask(&named, "doorbuster:7070").expect(200);
    ask(&named, "evil.example").problem(403, "forbidden");
}
