//! Thousands of connections that do nothing, or everything too slowly, while others buy.
//!
//! Owns the table at the end: what buyers felt without the crowd and with it, how many of its
//! connections the server ended, and how soon all were gone. Buyers come open loop, at their times
//! whether answers came or not. Next: `bad` for the crowd, `buyers` for the others.

mod bad;
mod buyers;
mod event_loop;

use crate::arguments::ServerOptions;
use crate::error::BenchError;
use crate::load::{self, now};
use crate::peers::{data_folder, start};
use crate::report::conditions::{machine, today};
use crate::server::Server;
use bad::{Bad, Counted, Kind, LEAST_PRIORITY};
use buyers::Felt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

/// How large a crowd, for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Connections that say nothing
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Connections that are slow: a third each with heads, bodies and reading
    #[arg(long, default_value_t = 2_000)]
    slow: usize,
    /// Seconds with the crowd; without it a sixth of that before, and as much behind it
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(3..))]
    seconds: u64,
    /// Orders a second of the buyers
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Connections of the buyers
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// The server's limits for slow clients, and three times that for idle ones, in milliseconds
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    limit_ms: u64,
    /// Exit with 1 if a bar does not hold
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// With the crowd, the buyers' p99 may be so many times what it is without.
const P99_RATIO_MAX: f64 = 2.0;
/// The server looks after its connections ten times a second, and lets those go that it closed in
/// half a second more.
const GONE_GRACE: Duration = Duration::from_secs(2);
/// Who is not gone so long after that stays.
const PATIENCE: Duration = Duration::from_secs(60);
/// Descriptors of this process beyond its connections.
const OWN_FILES: u64 = 64;

/// Prints the table.
pub(crate) fn run(options: &Options) -> Result<(), BenchError> {
    let slow = options.slow / 3;
    let counts = [
        (Kind::Idle, options.idle),
        (Kind::Head, slow),
        (Kind::Body, slow),
        (Kind::Read, options.slow - 2 * slow),
    ];
    let crowd = (options.idle + options.slow) as u64;
    raise_files(crowd + u64::from(options.connections))?;
    let folder = data_folder(options.server.data.as_deref())?;
    let server = start_server(options, &folder.path().join("data"))?;
    println!("{}, {}", today(), machine());
    println!(
        "{} orders/s open loop on {} connections; client and server share the cores, the crowd's own \
         thread at the lowest priority (nice {LEAST_PRIORITY}): it stands for other machines",
        options.rate, options.connections
    );
    let usually = Duration::from_secs(options.seconds.div_ceil(6));
    let (mut usual, usual_ns) = spent(&server, || buy(options, &server, usually, 1))?;
    let crowd = Bad::gather(server.address, &counts)?;
    let with_crowd = Duration::from_secs(options.seconds);
    let (crowded, crowded_ns) = spent(&server, || buy(options, &server, with_crowd, 2))?;
    let most_open = connections(&server)?;
    let Counted { ended, kernel_bytes, cpu_ns } = crowd.stop();
    let gone = gone(&server, options)?;
    // A disk is not the same all the time: half of the usual is measured after the crowd.
    usual.add(buy(options, &server, usually, 3)?);
    println!(
        "{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>16}",
        "ms", "orders", "p50", "p99", "p99.9", "max", "worst second p99"
    );
    for (name, felt) in [("usual", &usual), ("crowded", &crowded)] {
        let at = |quantile| felt.all.value_at_quantile(quantile) as f64 / 1e6;
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(at);
        let worst = felt.seconds.iter().map(|second| second.value_at_quantile(0.99)).max();
        let worst = worst.unwrap_or(0) as f64 / 1e6;
        let orders = felt.all.len();
        println!(
            "{name:<12} {orders:>9} {p50:>9.3} {p99:>9.3} {p999:>9.3} {max:>9.3} {worst:>16.3}"
        );
    }
    let of_a_core = |ns: u64, lasts: Duration| 100.0 * ns as f64 / lasts.as_nanos() as f64;
    println!(
        "CPU, of a core: the server {:.1} % usually and {:.1} % with the crowd; the crowd itself \
         {:.1} %",
        of_a_core(usual_ns, usually),
        of_a_core(crowded_ns, with_crowd),
        of_a_core(cpu_ns, with_crowd)
    );
    let p99 = |felt: &Felt| felt.all.value_at_quantile(0.99) as f64;
    let ratio = p99(&crowded) / p99(&usual).max(1.0);
    println!("{:<12} {:>9} {:>9}", "crowd", "there", "ended");
    for ((kind, count), ended) in counts.iter().zip(ended) {
        println!("{:<12} {count:>9} {ended:>9}", kind.as_str());
    }
    let holds = [
        (
            ratio <= P99_RATIO_MAX,
            format!("p99 with the crowd {ratio:.2}x of the usual, at most 2x"),
        ),
        (
            gone.is_some_and(|took| took <= gone_by(options)),
            gone.map_or_else(
                || "the crowd is not gone by its limits".to_owned(),
                |took| {
                    format!(
                        "the last of the crowd gone {:.1} s after nobody came any more",
                        took.as_secs_f64()
                    )
                },
            ),
        ),
        (
            true,
            format!(
                "{most_open} connections open at the end, the server's memory {} MiB; at most {} \
                 MiB of the kernel's in sockets",
                server.resident_bytes()? / (1024 * 1024),
                kernel_bytes / (1024 * 1024)
            ),
        ),
    ];
    for (holds, what) in &holds {
        println!("{} {what}", if *holds { "  " } else { "NO" });
    }
    let missed = holds.iter().filter(|(holds, _)| !holds).count();
    if options.strict && missed > 0 { Err(BenchError::BarsMissed { missed }) } else { Ok(()) }
}

/// What it gives, and the CPU time of the server meanwhile.
fn spent<T>(
    server: &Server,
    doing: impl FnOnce() -> Result<T, BenchError>,
) -> Result<(T, u64), BenchError> {
    let before_ns = server.cpu_ns()?;
    let done = doing()?;
    Ok((done, server.cpu_ns()? - before_ns))
}

/// A crowd needs a descriptor each, here and in the server, which raises its own limit.
pub(crate) fn raise_files(connections: u64) -> Result<(), BenchError> {
    let needed = connections + OWN_FILES;
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    if allowed < needed {
        return Err(BenchError::Usage(format!(
            "the system allows {allowed} open files a process (ulimit -Hn) and this crowd needs \
             {needed}: raise that, or ask for fewer connections"
        )));
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|errno| BenchError::Io {
        operation: "raise the limit of open files".to_owned(),
        cause: errno.into(),
    })
}

fn start_server(options: &Options, data: &std::path::Path) -> Result<Server, BenchError> {
    let mut command = start::command(options.server.binary.as_deref(), "group", data)?;
    for name in ["HEADER_TIMEOUT_MS", "BODY_TIMEOUT_MS", "WRITE_TIMEOUT_MS"] {
        command.env(format!("DOORBUSTER_HTTP_{name}"), options.limit_ms.to_string());
    }
    command.env("DOORBUSTER_HTTP_IDLE_MS", (3 * options.limit_ms).to_string());
    let server = Server::start("doorbuster group", &mut command)?;
    load::put_sku(server.address, &server.protocol, load::SKU, load::STOCK)?;
    Ok(server)
}

fn buy(options: &Options, server: &Server, lasts: Duration, run: u64) -> Result<Felt, BenchError> {
    let orders = buyers::Orders { rate: options.rate, connections: options.connections, run };
    buyers::buy(server.address, orders, lasts)
}

/// Open connections, as the server counts them.
fn connections(server: &Server) -> Result<u64, BenchError> {
    let ask = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec();
    let answer = load::ask(server.address, &server.protocol, ask)?;
    let text = String::from_utf8_lossy(&answer);
    let row = text.lines().find_map(|line| line.strip_prefix("doorbuster_connections "));
    row.and_then(|count| count.trim().parse().ok()).ok_or_else(|| load::unexpected(&answer))
}

/// When everybody must be gone once nobody comes any more.
fn gone_by(options: &Options) -> Duration {
    Duration::from_millis(3 * options.limit_ms) + GONE_GRACE
}

/// How long until only the one that asks is left; none if that takes for ever.
fn gone(server: &Server, options: &Options) -> Result<Option<Duration>, BenchError> {
    let begun = now();
    while connections(server)? > 1 {
        if begun.elapsed() > gone_by(options) + PATIENCE {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Some(begun.elapsed()))
}
