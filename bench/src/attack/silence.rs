//! As many silent connections as a server takes, and new ones all the time.
//!
//! A server falls for it that keeps the silent until they are idle for long, and closes the
//! newcomer when it is full. The time for a head is a minute here, six times the default: a client
//! that opens as many in ten seconds as there may be has the same, and this machine may be too slow
//! for that. Next: `silent`, `silent_tls`.

use super::found::Found;
use super::honest::Honest;
use super::silent::{self, Silent};
use super::stage::Stage;
use crate::error::BenchError;
use std::time::Duration;

/// As many as `http.connections_max`.
const CONNECTIONS: u64 = 20_000;
const HEAD_MS: u64 = 60_000;
/// A server that is full ends one for each that comes; those under way need files too.
const UNDER_WAY: u64 = 1_000;

pub(super) fn run(stage: &Stage<'_>) -> Result<Found, BenchError> {
    let (wanted, a_second) = stage.of((200, 100), (CONNECTIONS, 300));
    let count = silent::room_for(wanted + UNDER_WAY)?.saturating_sub(UNDER_WAY);
    let settings = [
        ("http.connections_max", count.to_string()),
        ("http.header_timeout_ms", HEAD_MS.to_string()),
    ];
    let shop = stage.open("silence", &settings)?;
    let client =
        Honest { comes_anew: true, every: Some(Duration::from_millis(50)), ..Honest::of(&shop) };
    let alone = client.alone(stage.lasts() / 2)?;
    let silent = Silent::gather(shop.server.address, b"", (count, a_second))?;
    let (open, meanwhile) = client.during(|| {
        std::thread::sleep(stage.lasts());
        shop.metric("doorbuster_connections ")
    })?;
    let (opened, ended) = silent.leave()?;
    let replaced = shop.not_let_in("idle_replaced")?;
    let mut found = Found::default();
    found.felt("nothing", &alone);
    found.felt(format!("{count} silent, {a_second} more a second"), &meanwhile);
    if count < wanted {
        found.tell(format!(
            "the limit of open files leaves {count} of {wanted} connections, here and as \
             http.connections_max"
        ));
    }
    found.tell(format!("{opened} silent connections, {ended} ended by the server; {open} open"));
    found.bar_of_service("each on a connection of its own", &meanwhile);
    found.bar(
        replaced > 0,
        format!("{replaced} silent ones counted as idle_replaced: the server was full"),
    );
    Ok(found)
}
