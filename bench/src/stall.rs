//! A writer that stands still for seconds while orders keep coming: what those hear who come
//! meanwhile, what memory it takes, and how soon all is as before.
//!
//! Owns the table and the bars. The stillness is a failpoint of the server, so it must have been
//! built with `--features failpoints`: no data sync begins while it is armed. What was in the ring
//! by then waits and is served after it; what comes is refused. Next: `overload::crowd`.

use crate::arguments::at_least_one;
use crate::bars::bar::{Bar, print_bars};
use crate::crowd::raise_files;
use crate::error::{BenchError, io_error};
use crate::load::{self, SKU, STOCK};
use crate::overload::back_bar;
use crate::overload::crowd::{self, CONFIRMERS, Phase};
use crate::overload::step::Step;
use crate::peers::{self, start};
use crate::report::conditions::{machine, today};
use crate::server::Server;
use hdrhistogram::Histogram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who was turned away so often stays away.
const ATTEMPTS_MAX: u32 = 3;
const BEFORE_S: u64 = 5;
const AFTER_S: u64 = 10;
/// Refusals meanwhile, at the 99th percentile, from sending.
const REFUSED_P99: Duration = Duration::from_millis(10);
/// What the sizing table gives to everything but the tables.
const GROWTH_BYTES_MAX: u64 = 256 << 20;
/// All is as before within this.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// How long it stands still, and what comes meanwhile.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Orders a second, in an open loop
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=100_000))]
    rate: u64,
    /// Connections of those who order, each with one request under way
    #[arg(long, default_value_t = 8_000, value_parser = at_least_one::<u64>())]
    connections: u64,
    /// Seconds without a sync
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=60))]
    seconds: u64,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    strict: bool,
    /// The server's binary, built with `--features failpoints` [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where its data goes [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    raise_files(options.connections + CONFIRMERS)?;
    let folder = peers::data_folder(options.data.as_deref())?;
    let failpoints = folder.path().join("failpoints");
    arm(&failpoints, "")?;
    let data = folder.path().join("data");
    let mut command = start::command(options.server.as_deref(), "group", &data)?;
    command.env("FAILPOINTS_FILE", &failpoints);
    let server = Server::start("doorbuster group", &mut command)?;
    load::put_sku(server.address, &server.protocol, SKU, STOCK)?;
    println!("{}, {}", today(), machine());
    println!(
        "{} orders/s in an open loop over {} connections, durability group; no data sync ends for \
         {} s; client and server share the cores",
        options.rate, options.connections, options.seconds
    );
    let phase = |seconds, comes_back| Phase { rate: options.rate, seconds, comes_back };
    let phases = [phase(BEFORE_S, false), phase(options.seconds, false), phase(AFTER_S, true)];
    let mut bytes = Vec::new();
    let steps =
        crowd::drive(server.address, (options.connections, ATTEMPTS_MAX), &phases, |begins, _| {
            // Armed for the second of the three.
            arm(&failpoints, if begins == 1 { "Sync" } else { "" })?;
            bytes.push(server.peak_resident_bytes()?);
            server.forget_peak()
        })?;
    let steps: [Step; 3] = steps.try_into().ok().expect("there are three phases");
    let grown_bytes = bytes[2].saturating_sub(bytes[1]);
    show(&steps, &bytes);
    print_bars(&bars(&steps, grown_bytes), options.strict)
}

fn show(steps: &[Step], peaks_bytes: &[u64]) {
    println!(
        "{:<8} {:>9} {:>8} {:>8} {:>9} {:>10} {:>10} {:>11} {:>11} {:>12} {:>9}",
        "",
        "offered",
        "served",
        "refused",
        "gave up",
        "p50 ms",
        "p99 ms",
        "refused p50",
        "refused p99",
        "refused p100",
        "most MiB"
    );
    let ms = |of: &Histogram<u64>, at: f64| of.value_at_quantile(at) as f64 / 1e6;
    // The first peak is that of the start.
    for ((name, step), peak) in
        ["before", "still", "after"].iter().zip(steps).zip(&peaks_bytes[1..])
    {
        println!(
            "{name:<8} {:>9} {:>8} {:>8} {:>9} {:>10.2} {:>10.2} {:>11.2} {:>11.2} {:>12.2} {:>9}",
            step.offered,
            step.accepted,
            step.shed,
            step.gave_up,
            ms(&step.admitted_ns, 0.5),
            ms(&step.admitted_ns, 0.99),
            ms(&step.refused_ns, 0.5),
            ms(&step.refused_ns, 0.99),
            ms(&step.refused_ns, 1.0),
            peak >> 20,
        );
    }
    println!("p50 and p99 of the served from the intended start; refusals from their sending");
}

fn bars([before, held, after]: &[Step; 3], grown_bytes: u64) -> Vec<Bar> {
    let refused = Duration::from_nanos(held.refused_ns.value_at_quantile(0.99));
    let lost = held.offered - held.accepted - held.shed;
    vec![
        (
            held.shed > 0 && refused <= REFUSED_P99,
            format!(
                "{} refused while it stood still, their p99 {:.2} ms, at most {} ms",
                held.shed,
                refused.as_secs_f64() * 1e3,
                REFUSED_P99.as_millis()
            ),
        ),
        (
            lost == 0,
            format!(
                "{} that were in the ring waited and were served, {lost} got no answer",
                held.accepted
            ),
        ),
        (
            grown_bytes <= GROWTH_BYTES_MAX,
            format!(
                "memory grew by {} MiB, at most {} MiB",
                grown_bytes >> 20,
                GROWTH_BYTES_MAX >> 20
            ),
        ),
        back_bar(after, before.admitted_ns.value_at_quantile(0.99), BACK_WITHIN),
    ]
}

/// Writes which points are armed.
fn arm(failpoints: &Path, armed: &str) -> Result<(), BenchError> {
    std::fs::write(failpoints, armed).map_err(io_error("arm the failpoint"))
}
