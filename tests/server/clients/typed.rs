//! The typed client (`src/client/`) against the real server, across lost answers and `kill -9`.
//!
//! Owns a gate between the two that loses an answer on purpose. Draws, batches and events are in
//! `typed_many`. What the client decides without a
//! server is tested beside it, in `src/client/retry.rs`. Next: `crash`.

use crate::TARGET;
use doorbuster::client::{
    Action, Adjustment, Change, Client, Error, Key, LineUnits, NewOrder, NewSku, Options,
    OrderFilter, OrderStatus, Policy, Precondition, SkuChanges,
};
use doorbuster_test_support::client::{Ask, Client as Bare};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use tokio::runtime::{Builder, Runtime};

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("an event loop")
}

pub(crate) fn client(address: SocketAddr, policy: Policy) -> Client {
    Client::new(&format!("http://{address}"), Options { policy, ..Options::default() })
        .expect("a client")
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

/// An instant so many milliseconds from now.
fn instant(from_now_ms: u64) -> String {
    let at = i64::try_from(wait::wall_ms() + from_now_ms).expect("a time not far from now");
    jiff::Timestamp::from_millisecond(at).expect("a time not far from now").to_string()
}

#[test]
fn everything_that_can_be_asked_is_answered_in_its_type() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = client(server.address, Policy::default());
    runtime().block_on(async {
        let new = client.put_sku("a/b", &NewSku::of(1), Precondition::None).await;
        assert!(matches!(new, Err(Error::Refused(problem)) if problem.code == "malformed"));
        let sku = client.put_sku("a", &NewSku::of(10), Precondition::IfAbsent).await.unwrap();
        assert_eq!((sku.status, sku.body.available, sku.attempts), (201, 10, 1));
        let changes = SkuChanges {
            hold_ms: Change::Set(60_000),
            per_user_limit: Change::Set(5),
            opens_at: Change::Reset,
            ..SkuChanges::default()
        };
        let version = Precondition::Version(sku.body.version);
        let patched = client.patch_sku("a", &changes, version).await.unwrap().body;
        let settings = (patched.settings.hold_ms, patched.settings.per_user_limit);
        assert_eq!(settings, (Some(60_000), 5));
        let adjusted = client.adjust_sku("a", Adjustment::Delta(-2), "damaged", &key("k0")).await;
        assert_eq!(adjusted.unwrap().body.total, 8);

        let order = client.create_order(&NewOrder::of("ada", "a", 3), &key("k1")).await.unwrap();
        let id = order.body.id.clone();
        assert_eq!((order.status, order.replayed, order.body.lines[0].qty), (201, false, 3));
        let again = client.create_order(&NewOrder::of("ada", "a", 3), &key("k1")).await.unwrap();
        assert_eq!((again.replayed, &again.body), (true, &order.body));
        let refused = client.create_order(&NewOrder::of("ada", "a", 3), &key("k2")).await;
        let Err(Error::Refused(problem)) = refused else { panic!("{refused:?}") };
        assert_eq!((problem.code.as_str(), &problem.members["limit"]), ("user_limit", &5.into()));

        let extended = client.act(&id, &Action::Extend { hold_ms: 90_000 }, None).await.unwrap();
        assert!(extended.body.expires_at > order.body.expires_at);
        let confirmed = client.act(&id, &Action::confirm(), Some(&key("k3"))).await.unwrap();
        assert_eq!(confirmed.body.status, OrderStatus::Confirmed);
        let line = [LineUnits { sku: "a".to_owned(), qty: 1 }];
        let refunded = client.refund_lines(&id, &line, true, &key("k4")).await.unwrap();
        assert_eq!(refunded.body.lines[0].refunded_qty, 1);
        assert_eq!(client.order(&id).await.unwrap().body, refunded.body);

        let own = client.user_orders("ada", 10, None).await.unwrap();
        let all = OrderFilter { status: Some(OrderStatus::Confirmed), sku: Some("a".to_owned()) };
        let all = client.orders(&all, 10, None).await.unwrap();
        assert_eq!((own.entries.len(), &own.entries, own.next_cursor), (1, &all.entries, None));
        let remembered = client.remembered(&key("k1")).await.unwrap().expect("it was accepted");
        assert_eq!((remembered.status, remembered.order()), (201, Some(order.body)));
        assert_eq!(client.remembered(&key("k2")).await.unwrap(), None);

        let sku = client.sku("a").await.unwrap().body;
        assert_eq!((sku.available, sku.held, sku.sold, sku.total), (6, 0, 2, 8));
        assert_eq!(client.skus(100, None).await.unwrap().entries.len(), 1);
        assert!(client.take_snapshot().await.unwrap() >= sku.seq);
        let status = client.status().await.unwrap();
        assert_eq!((status.epoch, status.tables["orders"].used), (1, 1));
        let empty = client.put_sku("b", &NewSku::of(0), Precondition::None).await.unwrap();
        assert_eq!(client.delete_sku("b", empty.body.version).await.unwrap().status, 204);
    });
}

/// A request as it came, whole.
pub(crate) fn read_request(stream: &TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        bytes.extend_from_slice(line.as_bytes());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    reader.read_exact(&mut bytes[head..]).expect("a body");
    bytes
}

fn header<'b>(request: &'b str, name: &str) -> Option<&'b str> {
    request.lines().find_map(|line| {
        let (own, value) = line.split_once(": ")?;
        own.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Passes one request on; its answer goes nowhere but to the test.
fn pass_and_lose(gate: &TcpListener, server: &Server) -> (String, serde_json::Value) {
    let (stream, _) = gate.accept().expect("the client comes");
    let request = read_request(&stream);
    let answer = server.connect().raw(&request);
    (String::from_utf8(request).expect("text"), answer.expect(201))
}

#[test]
fn a_kill_between_decision_and_answer_makes_one_order_not_two() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    server.connect().put_sku("s", &serde_json::json!({"stock": 10}));
    let gate = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = client(gate.local_addr().expect("a port"), Policy::default());
    let asking = thread::spawn(move || {
        runtime().block_on(client.create_order(&NewOrder::of("ada", "s", 1), &key("cart-1")))
    });
    let (first, lost) = pass_and_lose(&gate, &server);
    server.kill();
    let server = TARGET.launch(data.path()).small().start();
    let (mut stream, _) = gate.accept().expect("the client comes again");
    let second = read_request(&stream);
    let mut bare = TcpStream::connect(server.address).expect("the server takes a connection");
    bare.write_all(&second).expect("the server takes a request");
    let answered = thread::spawn(move || std::io::copy(&mut bare, &mut stream));
    let answer = asking.join().expect("the client does not panic").expect("it gets its answer");
    let second = String::from_utf8(second).expect("text");
    for name in ["idempotency-key", "content-type", "content-length"] {
        assert!(header(&first, name).is_some(), "{first}");
        assert_eq!(header(&first, name), header(&second, name), "{name}");
    }
    assert_eq!((answer.status, answer.replayed, answer.attempts), (201, true, 2));
    assert_eq!(lost["id"], answer.body.id.as_str());
    let sku = server.connect().get("/v1/skus/s");
    assert_eq!((&sku["held"], &sku["sold"]), (&1.into(), &0.into()), "{sku}");
    let orders = server.connect().get("/v1/users/ada/orders");
    assert_eq!(orders["orders"].as_array().map(Vec::len), Some(1), "{orders}");
    server.stop();
    // The server closed its side, so nothing is under way any more.
    drop(answered.join().expect("the gate does not panic"));
}

/// A lost answer is told as an unknown outcome with the key to ask again.
#[test]
fn a_lost_answer_is_an_unknown_outcome_with_its_key() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    server.connect().put_sku("s", &serde_json::json!({"stock": 10}));
    let gate = TcpListener::bind("127.0.0.1:0").expect("a port");
    let once = client(gate.local_addr().expect("a port"), Policy::once());
    let order = NewOrder::of("ada", "s", 1);
    let asking = thread::spawn(move || {
        runtime().block_on(once.create_order(&NewOrder::of("ada", "s", 1), &key("cart-1")))
    });
    let (_, lost) = pass_and_lose(&gate, &server);
    let answer = asking.join().expect("the client does not panic");
    let Err(Error::OutcomeUnknown { key: Some(key), attempts: 1, .. }) = answer else {
        panic!("{answer:?}")
    };
    let client = client(server.address, Policy::once());
    let settled = runtime().block_on(client.create_order(&order, &key)).expect("it is settled");
    assert_eq!((settled.replayed, settled.body.id.as_str()), (true, lost["id"].as_str().unwrap()));
}

#[test]
fn nobody_there_is_told_as_nothing_decided() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let client = client(port.expect("a port"), Policy { attempts_max: 2, ..Policy::default() });
    let answer = runtime().block_on(client.create_order(&NewOrder::of("u", "s", 1), &key("k")));
    assert!(matches!(answer, Err(Error::NotReached { attempts: 2, .. })), "{answer:?}");
}

#[test]
fn connections_kept_over_a_restart_do_no_harm() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let address = server.address;
    let runtime = runtime();
    let client = client(address, Policy::default());
    runtime.block_on(client.put_sku("s", &NewSku::of(5), Precondition::None)).expect("it is put");
    server.kill();
    let server = TARGET.launch_at(data.path(), &address.to_string()).small().start();
    let order = runtime.block_on(client.create_order(&NewOrder::of("u", "s", 1), &key("k")));
    assert_eq!(order.expect("it is created").body.user, "u");
    assert_eq!(Bare::connect(server.address).expect("a connection").get("/v1/skus/s")["held"], 1);
}

#[test]
fn whoever_waits_for_an_opening_buys_after_it() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let mut new = NewSku::of(5);
    new.settings.opens_at = Some(instant(1_000));
    let client = client(server.address, Policy::default());
    let runtime = runtime();
    let sku = runtime.block_on(client.put_sku("s", &new, Precondition::None)).expect("it is put");
    let order = runtime.block_on(client.create_order(&NewOrder::of("u", "s", 1), &key("k")));
    let order = order.expect("the sale opens").body;
    assert!(order.created_at >= sku.body.settings.opens_at.expect("it opens"), "{order:?}");
}

#[test]
fn whoever_does_not_wait_is_told_when_to_come() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let mut new = NewSku::of(1);
    new.settings.opens_at = Some(instant(3_600_000));
    let client = client(server.address, Policy { waits_for_change: false, ..Policy::default() });
    let runtime = runtime();
    runtime.block_on(client.put_sku("s", &new, Precondition::None)).expect("it is put");
    let order = runtime.block_on(client.create_order(&NewOrder::of("u", "s", 1), &key("k")));
    let Err(Error::Refused(problem)) = order else { panic!("{order:?}") };
    let told = (problem.code.as_str(), problem.retryable, problem.retry_after_ms);
    assert_eq!(told, ("not_open", true, Some(60_000)));
    // The refused key is free again, and the server agrees that nothing happened.
    assert_eq!(server.connect().ask(&Ask::get("/v1/requests/k")).status, 404);
}
