//! Tokens that come, go and run out while the server serves.
//!
//! Owns what a reload promises: the next request sees it, nothing under way is hurt, and a bad file
//! changes nothing. Next: `tls` for certificates.

use crate::TARGET;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_test_support::wait::{self, wall_ms};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const TOOK: &str = "took the tokens file=";
const KEPT: &str = "kept the tokens as they were";

/// Two tokens of one name are one principal while one replaces the other.
#[test]
fn two_tokens_of_one_name_are_one_principal() {
    let data = TARGET.directory();
    let tokens = TokensFile::beside(data.path(), &[("shop", "buy", "old", "")]);
    let server = tokens.launch(TARGET).start();
    // Connections that know their token already.
    let [mut old, mut new] = ["old", "new"].map(|token| server.connect().with_token(token));
    let status = Ask::get("/v1/skus");
    old.ask(&status).expect(200);
    new.ask(&status).problem(401, "unauthenticated");
    let operator = ("operator", "admin", "operator", "");
    tokens.hold(&[("shop", "buy", "old", ""), ("shop", "buy", "new", ""), operator]);
    server.reload(TOOK);
    server.connect().with_token("operator").put_sku("s", &json!({"stock": 5}));
    let order = Ask::order("k", "anna", "s", 1);
    let first = old.ask(&order);
    first.expect(201);
    let again = new.ask(&order);
    assert!(again.is_replayed() && again.body == first.body, "{again:?}");
    tokens.hold(&[("shop", "buy", "new", ""), operator]);
    server.reload(TOOK);
    old.ask(&status).problem(401, "unauthenticated");
    assert_eq!(new.get("/v1/requests/k")["body"], first.json());
    // A role may change as well, on the connection that is there.
    tokens.hold(&[("shop", "metrics", "new", "")]);
    server.reload(TOOK);
    new.ask(&status).problem(403, "forbidden");
    new.get("/v1/status");
}

#[test]
fn a_token_runs_out_on_the_connection_that_knows_it() {
    let data = TARGET.directory();
    let due_ms = wall_ms() + 2_000;
    let due = jiff::Timestamp::from_millisecond(i64::try_from(due_ms).unwrap()).unwrap();
    let expiry = format!("expires_at = {due}");
    let tokens = TokensFile::beside(data.path(), &[("shop", "buy", "t", &expiry)]);
    let server = tokens.launch(TARGET).start();
    let mut client = server.connect().with_token("t");
    let mut served = 0;
    wait::until("the expiry", || {
        let before = wall_ms();
        let answer = client.ask(&Ask::get("/v1/skus"));
        let over = answer.status == 401;
        // Whoever asked before it ran out, and was answered before, was served.
        assert!(if over { wall_ms() >= due_ms } else { before <= due_ms }, "{answer:?}");
        served += u64::from(!over);
        over.then_some(())
    });
    eprintln!("served {served} times before the token ran out");
}

#[test]
fn a_bad_file_stops_a_start_and_says_where_it_is_bad() {
    let data = TARGET.directory();
    let tokens = TokensFile::beside(data.path(), &[("shop", "buy", "t", "")]);
    tokens.say("[[token]]\nname = \"shop\"\nrole = \"boss\"\nsha256 = \"\"\n");
    let exit = tokens.launch(TARGET).run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    for part in ["tokens.toml, line 3: a role is buy, fulfil", "doorbusterctl token new"] {
        assert!(exit.complaints.contains(part), "{exit:?}");
    }
    assert!(!data.path().join("data").exists(), "nothing was begun");
    let exit = tokens.launch(TARGET).variable("AUTH_TOKENS_FILE", "/nowhere/tokens.toml").run();
    assert!(exit.code == Some(1) && exit.complaints.contains("/nowhere/tokens.toml"), "{exit:?}");
}

#[test]
fn a_bad_file_at_a_reload_leaves_the_tokens_as_they_were() {
    let data = TARGET.directory();
    let tokens = TokensFile::beside(data.path(), &[("shop", "buy", "t", "")]);
    let server = tokens.launch(TARGET).start();
    let mut client = server.connect().with_token("t");
    client.get("/v1/skus");
    for bad in ["", "[[token]]\n", "nonsense", "[[token]]\nname = \"x\"\nsha256 = \"t\"\n"] {
        tokens.say(bad);
        server.reload(KEPT);
        client.get("/v1/skus");
        server.connect().with_token("t").get("/v1/skus");
    }
    tokens.hold(&[("shop", "buy", "u", "")]);
    server.reload(TOOK);
    client.ask(&Ask::get("/v1/skus")).problem(401, "unauthenticated");
    assert!(server.stop().complaints.contains("tokens.toml, line 1: "));
}

#[test]
fn a_server_without_tokens_goes_on_at_a_hang_up() {
    let data = TARGET.directory();
    let tokens = TokensFile::beside(data.path(), &[("a", "buy", "t", "")]);
    // An empty name is none.
    let server = tokens.launch(TARGET).variable("AUTH_TOKENS_FILE", "").start();
    let mut client = server.connect();
    client.get("/v1/status");
    server.hang_up();
    // A token says nothing where none is asked for.
    client.ask(&Ask::get("/v1/status").token("anything")).expect(200);
    server.stop().stopped();
}

#[test]
fn reloads_under_load_hurt_nobody_whose_token_stays() {
    const RELOADS: u64 = 30;
    let data = TARGET.directory();
    let shop = ("shop", "buy", "shop", "");
    let operator = ("operator", "admin", "operator", "");
    let tokens = TokensFile::beside(data.path(), &[shop, operator]);
    let server = tokens.launch(TARGET).start();
    server.connect().with_token("operator").put_sku("s", &json!({"stock": 1_000_000}));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for buyer in 0..4 {
            let mut client = server.connect().with_token("shop");
            let over = &over;
            scope.spawn(move || {
                let mut number = 0;
                while !over.load(Ordering::Relaxed) {
                    let name = format!("{buyer}-{number}");
                    client.ask(&Ask::order(&name, &name, "s", 1)).expect(201);
                    number += 1;
                }
            });
        }
        for number in 0..RELOADS {
            let [now, before] = [number, number.wrapping_sub(1)].map(|n| format!("guest-{n}"));
            tokens.hold(&[("guest", "metrics", &now, ""), shop, operator]);
            server.reload("tokens.toml\" count=3");
            let mut guest = server.connect().with_token(&now);
            guest.get("/v1/status");
            guest.with_token(&before).ask(&Ask::get("/v1/status")).problem(401, "unauthenticated");
        }
        over.store(true, Ordering::Relaxed);
    });
    let held = server.connect().with_token("operator").get("/v1/skus/s")["held"].as_u64();
    assert!(held >= Some(4), "{held:?}");
    server.stop().stopped();
}

#[test]
fn a_stream_of_events_ends_with_the_token_that_opened_it() {
    let data = TARGET.directory();
    let (boss, audit) = (("boss", "admin", "boss", ""), ("audit", "admin", "audit", ""));
    let tokens = TokensFile::beside(data.path(), &[boss, audit]);
    let server = tokens.launch(TARGET).start();
    let follow = |token: &str| {
        let mut client = server.connect();
        let ask = Ask::get("/v1/events").header("Accept", "application/x-ndjson").token(token);
        client.write(&ask.bytes()).expect("the server takes bytes");
        assert_eq!(client.head().expect("a head").status, 200);
        client
    };
    let [mut stays, mut goes] = ["boss", "audit"].map(follow);
    let mut operator = server.connect().with_token("boss");
    let mut heard = |client: &mut Client, sku: &str| {
        operator.put_sku(sku, &json!({"stock": 1}));
        let mut text = String::new();
        while let Some(chunk) = client.chunk().expect("the stream goes on or ends in order") {
            text.push_str(&String::from_utf8(chunk).expect("text"));
            if text.contains(sku) {
                return true;
            }
        }
        false
    };
    assert!(heard(&mut stays, "first") && heard(&mut goes, "second"));
    tokens.hold(&[boss]);
    server.reload(TOOK);
    assert!(!heard(&mut goes, "third"), "its token is gone");
    assert!(heard(&mut stays, "fourth"));
}
