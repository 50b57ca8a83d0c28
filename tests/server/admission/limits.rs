//! What a client may use up, changed while the server runs.
//!
//! Owns which limit holds for whom after a hang-up: all of them for connections that come, and for
//! those that are there all but the sizes of a head. What each limit does is proved where it is
//! kept. Next: `admission`, for the other settings that are read again.

use crate::TARGET;
use crate::admission::quotas::Place;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait;

/// A new SKU in a body of so many bytes.
fn body_of(bytes: usize) -> Ask {
    let body = format!("{:<bytes$}", r#"{"stock":9}"#);
    Ask::new("PUT", "/v1/skus/s").header("If-Match", "*").json(&body)
}

/// A question with so many header lines more.
fn with_headers(count: usize) -> Ask {
    (0..count).fold(Ask::get("/livez"), |ask, number| ask.header(&format!("X-{number}"), "y"))
}

fn status(client: &mut Client, ask: &Ask) -> u16 {
    client.ask(ask).status
}

/// Sizes hold for connections that come after a hang-up, and those of bodies for all.
#[test]
fn sizes_change_at_a_hang_up() {
    let place = Place::with("", |launch| launch.variable("IO_THREADS", "2"));
    let before = &mut place.server.connect();
    before.put_sku("s", &serde_json::json!({"stock": 9}));
    let long = Ask::get(format!("/{}", "a".repeat(600)));
    let found = [body_of(2000), long.clone(), with_headers(30)].map(|ask| status(before, &ask));
    assert_eq!(found, [200, 404, 200]);
    place.set("[http]\nbody_bytes_max = 1024\nuri_bytes_max = 512\nheaders_max = 16");
    let after = &mut place.server.connect();
    assert_eq!(status(after, &body_of(2000)), 413);
    assert_eq!(status(after, &body_of(1000)), 200);
    assert_eq!(status(after, &long), 414);
    assert_eq!(status(after, &with_headers(30)), 431);
    wait::until("the limits reach a connection that was there", || {
        (status(before, &body_of(2000)) == 413).then_some(())
    });
    assert_eq!(status(before, &long), 414);
    assert_eq!(status(before, &with_headers(30)), 200, "its heads are read as they were");
    place.set("");
    assert_eq!(status(&mut place.server.connect(), &body_of(2000)), 200);
}

#[test]
fn times_and_counts_hold_for_everybody_after_a_hang_up() {
    let place = Place::with("", |launch| launch);
    let server = &place.server;
    let mut silent = server.connect();
    silent.get("/livez");
    place.set("http.idle_ms = 1");
    assert!(silent.is_closed(), "it would have stayed for 75 seconds");
    place.set("http.header_timeout_ms = 1");
    let mut slow = server.connect();
    slow.write(b"GET /livez HTTP/1.1\r\n").expect("the server takes bytes");
    assert!(slow.is_closed(), "it would have stayed for ten seconds");
    place.set("http.requests_max = 2");
    let mut twice = server.connect();
    let closing = [0, 1].map(|_| {
        let answer = twice.ask(&Ask::get("/livez"));
        answer.header("Connection").map(str::to_owned)
    });
    assert_eq!(closing, [None, Some("close".to_owned())]);
    assert!(twice.is_closed());
    place.set("");
    let mut thrice = server.connect();
    assert!([0, 1, 2].iter().all(|_| thrice.ask(&Ask::get("/livez")).status == 200));
    occupy(&mut thrice, "");
    place.set("http.connections_max = 1");
    let mut one_too_many = server.connect();
    let refused = one_too_many.ask(&Ask::get("/v1/skus/s"));
    refused.problem(503, "overloaded");
    assert!(one_too_many.is_closed());
}

/// Has the connection answer a request whose body does not come.
fn occupy(client: &mut Client, token: &str) {
    let order = Ask::order("slow", "u", "s", 1).token(token).header("Expect", "100-continue");
    let bytes = order.bytes();
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    client.write(&bytes[..head]).expect("the server takes bytes");
    assert_eq!(client.head().expect("it is to go on").status, 100);
}

/// The value of a row of `/metrics`.
fn row(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} in {text}"))
}

/// When all connections are busy, probes and operators are answered, and a buyer is refused.
#[test]
fn a_busy_server_answers_probes_and_operators() {
    let data = TARGET.directory();
    let entries =
        [("boss", "admin", "tb", ""), ("shop", "buy", "ts", ""), ("watch", "metrics", "tw", "")];
    let launch = TokensFile::beside(data.path(), &entries).launch(TARGET);
    let launch = launch.variable("HTTP_CONNECTIONS_MAX", "2").variable("IO_THREADS", "1");
    let server = launch.variable("HTTP_BODY_TIMEOUT_MS", "3600000").start();
    let mut busy = [server.connect(), server.connect()];
    busy.iter_mut().for_each(|client| occupy(client, "ts"));
    let asked = |token: &str, ask: &Ask| {
        let mut client = server.connect();
        let ask = if token.is_empty() { ask.clone() } else { ask.clone().token(token) };
        let answer = client.ask(&ask);
        assert_eq!(answer.header("Connection"), Some("close"), "{answer:?}");
        assert!(client.is_closed());
        answer
    };
    // More than there are places in the reserve, and they stay.
    let _silent: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    asked("", &Ask::get("/readyz")).expect(200);
    asked("", &Ask::get("/livez")).expect(200);
    asked("tb", &Ask::put("/v1/skus/s", &serde_json::json!({"stock": 9}))).expect(201);
    asked("tb", &Ask::get("/v1/status")).expect(200);
    asked("tw", &Ask::get("/v1/status")).expect(200);
    let order = Ask::order("k", "u", "s", 1);
    let refused = asked("ts", &order);
    assert!(refused.header("Retry-After").is_some() && refused.json()["retryable"] == true);
    refused.problem(503, "overloaded");
    asked("", &order).problem(401, "unauthenticated");
    asked("tb", &Ask::batch("{}")).problem(503, "overloaded");
    asked("tb", &Ask::get("/v1/events")).problem(503, "overloaded");
    let text = String::from_utf8(asked("tw", &Ask::get("/metrics")).body).expect("text");
    assert_eq!(row(&text, "doorbuster_admission_refusals_total{reason=\"connections\"}"), 3);
    // Once there is a place again, the buyer has one.
    drop(busy);
    wait::until("a free place", || {
        let answer = server.connect().send(&order.clone().token("ts")).ok()?;
        (answer.status == 201 && answer.header("Connection").is_none()).then_some(())
    });
}

/// Connections that say nothing, and others that have asked something and wait.
#[test]
fn a_newcomer_takes_the_place_of_a_silent_connection() {
    let place = Place::with("", |launch| launch.variable("HTTP_CONNECTIONS_MAX", "8"));
    let server = &place.server;
    let mut known: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    known.iter_mut().for_each(|client| drop(client.get("/livez")));
    let mut silent: Vec<Client> = (0..6).map(|_| server.connect()).collect();
    for _ in 0..20 {
        server.connect().get("/livez");
    }
    known.iter_mut().for_each(|client| drop(client.get("/livez")));
    assert!(silent.iter_mut().any(Client::is_closed));
}

#[test]
fn a_connection_that_never_asks_has_the_time_of_a_head() {
    let place = Place::with("http.header_timeout_ms = 300", |launch| launch);
    let mut known = place.server.connect();
    known.get("/livez");
    assert!(place.server.connect().is_closed(), "it would have stayed for 75 seconds");
    known.get("/livez");
}
