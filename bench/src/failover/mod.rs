//! `failover`: how long a sale stands still when its writer is lost, and that nothing is lost with
//! it.
//!
//! Owns the table and the bars. Starts etcd and the nodes itself, drives orders at an even rate as
//! `run` does, and meanwhile ends one writer after another. In reading order:
//!
//! - `child`: a process that is killed and started again
//! - `etcd`, `nodes`: the members of the arbiter, the nodes of the cluster
//! - `how`: the ways in which a writer is lost
//! - `conductor`: what is done to them, and when
//! - `found`: the gap of each loss, and what all nodes hold in the end

mod child;
mod conductor;
mod etcd;
mod found;
mod how;
mod nodes;

use crate::arguments::at_least_one;
use crate::bars::bar::{Bar, print_bars};
use crate::error::{BenchError, io_error};
use crate::load::now;
use crate::peers;
use crate::report::conditions::{machine, today};
use crate::report::files;
use crate::run::{self, Loaded};
use conductor::{Conductor, Loss};
use etcd::Members;
use found::Found;
use how::How;
use nodes::Nodes;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A loss and the way back of the node take no longer, or the run is broken.
const LOSS_S_MAX: u64 = 120;

const NOTES: &str = "\
Needs `etcd` in PATH (Debian: etcd-server), and `doorbuster` and `doorbusterctl` beside this
program. All nodes, etcd and the load share this machine.

The report is that of `run`; `failover.json` beside it has each loss with its gap: the longest time
without an order answered, from the last answer before to the first one behind.

Exit codes: 0 good; 1 something answered is lost or there twice, or, with --strict, a bar does not
hold; 2 usage; 3 it could not be measured.";

/// How often what is lost, under which load.
#[derive(clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Options {
    /// How the writer is lost
    #[arg(long, value_enum, default_value_t = How::Kill)]
    how: How,
    /// How often
    #[arg(long, default_value_t = 10, value_parser = at_least_one::<u64>())]
    kill: u64,
    /// Nodes; two disks are waited for
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..=5))]
    nodes: u64,
    /// Orders a second, in an open loop
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// Connections
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    connections: u64,
    /// Milliseconds of rest once all nodes are in sync again, before the next loss
    #[arg(long, default_value_t = 1_000)]
    rest_ms: u64,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    strict: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "failover-report")]
    report: PathBuf,
    /// Write over a report that is there
    #[arg(long)]
    force: bool,
    /// The server's binary; `doorbusterctl` lies beside it [default: beside this one]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where the data goes [default: a new folder here]
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    files::check_free(&options.report, options.force)?;
    let folder = peers::data_folder(options.data.as_deref())?;
    let members = Members::start(folder.path())?;
    let mut nodes =
        Nodes::new(folder.path(), options.server.as_deref(), options.nodes, &members.setting())?;
    nodes.make_register()?;
    nodes.start_all()?;
    let urls = nodes.urls();
    println!("{}, {}", today(), machine());
    println!(
        "{} orders/s in an open loop over {} connections to {} nodes with etcd of three members, \
         all on this machine; the writer is lost {} times: {:?}",
        options.rate, options.connections, options.nodes, options.kill, options.how
    );
    let (stop, (begins, begun)) = (Arc::new(Notify::new()), mpsc::channel());
    let conducting = {
        let conductor =
            Conductor { how: options.how, rest: Duration::from_millis(options.rest_ms) };
        let (stop, times) = (Arc::clone(&stop), options.kill);
        thread::spawn(move || conduct(conductor, (nodes, members), times, &begun, &stop))
    };
    let loaded = load(options, &urls, &stop, &begins);
    drop(begins);
    let conducted = conducting.join().expect("the conductor does not panic");
    let loaded = loaded?;
    let (losses, mut nodes, _members) = conducted?;
    files::write(&options.report, &loaded.summary, &loaded.recording)?;
    nodes.end_all();
    let found = Found::of(&losses, &loaded, &nodes)?;
    found.write(&options.report)?;
    found.show();
    if let Some(error) = loaded.failed {
        return Err(error);
    }
    let differences = found.differences();
    print_bars(&bars(options.how, &found, &loaded), options.strict)?;
    if differences > 0 {
        let report = options.report.display().to_string();
        return Err(BenchError::Differences { differences, report });
    }
    Ok(())
}

fn load(
    options: &Options,
    urls: &str,
    stop: &Notify,
    begins: &Sender<Instant>,
) -> Result<Loaded, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start an event loop"))?;
    let longest_s = options.kill.saturating_mul(LOSS_S_MAX) as f64;
    let load = (options.rate as f64, options.connections);
    let steady = run::Options::steady(urls.to_owned(), load, longest_s, options.report.clone());
    runtime.block_on(run::load(&steady, stop, |begun| {
        // The conductor has gone only where it found a fault, which is told then.
        let _ = begins.send(begun);
    }))
}

/// Ends one writer after another, and then the load.
fn conduct(
    conductor: Conductor,
    (mut nodes, mut members): (Nodes, Members),
    times: u64,
    begun: &Receiver<Instant>,
    stop: &Notify,
) -> Result<(Vec<Loss>, Nodes, Members), BenchError> {
    // The load could not begin: it says why.
    let Ok(begun) = begun.recv() else { return Ok((Vec::new(), nodes, members)) };
    thread::sleep(begun.saturating_duration_since(now()));
    let losses = conductor.lose(times, &mut nodes, &mut members, begun);
    stop.notify_one();
    Ok((losses?, nodes, members))
}

/// The gap at the median and at most, in milliseconds.
fn gap_bars(how: How) -> (f64, f64) {
    match how {
        How::Kill => (800.0, 1_500.0),
        How::Stop => (1_500.0, 1_500.0),
        How::Handover => (150.0, 150.0),
        How::EtcdLeader => (4_000.0, 4_000.0),
    }
}

fn bars(how: How, found: &Found, loaded: &Loaded) -> Vec<Bar> {
    let (median_ms, most_ms) = gap_bars(how);
    let (median, most) = (found.quantile_ms(0.5), found.quantile_ms(1.0));
    let unanswered: u64 = ["timed_out", "broken", "failed", "unavailable"]
        .iter()
        .filter_map(|outcome| loaded.summary.outcomes.get(*outcome))
        .map(|latency| latency.count)
        .sum();
    let dropped = loaded.summary.sends.dropped;
    vec![
        (median <= median_ms, format!("gap p50 {median:.0} ms, at most {median_ms:.0} ms")),
        (most <= most_ms, format!("gap max {most:.0} ms, at most {most_ms:.0} ms")),
        (
            found.differences() == 0,
            format!("{} answered orders lost, twice or otherwise wrong", found.differences()),
        ),
        (
            unanswered + dropped == 0,
            format!("{unanswered} requests without a good answer in the end, {dropped} never sent"),
        ),
    ]
}
