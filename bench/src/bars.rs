//! Every bar of the design from one command: what is asked, what was measured here and now, and
//! whether it holds.
//!
//! Owns the bars and their table; what measures each of them is elsewhere: `engine`, `peers`,
//! `batch`, `images`, `idle`.

use crate::dialect::Order;
use crate::error::{BenchError, io_error};
use crate::load::{self, Expected, Load};
use crate::peers::{self, Peer, Plan, Sample, start};
use crate::report::conditions::{machine, today};
use crate::server::Server;
use crate::{batch, engine, idle, images};
use std::path::{Path, PathBuf};

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
    /// The server's binary [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where their data goes; on the disk that is to be measured [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Engine,
    Orders,
    Refusals,
    Batches,
    Images,
    Idle,
}

impl Part {
    const ALL: [Self; 6] =
        [Self::Engine, Self::Orders, Self::Refusals, Self::Batches, Self::Images, Self::Idle];

    /// What it measures.
    const fn what(self) -> &'static str {
        match self {
            // First, in a process that has used no memory yet.
            Self::Engine => "the engine by itself",
            Self::Orders => "durable orders",
            Self::Refusals => "refusals of a sold-out SKU",
            Self::Batches => "batches",
            Self::Images => "images",
            Self::Idle => "an idle server",
        }
    }

    fn measure(self, options: &Options, data: &Path) -> Result<Vec<Row>, BenchError> {
        match self {
            Self::Engine => engine(data),
            Self::Orders => orders(options, data),
            Self::Refusals => Ok(vec![refusals(options, data)?]),
            Self::Batches => Ok(vec![batches(options, data)?]),
            Self::Images => Ok(vec![while_images_are_taken(options, data)?]),
            Self::Idle => Ok(vec![idle(options, data)?]),
        }
    }
}

/// What a number must be.
#[derive(Debug, Clone, Copy)]
enum Bar {
    Below(f64),
    AtMost(f64),
    AtLeast(f64),
}

/// One row of the design's table.
struct Row {
    what: &'static str,
    bar: Bar,
    /// What is aimed at beyond the bar.
    stretch: Option<f64>,
    unit: &'static str,
    found: Found,
}

/// What was found, under each condition; all must hold.
enum Found {
    Numbers(Vec<(String, f64)>),
    NotMeasured(String),
}

const ROUNDS: u16 = 7;
/// With images and without; each takes seconds.
const IMAGE_ROUNDS: u16 = 3;
const REQUESTS: u64 = 60_000;
/// A SKU without stock.
const SOLD_OUT: &str = "sold-out";

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = peers::data_folder(options.data.as_deref())?;
    let data = folder.path();
    let conditions = format!("{}, {}", today(), machine());
    println!("{conditions}");
    let mut rows = Vec::new();
    let asked = |part: &Part| options.only.is_empty() || options.only.contains(part);
    let parts: Vec<Part> = Part::ALL.into_iter().filter(asked).collect();
    for (number, part) in parts.iter().enumerate() {
        println!("\n{} of {}: {}", number + 1, parts.len(), part.what());
        rows.extend(part.measure(options, data)?);
    }
    println!("\n{conditions}");
    print_table(&rows);
    let missed = rows.iter().filter(|row| row.holds() != Some(true)).count();
    if options.strict && missed > 0 { Err(BenchError::BarsMissed { missed }) } else { Ok(()) }
}

fn engine(data: &Path) -> Result<Vec<Row>, BenchError> {
    let options = engine::Options {
        orders: 1_000_000,
        turn: 64,
        replays: 1,
        data: Some(data.join("engine")),
    };
    let figures = engine::measure(&options)?;
    let number = |value| Found::Numbers(vec![(String::new(), value)]);
    Ok(vec![
        Row {
            what: "decide, apply, encode, append, one core, 1 M live orders",
            bar: Bar::AtLeast(2.0),
            stretch: Some(4.0),
            unit: " M/s",
            found: number(figures.decided_per_s / 1e6),
        },
        Row {
            what: "replay",
            bar: Bar::AtLeast(3.0),
            stretch: Some(6.0),
            unit: " M/s",
            found: number(figures.replayed_per_s / 1e6),
        },
        Row {
            what: "memory of 1 M live orders",
            bar: Bar::AtMost(300.0),
            stretch: Some(150.0),
            unit: " MB",
            found: number(figures.orders_bytes as f64 / 1e6),
        },
    ])
}

/// CPU against bare hyper, orders a second against Redis.
fn orders(options: &Options, data: &Path) -> Result<Vec<Row>, BenchError> {
    let binary = options.server.as_deref();
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
    Ok(vec![
        Row {
            what: "server CPU of a durable order, against bare hyper",
            bar: Bar::AtMost(2.0),
            stretch: Some(1.6),
            unit: "x",
            found: ratios([64, 256], |samples| samples[1].cpu_us / samples[0].cpu_us),
        },
        Row {
            what: "durable orders/s, against Redis with appendfsync always",
            bar: Bar::AtLeast(1.5),
            stretch: Some(2.5),
            unit: "x",
            found: against_redis,
        },
    ])
}

/// Against a bare hyper that answers the very bytes that the server gave to one refusal.
fn refusals(options: &Options, data: &Path) -> Result<Row, BenchError> {
    let server = start::doorbuster(options.server.as_deref(), "group", &data.join("sold-out"))?;
    load::put_sku(server.address, &server.dialect, SOLD_OUT, 0)?;
    let mut request = Vec::new();
    let order = Order { sku: SOLD_OUT, user: "first", key: "first" };
    server.dialect.order(&mut request, &order);
    let answer = data.join("refusal.http");
    let refusal = load::ask(server.address, &server.dialect, request)?;
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
    Ok(Row {
        what: "refusals/s of a sold-out SKU, against bare hyper",
        bar: Bar::AtLeast(0.8),
        stretch: Some(0.9),
        unit: "x",
        found: Found::Numbers(found),
    })
}

fn compare(servers: &[Server], load: Load, options: &Options) -> Result<Vec<Sample>, BenchError> {
    let connections = load.connections;
    let medians = peers::compare(servers, &Plan { load, rounds: options.rounds })?;
    peers::print_rows(connections, servers, &medians);
    Ok(medians)
}

fn batches(options: &Options, data: &Path) -> Result<Row, BenchError> {
    let found = batch::measure(&batch::Options {
        lines: 1_000,
        connections: vec![2, 4],
        total: 400_000,
        rounds: 4,
        durability: "group".to_owned(),
        server: options.server.clone(),
        data: Some(data.join("batch")),
    })?;
    // How many connections it takes is not said; the best shows what the server can.
    let best = found.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
    let best = best.map(|(connections, rate)| (at(connections), rate / 1e3));
    Ok(Row {
        what: "durable decisions/s over HTTP in batches of 1,000 lines",
        bar: Bar::AtLeast(400.0),
        stretch: Some(1_000.0),
        unit: " k/s",
        found: Found::Numbers(best.into_iter().collect()),
    })
}

fn while_images_are_taken(options: &Options, data: &Path) -> Result<Row, BenchError> {
    let ratios = images::measure(&images::Options {
        orders: 300_000,
        connections: vec![16, 64],
        requests: REQUESTS,
        rounds: IMAGE_ROUNDS.into(),
        server: options.server.clone(),
        data: Some(data.join("images")),
    })?;
    let found = ratios.into_iter().map(|(connections, ratio)| (at(connections), ratio));
    Ok(Row {
        what: "p99.9 while images are taken, against without",
        bar: Bar::AtMost(1.5),
        stretch: Some(1.1),
        unit: "x",
        found: Found::Numbers(found.collect()),
    })
}

fn idle(options: &Options, data: &Path) -> Result<Row, BenchError> {
    let idle = idle::Options { seconds: 10, server: options.server.clone() };
    let share = idle::measure(&idle, Some(&data.join("idle")))?;
    Ok(Row {
        what: "CPU of an idle server, of a core",
        bar: Bar::Below(0.5),
        stretch: None,
        unit: " %",
        found: Found::Numbers(vec![(String::new(), share * 100.0)]),
    })
}

fn at(connections: u64) -> String {
    format!(" at {connections}")
}

impl Row {
    /// None where nothing was measured.
    fn holds(&self) -> Option<bool> {
        let Found::Numbers(numbers) = &self.found else { return None };
        let within = |value: f64| match self.bar {
            Bar::Below(limit) => value < limit,
            Bar::AtMost(most) => value <= most,
            Bar::AtLeast(least) => value >= least,
        };
        (!numbers.is_empty()).then(|| numbers.iter().all(|(_, value)| within(*value)))
    }

    fn verdict(&self) -> &'static str {
        match self.holds() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        }
    }

    fn asked(&self) -> String {
        let (sign, bar) = match self.bar {
            Bar::Below(bar) => ("<", bar),
            Bar::AtMost(bar) => ("<=", bar),
            Bar::AtLeast(bar) => (">=", bar),
        };
        format!("{sign} {bar}{}", self.unit)
    }

    fn measured(&self) -> String {
        match &self.found {
            Found::NotMeasured(why) => format!("not measured: {why}"),
            Found::Numbers(numbers) => {
                let shown = numbers.iter().map(|(condition, value)| {
                    let digits = if value.abs() < 10.0 { 2 } else { 0 };
                    format!("{value:.digits$}{}{condition}", self.unit)
                });
                shown.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

fn print_table(rows: &[Row]) {
    println!("{:<58} {:>10} {:>8} {:>6}  measured", "what", "bar", "stretch", "holds");
    for row in rows {
        let stretch = row.stretch.map_or_else(String::new, |stretch| stretch.to_string());
        let (asked, measured) = (row.asked(), row.measured());
        println!("{:<58} {asked:>10} {stretch:>8} {:>6}  {measured}", row.what, row.verdict());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bar: Bar, values: &[f64]) -> Row {
        let numbers = values.iter().map(|value| (at(16), *value)).collect();
        Row { what: "", bar, stretch: None, unit: "x", found: Found::Numbers(numbers) }
    }

    #[test]
    fn a_bar_holds_only_if_it_holds_under_every_condition() {
        assert_eq!(row(Bar::AtMost(2.0), &[1.9, 2.0]).holds(), Some(true));
        assert_eq!(row(Bar::AtMost(2.0), &[1.9, 2.01]).holds(), Some(false));
        assert_eq!(row(Bar::AtLeast(1.5), &[1.5, 1.6]).holds(), Some(true));
        assert_eq!(row(Bar::Below(0.5), &[0.5]).holds(), Some(false));
        assert_eq!(row(Bar::AtLeast(1.5), &[1.49, 1.6]).holds(), Some(false));
    }

    #[test]
    fn what_was_not_measured_or_is_no_number_does_not_hold() {
        assert_eq!(row(Bar::AtMost(2.0), &[]).holds(), None);
        assert_eq!(row(Bar::AtMost(2.0), &[f64::NAN]).holds(), Some(false));
        let missing = Found::NotMeasured("redis is not here".to_owned());
        assert_eq!(Row { found: missing, ..row(Bar::AtMost(2.0), &[]) }.holds(), None);
    }
}
