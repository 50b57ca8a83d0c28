//! Every success that the document declares, and every example in it.

use crate::document::lines_of;
use crate::world::World;
use doorbuster_test_support::client::Ask;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A unit test beside `handlers::replication` shows its answer.
const NEEDS_A_COPY: &str = "handOver";

#[test]
fn every_operation_succeeds_as_described() {
    let mut world = World::new();
    for operation in world.document.operations() {
        if operation.id == NEEDS_A_COPY {
            continue;
        }
        // Behind these nothing else succeeds.
        if ["drain", "setReadOnly"].contains(&operation.id.as_str()) {
            let mut last = World::new();
            let ask = last.good(&operation.id);
            let answer = last.client.ask(&ask);
            assert_eq!((operation.successes(), answer.status), (vec![200], 200));
            last.document.check(&operation.id, &answer);
            continue;
        }
        let ask = world.good(&operation.id);
        assert_eq!(ask.method, operation.method);
        let answer = world.client.ask(&ask);
        world.document.check(&operation.id, &answer);
        let mut seen = BTreeSet::from([answer.status]);
        if ["putSku", "putDraw"].contains(&operation.id.as_str()) {
            let answer = world.client.ask(&ask);
            world.document.check(&operation.id, &answer);
            seen.insert(answer.status);
        }
        let declared: BTreeSet<u16> = operation.successes().into_iter().collect();
        assert_eq!(seen, declared, "{}", operation.id);
    }
}

#[test]
fn retries_and_remembered_answers_look_like_the_first() {
    let mut world = World::new();
    for id in ["createOrder", "adjustSku", "enterDraw", "closeDraw"] {
        let mut ask = world.good(id);
        if !ask.headers.iter().any(|(name, _)| name == "Idempotency-Key") {
            ask = ask.key(&world.fresh("key"));
        }
        let first = world.client.ask(&ask);
        let again = world.client.ask(&ask);
        assert!(again.is_replayed() && again.body == first.body, "{again:?}");
        world.document.check(id, &again);
        let key = ask.headers.iter().find(|(name, _)| name == "Idempotency-Key");
        let path = format!("/v1/requests/{}", key.expect("it has a key").1);
        let remembered = world.client.ask(&Ask::get(path));
        world.document.check("getRequest", &remembered);
    }
}

/// What an example needs around it to be a request.
fn ask_with(world: &mut World, id: &str, media_type: &str, body: &Value) -> Ask {
    let good = world.good(id);
    for sku in ["A", "B", "phone", "coupon"] {
        let ask = Ask::put(format!("/v1/skus/{sku}"), &json!({"stock": 100}));
        assert!(world.client.ask(&ask).status < 300);
    }
    // Its user holds nothing else.
    if ["createOrder", "enterDraw", "runBatch"].contains(&id) {
        let orders = world.client.get("/v1/users/u1/orders");
        for order in orders["orders"].as_array().expect("orders") {
            if order["status"] == "held" {
                let id = order["id"].as_str().expect("an id");
                world.client.ask(&Ask::act(id, "cancel")).expect(200);
            }
        }
    }
    let headers = good.headers.into_iter().filter(|(name, _)| name != "Content-Type").collect();
    // Lines are text as they stand.
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    Ask { headers, body: Some(body), ..good }.header("Content-Type", media_type)
}

#[test]
fn every_example_is_of_its_schema_and_works() {
    let mut world = World::new();
    let mut examples_run = 0;
    for operation in world.document.operations() {
        for (media_type, schema, example) in operation.examples() {
            world.document.check_schema(&schema, &example, &operation.id);
            for line in example.as_str().into_iter().flat_map(str::lines) {
                let line = serde_json::from_str(line).expect("a line in JSON");
                world.document.check_schema(&schema["contentSchema"], &line, &operation.id);
            }
            let ask = ask_with(&mut world, &operation.id, &media_type, &example);
            let answer = world.client.ask(&ask);
            assert!(answer.status < 300, "{}: {example} got {answer:?}", operation.id);
            if example.is_string() {
                let statuses = lines_of(&answer).into_iter().map(|line| line["status"].as_u64());
                let all_good = statuses.flatten().all(|status| status < 300);
                assert!(all_good, "{example} got {answer:?}");
            }
            world.document.check(&operation.id, &answer);
            examples_run += 1;
        }
    }
    assert!(examples_run >= 15, "{examples_run}");
}
