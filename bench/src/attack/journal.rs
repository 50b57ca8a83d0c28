//! Extensions and refusals without end, for what they write to the disk.
//!
//! A server falls for it that journals each extension by a millisecond, and each refusal with all
//! its SKUs: a principal that fills no table and uses no stock then writes tens of gigabytes an
//! hour. The journal grows by whole segments, so all is to within two of them. Next: `storm`.

use super::found::Found;
use super::honest::{Felt, Honest};
use super::shop::{ATTACKER, OPERATOR, Shop};
use super::stage::Stage;
use super::storm::{Round, Storm, Told};
use crate::error::BenchError;
use crate::load;
use std::fmt::Write as _;
use std::time::Duration;

/// The one that is written and the one that is prepared.
const SEGMENTS: u64 = 2;
/// Held orders that are extended in turn.
const HELD: u64 = 1_000;
/// A hundredth of it is longer than this attack lasts.
const HOLD_MS: u64 = 1_500_000;
/// An extension that is worth keeping is at most one in so many here.
const EXTENSION_BYTES_MAX: u64 = 5;
/// Lines of an order that is refused.
const LINES: u64 = 16;
/// What the tally of one SKU may take, a second.
const TALLY_BYTES_MAX: u64 = 64;
/// An honest order of one line.
const ORDER_BYTES_MAX: u64 = 400;

/// What one storm wrote.
struct Written {
    felt: Felt,
    told: Told,
    /// Beyond what the honest orders take.
    bytes: u64,
    took: Duration,
}

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let mut found = Found::default();
    // Small ones tell more exactly, and one must be prepared before the one before is full.
    let segment_bytes = stage.of(256 << 10, 4 << 20);
    let settings = [("journal.segment_bytes", segment_bytes.to_string())];
    let shop = stage.open("journal", &settings)?;
    let client = Honest::of(&shop);
    found.felt("nothing", &client.alone(stage.lasts() / 2)?);
    let slack_bytes = SEGMENTS * segment_bytes;

    let extensions = extend(stage, &shop, &client)?;
    tell(&mut found, "extensions", &extensions);
    let done = extensions.told.count("200");
    let most = done * EXTENSION_BYTES_MAX + slack_bytes;
    found.bar(
        done > 0 && extensions.bytes <= most,
        format!(
            "{} KiB for {done} extensions by far less than a hundredth, at most {}",
            extensions.bytes >> 10,
            most >> 10
        ),
    );
    found.bar_of_service("beside extensions", &extensions.felt);

    let skus = stage.of(1_024, 4_096);
    let refusals = refuse(stage, &shop, &client, skus)?;
    tell(&mut found, "refusals", &refusals);
    let done = refusals.told.count("409 sold_out");
    let seconds = refusals.took.as_secs() + 2;
    let most = seconds * skus * TALLY_BYTES_MAX + slack_bytes;
    found.bar(
        done > 0 && refusals.bytes <= most,
        format!(
            "{} KiB for {done} refusals of {LINES} SKUs each, at most {}: a tally of {skus} SKUs a \
             second",
            refusals.bytes >> 10,
            most >> 10
        ),
    );
    found.bar_of_service("beside refusals", &refusals.felt);
    Ok(found)
}

fn tell(found: &mut Found, what: &str, written: &Written) {
    let Written { felt, told, bytes, took } = written;
    found.felt(what, felt);
    let bytes = *bytes as f64;
    let a_second = bytes / took.as_secs_f64().max(1e-9);
    found.tell(format!(
        "{what}: {told}; journal {:.3} MB/s ({:.1} GB an hour), {:.1} bytes each",
        a_second / 1e6,
        a_second * 3_600.0 / 1e9,
        bytes / told.all().max(1) as f64
    ));
}

/// What a storm makes the journal grow by, while the honest go on.
fn written(
    shop: &Shop,
    client: &Honest,
    lasts: Duration,
    make: impl Fn(u64) -> Round + Send + Sync + 'static,
) -> Result<Written, BenchError> {
    let before = shop.journal_bytes()?;
    let storm = Storm::begin(shop.server.address, 1, move |number| Some(make(number)));
    let begun = load::now();
    let ((), felt) = client.during(|| {
        std::thread::sleep(lasts);
        Ok(())
    })?;
    let (told, took) = (storm.stop()?, begun.elapsed());
    let grown = shop.journal_bytes()?.saturating_sub(before);
    let bytes = grown.saturating_sub(felt.taken * ORDER_BYTES_MAX);
    Ok(Written { felt, told, bytes, took })
}

/// Holds are extended in turn, by the milliseconds that have passed.
fn extend(stage: &Stage<'_>, shop: &Shop, client: &Honest) -> Result<Written, BenchError> {
    shop.put_sku("held", HELD)?;
    let mut ids = Vec::new();
    for number in 0..HELD {
        let body = format!(
            r#"{{"user":"holder-{number}","lines":[{{"sku":"held","qty":1}}],"hold_ms":{HOLD_MS}}}"#
        );
        let key = format!("idempotency-key: held-{number}\r\n");
        let ask = super::shop::request(Some(ATTACKER), "POST /v1/orders", &key, &body);
        let (_, order) = shop.ask_json(&ask)?;
        let id = order["id"].as_str().map(str::to_owned);
        ids.push(id.ok_or_else(|| load::unexpected(order.to_string().as_bytes()))?);
    }
    let lines = ids.iter().fold(String::new(), |mut lines, id| {
        writeln!(lines, r#"{{"op":"extend","id":"{id}","hold_ms":{HOLD_MS}}}"#).expect("memory");
        lines
    });
    // No key: nothing is remembered, and no table grows.
    written(shop, client, stage.lasts() * 2, move |_| Round::Batch {
        token: ATTACKER,
        lines: lines.clone(),
    })
}

/// Orders of many sold-out SKUs, other ones each time.
fn refuse(
    stage: &Stage<'_>,
    shop: &Shop,
    client: &Honest,
    skus: u64,
) -> Result<Written, BenchError> {
    let lines = (0..skus).fold(String::new(), |mut lines, sku| {
        writeln!(lines, r#"{{"op":"sku","sku":"none-{sku}","stock":0}}"#).expect("memory");
        lines
    });
    let mut put = Storm::begin(shop.server.address, 1, move |number| {
        (number == 0).then(|| Round::Batch { token: OPERATOR, lines: lines.clone() })
    });
    put.wait()?;
    written(shop, client, stage.lasts() * 2, move |round| {
        let lines = (0..100_u64).fold(String::new(), |mut lines, number| {
            let serial = round * 100 + number;
            // Odd steps meet all of a power of two, and sixteen in a row are sixteen different
            // ones.
            let sku = |line: u64| (serial * LINES + line).wrapping_mul(2_654_435_761) % skus;
            let skus = (0..LINES).map(|line| format!(r#"{{"sku":"none-{}","qty":1}}"#, sku(line)));
            let skus = skus.collect::<Vec<_>>().join(",");
            writeln!(
                lines,
                r#"{{"op":"order","key":"n{serial}","user":"n{serial}","lines":[{skus}]}}"#
            )
            .expect("memory takes all text");
            lines
        });
        Round::Batch { token: ATTACKER, lines }
    })
}
