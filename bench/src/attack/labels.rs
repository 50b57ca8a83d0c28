//! Orders of SKUs that do not exist, so that their names stand in the metrics.
//!
//! A server falls for it that counts a SKU as asked for before it knows whether there is one: the
//! names are labels without end, chosen by a client, and the SKU that is really asked for is pushed
//! out. Next: `storm`.

use super::found::Found;
use super::honest::{GOODS, Honest};
use super::shop::{self, ATTACKER, Shop, until};
use super::stage::Stage;
use super::storm::{Round, Storm};
use crate::error::BenchError;
use std::collections::BTreeSet;

const LINES: u64 = 200;
const SCRAPES: usize = 20;

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let shop = stage.open("labels", &[])?;
    let client = Honest::of(&shop);
    let alone = client.alone(stage.lasts() / 2)?;
    let begin = |ahead: bool| {
        Storm::begin(shop.server.address, 1, move |number| {
            Some(if ahead { singly(number) } else { batch(number) })
        })
    };
    let storms = [true, false].map(begin);
    let (seen, meanwhile) = client.during(|| {
        std::thread::sleep(stage.lasts());
        let mut seen = BTreeSet::new();
        for _ in 0..SCRAPES {
            seen.extend(labels(&shop)?);
        }
        // It is shown now and then.
        until("the SKU that is sold is shown", || {
            let now = labels(&shop)?;
            let is_shown = now.iter().any(|sku| sku == GOODS);
            seen.extend(now);
            Ok(is_shown.then_some(()))
        })?;
        Ok(seen)
    })?;
    let mut asked = 0;
    for storm in storms {
        let told = storm.stop()?;
        asked += told.count("404 unknown_sku");
        if told.count("404 unknown_sku") != told.all() {
            return Err(crate::load::unexpected(told.to_string().as_bytes()));
        }
    }
    let unknown = seen.iter().filter(|sku| *sku != GOODS).count();
    let mut found = Found::default();
    found.felt("nothing", &alone);
    found.felt(format!("{asked} orders of no SKU"), &meanwhile);
    found.bar(asked > 0, format!("{asked} orders of SKUs that do not exist"));
    found.bar(
        unknown == 0,
        format!("{unknown} SKUs that do not exist stand in {SCRAPES} scrapes or more, none should"),
    );
    found.bar(seen.contains(GOODS), format!("{GOODS}, which is sold, stands there"));
    found.bar_of_service("beside orders of no SKU", &meanwhile);
    Ok(found)
}

/// The SKUs that stand in the metrics now.
fn labels(shop: &Shop) -> Result<Vec<String>, BenchError> {
    let text = shop.metrics()?;
    let rows = text.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("doorbuster_")?.split_once("sku=\"")?;
        rest.split_once('"').map(|(sku, _)| sku.to_owned())
    });
    Ok(rows.collect())
}

fn name(way: char, number: u64) -> String {
    format!("buy-at-evil.example.{way}.{number}")
}

fn singly(round: u64) -> Round {
    let orders = (round * LINES..(round + 1) * LINES)
        .flat_map(|number| shop::order(ATTACKER, &name('s', number), &format!("s{number}")));
    Round::Ahead { bytes: orders.collect(), answers: LINES as usize }
}

fn batch(round: u64) -> Round {
    let lines = (round * LINES..(round + 1) * LINES).map(|number| {
        let sku = name('b', number);
        format!(
            "{{\"op\":\"order\",\"key\":\"b{number}\",\"user\":\"b{number}\",\
             \"lines\":[{{\"sku\":\"{sku}\",\"qty\":1}}]}}"
        )
    });
    Round::Batch { token: ATTACKER, lines: lines.collect::<Vec<_>>().join("\n") }
}
