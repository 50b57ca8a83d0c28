//! The typed client's draws, batches and events against the real server, across lost answers and
//! `kill -9`. Next: `typed`.

use crate::TARGET;
use crate::clients::typed::{client, key, read_request, runtime};
use crate::feed::reading;
use doorbuster::client::{
    Action, Adjustment, Client, Draw, Entry, EntryReason, Error, Event, Line, LineUnits, NewDraw,
    NewOrder, NewSku, Order, OrderStatus, Policy, Precondition, Prize, Sku,
};
use doorbuster_test_support::client::Client as Bare;
use serde_json::json;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

fn prize(sku: &str, weight: u64) -> Prize {
    Prize { sku: sku.to_owned(), weight }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    let Err(Error::Refused(problem)) = answer else { panic!("{answer:?}") };
    problem.code
}

async fn open_sale(client: &Client) {
    client.put_sku("s", &NewSku::of(1_000), Precondition::IfAbsent).await.expect("it is put");
}

#[test]
fn a_draw_is_made_entered_closed_and_deleted() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = client(server.address, Policy::default());
    runtime().block_on(async {
        open_sale(&client).await;
        let mut new = NewDraw::of(vec![prize("s", 1)], 0);
        let made = client.put_draw("d", &new, Precondition::IfAbsent).await.unwrap();
        assert_eq!((made.status, &made.body.terms, &made.body.seed), (201, &new, &None));
        new.entries_per_user = 2;
        let version = Precondition::Version(made.body.version);
        let changed = client.put_draw("d", &new, version).await.unwrap().body;
        assert_eq!((changed.terms.entries_per_user, &changed.seed), (2, &None));

        let won = client.enter_draw("d", "ada", Some("luck"), &key("e1")).await.unwrap();
        let Entry { entry: 1, reason: EntryReason::Won, order: Some(order), .. } = &won.body else {
            panic!("{won:?}")
        };
        assert_eq!((order.status, won.body.pick.as_deref()), (OrderStatus::Held, Some("s")));
        let again = client.enter_draw("d", "ada", Some("luck"), &key("e1")).await.unwrap();
        assert_eq!((again.replayed, &again.body), (true, &won.body));
        for (user, name) in [("bob", "e2"), ("ada", "e3")] {
            client.enter_draw("d", user, None, &key(name)).await.unwrap();
        }
        assert_eq!(refused(client.enter_draw("d", "ada", None, &key("e4")).await), "entry_limit");

        let first = client.entries("d", None, 2, None).await.unwrap();
        let rest = client.entries("d", None, 2, first.next_after).await.unwrap();
        let numbers = |entries: &[Entry]| entries.iter().map(|one| one.entry).collect::<Vec<_>>();
        assert_eq!((numbers(&first.entries), numbers(&rest.entries)), (vec![1, 2], vec![3]));
        assert_eq!(rest.next_after, None);
        let own = client.entries("d", Some("ada"), 100, None).await.unwrap();
        assert_eq!(numbers(&own.entries), [1, 3]);

        assert_eq!(refused(client.delete_draw("d").await), "in_use");
        let closed = client.close_draw("d").await.unwrap().body;
        assert_eq!(closed.seed.as_ref().map(String::len), Some(64));
        assert_eq!(client.close_draw("d").await.unwrap().body, closed);
        let read: Draw = client.draw("d").await.unwrap().body;
        assert_eq!((&read.seed, &read.closed_at), (&closed.seed, &closed.closed_at));
        assert_eq!(refused(client.enter_draw("d", "eve", None, &key("e5")).await), "closed");
        assert_eq!(client.delete_draw("d").await.unwrap().status, 204);
        assert_eq!(refused(client.draw("d").await), "unknown_draw");
    });
}

fn order(name: &str, sku: &str) -> Line {
    Line::Order { order: NewOrder::of("ada", sku, 1), key: key(name) }
}

#[test]
fn lines_of_every_kind_are_answered_in_order_and_in_their_type() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = client(server.address, Policy::default());
    runtime().block_on(async {
        open_sale(&client).await;
        let id =
            client.create_order(&NewOrder::of("ada", "s", 2), &key("o")).await.unwrap().body.id;
        let put =
            |precondition| Line::Put { sku: "t".to_owned(), new: NewSku::of(5), precondition };
        let made = client.batch(&[put(Precondition::None)]).await.unwrap();
        let made = made[0].read::<Sku>().unwrap();
        assert_eq!((made.status, made.body.total), (201, 5));
        let draw = NewDraw::of(vec![prize("t", 1)], 0);
        client.put_draw("d", &draw, Precondition::None).await.unwrap();
        let stock = Adjustment::Stock { stock: 7, version: made.body.version };
        let (draw, user, client_seed) = ("d".to_owned(), "ada".to_owned(), None);
        let lines = [
            order("b1", "s"),
            order("b2", "unknown"),
            Line::Act { id: id.clone(), action: Action::confirm(), key: Some(key("b3")) },
            Line::RefundLines {
                id,
                lines: vec![LineUnits { sku: "s".to_owned(), qty: 1 }],
                restock: true,
                key: key("b4"),
            },
            Line::Enter { draw, user, client_seed, key: key("b5") },
            Line::Adjust {
                sku: "t".to_owned(),
                adjustment: stock,
                reason: "recount".to_owned(),
                key: key("b6"),
            },
            put(Precondition::Version(made.body.version)),
            order("b1", "s"),
        ];
        let told = client.batch(&lines).await.unwrap();
        let first = told[0].read::<Order>().unwrap();
        assert_eq!((first.status, first.replayed, first.attempts), (201, false, 1));
        assert_eq!(refused(told[1].read::<Order>()), "unknown_sku");
        assert_eq!(told[2].read::<Order>().unwrap().body.status, OrderStatus::Confirmed);
        assert_eq!(told[3].read::<Order>().unwrap().body.lines[0].refunded_qty, 1);
        assert_eq!(told[4].read::<Entry>().unwrap().body.reason, EntryReason::Won);
        assert_eq!(told[5].read::<Sku>().unwrap().body.total, 7);
        assert_eq!(refused(told[6].read::<Sku>()), "version_mismatch");
        let again = told[7].read::<Order>().unwrap();
        assert_eq!((again.replayed, again.body), (true, first.body));
        assert_eq!((told.len(), client.batch(&[]).await.unwrap().len()), (8, 0));
        let many = vec![order("x", "s"); 10_001];
        assert!(matches!(client.batch(&many).await, Err(Error::Invalid { .. })));
    });
}

/// What the client sent, passed on; the answer goes nowhere.
fn pass_and_lose(gate: &TcpListener, address: SocketAddr) -> Vec<u8> {
    let (stream, _) = gate.accept().expect("the client comes");
    let request = read_request(&stream);
    let mut bare = Bare::connect(address).expect("the server takes a connection");
    assert_eq!(bare.raw(&request).status, 200);
    request
}

/// A batch whose answer is lost to a kill is sent again and happens once.
#[test]
fn a_batch_sent_again_after_a_kill_happens_once() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    runtime().block_on(open_sale(&client(server.address, Policy::default())));
    let gate = TcpListener::bind("127.0.0.1:0").expect("a port");
    let through = client(gate.local_addr().expect("a port"), Policy::default());
    let lines: Vec<Line> = (0..500).map(|number| order(&format!("b{number}"), "s")).collect();
    let sold = Line::Act { id: "1-1".to_owned(), action: Action::confirm(), key: Some(key("no")) };
    let lines: Vec<Line> = lines.into_iter().chain([sold]).collect();
    let asking = thread::spawn(move || runtime().block_on(through.batch(&lines)));
    let first = pass_and_lose(&gate, server.address);
    server.kill();
    let server = TARGET.launch(data.path()).small().start();
    let (mut stream, _) = gate.accept().expect("the client comes again");
    let second = read_request(&stream);
    let lines = |request: &[u8]| {
        let text = String::from_utf8(request.to_vec()).expect("text");
        text.split_once("\r\n\r\n").expect("a head").1.to_owned()
    };
    assert_eq!(lines(&first), lines(&second));
    let mut bare = TcpStream::connect(server.address).expect("the server takes a connection");
    bare.write_all(&second).expect("the server takes a request");
    let answered = thread::spawn(move || std::io::copy(&mut bare, &mut stream));
    let told = asking.join().expect("the client does not panic").expect("it gets its answer");
    let accepted = told.iter().filter(|line| line.status == 201 && line.replayed);
    // Eight holds a user may have; the others were refused and are again.
    assert_eq!((accepted.count(), told.len(), told[0].attempts), (8, 501, 2));
    assert_eq!(server.connect().get("/v1/skus/s")["held"], 8);
    server.stop();
    drop(answered.join().expect("the gate does not panic"));
}

#[test]
fn a_batch_with_a_line_that_has_no_key_is_not_sent_again() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    runtime().block_on(open_sale(&client(server.address, Policy::default())));
    let gate = TcpListener::bind("127.0.0.1:0").expect("a port");
    let through = client(gate.local_addr().expect("a port"), Policy::default());
    let put =
        Line::Put { sku: "s".to_owned(), new: NewSku::of(900), precondition: Precondition::Exists };
    let lines = [order("b", "s"), put];
    let asking = thread::spawn(move || runtime().block_on(through.batch(&lines)));
    pass_and_lose(&gate, server.address);
    let answer = asking.join().expect("the client does not panic");
    assert!(matches!(answer, Err(Error::OutcomeUnknown { attempts: 1, .. })), "{answer:?}");
    assert_eq!(server.connect().get("/v1/skus/s")["total"], 900);
}

/// An event as a server would tell it.
fn told(id: &str) -> String {
    let event = json!({"specversion": "1.0", "id": id, "source": "urn:s", "type": "doorbuster.x",
        "subject": "skus/a", "time": "2027-01-15T08:00:00.000Z", "data": {}});
    format!("{event}\n")
}

/// A follower drops repeats and what came in part and goes on behind the last.
#[test]
fn a_follower_drops_repeats_and_partial_events() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = client(server.local_addr().expect("a port"), Policy::default());
    let telling = thread::spawn(move || {
        let part = &told("3-19")[..20];
        let first = told("3-17") + "\n" + &told("3-18") + &told("3-17") + &told("3-18") + part;
        let lives = [first, told("3-18") + &told("3-19") + &told("4-20")];
        lives.map(|events| {
            let (mut stream, _) = server.accept().expect("the follower comes");
            let request = String::from_utf8(read_request(&stream)).expect("text");
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n";
            stream.write_all(format!("{head}{events}").as_bytes()).expect("it listens");
            request.split("\r\n").next().map(str::to_owned).expect("a line")
        })
    });
    let mut events = client.events("3-16").expect("a place");
    let seen = runtime().block_on(async {
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(events.next().await.expect("an event").id);
        }
        seen
    });
    assert_eq!(seen, ["3-17", "3-18", "3-19", "4-20"]);
    assert_eq!(events.place(), "4-20");
    let asked = telling.join().expect("the server does not panic");
    assert_eq!(asked, ["3-16", "3-18"].map(|at| format!("GET /v1/events?after={at} HTTP/1.1")));
}

#[test]
fn a_follower_hears_everything_once_over_kills_of_the_server() {
    const LIVES: usize = 5;
    const ORDERS: usize = 20;
    let data = TARGET.directory();
    let mut server = TARGET.launch(data.path()).small().start();
    let address = server.address;
    let client = client(address, Policy { attempts_max: 1_000, ..Policy::default() });
    let runtime = runtime();
    let mut events = client.events("0").expect("a place");
    let mut heard: Vec<Event> = Vec::new();
    runtime.block_on(open_sale(&client));
    for life in 0..LIVES {
        let ids = runtime.block_on(async {
            let mut ids = Vec::new();
            for number in 0..ORDERS {
                let order = NewOrder { confirm: true, ..NewOrder::of("u", "s", 1) };
                let key = key(&format!("{life}-{number}"));
                ids.push(client.create_order(&order, &key).await.expect("it is sold").body.id);
            }
            ids
        });
        // Some of it is heard in this life, some only in the next.
        let until = &ids[life * ORDERS / LIVES];
        while heard.last().is_none_or(|last| last.id != *until) {
            heard.push(runtime.block_on(events.next()).expect("an event"));
        }
        server.kill();
        server = TARGET.launch_at(data.path(), &address.to_string()).small().start();
    }
    let (all, _) = reading::pages(&mut server.connect(), "0", 1_000);
    while heard.len() < all.len() {
        heard.push(runtime.block_on(events.next()).expect("an event"));
    }
    let heard: Vec<&str> = heard.iter().map(|event| event.id.as_str()).collect();
    let all: Vec<&str> = all.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!((heard.len(), heard), (1 + LIVES * ORDERS, all));
}

#[test]
fn a_follower_of_another_history_is_told_and_one_of_nobody_too() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let once = client(server.address, Policy::once());
    let runtime = runtime();
    let mut events = once.events("9-1").expect("a place");
    assert_eq!(refused(runtime.block_on(events.next())), "diverged");
    assert!(matches!(once.events("yesterday"), Err(Error::Invalid { .. })));
    server.kill();
    let answer = runtime.block_on(events.next());
    assert!(matches!(answer, Err(Error::NotReached { attempts: 1, .. })), "{answer:?}");
}
