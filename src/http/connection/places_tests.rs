//! Who has a place when all are taken: the idlest makes room, and the reserve is for probes and
//! operators.

use super::*;
use crate::http::connection::reserve::{ALL_RESERVED_PLACES, RESERVED_HEAD_MS, RESERVED_PLACES};
use crate::http::operations::request_metrics;
use crate::metrics::Format;

fn full() -> (Rc<Worker<Writer>>, Registration<Writer>) {
    let front = front();
    front.limits.replace(HttpLimits { connections_max: 1, ..HttpLimits::default() });
    let worker = Worker::new(Arc::new(front), Rc::new(Writer));
    let busy = worker.register(PEER, None).expect("a free place");
    busy.peer.enter(Stage::Serving);
    (worker, busy)
}

#[test]
fn an_idle_connection_makes_room_once() {
    let (worker, first) = full();
    first.peer.enter(Stage::Idle);
    let second = worker.register(PEER, None).expect("a place");
    assert!(!second.peer.is_reserved() && first.peer.close_request() == CloseRequest::Now);
    second.peer.enter(Stage::Serving);
    assert!(worker.register(PEER, None).expect("a place").peer.is_reserved());
    drop((first, second));
    assert!(!worker.register(PEER, None).expect("a place").peer.is_reserved());
}

/// The reserve is bounded and silent ones make room in their order.
#[test]
fn silent_ones_in_the_reserve_make_room_in_their_order() {
    let (worker, _busy) = full();
    let register = || worker.register(PEER, None);
    let mut reserved: Vec<_> = (0..RESERVED_PLACES).map(|_| register().expect("a place")).collect();
    assert!(reserved.iter().all(|one| one.peer.is_reserved()));
    assert_eq!(worker.front.connections(), 1 + RESERVED_PLACES);
    // The first has a head under way, which is silence still; the second has asked.
    reserved[0].peer.enter(Stage::RequestHeaders);
    reserved[1].peer.requests.set(1);
    let close_request =
        |at: usize, reserved: &[Registration<Writer>]| reserved[at].peer.close_request();
    let newcomer = register().expect("a place");
    assert_eq!(
        [0, 1, 2].map(|at| close_request(at, &reserved)),
        [CloseRequest::Now, CloseRequest::None, CloseRequest::None]
    );
    reserved.extend([newcomer, register().expect("a place")]);
    assert_eq!(close_request(2, &reserved), CloseRequest::Now);
    // Those that are to end have not ended, and all others are being answered.
    reserved.iter().for_each(|one| one.peer.requests.set(1));
    assert!(register().is_none());
    let text = request_metrics::exposition(&worker.front, Format::OpenMetrics).body;
    let text = std::str::from_utf8(&text).unwrap();
    for (reason, count) in [("idle_replaced", 2), ("connections", 1)] {
        let row = format!("doorbuster_admission_refusals_total{{reason=\"{reason}\"}} {count}\n");
        assert!(text.contains(&row), "{row}{text}");
    }
    reserved.clear();
    assert_eq!(worker.front.connections(), 1, "every place was given back");
    assert!(register().expect("a place").peer.is_reserved());
}

#[test]
fn the_reserve_is_bounded_over_all_threads() {
    let (worker, _busy) = full();
    worker.front.reserved.store(ALL_RESERVED_PLACES, Ordering::Relaxed);
    assert!(worker.register(PEER, None).is_none());
    worker.front.reserved.store(ALL_RESERVED_PLACES - 1, Ordering::Relaxed);
    assert!(worker.register(PEER, None).is_some());
    assert_eq!(worker.front.reserved.load(Ordering::Relaxed), ALL_RESERVED_PLACES - 1);
}

/// A connection in the reserve has a short time for its head, and one request.
#[test]
fn one_in_the_reserve_has_a_short_time_and_one_request() {
    let (worker, _busy) = full();
    let reserved = worker.register(PEER, None).expect("a place");
    let (peer, limits) = (&reserved.peer, worker.limits.get());
    let began_ms = worker.now_ms();
    peer.enter(Stage::RequestHeaders);
    worker.now_ms.set(began_ms + RESERVED_HEAD_MS);
    assert!(!peer.is_late(&limits));
    worker.now_ms.set(began_ms + RESERVED_HEAD_MS + 1);
    assert!(peer.is_late(&limits));
    peer.requests.set(1);
    peer.enter(Stage::Serving);
    assert!(!peer.is_late(&limits) && peer.parts(&limits));
}

/// What one in the reserve hears; it closes after that.
fn heard(request: &str) -> String {
    locally(async {
        let (worker, _busy) = full();
        let (mut client, server) = tokio::io::duplex(1024 * 1024);
        let registration = worker.register(PEER, None).expect("a place");
        let heads = Rc::new(builder(&worker.limits.get()));
        let served = tokio::task::spawn_local(connection(server, registration, heads, |_| false));
        client.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        served.await.unwrap();
        assert_eq!(worker.front.reserved.load(Ordering::Relaxed), 0, "{text}");
        assert!(text.contains("connection: close\r\n"), "{text}");
        statuses(&text)
    })
}

#[test]
fn the_reserve_answers_one_probe_or_operator_and_nobody_else() {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{HOST}\r\n\r\n");
    for path in ["/livez", "/readyz", "/metrics", "/v1/latency"] {
        assert_eq!(heard(&get(path).repeat(2)), "200", "{path}");
    }
    let operate = post("Content-Length: 2", "{}").replace("/orders", "/admin/read-only");
    assert_eq!(heard(&operate), "200");
    for path in ["/", "/openapi.json", "/v1/skus/A", "/v1/events"] {
        assert_eq!(heard(&get(path)), "503", "{path}");
    }
    assert_eq!(heard(&get("/nothing")), "404");
    assert_eq!(heard(&sized(BODY)), "503");
    // Its body is not waited for.
    assert_eq!(heard(&post("Content-Length: 1000", BODY)), "503");
}
