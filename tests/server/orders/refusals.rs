//! `journal.refusals = full`: every refusal that a client heard is in the journal, or counted as
//! not kept; and with `counted` none is.
//!
//! Owns the count of what was heard, of the edge and of the writer. How one buyer's story is told
//! from it is tested with `doorbusterctl`. Next: `edge`.

use crate::TARGET;
use crate::feed::reading::pages;
use doorbuster::domain::model::answer::Refusal;
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::kept::KeptRefusal;
use doorbuster::domain::rules::decide::decide;
use doorbuster::engine::recheck::Recheck;
use doorbuster::engine::replay::{From, Until};
use doorbuster::http::key_hash;
use doorbuster_test_directories::history::History;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::wait;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const CROWD: usize = 4;

fn launch(data: &Path) -> Launch {
    let launch = TARGET.launch(data).small().argument("--io-threads").argument("2");
    launch.variable("JOURNAL_REFUSALS", "full")
}

/// The number behind a name on the page of metrics.
fn metric(client: &mut Client, name: &str) -> u64 {
    let text = String::from_utf8(client.ask(&Ask::get("/metrics")).body).expect("UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a count")
}

/// What the journal holds: refusals that were kept, and how many were not.
fn journaled(history: &History) -> (Vec<KeptRefusal>, u64) {
    let (mut kept, mut not_kept) = (Vec::new(), 0);
    for record in &history.records {
        match &record.event {
            Event::RefusalsKept(refusals) => kept.extend(refusals.iter().cloned()),
            Event::RefusalsNotKept(lost) => not_kept += lost.count,
            _ => {}
        }
    }
    (kept, not_kept)
}

/// A SKU that is gone, one with a limit, one that a draw names, and who has what.
fn open(client: &mut Client) {
    client.put_sku("gone", &json!({"stock": 1}));
    client.put_sku("one", &json!({"stock": 1_000_000, "per_user_limit": 1}));
    client.put_sku("prize", &json!({"stock": 3}));
    client.ask(&Ask::order("first", "owner", "gone", 1)).expect(201);
    let draw = json!({"prizes": [{"sku": "prize", "weight": 1}], "blank_weight": 1});
    client.ask(&Ask::put("/v1/draws/d", &draw)).expect(201);
}

/// Asks for what cannot be had, now at the edge and now of the writer; sells in between where
/// `sells`.
fn ask_in_vain(
    client: &mut Client,
    name: &str,
    number: usize,
    sells: bool,
) -> std::io::Result<u64> {
    let user = format!("{name}-{number}");
    let key = |what: &str| format!("{what}-{user}");
    let mut heard = 0;
    let mut refused = |client: &mut Client, ask: Ask, code: &str| -> std::io::Result<()> {
        let answer = client.send(&ask)?;
        assert_eq!(answer.json()["code"], code, "{answer:?}");
        heard += 1;
        Ok(())
    };
    refused(client, Ask::order(&key("edge"), &user, "gone", 1), "sold_out")?;
    refused(client, Ask::order(&key("held"), "owner", "gone", 2), "sold_out")?;
    refused(client, Ask::order(&key("many"), &user, "one", 2), "user_limit")?;
    refused(client, Ask::order(&key("draw"), &user, "prize", 1), "draw_only")?;
    refused(client, Ask::order(&key("none"), &user, "nothing", 1), "unknown_sku")?;
    refused(client, Ask::act("1-999999", "confirm"), "unknown_order")?;
    if sells {
        let sold = client.send(&Ask::order(&key("sold"), &user, "one", 1))?;
        assert_eq!(sold.status, 201, "{sold:?}");
    }
    Ok(heard)
}

fn crowd(address: SocketAddr, rounds: usize, heard: &AtomicU64) {
    thread::scope(|scope| {
        for number in 0..CROWD {
            scope.spawn(move || {
                let mut client = Client::connect(address).expect("a connection");
                for round in 0..rounds {
                    let sells = number == 0 && round % 7 == 0;
                    // The server may be killed meanwhile.
                    match ask_in_vain(&mut client, &format!("b{number}"), round, sells) {
                        Ok(refused) => heard.fetch_add(refused, Ordering::Relaxed),
                        Err(_) => return,
                    };
                }
            });
        }
    });
}

fn check_again(data: &Path) -> Recheck {
    let mut recheck = Recheck::new(decide);
    let replayed = recheck.run(data, From::Genesis, Until::End, &mut |_| {});
    assert!(replayed.is_ok());
    assert_eq!(recheck.different, 0, "{:?}", recheck.differences);
    recheck
}

#[test]
fn every_refusal_that_was_heard_is_kept_and_decided_again_alike() {
    let data = TARGET.directory();
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    assert_eq!(metric(client, "doorbuster_refusals_kept_total"), 0);
    assert_eq!(metric(client, "doorbuster_refusals_not_kept_total"), 0);
    open(client);
    let heard = AtomicU64::new(0);
    crowd(server.address, 60, &heard);
    client.ask(&Ask::post("/v1/draws/d/entries", &json!({"user": "e"})).key("e")).expect(201);
    let again = Ask::post("/v1/draws/d/entries", &json!({"user": "e"})).key("e2");
    client.ask(&again).problem(409, "entry_limit");
    let reused = Ask::order("first", "other", "gone", 1);
    client.ask(&reused).problem(422, "idempotency_key_reused");
    client.ask(&Ask::put("/v1/skus/one", &json!({"stock": 1}))).problem(428, "if_match_required");
    // Nothing was refused to somebody who looked in vain.
    client.ask(&Ask::get("/v1/orders/1-999999")).problem(404, "unknown_order");
    let heard = heard.into_inner() + 3;
    let edge = metric(client, "doorbuster_edge_refusals_total");
    assert!(edge > 0);
    let (events, _) = pages(client, "0", 1000);
    assert!(!events.iter().any(|event| event.to_string().contains("refus")));
    let stopped = server.stop().stopped();
    let history = History::of(data.path());
    assert_eq!(stopped.digest, doorbuster::codec::digest(&history.state).to_string());
    let (kept, not_kept) = journaled(&history);
    assert_eq!((kept.len() as u64, not_kept), (heard, 0));
    assert_eq!(kept.iter().filter(|kept| kept.at_edge).count() as u64, edge);
    let limited = |kept: &&KeptRefusal| matches!(&kept.refusal, Refusal::EntryLimit { .. });
    assert_eq!(kept.iter().filter(limited).count(), 1);
    let hash = |key: &str| {
        let local = doorbuster::domain::model::ids::PrincipalName::local();
        Some(key_hash(&history.state.hash_key, &local, key.as_bytes()))
    };
    let hashes: BTreeSet<_> = kept.iter().map(|kept| kept.key.map(|key| key.hash)).collect();
    for key in ["edge-b3-59", "many-b0-0", "e2", "first"] {
        assert!(hashes.contains(&hash(key)), "{key} is not there");
    }
    let found = check_again(data.path());
    assert_eq!((found.refusals, found.edge_refusals), (heard - edge, edge));
    assert_eq!(found.edge_refusals_beyond, 0);
}

#[test]
fn a_kill_takes_no_more_than_what_no_answer_rested_on() {
    let data = TARGET.directory();
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    open(client);
    let (heard, address) = (AtomicU64::new(0), server.address);
    thread::scope(|scope| {
        scope.spawn(|| crowd(address, 1_000_000, &heard));
        wait::until("refusals are journaled", || {
            (metric(client, "doorbuster_refusals_kept_total") > 2_000).then_some(())
        });
        // Its record stands behind those, and is durable.
        client.ask(&Ask::order("last", "last", "one", 1)).expect(201);
        server.kill();
    });
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    client.ask(&Ask::order("late", "late", "gone", 1)).problem(409, "sold_out");
    server.stop().stopped();
    let (kept, not_kept) = journaled(&History::of(data.path()));
    let survived = kept.len() as u64 + not_kept;
    // One that was under way on each connection was not heard, and one round is heard at its end.
    let asked = heard.into_inner() + 7 * CROWD as u64 + 1;
    assert!(survived > 2_000 && survived <= asked, "{survived} of {asked}");
    let keys: BTreeSet<u128> =
        kept.iter().filter_map(|kept| kept.key).map(|key| key.hash).collect();
    let keyed = kept.iter().filter(|kept| kept.key.is_some()).count();
    assert_eq!(keys.len(), keyed, "none is there twice");
    check_again(data.path());
}

#[test]
fn refusals_are_only_counted_by_default_until_a_hang_up() {
    let data = TARGET.directory();
    let file = data.path().join("settings.toml");
    let say = |word: &str| {
        std::fs::write(&file, format!("[journal]\nrefusals = \"{word}\"\n")).expect("a file");
    };
    say("counted");
    let of = data.path().join("data");
    let launch = TARGET.launch(&of).small().argument("--config").argument(&file);
    let server = launch.start();
    let client = &mut server.connect();
    open(client);
    let refuse = |client: &mut Client, server: &Server, word: &str| {
        say(word);
        server.reload("took the limits");
        ask_in_vain(client, word, 0, false).expect("answers")
    };
    let counted = refuse(client, &server, "counted");
    let kept = refuse(client, &server, "full");
    let before = |client: &mut Client| metric(client, "doorbuster_refusals_kept_total");
    wait::until("they are journaled by themselves", || (before(client) == kept).then_some(()));
    // Others, or their keys are known.
    say("counted");
    server.reload("took the limits");
    ask_in_vain(client, "again", 0, false).expect("answers");
    let shown = client.get("/v1/skus/one");
    assert_eq!(before(client), kept, "{shown}");
    server.stop().stopped();
    let (found, not_kept) = journaled(&History::of(&of));
    assert_eq!((found.len() as u64, not_kept, counted), (kept, 0, kept));
    let user = |kept: &KeptRefusal| kept.user().map(|user| user.as_str().to_owned());
    assert!(found.iter().filter_map(user).all(|user| user == "full-0" || user == "owner"));
}
