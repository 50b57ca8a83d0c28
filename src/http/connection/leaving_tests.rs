//! How connections end: no request that is there is lost to it, and none of a crowd end together.

use super::*;
use crate::http::connection::connection_state::ConnectionState;
use std::cell::Cell;

fn serving(limits: HttpLimits) -> Front {
    let front = recovering(limits);
    front.serve_with(crate::http::testing::HASH_KEY, Arc::default());
    front
}

const ASK: &str = "GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n";

/// Asks once; the connection is idle then.
async fn ask_once(client: &mut DuplexStream) {
    client.write_all(ASK.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.ends_with('}') {
        text.push(char::from(client.read_u8().await.unwrap()));
    }
    assert_eq!(statuses(&text), "200");
    assert!(!text.contains("connection: close"), "{text}");
}

/// Until the clock of deadlines has gone on.
fn pass_a_moment(worker: &Worker<Writer>) {
    while worker.front.clock.elapsed_ms() <= worker.now_ms() + 1 {
        std::hint::spin_loop();
    }
}

/// What a client hears whose next request is in the socket when the sweep wants the connection to
/// leave.
fn heard_at_the_last_moment(limits: HttpLimits, drains: bool) -> String {
    locally(async {
        let (worker, mut client) = connect(serving(limits));
        ask_once(&mut client).await;
        client.write_all(ASK.as_bytes()).await.unwrap();
        if drains {
            worker.front.drain(1_000);
        }
        pass_a_moment(&worker);
        // The connection's task has no turn meanwhile.
        while worker.peers.borrow()[0].close_request() != CloseRequest::AfterResponse {
            worker.sweep().await;
        }
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.contains("connection: close\r\n"), "{text}");
        text
    })
}

/// A request that is there when a connection is to leave is answered.
#[test]
fn a_request_that_is_there_is_answered_before_leaving() {
    let idle = HttpLimits { idle_ms: 0, ..HttpLimits::default() };
    assert_eq!(statuses(&heard_at_the_last_moment(idle, false)), "200");
    assert_eq!(statuses(&heard_at_the_last_moment(HttpLimits::default(), true)), "200");
}

/// A connection that is told to leave and has nothing to do is closed.
#[test]
fn an_idle_connection_that_is_told_to_leave_is_closed() {
    locally(async {
        let (worker, mut client) =
            connect(serving(HttpLimits { idle_ms: 0, ..HttpLimits::default() }));
        ask_once(&mut client).await;
        pass_a_moment(&worker);
        worker.sweep().await;
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "");
    });
}

/// A life that is over ends with the next answer or after the grace.
#[test]
fn a_life_ends_with_the_next_answer_or_after_the_grace() {
    let limits = HttpLimits {
        lifetime_ms: 1_000,
        idle_ms: 100_000,
        idle_grace_ms: 500,
        ..HttpLimits::default()
    };
    let now_ms = Rc::new(Cell::new(0));
    let peer = ConnectionState::new(now_ms.clone(), &limits, false, PEER);
    let wish_at = |ms: u64| {
        now_ms.set(ms);
        peer.close_for_idleness(&limits)
    };
    assert_eq!((wish_at(899), peer.parts(&limits)), (CloseRequest::None, false));
    assert_eq!(
        (wish_at(1_200), peer.parts(&limits)),
        (CloseRequest::None, true),
        "its life is over"
    );
    // It is busy, so the grace begins anew.
    peer.enter(Stage::Serving);
    assert_eq!(wish_at(5_000), CloseRequest::None);
    peer.enter(Stage::Idle);
    assert_eq!(wish_at(5_500), CloseRequest::None);
    assert_eq!(wish_at(5_501), CloseRequest::AfterResponse);
    peer.request_close(CloseRequest::AfterResponse);
    // A request that comes now is heard.
    peer.enter(Stage::RequestHeaders);
    assert_eq!(wish_at(5_600), CloseRequest::AfterResponse);
    peer.enter(Stage::Idle);
    assert_eq!(wish_at(6_101), CloseRequest::AfterResponse);
    assert_eq!(wish_at(7_200), CloseRequest::Now, "it was told and does not go");
}

/// Lives of two hundred that began together end over a tenth of them.
#[test]
fn lives_that_began_together_end_over_a_tenth_of_them() {
    let limits = HttpLimits { lifetime_ms: 100_000, ..HttpLimits::default() };
    let now_ms = Rc::new(Cell::new(0));
    let peers: Vec<ConnectionState> =
        (0..200).map(|_| ConnectionState::new(now_ms.clone(), &limits, false, PEER)).collect();
    let over_at = |ms: u64| {
        now_ms.set(ms);
        peers.iter().filter(|peer| peer.parts(&limits)).count()
    };
    assert_eq!((over_at(90_000), over_at(110_001)), (0, 200));
    let tenths: Vec<usize> = (0..=21).map(|at| over_at(90_000 + at * 1_000)).collect();
    let most = tenths.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(most < Some(50), "a quarter of them in a twentieth of the time: {tenths:?}");
    let first = tenths.iter().position(|over| *over > 0);
    let last = tenths.iter().position(|over| *over == 200);
    assert!(last.zip(first).is_some_and(|(last, first)| last - first >= 10), "{tenths:?}");
}

/// Before a drain everything is served and each answer is the last.
#[test]
fn every_answer_before_a_drain_is_the_last() {
    for (request, expected) in [
        (format!("GET /readyz HTTP/1.1\r\n{HOST}\r\n\r\n"), "503"),
        (ASK.to_owned(), "200"),
        (sized(BODY), "201"),
    ] {
        let front = front();
        front.leave();
        let text = talk_to(front, &[format!("{request}{LAST}").as_bytes()]);
        assert_eq!(statuses(&text), expected, "{request}");
        assert!(text.contains("connection: close\r\n"), "{text}");
        assert_eq!(text.contains("\"draining\""), expected == "503", "{text}");
    }
}

#[test]
fn what_speaks_another_protocol_is_told_what_is_spoken_here() {
    const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";
    const HELLO: &str = "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\r\n\r\n";
    for (begun, spoken) in [(PREFACE, "HTTP/2 is not spoken"), (HELLO, "TLS is not spoken")] {
        for step in [1, 5, 12, 13, 1000] {
            let pieces: Vec<&[u8]> = begun.as_bytes().chunks(step).collect();
            let text = talk_to(front(), &pieces);
            assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
            assert!(text.contains("connection: close\r\n") && text.contains(spoken), "{text}");
        }
        let behind = format!("{}{begun}", sized(BODY));
        let text = talk_to(front(), &[behind.as_bytes()]);
        assert_eq!(statuses(&text), "201 400");
        assert!(text.contains(spoken), "{text}");
    }
    // What nobody can tell is a bare 400.
    for garbage in ["\u{5}\u{1}\0", "\u{4}\u{1}\0\u{50}", "PRI * HTTP/3\r\n\r\n", "\0\0\0\0"] {
        let text = talk_to(front(), &[garbage.as_bytes()]);
        assert!(text.starts_with("HTTP/1.1 400 ") && text.ends_with("\r\n\r\n"), "{text}");
    }
}

/// What the head decides is told before a client may send its body.
#[test]
fn what_the_head_decides_is_told_before_the_body() {
    let waits = format!("Content-Length: {}\r\nExpect: 100-continue", BODY.len());
    let order = post(&waits, "");
    let action = |lines: &str| {
        format!(
            "POST /v1/orders/1-2/confirm HTTP/1.1\r\n{HOST}\r\n{lines}Expect: 100-continue\r\n\r\n"
        )
    };
    for (head, expected) in [
        (order.replace("application/json", "text/plain"), "415"),
        (order.replace("Idempotency-Key: k\r\n", ""), "400"),
        (order.replace("Idempotency-Key: k", "Idempotency-Key: \""), "400"),
        (order.replace("Host: shop", "Host: shop\r\nIf-Match: 7"), "400"),
        (order.replace("Host: shop", "Host: shop\r\nRequest-Timeout-Ms: x"), "400"),
        (order.replace("/v1/orders", "/v1/orders?x=1"), "400"),
        (order.replace("POST", "PUT"), "405"),
        (order.replace(&format!("Length: {}", BODY.len()), "Length: 65537"), "413"),
        (action("Content-Length: 4\r\n"), "415"),
    ] {
        let text = talk_to(front(), &[head.as_bytes()]);
        assert_eq!(statuses(&text), expected, "{head}: {text}");
        assert!(text.contains("connection: close\r\n"), "{text}");
    }
    check(&post(&waits, BODY), "100 201 200");
    // A body whose length is not known may be none, and needs no type then.
    let chunked = format!("{}0\r\n\r\n", action("Transfer-Encoding: chunked\r\n"));
    check(&chunked, "100 503 200");
}

#[test]
fn a_body_that_is_too_long_is_told_the_limit_that_holds() {
    let limits = HttpLimits::default();
    for (path, bytes, limit) in [
        ("/v1/orders", limits.dropped_bytes_max + 1, limits.body_bytes_max as u64),
        ("/v1/orders", u64::MAX / 4, limits.body_bytes_max as u64),
        ("/v1/batch", limits.batch_bytes_max + 1, limits.batch_bytes_max),
        ("/v1/b%61tch", limits.batch_bytes_max + 1, limits.batch_bytes_max),
    ] {
        let head = post(&format!("Content-Length: {bytes}"), "").replace("/v1/orders", path);
        let text = talk_to(front(), &[head.as_bytes()]);
        assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
        assert!(text.contains(&format!("a body has at most {limit} bytes")), "{path}: {text}");
    }
}
