//! How a server ends connections, and itself, without a request being lost to that.
//!
//! Owns what a busy client sees at the end of its connection's life, and in the time before a
//! drain. What the sweep decides when is proved where it is decided, in `src/http`. Next: `drain`.

use crate::TARGET;
use doorbuster_test_support::client::{Answer, Ask};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::wait;
use serde_json::json;

const LIVES: usize = 20;

fn says_close(answer: &Answer) -> bool {
    answer.header("Connection") == Some("close")
}

#[test]
fn a_busy_client_loses_no_request_over_twenty_ends_of_life() {
    let data = TARGET.directory();
    let launch = TARGET.launch(data.path()).small().variable("HTTP_LIFETIME_MS", "60");
    let server = launch.variable("HTTP_IDLE_GRACE_MS", "60000").start();
    server.connect().put_sku("s", &json!({"stock": 1_000_000}));
    let mut number = 0;
    for _ in 0..LIVES {
        let mut client = server.connect();
        loop {
            number += 1;
            let name = format!("k{number}");
            // Whatever moment the end of its life comes in, this is answered.
            let answer = client.ask(&Ask::order(&name, &name, "s", 1));
            answer.expect(201);
            if says_close(&answer) {
                assert!(client.is_closed(), "it was the last answer");
                break;
            }
        }
    }
    assert_eq!(server.connect().get("/v1/skus/s")["held"], number);
}

/// A connection whose life is over and that says nothing is closed after the grace.
#[test]
fn a_silent_connection_past_its_life_closes_after_the_grace() {
    let data = TARGET.directory();
    let launch = TARGET.launch(data.path()).small().variable("HTTP_LIFETIME_MS", "1");
    let server = launch.variable("HTTP_IDLE_GRACE_MS", "1").start();
    // It never asked, so it never heard that its life is over.
    assert!(server.connect().is_closed(), "it would have stayed for 75 seconds");
}

/// A server that serves for a long while behind its first signal, and has had that.
fn leaving(data: &std::path::Path) -> Server {
    let server = TARGET.launch(data).small().variable("DRAIN_DELAY_MS", "3600000").start();
    server.connect().put_sku("s", &json!({"stock": 9}));
    server
}

fn await_unready(server: &Server) {
    wait::until("readiness is off", || {
        let answer = server.connect().ask(&Ask::get("/readyz"));
        (answer.status == 503).then(|| answer.problem(503, "draining"))
    });
}

/// Before a drain everything is served and a second signal ends at once.
#[test]
fn everything_is_served_until_a_second_signal() {
    let data = TARGET.directory();
    let server = leaving(data.path());
    let mut known = server.connect();
    known.get("/livez");
    server.terminate();
    await_unready(&server);
    for (number, client) in [&mut known, &mut server.connect()].into_iter().enumerate() {
        let name = format!("k{number}");
        let answer = client.ask(&Ask::order(&name, &name, "s", 1));
        answer.expect(201);
        assert!(says_close(&answer) && client.is_closed(), "{answer:?}");
    }
    let status = server.connect().get("/v1/status");
    assert_eq!(status["mode"], "draining");
    server.terminate();
    let exit = server.wait();
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.complaints.contains("second signal"), "{exit:?}");
}

#[test]
fn a_drain_that_an_operator_asks_for_waits_as_well() {
    let data = TARGET.directory();
    let server = leaving(data.path());
    server.connect().ask(&Ask::new("POST", "/v1/admin/drain")).expect(200);
    await_unready(&server);
    server.connect().ask(&Ask::order("k", "u", "s", 1)).expect(201);
    let _ = server.kill();
}

#[test]
fn behind_its_delay_a_drain_ends_in_order() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().variable("DRAIN_DELAY_MS", "1").start();
    server.connect().put_sku("s", &json!({"stock": 9}));
    server.stop().stopped();
}
