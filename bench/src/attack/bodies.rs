//! Bodies that no one will read: heads without a token, 64,900 of 65,000 bytes, and then nothing.
//!
//! A server falls for it that collects the body of a request which its head has refused already,
//! once for each connection, and keeps the pages when all have left. Next: `silent`.

use super::found::Found;
use super::honest::Honest;
use super::shop::{Shop, until};
use super::silent::{self, Silent};
use super::stage::Stage;
use crate::error::BenchError;
use crate::load::now;
use std::time::Duration;

const CONNECTIONS: u64 = 15_000;
const LENGTH: usize = 65_000;
const SENT: usize = 64_900;
/// More than before, with so many connections as above.
const GROWTH_BYTES_MAX: u64 = 100 << 20;
/// Of that, what does not depend on how many there are.
const FIXED_BYTES: u64 = 16 << 20;
/// More than before, when the crowd has left.
const LEFT_BYTES_MAX: u64 = 10 << 20;
/// Small tables: rows of honest orders would touch pages of large ones, and count as the crowd's.
const CAP: u64 = 20_000;
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// And how often at most until it is as before.
const LOOKS: u32 = 250;

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let wanted = stage.of(2_000, CONNECTIONS);
    let count = silent::room_for(wanted)?;
    let caps = ["caps.orders", "caps.keys", "caps.uses", "caps.users"];
    let shop = stage.open("bodies", &caps.map(|name| (name, CAP.to_string())))?;
    let client = Honest { requests_max: CAP / 4, ..Honest::of(&shop) };
    let alone = client.alone(stage.lasts() / 2)?;
    let before = shop.server.anonymous_bytes()?;
    let ((most, after, ended), meanwhile) = client.during(|| {
        let crowd = Silent::gather(shop.server.address, &request(), (count, 0))?;
        let mut most = shop.server.anonymous_bytes()?;
        let begun = now();
        while begun.elapsed() < stage.lasts() {
            std::thread::sleep(LOOK_EVERY);
            most = most.max(shop.server.anonymous_bytes()?);
        }
        let (_, ended) = crowd.leave()?;
        let after = left(&shop, before)?;
        Ok((most, after, ended))
    })?;
    let mut found = Found::default();
    found.felt("nothing", &alone);
    found.felt(format!("{count} refused bodies"), &meanwhile);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    if count < wanted {
        found.tell(format!("the limit of open files leaves {count} of {wanted} connections"));
    }
    found.tell(format!(
        "RssAnon {:.1} MiB before, {:.1} at most, {:.1} when all had left; {ended} ended before",
        mib(before),
        mib(most),
        mib(after)
    ));
    let grown = most.saturating_sub(before);
    let most_allowed = GROWTH_BYTES_MAX.min(GROWTH_BYTES_MAX * count / CONNECTIONS + FIXED_BYTES);
    found.bar(
        grown <= most_allowed,
        format!(
            "{:.1} MiB more with {count} refused bodies ({} bytes each), at most {:.0}",
            mib(grown),
            grown / count.max(1),
            mib(most_allowed)
        ),
    );
    let kept = after.saturating_sub(before);
    found.bar(
        kept <= LEFT_BYTES_MAX,
        format!("{:.1} MiB more when all had left, at most {:.0}", mib(kept), mib(LEFT_BYTES_MAX)),
    );
    found.bar_of_service("beside the bodies", &meanwhile);
    Ok(found)
}

/// Refused by its head, with a body that does not end.
fn request() -> Vec<u8> {
    let head = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         idempotency-key: none\r\ncontent-length: {LENGTH}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + SENT, b' ');
    bytes
}

/// What is in use once only the few others are connected.
fn left(shop: &Shop, before: u64) -> Result<u64, BenchError> {
    until("the crowd has left", || {
        Ok((shop.metric("doorbuster_connections ")? < 16.0).then_some(()))
    })?;
    // Their last memory goes with the events of their ends.
    let mut least = shop.server.anonymous_bytes()?;
    for _ in 0..LOOKS {
        if least <= before {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
        least = least.min(shop.server.anonymous_bytes()?);
    }
    Ok(least)
}
