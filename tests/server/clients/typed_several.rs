//! The typed client with several addresses: it finds the one that writes, with the same key, and
//! shows its token to no other.
//!
//! Owns stand-ins for nodes: each hears requests and answers as it is told. Next: `typed`.

use crate::TARGET;
use crate::clients::typed::{key, read_request, runtime};
use doorbuster::client::{Action, Client, Error, NewOrder, NewSku, Options, Policy, Precondition};
use serde_json::json;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

/// What a stand-in does with a request.
#[derive(Clone)]
enum Reply {
    /// Says something with a status.
    Say(u16, String),
    /// Closes without a word.
    Close,
}

/// A node that answers one request after another, a connection each, and then is gone.
struct StandIn {
    url: String,
    hearing: JoinHandle<Vec<String>>,
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    (listener, url)
}

fn stand_in((listener, url): (TcpListener, String), replies: Vec<Reply>) -> StandIn {
    let hearing = thread::spawn(move || {
        let hear = |reply| {
            let (mut stream, _) = listener.accept().expect("the client comes");
            let request = String::from_utf8(read_request(&stream)).expect("text");
            if let Reply::Say(status, body) = reply {
                answer(&mut stream, status, &body);
            }
            request
        };
        replies.into_iter().map(hear).collect()
    });
    StandIn { url, hearing }
}

fn answer(stream: &mut TcpStream, status: u16, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("the client listens");
    stream.shutdown(Shutdown::Write).expect("it is open");
}

impl StandIn {
    /// The requests that it got.
    fn heard(self) -> Vec<String> {
        self.hearing.join().expect("the stand-in does not panic")
    }
}

fn not_writer(writer: Option<&str>) -> Reply {
    let body = json!({"type": "about:blank", "title": "t", "status": 503, "detail": "d",
        "code": "not_writer", "retryable": true, "retry_after_ms": 1_000, "writer": writer});
    Reply::Say(503, body.to_string())
}

/// An order, as the writer answers it.
fn created() -> Reply {
    let body = json!({"id": "a-7", "user": "ada", "status": "held", "reference": null,
        "lines": [{"sku": "s", "qty": 1, "refunded_qty": 0}],
        "created_at": "2027-01-15T08:00:00.000Z", "expires_at": "2027-01-15T08:05:00.000Z",
        "changed_seq": 7, "seq": 7});
    Reply::Say(201, body.to_string())
}

/// A client of these, whose connections are new each time, since stand-ins close theirs.
fn client(urls: &[&str]) -> Client {
    let options = Options { token: Some("secret".to_owned()), ..Options::default() };
    Client::new(&urls.join(","), options).expect("a client")
}

fn keys(requests: &[String]) -> Vec<&str> {
    let key = |request| str::lines(request).find_map(|line| line.strip_prefix("idempotency-key: "));
    requests.iter().map(|request| key(request).expect("there is a key")).collect()
}

/// Orders once with each key.
fn order_with(client: &Client, keys: &[&str]) {
    runtime().block_on(async {
        for text in keys {
            let order = client.create_order(&NewOrder::of("ada", "s", 1), &key(text)).await;
            assert_eq!(order.expect("the writer is found").body.id, "a-7");
        }
    });
}

#[test]
fn the_named_writer_is_asked_with_the_same_key_and_stays() {
    let (first, second, third) = (listener(), listener(), listener());
    let writer = third.1.clone();
    let follower = stand_in(first, vec![not_writer(Some(&format!("{writer}/")))]);
    let writer = stand_in(third, vec![created(), created()]);
    let client = client(&[&follower.url, &second.1, &writer.url]);
    order_with(&client, &["k1", "k2"]);
    assert_eq!(keys(&follower.heard()), ["k1"]);
    assert_eq!(keys(&writer.heard()), ["k1", "k2"]);
    second.0.set_nonblocking(true).expect("a socket");
    assert!(second.0.accept().is_err(), "the other follower was not asked");
}

/// A writer that the caller did not name gets neither the token nor anything else.
#[test]
fn a_foreign_writer_is_never_asked() {
    let foreign = listener();
    let follower = stand_in(listener(), vec![not_writer(Some(&foreign.1))]);
    let writer = stand_in(listener(), vec![created()]);
    order_with(&client(&[&follower.url, &writer.url]), &["k"]);
    assert_eq!((follower.heard().len(), keys(&writer.heard())), (1, vec!["k"]));
    foreign.0.set_nonblocking(true).expect("a socket");
    assert!(foreign.0.accept().is_err(), "the foreign server was not asked");
}

#[test]
fn a_lost_answer_is_asked_of_the_next_with_its_key() {
    let dying = stand_in(listener(), vec![Reply::Close]);
    let next = stand_in(listener(), vec![not_writer(Some(&dying.url)), created()]);
    order_with(&client(&[&dying.url, &next.url]), &["k"]);
    assert_eq!(keys(&dying.heard()), ["k"]);
    assert_eq!(keys(&next.heard()), ["k", "k"]);
}

/// What has no key and must not happen twice stays with the one that may have done it.
#[test]
fn a_lost_answer_without_a_key_is_told() {
    let dying = stand_in(listener(), vec![Reply::Close]);
    let next = listener();
    let client = client(&[&dying.url, &next.1]);
    let answer = runtime().block_on(client.hand_over(None));
    assert!(matches!(answer, Err(Error::OutcomeUnknown { attempts: 1, .. })), "{answer:?}");
    assert_eq!(dying.heard().len(), 1);
    next.0.set_nonblocking(true).expect("a socket");
    assert!(next.0.accept().is_err(), "the other was not asked");
}

/// Each address is asked once, whatever they say of one another.
#[test]
fn two_that_name_one_another_are_not_asked_for_ever() {
    let (first, second) = (listener(), listener());
    let urls = [first.1.clone(), second.1.clone()];
    let first = stand_in(first, vec![not_writer(Some(&urls[1])); 2]);
    let second = stand_in(second, vec![not_writer(Some(&urls[0])); 2]);
    let policy = Policy { attempts_max: 2, ..Policy::default() };
    let client = client(&[&urls[0], &urls[1]]).with_policy(policy);
    let answer = runtime().block_on(client.act("a-7", &Action::confirm(), None));
    let Err(Error::Refused(problem)) = answer else { panic!("{answer:?}") };
    assert_eq!(problem.code, "not_writer");
    assert_eq!((first.heard().len(), second.heard().len()), (2, 2));
}

#[test]
fn a_status_of_a_follower_does_not_make_it_the_writer() {
    let status = json!({"version": "0", "role": "follower", "epoch": 2, "seq": 7, "durable_seq": 7,
        "snapshot_seq": null, "journal_bytes": 0, "uptime_ms": 1, "durability": "group",
        "tables": {}, "writer": null, "in_sync": ["n1", "n2"], "copies": []});
    let (gone, follower) = (stand_in(listener(), vec![Reply::Close, created()]), listener());
    let follower = stand_in(follower, vec![Reply::Say(200, status.to_string())]);
    let client = client(&[&gone.url, &follower.url]);
    let status = runtime().block_on(client.status()).expect("the follower tells");
    assert_eq!(
        (status.role.as_str(), status.in_sync),
        ("follower", ["n1", "n2"].map(str::to_owned).to_vec())
    );
    order_with(&client, &["k"]);
    assert_eq!((gone.heard().len(), follower.heard().len()), (2, 1));
}

#[test]
fn a_follower_of_events_goes_on_where_another_server_writes() {
    let event = |id: &str| {
        let event = json!({"specversion": "1.0", "id": id, "source": "urn:s", "type": "doorbuster.x",
            "subject": "skus/a", "time": "2027-01-15T08:00:00.000Z", "data": {}});
        Reply::Say(200, format!("{event}\n"))
    };
    let dying = stand_in(listener(), vec![event("a-17")]);
    let next = stand_in(listener(), vec![event("b-18")]);
    let client = client(&[&dying.url, &next.url]);
    let mut events = client.events("0").expect("a place");
    let heard = runtime().block_on(async {
        [events.next().await.expect("an event").id, events.next().await.expect("an event").id]
    });
    assert_eq!(heard, ["a-17", "b-18"]);
    let asked =
        [dying.heard(), next.heard()].map(|heard| heard[0].lines().next().map(str::to_owned));
    let line = |after| Some(format!("GET /v1/events?after={after} HTTP/1.1"));
    assert_eq!(asked, [line("0"), line("a-17")]);
}

/// An address where no machine answers costs a client a moment, and only once.
#[test]
fn a_real_server_is_found_behind_one_that_is_gone() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let gone: SocketAddr = listener().0.local_addr().expect("a port");
    let urls = format!("http://{gone},http://{}", server.address);
    let client = Client::new(&urls, Options::default()).expect("a client");
    runtime().block_on(async {
        let sku = client.put_sku("s", &NewSku::of(5), Precondition::IfAbsent).await;
        assert_eq!(sku.expect("it is put").attempts, 2);
        let order = client.create_order(&NewOrder::of("ada", "s", 1), &key("k")).await;
        assert_eq!(order.expect("it is made").attempts, 1);
    });
}
