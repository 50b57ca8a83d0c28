//! What a node refuses because of the others; there are no others here, only a standing.

use super::*;
use crate::http::HttpLimits;
use crate::http::front::Phase;
use crate::http::handlers::mode::{admits, not_served, unready};
use crate::http::routes::{ROUTES, Route};
use crate::http::testing::{HASH_KEY, front, lives, question, recovering};
use crate::shared::handover::{HandedOver, Handover};
use crate::shared::standing::{CopyStanding, Standing, WriterPlace};
use std::task::{Context, Poll, Waker};

/// Of a node that follows n1.
fn following() -> Standing {
    let url = Some("https://one.example".to_owned());
    Standing {
        is_replicated: true,
        role: StandingRole::Standby,
        epoch: 4,
        node: "n2".to_owned(),
        writer: Some(WriterPlace { node: "n1".to_owned(), url }),
        in_sync: vec!["n1".to_owned(), "n2".to_owned()],
        ..Standing::default()
    }
}

/// Of the node that n2 follows.
fn writing() -> Standing {
    let copy =
        CopyStanding { node: "n2".to_owned(), is_connected: true, lag_records: 3, lag_ms: 7 };
    let copies = vec![copy];
    Standing { role: StandingRole::Writer, node: "n1".to_owned(), copies, ..following() }
}

fn body(reply: &Reply) -> serde_json::Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

fn code(refused: Option<Refused>) -> Option<Code> {
    refused.map(|refused| refused.code)
}

#[test]
fn a_node_that_follows_tells_how_it_stands_and_no_more() {
    let front = recovering(HttpLimits::default());
    front.follow();
    front.standing.store(following());
    let served = |path: &str| not_served(&front, Route::find(path).unwrap().is_of_any_node());
    let told = [
        "/livez",
        "/readyz",
        "/v1/status",
        "/v1/latency",
        "/v1/latency.hgrm",
        "/metrics",
        "/openapi.json",
    ];
    for route in ROUTES.iter().skip(1) {
        let path = route.replace(['{', '}'], "");
        let refused = code(served(&path));
        let expected = (!told.contains(route)).then_some(Code::NotWriter);
        assert_eq!(refused, expected, "{route}");
    }
    let refused = Reply::from(not_writer(&front));
    assert_eq!((refused.status.as_u16(), refused.retry_after_s), (503, Some(1)));
    let refused = body(&refused);
    assert_eq!((&refused["code"], &refused["retryable"]), (&"not_writer".into(), &true.into()));
    assert_eq!(refused["writer"], "https://one.example");
    front.standing.store(Standing { writer: None, ..following() });
    assert!(body(&Reply::from(not_writer(&front)))["writer"].is_null());
}

#[test]
fn a_node_that_takes_over_serves_and_one_that_drains_does_not() {
    let front = recovering(HttpLimits::default());
    front.follow();
    assert_eq!((front.phase(), front.mode()), (Phase::Following, "following"));
    front.serve_with(HASH_KEY, lives());
    assert_eq!(front.phase(), Phase::Serving);
    front.follow();
    assert_eq!(front.phase(), Phase::Serving, "a writer does not follow again");
    let front = recovering(HttpLimits::default());
    front.follow();
    front.drain(0);
    front.serve_with(HASH_KEY, lives());
    assert_eq!(front.phase(), Phase::Draining);
    assert_eq!(code(not_served(&front, true)), Some(Code::Draining));
}

#[test]
fn a_node_that_follows_is_not_ready_and_says_why() {
    let front = recovering(HttpLimits::default());
    assert_eq!(code(unready(&front)), Some(Code::Recovering));
    front.follow();
    front.standing.store(following());
    assert_eq!(code(unready(&front)), Some(Code::Standby));
    let gone = Some(5);
    front.standing.store(Standing { arbiter_gone_since_ms: gone, ..following() });
    assert_eq!(code(unready(&front)), Some(Code::Standby), "it knows who writes");
    let role = StandingRole::Joining;
    front.standing.store(Standing { role, arbiter_gone_since_ms: gone, ..following() });
    assert_eq!(code(unready(&front)), Some(Code::NoArbiter));
    front.leave();
    assert_eq!(code(unready(&front)), Some(Code::Draining));
}

#[test]
fn the_status_of_a_node_that_follows_needs_no_writer() {
    let front = recovering(HttpLimits::default());
    front.follow();
    front.standing.store(following());
    front.cursors.publish(9, 9, 9);
    let status = body(&status::of_follower(&front));
    let known = [("role", "standby"), ("mode", "following"), ("writer", "https://one.example")];
    for (name, value) in known {
        assert_eq!(status[name], value, "{status}");
    }
    assert_eq!((&status["epoch"], &status["seq"]), (&4.into(), &9.into()));
    assert_eq!(status["in_sync"], serde_json::json!(["n1", "n2"]));
    assert_eq!((&status["copies"], &status["alone"]), (&serde_json::json!([]), &false.into()));
    front.standing.store(writing());
    let copies = serde_json::json!([{"node": "n2", "lag_records": 3, "lag_ms": 7}]);
    assert_eq!(body(&status::of_follower(&front))["copies"], copies);
    let differs = Some((8, "the totals".to_owned()));
    front.standing.store(Standing { digest_differs: differs, ..writing() });
    assert_eq!(body(&status::of_follower(&front))["digest_differs"]["seq"], 8);
    front.standing.store(Standing::default());
    assert!(body(&status::of_follower(&front)).get("copies").is_none());
}

#[test]
fn what_is_new_waits_for_the_copies_and_what_exists_does_not() {
    let order = r#"POST /v1/orders {"user":"u","lines":[{"sku":"A","qty":1}]}"#;
    let order = question(&format!("Idempotency-Key: k\n{order}")).request.command;
    let others = ["POST /v1/orders/3-17/cancel ", "GET /v1/skus/A "];
    let others = others.map(|text| question(text).request.command);
    let mut front = front();
    front.shared.stall_ms = 50;
    let limits = &mut front.shared.replication;
    (limits.unsettled_bytes_max, limits.refuses_alone) = (1_000, true);
    let now_ms = front.clock.elapsed_ms();
    for (standing, refuses) in [
        (Standing::default(), false),
        (Standing { is_alone: true, ..writing() }, true),
        (Standing { unsettled_bytes: 1_000, ..writing() }, false),
        (Standing { unsettled_bytes: 1_001, ..writing() }, true),
    ] {
        front.standing.store(standing);
        let refused = code(unreplicated(&front, now_ms));
        assert_eq!(refused, refuses.then_some(Code::Unreplicated));
        assert_eq!(code(admits(&front, &order).err()), refused);
        assert_eq!(code(unready(&front)), refused);
        assert_eq!(front.mode(), if refuses { "unreplicated" } else { "read-write" });
        assert!(others.iter().all(|other| admits(&front, other).is_ok()));
    }
    front.standing.store(Standing { unreplicated_since_ms: Some(now_ms), ..writing() });
    for (later_ms, refuses) in [(0, false), (50, false), (51, true)] {
        let refused = code(unreplicated(&front, now_ms + later_ms));
        assert_eq!(refused, refuses.then_some(Code::Unreplicated), "{later_ms}");
    }
    // A writer alone goes on, unless it is told not to.
    front.shared.replication.refuses_alone = false;
    front.standing.store(Standing { is_alone: true, ..writing() });
    assert!(admits(&front, &order).is_ok());
}

#[test]
fn a_read_waits_for_copies_until_they_are_missing_for_too_long() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let read = question("GET /v1/skus/A ").request.command;
    let mut front = front();
    front.shared.stall_ms = 0;
    assert!(!waits_for_copies(&front, &read), "there are none");
    let late = Standing { unreplicated_since_ms: Some(0), ..writing() };
    front.standing.store(late);
    let heard = runtime.block_on(hear(&front, std::future::ready(7)));
    assert_eq!(heard.ok(), Some(7), "what is there is told");
    let refused = runtime.block_on(hear(&front, std::future::pending::<()>()));
    assert_eq!(code(refused.err()), Some(Code::Unreplicated));
    front.standing.store(writing());
    let mut waiting = pin!(hear(&front, std::future::pending::<()>()));
    let _entered = runtime.enter();
    let context = &mut Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(context).is_pending());
}

#[test]
fn a_read_does_not_wait_for_ever_while_the_lease_is_over() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut front = front();
    front.shared.stall_ms = 0;
    front.standing.store(writing());
    let (_lanes, _inbox, outbox) = crate::ring::build(1, &front.cursors);
    outbox.copy_progress().publish_with_lease(5, 0);
    let refused = runtime.block_on(hear(&front, std::future::pending::<()>()));
    assert_eq!(code(refused.err()), Some(Code::Unreplicated));
}

/// The outcome of a handover that somebody answers so.
fn handed_over(to: Option<&str>, answer: Option<HandedOver>) -> Result<Reply, Refused> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (handover, mut asked) = Handover::new();
    let mut front = front();
    front.shared.handover = Some(handover);
    front.standing.store(writing());
    let _entered = runtime.enter();
    let mut outcome = pin!(hand_over(&front, to.map(str::to_owned)));
    let context = &mut Context::from_waker(Waker::noop());
    if let Poll::Ready(outcome) = outcome.as_mut().poll(context) {
        return outcome;
    }
    let ask = asked.try_recv().expect("it was asked for");
    assert_eq!(ask.to.as_deref(), to);
    match answer {
        Some(answer) => ask.answer.send(answer).expect("it is awaited"),
        None => drop(ask),
    }
    match outcome.poll(context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it was answered"),
    }
}

#[test]
fn a_handover_tells_who_writes_on_or_why_nobody_else() {
    let n2 = || Some(Ok("n2".to_owned()));
    for to in [None, Some("n2")] {
        let reply = handed_over(to, n2()).expect("a handover");
        assert_eq!(body(&reply), serde_json::json!({"to": "n2"}));
    }
    let refused = |to, answer| code(handed_over(to, answer).err());
    assert_eq!(refused(Some("n1"), n2()), Some(Code::NotInSync), "that one writes");
    assert_eq!(refused(None, Some(Err("none".to_owned()))), Some(Code::NotInSync));
    assert_eq!(refused(None, None), Some(Code::OutcomeUnknown));
}

#[test]
fn without_copies_nothing_is_handed_over() {
    let front = front();
    let context = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(outcome) = pin!(hand_over(&front, None)).poll(context) else {
        panic!("nobody is asked");
    };
    assert_eq!(code(outcome.err()), Some(Code::ReplicationOff));
}

#[test]
fn one_handover_at_a_time_is_taken_while_any_is() {
    let (handover, asked) = Handover::new();
    let _first = handover.ask(None).expect("there is room");
    let mut front = front();
    front.shared.handover = Some(handover);
    front.standing.store(writing());
    let context = &mut Context::from_waker(Waker::noop());
    let mut refused = || match pin!(hand_over(&front, None)).poll(context) {
        Poll::Ready(outcome) => code(outcome.err()),
        Poll::Pending => panic!("there is no room"),
    };
    assert_eq!(refused(), Some(Code::Overloaded));
    drop(asked);
    assert_eq!(refused(), Some(Code::Draining));
}
