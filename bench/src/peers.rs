//! Servers side by side: the same client, connections and requests, one after the other, several
//! rounds in turn so that a machine that slows down slows all of them.
//!
//! Prints a table of medians with the ratio to bare hyper. Next: `load`, `server`.

use crate::error::{BenchError, io_error};
use crate::load;
use crate::server::Server;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to compare, and how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Connections, each with one request under way
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<u64>,
    /// Requests a round; a single connection sends a tenth
    #[arg(long, default_value_t = 60_000)]
    requests: u64,
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Durability modes of Doorbuster to compare
    #[arg(long, value_delimiter = ',', default_value = "group")]
    durability: Vec<String>,
    /// Beside each mode the same without timing of requests, to see what that costs
    #[arg(long)]
    untimed: bool,
    /// The server's binary [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where its data goes; on the disk that is to be measured [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// One row of one round.
#[derive(Clone, Copy)]
struct Sample {
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let folder = match &options.data {
        Some(data) => std::fs::create_dir_all(data).and_then(|()| tempfile::tempdir_in(data)),
        None => tempfile::tempdir_in("."),
    };
    let folder = folder.map_err(io_error("make a folder for the data"))?;
    let mut servers = vec![start_bare()?];
    for mode in &options.durability {
        let data = folder.path().join(mode.replace(':', "-"));
        servers.push(start_doorbuster(options.server.as_deref(), mode, &data)?);
        if options.untimed {
            let data = data.with_extension("untimed");
            servers.push(start_untimed(options.server.as_deref(), mode, &data)?);
        }
    }
    println!(
        "orders over keep-alive connections, one request under way on each; {} rounds, medians",
        options.rounds
    );
    println!(
        "{:>5}  {:<24} {:>9} {:>9} {:>9} {:>12} {:>7}",
        "conns", "server", "req/s", "p50 us", "p99 us", "CPU us/req", "ratio"
    );
    let mut run = 0;
    for &connections in &options.connections {
        let requests = if connections == 1 { options.requests / 10 } else { options.requests };
        let mut samples = vec![Vec::new(); servers.len()];
        // The first round warms up: caches, page tables, frequency.
        for round in 0..=options.rounds {
            for (server, samples) in servers.iter().zip(&mut samples) {
                run += 1;
                let sample = measure(server, connections, requests, run)?;
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        print_rows(connections, &servers, &samples);
    }
    Ok(())
}

fn start_bare() -> Result<Server, BenchError> {
    let own = std::env::current_exe().map_err(io_error("find this program"))?;
    Server::start("bare hyper", Command::new(own).arg("bare"))
}

/// Starts the server on a data directory and creates what is ordered.
pub(crate) fn start_doorbuster(
    binary: Option<&Path>,
    mode: &str,
    data: &Path,
) -> Result<Server, BenchError> {
    start(&format!("doorbuster {mode}"), &mut doorbuster(binary, mode, data)?)
}

fn start_untimed(binary: Option<&Path>, mode: &str, data: &Path) -> Result<Server, BenchError> {
    let mut command = doorbuster(binary, mode, data)?;
    command.env("DOORBUSTER_LATENCY_TIMED", "false");
    start(&format!("doorbuster {mode} untimed"), &mut command)
}

fn doorbuster(binary: Option<&Path>, mode: &str, data: &Path) -> Result<Command, BenchError> {
    let own = std::env::current_exe().map_err(io_error("find this program"))?;
    let binary = binary.map_or_else(|| own.with_file_name("doorbuster"), Path::to_path_buf);
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0", "--durability", mode, "--data"]).arg(data);
    Ok(command)
}

fn start(name: &str, command: &mut Command) -> Result<Server, BenchError> {
    let server = Server::start(name, command)?;
    load::put_sku(server.address)?;
    Ok(server)
}

fn measure(
    server: &Server,
    connections: u64,
    requests: u64,
    run: u64,
) -> Result<Sample, BenchError> {
    let before = server.cpu_ns()?;
    let measured = load::orders(server.address, connections, requests, run)?;
    let spent = server.cpu_ns()? - before;
    let us = |ns: u64| ns as f64 / 1000.0;
    Ok(Sample {
        rate: measured.requests as f64 / measured.took.as_secs_f64(),
        p50_us: us(measured.latency_ns.value_at_quantile(0.5)),
        p99_us: us(measured.latency_ns.value_at_quantile(0.99)),
        cpu_us: us(spent) / measured.requests as f64,
    })
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print_rows(connections: u64, servers: &[Server], samples: &[Vec<Sample>]) {
    let bare = median(&samples[0], |sample| sample.cpu_us);
    for (server, samples) in servers.iter().zip(samples) {
        let cpu = median(samples, |sample| sample.cpu_us);
        println!(
            "{:>5}  {:<24} {:>9.0} {:>9.0} {:>9.0} {:>12.2} {:>6.2}x",
            connections,
            server.name,
            median(samples, |sample| sample.rate),
            median(samples, |sample| sample.p50_us),
            median(samples, |sample| sample.p99_us),
            cpu,
            cpu / bare
        );
    }
}
