//! Draws over HTTP: what a client sees of one, what nobody sees before it is closed, and what a
//! sudden death leaves of it (API 4).
//!
//! Picks are worked out here from the revealed seed by an HMAC of its own. The rules themselves are
//! tested beside the domain. Next: `idempotency`.

use crate::TARGET;
use doorbuster::domain::rules::decide::decide;
use doorbuster::engine::recheck::Recheck;
use doorbuster::engine::replay::{From, Until};
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use doorbuster_witness::chance;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;

fn enter(key: &str, draw: &str, user: &str) -> Ask {
    Ask::post(format!("/v1/draws/{draw}/entries"), &json!({"user": user})).key(key)
}

fn close(draw: &str) -> Ask {
    Ask::new("POST", format!("/v1/draws/{draw}/close"))
}

fn put(draw: &str, body: &Value) -> Ask {
    Ask::put(format!("/v1/draws/{draw}"), body)
}

fn bytes(hex: &Value) -> [u8; 32] {
    let text = hex.as_str().unwrap_or_else(|| panic!("no hex in {hex}"));
    assert_eq!(text.len(), 64, "{text}");
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..][..2], 16).expect("hex digits"))
}

/// All entries, page by page.
fn entries(client: &mut Client, draw: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/v1/draws/{draw}/entries?after={after}&limit={limit}"));
        let found = page["entries"].as_array().expect("a list");
        assert!(found.len() <= limit && page["seq"].is_u64(), "{page}");
        all.extend(found.iter().cloned());
        match page["next_after"].as_u64() {
            Some(next) => after = next,
            None => return all,
        }
    }
}

#[test]
fn a_draw_is_made_entered_closed_and_deleted() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    client.put_sku("phone", &json!({"stock": 1, "per_user_limit": 1}));
    let body = json!({"prizes": [{"sku": "phone", "weight": 1}], "entries_per_user": 2});

    client.ask(&Ask::get("/v1/draws/d")).problem(404, "unknown_draw");
    client
        .ask(&put("d", &json!({"prizes": [{"sku": "x", "weight": 1}]})))
        .problem(404, "unknown_sku");
    let made = client.ask(&put("d", &body).header("If-None-Match", "*"));
    let draw = made.expect(201);
    let tag = made.header("ETag").expect("a tag").to_owned();
    assert_eq!(tag, format!("\"{}\"", draw["version"]));
    assert_eq!(
        (&draw["seed"], &draw["closed_at"], &draw["entries"]),
        (&Value::Null, &Value::Null, &json!(0))
    );
    assert_eq!((&draw["blank_weight"], &draw["confirm"]), (&json!(0), &json!(false)));

    client.ask(&put("d", &body)).expect(200);
    let more = json!({"prizes": [{"sku": "phone", "weight": 1}], "entries_per_user": 3});
    client.ask(&put("d", &more)).problem(428, "if_match_required");
    client.ask(&put("d", &more).header("If-Match", "\"1\"")).problem(412, "version_mismatch");
    client.ask(&put("d", &more).header("If-Match", &tag)).expect(200);
    let other = json!({"prizes": [{"sku": "phone", "weight": 2}]});
    client.ask(&put("d", &other).header("If-Match", "*")).problem(409, "in_use");

    let refused = client.ask(&Ask::order("k", "ann", "phone", 1)).problem(409, "draw_only");
    assert_eq!(refused["sku"], "phone");
    client
        .ask(&Ask::new("DELETE", "/v1/skus/phone").header("If-Match", "*"))
        .problem(409, "in_use");
    client.ask(&Ask::new("DELETE", "/v1/draws/d")).problem(409, "in_use");

    let won = client.ask(&enter("e1", "d", "ann")).expect(201);
    let order = &won["order"];
    assert_eq!(
        (&won["entry"], &won["outcome"], &won["pick"]),
        (&json!(1), &json!("won"), &json!("phone"))
    );
    assert_eq!(
        (&order["status"], &order["user"], &order["seq"]),
        (&json!("held"), &json!("ann"), &won["seq"])
    );
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an id"));
    assert_eq!(client.get(&path)["lines"], json!([{"sku": "phone", "qty": 1, "refunded_qty": 0}]));
    let lost = client.ask(&enter("e2", "d", "ann")).expect(201);
    assert_eq!((&lost["reason"], &lost["order"]), (&json!("user_limit"), &Value::Null));
    let lost = client.ask(&enter("e3", "d", "bob")).expect(201);
    assert_eq!((&lost["reason"], &lost["outcome"]), (&json!("no_stock"), &json!("lost")));
    client.ask(&enter("e4", "d", "ann")).expect(201);
    let limit = client.ask(&enter("e5", "d", "ann")).problem(409, "entry_limit");
    assert_eq!((&limit["used"], &limit["limit"]), (&json!(3), &json!(3)));
    client.ask(&enter("e6", "none", "ann")).problem(404, "unknown_draw");

    let closed = client.ask(&close("d"));
    let shown = closed.expect(200);
    assert_eq!(shown["commitment"], draw["commitment"]);
    assert_eq!(Sha256::digest(bytes(&shown["seed"]))[..], bytes(&draw["commitment"])[..]);
    assert_eq!(client.ask(&close("d")).body, closed.body, "again: the same answer");
    let late = client.ask(&enter("e7", "d", "eve")).problem(410, "closed");
    assert_eq!(late["closes_at"], shown["closed_at"]);
    assert_eq!(client.get("/v1/draws/d")["seed"], shown["seed"]);
    assert_eq!(entries(client, "d", 3).len(), 4);
    let of_bob = client.get("/v1/draws/d/entries?user=bob");
    assert_eq!(of_bob["entries"], json!([lost]));

    let tables = client.get("/v1/status")["tables"].clone();
    assert_eq!((&tables["draws"]["used"], &tables["entries"]["used"]), (&json!(1), &json!(4)));
    assert_eq!(client.ask(&Ask::new("DELETE", "/v1/draws/d")).status, 204);
    client.ask(&Ask::get("/v1/draws/d")).problem(404, "unknown_draw");
    server.stop().stopped();
}

#[test]
fn a_draw_has_the_manners_of_everything_else() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 9}));
    client
        .ask(&put(
            "d",
            &json!({"prizes": [{"sku": "s", "weight": 1}], "opens_at": "2100-01-01T00:00:00Z"}),
        ))
        .expect(201);
    for (path, allow) in [
        ("/v1/draws/d", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/v1/draws/d/entries", "GET, HEAD, POST, OPTIONS"),
        ("/v1/draws/d/close", "POST, OPTIONS"),
    ] {
        let options = client.ask(&Ask::new("OPTIONS", path));
        assert_eq!((options.status, options.header("Allow")), (204, Some(allow)));
        let patched = client.ask(&Ask::new("PATCH", path).json("{}"));
        patched.problem(405, "method_not_allowed");
        assert_eq!(patched.header("Allow"), Some(allow));
    }
    let got = client.ask(&Ask::get("/v1/draws/d"));
    let head = client.ask(&Ask::new("HEAD", "/v1/draws/d"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("Content-Length"), Some(&*got.body.len().to_string()));
    client.ask(&Ask::get("/v1/draws")).problem(404, "not_found");
    let refused = client.ask(&enter("k", "d", "u"));
    assert_eq!(refused.problem(409, "not_open")["opens_at"], "2100-01-01T00:00:00.000Z");
    assert_eq!(refused.header("Retry-After"), Some("60"));
    client
        .ask(&Ask::post("/v1/draws/d/entries", &json!({"user": "u"})))
        .problem(400, "idempotency_key_missing");
    let fault = client.ask(&put("e", &json!({"prizes": []}))).problem(422, "invalid");
    assert_eq!(fault["errors"][0]["field"], "prizes");
    client.ask(&Ask::get("/v1/draws/d/entries?limit=101")).problem(422, "invalid");
}

/// The same answer but for the mark of a replay.
#[track_caller]
fn check_replay(first: &Answer, second: &Answer) {
    assert!(!first.is_replayed() && second.is_replayed(), "{first:?} {second:?}");
    assert_eq!((first.status, &first.body), (second.status, &second.body));
}

/// The retry of a lost entry loses again also after a kill and with stock back.
#[test]
fn the_retry_of_a_lost_entry_loses_again() {
    let data = TARGET.directory();
    let mut server = TARGET.launch(data.path()).small().start();
    let mut client = server.connect();
    client.put_sku("last", &json!({"stock": 1}));
    client
        .ask(&put("d", &json!({"prizes": [{"sku": "last", "weight": 1}], "hold_ms": 300})))
        .expect(201);
    let win = enter("winner", "d", "ann");
    let won = client.ask(&win);
    assert_eq!(won.expect(201)["reason"], "won");
    let lose = enter("loser", "d", "bob");
    let lost = client.ask(&lose);
    assert_eq!(lost.expect(201)["reason"], "no_stock");
    let end = close("d").key("end");
    wait::until("the prize is back", || {
        (client.get("/v1/skus/last")["available"] == 1).then_some(())
    });
    check_replay(&lost, &client.ask(&lose));
    let mut closed: Option<Answer> = None;
    for kill in 0..3 {
        server.kill();
        server = TARGET.launch(data.path()).small().start();
        client = server.connect();
        check_replay(&lost, &client.ask(&lose));
        check_replay(&won, &client.ask(&win));
        let kept = client.get("/v1/requests/loser");
        assert_eq!((&kept["status"], &kept["body"]), (&json!(201), &lost.json()));
        match &closed {
            None => closed = Some(client.ask(&end)),
            Some(closed) => check_replay(closed, &client.ask(&end)),
        }
        if kill == 1 {
            assert_eq!(client.ask(&Ask::new("DELETE", "/v1/draws/d")).status, 204);
        }
    }
    client.ask(&enter("loser", "d", "cleo")).problem(422, "idempotency_key_reused");
    assert_eq!(client.get("/v1/skus/last")["sold"], 0);
}

const WEIGHTS: [u64; 3] = [1, 9, 90];
const BLANK_WEIGHT: u64 = 100;
const SKUS: [(&str, u64); 3] = [("phone", 3), ("ticket", 40), ("coupon", 500)];
const THREADS: usize = 4;
const TRIES: usize = 400;
const PER_USER: u64 = 3;

/// Many at once; each user tries once more than he may.
fn rush(server: &Server) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let mut client = server.connect();
            scope.spawn(move || {
                for at in 0..TRIES {
                    let user = format!("user-{}", (at * THREADS + number) % (THREADS * TRIES / 4));
                    let body = json!({"user": user, "client_seed": format!("luck {at}")});
                    let key = format!("{number}-{at}");
                    let answer = client.ask(&Ask::post("/v1/draws/big/entries", &body).key(&key));
                    match answer.status {
                        201 => assert!(answer.json()["entry"].is_u64(), "{answer:?}"),
                        _ => drop(answer.problem(409, "entry_limit")),
                    }
                }
            });
        }
    });
}

/// A draw under load gives no prize twice and every pick can be worked out.
#[test]
fn a_draw_under_load_gives_no_prize_twice() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let mut client = server.connect();
    for (sku, stock) in SKUS {
        client.put_sku(sku, &json!({"stock": stock}));
    }
    let prizes: Vec<Value> = SKUS
        .iter()
        .zip(WEIGHTS)
        .map(|((sku, _), weight)| json!({"sku": sku, "weight": weight}))
        .collect();
    let body = json!({"prizes": prizes, "blank_weight": BLANK_WEIGHT,
        "entries_per_user": PER_USER, "confirm": true});
    let made = client.ask(&put("big", &body)).expect(201);
    rush(&server);
    let open = client.ask(&Ask::get("/v1/draws/big"));
    assert_eq!(open.json()["seed"], Value::Null);
    server.kill();

    let server = TARGET.launch(data.path()).small().start();
    let mut client = server.connect();
    let closed = client.ask(&close("big")).expect(200);
    let seed = bytes(&closed["seed"]);
    assert_eq!(Sha256::digest(seed)[..], bytes(&made["commitment"])[..]);
    let all = entries(&mut client, "big", 97);
    let most = (THREADS * TRIES / 4) as u64 * PER_USER;
    assert_eq!((all.len() as u64, &closed["entries"]), (most, &json!(most)));

    let mut won: BTreeMap<&str, u64> = BTreeMap::new();
    let mut of_user: BTreeMap<&str, u64> = BTreeMap::new();
    let mut orders = BTreeSet::new();
    for (entry, number) in all.iter().zip(1..) {
        assert_eq!(entry["entry"], number, "numbers have no gaps");
        let user = entry["user"].as_str().expect("a user");
        let ticket = ("big", number, user, entry["client_seed"].as_str());
        let pick = chance::pick(&seed, ticket, &WEIGHTS, BLANK_WEIGHT);
        assert_eq!(entry["pick"], json!(pick.map(|place| SKUS[place].0)), "{entry}");
        *of_user.entry(user).or_default() += 1;
        let reason = match pick.map(|place| SKUS[place]) {
            None => "blank",
            Some((sku, stock)) => {
                let won = won.entry(sku).or_default();
                *won += u64::from(*won < stock);
                if orders.contains(&(sku, *won)) { "no_stock" } else { "won" }
            }
        };
        if let (Some(place), "won") = (pick, reason) {
            orders.insert((SKUS[place].0, won[SKUS[place].0]));
        }
        assert_eq!(entry["reason"], reason, "{entry}");
        assert_eq!(entry["order"].is_object(), reason == "won", "{entry}");
    }
    assert!(of_user.values().all(|entries| *entries <= PER_USER));
    for (sku, stock) in SKUS {
        let shown = client.get(&format!("/v1/skus/{sku}"));
        let sold = won.get(sku).copied().unwrap_or(0);
        assert_eq!((&shown["sold"], &shown["total"]), (&json!(sold), &json!(stock)));
    }
    server.stop().stopped();
    check_decided_again(data.path());
}

/// Every entry comes out of the journal's seed and state as it was recorded.
fn check_decided_again(data: &Path) {
    let mut recheck = Recheck::new(decide);
    recheck.run(data, From::Genesis, Until::End, &mut |_| {}).expect("the journal is whole");
    assert_eq!(recheck.different, 0, "{:?}", recheck.differences);
}
