//! Every route and method crossed with everybody who may ask: the exact status, and no change where
//! it is a refusal (API 6).
//!
//! The table stands here a second time, written from the contract and not from the server's own. A
//! route that is in the server's document and not in it fails. Next: `rotation`.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::{Entry, TokensFile};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// `shop` made the orders that are asked for, `rival` is another shop.
const WHO: [&str; 8] =
    ["none", "bad", "expired", "shop", "rival", "warehouse", "watcher", "operator"];

const TOKENS: [Entry<'static>; 6] = [
    ("late", "admin", "expired", "expires_at = 2001-01-01T00:00:00Z"),
    ("shop", "buy", "shop", ""),
    ("rival", "buy", "rival", "class = \"priority\""),
    ("warehouse", "fulfil", "warehouse", "expires_at = 2999-01-01T00:00:00Z"),
    ("watcher", "metrics", "watcher", ""),
    ("operator", "admin", "operator", ""),
];

/// Request, then a status for each of `WHO`.
const TABLE: &str = "
    GET     /livez                    200 200 200  200 200 200 200 200
    HEAD    /livez                    200 200 200  200 200 200 200 200
    OPTIONS /livez                    204 204 204  204 204 204 204 204
    POST    /livez                    405 405 405  405 405 405 405 405
    GET     /readyz                   200 200 200  200 200 200 200 200
    GET     /openapi.json             200 200 200  200 200 200 200 200
    GET     /                         200 200 200  200 200 200 200 200
    GET     /nothing                  401 401 401  404 404 404 404 404
    GET     /v1/%zz                   401 401 401  400 400 400 400 400
    GET     /livez/                   401 401 401  404 404 404 404 404
    GET     /metrics                  401 401 401  403 403 403 200 200
    GET     /v1/status                401 401 401  403 403 403 200 200
    GET     /v1/latency               401 401 401  403 403 403 200 200
    GET     /v1/latency.hgrm          401 401 401  403 403 403 200 200
    POST    /v1/admin/snapshot        401 401 401  403 403 403 403 200
    POST    /v1/admin/handover        401 401 401  403 403 403 403 409
    POST    /v1/batch                 401 401 401  200 200 200 200 200
    GET     /v1/events                401 401 401  403 403 403 403 200
    OPTIONS *                         401 401 401  204 204 204 204 204
    GET     /v1/skus                  401 401 401  200 200 200 403 200
    GET     /v1/skus/{sku}            401 401 401  200 200 200 403 200
    HEAD    /v1/skus/{sku}            401 401 401  200 200 200 403 200
    PUT     /v1/skus/{sku}            401 401 401  403 403 403 403 200
    PATCH   /v1/skus/{sku}            401 401 401  403 403 403 403 200
    DELETE  /v1/skus/{sku}            401 401 401  403 403 403 403 204
    POST    /v1/skus/{sku}/adjust     401 401 401  403 403 403 403 200
    OPTIONS /v1/skus/{sku}/adjust     401 401 401  204 204 204 204 204
    POST    /v1/orders                401 401 401  201 201 403 403 201
    GET     /v1/orders                401 401 401  403 403 403 403 200
    PUT     /v1/orders                401 401 401  405 405 405 405 405
    GET     /v1/orders/{order}        401 401 401  200 404 200 403 200
    HEAD    /v1/orders/{order}        401 401 401  200 404 200 403 200
    POST    /v1/orders/{order}/confirm    401 401 401  200 404 403 403 200
    POST    /v1/orders/{order}/cancel     401 401 401  200 404 403 403 200
    POST    /v1/orders/{order}/extend     401 401 401  200 404 403 403 200
    POST    /v1/orders/{order}/ship       401 401 401  403 403 200 403 200
    POST    /v1/orders/{order}/complete   401 401 401  403 403 200 403 200
    POST    /v1/orders/{order}/refund     401 401 401  403 403 200 403 200
    PUT     /v1/draws/{draw}          401 401 401  403 403 403 403 201
    GET     /v1/draws/{draw}          401 401 401  200 200 403 403 200
    DELETE  /v1/draws/{draw}          401 401 401  403 403 403 403 204
    POST    /v1/draws/{draw}/entries  401 401 401  201 201 403 403 201
    GET     /v1/draws/{draw}/entries  401 401 401  200 200 403 403 200
    POST    /v1/draws/{draw}/close    401 401 401  403 403 403 403 200
    GET     /v1/users/{user}/orders   401 401 401  200 200 403 403 200
    GET     /v1/requests/{key}        401 401 401  200 404 404 403 404
    POST    /v1/admin/read-only       401 401 401  403 403 403 403 200
    POST    /v1/admin/read-write      401 401 401  403 403 403 403 200
    POST    /v1/admin/drain           401 401 401  403 403 403 403 200
";

struct Row {
    method: &'static str,
    path: &'static str,
    statuses: Vec<u16>,
}

fn table() -> Vec<Row> {
    let lines = TABLE.lines().map(str::trim).filter(|line| !line.is_empty());
    let row = |line: &'static str| {
        let mut words = line.split_ascii_whitespace();
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let statuses: Vec<u16> = words.map(|word| word.parse().expect("a status")).collect();
        assert_eq!(statuses.len(), WHO.len(), "{line}");
        Row { method, path, statuses }
    };
    lines.map(row).collect()
}

/// A server with a token for everybody, and connections on which they are shown.
struct House {
    server: Server,
    shop: Client,
    operator: Client,
    number: u64,
    _data: TempDir,
}

impl House {
    fn new() -> Self {
        let data = TARGET.directory();
        let server = TokensFile::beside(data.path(), &TOKENS).launch(TARGET).start();
        let as_one = |token| server.connect().with_token(token);
        let (shop, operator) = (as_one("shop"), as_one("operator"));
        Self { server, shop, operator, number: 0, _data: data }
    }

    fn connect_as(&self, who: &str) -> Client {
        let client = self.server.connect();
        if who == "none" { client } else { client.with_token(who) }
    }

    fn sequence(&mut self) -> Value {
        self.operator.get("/v1/status")["seq"].clone()
    }

    /// A SKU and an order of the shop for it, as far along as the action at the end of a path
    /// needs.
    fn prepared(&mut self, path: &str) -> (String, String) {
        self.number += 1;
        let sku = format!("sku-{}", self.number);
        // The server may be read-only, or about to stop.
        if path.starts_with("/v1/admin/") {
            return (sku, String::new());
        }
        self.operator.put_sku(&sku, &json!({"stock": 9}));
        if !path.contains("{order}") && !path.contains("{key}") {
            return (sku, String::new());
        }
        let (key, user) = (format!("key-{}", self.number), format!("user-{}", self.number));
        let order = self.shop.ask(&Ask::order(&key, &user, &sku, 1)).expect(201);
        let order = order["id"].as_str().expect("an id").to_owned();
        let before: &[&str] = match path.rsplit('/').next() {
            Some("ship" | "refund") => &["confirm"],
            Some("complete") => &["confirm", "ship"],
            _ => &[],
        };
        for action in before {
            self.operator.ask(&Ask::act(&order, action)).expect(200);
        }
        (sku, order)
    }

    fn put_draw(&mut self, draw: &str, sku: &str) {
        self.operator.ask(&Ask::put(format!("/v1/draws/{draw}"), &odds(sku))).expect(201);
    }

    /// A request that succeeds for whoever may make it.
    fn good(&mut self, method: &'static str, path: &str) -> Ask {
        let (mut sku, order) = self.prepared(path);
        if (method, path) == ("DELETE", "/v1/skus/{sku}") {
            // Nobody has ordered of it.
            sku = format!("gone-{}", self.number);
            self.operator.put_sku(&sku, &json!({"stock": 1}));
        }
        let number = self.number;
        let draw = format!("draw-{number}");
        if path.contains("{draw}") && method != "PUT" {
            self.put_draw(&draw, &sku);
        }
        if (method, path) == ("DELETE", "/v1/draws/{draw}") {
            self.operator.ask(&Ask::new("POST", format!("/v1/draws/{draw}/close"))).expect(200);
        }
        let named = path.replace("{sku}", &sku).replace("{order}", &order);
        let named = named.replace("{draw}", &draw);
        let named = named.replace("{user}", &format!("user-{number}"));
        let ask = Ask::new(method, named.replace("{key}", &format!("key-{number}")));
        let key = format!("asked-{number}");
        match (method, path) {
            ("PUT", "/v1/skus/{sku}") => ask.json(r#"{"stock":9}"#),
            ("PUT", "/v1/draws/{draw}") => ask.json(&odds(&sku).to_string()),
            ("POST", "/v1/draws/{draw}/entries") => ask.json(r#"{"user":"u"}"#).key(&key),
            ("PATCH", _) => ask.json(r#"{"paused":true}"#),
            ("DELETE", _) => ask.header("If-Match", "*"),
            ("POST", "/v1/skus/{sku}/adjust") => {
                ask.json(r#"{"delta":1,"reason":"found"}"#).key(&key)
            }
            ("POST", "/v1/batch") => Ask::batch(""),
            ("POST", "/v1/orders") => Ask::order(&key, &format!("buyer-{number}"), &sku, 1),
            ("POST", "/v1/orders/{order}/extend") => ask.json(r#"{"hold_ms":400000}"#),
            _ => ask,
        }
    }
}

/// A draw that everybody wins while there is stock.
fn odds(sku: &str) -> Value {
    json!({"prizes": [{"sku": sku, "weight": 1}]})
}

fn code_of(status: u16) -> &'static [&'static str] {
    match status {
        401 => &["unauthenticated"],
        403 => &["forbidden"],
        404 => &["unknown_order", "unknown_request", "not_found"],
        405 => &["method_not_allowed"],
        409 => &["replication_off"],
        _ => &["malformed"],
    }
}

fn check_refusal(answer: &Answer, to_head: bool, what: &str) {
    let asked = answer.header("WWW-Authenticate");
    assert_eq!(asked, (answer.status == 401).then_some("Bearer"), "{what}: {answer:?}");
    assert_eq!(answer.header("Connection"), None, "{what}: the connection stays");
    if !to_head {
        let code = answer.json()["code"].as_str().expect("a code").to_owned();
        assert!(code_of(answer.status).contains(&code.as_str()), "{what}: {answer:?}");
        answer.problem(answer.status, &code);
    }
}

/// Every route gives everybody the status of the table and refusals change nothing.
#[test]
fn every_route_gives_every_role_the_status_of_the_table() {
    let mut house = House::new();
    let mut clients = WHO.map(|who| house.connect_as(who));
    for Row { method, path, statuses } in table() {
        for ((who, client), status) in WHO.iter().zip(&mut clients).zip(statuses) {
            let what = format!("{method} {path} as {who}");
            let ask = house.good(method, path);
            let before = house.sequence();
            let answer = client.ask(&ask);
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            if status >= 400 {
                check_refusal(&answer, method == "HEAD", &what);
                assert_eq!(house.sequence(), before, "{what} changed something");
            }
        }
    }
}

#[test]
fn the_contract_says_of_every_operation_what_the_table_does() {
    let house = House::new();
    let document = house.connect_as("none").get("/openapi.json");
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let rows = table();
            let method = method.to_uppercase();
            let row = rows.iter().find(|row| (row.method, row.path) == (&method, path));
            let row = row.unwrap_or_else(|| panic!("nobody says who may {method} {path}"));
            let status = |who| row.statuses[WHO.iter().position(|own| *own == who).expect("one")];
            if status("none") == 401 {
                let roles = [
                    ("buy", "shop"),
                    ("fulfil", "warehouse"),
                    ("metrics", "watcher"),
                    ("admin", "operator"),
                ];
                let may = roles.into_iter().filter(|(_, who)| status(who) != 403);
                let may: Vec<&str> = may.map(|(role, _)| role).collect();
                assert_eq!(operation["x-roles"], json!(may), "{method} {path}");
            } else {
                assert_eq!(operation["security"], json!([]), "{method} {path}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn a_refused_role_is_refused_before_what_it_sends_is_looked_at() {
    let mut house = House::new();
    let before = house.sequence();
    let ask = Ask::new("PUT", "/v1/skus/none").json("{").header("If-Match", "nonsense");
    house.connect_as("none").ask(&ask).problem(401, "unauthenticated");
    house.connect_as("shop").ask(&ask).problem(403, "forbidden");
    house.connect_as("operator").ask(&ask).problem(400, "malformed");
    let ask = Ask::new("POST", "/v1/orders").header("Content-Type", "text/plain");
    let ask = Ask { body: Some("no".to_owned()), ..ask };
    house.connect_as("watcher").ask(&ask).problem(403, "forbidden");
    house.connect_as("shop").ask(&ask).problem(415, "unsupported_media_type");
    assert_eq!(house.sequence(), before);
}

/// An authorization that is not exactly one bearer token is none.
#[test]
fn an_authorization_is_exactly_one_bearer_token() {
    let house = House::new();
    let mut client = house.connect_as("none");
    for bad in ["Bearer", "Bearer ", "Basic shop", "shop", "Bearer shopp", "Bearer Shop"] {
        let ask = Ask::get("/v1/skus").header("Authorization", bad);
        let refused = client.ask(&ask).problem(401, "unauthenticated");
        assert!(!refused.to_string().contains("hop"), "{refused}");
    }
    let twice = Ask::get("/v1/skus").token("shop").token("shop");
    client.ask(&twice).problem(401, "unauthenticated");
    for good in ["Bearer shop", "bearer shop", "BEARER  shop"] {
        client.ask(&Ask::get("/v1/skus").header("Authorization", good)).expect(200);
    }
    // One connection may speak for several, as a proxy's does.
    client.ask(&Ask::get("/v1/status").token("shop")).problem(403, "forbidden");
    client.ask(&Ask::get("/v1/status").token("watcher")).expect(200);
    client.ask(&Ask::get("/v1/status")).problem(401, "unauthenticated");
}

#[test]
fn two_principals_may_use_one_key_and_see_nothing_of_each_other() {
    let mut house = House::new();
    house.operator.put_sku("s", &json!({"stock": 9}));
    let mut rival = house.connect_as("rival");
    let ask = Ask::order("one-key", "anna", "s", 1);
    let first = house.shop.ask(&ask);
    let other = rival.ask(&ask);
    let (first_id, other_id) = (first.expect(201)["id"].clone(), other.expect(201)["id"].clone());
    assert!(first_id != other_id && !other.is_replayed());
    // Another request under it is a fault for whoever used it, and none for somebody new.
    let different = Ask::order("one-key", "ben", "s", 2);
    house.shop.ask(&different).problem(422, "idempotency_key_reused");
    for (client, own) in [(&mut house.shop, &first), (&mut rival, &other)] {
        let again = client.ask(&ask);
        assert!(again.is_replayed() && again.body == own.body, "{again:?}");
        let remembered = client.get("/v1/requests/one-key");
        assert_eq!(remembered["body"], own.json(), "{remembered}");
        let orders = client.get("/v1/users/anna/orders");
        assert_eq!(orders["orders"].as_array().map(Vec::len), Some(1), "{orders}");
        assert_eq!(orders["orders"][0]["id"], own.json()["id"]);
    }
    house.operator.ask(&Ask::get("/v1/requests/one-key")).problem(404, "unknown_request");
    // Both count against what one user may have, whoever sells to them.
    assert_eq!(house.operator.get("/v1/skus/s")["held"], 2);
    let all = house.operator.get("/v1/orders");
    assert_eq!(all["orders"].as_array().map(Vec::len), Some(2), "{all}");
}

/// Op, then a status for shop, rival, warehouse, watcher and operator.
const LINES: &str = "
    order     201 201 403 403 201
    confirm   200 404 403 403 200
    cancel    200 404 403 403 200
    extend    200 404 403 403 200
    ship      403 403 200 403 200
    complete  403 403 200 403 200
    refund    403 403 200 403 200
    entry     201 201 403 403 201
    adjust    403 403 403 403 200
    sku       403 403 403 403 201
";

#[test]
fn the_lines_of_a_batch_are_checked_one_by_one_like_requests() {
    let mut house = House::new();
    let speakers = &WHO[3..];
    let mut ops = BTreeSet::new();
    for line in LINES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let op = words[0];
        ops.insert(op.to_owned());
        for (who, expected) in speakers.iter().zip(&words[1..]) {
            let (sku, order) = house.prepared(&format!("{{order}}/{op}"));
            let (number, lines) = (house.number, json!([{"sku": sku, "qty": 1}]));
            let key = format!("line-{number}");
            let good = match op {
                "order" => json!({"op": op, "key": key, "user": key, "lines": lines}),
                "extend" => json!({"op": op, "id": order, "hold_ms": 400_000}),
                "adjust" => {
                    json!({"op": op, "key": key, "sku": sku, "delta": 1, "reason": "found"})
                }
                "entry" => {
                    house.put_draw(&key, &sku);
                    json!({"op": op, "key": key, "draw": key, "user": key})
                }
                "sku" => json!({"op": op, "sku": key, "stock": 1}),
                _ => json!({"op": op, "id": order}),
            };
            // A line whose shape is wrong as well is told about the role first, too.
            let misshapen = json!({"op": op, "colour": "red"});
            let before = house.sequence();
            let mut client = house.connect_as(who);
            let answer = client.ask(&Ask::batch(&format!("{misshapen}\n{good}\n")));
            let told: Vec<Value> = String::from_utf8(answer.body)
                .expect("text")
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect();
            let what = format!("{op} as {who}: {told:?}");
            assert_eq!((answer.status, told.len()), (200, 2), "{what}");
            assert_eq!(told[1]["status"].to_string(), *expected, "{what}");
            let shape = if *expected == "403" { 403 } else { 400 };
            assert_eq!(told[0]["status"], shape, "{what}");
            if expected.starts_with('4') {
                assert_eq!(house.sequence(), before, "{what} changed something");
            }
        }
    }
    let document = house.connect_as("none").get("/openapi.json");
    let schemas = &document["components"]["schemas"];
    let kinds = schemas["BatchLine"]["anyOf"].as_array().expect("the kinds of lines").iter();
    let op = |kind: &Value| {
        let name = kind["$ref"].as_str().and_then(|path| path.rsplit('/').next()).expect("a name");
        let op = &schemas[name]["properties"]["op"]["enum"][0];
        op.as_str().expect("a word").to_owned()
    };
    let named: BTreeSet<String> = kinds.map(op).collect();
    assert_eq!(ops, named);
}
