//! A shop that sells, by the real server, and what it holds in the end.
//!
//! Owns chance and orders of every fate: held, sold, given back in parts, run out, won in draws, of
//! SKUs that go and come again. Next: `tables`, which compares.

use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::{Launch, Server};
use doorbuster_test_support::random::Random;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

use crate::child::target;

const SKUS: u64 = 12;
/// Lines of one request.
const LINES: usize = 100;

pub(crate) struct Shop {
    pub(crate) data: tempfile::TempDir,
    server: Option<Server>,
    client: Option<Client>,
    random: Random,
    orders: Vec<String>,
    keys: u64,
    address: String,
    settings: Vec<(&'static str, &'static str)>,
    /// Answers of lines, as a check that the shop does something.
    pub(crate) answered: BTreeMap<u64, u64>,
}

fn launch(data: &Path, address: &str, settings: &[(&'static str, &'static str)]) -> Launch {
    let launch = target().launch_at(data, address).small();
    settings.iter().fold(launch, |launch, (name, value)| launch.variable(name, value))
}

impl Shop {
    pub(crate) fn open() -> Self {
        Self::open_with(&[])
    }

    pub(crate) fn open_with(settings: &[(&'static str, &'static str)]) -> Self {
        let data = target().directory();
        let server = launch(data.path(), "127.0.0.1:0", settings).start();
        let mut shop = Self {
            data,
            address: server.address.to_string(),
            client: Some(server.connect()),
            server: Some(server),
            random: target().random(),
            orders: Vec::new(),
            keys: 0,
            settings: settings.to_vec(),
            answered: BTreeMap::new(),
        };
        for sku in 0..SKUS {
            let stock = json!({"stock": 1_000_000, "per_user_limit": 0, "hold_ms": 1_800_000});
            shop.client().put_sku(&format!("sku-{sku}"), &stock);
        }
        shop
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("it is open")
    }

    /// By SIGKILL, and again at the same address.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start();
    }

    pub(crate) fn kill(&mut self) {
        self.client = None;
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    pub(crate) fn start(&mut self) {
        let server = launch(self.data.path(), &self.address, &self.settings).start();
        self.client = Some(server.connect());
        self.server = Some(server);
    }

    /// Asks for so much, in batches.
    pub(crate) fn trade(&mut self, mut lines: usize) {
        while lines > 0 {
            let count = lines.min(LINES);
            let mut text = String::new();
            for _ in 0..count {
                text += &self.line().to_string();
                text.push('\n');
            }
            let answer = self.client().ask(&Ask::batch(&text));
            assert_eq!(answer.status, 200);
            for line in String::from_utf8(answer.body).expect("it is text").lines() {
                let line: Value = serde_json::from_str(line).expect("it is JSON");
                self.heard(&line);
            }
            lines -= count;
        }
    }

    fn heard(&mut self, line: &Value) {
        let status = line["status"].as_u64().expect("a status");
        *self.answered.entry(status).or_default() += 1;
        let body = &line["body"];
        let id = body["order"]["id"].as_str().or_else(|| body["id"].as_str());
        if let (201, Some(id)) = (status, id) {
            self.orders.push(id.to_owned());
        }
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("k{}", self.keys)
    }

    fn line(&mut self) -> Value {
        if self.orders.is_empty() || self.random.percent(40) {
            return self.order();
        }
        // Mostly of the newest, so that most orders come to an end.
        let newest = self.orders.len().min(300);
        let at = self.orders.len() - 1 - self.random.place(newest);
        let id = self.orders[at].clone();
        match self.random.below(13) {
            0..=4 => json!({"op": "confirm", "id": id}),
            5 => json!({"op": "confirm", "id": id, "if_expired": "reacquire"}),
            6..=7 => json!({"op": "cancel", "id": id}),
            8 => json!({"op": "extend", "id": id, "hold_ms": 1_700_000}),
            9 => json!({"op": "ship", "id": id}),
            10 => json!({"op": "complete", "id": id}),
            11 => json!({"op": "refund", "id": id, "restock": self.random.percent(50)}),
            _ => {
                let sku = format!("sku-{}", self.random.below(SKUS));
                let lines = json!([{"sku": sku, "qty": 1}]);
                json!({"op": "refund", "id": id, "lines": lines, "key": self.key(),
                    "restock": self.random.percent(50)})
            }
        }
    }

    fn order(&mut self) -> Value {
        let user = format!("u{}", self.random.below(100_000));
        if self.random.once_in(60) {
            let sku = format!("sku-{}", self.random.below(SKUS));
            let key = self.key();
            let delta = self.random.between(1, 5);
            return json!({"op": "adjust", "sku": sku, "key": key, "delta": delta, "reason": "found"});
        }
        let first = self.random.below(SKUS);
        let count = self.random.between(1, 3);
        let lines: Vec<Value> = (0..count)
            .map(|more| {
                let sku = format!("sku-{}", (first + more) % SKUS);
                json!({"sku": sku, "qty": self.random.between(1, 3)})
            })
            .collect();
        let reference = self.random.percent(50).then(|| format!("shop-{}", self.keys));
        let key = self.key();
        let confirm = self.random.percent(20);
        json!({"op": "order", "key": key, "user": user, "lines": lines, "reference": reference,
            "confirm": confirm})
    }

    /// A draw with a few entries.
    pub(crate) fn draw(&mut self, name: &str, entries: u64) {
        let prize = format!("prize-{name}");
        self.client().put_sku(&prize, &json!({"stock": 50}));
        let terms = json!({"prizes": [{"sku": prize, "weight": 1}], "blank_weight": 2,
            "entries_per_user": 1, "confirm": false});
        self.client().ask(&Ask::put(format!("/v1/draws/{name}"), &terms)).expect(201);
        for entry in 0..entries {
            self.enter(name, entry);
        }
    }

    pub(crate) fn enter(&mut self, draw: &str, user: u64) {
        let ask =
            Ask::post(format!("/v1/draws/{draw}/entries"), &json!({"user": format!("e{user}")}));
        let key = self.key();
        let body = self.client().ask(&ask.key(&key)).expect(201);
        if let Some(id) = body["order"]["id"].as_str() {
            self.orders.push(id.to_owned());
        }
    }

    /// One more event; its sequence.
    pub(crate) fn mark(&mut self) -> u64 {
        let key = self.key();
        let ask = Ask::post("/v1/skus/sku-0/adjust", &json!({"delta": 1, "reason": "a mark"}));
        let body = self.client().ask(&ask.key(&key)).expect(200);
        body["version"].as_u64().expect("a number")
    }

    /// Orders that the server never had, or has no more.
    pub(crate) fn forget(&mut self) {
        self.orders.clear();
        self.keys += 1_000_000;
    }

    fn list(&mut self, path: &str, name: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let more = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
            let page = self.client().get(&format!("{path}{more}"));
            all.extend(page[name].as_array().expect("a list").iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return all };
            cursor = Some(next.to_owned());
        }
    }

    pub(crate) fn orders(&mut self) -> Vec<Value> {
        self.list("/v1/orders", "orders")
    }

    pub(crate) fn skus(&mut self) -> Vec<Value> {
        self.list("/v1/skus", "skus")
    }

    pub(crate) fn entries(&mut self, draw: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = self.client().get(&format!("/v1/draws/{draw}/entries?after={after}"));
            all.extend(page["entries"].as_array().expect("a list").iter().cloned());
            let Some(next) = page["next_after"].as_u64() else { return all };
            after = next;
        }
    }

    /// All events that are kept.
    pub(crate) fn events(&mut self) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = self.client().get(&format!("/v1/events?after={after}&limit=1000"));
            let events = page["events"].as_array().expect("a list").clone();
            if events.is_empty() {
                return all;
            }
            all.extend(events);
            page["next_after"].as_str().expect("a place").clone_into(&mut after);
        }
    }
}
