//! A disk whose syncs take long: what crowds of buyers get of it.
//!
//! Owns the table and the bars. One sync serves all that wait, so a larger crowd must get more,
//! nobody may be turned away for the disk's sake, and whoever gets in waits for two syncs and what
//! is decided between them. The delay is put in front of each `fdatasync` by a preloaded library,
//! which `cc` compiles; so any build of the server can be measured, at its own speed between the
//! syncs. The buyers are a closed loop and come back as they are told. Next: `slow_disk/delay.c`,
//! `overload`, `stall`.

use crate::bars::bar::{Bar, print_bars};
use crate::crowd::raise_files;
use crate::error::{BenchError, io_error};
use crate::load::{self, Expected, Load, Measured, SKU, STOCK};
use crate::peers::{self, start};
use crate::protocol::Protocol;
use crate::report::conditions::{machine, today};
use crate::server::Server;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Of the answers.
const REFUSED_MAX: f64 = 0.03;
/// The p99 of the admitted, in syncs.
const SYNCS_MAX: f64 = 3.0;
/// Of a core: a server that uses more is busy with something else than the disk.
const BUSY_MIN: f64 = 0.8;
/// A crowd that is so many times larger gets at least half as many times more.
const GAIN_MIN: f64 = 0.5;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Buyers in a closed loop, each with one order under way
    #[arg(long, value_delimiter = ',', default_value = "200,800,3000")]
    buyers: Vec<u64>,
    /// What each data sync takes longer, in milliseconds
    #[arg(long, value_delimiter = ',', default_value = "20,60,150,400")]
    sync_ms: Vec<u64>,
    /// Seconds of each crowd
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    strict: bool,
    /// The server's binary [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where its data goes; on the disk that is to be slowed [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What one crowd got.
struct Row {
    sync_ms: u64,
    buyers: u64,
    measured: Measured,
    /// Of a core.
    cpu: f64,
    /// What the syncs took in the mean, in milliseconds: the delay and the disk.
    took_ms: f64,
}

impl Row {
    fn served(&self) -> f64 {
        self.measured.accepted as f64 / self.measured.took.as_secs_f64()
    }

    /// Of the answers.
    fn refused(&self) -> f64 {
        let Measured { accepted, repeated, .. } = self.measured;
        repeated as f64 / (accepted + repeated).max(1) as f64
    }

    fn ms(&self, at: f64) -> f64 {
        self.measured.latency_ns.value_at_quantile(at) as f64 / 1e6
    }

    fn is_busy(&self) -> bool {
        self.cpu >= BUSY_MIN
    }
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    raise_files(options.buyers.iter().copied().max().unwrap_or(0))?;
    println!("{}, {}", today(), machine());
    println!(
        "buyers in a closed loop for {} s, who come back as they are told; durability group; client \
         and server share the cores",
        options.seconds
    );
    let tools = tempfile::tempdir().map_err(io_error("make a folder"))?;
    let library = compile_delay(tools.path())?;
    let mut rows = Vec::new();
    for sync_ms in &options.sync_ms {
        let folder = peers::data_folder(options.data.as_deref())?;
        let slowed = (&*library, *sync_ms);
        let server = start_slowed(options.server.as_deref(), folder.path(), slowed)?;
        for (run, buyers) in (0..).zip(&options.buyers) {
            rows.push(measure(&server, (*sync_ms, *buyers), options.seconds, run)?);
        }
    }
    show(&rows);
    print_bars(&bars(&rows), options.strict)
}

/// Compiles the library that delays syncs into this folder.
fn compile_delay(folder: &Path) -> Result<PathBuf, BenchError> {
    let (source, library) = (folder.join("delay.c"), folder.join("delay.so"));
    fs::write(&source, include_str!("slow_disk/delay.c")).map_err(io_error("write delay.c"))?;
    let mut command = Command::new("cc");
    command.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let compiled = command.status().map_err(io_error("run cc (apt-get install gcc)"))?;
    compiled.success().then_some(library).ok_or_else(|| BenchError::Io {
        operation: "compile delay.c".to_owned(),
        cause: io::Error::other(compiled.to_string()),
    })
}

/// The server as a child of this process, with slower syncs.
fn start_slowed(
    binary: Option<&Path>,
    data: &Path,
    (library, sync_ms): (&Path, u64),
) -> Result<Server, BenchError> {
    let mut command = start::command(binary, "group", data)?;
    command.env("LD_PRELOAD", library).env("SYNC_DELAY_MS", sync_ms.to_string());
    let server = Server::start("doorbuster group", &mut command)?;
    load::put_sku(server.address, &server.protocol, SKU, STOCK)?;
    Ok(server)
}

fn measure(
    server: &Server,
    (sync_ms, buyers): (u64, u64),
    seconds: u64,
    run: u64,
) -> Result<Row, BenchError> {
    let closed = Load {
        lasts_max: Duration::from_secs(seconds),
        expected: Expected::Accepted,
        ..Load::orders(buyers, u64::MAX, run)
    };
    let (sum_before, count_before) = syncs(server)?;
    let (measured, cpu_ns) =
        load::measure(server.address, &Protocol::Http, &closed, || server.cpu_ns())?;
    let (sum, count) = syncs(server)?;
    let took_ms = 1e3 * (sum - sum_before) / (count - count_before).max(1.0);
    let cpu = cpu_ns as f64 / measured.took.as_nanos() as f64;
    Ok(Row { sync_ms, buyers, measured, cpu, took_ms })
}

/// What the server says of its syncs: seconds in all, and how many.
fn syncs(server: &Server) -> Result<(f64, f64), BenchError> {
    let ask = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec();
    let answer = load::ask(server.address, &Protocol::Http, ask)?;
    let text = String::from_utf8_lossy(&answer);
    let value = |name: &str| {
        let row = text.lines().find_map(|line| line.strip_prefix(name));
        row.and_then(|value| value.trim().parse::<f64>().ok())
    };
    let sum = value("doorbuster_sync_duration_seconds_sum ");
    let count = value("doorbuster_sync_duration_seconds_count ");
    sum.zip(count).ok_or_else(|| load::unexpected(&answer))
}

fn show(rows: &[Row]) {
    println!(
        "{:>7} {:>7} {:>7} {:>9} {:>9} {:>8} {:>8} {:>5}",
        "sync ms", "took ms", "buyers", "orders/s", "refused", "p50 ms", "p99 ms", "CPU"
    );
    for row in rows {
        println!(
            "{:>7} {:>7.0} {:>7} {:>9.0} {:>8.1}% {:>8.0} {:>8.0} {:>4.0}%",
            row.sync_ms,
            row.took_ms,
            row.buyers,
            row.served(),
            100.0 * row.refused(),
            row.ms(0.5),
            row.ms(0.99),
            100.0 * row.cpu,
        );
    }
    println!("p50 and p99 of the admitted from sending to the 201; CPU of the server, of a core");
}

fn bars(rows: &[Row]) -> Vec<Bar> {
    let idle = || rows.iter().filter(|row| !row.is_busy());
    let refused = idle().map(Row::refused).fold(0.0, f64::max);
    let syncs = idle().map(|row| row.ms(0.99) / row.took_ms).fold(0.0, f64::max);
    let gain = rows
        .windows(2)
        .filter(|pair| pair[0].sync_ms == pair[1].sync_ms && !pair[1].is_busy())
        .map(|pair| {
            let more = pair[1].buyers as f64 / pair[0].buyers as f64;
            pair[1].served() / pair[0].served() / more
        })
        .fold(f64::INFINITY, f64::min);
    vec![
        (
            refused <= REFUSED_MAX,
            format!(
                "{:.1} % refused at most where the server is not busy, at most 3 %",
                100.0 * refused
            ),
        ),
        (syncs <= SYNCS_MAX, format!("p99 of the admitted {syncs:.1} syncs there, at most three")),
        (
            gain >= GAIN_MIN,
            format!("a crowd gets {gain:.2} of what its size promises there, at least 0.5"),
        ),
    ]
}
