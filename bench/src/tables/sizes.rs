//! What a row of each table takes in memory: a server of its own for each kind of row, resident
//! memory before and after.
//!
//! Owns which rows a line makes. Pages that a table has not used yet take none. Next: `flood`.

use super::flood::{self, Answered, flood};
use crate::arguments::ServerOptions;
use crate::error::BenchError;
use crate::load;
use crate::peers::{data_folder, start};
use crate::server::Server;
use std::path::Path;

/// How many rows.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rows of each kind
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    #[command(flatten)]
    server: ServerOptions,
}

/// Bytes a row that lines of one kind take, everything they make together.
fn measure(
    options: &Options,
    data: &Path,
    line: impl Fn(u64) -> String + 'static,
) -> Result<u64, BenchError> {
    let mut command = start::command(options.server.binary.as_deref(), "group", data)?;
    let cap = (options.rows + options.rows / 4).to_string();
    for table in ["SKUS", "ORDERS", "KEYS", "USES", "USERS", "ENTRIES", "ANSWERS"] {
        command.env(format!("DOORBUSTER_CAPS_{table}"), &cap);
    }
    command.env("DOORBUSTER_OPEN_HOLDS_PER_USER_MAX", "0");
    command.env("DOORBUSTER_SNAPSHOTS_EVERY_EVENTS", "1000000000");
    let server = Server::start("doorbuster group", &mut command)?;
    // Nobody is limited, so that one user may have as many as many have.
    let sku = format!(r#"{{"stock":{},"direct":true}}"#, load::STOCK);
    let draw =
        r#"{"prizes":[{"sku":"bench","weight":1}],"blank_weight":1000000000,"entries_per_user":0}"#;
    for (path, body) in [("/v1/skus/bench", sku.as_str()), ("/v1/draws/d", draw)] {
        super::ask(
            &server,
            &format!(
                "PUT {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            ),
        )?;
    }
    // Without the journal's mapping, which is no table's.
    let before = server.anonymous_bytes()?;
    let answered = flood(server.address, options.rows, line)?;
    if answered != (Answered { taken: options.rows, ..Answered::default() }) {
        return Err(BenchError::Usage(format!("of {} rows {answered}", options.rows)));
    }
    Ok(server.anonymous_bytes()?.saturating_sub(before) / options.rows)
}

/// Prints the table.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = data_folder(options.server.data.as_deref())?;
    let at = |name: &str| folder.path().join(name);
    let sku = measure(options, &at("skus"), |number| {
        format!(r#"{{"op":"sku","sku":"sku-{number:09}","stock":1}}"#)
    })?;
    let one = measure(options, &at("one"), |number| flood::order(number, "u"))?;
    let many =
        measure(options, &at("many"), |number| flood::order(number, &format!("user-{number:09}")))?;
    let entry = measure(options, &at("entries"), |number| {
        format!(r#"{{"op":"entry","draw":"d","key":"k{number:09}","user":"u"}}"#)
    })?;
    println!("bytes a row, of {} rows", options.rows);
    for (what, bytes) in [
        ("a SKU", sku),
        ("an order with its key, of a user who has others", one),
        ("an order with its key, its user and that user's use", many),
        ("so a user with a use", many.saturating_sub(one)),
        ("a lost entry with its key", entry),
    ] {
        println!("{bytes:>6}  {what}");
    }
    Ok(())
}
