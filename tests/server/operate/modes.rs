//! What an operator may do to a server that runs: let it only read, or drain it (API 6).
//!
//! That every write says `read_only` is held by `tests/contract`.

use crate::TARGET;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use serde_json::json;

fn mode(word: &str) -> Ask {
    Ask::new("POST", format!("/v1/admin/{word}"))
}

/// A read only server reads lets holds run out and keeps nothing of the mode.
#[test]
fn a_read_only_server_reads_and_lets_holds_run_out() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    let brief = json!({"user": "u", "lines": [{"sku": "s", "qty": 1}], "hold_ms": 1});
    let ask = Ask::post("/v1/orders", &brief).key("brief");
    let order = client.ask(&ask).expect(201)["id"].as_str().expect("an id").to_owned();
    assert_eq!(client.get("/v1/status")["mode"], "read-write");
    assert_eq!(client.ask(&mode("read-only")).expect(200)["mode"], "read-only");
    assert_eq!(client.ask(&mode("read-only")).expect(200)["mode"], "read-only");
    client.ask(&Ask::get("/readyz")).problem(503, "read_only");
    client.get("/livez");
    // A retry too: whether it is one only the writer knows.
    client.ask(&ask).problem(503, "read_only");
    client.ask(&Ask::act(&order, "confirm")).problem(503, "read_only");
    wait::until("the expiry", || {
        (client.get(&format!("/v1/orders/{order}"))["status"] == "expired").then_some(())
    });
    assert_eq!(client.get("/v1/requests/brief")["status"], 201);
    let line = json!({"op": "cancel", "id": order}).to_string();
    let answered = client.ask(&Ask::batch(&line)).json();
    assert_eq!(answered["body"]["code"], "read_only", "{answered}");
    client.ask(&mode("snapshot")).expect(200);
    assert_eq!(client.ask(&mode("read-write")).expect(200)["mode"], "read-write");
    client.get("/readyz");
    assert!(client.ask(&ask).is_replayed());
    client.ask(&mode("read-only")).expect(200);
    server.stop().stopped();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.get("/readyz");
    client.put_sku("t", &json!({"stock": 5}));
}

/// A drain asked for over HTTP is the stop of a signal and a signal behind it changes nothing.
#[test]
fn a_drain_over_http_stops_as_a_signal_does() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).variable("HTTP_BODY_TIMEOUT_MS", "60000").start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    // A request under way holds the stop up.
    let slow = Ask::order("k", "u", "s", 1).header("Expect", "100-continue").bytes();
    let head = slow.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut held_up = server.connect();
    assert_eq!(held_up.raw(&slow[..head]).status, 100);
    assert_eq!(client.ask(&mode("drain")).expect(200)["mode"], "draining");
    wait::until("the drain", || {
        let ready = server.connect().send(&Ask::get("/readyz")).ok()?;
        (ready.status == 503 && ready.json()["code"] == "draining").then_some(())
    });
    server.terminate();
    assert_eq!(held_up.raw(&slow[head..]).status, 201);
    server.wait().stopped();
}

#[test]
fn a_second_signal_ends_at_once() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).variable("HTTP_BODY_TIMEOUT_MS", "60000").start();
    let slow = Ask::order("k", "u", "s", 1).header("Expect", "100-continue").bytes();
    let head = slow.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let mut held_up = server.connect();
    assert_eq!(held_up.raw(&slow[..head]).status, 100);
    server.terminate();
    wait::until("the drain", || {
        let ready = server.connect().send(&Ask::get("/readyz")).ok()?;
        (ready.status == 503).then_some(())
    });
    server.terminate();
    let exit = server.wait();
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.complaints.contains("second signal"), "{exit:?}");
}
