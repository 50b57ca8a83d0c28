//! A follower that is killed and resumed again and again, while orders flow and the server is
//! killed too: every event once, in order, and the stock rebuilt from them is the server's.
//!
//! Owns when the follower dies and where it goes on: where it had last written down that it was, as
//! a shop's worker would, so that some events come twice. What keeps the server busy is the
//! crowd of `tests/directories`.

use crate::TARGET;
use crate::feed::reading::{Follower, follow, pages, sequence};
use crate::feed::rebuilt::{Rebuilt, shown};
use doorbuster::domain::model::event::Event;
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_directories::history::History;
use doorbuster_test_support::process::Server;
use doorbuster_test_support::random::Random;
use doorbuster_test_support::wait;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const RESUMES: u64 = 50;
const KILLS: u64 = 12;

/// A worker with a notebook.
struct Reader {
    random: Random,
    /// Every event, once.
    events: Vec<Value>,
    /// Where it goes on after it died; behind, as often as not.
    written_down: String,
    repeats: u64,
}

impl Reader {
    /// Reads from one server until this follower dies, or the server does.
    /// Says whether it was let in.
    fn live(&mut self, address: SocketAddr) -> bool {
        let Ok(mut follower) = Follower::begin(address, &follow(&self.written_down)) else {
            return false;
        };
        for _ in 0..1 + self.random.below(400) {
            let Ok(Some(event)) = follower.event() else { break };
            self.take(event);
        }
        true
    }

    fn take(&mut self, event: Value) {
        let id = event["id"].as_str().expect("an id").to_owned();
        let known = self.events.binary_search_by_key(&sequence(&id), |known| {
            sequence(known["id"].as_str().expect("an id"))
        });
        match known {
            Ok(at) => {
                assert_eq!(self.events[at], event, "an id is of one event for ever");
                self.repeats += 1;
            }
            Err(at) => {
                assert_eq!(at, self.events.len(), "{id} comes too late");
                self.events.push(event);
            }
        }
        if self.random.percent(20) {
            self.written_down = id;
        }
    }
}

/// A follower killed and resumed sees every event once in order while the server is killed too.
#[test]
fn a_killed_follower_sees_every_event_once_and_in_order() {
    let data = TARGET.directory();
    let mut random = TARGET.random();
    let mut reader = Reader {
        random: random.fork(0),
        events: Vec::new(),
        written_down: "0".to_owned(),
        repeats: 0,
    };
    let mut crowd = Crowd::new(random);
    let start = || Crowd::launch(TARGET, data.path()).start();
    let mut server = start();
    open_sale(&server);
    let address = Mutex::new(Some(server.address));
    let resumes = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let next = *address.lock().expect("nobody panics with it");
                let Some(next) = next else { return };
                if reader.live(next) {
                    resumes.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for kill in 1.. {
            crowd.rush(server, Server::kill);
            let enough = kill >= KILLS && resumes.load(Ordering::Relaxed) >= RESUMES;
            assert!(kill < 10 * KILLS, "the follower is not resumed");
            server = start();
            *address.lock().expect("nobody panics with it") = Some(server.address);
            if enough {
                break;
            }
        }
        // Its stream, too, ends with the server.
        *address.lock().expect("nobody panics with it") = None;
        server.kill();
    });
    let server = start();
    let client = &mut server.connect();
    let (rest, _) = pages(client, &reader.written_down.clone(), 1000);
    rest.into_iter().for_each(|event| reader.take(event));
    let mut rebuilt = Rebuilt::default();
    reader.events.iter().for_each(|event| rebuilt.take(event));
    assert!(reader.repeats > 0, "the follower never went back");

    // Nothing sweeps any more: what was held is in the counts of both.
    let books = wait::until("nothing happens while both are read", || {
        let skus = client.get("/v1/skus");
        let seen = reader.events.last().map(|event| sequence(event["id"].as_str().expect("an id")));
        let (more, end) = pages(client, &seen.unwrap_or(0).to_string(), 1000);
        for event in more {
            rebuilt.take(&event);
            reader.take(event);
        }
        (skus["seq"].as_u64() == Some(sequence(&end))).then_some(skus)
    });
    assert_eq!(rebuilt.counts(), shown(books["skus"].as_array().expect("SKUs")));

    server.stop().stopped();
    let history = History::of(data.path());
    let told = reader.events.iter().map(|event| sequence(event["id"].as_str().expect("an id")));
    let told: Vec<u64> = told.collect();
    let happened = |(record, sequence): (&doorbuster::domain::model::event::Record, u64)| {
        let silent = matches!(
            record.event,
            Event::Started(_)
                | Event::SettingsChanged(_)
                | Event::AnswerRepeated(_)
                | Event::KeysForgotten(_)
                | Event::UsesPurged(_)
                | Event::RefusalsCounted(_)
                | Event::AdjustmentRepeated(_)
                | Event::RefusalsKept(_)
                | Event::RefusalsNotKept(_)
        );
        (!silent).then_some(sequence)
    };
    let last = told.last().copied().unwrap_or(0);
    let expected: Vec<u64> = history.records.iter().zip(1..=last).filter_map(happened).collect();
    assert_eq!(told, expected, "exactly one event for each record that changed something");
}
