//! A sale with more buyers than can be served: what the served buyers get, and how soon the others
//! are refused.
//!
//! Finds the capacity by a closed loop, then offers seven tenths of it, one, two, five and ten
//! times as much, and seven tenths again with clients that come back as they are told, one after
//! the other in one open loop. A tenth of the winners confirm. Latency counts from the intended
//! start. Owns the table and the bars; client and server share the machine. Next: `crowd` for the
//! loop, `step`.

pub(crate) mod crowd;
pub(crate) mod step;

use crate::arguments::{ServerOptions, at_least_one};
use crate::bars::bar::{Bar, print_bars};
use crate::crowd::raise_files;
use crate::error::BenchError;
use crate::load::{self, Expected, Load, SKU, STOCK};
use crate::peers::{self, start};
use crate::protocol::Protocol;
use crate::report::conditions::{machine, today};
use crate::server::Server;
use crowd::{CONFIRMERS, Phase};
use std::path::Path;
use std::time::Duration;
use step::Step;

/// Of the capacity, before and after.
const USUAL: f64 = 0.7;
const USUAL_BEFORE_S: u64 = 4;
const USUAL_AFTER_S: u64 = 20;
/// All is as before within this.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// What counts as having been offered.
const REACHED_MIN: f64 = 0.95;
/// Goodput of the highest step, of the peak.
const GOODPUT_MIN: f64 = 0.9;
/// The p99 of the admitted: twice `overload.wait_ms_max`, by which the server sheds.
const ADMITTED_P99: Duration = Duration::from_millis(200);
/// Of the confirmations.
const CONFIRMED_MIN: f64 = 0.999;

/// What to offer, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Connections of the buyers, each with one request under way
    #[arg(long, default_value_t = 6_000, value_parser = at_least_one::<u64>())]
    connections: u64,
    /// How many times the capacity is offered, step after step
    #[arg(long, value_delimiter = ',', default_value = "1,2,5,10", value_parser = at_least_one::<u64>())]
    factors: Vec<u64>,
    /// Seconds of a step
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often a buyer comes that is turned away each time, at the times that the answers name;
    /// once the crowd is over
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// Each decision takes so much longer, in microseconds; for a server that was built with
    /// `--features failpoints`. Two cores cannot send ten times of what a server takes that decides at
    /// its own pace; 0 asks for that all the same. The default leaves an IO thread time to turn ten
    /// times away also where the cores are half as fast as they can be
    #[arg(long, default_value_t = 300)]
    decide_us: u64,
    /// Exit with 1 unless all bars hold
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    server: ServerOptions,
}

pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    raise_files(options.connections + CONFIRMERS)?;
    let folder = peers::data_folder(options.server.data.as_deref())?;
    let server = start_slowed(options.server.binary.as_deref(), folder.path(), options.decide_us)?;
    println!("{}, {}", today(), machine());
    println!("{}; client and server share the cores", pace(options.decide_us));
    let capacity = capacity(&server, options.decide_us)?;
    println!("capacity, 64 connections in a closed loop: {capacity:.0} orders/s");
    println!(
        "offered in an open loop over {} connections, one request under way on each",
        options.connections
    );
    let steps = offer(options, &server, capacity)?;
    show(options, &steps);
    if let Some(after) = steps.last() {
        show_return(after);
    }
    let bars = bars(options, &steps);
    print_bars(&bars, options.strict)
}

/// Starts a server whose decisions take so much longer.
fn start_slowed(binary: Option<&Path>, data: &Path, decide_us: u64) -> Result<Server, BenchError> {
    let mut command = start::command(binary, "group", data)?;
    if decide_us > 0 {
        command.env("FAILPOINTS_DECIDE_US", decide_us.to_string());
    }
    let server = Server::start("doorbuster group", &mut command)?;
    load::put_sku(server.address, &server.protocol, SKU, STOCK)?;
    Ok(server)
}

/// The conditions in words.
fn pace(decide_us: u64) -> String {
    match decide_us {
        0 => "the server as it is, durability group".to_owned(),
        us => format!(
            "a server built with `--features failpoints`, slowed by {us} us a decision, durability group"
        ),
    }
}

/// Orders a second that 64 connections get in a closed loop.
fn capacity(server: &Server, decide_us: u64) -> Result<f64, BenchError> {
    let closed = Load {
        lasts_max: Duration::from_secs(3),
        expected: Expected::Accepted,
        ..Load::orders(64, u64::MAX, 0)
    };
    let (found, _) = load::measure(server.address, &Protocol::Http, &closed, || Ok(0))?;
    let capacity = found.requests as f64 / found.took.as_secs_f64();
    if decide_us > 0 && capacity > 1_000_000.0 / decide_us as f64 {
        return Err(BenchError::Usage(
            "this server is not slowed: build it with `--features failpoints`, or measure it at its own \
             pace with --decide-us 0"
                .to_owned(),
        ));
    }
    Ok(capacity)
}

fn offer(options: &Options, server: &Server, capacity: f64) -> Result<Vec<Step>, BenchError> {
    let phase = |factor: f64, seconds: u64, comes_back: bool| Phase {
        rate: (capacity * factor).max(1.0) as u64,
        seconds,
        comes_back,
    };
    let before = phase(USUAL, USUAL_BEFORE_S, false);
    let steps = options.factors.iter().map(|factor| phase(*factor as f64, options.seconds, false));
    let after = phase(USUAL, USUAL_AFTER_S, true);
    let phases: Vec<Phase> = [before].into_iter().chain(steps).chain([after]).collect();
    let mut cpu_ns = server.cpu_ns()?;
    crowd::drive(
        server.address,
        (options.connections, options.attempts),
        &phases,
        |begins, steps| {
            let now_ns = server.cpu_ns()?;
            let used_ns = now_ns - std::mem::replace(&mut cpu_ns, now_ns);
            if let Some(ended) = begins.checked_sub(1) {
                steps[ended].server_cpu_ns = used_ns;
                steps[ended].resident_bytes = server.resident_bytes()?;
            }
            Ok(())
        },
    )
}

/// The name of each step.
fn names(options: &Options) -> Vec<String> {
    let factors = options.factors.iter().map(u64::to_string);
    let usual = || [USUAL.to_string()].into_iter();
    usual().chain(factors).chain(usual()).collect()
}

fn peak(steps: &[Step]) -> f64 {
    steps.iter().map(|step| step.second(step.accepted)).fold(0.0, f64::max)
}

fn ms(of: &hdrhistogram::Histogram<u64>, at: f64) -> f64 {
    of.value_at_quantile(at) as f64 / 1e6
}

fn confirmed(step: &Step) -> f64 {
    step.confirmed_ns.len() as f64 / step.confirms.max(1) as f64
}

fn show(options: &Options, steps: &[Step]) {
    println!(
        "{:>5} {:>9} {:>9} {:>8} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>5} {:>5}",
        "times",
        "offered/s",
        "sent/s",
        "served/s",
        "of peak",
        "p50 ms",
        "p99 ms",
        "lag p99",
        "shed/s",
        "shed p50",
        "shed p99",
        "gave up/s",
        "confirmed",
        "confp99",
        "CPU",
        "MiB"
    );
    for (name, step) in names(options).iter().zip(steps) {
        println!(
            "{name:>5} {:>9.0} {:>9.0} {:>8.0} {:>6.0}% {:>8.2} {:>8.2} {:>8.2} {:>8.0} {:>8.2} {:>8.2} \
             {:>9.0} {:>8.2}% {:>9.2} {:>4.0}% {:>5}",
            step.second(step.offered),
            step.second(step.sent),
            step.second(step.accepted),
            100.0 * step.second(step.accepted) / peak(steps),
            ms(&step.admitted_ns, 0.5),
            ms(&step.admitted_ns, 0.99),
            ms(&step.lag_ns, 0.99),
            step.second(step.shed),
            ms(&step.refused_ns, 0.5),
            ms(&step.refused_ns, 0.99),
            step.second(step.gave_up),
            100.0 * confirmed(step),
            ms(&step.confirmed_ns, 0.99),
            100.0 * step.server_cpu_ns as f64 / step.lasts.as_nanos() as f64,
            step.resident_bytes >> 20,
        );
    }
    println!(
        "p50 and p99 of the admitted from the intended start to the 201, lag from there to the \
         sending (in them); refusals and confirmations from their sending; CPU of the server, of a core"
    );
}

/// The return, second by second.
fn show_return(after: &Step) {
    println!("the last step by the second: served, turned away, p99 of the served in ms");
    for (number, (served, lost, p99_ns)) in after.seconds().enumerate() {
        let p99_ms = p99_ns as f64 / 1e6;
        println!("{number:>5} {served:>9} {lost:>9} {p99_ms:>9.2}");
    }
}

fn bars(options: &Options, steps: &[Step]) -> Vec<Bar> {
    let [before, loaded @ .., after] = steps else { return Vec::new() };
    let mut bars = Vec::new();
    if let (Some(factor), Some(most)) = (options.factors.last(), loaded.last()) {
        let reached = most.sent as f64 / most.offered.max(1) as f64;
        bars.push((
            reached >= REACHED_MIN,
            format!("{:.1} % of {factor}x reached the server, at least 95 %", 100.0 * reached),
        ));
        let of_peak = most.second(most.accepted) / peak(steps);
        bars.push((
            of_peak >= GOODPUT_MIN,
            format!("goodput at {factor}x {:.0} % of the peak, at least 90 %", 100.0 * of_peak),
        ));
    }
    let worst = loaded.iter().map(|step| step.admitted_ns.value_at_quantile(0.99)).max();
    let worst = Duration::from_nanos(worst.unwrap_or(0));
    bars.push((
        worst <= ADMITTED_P99,
        format!(
            "p99 of the admitted {:.0} ms in the worst step, at most {} ms",
            worst.as_secs_f64() * 1e3,
            ADMITTED_P99.as_millis()
        ),
    ));
    let least = steps.iter().map(confirmed).fold(1.0, f64::min);
    bars.push((
        least >= CONFIRMED_MIN,
        format!(
            "{:.2} % of the confirmations served in the worst step, at least 99.9 %",
            100.0 * least
        ),
    ));
    let usual_ns = before.admitted_ns.value_at_quantile(0.99);
    bars.push(back_bar(after, usual_ns, BACK_WITHIN));
    bars
}

/// Things are as they used to be within so long.
pub(crate) fn back_bar(after: &Step, usual_p99_ns: u64, within: Duration) -> Bar {
    let usual_ms = usual_p99_ns as f64 / 1e6;
    let back = after.back_after(usual_p99_ns);
    let found = match back {
        Some(took) => format!("back after {:.2} s", took.as_secs_f64()),
        None => "not back".to_owned(),
    };
    let within_s = within.as_secs();
    (
        back.is_some_and(|took| took <= within),
        format!(
            "{found}, within {within_s} s: a second of p99 within twice the usual {usual_ms:.2} ms and \
             at most 1 % turned away"
        ),
    )
}
