//! `run`: load of a kind at a rate, measured from the intended start of each request.
//!
//! Owns the order of a run: prepare SKUs, connect, drive, write the report, compare with what the
//! server holds. Next: `scenario` and `schedule` for what is sent when, `drive` for the loop,
//! `check` for the comparison, `report` for what is left behind.

mod check;
pub(crate) mod connection;
mod drive;
mod ledger;
mod noise;
mod pace;
mod prepare;
mod progress;
mod scenario;
mod schedule;
mod targets;
pub(crate) mod wire;

use crate::error::{BenchError, io_error};
use crate::load::now;
use crate::report::{conditions, files, summary};
use doorbuster::client::{self, Client, Policy};
use drive::Settings;
use scenario::{Plan, Scenario};
use schedule::{Schedule, Shape};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::{Check, Conditions, Recording};
use targets::Targets;
use tokio::sync::Notify;
use wire::Heads;

/// Where the token is looked for.
const TOKEN_VARIABLE: &str = "DOORBUSTER_TOKEN";
/// From the last preparation to the first request.
const LEAD: Duration = Duration::from_millis(200);

/// The name of a steady run, and its SKU.
const STEADY: &str = "steady";
pub(crate) const STEADY_SKU: &str = "bench-steady-0";

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

const NOTES: &str = "\
Needs a server that is running and, where it has tokens, one of the role admin in the environment
variable DOORBUSTER_TOKEN. Makes SKUs of its own, named bench-RUN-N, and leaves them there.

Ctrl-C stops sending, waits for what is under way and writes the report of what was, which says that
it was cut; a second one ends at once.

Exit codes: 0 good; 1 what was answered is not what the server holds; 2 usage; 3 the run or its
report could not be made.";

/// What to send where, how fast and how long.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct Options {
    /// The server, such as http://127.0.0.1:7070 or https://shop.example; of a cluster all nodes,
    /// with commas in between: the one that writes is asked
    #[arg(long, env = "DOORBUSTER_URL")]
    url: String,
    /// PEM file of the certificate authorities to believe, for https [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What the crowd does
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// Requests a second, at the schedule's peak
    #[arg(long, value_parser = positive)]
    rate: f64,
    /// Seconds
    #[arg(long, value_parser = positive)]
    duration: f64,
    /// Connections, each with one request under way at most
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    connections: u64,
    /// Where the report goes
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    /// Write over a report that is there
    #[arg(long)]
    force: bool,
    /// How the load changes over time [default: spike for flash-sale, else steady]
    #[arg(long, value_enum)]
    schedule: Option<Shape>,
    /// Seconds until the sale of flash-sale opens, and until a spike [default: a fifth]
    #[arg(long, value_parser = positive, value_name = "SECONDS")]
    opens_after: Option<f64>,
    /// Units of each SKU at the start [default: a twentieth of the requests for flash-sale, twice
    /// the average demand for zipf and mixed, none for sold-out]
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000_000))]
    stock: Option<u64>,
    /// How long winners of flash-sale may think before their units go back, in milliseconds
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    hold_ms: u64,
    /// SKUs of zipf and mixed
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    skus: u32,
    /// How uneven the wishes of zipf and mixed are; 0 is even
    #[arg(long, default_value_t = 1.1, value_parser = exponent)]
    exponent: f64,
    /// Everything random follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Names the run's users, keys and SKUs; must be new to the server [default: from the time]
    #[arg(long, value_parser = run_name)]
    run: Option<String>,
    /// Milliseconds to wait for a connection, and then for an answer
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
    /// Milliseconds to wait for one of several servers, until the next is asked with the same key
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    move_on_ms: u64,
    /// Requests that may wait for a connection; more are dropped and counted
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    queue: usize,
    /// A request counts as late when it is sent so many microseconds after its time
    #[arg(long, default_value_t = 1_000, value_name = "MICROSECONDS")]
    late_after_us: u64,
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let bounded = value > 0.0 && value <= 1e7;
    bounded.then_some(value).ok_or_else(|| "must be over 0, at most 10,000,000".to_owned())
}

fn exponent(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    (0.0..=10.0).contains(&value).then_some(value).ok_or_else(|| "must be 0 to 10".to_owned())
}

fn run_name(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let good = plain && (1..=32).contains(&text.len());
    good.then(|| text.to_owned()).ok_or_else(|| "must be 1 to 32 letters and digits".to_owned())
}

/// Runs, reports, compares.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(io_error("start an event loop"))?.block_on(whole(options))
}

async fn whole(options: &Options) -> Result<(), BenchError> {
    files::check_free(&options.report, options.force)?;
    let stop = stop_on_interrupt();
    let Loaded { recording, summary, failed } = load(options, &stop, |_| ()).await?;
    files::write(&options.report, &summary, &recording)?;
    tell(options, &summary);
    match (failed, summary.check.differences) {
        (Some(error), _) => Err(error),
        (None, 0) => Ok(()),
        (None, differences) => Err(BenchError::Differences {
            differences,
            report: options.report.display().to_string(),
        }),
    }
}

/// What a load left.
pub(crate) struct Loaded {
    pub(crate) recording: Recording,
    pub(crate) summary: summary::Summary,
    /// Why the server could not be compared with what it answered.
    pub(crate) failed: Option<BenchError>,
}

/// Prepares, drives until the schedule's end or until it is told to stop, and compares. When it
/// begins is told before.
pub(crate) async fn load(
    options: &Options,
    stop: &Notify,
    begins: impl FnOnce(Instant),
) -> Result<Loaded, BenchError> {
    let token = std::env::var(TOKEN_VARIABLE).ok();
    let targets = Rc::new(Targets::find(&options.url, options.ca.as_deref())?);
    let policy = Policy { waits_for_change: false, ..Policy::default() };
    let asking = client::Options { token: token.clone(), authorities: options.ca.clone(), policy };
    let client = Client::new(&options.url, asking)?;
    let (shape, opening_s) = (options.shape(), options.opening_s());
    let plan = Rc::new(options.plan(prepare::wall_ms()));
    let status = prepare::status(&client).await?;
    let host = targets.host().to_owned();
    let settings = Settings {
        targets: targets.clone(),
        connections: options.connections,
        timeout: Duration::from_millis(options.timeout_ms),
        move_on: Duration::from_millis(options.move_on_ms),
        queue_max: options.queue,
        late_after_us: options.late_after_us,
    };
    prepare::skus(&client, &plan, options.hold_ms).await?;
    let connections = drive::connect(&settings).await.map_err(io_error(format!(
        "open {} connections to {} (its `http.connections_max` and both sides' limits of open \
         files must allow them)",
        settings.connections, options.url
    )))?;
    let begun = now() + LEAD;
    let opening = plan.scenario == Scenario::FlashSale;
    if opening {
        let at = begun + Duration::from_secs_f64(opening_s);
        prepare::open_at(&client, &plan, at).await?;
    }
    let started_at_ms = prepare::wall_ms() + prepare::ms_until(begun);
    let mut conditions = Conditions {
        commands: vec![command_line()],
        started_at: prepare::instant(started_at_ms),
        started_at_ms,
        url: options.url.clone(),
        scenario: plan.scenario.name().to_owned(),
        schedule: format!("{shape:?}").to_lowercase(),
        rate_per_s: options.rate,
        duration_s: options.duration,
        cut_after_s: None,
        opening_s: opening.then_some(opening_s),
        connections: options.connections,
        timeout_ms: options.timeout_ms,
        skus: plan.skus(),
        stock_per_sku: plan.stock,
        seed: options.seed,
        run: plan.run.clone(),
        bench_version: env!("CARGO_PKG_VERSION").to_owned(),
        server_version: status.version,
        server_epoch: status.epoch,
        durability: status.durability,
        shared_machine: targets.are_here(),
        machine: conditions::machine(),
    };
    let heads = || Heads::new(&host, token.as_deref());
    let schedule = Schedule::new(shape, options.rate, options.duration, opening_s, options.seed);
    begins(begun);
    let driven =
        drive::drive(settings.clone(), plan.clone(), heads(), schedule, (connections, begun), stop)
            .await;
    let (recording, ledger, cut_after_s) = driven?;
    conditions.cut_after_s = cut_after_s;
    let checked = check::check(&settings, plan, heads(), &client, ledger).await;
    let (check, failed) = match checked {
        Ok(check) => (check, None),
        Err(error) => {
            let not_made = Some(error.to_string());
            (Check { not_made, ..Check::default() }, Some(error))
        }
    };
    let summary = recording.summary(conditions, check);
    Ok(Loaded { recording, summary, failed })
}

/// Told once on Ctrl-C; a second one ends the process at once.
fn stop_on_interrupt() -> Arc<Notify> {
    let stop = Arc::new(Notify::new());
    let told = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("cut: nothing more is sent; the report follows (again: end at once)");
            told.notify_one();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    stop
}

/// The command line; tokens are never in it.
fn command_line() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("doorbuster-bench {}", words.join(" "))
}

impl Options {
    /// Orders at an even rate, of one SKU that lasts, until it is told to stop.
    pub(crate) fn steady(
        url: String,
        (rate, connections): (f64, u64),
        duration_s: f64,
        report: PathBuf,
    ) -> Self {
        Self {
            url,
            ca: None,
            scenario: Scenario::Steady,
            rate,
            duration: duration_s,
            connections,
            report,
            force: false,
            schedule: None,
            opens_after: None,
            stock: None,
            hold_ms: 5_000,
            skus: 1,
            exponent: 0.0,
            seed: 1,
            run: Some(STEADY.to_owned()),
            timeout_ms: 30_000,
            // So that it is seen soon that another one writes.
            move_on_ms: 200,
            queue: 100_000,
            late_after_us: 1_000,
        }
    }

    fn shape(&self) -> Shape {
        let flash = self.scenario == Scenario::FlashSale;
        self.schedule.unwrap_or(if flash { Shape::Spike } else { Shape::Steady })
    }

    fn opening_s(&self) -> f64 {
        self.opens_after.unwrap_or(self.duration / 5.0)
    }

    fn plan(&self, wall_ms: u64) -> Plan {
        let requests =
            Schedule::expected(self.shape(), self.rate, self.duration, self.opening_s()) as u64;
        let skus = u64::from(self.skus);
        let stock = self.stock.unwrap_or(match self.scenario {
            Scenario::FlashSale => (requests / 20).max(1),
            Scenario::Steady => 1_000_000_000,
            Scenario::SoldOut => 0,
            Scenario::Zipf | Scenario::Mixed => (2 * requests / skus).max(1),
        });
        let run = self.run.clone().unwrap_or_else(|| format!("{wall_ms:x}"));
        Plan::new(self.scenario, self.seed, run, self.skus, self.exponent, stock)
    }
}

fn tell(options: &Options, summary: &summary::Summary) {
    if let Some(after_s) = summary.conditions.cut_after_s {
        println!("cut after {after_s:.1} s of {} s", summary.conditions.duration_s);
    }
    println!(
        "{} requests, {} never sent, generator's lag p99 {:.3} ms",
        summary.all.count,
        summary.sends.dropped,
        summary.lag.p99_us / 1e3
    );
    println!("{:<12} {:>10} {:>10} {:>10} {:>10}  ms", "outcome", "count", "p50", "p99", "max");
    let outcomes = summary.outcomes.iter().map(|(name, latency)| (name.as_str(), latency));
    for (name, latency) in outcomes.chain([("all", &summary.all)]) {
        println!(
            "{name:<12} {:>10} {:>10.3} {:>10.3} {:>10.3}",
            latency.count,
            latency.p50_us / 1e3,
            latency.p99_us / 1e3,
            latency.max_us / 1e3
        );
    }
    let compared: u64 = summary.check.compared.iter().map(|compared| compared.count).sum();
    if summary.check.not_made.is_none() {
        println!("compared {compared}, differences {}", summary.check.differences);
    }
    println!("report: {}", options.report.join("report.html").display());
}
