//! Lives of one directory, each ended before a later step than the one before, and what was
//! answered in all of them.
//!
//! Owns the launch with the point to die at, the books of what was promised, and the check after
//! each death. Next: `main` for the scripts.

use crate::TARGET;
use doorbuster::codec;
use doorbuster::engine::replay::{From, journal_directory, replay};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Exit, Launch, Server};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

/// The smallest there is, so that a script fills some.
const SEGMENT_BYTES: &str = "262144";
const STOCK: u64 = 1_000_000;
/// More steps than any script has; to go on for ever would tell nobody anything.
const STEPS_MAX: u64 = 2_000;

/// All lives of a directory, or of one directory each.
pub(crate) struct Lives {
    thread: &'static str,
    settings: Vec<(&'static str, &'static str)>,
    renewed: bool,
    data: TempDir,
    /// What was promised: a key, and the order's id under it.
    promised: Vec<(String, String)>,
    keys: u64,
    places: BTreeSet<String>,
}

/// One life, until the server dies.
pub(crate) struct Life<'l> {
    lives: &'l mut Lives,
    client: Option<Client>,
}

impl Lives {
    /// Dies before steps of this thread.
    pub(crate) fn new(thread: &'static str) -> Self {
        let (data, settings) = (TARGET.directory(), Vec::new());
        let (promised, places) = (Vec::new(), BTreeSet::new());
        Self { thread, settings, renewed: false, data, promised, keys: 0, places }
    }

    /// With a new directory after each death.
    pub(crate) fn renewed(mut self) -> Self {
        self.renewed = true;
        self
    }

    pub(crate) fn with(mut self, settings: &[(&'static str, &'static str)]) -> Self {
        self.settings.extend(settings);
        self
    }

    /// Plays the script with a death before its first step, then before its second, until none is
    /// left to die before.
    pub(crate) fn until_one_is_whole(&mut self, mut script: impl FnMut(&mut Life<'_>)) {
        for step in 1..=STEPS_MAX {
            let point = format!("{}:{step}", self.thread);
            let exit = match self.launch().environment("FAILPOINTS_KILL_AT", &point).try_start() {
                Ok(server) => self.play(server, &mut script),
                Err(exit) => exit,
            };
            let Some(place) = place(&exit) else {
                assert_eq!(exit.code, Some(0), "it ends only by its death or when told: {exit:?}");
                self.check();
                return;
            };
            assert_eq!(exit.code, None, "{exit:?}");
            self.places.insert(place);
            self.check();
            if self.renewed {
                self.data = TARGET.directory();
                self.promised.clear();
            }
        }
        panic!("after {STEPS_MAX} deaths there still was a step of {}", self.thread);
    }

    /// Each of these was about to be done at some death.
    pub(crate) fn died_before(&self, operations: &[&str]) {
        eprintln!("{}: died before {:?}", self.thread, self.places);
        for operation in operations {
            let met = self.places.iter().any(|place| place.starts_with(operation));
            assert!(met, "no death before {operation}: {:?}", self.places);
        }
    }

    fn launch(&self) -> Launch {
        let launch = TARGET.launch(self.data.path()).small();
        let launch = launch.variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES);
        self.settings.iter().fold(launch, |launch, (name, value)| launch.variable(name, value))
    }

    fn play(&mut self, server: Server, script: &mut impl FnMut(&mut Life<'_>)) -> Exit {
        let client = Client::connect(server.address).ok();
        let mut life = Life { lives: self, client };
        life.ask(&Ask::put("/v1/skus/shoe", &json!({"stock": STOCK})));
        script(&mut life);
        // A death may also come in the stop.
        server.stop()
    }

    /// A start in peace gives every answer again, counts it once, and stops with what a replay of
    /// everything comes to.
    fn check(&mut self) {
        let server = self.launch().start();
        let mut client = server.connect();
        for (key, id) in &self.promised {
            let again = client.ask(&order(key)).expect(201);
            assert_eq!(again["id"], id.as_str(), "{key}");
        }
        if let Some((_, last)) = self.promised.last() {
            assert_eq!(client.get(&format!("/v1/orders/{last}"))["status"], "confirmed");
            let sku = client.get("/v1/skus/shoe");
            let sold = sku["sold"].as_u64().expect("a count");
            assert!(sold >= self.promised.len() as u64, "{sku}");
            assert_eq!(sku["available"].as_u64().map(|left| left + sold), Some(STOCK), "{sku}");
        }
        drop(client);
        let stopped = server.stop().stopped();
        let read = replay(self.data.path(), From::NewestSnapshot, None, &mut |_| ());
        let read = read.unwrap_or_else(|error| panic!("it reads: {error}"));
        assert_eq!(codec::digest(&read.state).to_string(), stopped.digest);
        // What was asked for again once need not be asked for after every other death.
        self.promised.drain(..self.promised.len().saturating_sub(20));
    }
}

/// Where it says that it was killed.
fn place(exit: &Exit) -> Option<String> {
    let told = exit.complaints.lines().find_map(|line| line.strip_prefix("killed before: "));
    told.map(str::to_owned)
}

/// It was done; all that may stand in the way is a segment that is not there yet.
fn is_accepted(status: u16, body: &Value) -> bool {
    assert!(status < 300 || body["code"] == "no_space", "{status} {body}");
    status < 300
}

/// Everybody buys once.
fn user(key: &str) -> &str {
    &key[key.len() - 60..]
}

fn order(key: &str) -> Ask {
    let body = json!({"user": user(key), "confirm": true,
        "lines": [{"sku": "shoe", "qty": 1}], "reference": "r".repeat(128)});
    Ask::post("/v1/orders", &body).key(key)
}

impl Life<'_> {
    pub(crate) fn is_alive(&self) -> bool {
        self.client.is_some()
    }

    /// The number of the newest segment, be it unused.
    pub(crate) fn newest_segment(&self) -> u64 {
        let entries = fs::read_dir(journal_directory(self.lives.data.path())).expect("a journal");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let numbers = names.filter_map(|name| name.strip_suffix(".segment")?.parse::<u64>().ok());
        numbers.max().unwrap_or(0)
    }

    /// Asks; a death in between ends the life.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Option<Value> {
        let answer = self.client.as_mut()?.send(ask);
        let Ok(answer) = answer else {
            self.client = None;
            return None;
        };
        is_accepted(answer.status, &answer.json()).then(|| answer.json())
    }

    /// Sells to so many, each one unit for good, in one request, and notes what was promised.
    pub(crate) fn sell_many(&mut self, count: u64) {
        let first = self.lives.keys + 1;
        self.lives.keys += count;
        // Long, so that few fill a segment.
        let key = |number: u64| format!("key-{number:->250}");
        if count == 1 {
            if let Some(sold) = self.ask(&order(&key(first))) {
                self.promise(key(first), &sold);
            }
            return;
        }
        let line = |number| {
            let key = key(number);
            json!({"op": "order", "key": key, "user": user(&key), "confirm": true,
                "lines": [{"sku": "shoe", "qty": 1}], "reference": "r".repeat(128)})
            .to_string()
        };
        let lines: Vec<String> = (first..first + count).map(line).collect();
        let Some(client) = &mut self.client else { return };
        // If a death cuts the answer short, what was heard of it is not looked at.
        let answered = client.send(&Ask::batch(&lines.join("\n")));
        let Ok(answered) = answered else {
            self.client = None;
            return;
        };
        let answers = String::from_utf8(answered.body.clone()).expect("answers are text");
        for (number, answer) in (first..).zip(answers.lines()) {
            let answer: Value = serde_json::from_str(answer).expect("a line is an answer");
            let status = answer["status"].as_u64().and_then(|status| status.try_into().ok());
            if is_accepted(status.expect("a line has a status"), &answer["body"]) {
                self.promise(key(number), &answer["body"]);
            }
        }
    }

    fn promise(&mut self, key: String, sold: &Value) {
        let id = sold["id"].as_str().expect("an order has an id").to_owned();
        self.lives.promised.push((key, id));
    }
}
