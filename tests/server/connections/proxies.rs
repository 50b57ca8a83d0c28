//! A sale through real proxies, by the examples of `docs/PROXIES.md`.
//!
//! Owns what must hold through each of them: a sale, events one by one, a page's POST, refusals as
//! they are, and whose address counts. Never says how a proxy is set up: that is the page. Next:
//! `fronts`.

use crate::TARGET;
use crate::connections::fronts::{Example, Front, over_http_2};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::tokens::TokensFile;
use serde_json::json;
use std::fs;
use tempfile::TempDir;

const BOSS: &str = "boss-token";
const SHOP: &str = "shop-token";
/// Requests that an address has; one more every 18 s.
const QUOTA: u64 = 200;
/// Clients at this address may not come.
const DENIED: [u8; 4] = [127, 0, 0, 66];

/// A server behind one of the proxies, set up as the page says.
struct Behind {
    front: Front,
    server: Server,
    _directory: TempDir,
}

impl Behind {
    fn start(example: Example, settings: impl FnOnce(Launch) -> Launch) -> Option<Self> {
        let directory = TARGET.directory();
        let denied = directory.path().join("denied");
        fs::write(&denied, "127.0.0.66\n").expect("a file is written");
        let entries = [("boss", "admin", BOSS, ""), ("shop", "buy", SHOP, "")];
        let launch = TokensFile::beside(directory.path(), &entries)
            .launch(TARGET)
            .variable("ADDRESS_DENY_FILE", denied.to_str().expect("a path in UTF-8"))
            .variable("RATE_ADDRESS", &format!("{QUOTA}/3600"));
        let server = settings(launch).start();
        Front::start(example, &server).map(|front| Self { front, server, _directory: directory })
    }

    fn boss(&self) -> Client {
        self.front.connect().with_token(BOSS)
    }

    /// Put, order, confirm; the retry of the order gets its first answer.
    fn sells(&self) {
        let (mut boss, mut shop) = (self.boss(), self.front.connect().with_token(SHOP));
        boss.put_sku("s", &json!({"stock": 3}));
        let order = shop.ask(&Ask::order("k", "u", "s", 2)).expect(201);
        let id = order["id"].as_str().expect("an id");
        assert_eq!(shop.ask(&Ask::act(id, "confirm")).expect(200)["status"], "confirmed");
        assert!(shop.ask(&Ask::order("k", "u", "s", 2)).is_replayed());
        let refused = shop.ask(&Ask::order("k2", "u", "s", 2)).problem(409, "sold_out");
        assert_eq!(refused["lines"][0]["available"], 1);
        assert_eq!(shop.get("/v1/skus/s")["sold"], 2);
    }

    /// What happens is heard before the next thing happens.
    fn tells_events_one_by_one(&self) {
        for (form, name) in [("text/event-stream", "sse"), ("application/x-ndjson", "lines")] {
            let mut follower = self.boss();
            let ask = Ask::get("/v1/events").header("Accept", form).token(BOSS);
            follower.write(&ask.bytes()).expect("it takes bytes");
            assert_eq!(follower.head().expect("an answer").header("Content-Type"), Some(form));
            let mut boss = self.boss();
            for number in 0..3 {
                let sku = format!("{name}-{number}");
                boss.put_sku(&sku, &json!({"stock": 1}));
                let mut heard = String::new();
                while !heard.contains(&format!("\"{sku}\"")) {
                    let piece = follower.chunk().expect("more comes").expect("it goes on");
                    heard.push_str(&String::from_utf8(piece).expect("text"));
                }
            }
        }
    }

    /// A page that the proxy serves may ask, and no other.
    fn serves_its_own_page(&self, scheme: &str) {
        let mut shop = self.front.connect().with_token(SHOP);
        let page = |key: &str, origin: &str| {
            let ask = Ask::order(key, "u", "s", 1).header("Host", "shop.example");
            ask.header("Origin", origin).header("Sec-Fetch-Site", "same-origin")
        };
        shop.ask(&page("page", &format!("{scheme}://shop.example"))).expect(201);
        shop.ask(&page("other", "https://evil.example")).problem(403, "forbidden");
    }

    /// Refusals and their headers are the server's own.
    fn passes_refusals_on(&self) {
        let mut shop = self.front.connect().with_token(SHOP);
        // Beside the proxy, which shuts that door.
        let mut boss = self.server.connect().with_token(BOSS);
        boss.ask(&Ask::new("POST", "/v1/admin/read-only")).expect(200);
        let refused = shop.ask(&Ask::order("late", "u", "s", 1));
        assert_eq!(refused.problem(503, "read_only")["retryable"], true);
        assert!(refused.header("Retry-After").is_some(), "{refused:?}");
        boss.ask(&Ask::new("POST", "/v1/admin/read-write")).expect(200);
        let long = "x".repeat(5000);
        let long = Ask::get("/livez").header("X-One", &long).header("X-Other", &long);
        assert_eq!(self.front.connect().ask(&long).status, 431);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let traced = shop.ask(&Ask::get("/v1/skus/s").header("traceparent", trace));
        assert_eq!(traced.header("traceparent"), Some(trace));
    }

    /// Requests that the client's address has left.
    fn left(&self, source: [u8; 4], ask: &Ask) -> u64 {
        let answer = self.front.connect_from(source).with_token(SHOP).ask(ask);
        let level = answer.header("RateLimit").unwrap_or_else(|| panic!("{answer:?}"));
        let left = level.strip_prefix("\"address\";r=").and_then(|rest| rest.split(';').next());
        left.and_then(|left| left.parse().ok()).unwrap_or_else(|| panic!("{level}"))
    }

    /// Lists and buckets see the client, and what it says of itself counts for nothing.
    fn tells_clients_apart(&self) {
        let ask = Ask::get("/v1/skus/nothing");
        let (one, other) = ([127, 0, 0, 5], [127, 0, 0, 7]);
        let first = self.left(one, &ask);
        assert_eq!(first, QUOTA - 1);
        assert_eq!(self.left(one, &ask), first - 1);
        assert_eq!(self.left(other, &ask), first);
        for claim in ["192.0.2.1", "127.0.0.66", "nonsense"] {
            let before = self.left(one, &ask);
            let claims = ask.clone().header("X-Forwarded-For", claim);
            assert_eq!(self.left(one, &claims), before - 1, "{claim}");
        }
    }

    /// The door to operators is shut at the edge, however it is written.
    fn shuts_the_operators_door(&self) {
        let mut boss = self.boss();
        for path in ["/v1/admin/read-only", "/v1/%61dmin/read-only", "/v1/%61%64min/read%2Donly"] {
            let answer = boss.ask(&Ask::new("POST", path));
            assert_eq!(answer.status, 403, "{path}: {answer:?}");
            let own = answer.header("Content-Type") == Some("application/problem+json");
            assert!(!own, "the server itself was asked: {answer:?}");
            boss = self.boss();
        }
    }

    /// The lines of a batch are answered while they come.
    fn answers_batches_line_by_line(&self) {
        let mut boss = self.boss();
        let head = Ask::new("POST", "/v1/batch")
            .header("Content-Type", "application/x-ndjson")
            .header("Transfer-Encoding", "chunked")
            .token(BOSS);
        boss.write(&head.bytes()).expect("it takes bytes");
        for number in 0..3 {
            let lines = json!([{"sku": "nothing", "qty": 1}]);
            let key = format!("line-{number}");
            let line = json!({"op": "order", "key": key, "user": "u", "lines": lines});
            let line = format!("{line}\n");
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            boss.write(chunk.as_bytes()).expect("it takes bytes");
            if number == 0 {
                let head = boss.head().expect("an answer");
                assert_eq!((head.status, head.header("Transfer-Encoding")), (200, Some("chunked")));
            }
            let piece = boss.chunk().expect("more comes").expect("it goes on");
            let answer: serde_json::Value = serde_json::from_slice(&piece).expect("a line");
            assert_eq!(answer["body"]["code"], "unknown_sku", "{answer}");
        }
        boss.write(b"0\r\n\r\n").expect("it takes bytes");
        assert!(boss.chunk().expect("an end").is_none());
    }
}

#[test]
fn nginx_with_its_defaults_sells_and_streams() {
    let named = |launch: Launch| launch.variable("HTTP_ORIGINS", "https://named.example");
    let Some(behind) = Behind::start(Example::NginxDefaults, named) else { return };
    behind.sells();
    behind.tells_events_one_by_one();
    // As the page says: the name is lost, so even its own page is foreign, unless it is named.
    let mut shop = behind.front.connect().with_token(SHOP);
    let page = |key: &str, origin: &str| {
        let ask = Ask::order(key, "u", "s", 1).header("Host", "shop.example");
        ask.header("Origin", origin)
    };
    shop.ask(&page("page", "http://shop.example")).problem(403, "forbidden");
    shop.ask(&page("named", "https://named.example")).expect(201);
    // And so is the client: all are nginx.
    let left = behind.left([127, 0, 0, 7], &Ask::get("/v1/skus/nothing"));
    assert!(left < QUOTA - 1, "others have asked from there");
}

#[test]
fn nginx_as_recommended_does_all_of_it() {
    let trusts = |launch: Launch| launch.variable("ADDRESS_TRUSTED_PROXIES", "127.0.0.1");
    let Some(behind) = Behind::start(Example::Nginx, trusts) else { return };
    behind.sells();
    behind.tells_events_one_by_one();
    behind.serves_its_own_page("https");
    behind.passes_refusals_on();
    behind.tells_clients_apart();
    let denied = behind.front.connect_from(DENIED).ask(&Ask::get("/v1/skus/s").token(SHOP));
    denied.problem(403, "forbidden");
    behind.shuts_the_operators_door();
    behind.answers_batches_line_by_line();
    // A trace begins at the edge, and cookies end there.
    let cookies = Ask::get("/v1/skus/s").header("Cookie", &"c".repeat(7900));
    let cookies = cookies.header("X-Other", &"x".repeat(1000));
    let answer = behind.front.connect().with_token(SHOP).ask(&cookies);
    answer.expect(200);
    let trace = answer.header("traceparent").expect("a trace");
    assert!(trace.starts_with("00-") && trace.ends_with("-01") && trace.len() == 55, "{trace}");
    if let Some(text) = over_http_2(&behind.front, "/livez") {
        assert!(text.starts_with("HTTP/2 200"), "{text}");
    }
}

#[test]
fn haproxy_as_a_proxy_of_http_does_all_of_it() {
    let trusts = |launch: Launch| launch.variable("ADDRESS_TRUSTED_PROXIES", "127.0.0.1");
    let Some(behind) = Behind::start(Example::HaproxyHttp, trusts) else { return };
    behind.sells();
    behind.tells_events_one_by_one();
    behind.serves_its_own_page("https");
    behind.tells_clients_apart();
    let denied = behind.front.connect_from(DENIED).ask(&Ask::get("/v1/skus/s").token(SHOP));
    denied.problem(403, "forbidden");
    behind.shuts_the_operators_door();
    behind.answers_batches_line_by_line();
    if let Some(text) = over_http_2(&behind.front, "/livez") {
        assert!(text.starts_with("HTTP/2 200"), "{text}");
    }
}

#[test]
fn haproxy_that_passes_bytes_on_names_the_client_before_them() {
    let expects = |launch: Launch| {
        let launch = launch.variable("ADDRESS_PROXY_PROTOCOL", "on");
        launch.variable("ADDRESS_TRUSTED_PROXIES", "127.0.0.1")
    };
    let Some(behind) = Behind::start(Example::HaproxyTcp, expects) else { return };
    behind.sells();
    behind.tells_events_one_by_one();
    behind.serves_its_own_page("http");
    behind.tells_clients_apart();
    behind.answers_batches_line_by_line();
    let mut denied = behind.front.connect_from(DENIED);
    // It may be closed before that is written.
    let _ = denied.write(&Ask::get("/livez").bytes());
    assert!(denied.is_closed());
    // Nothing but headers came from the proxy, its checks included.
    assert!(
        !behind.server.complaints().contains("PROXY protocol"),
        "{}",
        behind.server.complaints()
    );
}
