//! Whole connections over an in-memory pipe, with a writer that answers at once.

use super::*;
use crate::domain::model::answer::{Answer, Answered, Created};
use crate::domain::model::command::{Command, Request};
use crate::domain::model::ids::OrderId;
use crate::domain::model::order::Status;
use crate::http::connection::connection_state::{BUSY_MS, FRESH_MS};
use crate::http::testing::{front, recovering};
use crate::ring::{
    Load, Outcome, Rank, RefusalReport, StageTimes, SubmitError, TurnedAway, WriterReply,
};
use std::cell::Cell;
use std::future::Future;
use std::net::Ipv4Addr;
use std::task::Waker;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

#[path = "agreement_tests.rs"]
mod agreement;
#[path = "leaving_tests.rs"]
mod leaving;
#[path = "places_tests.rs"]
mod places;
#[path = "turns_tests.rs"]
mod turns;

/// Answers orders, and refuses the rest.
struct Writer;

impl Submit for Writer {
    type PendingReply = std::future::Ready<WriterReply>;

    fn ask(
        &self,
        request: Request,
        _: Rank,
        deadline_ms: Option<u64>,
    ) -> Result<Self::PendingReply, SubmitError> {
        self.offer(&mut Some(request), deadline_ms)
    }

    fn offer(
        &self,
        request: &mut Option<Request>,
        _: Option<u64>,
    ) -> Result<Self::PendingReply, SubmitError> {
        if !matches!(request.take().expect("a request").command, Command::CreateOrder(_)) {
            return Err(SubmitError::Draining);
        }
        let created = Created {
            order: OrderId { epoch: 1, sequence: 2 },
            status: Status::Confirmed,
            created_at: 0,
            expires_at: None,
        };
        let answer = Answer::Created(created);
        let outcome = Outcome::Answered(Answered { sequence: 2, replayed: false, answer });
        Ok(std::future::ready(WriterReply { outcome, times: StageTimes::default() }))
    }

    fn load(&self) -> Load {
        Load::default()
    }

    fn undecided(&self) -> usize {
        0
    }

    fn may_be_in_flight(&self, _: u128) -> bool {
        false
    }

    fn keep(&self, _: TurnedAway) {
        unreachable!("nothing is refused here")
    }

    fn report_refusals(&self, refusals: &mut Vec<RefusalReport>, _: bool) -> bool {
        refusals.clear();
        true
    }

    fn number(&self) -> u16 {
        0
    }

    fn wake_when_room(&self, _: &Waker) {}
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HOST: &str = "Host: shop";
const LAST: &str = "GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
const BODY: &str = r#"{"user":"u1","lines":[{"sku":"A","qty":1}]}"#;

fn locally<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn connect(front: Front) -> (Rc<Worker<Writer>>, DuplexStream) {
    let worker = Worker::new(Arc::new(front), Rc::new(Writer));
    let (client, server) = tokio::io::duplex(1024 * 1024);
    let builder = Rc::new(builder(&worker.limits.get()));
    let registration = worker.register(PEER, None).expect("a free place");
    tokio::task::spawn_local(connection(server, registration, builder, |_| false));
    (worker, client)
}

/// What the server says to these bytes until it closes, as the statuses of its answers.
fn talk_to(front: Front, pieces: &[&[u8]]) -> String {
    locally(async {
        let (_worker, mut client) = connect(front);
        for piece in pieces {
            client.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    })
}

fn statuses(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    // A body ends without a line's end, so the next answer begins inside its line.
    let inside = text.lines().filter_map(|line| line.split_once("}HTTP/1.1 ").map(|(_, s)| s));
    let all: Vec<&str> = lines.chain(inside).filter_map(|status| status.get(..3)).collect();
    all.join(" ")
}

/// The answers to these requests, followed by one that closes; however the bytes arrive.
#[track_caller]
fn check(requests: &str, expected: &str) {
    let text = format!("{requests}{LAST}");
    assert_eq!(statuses(&talk_to(front(), &[text.as_bytes()])), expected, "{text}");
    let apart: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
    assert_eq!(statuses(&talk_to(front(), &apart)), expected, "in pieces: {text}");
}

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/orders HTTP/1.1\r\n{HOST}\r\nIdempotency-Key: k\r\n\
         Content-Type: application/json\r\n{headers}\r\n\r\n{body}"
    )
}

fn sized(body: &str) -> String {
    post(&format!("Content-Length: {}", body.len()), body)
}

#[test]
fn a_connection_stays_open_after_answers_and_refusals() {
    check("", "200");
    check(&sized(BODY), "201 200");
    check(&sized("{}").repeat(2), "400 400 200");
    check(&post("Transfer-Encoding: chunked", &format!("2b\r\n{BODY}\r\n0\r\n\r\n")), "201 200");
    check(&sized(BODY).replace("/v1/orders", "/v1/nothing"), "404 200");
    check(&sized(BODY).replace("POST", "PUT"), "405 200");
    check(&sized(BODY).replace("/json", "/xml"), "415 200");
    check(&format!("GET /v1/skus/A HTTP/1.1\r\n{HOST}\r\n\r\n"), "503 200");
    check(&format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n\r\n"), "204 200");
    check("GET http://shop/livez HTTP/1.1\r\nHost: SHOP\r\n\r\n", "200 200");
}

/// A connection closes only where what follows is in doubt and says so.
#[test]
fn a_connection_closes_only_where_what_follows_is_in_doubt() {
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\nContent-Length: 1\r\n\r\nx"), "400");
    let chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\n{chunks}"), "400");
    check(&format!("DELETE /v1/skus/A HTTP/1.1\r\n{HOST}\r\nContent-Length: 2\r\n\r\n{{}}"), "400");
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\nUpgrade: h2c\r\n\r\n"), "200 200");
    check(&format!("GET /livez#/v1 HTTP/1.1\r\n{HOST}\r\n\r\n"), "400");
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\nExpect: 200-ok\r\n\r\n"), "400 200");
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\nExpect: 100-continue\r\n\r\n"), "200 200");
    let expects = format!("Content-Length: {}\r\nExpect: 100-continue", BODY.len());
    check(&post(&expects, BODY), "100 201 200");
    for (head, expected) in [
        (post(&expects, "").replace("orders", "nothing"), "404"),
        (post(&expects, "").replace("100-continue", "200-ok"), "400"),
        (post(&expects, "").replace("Host", "Origin: http://other\r\nHost"), "403"),
    ] {
        let text = talk_to(front(), &[head.as_bytes()]);
        assert_eq!(statuses(&text), expected, "{text}");
        assert!(text.contains("connection: close\r\n"), "{text}");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let limits = HttpLimits::default();
    let path = "a".repeat(limits.uri_bytes_max);
    check(&format!("GET /{path} HTTP/1.1\r\n{HOST}\r\n\r\n"), "414 200");
    check(&sized(BODY).replace("orders", &path), "414 200");
    let path = "a".repeat(100_000);
    check(&format!("GET /{path} HTTP/1.1\r\n{HOST}\r\n\r\n"), "414");
    // In its turn, and nothing before it is lost.
    let endless = format!("GET /livez?{path}");
    check(&format!("{}{endless}", sized(BODY)), "201 414");
    let parts = [&sized(BODY)[..50], &sized(BODY)[50..], &endless[..3000], &endless[3000..]];
    assert_eq!(statuses(&talk_to(front(), &parts.map(str::as_bytes))), "201 414");
    let header = "a".repeat(limits.header_bytes_max);
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\nX: {header}\r\n\r\n"), "431");
    let headers = "X: y\r\n".repeat(limits.headers_max);
    check(&format!("GET /livez HTTP/1.1\r\n{HOST}\r\n{headers}\r\n"), "431");
    let body = format!("{{\"user\":\"{}\"}}", "u".repeat(limits.body_bytes_max));
    check(&sized(&body), "413 200");
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    check(&post("Transfer-Encoding: chunked", &chunk), "413 200");
    let far_too_long = format!("Content-Length: {}", limits.dropped_bytes_max + 1);
    check(&post(&far_too_long, &body), "413");
    for length in ["18446744073709551614", "18446744073709551615", "99999999999999999999999"] {
        let text = talk_to(front(), &[post(&format!("Content-Length: {length}"), "").as_bytes()]);
        assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("\"too_large\""), "{text}");
    }
    check(&post(&format!("Content-Length: {}\r\nExpect: 100-continue", body.len()), ""), "413");
    let full = format!("{{{}}}", " ".repeat(limits.body_bytes_max - 2));
    check(&sized(&full), "400 200");
}

#[test]
fn a_page_of_another_origin_is_refused() {
    let from = |origin: &str| format!("GET /livez HTTP/1.1\r\n{HOST}\r\nOrigin: {origin}\r\n\r\n");
    check(&from("http://shop"), "200 200");
    check(&from("https://SHOP:443"), "200 200");
    for origin in ["http://other", "null", "http://shop:81", "shop", "http://shop.other"] {
        check(&from(origin), "403 200");
    }
}

#[test]
fn until_it_serves_only_the_probes_answer() {
    let answers = |path: &str| {
        let front = recovering(HttpLimits::default());
        let text = format!("GET {path} HTTP/1.1\r\n{HOST}\r\n\r\n{LAST}");
        statuses(&talk_to(front, &[text.as_bytes()]))
    };
    assert_eq!(answers("/livez"), "200 200");
    assert_eq!(answers("/readyz"), "503 200");
    assert_eq!(answers("/v1/orders"), "503 200");
    assert_eq!(answers("/nothing"), "503 200");
}

#[test]
fn while_draining_only_liveness_is_good_and_every_answer_closes() {
    for (request, expected) in [
        (format!("GET /readyz HTTP/1.1\r\n{HOST}\r\n\r\n"), "503"),
        (format!("GET /livez HTTP/1.1\r\n{HOST}\r\n\r\n"), "200"),
        (format!("GET /v1/nothing HTTP/1.1\r\n{HOST}\r\n\r\n"), "503"),
        (sized(BODY), "503"),
        // It is not waited for.
        (sized(BODY).replace(BODY, ""), "503"),
    ] {
        let front = front();
        front.drain(1000);
        let text = talk_to(front, &[format!("{request}{LAST}").as_bytes()]);
        assert_eq!(statuses(&text), expected, "{request}");
        assert!(text.contains("connection: close\r\n"), "{text}");
        assert_eq!(text.contains("\"draining\""), expected == "503", "{text}");
    }
}

#[test]
fn a_head_that_has_begun_before_a_drain_is_heard_and_refused() {
    locally(async {
        let (worker, mut client) = connect(front());
        let order = sized(BODY);
        for part in [LAST.replace("Connection: close", "X: y").as_str(), &order[..50]] {
            client.write_all(part.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        worker.front.drain(1000);
        worker.sweep().await;
        tokio::task::yield_now().await;
        client.write_all(&order.as_bytes()[50..]).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(statuses(&text), "200 503");
        assert!(text.contains("\"draining\""), "{text}");
    });
}

#[test]
fn who_comes_while_draining_is_heard_and_does_not_make_it_last() {
    let now_ms = Rc::new(Cell::new(1000));
    let limits = HttpLimits::default();
    let [old, fresh] =
        [false, true].map(|fresh| ConnectionState::new(now_ms.clone(), &limits, fresh, PEER));
    let request = |peer: &ConnectionState, stage| {
        peer.enter(stage);
        peer.close_for_drain()
    };
    assert_eq!(request(&old, Stage::Idle), CloseRequest::None);
    now_ms.set(1000 + BUSY_MS);
    assert_eq!(old.close_for_drain(), CloseRequest::None, "it was answered a moment ago");
    now_ms.set(1000 + BUSY_MS + 1);
    assert_eq!(old.close_for_drain(), CloseRequest::AfterResponse);
    assert_eq!(request(&old, Stage::Serving), CloseRequest::AfterResponse);
    assert_eq!(request(&old, Stage::RequestHeaders), CloseRequest::None);
    assert_eq!(request(&fresh, Stage::Idle), CloseRequest::None);
    now_ms.set(1000 + FRESH_MS + 1);
    assert_eq!(request(&fresh, Stage::Serving), CloseRequest::AfterResponse);
    assert_eq!(request(&fresh, Stage::RequestHeaders), CloseRequest::Now);
    assert_eq!(request(&fresh, Stage::Idle), CloseRequest::Now);
}

/// A sweep ends some at a time and misses nobody when others leave meanwhile.
#[test]
fn a_sweep_ends_some_at_a_time_and_misses_nobody() {
    locally(async {
        let worker = Worker::new(Arc::new(front()), Rc::new(Writer));
        let mut seats: Vec<_> =
            (0..3 * ENDED_TOGETHER).map(|_| worker.register(PEER, None)).collect();
        worker.front.drain(1000);
        worker.now_ms.set(worker.now_ms() + BUSY_MS + 1);
        let told = |worker: &Worker<Writer>| {
            let peers = worker.peers.borrow();
            peers.iter().filter(|peer| peer.close_request() == CloseRequest::AfterResponse).count()
        };
        let left = worker.look_at_some(seats.len());
        assert_eq!((left, told(&worker)), (2 * ENDED_TOGETHER, ENDED_TOGETHER));
        // One that was not looked at leaves; one that was takes its place.
        drop(seats.swap_remove(3));
        assert_eq!(worker.look_at_some(left), ENDED_TOGETHER);
        assert_eq!(worker.look_at_some(ENDED_TOGETHER), 0);
        assert_eq!(told(&worker), seats.len());
    });
}

/// Thousands that end together do not pile up in front of others. How many connections end between
/// two turns of a task that always has something to do, at most, while a sweep ends a thousand.
#[test]
fn thousands_that_end_together_do_not_hold_up_others() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .event_interval(EVENT_INTERVAL)
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default());
    runtime.unwrap().block_on(async {
        let front = recovering(HttpLimits { idle_ms: 0, ..HttpLimits::default() });
        let worker = Worker::new(Arc::new(front), Rc::new(Writer));
        let heads = Rc::new(builder(&worker.limits.get()));
        let clients: Vec<_> = (0..1000)
            .map(|_| {
                let registration = worker.register(PEER, None).expect("a free place");
                let (socket, client) = tokio::io::duplex(1);
                tokio::task::spawn_local(connection(socket, registration, heads.clone(), |_| {
                    false
                }));
                client
            })
            .collect();
        // At each look at least one of them finds that there is nothing to read.
        for _ in 0..clients.len() {
            tokio::task::yield_now().await;
        }
        // All have been idle for longer than they may be.
        while worker.front.clock.elapsed_ms() <= worker.now_ms() {
            tokio::task::yield_now().await;
        }
        let others = worker.clone();
        let busy = tokio::task::spawn_local(async move {
            let (mut open, mut most) = (others.front.connections(), 0);
            while open > 0 {
                tokio::task::yield_now().await;
                let left = others.front.connections();
                most = most.max(open - left);
                open = left;
            }
            most
        });
        worker.sweep().await;
        let most = busy.await.unwrap();
        assert!(most <= 3 * ENDED_TOGETHER, "{most} ended in front of one that asked");
        drop(clients);
    });
}

#[test]
fn a_drain_ends_idle_connections_and_gives_their_places_back() {
    locally(async {
        let (worker, mut client) = connect(front());
        let request = format!("GET /livez HTTP/1.1\r\n{HOST}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        client.read_exact(&mut first).await.unwrap();
        assert_eq!((&first, worker.front.connections()), (b"HTTP/1.1 200", 1));
        worker.front.drain(1000);
        // Until it is not busy any more.
        while worker.front.connections() > 0 {
            worker.sweep().await;
            tokio::task::yield_now().await;
        }
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert_eq!(worker.peers.borrow().len(), 0);
    });
}

#[test]
fn every_answer_carries_the_common_headers() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let order = sized(BODY).replacen("Host", &format!("traceparent: {trace}\r\nHost"), 1);
    let text = talk_to(front(), &[format!("{order}{LAST}").as_bytes()]);
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    for line in [
        "content-type: application/json",
        "cache-control: no-store",
        "location: /v1/orders/1-2",
        &format!("traceparent: {trace}"),
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(rest.starts_with(r#"{"id":"1-2","user":"u1","status":"confirmed","lines":[{"#));
}

#[test]
fn head_says_what_get_says_without_the_body() {
    let get = format!("GET /v1/nothing HTTP/1.1\r\n{HOST}\r\nConnection: close\r\n\r\n");
    let got = talk_to(front(), &[get.as_bytes()]);
    let headed = talk_to(front(), &[get.replacen("GET", "HEAD", 1).as_bytes()]);
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    assert!(!body.is_empty());
    let kept = |head: &str| -> Vec<String> {
        head.lines().filter(|line| !line.starts_with("date")).map(str::to_owned).collect()
    };
    assert_eq!(kept(headed.trim_end()), kept(head));
}

#[test]
fn a_client_that_has_stopped_sending_still_gets_its_answers() {
    let text = locally(async {
        let (_worker, mut client) = connect(front());
        client.write_all(sized(BODY).repeat(2).as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    });
    assert_eq!(statuses(&text), "201 201");
}

#[test]
fn a_connection_is_late_when_its_stage_lasts_too_long() {
    let limits = HttpLimits::default();
    let now_ms = Rc::new(Cell::new(1000));
    let peer = ConnectionState::new(now_ms.clone(), &limits, false, PEER);
    let after = |ms: u64| {
        now_ms.set(now_ms.get() + ms);
        peer.is_late(&limits)
    };
    assert!(!after(limits.header_timeout_ms));
    assert!(after(1), "it never asked anything");
    peer.requests.set(1);
    assert!(!after(1_000_000), "that is told apart: it is to leave");
    peer.enter(Stage::RequestHeaders);
    assert!(!after(limits.header_timeout_ms));
    assert!(after(1));
    peer.enter(Stage::Serving);
    assert!(!after(1_000_000));
    peer.writes(true);
    assert!(!after(limits.write_timeout_ms));
    assert!(after(1));
    peer.writes(false);
    assert!(!after(0));
}

#[test]
fn the_future_of_a_request_fits_three_kibibytes() {
    fn future_bytes<W, P, R, F>(_: fn(W, P, R) -> F) -> usize {
        size_of::<F>()
    }
    let bytes = future_bytes(service::serve::<Writer>);
    // It is moved once a request; what is rare is boxed inside.
    assert!(bytes <= 3 * 1024, "{bytes} bytes");
}
