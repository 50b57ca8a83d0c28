//! Servers side by side: the same client, connections and requests, one after the other, several
//! rounds in turn so that a machine that slows down slows all of them.
//!
//! Owns what is compared and the table of medians. Each server is first checked to do the job at
//! all. Next: `start`, `redis`, `postgres` (how each is started), `check`; `load`, `server`.

mod check;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod start;

use crate::arguments::ServerOptions;
use crate::error::{BenchError, io_error};
use crate::load::{self, Load};
use crate::memory;
use crate::report::conditions::{machine, today};
use crate::server::Server;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// What to compare, and how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Connections, each with one request under way
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256",
        value_parser = clap::value_parser!(u64).range(1..=1_000))]
    connections: Vec<u64>,
    /// Requests a round; a single connection sends a tenth
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(10..))]
    requests: u64,
    /// A round that takes longer ends before all its requests, in milliseconds
    #[arg(long, default_value_t = 2_000)]
    round_ms_max: u64,
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Durability modes of Doorbuster to compare
    #[arg(long, value_delimiter = ',', default_value = "group,interval:5,os")]
    durability: Vec<String>,
    /// What else to compare, where it is installed; without a value nothing
    #[arg(long, value_enum, value_delimiter = ',', num_args = 0.., default_value = "redis,postgres")]
    peers: Vec<Peer>,
    /// Fail where one of these is not installed
    #[arg(long, value_enum, value_delimiter = ',')]
    require: Vec<Peer>,
    /// Beside each mode the same without timing of requests, to see what that costs
    #[arg(long)]
    untimed: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// What else sells stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// Redis with a script, `appendfsync` once `always` and once `everysec`
    Redis,
    /// PostgreSQL with a conditional row update and a unique key in one transaction
    Postgres,
}

impl Peer {
    /// It is not installed.
    pub(crate) fn missing(self) -> BenchError {
        let (server, package) = match self {
            Self::Redis => ("redis", "redis-server"),
            Self::Postgres => ("postgresql", "postgresql"),
        };
        BenchError::NotInstalled { server, package }
    }

    fn start(self, folder: &Path) -> Result<Vec<Server>, BenchError> {
        let found = match self {
            Self::Redis => ["always", "everysec"]
                .iter()
                .map(|fsync| redis::start(fsync, &folder.join(format!("redis-{fsync}"))))
                .collect::<Result<Option<Vec<Server>>, _>>()?,
            Self::Postgres => postgres::start(&folder.join("postgres"))?.map(|server| vec![server]),
        };
        found.ok_or_else(|| self.missing())
    }
}

/// How much of what is sent to each.
pub(crate) struct Plan {
    pub(crate) load: Load,
    pub(crate) rounds: u16,
}

/// One row of one round, or the medians of some.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) cpu_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = data_folder(options.server.data.as_deref())?;
    println!("{}, {}", today(), machine());
    let servers = start_all(options, folder.path())?;
    for server in &servers {
        println!("{}: {}", server.name, server.about);
    }
    // Bare hyper remembers nothing: there is nothing to check.
    for server in &servers[1..] {
        println!("{}: {}", server.name, check::check(server)?);
    }
    println!(
        "orders over keep-alive connections on loopback, one request under way on each, all from \
         one client thread; {} rounds in turn, medians; CPU of all of a server's processes",
        options.rounds
    );
    print_head();
    for (level, &connections) in options.connections.iter().enumerate() {
        let requests = if connections == 1 { options.requests / 10 } else { options.requests };
        let lasts_max = Duration::from_millis(options.round_ms_max);
        // The check's crowd was run 0.
        let run = 1 + level as u64 * (1 + u64::from(options.rounds));
        let load = Load { lasts_max, ..Load::orders(connections, requests, run) };
        let medians = compare(&servers, &Plan { load, rounds: options.rounds })?;
        print_rows(connections, &servers, &medians);
    }
    Ok(())
}

/// A new folder that is gone at the end, in the one that was named or in this one.
pub(crate) fn data_folder(named: Option<&Path>) -> Result<TempDir, BenchError> {
    let parent = named.unwrap_or(Path::new("."));
    let made = std::fs::create_dir_all(parent)
        .and_then(|()| parent.canonicalize())
        .and_then(tempfile::tempdir_in);
    made.map_err(io_error("make a folder for the data"))
}

/// Bare hyper first.
fn start_all(options: &Options, folder: &Path) -> Result<Vec<Server>, BenchError> {
    let mut servers = vec![start::bare(None)?];
    for peer in [Peer::Redis, Peer::Postgres] {
        let required = options.require.contains(&peer);
        if !required && !options.peers.contains(&peer) {
            continue;
        }
        match peer.start(folder) {
            Ok(started) => servers.extend(started),
            Err(missing @ BenchError::NotInstalled { .. }) if !required => {
                println!("{missing}; going on without it");
            }
            Err(error) => return Err(error),
        }
    }
    let binary = options.server.binary.as_deref();
    for mode in &options.durability {
        let data = folder.join(mode.replace(':', "-"));
        servers.push(start::doorbuster(binary, mode, &data)?);
        if options.untimed {
            servers.push(start::untimed(binary, mode, &data.with_extension("untimed"))?);
        }
    }
    Ok(servers)
}

/// The medians of each server. The load's run is that of the first round; each round has the next.
pub(crate) fn compare(servers: &[Server], plan: &Plan) -> Result<Vec<Sample>, BenchError> {
    let mut samples = vec![Vec::new(); servers.len()];
    // The first round warms up: caches, page tables, frequency.
    for round in 0..=plan.rounds {
        memory::have();
        for (server, samples) in servers.iter().zip(&mut samples) {
            let connections = plan.load.connections;
            let (name, rounds) = (&server.name, plan.rounds);
            progress(&format!("{connections} connections, round {round} of {rounds}: {name}"));
            let load = Load { run: plan.load.run + u64::from(round), ..plan.load.clone() };
            let sample = measure(server, &load)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    progress("");
    Ok(samples.iter().map(|samples| medians(samples)).collect())
}

/// Says on a terminal what is going on, over what was said before. Nothing where nobody looks.
pub(crate) fn progress(what: &str) {
    let mut terminal = std::io::stderr().lock();
    if terminal.is_terminal() {
        // Progress that does not show is no reason to stop.
        let _ = write!(terminal, "\r\x1b[K{what}");
        let _ = terminal.flush();
    }
}

fn measure(server: &Server, load: &Load) -> Result<Sample, BenchError> {
    let counter = || server.cpu_ns();
    let (measured, spent) = load::measure(server.address, &server.protocol, load, counter)?;
    let us = |ns: u64| ns as f64 / 1000.0;
    let at = |quantile| us(measured.latency_ns.value_at_quantile(quantile));
    Ok(Sample {
        rate: measured.requests as f64 / measured.took.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
        cpu_us: us(spent) / measured.requests as f64,
    })
}

fn medians(samples: &[Sample]) -> Sample {
    let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value));
    Sample {
        rate: of(|sample| sample.rate),
        p50_us: of(|sample| sample.p50_us),
        p99_us: of(|sample| sample.p99_us),
        p999_us: of(|sample| sample.p999_us),
        cpu_us: of(|sample| sample.cpu_us),
    }
}

/// The one in the middle; the higher of two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn print_head() {
    println!(
        "{:>5}  {:<24} {:>9} {:>9} {:>9} {:>9} {:>12} {:>7}",
        "conns", "server", "req/s", "p50 us", "p99 us", "p99.9 us", "CPU us/req", "ratio"
    );
}

/// The ratio is that of the CPU to the first server's.
pub(crate) fn print_rows(connections: u64, servers: &[Server], medians: &[Sample]) {
    for (server, sample) in servers.iter().zip(medians) {
        println!(
            "{connections:>5}  {:<24} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>12.2} {:>6.2}x",
            server.name,
            sample.rate,
            sample.p50_us,
            sample.p99_us,
            sample.p999_us,
            sample.cpu_us,
            sample.cpu_us / medians[0].cpu_us
        );
    }
}
