//! Who is let in: addresses, connections, rates, and what a hang-up changes of them.
//!
//! Owns each refusal with its status, headers and body, and that it changes nothing. Whose request
//! goes first is proved where it can be seen, in `src/ring`. Next: `limits`.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

const TOOK: &str = "took the limits and address lists";
const KEPT: &str = "kept the limits and address lists as they were";

/// A server whose settings stand in a file.
pub(crate) struct Place {
    directory: TempDir,
    pub(crate) server: Server,
}

impl Place {
    pub(crate) fn with(settings: &str, more: impl FnOnce(Launch) -> Launch) -> Self {
        let directory = TARGET.directory();
        let file = directory.path().join("doorbuster.toml");
        fs::write(&file, settings).unwrap();
        for list in ["deny", "allow"] {
            fs::write(directory.path().join(list), "").unwrap();
        }
        let launch = TARGET.launch(&directory.path().join("data")).small();
        let server = more(launch.argument("--config").argument(file)).start();
        Self { directory, server }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// From here on these settings hold.
    pub(crate) fn set(&self, settings: &str) {
        fs::write(self.file("doorbuster.toml"), settings).unwrap();
        self.server.reload(TOOK);
    }

    fn sequence(&self) -> Value {
        self.set("");
        self.server.connect().get("/v1/status")["seq"].clone()
    }
}

fn order(number: u64, user: &str) -> Ask {
    Ask::order(&format!("key-{number}"), user, "s", 1)
}

/// The refusal of an empty bucket, as the contract has it.
#[track_caller]
fn rate_limited(answer: &Answer, policy: &str, bucket: &str, wait_ms: std::ops::Range<u64>) {
    let problem = answer.problem(429, "rate_limited");
    assert_eq!(problem["retryable"], true);
    let retry_after_ms = problem["retry_after_ms"].as_u64().expect("a pause");
    assert!(wait_ms.contains(&retry_after_ms), "{answer:?}");
    let retry_after_s = retry_after_ms.div_ceil(1000).to_string();
    assert_eq!(answer.header("Retry-After"), Some(retry_after_s.as_str()));
    assert_eq!(answer.header("RateLimit-Policy"), Some(policy));
    let level = answer.header("RateLimit").expect("it says what is left");
    assert!(level.starts_with(&format!("\"{bucket}\";r=0;t=")), "{level}");
    assert_eq!(answer.header("Connection"), None, "the connection stays");
}

#[test]
fn a_user_who_orders_too_often_is_refused_and_others_are_not() {
    let place = Place::with("rate.user = \"2/3600\"", |launch| launch);
    let client = &mut place.server.connect();
    client.put_sku("s", &json!({"stock": 100}));
    let first = client.ask(&order(1, "anna"));
    first.expect(201);
    assert_eq!(first.header("RateLimit-Policy"), Some("\"user\";q=2;w=3600"));
    assert_eq!(first.header("RateLimit"), Some("\"user\";r=1;t=1800"));
    client.ask(&order(2, "anna")).expect(201);
    let policy = "\"user\";q=2;w=3600";
    // Half an hour until there is one again, less what has passed, and a little more for each.
    let wait_ms = 1_700_000..1_806_000;
    rate_limited(&client.ask(&order(3, "anna")), policy, "user", wait_ms.clone());
    // A list of that user's orders is one of the user's requests, too.
    let list = client.ask(&Ask::get("/v1/users/anna/orders"));
    rate_limited(&list, policy, "user", wait_ms);
    client.ask(&order(4, "bert")).expect(201);
    // What exists can be paid for, whoever's it is; and what names no user has no such bucket.
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(client.ask(&Ask::act(&id, "confirm")).expect(200)["status"], "confirmed");
    assert_eq!(client.ask(&Ask::get("/v1/skus/s")).header("RateLimit"), None);
    // A line of a batch is one request.
    let line = |number: u64, user: &str| {
        let lines = json!([{"sku": "s", "qty": 1}]);
        json!({"op": "order", "key": format!("key-{number}"), "user": user, "lines": lines})
    };
    let lines = [line(5, "carl"), line(6, "anna"), line(7, "carl"), line(8, "carl")];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let answer = client.ask(&Ask::batch(&lines.join("\n")));
    let answers = String::from_utf8(answer.body).unwrap();
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = answers.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 429, 201, 429]);
    assert_eq!(answers[1]["body"]["code"], "rate_limited");
    assert!(answers[1]["body"]["retry_after_ms"].as_u64() > Some(1_000_000), "{answers:?}");
    // None of the refused changed anything: their keys are free, their units on sale.
    assert_eq!(client.get("/v1/skus/s")["available"], 95);
    for number in [3, 6, 8] {
        client.ask(&Ask::get(format!("/v1/requests/key-{number}"))).problem(404, "unknown_request");
    }
    place.set("");
    client.ask(&order(3, "anna")).expect(201);
}

/// Principals have a bucket each and it keeps some for what exists.
#[test]
fn principals_have_a_bucket_each_with_some_for_what_exists() {
    let directory = TARGET.directory();
    let tokens =
        TokensFile::beside(directory.path(), &[("a", "admin", "ta", ""), ("b", "buy", "tb", "")]);
    let server = tokens.launch(TARGET).variable("RATE_PRINCIPAL", "3/3600").start();
    let [mut a, mut b] = ["ta", "tb"].map(|token| server.connect().with_token(token));
    // Urgent, but out of the same bucket.
    a.put_sku("s", &json!({"stock": 9}));
    let held = a.ask(&order(1, "u")).expect(201);
    a.ask(&order(2, "u")).expect(201);
    let policy = "\"principal\";q=3;w=3600";
    rate_limited(&a.ask(&order(3, "u")), policy, "principal", 1_100_000..1_206_000);
    let id = held["id"].as_str().unwrap();
    for _ in 0..3 {
        a.ask(&Ask::act(id, "confirm")).expect(200);
    }
    let over = a.ask(&Ask::act(id, "confirm"));
    rate_limited(&over, policy, "principal", 1_100_000..1_206_000);
    for number in 4..7 {
        b.ask(&order(number, "u")).expect(201);
    }
    rate_limited(&b.ask(&order(7, "u")), policy, "principal", 1_100_000..1_206_000);
    // Pages about the server itself have no bucket.
    a.get("/v1/latency");
    server.connect().get("/livez");
}

#[test]
fn a_bucket_is_exact_over_threads_and_connections() {
    const QUOTA: usize = 50;
    let place =
        Place::with("rate.principal = \"50/3600\"", |launch| launch.variable("IO_THREADS", "4"));
    let clients: Vec<Client> = (0..8).map(|_| place.server.connect()).collect();
    let threads: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                let asks = (0..20).map(|_| client.ask(&Ask::get("/v1/skus/nothing")).status);
                asks.filter(|status| *status == 404).count()
            })
        })
        .collect();
    let served: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(served, QUOTA);
    let metrics = place.server.connect().ask(&Ask::get("/metrics")).body;
    let metrics = String::from_utf8(metrics).unwrap();
    let row = "doorbuster_admission_refusals_total{reason=\"principal_rate\"} 110";
    assert!(metrics.contains(row), "{metrics}");
}

/// A look at nothing, which comes by way of these.
fn by(hops: &str) -> Ask {
    Ask::get("/v1/skus/nothing").header("X-Forwarded-For", hops)
}

#[test]
fn an_address_counts_as_a_trusted_proxy_says_and_nobody_else() {
    let trusting = "rate.address = \"1/3600\"\naddress.trusted_proxies = \"127.0.0.1, 10.0.0.0/8\"";
    let place = Place::with(trusting, |launch| launch);
    let client = &mut place.server.connect();
    let policy = "\"address\";q=1;w=3600";
    let wait_ms = 3_500_000..3_606_000;
    client.ask(&by("192.0.2.1")).problem(404, "unknown_sku");
    rate_limited(&client.ask(&by("192.0.2.1")), policy, "address", wait_ms.clone());
    // Whatever the client makes up stands left of what the proxy saw.
    for made_up in ["203.0.113.7, 192.0.2.1", "x, 192.0.2.1", "192.0.2.9,192.0.2.1, 10.1.2.3"] {
        rate_limited(&client.ask(&by(made_up)), policy, "address", wait_ms.clone());
    }
    client.ask(&by("192.0.2.1, 192.0.2.2")).problem(404, "unknown_sku");
    // One network of 64 bits is one sender.
    client.ask(&by("2001:db8::1")).problem(404, "unknown_sku");
    rate_limited(&client.ask(&by("2001:db8::2")), policy, "address", wait_ms.clone());
    client.ask(&by("2001:db8:0:1::2")).problem(404, "unknown_sku");
    for bad in ["", "unknown", "192.0.2.3, _hidden", "192.0.2.3, 10.0.0.1,"] {
        client.ask(&by(bad)).problem(400, "malformed");
    }
    // To a server that trusts no proxy, all of these are the one peer.
    place.set("rate.address = \"1/3600\"");
    client.ask(&by("192.0.2.50")).problem(404, "unknown_sku");
    rate_limited(&client.ask(&by("192.0.2.51")), policy, "address", wait_ms);
    place.set("");
    client.ask(&by("nonsense")).problem(404, "unknown_sku");
}

/// What is left in the bucket of the client's address.
fn left(answer: &Answer) -> Option<u64> {
    let level = answer.header("RateLimit")?.split("\"address\";r=").nth(1)?;
    level.split(';').next()?.parse().ok()
}

/// An address is charged for every head and twice for what is wrong.
#[test]
fn an_address_is_charged_for_heads_and_twice_for_wrong_ones() {
    let directory = TARGET.directory();
    let entries = [("shop", "buy", "ts", ""), ("watch", "metrics", "tw", "")];
    let launch = TokensFile::beside(directory.path(), &entries).launch(TARGET);
    let server = launch.variable("RATE_ADDRESS", "12/3600").start();
    let client = &mut server.connect();
    let known = |ask: Ask| ask.token("ts");
    let lineless = Ask::post("/v1/orders", &json!({"user": "u", "lines": []}));
    let foreign = Ask::get("/v1/skus/s").header("Origin", "http://elsewhere");
    for (ask, status, expected) in [
        (Ask::get("/v1/skus/s"), 401, 10),
        (Ask::get("/v1/skus/s").token("guessed"), 401, 8),
        (Ask::get("/openapi.json"), 200, 7),
        (known(lineless.clone()), 422, 5),
        (known(Ask::new("POST", "/v1/orders").key("k").json("{")), 400, 3),
        (known(Ask::get("/nothing")), 404, 2),
        (known(foreign), 403, 1),
        (known(Ask::get("/v1/skus/s")), 404, 0),
    ] {
        let answer = client.ask(&ask);
        assert_eq!((answer.status, left(&answer)), (status, Some(expected)), "{ask:?}: {answer:?}");
    }
    // Whoever asks, and whatever for. What comes with it is read past, so the connection stays.
    let long = known(lineless.json(&format!("{{\"user\":\"{}\"}}", "u".repeat(60_000))));
    let asks =
        [Ask::get("/v1/skus/s"), Ask::get("/openapi.json"), known(Ask::get("/nothing")), long];
    for ask in &asks {
        let wait_ms = 290_000..306_000;
        rate_limited(&client.ask(ask), "\"address\";q=12;w=3600", "address", wait_ms);
    }
    // Probes are free; what goes on with what exists has as much again, and so have those who
    // watch.
    for path in ["/livez", "/readyz"] {
        assert_eq!(client.ask(&Ask::get(path)).header("RateLimit"), None);
    }
    client.ask(&known(Ask::act("1-1", "confirm"))).problem(404, "unknown_order");
    let metrics = client.ask(&Ask::get("/metrics").token("tw"));
    let metrics = String::from_utf8(metrics.body).unwrap();
    let row = "doorbuster_admission_refusals_total{reason=\"address_rate\"} 4\n";
    assert!(metrics.contains(row), "{metrics}");
    // A debt ends there.
    for _ in 0..20 {
        client.ask(&Ask::get("/v1/status").token("guessed"));
    }
    client.ask(&Ask::get("/metrics").token("tw")).problem(429, "rate_limited");
    client.get("/readyz");
}

/// Each line of a batch is charged to its address whatever it holds.
#[test]
fn each_line_of_a_batch_is_charged_to_its_address() {
    let place = Place::with("", |launch| launch);
    let client = &mut place.server.connect();
    client.put_sku("s", &json!({"stock": 9}));
    place.set("rate.address = \"5/3600\"");
    let order = |number: u64| {
        let lines = json!([{"sku": "s", "qty": 1}]);
        json!({"op": "order", "key": format!("k{number}"), "user": "u", "lines": lines}).to_string()
    };
    let lines = [order(1), "x".into(), "{}".into(), order(2), "x".into(), order(3)];
    let answer = client.ask(&Ask::batch(&lines.join("\n")));
    assert_eq!(left(&answer), Some(4), "the batch itself");
    let text = String::from_utf8(answer.body).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let statuses: Vec<u64> = lines.map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!((statuses[0], statuses[3]), (201, 201), "{text}");
    assert!([1, 2].iter().all(|line| matches!(statuses[*line], 400 | 422)), "{text}");
    assert_eq!(statuses[4..], [429, 429], "{text}");
    place.set("");
    assert_eq!(client.get("/v1/skus/s")["held"], 2);
}

/// The server closes the connection without a word.
fn is_closed(server: &Server) -> bool {
    let mut client = server.connect();
    // It may have closed before that was written.
    let _ = client.write(&Ask::get("/livez").bytes());
    client.read(false).is_err()
}

#[test]
fn addresses_are_denied_and_allowed_as_the_lists_say() {
    let directory = TARGET.directory();
    let list = |name: &str, text: &str| {
        let file = directory.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (deny, allow) = (list("deny", ""), list("allow", "# all\n0.0.0.0/0\n::/0\n"));
    let place = Place::with("address.trusted_proxies = \"127.0.0.1\"", |launch| {
        launch.variable("ADDRESS_DENY_FILE", &deny).variable("ADDRESS_ALLOW_FILE", &allow)
    });
    let server = &place.server;
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 9}));
    list("deny", "192.0.2.66 # a bot\n2001:db8:66::/48\n");
    server.reload(TOOK);
    for (hops, denied) in [
        ("192.0.2.66", true),
        ("192.0.2.66, 192.0.2.1", false),
        ("192.0.2.1, 192.0.2.66", true),
        ("2001:db8:66::9", true),
        ("2001:db8:67::9", false),
    ] {
        for ask in [order(1, "u").header("X-Forwarded-For", hops), by(hops)] {
            let answer = client.ask(&ask);
            if denied {
                assert_eq!(answer.problem(403, "forbidden")["retryable"], false);
            } else {
                assert_ne!(answer.status, 403, "{answer:?}");
            }
        }
    }
    list("allow", "192.0.2.0/24");
    server.reload(TOOK);
    client.ask(&by("203.0.113.1")).problem(403, "forbidden");
    client.ask(&by("192.0.2.1")).problem(404, "unknown_sku");
    client.ask(&by("192.0.2.66")).problem(403, "forbidden");
    // The proxy asks for itself.
    client.get("/readyz");
    // A peer that is denied is not even accepted; a connection that is there is refused.
    list("deny", "127.0.0.0/8");
    server.reload(TOOK);
    client.ask(&Ask::get("/livez")).problem(403, "forbidden");
    assert!(is_closed(server));
    // A bad list changes nothing, and says where it is bad.
    list("deny", "127.0.0.0/8\nlocalhost\n");
    server.reload("deny, line 2: a line is an address or a network (CIDR)");
    assert!(is_closed(server));
    list("deny", "");
    list("allow", "");
    server.reload(TOOK);
    server.connect().get("/readyz");
    client.get("/readyz");
}

#[test]
fn one_address_has_so_many_connections() {
    let place = Place::with("http.connections_per_address_max = 2", |launch| launch);
    let server = &place.server;
    let mut clients: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| drop(client.get("/livez")));
    assert!(is_closed(server) && is_closed(server));
    clients.pop();
    // Its place is free once the server has seen that it is gone.
    let mut next = wait::until("a free place", || {
        let mut client = server.connect();
        client.write(&Ask::get("/livez").bytes()).ok()?;
        client.read(false).ok().map(|_| client)
    });
    let metrics = String::from_utf8(next.ask(&Ask::get("/metrics")).body).unwrap();
    let row = "doorbuster_admission_refusals_total{reason=\"connections_of_address\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(row)?.parse::<u64>().ok());
    assert!(count >= Some(2), "{metrics}");
    fs::write(place.file("doorbuster.toml"), "").unwrap();
    server.reload(TOOK);
    let mut more: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    more.iter_mut().for_each(|client| drop(client.get("/livez")));
}

#[test]
fn settings_that_are_bad_at_a_hang_up_change_nothing() {
    let place = Place::with("rate.principal = \"1/3600\"", |launch| launch);
    let client = &mut place.server.connect();
    client.ask(&by("")).problem(404, "unknown_sku");
    for bad in
        ["rate.principal = \"1\"", "rate.principle = \"\"", "rate = 5", "rate.user = \"1/0\""]
    {
        fs::write(place.file("doorbuster.toml"), bad).unwrap();
        place.server.reload(KEPT);
        client.ask(&by("")).problem(429, "rate_limited");
    }
    place.set("");
    client.ask(&by("")).problem(404, "unknown_sku");
}

/// Settings that decide outcomes change at a hang up by an event of their own.
#[test]
fn settings_that_decide_outcomes_change_by_an_event() {
    let place = Place::with("", |launch| launch);
    let client = &mut place.server.connect();
    client.put_sku("s", &json!({"stock": 9}));
    client.ask(&order(1, "u")).expect(201);
    let before = place.sequence().as_u64().unwrap();
    fs::write(place.file("doorbuster.toml"), "open_holds_per_user_max = 1\ncaps.draws = 7")
        .unwrap();
    place.server.reload("kept the caps as they were");
    wait::until("the settings hold", || {
        let now = client.get("/v1/status")["seq"].as_u64().unwrap();
        (now == before + 1).then_some(())
    });
    assert_eq!(client.get("/v1/status")["tables"]["draws"]["cap"], 10_000);
    // The same again is no change.
    place.server.reload(TOOK);
    assert_eq!(client.get("/v1/status")["seq"], before + 1);
    let refused = client.ask(&order(2, "u")).problem(409, "hold_limit");
    assert_eq!((&refused["limit"], &refused["used"]), (&json!(1), &json!(1)));
    let Place { directory, server } = place;
    // That refusal is counted, and nothing else happened.
    assert_eq!(server.stop().stopped().sequence, before + 2);
    // A start reads the same settings, caps and all, and what was decided stands.
    let launch = TARGET.launch(&directory.path().join("data")).small();
    let server =
        launch.argument("--config").argument(directory.path().join("doorbuster.toml")).start();
    server.connect().ask(&order(2, "u")).problem(409, "hold_limit");
}
