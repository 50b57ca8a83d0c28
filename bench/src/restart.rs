//! How long a start takes after a long history: millions of orders, `kill -9`, start again.
//!
//! Owns the history and the clock. What the start does is told by the server itself, on standard
//! error. Next: `batch`, which makes the history.

use crate::arguments::at_least_one;
use crate::batch::{self, Load};
use crate::error::BenchError;
use crate::load::{self, now};
use crate::peers::{data_folder, start};
use crate::server::Server;
use std::path::PathBuf;

/// How long a history.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Orders before the kill
    #[arg(long, default_value_t = 10_000_000, value_parser = at_least_one::<u64>())]
    decisions: u64,
    /// Starts to measure, each after a kill of the one before
    #[arg(long, default_value_t = 3, value_parser = at_least_one::<usize>())]
    starts: usize,
    /// The server's binary [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where its data goes; about 200 bytes an order, and as much again for images [default: a new
    /// folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Lines of one batch.
const LINES: u64 = 1_000;
const CONNECTIONS: u64 = 2;

/// Prints how long the history took, and each start.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = data_folder(options.data.as_deref())?;
    let data = folder.path().join("data");
    // Room for all of them at once; the last tenth of the keys is not for new orders.
    let cap = (options.decisions + options.decisions / 4).to_string();
    let begin = || {
        let mut command = start::command(options.server.as_deref(), "group", &data)?;
        for table in ["ORDERS", "KEYS", "USES", "USERS"] {
            command.env(format!("DOORBUSTER_CAPS_{table}"), &cap);
        }
        Server::start("doorbuster group", &mut command)
    };
    let server = begin()?;
    load::put_sku(server.address, &server.protocol, load::SKU, load::STOCK)?;
    let load = Load { lines: LINES, total: options.decisions, connections: CONNECTIONS };
    let took = batch::send(server.address, load, 0)?;
    println!("{} orders in {:.1} s", options.decisions, took.as_secs_f64());
    // A server that is dropped is killed, not asked to stop.
    drop(server);
    for number in 1..=options.starts {
        let begun = now();
        let server = begin()?;
        let took = begun.elapsed();
        println!(
            "start {number}: {:.2} s from its call to serving, {} MiB resident",
            took.as_secs_f64(),
            server.resident_bytes()? / (1024 * 1024)
        );
    }
    Ok(())
}
