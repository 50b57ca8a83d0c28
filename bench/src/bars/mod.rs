//! Every bar of the design from one command: what is asked, what was measured here and now, and
//! whether it holds.
//!
//! Owns under which conditions each bar is measured. Never measures by itself: that is `engine`,
//! `peers`, `batch`, `images` and `idle`. Next: `table`.

pub(crate) mod bar;
mod part;
mod table;

use crate::arguments::ServerOptions;
use crate::engine::Figures;
use crate::error::{BenchError, io_error};
use crate::load::{self, Expected, Load};
use crate::peers::{self, Peer, Plan, Sample, median, start};
use crate::protocol::Order;
use crate::report::conditions::{machine, today};
use crate::server::Server;
use crate::{batch, engine, idle, images};
use part::Part;
use std::path::Path;
use table::{Found, Row};

/// Where, and how strict.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Exit with 1 unless all bars were measured and hold
    #[arg(long)]
    strict: bool,
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Rounds of the comparisons with other servers; the table shows medians
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    server: ServerOptions,
}

const ROUNDS: u16 = 7;
/// Each takes ten seconds, in a process of its own.
const ENGINE_ROUNDS: u16 = 3;
/// With images and without; each takes seconds.
const IMAGE_ROUNDS: u16 = 3;
const REQUESTS: u64 = 60_000;
/// A SKU without stock.
const SOLD_OUT: &str = "sold-out";

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.server.data.as_deref())?;
    let data = folder.path();
    let conditions = format!("{}, {}", today(), machine());
    println!("{conditions}");
    let (mut rows, mut failed) = (Vec::new(), None);
    let asked = |part: &Part| options.only.is_empty() || options.only.contains(part);
    let parts: Vec<Part> = Part::ALL.into_iter().filter(asked).collect();
    for (number, part) in parts.iter().enumerate() {
        println!("\n{} of {}: {}", number + 1, parts.len(), part.what());
        let bars = part.bars();
        // One that fails does not take away what the others found.
        let found = measure(*part, options, data).unwrap_or_else(|error| {
            println!("not measured: {error}");
            let found = vec![Found::NotMeasured(error.to_string()); bars.len()];
            failed.get_or_insert(error);
            found
        });
        assert_eq!(found.len(), bars.len(), "a part finds something for each of its bars");
        rows.extend(bars.iter().zip(found).map(|(bar, found)| Row { bar, found }));
    }
    println!("\n{conditions}");
    table::print(&rows);
    let missed = rows.iter().filter(|row| row.holds() != Some(true)).count();
    match failed {
        _ if options.strict && missed > 0 => Err(BenchError::BarsMissed { missed }),
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn engine(data: &Path) -> Result<Vec<Found>, BenchError> {
    let rounds: Result<Vec<_>, _> =
        (0..ENGINE_ROUNDS).map(|_| engine::by_itself(&data.join("engine"))).collect();
    let rounds = rounds?;
    let median = |of: fn(&Figures) -> f64| {
        Found::Numbers(vec![(String::new(), median(rounds.iter().map(of)))])
    };
    Ok(vec![
        median(|figures| figures.decided_per_s / 1e6),
        median(|figures| figures.replayed_per_s / 1e6),
        median(|figures| figures.orders_bytes as f64 / 1e6),
    ])
}

/// What is found for each of its bars.
fn measure(part: Part, options: &Options, data: &Path) -> Result<Vec<Found>, BenchError> {
    match part {
        Part::Engine => engine(data),
        Part::Orders => orders(options, data),
        Part::Refusals => Ok(vec![refusals(options, data)?]),
        Part::Batches => Ok(vec![batches(options, data)?]),
        Part::Images => Ok(vec![while_images_are_taken(options, data)?]),
        Part::Idle => Ok(vec![idle(options, data)?]),
    }
}

/// CPU against bare hyper, orders a second against Redis.
fn orders(options: &Options, data: &Path) -> Result<Vec<Found>, BenchError> {
    let binary = options.server.binary.as_deref();
    let mut servers =
        vec![start::bare(None)?, start::doorbuster(binary, "group", &data.join("group"))?];
    servers.extend(peers::redis::start("always", &data.join("redis"))?);
    let mut levels = Vec::new();
    let run = |level| 1 + level * (1 + u64::from(options.rounds));
    peers::print_head();
    for (level, connections) in [(0, 16), (1, 64), (2, 256)] {
        let load = Load::orders(connections, REQUESTS, run(level));
        levels.push((connections, compare(&servers, load, options)?));
    }
    let ratios = |wanted: [u64; 2], of: fn(&[Sample]) -> f64| {
        let wanted = levels.iter().filter(|(connections, _)| wanted.contains(connections));
        Found::Numbers(wanted.map(|(number, samples)| (at(*number), of(samples))).collect())
    };
    let against_redis = match servers.len() {
        3 => ratios([16, 64], |samples| samples[1].rate / samples[2].rate),
        _ => Found::NotMeasured(Peer::Redis.missing().to_string()),
    };
    let cpu = ratios([64, 256], |samples| samples[1].cpu_us / samples[0].cpu_us);
    Ok(vec![cpu, against_redis])
}

/// Against a bare hyper that answers the very bytes that the server gave to one refusal.
fn refusals(options: &Options, data: &Path) -> Result<Found, BenchError> {
    let server =
        start::doorbuster(options.server.binary.as_deref(), "group", &data.join("sold-out"))?;
    load::put_sku(server.address, &server.protocol, SOLD_OUT, 0)?;
    let mut request = Vec::new();
    let order = Order { sku: SOLD_OUT, user: "first", key: "first" };
    server.protocol.order(&mut request, &order);
    let answer = data.join("refusal.http");
    let refusal = load::ask(server.address, &server.protocol, request)?;
    std::fs::write(&answer, refusal).map_err(io_error("keep an answer"))?;
    let servers = [start::bare(Some(&answer))?, server];
    let mut found = Vec::new();
    peers::print_head();
    for (level, connections) in [(0, 64), (1, 256)] {
        let run = 1 + level * (1 + u64::from(options.rounds));
        let orders = Load::orders(connections, REQUESTS, run);
        let load = Load { sku: SOLD_OUT, expected: Expected::Refused, ..orders };
        let samples = compare(&servers, load, options)?;
        found.push((at(connections), samples[1].rate / samples[0].rate));
    }
    Ok(Found::Numbers(found))
}

fn compare(servers: &[Server], load: Load, options: &Options) -> Result<Vec<Sample>, BenchError> {
    let connections = load.connections;
    let medians = peers::compare(servers, &Plan { load, rounds: options.rounds })?;
    peers::print_rows(connections, servers, &medians);
    Ok(medians)
}

fn batches(options: &Options, data: &Path) -> Result<Found, BenchError> {
    let found = batch::measure(&batch::Options {
        lines: 1_000,
        connections: vec![2, 4],
        total: 400_000,
        rounds: 4,
        durability: "group".to_owned(),
        server: options.server.with_data(data.join("batch")),
    })?;
    // How many connections it takes is not said; the best shows what the server can.
    let best = found.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
    let best = best.map(|(connections, rate)| (at(connections), rate / 1e3));
    Ok(Found::Numbers(best.into_iter().collect()))
}

fn while_images_are_taken(options: &Options, data: &Path) -> Result<Found, BenchError> {
    let ratios = images::measure(&images::Options {
        orders: 300_000,
        connections: vec![16, 64],
        requests: REQUESTS,
        rounds: IMAGE_ROUNDS.into(),
        server: options.server.with_data(data.join("images")),
    })?;
    let found = ratios.into_iter().map(|(connections, ratio)| (at(connections), ratio));
    Ok(Found::Numbers(found.collect()))
}

fn idle(options: &Options, data: &Path) -> Result<Found, BenchError> {
    let idle = idle::Options { seconds: 10, server: options.server.binary.clone() };
    let share = idle::measure(&idle, Some(&data.join("idle")))?;
    Ok(Found::Numbers(vec![(String::new(), share * 100.0)]))
}

fn at(connections: u64) -> String {
    format!(" at {connections}")
}
