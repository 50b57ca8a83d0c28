//! Webhooks: signed, at least once, in order, and what answers lead to.

use crate::child::Setup;
use crate::receiver::{Call, Receiver};
use crate::shop::Shop;
use crate::tables::given;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

fn settings(receiver: &Receiver, more: &str) -> String {
    let url = receiver.url();
    let begin = "begin = \"oldest\"";
    format!("[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\n{begin}\n{more}\n")
}

fn event(call: &Call) -> Value {
    serde_json::from_slice(&call.body).expect("it is JSON")
}

fn seq(event: &Value) -> u64 {
    event["data"]["seq"].as_u64().expect("a number")
}

/// Events as a receiver has them that passes over ids it knows; each subject in order.
fn taken(calls: &[Call]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut events = Vec::new();
    for call in calls {
        let event = event(call);
        assert_eq!(call.header("webhook-id"), event["id"], "the id of a call is the event's");
        if seen.insert(event["id"].to_string()) {
            let before = last.insert(event["subject"].to_string(), seq(&event));
            assert!(before.is_none_or(|before| before < seq(&event)), "in order: {event}");
            events.push(event);
        }
    }
    events.sort_by_key(seq);
    events
}

fn all_there(shop: &mut Shop, receiver: &Receiver) {
    let mark = shop.mark();
    wait::until("the last call", || {
        receiver.calls().iter().rev().take(100).any(|call| seq(&event(call)) == mark).then_some(())
    });
}

#[test]
fn calls_are_signed_so_that_others_can_verify_them() {
    let receiver = Receiver::start(|_, _| "204 No Content");
    let shop = Shop::open();
    let setup = Setup::new(&shop.url(), "");
    let secret = setup.folder.path().join("secret");
    let secrets = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    fs::write(&secret, format!("{secrets}\n")).expect("it is written");
    let more = format!("secret_file = \"{}\"", secret.display());
    setup.say(&shop.url(), &settings(&receiver, &more), "");
    let sink = setup.start();
    sink.says("following");
    wait::until("calls", || (receiver.calls().len() >= 12).then_some(()));
    let call = receiver.calls()[0].clone();
    assert_eq!(call.header("content-type"), "application/cloudevents+json");
    assert_eq!(call.header("ce-id"), call.header("webhook-id"));
    assert!(verified(&call, secrets), "{call:?}");
    assert!(!verified(&call, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    // A new one comes before the old one goes.
    let newer = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    fs::write(&secret, format!("{newer}\n{secrets}\n")).expect("it is written");
    sink.signal(rustix::process::Signal::HUP);
    sink.says("again");
    let mut shop = shop;
    let last = wait::until("two signatures", || {
        shop.mark();
        let call = receiver.calls().last().cloned()?;
        call.header("webhook-signature").contains(' ').then_some(call)
    });
    assert!(verified(&last, secrets) && verified(&last, newer));
    sink.stop();
}

/// By the code of docs/SINKS.md, in Python.
fn verified(call: &Call, secret: &str) -> bool {
    let page = include_str!("../../../../docs/SINKS.md");
    let code = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let program = format!(
        "{}\nimport sys, json\ngiven = json.load(sys.stdin)\n\
         sys.exit(0 if verify(given['headers'], given['body'].encode(), given['secret']) else 1)\n",
        code.expect("the page has it")
    );
    let headers: BTreeMap<_, _> = call.headers.iter().cloned().collect();
    let body = String::from_utf8(call.body.clone()).expect("it is text");
    let given = json!({"headers": headers, "body": body, "secret": secret}).to_string();
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", &program]).stdin(Stdio::piped()).spawn().expect("python3");
    python.stdin.take().expect("piped").write_all(given.as_bytes()).expect("it reads");
    python.wait().expect("it ends").success()
}

#[test]
fn every_event_is_called_with_and_subjects_keep_their_order() {
    for more in ["", "ordered = \"subject\"\nin_flight = 8"] {
        // Every tenth call fails at first.
        let receiver = Receiver::start(|number, _| match number % 10 {
            9 => "503 Service Unavailable",
            _ => "200 OK",
        });
        let kills = given("KILLS", 6);
        let mut shop = Shop::open();
        let setup = Setup::new(&shop.url(), &settings(&receiver, more));
        for _ in 0..kills {
            shop.trade(given("EVENTS", 900) / kills);
            let before = receiver.calls().len();
            let sink = setup.start();
            wait::until("some progress", || (receiver.calls().len() > before + 20).then_some(()));
            sink.kill();
        }
        let sink = setup.start();
        all_there(&mut shop, &receiver);
        sink.stop();
        let events = taken(&receiver.calls());
        assert_eq!(events, shop.events(), "{more}");
    }
}

#[test]
fn many_events_go_in_one_call() {
    let receiver = Receiver::start(|_, _| "200 OK");
    let mut shop = Shop::open();
    shop.trade(500);
    let setup = Setup::new(&shop.url(), &settings(&receiver, "batch = 100"));
    let sink = setup.start();
    let mark = shop.mark();
    let events = wait::until("the last event", || {
        let calls = receiver.calls();
        let events =
            calls.iter().flat_map(|call| event(call).as_array().cloned().unwrap_or_default());
        let events: Vec<Value> = events.collect();
        events.last().is_some_and(|event| seq(event) == mark).then_some(events)
    });
    assert_eq!(events, shop.events());
    let call = receiver.calls()[0].clone();
    assert_eq!(call.header("content-type"), "application/cloudevents-batch+json");
    sink.stop();
}

/// One order is refused for good: the others go on, and its own events wait for an operator.
#[test]
fn a_refused_event_is_a_dead_letter_with_those_behind_it() {
    static POISON: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
    let receiver = Receiver::start(|_, call| {
        let body = String::from_utf8_lossy(&call.body);
        let refused = POISON.load(std::sync::atomic::Ordering::Acquire) && body.contains("poison");
        if refused { "422 Unprocessable Content" } else { "200 OK" }
    });
    let mut shop = Shop::open();
    let body = json!({"user": "ada", "reference": "poison", "lines": [{"sku": "sku-1", "qty": 1}]});
    let made = shop.client().ask(&Ask::post("/v1/orders", &body).key("poison")).expect(201);
    let id = made["id"].as_str().expect("an id").to_owned();
    let setup = Setup::new(&shop.url(), "");
    setup.say(&shop.url(), &settings(&receiver, ""), "[dead]\nafter = 2\n");
    let sink = setup.start();
    shop.client().ask(&Ask::act(&id, "confirm")).expect(200);
    shop.trade(100);
    all_there(&mut shop, &receiver);
    let calls = receiver.calls();
    let about = |call: &&Call| event(call)["subject"] == format!("orders/{id}");
    let words = |calls: &[Call]| -> Vec<Value> {
        calls.iter().filter(about).map(|call| event(call)["type"].clone()).collect()
    };
    let tries = words(&calls).len();
    assert!(words(&calls).iter().all(|word| word == "doorbuster.order.created"), "and no second");
    let listed = setup.ended(&["dead", "list"]);
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("order.created") && listed.contains("answers 422"), "{listed}");
    assert!(listed.contains("order.confirmed") && listed.contains("behind orders/"), "{listed}");
    POISON.store(false, std::sync::atomic::Ordering::Release);
    let asked = setup.ended(&["dead", "retry", "--sink", "hook"]);
    assert!(String::from_utf8_lossy(&asked.stdout).starts_with("2 letters"), "{asked:?}");
    wait::until("no letters", || setup.ended(&["dead", "list"]).stdout.is_empty().then_some(()));
    let words = words(&receiver.calls());
    assert_eq!(words[tries..], ["doorbuster.order.created", "doorbuster.order.confirmed"]);
    let mut events = taken_in_any_order(&receiver.calls());
    events.dedup();
    assert_eq!(events, shop.events());
    sink.stop();
}

fn taken_in_any_order(calls: &[Call]) -> Vec<Value> {
    let mut events: Vec<Value> = calls.iter().map(event).collect();
    events.sort_by_key(seq);
    events
}

#[test]
fn an_answer_that_is_final_stops_the_sink_and_others_are_told() {
    for (status, told) in [("404 Not Found", "answers 404"), ("410 Gone", "wants no more calls")] {
        let receiver = Receiver::start(move |_, _| status);
        let alerts = Receiver::start(|_, _| "200 OK");
        let shop = Shop::open();
        let setup = Setup::new(&shop.url(), "");
        let alert = format!("[alert]\nurl = \"{}\"\n", alerts.url());
        setup.say(&shop.url(), &settings(&receiver, ""), &alert);
        let (code, said) = setup.start().wait();
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(told), "{said}");
    }
    // What may pass is alerted at the third failure, and again when it has passed.
    let receiver = Receiver::start(|number, _| match number {
        0..5 => "302 Found",
        _ => "200 OK",
    });
    let alerts = Receiver::start(|_, _| "200 OK");
    let mut shop = Shop::open();
    let setup = Setup::new(&shop.url(), "");
    let alert = format!("[alert]\nurl = \"{}\"\n", alerts.url());
    setup.say(&shop.url(), &settings(&receiver, ""), &alert);
    let sink = setup.start();
    sink.says("redirects are not followed");
    sink.says("works again");
    all_there(&mut shop, &receiver);
    let states = wait::until("two alerts", || {
        let states: Vec<Value> =
            alerts.calls().iter().map(|call| event(call)["state"].clone()).collect();
        (states.len() >= 2).then_some(states)
    });
    assert_eq!(states, ["failing", "recovered"]);
    sink.stop();
}
