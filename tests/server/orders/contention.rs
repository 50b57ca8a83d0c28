//! Many buyers at once for few units.
//!
//! Owns the promise that nothing is oversold and nobody is refused for another's sake. The requests
//! of a round are written to all connections before any answer is read. Next: `crash`, where the
//! server dies meanwhile.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::process::Server;
use serde_json::json;
use std::sync::Barrier;
use std::thread;

/// Threads that write to their share of the connections at the same time.
const THREADS: usize = 4;

fn connections(server: &Server, count: usize) -> Vec<Client> {
    (0..count).map(|_| server.connect()).collect()
}

/// Sends each request on a connection of its own, all before the first answer is read.
fn all_at_once(clients: &mut [Client], asks: &[Ask]) -> Vec<Answer> {
    assert_eq!(clients.len(), asks.len());
    let share = asks.len().div_ceil(THREADS);
    let start = Barrier::new(asks.len().div_ceil(share));
    let round = |clients: &mut [Client], asks: &[Ask]| -> Vec<Answer> {
        let requests: Vec<Vec<u8>> = asks.iter().map(Ask::bytes).collect();
        start.wait();
        for (client, bytes) in clients.iter_mut().zip(&requests) {
            client.write(bytes).expect("the server takes a request");
        }
        clients.iter_mut().map(|client| client.read(false).expect("an answer")).collect()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .chunks_mut(share)
            .zip(asks.chunks(share))
            .map(|(clients, asks)| scope.spawn(|| round(clients, asks)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a round")).collect()
    })
}

/// Four units go to exactly four of 120 buyers two hundred times over.
#[test]
fn four_units_go_to_exactly_four_of_120_buyers() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let mut clients = connections(&server, 120);
    for round in 0..200 {
        let sku = format!("drop-{round}");
        clients[0].put_sku(&sku, &json!({"stock": 4}));
        let asks: Vec<Ask> = (0..clients.len())
            .map(|buyer| {
                Ask::order(&format!("{sku}-{buyer}"), &format!("buyer-{round}-{buyer}"), &sku, 1)
            })
            .collect();
        let answers = all_at_once(&mut clients, &asks);
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(won.len(), 4, "round {round}");
        for answer in lost {
            assert_eq!(answer.problem(409, "sold_out")["lines"][0]["sku"], sku);
        }
        let left = clients[0].get(&format!("/v1/skus/{sku}"));
        let counts = ["total", "available", "held", "sold"].map(|name| left[name].as_u64());
        assert_eq!(counts, [Some(4), Some(0), Some(4), Some(0)], "round {round}");
        let first = won[0].json();
        let id = first["id"].as_str().expect("an order has an id");
        clients[0].ask(&Ask::act(id, "confirm")).expect(200);
        let left = clients[0].get(&format!("/v1/skus/{sku}"));
        assert_eq!((&left["held"], &left["sold"]), (&json!(3), &json!(1)), "round {round}");
    }
}

#[test]
fn a_user_with_limit_1_gets_exactly_one_of_64_parallel_orders() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let mut clients = connections(&server, 64);
    clients[0].put_sku("ticket", &json!({"stock": 100_000, "per_user_limit": 1}));
    for round in 0..20 {
        let user = format!("fan-{round}");
        let asks: Vec<Ask> = (0..clients.len())
            .map(|number| Ask::order(&format!("{user}-{number}"), &user, "ticket", 1))
            .collect();
        let answers = all_at_once(&mut clients, &asks);
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(won.len(), 1, "round {round}");
        for answer in lost {
            let problem = answer.problem(409, "user_limit");
            assert_eq!((&problem["sku"], &problem["used"]), (&json!("ticket"), &json!(1)));
        }
    }
    assert_eq!(clients[0].get("/v1/skus/ticket")["held"], 20);
}

/// An order whose last line is short takes nothing from a bystander. Were the first lines of a
/// refused order taken and given back, the bystanders, who want exactly what is there, would be
/// refused in between.
#[test]
fn an_order_with_a_short_line_takes_nothing_from_a_bystander() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let mut clients = connections(&server, 32);
    clients[0].put_sku("none", &json!({"stock": 0}));
    for round in 0..50 {
        let skus = [format!("a-{round}"), format!("b-{round}")];
        for sku in &skus {
            clients[0].put_sku(sku, &json!({"stock": 8}));
        }
        let asks: Vec<Ask> = (0..clients.len())
            .map(|number| {
                let key = format!("{round}-{number}");
                let sku = |sku: &str| json!({"sku": sku, "qty": 1});
                let lines = if number % 4 == 0 {
                    json!([sku(&skus[0]), sku(&skus[1])])
                } else {
                    json!([sku(&skus[0]), sku(&skus[1]), sku("none")])
                };
                let body = json!({"user": format!("u-{key}"), "lines": lines});
                Ask::post("/v1/orders", &body).key(&key)
            })
            .collect();
        for (number, answer) in all_at_once(&mut clients, &asks).iter().enumerate() {
            if number % 4 == 0 {
                assert_eq!(answer.expect(201)["lines"].as_array().map(Vec::len), Some(2));
                continue;
            }
            let lines = answer.problem(409, "sold_out")["lines"].clone();
            let last = lines.as_array().and_then(|lines| lines.last()).expect("a short line");
            assert_eq!(last, &json!({"sku": "none", "requested": 1, "available": 0, "held": 0}));
        }
        for sku in &skus {
            let left = clients[0].get(&format!("/v1/skus/{sku}"));
            assert_eq!((&left["available"], &left["held"]), (&json!(0), &json!(8)), "{left}");
        }
    }
    assert_eq!(clients[0].get("/v1/skus/none")["held"], 0);
}

#[test]
fn parallel_duplicates_of_a_key_share_one_answer() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let mut clients = connections(&server, 16);
    clients[0].put_sku("s", &json!({"stock": 1_000_000}));
    for round in 0..100 {
        let ask = Ask::order(&format!("same-{round}"), &format!("u-{round}"), "s", 1);
        let asks = vec![ask; clients.len()];
        let answers = all_at_once(&mut clients, &asks);
        answers.iter().for_each(|answer| drop(answer.expect(201)));
        let first = answers.iter().filter(|answer| !answer.is_replayed()).count();
        assert_eq!(first, 1, "round {round}: {answers:?}");
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "round {round}");
    }
    assert_eq!(clients[0].get("/v1/skus/s")["held"], 100);
}
