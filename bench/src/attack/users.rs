//! A flash sale with a limit for each user, and more users than there are buckets.
//!
//! A server falls for it whose buckets are shared by users who never asked: their first requests
//! are refused for what others did. One that lets all pass has no limit: who asks again at once
//! must be told so. The sale is of something sold out, so that only admission is asked for. Next:
//! `storm`.

use super::found::Found;
use super::honest::Honest;
use super::shop::ATTACKER;
use super::stage::Stage;
use super::storm::{Round, Storm};
use crate::error::BenchError;
use crate::load;
use std::fmt::Write as _;

/// Of the first requests, and of those that must be refused.
const PART_MIN: f64 = 0.99;
const LINES: u64 = 1_000;
/// Users who ask twice.
const TWICE: u64 = 200;
const SOLD_OUT: &str = "sold-out";

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    // More than the cells that there are by default, at the short scale too.
    let users = stage.of(80_000, 400_000);
    let newcomers = stage.of(200, 2_000);
    let shop = stage.open("users", &[("rate.user", "1/60".to_owned())])?;
    shop.put_sku(SOLD_OUT, 0)?;
    let client = Honest {
        every: None,
        requests_min: newcomers,
        requests_max: newcomers,
        ..Honest::of(&shop)
    };
    let alone = client.alone(stage.lasts())?;
    let crowd = move |number: u64| {
        let users = number * LINES..users.min((number + 1) * LINES);
        let lines =
            users.fold(String::new(), |lines, user| line(lines, &format!("crowd-{user}"), 0));
        (!lines.is_empty()).then_some(Round::Batch { token: ATTACKER, lines })
    };
    let told = Storm::begin(shop.server.address, 2, crowd).wait()?;
    let behind = client.alone(stage.lasts())?;
    let twice = |number: u64| {
        let lines = (0..TWICE).fold(String::new(), |lines, user| {
            let user = format!("hasty-{user}");
            line(line(lines, &user, 0), &user, 1)
        });
        (number == 0).then_some(Round::Batch { token: ATTACKER, lines })
    };
    let hasty = Storm::begin(shop.server.address, 1, twice).wait()?;
    let mut found = Found::default();
    found.felt("nothing", &alone);
    found.felt(format!("behind {users} users"), &behind);
    found.tell(format!("the crowd was told {told}; {TWICE} who asked twice {hasty}"));
    let passed = told.all() - told.count("429");
    if told.all() != users {
        return Err(load::unexpected(told.to_string().as_bytes()));
    }
    found.bar(
        passed as f64 >= PART_MIN * users as f64,
        format!("{passed} of {users} first requests of a crowd pass, at least 99 %"),
    );
    found.bar(
        behind.taken as f64 >= PART_MIN * behind.asked as f64 && behind.asked > 0,
        format!("{} of {} newcomers behind it pass, at least 99 %", behind.taken, behind.asked),
    );
    let refused = hasty.count("429");
    found.bar(
        refused as f64 >= PART_MIN * TWICE as f64,
        format!("{refused} of {TWICE} who ask again at once are refused, at least 99 %"),
    );
    Ok(found)
}

/// Adds an order, under a key of its own.
fn line(mut lines: String, user: &str, attempt: u32) -> String {
    writeln!(
        lines,
        "{{\"op\":\"order\",\"key\":\"{user}-{attempt}\",\"user\":\"{user}\",\
         \"lines\":[{{\"sku\":\"{SOLD_OUT}\",\"qty\":1}}]}}"
    )
    .expect("memory takes all text");
    lines
}
