//! Every refusal that a request can bring upon itself.

use crate::document::Declared;
use crate::faults;
use crate::world::World;
use doorbuster_test_support::client::{Answer, Ask};
use doorbuster_test_support::wait;
use serde_json::json;

/// The request without a header.
fn without(ask: Ask, header: &str) -> Ask {
    let headers = ask.headers.into_iter().filter(|(name, _)| name != header).collect();
    Ask { headers, ..ask }
}

/// The request with another body.
fn saying(ask: Ask, body: &serde_json::Value) -> Ask {
    without(ask, "Content-Type").json(&body.to_string())
}

/// A fault of shape, which any operation meets alike.
fn misshapen(world: &mut World, id: &str, code: &str) -> Option<Answer> {
    let mut ask = world.good(id);
    let answer = match code {
        "malformed" => {
            ask.path += if ask.path.contains('?') { "&%" } else { "?%" };
            world.client.ask(&ask)
        }
        "unknown_field" => {
            ask.path += if ask.path.contains('?') { "&colour=red" } else { "?colour=red" };
            world.client.ask(&ask)
        }
        "unauthenticated" => world.locked().connect().ask(&ask),
        "forbidden" => world.client.ask(&ask.header("Origin", "http://elsewhere.example")),
        "uri_too_long" => {
            ask.path += if ask.path.contains('?') { "&" } else { "?" };
            ask.path += &"x".repeat(3000);
            world.client.ask(&ask)
        }
        "unsupported_media_type" => {
            let ask = without(ask.json("{}"), "Content-Type").header("Content-Type", "text/plain");
            world.client.ask(&ask)
        }
        "too_large" if id == "runBatch" => world.client.ask(&Ask::batch(&"x".repeat(70_000))),
        "too_large" => {
            let ask = saying(ask, &json!({"colour": "x".repeat(70_000)}));
            world.client.ask(&ask)
        }
        "timeout" => {
            let ask = if id == "runBatch" { ask } else { ask.json("{}") };
            let mut bytes = ask.bytes();
            bytes.pop();
            let answer = world.server.connect().raw(&bytes);
            assert_eq!(answer.header("Connection"), Some("close"));
            answer
        }
        _ => return None,
    };
    Some(answer)
}

/// An order whose hold ran out, and a request to take it again.
fn reacquire(world: &mut World, settings: serde_json::Value) -> (String, String, Ask) {
    let (sku, order, user) = world.expired(settings);
    (sku, user, Ask::act(&order, "confirm").json(r#"{"if_expired":"reacquire"}"#))
}

/// What the rules refuse.
fn against_the_rules(world: &mut World, id: &str, code: &str) -> Option<Answer> {
    let ask = match (id, code) {
        (_, "unknown_sku") => match id {
            "createOrder" => world.order("nothing"),
            "putDraw" => {
                saying(world.good(id), &json!({"prizes": [{"sku": "nothing", "weight": 1}]}))
            }
            "confirmOrder" => {
                let (sku, _, ask) = reacquire(world, json!({"stock": 1}));
                let delete = Ask::new("DELETE", format!("/v1/skus/{sku}"));
                let gone = world.client.ask(&delete.header("If-Match", "*"));
                assert_eq!(gone.status, 204);
                ask
            }
            _ => {
                let mut ask = world.good(id);
                ask.path = ask.path.replace("/v1/skus/sku-", "/v1/skus/nothing-");
                ask
            }
        },
        (_, "unknown_order") => {
            let mut ask = world.good(id);
            let order = ask.path.split('/').nth(3).expect("an id").to_owned();
            ask.path = ask.path.replace(&order, "7-7");
            ask
        }
        (_, "unknown_draw") => {
            let mut ask = world.good(id);
            ask.path = ask.path.replace("/v1/draws/draw-", "/v1/draws/nothing-");
            ask
        }
        ("createOrder", "draw_only") => {
            let (sku, _) = world.draw(&json!({}));
            world.order(&sku)
        }
        ("confirmOrder", "draw_only") => {
            let (sku, _, ask) = reacquire(world, json!({"stock": 1}));
            let body = json!({"prizes": [{"sku": sku, "weight": 1}]});
            let draw = world.fresh("draw");
            world.client.ask(&Ask::put(format!("/v1/draws/{draw}"), &body)).expect(201);
            ask
        }
        (_, "replication_off") => world.good(id),
        (_, "unknown_request") => Ask::get("/v1/requests/never"),
        (_, "idempotency_key_missing") if id == "refundOrder" => {
            let ask = world.good(id);
            ask.json(r#"{"lines":[{"sku":"A","qty":1}]}"#)
        }
        (_, "idempotency_key_missing") => without(world.good(id), "Idempotency-Key"),
        (_, "idempotency_key_reused") => {
            let sku = world.sku(json!({"stock": 1}));
            let order = world.order(&sku);
            world.client.ask(&order).expect(201);
            let key = order.headers.iter().find(|(name, _)| name == "Idempotency-Key");
            without(world.good(id), "Idempotency-Key").key(&key.expect("it has one").1)
        }
        ("putSku" | "adjustSku", "stock_below_committed") => {
            let (sku, _) = world.held();
            match id {
                "putSku" => Ask::put(format!("/v1/skus/{sku}"), &json!({"stock": 0}))
                    .header("If-Match", "*"),
                _ => {
                    let body = json!({"delta": -2, "reason": "lost"});
                    Ask::post(format!("/v1/skus/{sku}/adjust"), &body).key(&world.fresh("key"))
                }
            }
        }
        ("putSku" | "patchSku" | "deleteSku" | "adjustSku", "version_mismatch") => {
            without(world.good(id), "If-Match").header("If-Match", "\"1\"")
        }
        ("putSku", "if_match_required") => {
            let sku = world.sku(json!({"stock": 1}));
            Ask::put(format!("/v1/skus/{sku}"), &json!({"stock": 2}))
        }
        ("deleteSku", "if_match_required") => without(world.good(id), "If-Match"),
        ("adjustSku", "if_match_required") => {
            saying(world.good(id), &json!({"stock": 7, "reason": "recount"}))
        }
        ("deleteSku", "in_use") => {
            let (sku, _) = world.held();
            Ask::new("DELETE", format!("/v1/skus/{sku}")).header("If-Match", "*")
        }
        (_, "invalid") => out_of_range(world, id)?,
        ("getEvents", "diverged") => Ask::get("/v1/events?after=99-1"),
        ("listOrders", "diverged") => Ask::get("/v1/orders?cursor=zzzzzzzz-1"),
        ("listOrdersOfUser", "diverged") => Ask::get("/v1/users/u/orders?cursor=zzzzzzzz-1"),
        ("createOrder", "sold_out") => {
            let sku = world.sku(json!({"stock": 0}));
            world.order(&sku)
        }
        ("createOrder", "not_open" | "closed" | "paused") => {
            let sku = world.sku(match code {
                "not_open" => json!({"stock": 1, "opens_at": "2999-01-01T00:00:00Z"}),
                "closed" => json!({"stock": 1, "closes_at": "2001-01-01T00:00:00+01:00"}),
                _ => json!({"stock": 1, "paused": true}),
            });
            world.order(&sku)
        }
        ("createOrder", "user_limit") => {
            let sku = world.sku(json!({"stock": 5, "per_user_limit": 1}));
            Ask::order(&world.fresh("key"), "u", &sku, 2)
        }
        ("createOrder", "hold_limit") => {
            let (sku, user) = (world.sku(json!({"stock": 5})), world.fresh("user"));
            let first = Ask::order(&world.fresh("key"), &user, &sku, 1);
            world.client.ask(&first).expect(201);
            Ask::order(&world.fresh("key"), &user, &sku, 1)
        }
        ("confirmOrder" | "extendOrder", "hold_expired") => {
            let (_, order, _) = world.expired(json!({"stock": 1}));
            match id {
                "confirmOrder" => Ask::act(&order, "confirm"),
                _ => Ask::act(&order, "extend").json(r#"{"hold_ms":1000}"#),
            }
        }
        ("confirmOrder", "paused") => {
            let (sku, _, ask) = reacquire(world, json!({"stock": 1}));
            let pause = Ask::new("PATCH", format!("/v1/skus/{sku}")).json(r#"{"paused":true}"#);
            world.client.ask(&pause).expect(200);
            ask
        }
        ("confirmOrder", "sold_out" | "user_limit") => {
            let (sku, user, ask) = reacquire(
                world,
                match code {
                    "sold_out" => json!({"stock": 1}),
                    _ => json!({"stock": 2, "per_user_limit": 1}),
                },
            );
            let key = world.fresh("key");
            world.client.ask(&Ask::order(&key, &user, &sku, 1)).expect(201);
            ask
        }
        (_, "invalid_transition") => {
            let actions: &[&str] = match id {
                "confirmOrder" => &["cancel"],
                "cancelOrder" | "extendOrder" => &["confirm"],
                _ => &[],
            };
            let order = world.after(actions);
            let mut ask = world.good(id);
            let action = ask.path.rsplit('/').next().expect("an action").to_owned();
            ask.path = format!("/v1/orders/{order}/{action}");
            ask
        }
        _ => of_draws(world, id, code)?,
    };
    Some(world.client.ask(&ask))
}

/// What the rules of draws refuse.
fn of_draws(world: &mut World, id: &str, code: &str) -> Option<Ask> {
    let change = |sku: &str, draw: &str, weight: u64| {
        let prizes = json!([{"sku": sku, "weight": weight}]);
        let body = json!({"prizes": prizes, "entries_per_user": 7});
        Ask::put(format!("/v1/draws/{draw}"), &body)
    };
    Some(match (id, code) {
        ("putDraw", "in_use" | "if_match_required" | "closed") => {
            let (sku, draw) = world.draw(&json!({}));
            match code {
                "in_use" => change(&sku, &draw, 2).header("If-Match", "*"),
                "closed" => {
                    world.close(&draw);
                    change(&sku, &draw, 1).header("If-Match", "*")
                }
                _ => change(&sku, &draw, 1),
            }
        }
        ("putDraw" | "deleteDraw", "version_mismatch") => {
            world.good(id).header("If-Match", "\"1\"")
        }
        ("deleteDraw", "in_use") => {
            Ask::new("DELETE", format!("/v1/draws/{}", world.draw(&json!({})).1))
        }
        ("enterDraw", "not_open" | "closed") => {
            let (_, draw) = world.draw(&match code {
                "not_open" => json!({"opens_at": "2999-01-01T00:00:00Z"}),
                _ => json!({"closes_at": "2001-01-01T00:00:00Z"}),
            });
            world.entry(&draw)
        }
        ("enterDraw", "entry_limit" | "hold_limit") => {
            let (_, draw) = world.draw(&json!({"entries_per_user": 1}));
            let (_, other) = world.draw(&json!({}));
            let first = world.entry(&draw);
            world.client.ask(&first).expect(201);
            let again = without(first, "Idempotency-Key").key(&world.fresh("key"));
            let draw = if code == "entry_limit" { draw } else { other };
            Ask { path: format!("/v1/draws/{draw}/entries"), ..again }
        }
        _ => return None,
    })
}

/// A request with a value that is out of range.
fn out_of_range(world: &mut World, id: &str) -> Option<Ask> {
    let good = world.good(id);
    let ask = match id {
        "putSku" => saying(good, &json!({"stock": 1, "hold_ms": 0})),
        "patchSku" => saying(good, &json!({"hold_ms": 0})),
        "adjustSku" => saying(good, &json!({"delta": 0, "reason": "none"})),
        "createOrder" => saying(good, &json!({"user": "u", "lines": []})),
        "confirmOrder" => saying(good, &json!({"if_expired": "pray"})),
        "putDraw" => saying(good, &json!({"prizes": []})),
        "enterDraw" => saying(good, &json!({"user": "u", "client_seed": "x".repeat(65)})),
        "extendOrder" => saying(good, &json!({"hold_ms": 0})),
        "refundOrder" => {
            let body = json!({"lines": [{"sku": "nothing", "qty": 1}]});
            saying(good, &body).key(&world.fresh("key"))
        }
        "getLatencyPercentiles" => Ask::get("/v1/latency.hgrm?stage=none"),
        _ => {
            let path = good.path.split('?').next().expect("a path").to_owned();
            Ask::get(format!("{path}?limit=0"))
        }
    };
    Some(ask)
}

/// The answer of a server that has a table full.
fn full(id: &str) -> Answer {
    let (cap, rows) = match id {
        "putSku" => ("CAPS_SKUS", "1"),
        "adjustSku" => ("CAPS_ANSWERS", "1"),
        "createOrder" => ("CAPS_ORDERS", "1"),
        "putDraw" => ("CAPS_DRAWS", "1"),
        "enterDraw" => ("CAPS_ENTRIES", "1"),
        _ => ("CAPS_KEYS", "10"),
    };
    let mut world = World::with(|launch| launch.variable(cap, rows));
    let ask = match id {
        "putSku" => {
            world.sku(json!({"stock": 1}));
            world.good(id)
        }
        "adjustSku" => {
            let ask = world.good(id);
            world.client.ask(&ask).expect(200);
            saying(without(ask, "Idempotency-Key"), &json!({"delta": 1, "reason": "found"}))
                .key(&world.fresh("key"))
        }
        "putDraw" => {
            world.draw(&json!({}));
            world.good(id)
        }
        "enterDraw" => {
            let first = world.good(id);
            world.client.ask(&first).expect(201);
            world.good(id)
        }
        "createOrder" => {
            let sku = world.sku(json!({"stock": 2}));
            let first = world.order(&sku);
            world.client.ask(&first).expect(201);
            world.order(&sku)
        }
        _ => {
            let ask = world.good(id);
            let (_, other) = world.held();
            // Two keys are those of the orders.
            for _ in 0..8 {
                let key = world.fresh("key");
                let extend = Ask::act(&other, "extend").json(r#"{"hold_ms":1}"#).key(&key);
                world.client.ask(&extend).expect(200);
            }
            ask.key(&world.fresh("key"))
        }
    };
    let answer = world.client.ask(&ask);
    world.document.check(id, &answer);
    answer
}

/// The answer of a server whose first events are gone.
fn pruned() -> Answer {
    let mut world = World::with(|launch| {
        launch
            .variable("JOURNAL_SEGMENT_BYTES", "262144")
            .variable("JOURNAL_RETAIN_MS", "1")
            .variable("SNAPSHOTS_KEEP", "2")
            .variable("OPEN_HOLDS_PER_USER_MAX", "0")
    });
    world.client.put_sku("s", &json!({"stock": 1_000_000}));
    wait::until("the first segment goes", || {
        let line = |_| {
            let (key, lines) = (world.fresh("key"), json!([{"sku": "s", "qty": 1}]));
            json!({"op": "order", "key": key, "user": "u", "lines": lines}).to_string()
        };
        let lines: Vec<String> = (0..1000).map(line).collect();
        assert_eq!(world.client.ask(&Ask::batch(&lines.join("\n"))).status, 200);
        world.client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
        let answer = world.client.ask(&Ask::get("/v1/events?after=0"));
        (answer.status != 200).then_some(answer)
    })
}

pub(crate) fn provoke(world: &mut World, declared: &Declared) -> Option<Answer> {
    let (id, code) = (declared.operation.as_str(), declared.code.as_str());
    if code == "compacted" {
        return Some(pruned());
    }
    if code == "capacity" {
        return Some(full(id));
    }
    misshapen(world, id, code).or_else(|| against_the_rules(world, id, code))
}

#[test]
fn every_declared_refusal_can_be_met_and_looks_as_described() {
    let mut world = World::new();
    let mut met = 0;
    for declared in world.document.refusals() {
        if faults::provokes(&declared.code) {
            continue;
        }
        let answer = provoke(&mut world, &declared)
            .unwrap_or_else(|| panic!("nobody knows how to provoke {declared:?}"));
        assert_eq!(answer.status, declared.status, "{declared:?}: {answer:?}");
        assert_eq!(answer.json()["code"], declared.code, "{declared:?}: {answer:?}");
        world.document.check(&declared.operation, &answer);
        // A refusal that closes is heard on a connection of its own.
        if answer.header("Connection") == Some("close") {
            world.client = world.server.connect();
        }
        met += 1;
    }
    assert!(met > 150, "only {met}");
    eprintln!("{met} refusals met");
}

#[test]
fn a_head_that_is_too_large_is_431_everywhere() {
    let mut world = World::new();
    for operation in world.document.operations() {
        let ask = world.good(&operation.id).header("X-Long", &"x".repeat(20_000));
        let answer = world.server.connect().ask(&ask);
        assert_eq!(answer.status, 431, "{}: {answer:?}", operation.id);
        world.document.check(&operation.id, &answer);
    }
}
