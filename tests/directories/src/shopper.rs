//! One of many clients that keep a server busy, and remember what it said.
//!
//! Owns what is asked: seeded, a shop's mix of orders, payments, cancellations and returns, mostly
//! with keys. An answer that did not arrive leaves its request pending, to be asked again after the
//! next start, as a client should. Judges nothing but codes: that is `ledger`. Next: `crowd`.

use doorbuster_test_support::client::{Answer, Ask, Client};
use doorbuster_test_support::random::Random;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

/// What an answered request said, for good.
pub struct Accepted {
    /// What was asked.
    pub ask: Ask,
    /// What it was answered.
    pub answer: Answer,
}

impl Accepted {
    /// The key it was asked under, if it had one.
    pub fn key(&self) -> Option<&str> {
        let mut headers = self.ask.headers.iter();
        headers.find(|(name, _)| name == "Idempotency-Key").map(|(_, value)| value.as_str())
    }
}

struct Bought {
    id: String,
    lines: Value,
}

/// The SKUs that shoppers buy: stock and per-user limit by name.
pub fn catalogue() -> Vec<(String, u64, u64)> {
    let scarce = (0..16).map(|n| (format!("scarce-{n}"), 3 + n * 2, 0));
    let limited = (0..8).map(|n| (format!("limited-{n}"), 400, 2));
    let plenty = (0..8).map(|n| (format!("plenty-{n}"), 1_000_000, 0));
    scarce.chain(limited).chain(plenty).collect()
}

/// The business noes that a shopper may meet, and the busy ones.
const REFUSALS: &[&str] = &[
    "sold_out",
    "user_limit",
    "hold_limit",
    "invalid_transition",
    "hold_expired",
    "invalid",
    "stock_below_committed",
];
const LATER: &[&str] = &["no_space", "draining", "overloaded", "outcome_unknown"];

/// One client.
pub struct Shopper {
    name: String,
    random: Random,
    serial: u32,
    orders: Vec<Bought>,
    pending: Option<Ask>,
    /// All answers so far.
    pub accepted: Vec<Accepted>,
}

impl Shopper {
    /// The shopper of this number, who has asked nothing yet.
    pub fn new(number: usize, random: Random) -> Self {
        let name = format!("shopper-{number}");
        Self { name, random, serial: 0, orders: Vec::new(), pending: None, accepted: Vec::new() }
    }

    /// Asks on one connection until it breaks. Tells `answered` of each decision.
    pub fn shop(&mut self, address: SocketAddr, answered: &Sender<()>) {
        let Ok(mut client) = Client::connect(address) else { return };
        while let Some(answer) = self.step(&mut client) {
            let last = answer.header("Connection") == Some("close");
            // Being told to come later is no answer. Nobody counts any more once the server was
            // told to end.
            if answer.status != 503 {
                let _ = answered.send(());
            }
            if last {
                return;
            }
        }
    }

    /// Asks again what was left without an answer, until there is one.
    pub fn settle(&mut self, client: &mut Client) {
        for _ in 0..10_000 {
            if self.pending.is_none() {
                return;
            }
            self.step(client).expect("the server stays");
        }
        panic!("{} gets no answer to {:?}", self.name, self.pending);
    }

    fn step(&mut self, client: &mut Client) -> Option<Answer> {
        let ask = self.pending.take().unwrap_or_else(|| self.next());
        // Only a key makes it safe to ask twice.
        let keyed = ask.headers.iter().any(|(name, _)| name == "Idempotency-Key");
        self.pending = keyed.then(|| ask.clone());
        let answer = client.send(&ask).ok()?;
        self.take(ask, &answer);
        Some(answer)
    }

    fn take(&mut self, ask: Ask, answer: &Answer) {
        if !matches!(answer.status, 200 | 201) {
            let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
            let (refused, later) =
                (REFUSALS.contains(&code.as_str()), LATER.contains(&code.as_str()));
            assert!(refused || later, "{}: {ask:?} is answered {answer:?}", self.name);
            if refused {
                self.pending = None;
            }
            return;
        }
        self.pending = None;
        if answer.status == 201 {
            let order = answer.json();
            let id = order["id"].as_str().expect("an order has an id").to_owned();
            self.orders.push(Bought { id, lines: order["lines"].clone() });
        }
        if ask.method == "POST" {
            self.accepted.push(Accepted { ask, answer: answer.clone() });
        }
    }

    fn next(&mut self) -> Ask {
        self.serial += 1;
        match self.random.below(100) {
            0..55 => self.create(),
            55..60 => {
                let (sku, ..) = self.sku();
                Ask::get(format!("/v1/skus/{sku}"))
            }
            60..63 => self.adjust(),
            _ if self.orders.is_empty() => self.create(),
            _ => self.act(),
        }
    }

    fn sku(&mut self) -> (String, u64, u64) {
        let mut all = catalogue();
        all.swap_remove(self.random.place(all.len()))
    }

    fn create(&mut self) -> Ask {
        let wanted = if self.random.percent(60) { 1 } else { 2 + self.random.place(3) };
        let mut names: Vec<String> = (0..wanted).map(|_| self.sku().0).collect();
        names.sort();
        names.dedup();
        let line =
            |random: &mut Random, sku: &String| json!({"sku": sku, "qty": 1 + random.below(2)});
        let lines: Vec<Value> = names.iter().map(|sku| line(&mut self.random, sku)).collect();
        let user = format!("user-{}", self.random.below(200));
        let mut body = json!({"user": user, "lines": lines});
        match self.random.below(10) {
            0..3 => body["confirm"] = true.into(),
            3..6 => body["hold_ms"] = (1 + self.random.below(1000)).into(),
            _ => {}
        }
        Ask::post("/v1/orders", &body).key(&self.key())
    }

    fn adjust(&mut self) -> Ask {
        let (sku, ..) = self.sku();
        let units = i64::try_from(1 + self.random.below(3)).expect("few units");
        let delta = if self.random.percent(50) { units } else { -units };
        let body = json!({"delta": delta, "reason": "counted"});
        Ask::post(format!("/v1/skus/{sku}/adjust"), &body).key(&self.key())
    }

    fn key(&self) -> String {
        format!("{}/{}", self.name, self.serial)
    }

    fn act(&mut self) -> Ask {
        // Mostly recent orders: old ones have mostly come to their end.
        let recent = self.orders.len().min(20);
        let bought = &self.orders[self.orders.len() - 1 - self.random.place(recent)];
        let action = match self.random.below(10) {
            0..4 => "confirm",
            4..6 => "cancel",
            6 => "ship",
            7 => "extend",
            8 => "refund",
            _ => return self.return_one(bought.id.clone(), &bought.lines.clone()),
        };
        let ask = Ask::act(&bought.id, action);
        let ask = if action == "extend" { ask.json(r#"{"hold_ms":2000}"#) } else { ask };
        if self.random.percent(60) { ask.key(&self.key()) } else { ask }
    }

    /// Sends one unit back, to stock or to the bin. The key makes it known how often it happened.
    fn return_one(&mut self, id: String, lines: &Value) -> Ask {
        let sku = &lines[0]["sku"];
        let restock = self.random.percent(50);
        let body = json!({"lines": [{"sku": sku, "qty": 1}], "restock": restock});
        Ask::post(format!("/v1/orders/{id}/refund"), &body).key(&self.key())
    }
}
