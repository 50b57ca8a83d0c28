//! Holds whose uses an attacker chose to lie together in the writer's index, all due at one moment.
//!
//! A server falls for it whose index spreads pairs of SKU and user by a hash that a client can work
//! out: slots are handed out in order of creation, so a client that brings the users and picks the
//! SKUs picks the pairs, and each removal walks past all that lie there. Each user has two SKUs, as
//! the first use of a user is in no index. The same orders with random SKUs are what counts as
//! usual. Next: `pairs`.

mod pairs;

use super::found::Found;
use super::honest::{Felt, Honest};
use super::shop::{ATTACKER, OPERATOR, Shop, until};
use super::stage::Stage;
use super::storm::{Round, Storm, Told};
use crate::error::{BenchError, io_error};
use crate::load::now;
use jiff::Timestamp;
use pairs::{FIRST_SLOT, Family};
use std::fmt::Write as _;
use std::time::Duration;

/// The contract's: holds are never swept later.
const LATE_MAX: Duration = Duration::from_secs(1);
/// Against the same with random SKUs.
const TIMES_MAX: f64 = 2.0;
/// Lines of a batch.
const LINES: u32 = 1_000;
/// What all orders have beside the SKU that was chosen.
const BASE: &str = "base";
const STOCK: u64 = 10_000_000;

#[derive(Clone, Copy)]
struct Size {
    holds: u32,
    skus: u32,
    /// From the first order on, and then all are due.
    due_ms: u64,
}

/// What came of one family.
struct Run {
    family: Family,
    felt: Felt,
    /// How long it took until all were there.
    placed: Duration,
    late: Duration,
    start: Duration,
    told: Told,
    /// Units of `BASE` that are available, and all of them, after the start.
    given_back: (u64, u64),
    orders: u64,
}

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let size = stage.of(
        Size { holds: 2_400, skus: 200, due_ms: 2_000 },
        Size { holds: 96_000, skus: 8_000, due_ms: 8_000 },
    );
    let mut found = Found::default();
    let mut usual = None;
    for family in Family::ALL {
        let run = attack(stage, family, size)?;
        let name = family.as_str();
        found.felt(format!("{} holds, {name}", size.holds), &run.felt);
        let Run { felt, placed, late, start, .. } = &run;
        found.tell(format!(
            "{name}: made in {:.2} s, all expired {:.2} s after they were due, p99 {:.1} ms and at \
             most {:.0} ms meanwhile, start after kill -9 {:.2} s",
            placed.as_secs_f64(),
            late.as_secs_f64(),
            felt.ms(0.99),
            felt.ms(1.0),
            start.as_secs_f64()
        ));
        judge(stage, &mut found, &run, size, usual.as_ref());
        usual.get_or_insert(run);
    }
    Ok(found)
}

fn judge(stage: &Stage<'_>, found: &mut Found, run: &Run, size: Size, usual: Option<&Run>) {
    let name = run.family.as_str();
    let (available, total) = run.given_back;
    found.bar(
        run.told.count("201") == u64::from(size.holds) && available == total,
        format!(
            "{} of {} holds made and {} units not given back, {name}",
            run.told.count("201"),
            size.holds,
            total - available
        ),
    );
    found.bar(
        run.orders >= u64::from(size.holds) + run.felt.taken,
        format!("{} orders are there after kill -9, {name}", run.orders),
    );
    found.bar_of_service(&format!("while {name} holds end"), &run.felt);
    // Else the first end while others are still made, and nothing is due at one moment.
    let (placed, due) = (run.placed.as_secs_f64(), size.due_ms as f64 / 1e3);
    let what =
        format!("{name} holds made in {placed:.2} s, all before the first is due at {due} s");
    found.time_bar(stage, placed < due, what);
    let late = run.late.as_secs_f64();
    let what = format!("{name} holds expired {late:.2} s after they were due, within 1 s");
    found.time_bar(stage, run.late <= LATE_MAX, what);
    let Some(usual) = usual else { return };
    let times = run.felt.ms(0.99) / usual.felt.ms(0.99).max(1e-6);
    found.time_bar(
        stage,
        times <= TIMES_MAX,
        format!("p99 while {name} holds end {times:.2}x of random ones, at most 2x"),
    );
    let times = run.start.as_secs_f64() / usual.start.as_secs_f64().max(1e-9);
    found.time_bar(
        stage,
        times <= TIMES_MAX,
        format!("start after {name} holds {times:.2}x of that after random ones, at most 2x"),
    );
}

fn attack(stage: &Stage<'_>, family: Family, size: Size) -> Result<Run, BenchError> {
    let Size { holds, skus, due_ms } = size;
    // The goods have the first slot, `BASE` the second, and then come those to choose from.
    let shop = stage.open(&format!("holds-{}", family.as_str()), &[])?;
    shop.put_sku(BASE, STOCK)?;
    let lines: String = (FIRST_SLOT..FIRST_SLOT + skus).fold(String::new(), |mut lines, slot| {
        writeln!(lines, r#"{{"op":"sku","sku":"s{slot}","stock":{STOCK}}}"#).expect("memory");
        lines
    });
    let mut put = Storm::begin(shop.server.address, 1, move |number| {
        (number == 0).then(|| Round::Batch { token: OPERATOR, lines: lines.clone() })
    });
    put.wait()?;
    let chosen = family.choose(holds, skus);
    let begun = now();
    // One connection, so that users have slots in their order; before there are any others.
    let mut placing = Storm::begin(shop.server.address, 1, move |number| {
        let first = u32::try_from(number).ok()?.checked_mul(LINES)?;
        let gone_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let hold_ms = due_ms.saturating_sub(gone_ms).max(1);
        let of_round = (first..holds).take(LINES as usize);
        let lines = of_round.fold(String::new(), |mut lines, user| {
            let sku = chosen[user as usize];
            writeln!(
                lines,
                "{{\"op\":\"order\",\"key\":\"h{user}\",\"user\":\"h{user}\",\
                 \"hold_ms\":{hold_ms},\"lines\":[{{\"sku\":\"{BASE}\",\"qty\":1}},\
                 {{\"sku\":\"s{sku}\",\"qty\":1}}]}}"
            )
            .expect("memory takes all text");
            lines
        });
        (first < holds).then_some(Round::Batch { token: ATTACKER, lines })
    });
    let (told, placed) = (placing.wait()?, begun.elapsed());
    let client = Honest { every: Some(Duration::from_millis(8)), ..Honest::of(&shop) };
    let (late, felt) = client.during(|| {
        let late = until_expired(&shop, &told)?;
        // The same number of orders after it, so that the end of one run is not all of its p99.
        std::thread::sleep(Duration::from_millis(500));
        Ok(late)
    })?;
    let (shop, start) = shop.kill_and_start()?;
    let sku = shop.get(&format!("/v1/skus/{BASE}"))?;
    let units = |name: &str| sku[name].as_u64().unwrap_or(0);
    let orders = shop.get("/v1/status")?["tables"]["orders"]["used"].as_u64().unwrap_or(0);
    let given_back = (units("available"), units("total"));
    Ok(Run { family, felt, placed, late, start, told, given_back, orders })
}

/// Waits until no unit is held; how long after the last deadline that was.
fn until_expired(shop: &Shop, told: &Told) -> Result<Duration, BenchError> {
    until("all holds expire", || {
        let sku = shop.get(&format!("/v1/skus/{BASE}"))?;
        Ok((sku["held"] == 0).then_some(()))
    })?;
    let due: Timestamp = told
        .expires_at
        .parse()
        .map_err(|error: jiff::Error| io_error("read a deadline")(std::io::Error::other(error)))?;
    let late_ms = Timestamp::now().as_millisecond() - due.as_millisecond();
    Ok(Duration::from_millis(u64::try_from(late_ms).unwrap_or(0)))
}
