//! Silent connections to a port with TLS: a thousand, and 235 more a second.
//!
//! A server falls for it that gives one of its places for handshakes to each connection: all of
//! them are taken by silent ones, and real clients are closed. Next: `silent`, `silence`.

use super::found::Found;
use super::honest::{self, Honest};
use super::shop::{Shop, until};
use super::silent::{self, Silent};
use super::stage::Stage;
use crate::error::BenchError;
use std::time::Duration;

/// Of the honest, so many may fail.
const LOST_MAX: f64 = 0.01;

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let (count, a_second) = stage.of((100, 50), (1_000, 235));
    silent::room_for(count + a_second * 60)?;
    // At the short scale as many fill all places as at the full one.
    let places = ("tls.handshakes_max", stage.of(100, 1_000).to_string());
    let mut plan = stage.plan("silent-tls", &[places]);
    plan.is_secured = true;
    let shop = Shop::open(plan)?;
    honest::put_goods(&shop)?;
    let client = Honest {
        comes_anew: true,
        every: Some(Duration::from_millis(100)),
        requests_min: 50,
        ..Honest::of(&shop)
    };
    let alone = client.alone(stage.lasts() / 2)?;
    let silent = Silent::gather(shop.server.address, b"", (count, a_second))?;
    let (counted, meanwhile) = client.during(|| {
        std::thread::sleep(stage.lasts());
        // Each is told once its time for a handshake is over, which is some seconds.
        until("silent handshakes are counted", || {
            let counted = shop.not_let_in("handshake_timeout")?;
            Ok((counted >= count).then_some(counted))
        })
    })?;
    let (opened, ended) = silent.leave()?;
    let mut found = Found::default();
    found.felt("nothing", &alone);
    found.felt("silent connections", &meanwhile);
    found.tell(format!("{opened} silent connections, {ended} of them ended by the server"));
    let lost = meanwhile.asked - meanwhile.taken;
    found.bar(
        meanwhile.lost() <= LOST_MAX,
        format!("{lost} of {} honest clients of TLS not served, at most 1 %", meanwhile.asked),
    );
    found.bar(
        counted >= count,
        format!("{counted} silent ones counted as handshake_timeout, all of the first {count}"),
    );
    Ok(found)
}
