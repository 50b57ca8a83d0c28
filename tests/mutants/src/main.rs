//! Hunts the mutants and prints a table of what found each. Ends with 1 where one was not found.
//!
//! `cargo run -p doorbuster-mutants` hunts all of them, `-- WakeLost` that one. With `--minutes 15`
//! it begins with another one each day and begins none after that time, so that in the end each has
//! its turn. Next: `lib`.

use clap::Parser;
use doorbuster_mutants::hunt::{HuntError, Simulator};
use doorbuster_mutants::mutant::Mutant;
use doorbuster_mutants::table;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// From the first of one day to that of the next. A prime beyond any count of mutants, so that each
/// is first once in as many days as there are mutants.
const STRIDE: u64 = 104_729;

/// The hunt.
#[derive(Parser)]
struct Arguments {
    /// Hunts these only.
    names: Vec<String>,
    /// Runs so many seeds against each, or fewer.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// Begins with no further one after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
}

fn main() -> ExitCode {
    match hunt(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn hunt(arguments: &Arguments) -> Result<bool, HuntError> {
    let mutants = table::mutants();
    let Some(chosen) = chosen(&mutants, arguments) else { return Ok(false) };
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let root = root.canonicalize().map_err(io_error("the workspace"))?;
    let own = std::env::current_exe().map_err(io_error("this program"))?;
    // Cargo's folder / profile / this program.
    let target = own.ancestors().nth(2).expect("Cargo keeps programs two folders deep");
    let begun = now();
    let simulator = Simulator::build(&root, target, &mutants)?;
    eprintln!("all mutants built in {:.0} s", since(begun).as_secs_f64());
    simulator.check_control(&root)?;
    println!("| mistake | what it is | found by | seeds | seconds |");
    println!("|---|---|---|---|---|");
    let (mut all, mut left) = (true, Vec::new());
    for (number, mutant) in chosen {
        let over = |minutes| since(begun) > Duration::from_secs(60 * minutes);
        if arguments.minutes.is_some_and(over) {
            left.push(mutant.name);
            continue;
        }
        let from = now();
        let found = simulator.hunt(number, mutant, arguments.seeds)?;
        all &= found.is_some();
        let (name, mistake, seconds) = (mutant.name, mutant.mistake, since(from).as_secs_f64());
        let (by, seeds) = match &found {
            None => ("NOT FOUND", arguments.seeds),
            Some(found) => (found.by.as_str(), found.seeds),
        };
        println!("| {name} | {mistake} | {by} | {seeds} | {seconds:.1} |");
    }
    if !left.is_empty() {
        println!("left for another day: {}", left.join(", "));
    }
    Ok(all)
}

/// Those that are to be hunted, with their numbers, in the order of this day; none where a name is
/// unknown.
fn chosen<'a>(mutants: &'a [Mutant], arguments: &Arguments) -> Option<Vec<(usize, &'a Mutant)>> {
    let known = |name: &&String| !mutants.iter().any(|mutant| mutant.name == **name);
    if let Some(unknown) = arguments.names.iter().find(known) {
        let names: Vec<_> = mutants.iter().map(|mutant| mutant.name).collect();
        eprintln!("there is no {unknown}; there are: {}", names.join(", "));
        return None;
    }
    let asked = |mutant: &Mutant| arguments.names.iter().any(|name| name == mutant.name);
    let all = mutants.iter().enumerate();
    let mut chosen: Vec<_> =
        all.filter(|(_, mutant)| arguments.names.is_empty() || asked(mutant)).collect();
    if arguments.minutes.is_some() {
        let first = now().as_secs() / DAY_SECONDS * STRIDE % chosen.len() as u64;
        chosen.rotate_left(usize::try_from(first).expect("less than a count"));
    }
    Some(chosen)
}

fn io_error(what: &str) -> impl FnOnce(std::io::Error) -> HuntError {
    let what = what.to_owned();
    |cause| HuntError::Io { what, cause }
}

#[expect(clippy::disallowed_methods, reason = "how long the hunt takes, and which day it is")]
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn since(begun: Duration) -> Duration {
    now().saturating_sub(begun)
}
