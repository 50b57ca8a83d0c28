//! One principal that fills tables, with one order and without, through batches and singly, while
//! others order at a pace of their own, and then as fast as they can.
//!
//! A server falls for it that lets one principal have a table before others have come, or that
//! remembers a key of its own for each repetition of what is done already: then the others are
//! refused for want of room. Next: `storm`.

use super::found::Found;
use super::honest::{Felt, Honest};
use super::shop::{self, ATTACKER, Shop, until};
use super::stage::Stage;
use super::storm::{Round, Storm, Told};
use crate::error::BenchError;
use crate::load::{self, STOCK, now};
use std::fmt::Write as _;
use std::time::Duration;

/// What is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// Keys, by the same action on one order under a fresh key each time.
    Keys,
    /// Orders, users and keys, by orders of new users.
    Users,
    /// Uses, by orders of new users with as many SKUs as an order may have.
    Uses,
    /// Entries of a draw, all of one user.
    Entries,
}

/// How what is asked is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Batches,
    Singly,
}

const ALL: [Filled; 4] = [Filled::Keys, Filled::Users, Filled::Uses, Filled::Entries];
const WAYS: [Way; 2] = [Way::Batches, Way::Singly];
/// Lines of a batch.
const LINES: u64 = 1_000;
/// Requests that are sent ahead of their answers.
const AHEAD: u64 = 64;
/// Keys that are remembered of one order, that of its creation among them.
const KEYS_OF_AN_ORDER_MAX: u64 = 64;
/// Connections of those who order at a pace of their own, and between two orders on one.
const PACED: (u32, Duration) = (16, Duration::from_millis(20));
/// Of the pace of those, the part that is left beside an attack, at least.
const PACE_MIN: f64 = 0.98;
/// What the attacker has for itself, at most, before the honest come again.
const AHEAD_MAX: Duration = Duration::from_secs(10);
/// SKUs of an order.
const SKUS: u64 = 16;
/// Rows of each table at the short scale; a twentieth is the reserve of a principal.
const CAP: u64 = 2_000;
const CAPS: [&str; 5] = ["caps.keys", "caps.orders", "caps.users", "caps.uses", "caps.entries"];

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let mut found = Found::default();
    for filled in ALL {
        for way in WAYS {
            let name = format!("{} {}", filled.as_str(), way.as_str());
            let (alone, paced, meanwhile, told) = attack(stage, filled, way)?;
            found.felt(format!("nothing, before {name}"), &alone);
            found.felt(format!("{name}, paced"), &paced);
            found.felt(name.clone(), &meanwhile);
            found.tell(format!(
                "{name}: the honest at {:.2} of their rate alone; the attacker was told {told}",
                meanwhile.rate() / alone.rate().max(1e-9)
            ));
            found.bar_of_service(&format!("at a pace, beside {name}"), &paced);
            let pace = f64::from(PACED.0) / PACED.1.as_secs_f64();
            found.time_bar(
                stage,
                paced.rate() >= PACE_MIN * pace,
                format!("{:.0} of {pace:.0} orders/s beside {name}", paced.rate()),
            );
            found.bar_of_service(&format!("beside {name}"), &meanwhile);
            if filled == Filled::Keys {
                let taken = told.count("200");
                found.bar(
                    taken < KEYS_OF_AN_ORDER_MAX,
                    format!(
                        "{taken} keys of actions on one order remembered {}, at most 63",
                        way.as_str()
                    ),
                );
            }
        }
    }
    Ok(found)
}

/// What the honest felt alone, at a pace and as fast as they could, and what the attacker was told.
fn attack(
    stage: &Stage<'_>,
    filled: Filled,
    way: Way,
) -> Result<(Felt, Felt, Felt, Told), BenchError> {
    let caps = CAPS.map(|name| (name, CAP.to_string()));
    let place = format!("tables-{}-{}", filled.as_str(), way.as_str().replace(' ', "-"));
    let shop = stage.open(&place, stage.of(&caps, &[]))?;
    let order = prepare(&shop)?;
    // All that the honest ask has room in their reserve, or in what is common while there is any.
    let requests = stage.of((30, 30), (1, 200_000));
    let client = Honest {
        every: None,
        requests_min: requests.0,
        requests_max: requests.1,
        ..Honest::of(&shop)
    };
    let alone = client.alone(stage.lasts() / 2)?;
    let storm = Storm::begin(shop.server.address, way.connections(), move |round| {
        Some(filled.round(way, round, &order))
    });
    // At the short scale the table is full before the honest come again.
    let begun = now();
    until("a table is full", || {
        let is_full = storm.told().count("503 capacity") > 0;
        let is_long = !stage.is_short() && begun.elapsed() > stage.lasts().min(AHEAD_MAX);
        Ok((is_full || is_long).then_some(()))
    })?;
    // Both together last as long as the attack.
    let paced = Honest { connections: PACED.0, every: Some(PACED.1), ..client.clone() };
    let paced = paced.alone(stage.lasts() / 2)?;
    let meanwhile = client.alone(stage.lasts() / 2)?;
    Ok((alone, paced, meanwhile, storm.stop()?))
}

/// SKUs and a draw for the attacker, and its one order; the order's id.
fn prepare(shop: &Shop) -> Result<String, BenchError> {
    for number in 0..SKUS {
        shop.put_sku(&format!("bait-{number}"), STOCK)?;
    }
    shop.put_sku("prize", 1)?;
    let draw =
        r#"{"prizes":[{"sku":"prize","weight":1}],"blank_weight":1000000000,"entries_per_user":0}"#;
    shop.put("/v1/draws/draw", draw)?;
    let body = r#"{"user":"attacker","lines":[{"sku":"bait-0","qty":1}]}"#;
    let key = "idempotency-key: first\r\n";
    let ask = shop::request(Some(ATTACKER), "POST /v1/orders", key, body);
    let (status, order) = shop.ask_json(&ask)?;
    let id = order["id"].as_str().filter(|_| status == 201);
    id.map(str::to_owned).ok_or_else(|| load::unexpected(order.to_string().as_bytes()))
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Batches => "in batches",
            Self::Singly => "singly",
        }
    }

    /// As many as it takes to ask as fast as is answered: a connection has one order decided at a
    /// time.
    const fn connections(self) -> u32 {
        match self {
            Self::Batches => 2,
            Self::Singly => 32,
        }
    }
}

impl Filled {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Users => "users",
            Self::Uses => "uses",
            Self::Entries => "entries",
        }
    }

    /// What is sent in one round; all numbers of all rounds differ.
    fn round(self, way: Way, round: u64, order: &str) -> Round {
        match way {
            Way::Batches => {
                let numbers = round * LINES..(round + 1) * LINES;
                let lines = numbers.fold(String::new(), |mut lines, number| {
                    let (op, more) = self.line(order);
                    let body = self.body(number);
                    let inner = body.trim_start_matches('{');
                    let comma = if inner == "}" { "" } else { "," };
                    writeln!(lines, r#"{{"op":"{op}",{more}"key":"a{number}"{comma}{inner}"#)
                        .expect("memory takes all text");
                    lines
                });
                Round::Batch { token: ATTACKER, lines }
            }
            Way::Singly => {
                let numbers = round * AHEAD..(round + 1) * AHEAD;
                let path = match self {
                    Self::Keys => format!("POST /v1/orders/{order}/cancel"),
                    Self::Users | Self::Uses => "POST /v1/orders".to_owned(),
                    Self::Entries => "POST /v1/draws/draw/entries".to_owned(),
                };
                let ask = |number: u64| {
                    let key = format!("idempotency-key: a{number}\r\n");
                    shop::request(Some(ATTACKER), &path, &key, &self.body(number))
                };
                Round::Ahead { bytes: numbers.flat_map(ask).collect(), answers: AHEAD as usize }
            }
        }
    }

    /// The operation of a batch's line, and the members that stand in the path otherwise.
    fn line(self, order: &str) -> (&'static str, String) {
        match self {
            Self::Keys => ("cancel", format!(r#""id":"{order}","#)),
            Self::Users | Self::Uses => ("order", String::new()),
            Self::Entries => ("entry", r#""draw":"draw","#.to_owned()),
        }
    }

    fn body(self, number: u64) -> String {
        let order = |skus: u64| {
            let lines = (0..skus).map(|sku| format!(r#"{{"sku":"bait-{sku}","qty":1}}"#));
            let lines = lines.collect::<Vec<_>>().join(",");
            format!(r#"{{"user":"a{number}","lines":[{lines}],"confirm":true}}"#)
        };
        match self {
            Self::Keys => "{}".to_owned(),
            Self::Users => order(1),
            Self::Uses => order(SKUS),
            Self::Entries => r#"{"user":"attacker"}"#.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_every_batch_is_an_object_with_its_key() {
        for filled in ALL {
            let Round::Batch { lines, .. } = filled.round(Way::Batches, 1, "1-2") else {
                panic!("a batch was asked for");
            };
            assert_eq!(lines.lines().count() as u64, LINES);
            for (line, number) in lines.lines().zip(LINES..) {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(line["key"], format!("a{number}"), "{filled:?}");
            }
        }
    }
}
