//! Runs seeds: many, with a table at the end, or one, step by step.
//!
//! `--seeds 100000` runs so many from `--first`; `--seed 17 --trace` shows one; with `--restores
//! 1000` old copies of the directory are put back all the time, so often in all; with
//! `--replicated` another machine has a copy of the journal; with `--nodes 3` so many nodes run, each
//! with a disk and a clock of its own. Ends with 1 where something was found,
//! and with the line that shows it again. `--until-found` says what finds something first, for the
//! hunt of `tests/mutants`. Next: `lib`.

use clap::Parser;
use doorbuster_sim::{
    Lie, Options, PUT_BACK, Plan, Report, Tally, nodes, rerun_line, run_plan, search,
};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The simulator.
#[derive(Parser)]
struct Arguments {
    /// Runs so many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Runs this seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// Shows every step of it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Runs until old copies of the directory were put back so often, in every run again and again.
    #[arg(long)]
    restores: Option<u64>,
    /// Runs on two machines: the copy lags, stands still, vanishes, comes back, and takes over.
    #[arg(long, conflicts_with = "restores")]
    replicated: bool,
    /// Runs so many nodes with one history, which take over from one another.
    #[arg(long, conflicts_with_all = ["restores", "replicated", "lie"],
        value_parser = clap::value_parser!(u8).range(2..=3))]
    nodes: Option<u8>,
    /// Ends with the first that finds something, drills before seeds.
    #[arg(long, conflicts_with_all = ["seed", "restores"])]
    until_found: bool,
    /// Runs on a disk that lies.
    #[arg(long)]
    lie: Option<Lie>,
    /// Threads [default: as many as there are cores].
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.until_found {
        return until_found(&arguments);
    }
    match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    }
}

fn plan(seed: u64, arguments: &Arguments) -> Plan {
    match arguments.restores {
        Some(_) => Plan::restored(seed),
        None if arguments.replicated => Plan::replicated(seed),
        None => Plan::new(seed),
    }
}

fn options(arguments: &Arguments) -> Options {
    let Arguments { trace: print, lie, replicated, nodes, .. } = *arguments;
    Options { print, replicated, lie, nodes }
}

fn run(seed: u64, arguments: &Arguments) -> Report {
    let options = options(arguments);
    match options.nodes {
        Some(nodes) => nodes::run(seed, nodes.into(), options),
        None => run_plan(plan(seed, arguments), seed, options),
    }
}

fn one(seed: u64, arguments: &Arguments) -> ExitCode {
    let report = run(seed, arguments);
    println!("seed {seed} trace {:016x}", report.hash);
    print!("{}", report.tally);
    match report.violation {
        None => ExitCode::SUCCESS,
        Some(found) => {
            println!("found: {}\n{}", found.rule, found.detail);
            ExitCode::FAILURE
        }
    }
}

fn until_found(arguments: &Arguments) -> ExitCode {
    let seeds = arguments.first..=(arguments.first + arguments.seeds).saturating_sub(1);
    let threads = arguments.threads.unwrap_or_else(cores);
    match search(seeds, threads, options(arguments)) {
        None => {
            println!("{} seeds found nothing", arguments.seeds);
            ExitCode::SUCCESS
        }
        Some(found) => {
            match found.seed {
                None => println!("found: {}", found.rule),
                Some(seed) => println!("found: {} (seed {seed})", found.rule),
            }
            ExitCode::FAILURE
        }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[derive(Default)]
struct Sum {
    runs: u64,
    tally: Tally,
    simulated_us: u64,
    hash: u64,
    found: Vec<Report>,
}

fn many(arguments: &Arguments) -> ExitCode {
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    let over = || {
        let sum = sum.lock().expect("no thread panicked");
        arguments.restores.is_some_and(|restores| sum.tally.of(PUT_BACK) >= restores)
    };
    let looked_at = std::io::stderr().is_terminal();
    thread::scope(|scope| {
        for _ in 0..arguments.threads.unwrap_or_else(cores) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.seeds || over() {
                        return;
                    }
                    if looked_at && number.is_multiple_of(100) {
                        eprint!("\r{number} of {} seeds ", arguments.seeds);
                        let _ = std::io::stderr().flush();
                    }
                    let seed = arguments.first + number;
                    take(&sum, run(seed, arguments));
                }
            });
        }
    });
    let mut sum = sum.into_inner().expect("no thread panicked");
    sum.found.sort_by_key(|report| report.seed);
    println!("{} seeds from {}", sum.runs, arguments.first);
    println!("{} simulated seconds, all traces {:016x}", sum.simulated_us / 1_000_000, sum.hash);
    print!("{}", sum.tally);
    for report in sum.found.iter().take(20) {
        let found = report.violation.as_ref().expect("it was kept for that");
        let again = rerun_line(report.seed);
        let plan = match (arguments.restores, arguments.nodes) {
            (Some(_), _) => " --restores 1".to_owned(),
            (_, Some(nodes)) => format!(" --nodes {nodes}"),
            _ if arguments.replicated => " --replicated".to_owned(),
            _ => String::new(),
        };
        let lie = arguments.lie.map_or(String::new(), |lie| format!(" --lie {lie:?}"));
        println!("found: {}\n{}\n  {again}{plan}{lie}", found.rule, found.detail);
    }
    println!("{} seeds found something", sum.found.len());
    if sum.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The order in which runs end must not show.
fn take(sum: &Mutex<Sum>, report: Report) {
    let mut sum = sum.lock().expect("no thread panicked");
    sum.runs += 1;
    sum.tally.take(&report.tally);
    sum.simulated_us += report.simulated_us;
    sum.hash = sum.hash.wrapping_add(report.hash ^ report.seed.rotate_left(32));
    if report.violation.is_some() {
        sum.found.push(report);
    }
}
