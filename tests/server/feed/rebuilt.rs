//! The stock as somebody rebuilds it who has nothing but the feed.
//!
//! Owns what each event means to a follower: orders are kept by their ids with the lines they were
//! created with, bound to the SKU of then. Never asks the server. Next: `feed`.

use serde_json::Value;
use std::collections::HashMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Held,
    Sold,
    Released,
}

struct Order {
    status: Status,
    /// Which SKU, units ordered, units given back.
    lines: Vec<(usize, u64, u64)>,
}

struct Sku {
    name: String,
    gone: bool,
    total: u64,
    held: u64,
    sold: u64,
}

/// What a draw gives away, and how its wins begin.
struct Draw {
    prizes: Vec<String>,
    status: Status,
}

/// SKUs in the order of their creation, deleted ones included, and orders.
#[derive(Default)]
pub(crate) struct Rebuilt {
    skus: Vec<Sku>,
    orders: HashMap<String, Order>,
    draws: HashMap<String, Draw>,
    pub(crate) types: HashMap<String, usize>,
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

impl Rebuilt {
    pub(crate) fn take(&mut self, event: &Value) {
        let data = &event["data"];
        let kind = text(&event["type"]).strip_prefix("doorbuster.").expect("a type of ours");
        *self.types.entry(kind.to_owned()).or_default() += 1;
        match kind {
            "sku.put" if data["created"] == true => self.skus.push(Sku {
                name: text(&data["sku"]).to_owned(),
                gone: false,
                total: number(&data["total"]),
                held: 0,
                sold: 0,
            }),
            "sku.put" | "sku.adjusted" => {
                let sku = self.sku(text(&data["sku"]));
                self.skus[sku].total = number(&data["total"]);
            }
            "sku.deleted" => {
                let sku = self.sku(text(&data["sku"]));
                self.skus[sku].gone = true;
            }
            "order.created" => self.create(data),
            "order.confirmed" => self.turn(data, Status::Held, Status::Sold),
            "order.cancelled" | "order.expired" => self.turn(data, Status::Held, Status::Released),
            "order.reacquired" => self.turn(data, Status::Released, Status::Sold),
            "order.refunded" => self.refund(data),
            "draw.put" => self.put_draw(data),
            "draw.entered" if data["outcome"] == "won" => self.win(data),
            "orders.archived" => {
                for id in data["orders"].as_array().expect("ids") {
                    self.orders.remove(text(id)).expect("it was there");
                }
            }
            "sku.patched" | "order.extended" | "order.shipped" | "order.completed"
            | "orders.graced" | "draw.entered" | "draw.closed" | "draw.deleted" => {}
            other => panic!("an event of type {other}"),
        }
    }

    fn sku(&self, name: &str) -> usize {
        let found = self.skus.iter().rposition(|sku| sku.name == name && !sku.gone);
        found.unwrap_or_else(|| panic!("no SKU {name}"))
    }

    fn put_draw(&mut self, data: &Value) {
        let prizes = data["prizes"].as_array().expect("prizes").iter();
        let prizes = prizes.map(|prize| text(&prize["sku"]).to_owned()).collect();
        let status = if data["confirm"] == true { Status::Sold } else { Status::Held };
        self.draws.insert(text(&data["draw"]).to_owned(), Draw { prizes, status });
    }

    fn win(&mut self, data: &Value) {
        let draw = &self.draws[text(&data["draw"])];
        let prize = usize::try_from(number(&data["prize"])).expect("a place");
        let (sku, status) = (self.sku(&draw.prizes[prize]), draw.status);
        let order = Order { status: Status::Released, lines: vec![(sku, 1, 0)] };
        let id = text(&data["order"]).to_owned();
        self.orders.insert(id.clone(), order);
        self.turn(&serde_json::json!({ "id": id }), Status::Released, status);
    }

    fn create(&mut self, data: &Value) {
        let lines = data["lines"].as_array().expect("lines").iter();
        let lines = lines.map(|line| (self.sku(text(&line["sku"])), number(&line["qty"]), 0));
        let order = Order { status: Status::Released, lines: lines.collect() };
        self.orders.insert(text(&data["id"]).to_owned(), order);
        let status = if data["status"] == "held" { Status::Held } else { Status::Sold };
        self.turn(data, Status::Released, status);
    }

    fn turn(&mut self, data: &Value, from: Status, to: Status) {
        let order = self.orders.get_mut(text(&data["id"])).expect("an order that was created");
        assert_eq!(order.status, from, "{data}");
        order.status = to;
        for (sku, quantity, _) in &order.lines {
            let sku = &mut self.skus[*sku];
            match from {
                Status::Held => sku.held -= quantity,
                Status::Sold => sku.sold -= quantity,
                Status::Released => {}
            }
            match to {
                Status::Held => sku.held += quantity,
                Status::Sold => sku.sold += quantity,
                Status::Released => {}
            }
        }
    }

    fn refund(&mut self, data: &Value) {
        let order = self.orders.get_mut(text(&data["id"])).expect("an order that was created");
        assert_eq!(order.status, Status::Sold, "{data}");
        for (at, quantity, returned) in &mut order.lines {
            let sku = &mut self.skus[*at];
            let units = match data["lines"].as_array() {
                None => *quantity - *returned,
                Some(lines) => {
                    let line = lines.iter().find(|line| line["sku"] == *sku.name);
                    line.map_or(0, |line| number(&line["qty"]))
                }
            };
            *returned += units;
            if !sku.gone {
                sku.sold -= units;
                sku.total -= if data["restock"] == true { 0 } else { units };
            }
        }
    }

    /// Name, total, available, held and sold of each SKU there is, by name.
    pub(crate) fn counts(&self) -> Vec<(String, [u64; 4])> {
        let there = self.skus.iter().filter(|sku| !sku.gone);
        let counts = there.map(|sku| {
            let available = sku.total - sku.held - sku.sold;
            (sku.name.clone(), [sku.total, available, sku.held, sku.sold])
        });
        let mut counts: Vec<_> = counts.collect();
        counts.sort();
        counts
    }
}

/// The same as a server shows it.
pub(crate) fn shown(skus: &[Value]) -> Vec<(String, [u64; 4])> {
    let counts = |sku: &Value| {
        let units = ["total", "available", "held", "sold"].map(|name| number(&sku[name]));
        (text(&sku["sku"]).to_owned(), units)
    };
    skus.iter().map(counts).collect()
}
