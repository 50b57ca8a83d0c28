//! The rules of a cluster in every order within bounds, and at random; with `--mistakes` each rule
//! broken on purpose, as a table.
//!
//! Ends with 1 where something was found in the rules as they are, where the bounds left no room for
//! what they are about, or where a broken rule was not found. Next: `doorbuster_sim::cluster`.

use clap::Parser;
use doorbuster_sim::cluster::{Mistake, SWEEPS, Sweep, Walked, check, walk};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The model of the cluster.
#[derive(Parser)]
struct Arguments {
    /// Breaks each rule on purpose, or those that are named.
    #[arg(long, num_args = 0..)]
    mistakes: Option<Vec<String>>,
    /// Walks at random, after all orders within the bounds.
    #[arg(long, default_value_t = 50_000)]
    walks: u64,
    /// The first of their seeds.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds for each sweep, and for each broken rule.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
}

#[expect(clippy::disallowed_methods, reason = "what is printed says how long it took")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = match &arguments.mistakes {
        None => as_it_is(&arguments),
        Some(names) => broken(names, &arguments),
    };
    ExitCode::from(u8::from(!good))
}

fn as_it_is(arguments: &Arguments) -> bool {
    let begun = now();
    let mut good = true;
    for sweep in SWEEPS {
        let begun = now();
        let within = Duration::from_secs(arguments.seconds);
        let checked = check(sweep.bounds, None, arguments.threads, within);
        let whole = if checked.whole { "all" } else { "not all" };
        println!(
            "{}: {} states, {whole} within the bounds, {} steps deep, in {:.1} s",
            sweep.told,
            checked.states,
            checked.depth,
            begun.elapsed().as_secs_f64()
        );
        for name in &checked.never {
            println!("  never: {name}");
        }
        if let Some((violation, steps)) = &checked.found {
            println!("  found: {violation}, by\n    {}", steps.join("\n    "));
        }
        good &= checked.whole && checked.never.is_empty();
    }
    println!("all orders within the bounds: {:.1} s", begun.elapsed().as_secs_f64());
    good & walks(arguments)
}

fn walks(arguments: &Arguments) -> bool {
    let begun = now();
    let (mut answered, mut epochs) = (0_usize, 0_u64);
    for seed in arguments.first..arguments.first + arguments.walks {
        let walked = walk(seed, None);
        if let Some(violation) = walked.found {
            println!("found: {violation}, by the walk of seed {seed}:");
            println!("    {}", walked.steps.join("\n    "));
            return false;
        }
        answered += walked.answered;
        epochs += u64::from(walked.epochs);
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{} walks at random: nothing, {answered} records answered, {epochs} epochs, in {took:.1} s",
        arguments.walks
    );
    true
}

fn broken(names: &[String], arguments: &Arguments) -> bool {
    println!("| rule | broken so | found by all orders | after states | by walks | after |");
    println!("|---|---|---|---:|---|---:|");
    let mut all = true;
    for mistake in Mistake::ALL {
        let name = format!("{mistake:?}");
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let (by_model, states) = model_finds(*mistake, arguments);
        let (by_walk, count) = walk_finds(*mistake, arguments);
        all &= by_model.is_some() || by_walk.is_some();
        println!(
            "| ({}) `{name}` | {} | {} | {states} | {} | {count} |",
            mistake.rule(),
            mistake.told(),
            by_model.unwrap_or_else(|| "-".to_owned()),
            by_walk.unwrap_or_else(|| "-".to_owned()),
        );
    }
    all
}

/// What the first sweep that finds it says, and the states that were seen until then.
fn model_finds(mistake: Mistake, arguments: &Arguments) -> (Option<String>, String) {
    let within = Duration::from_secs(arguments.seconds);
    let mut states = 0;
    for Sweep { bounds, .. } in SWEEPS {
        let checked = check(*bounds, Some(mistake), arguments.threads, within);
        states += checked.states;
        if let Some((violation, _)) = checked.found {
            return (Some(violation.to_string()), states.to_string());
        }
    }
    (None, states.to_string())
}

fn walk_finds(mistake: Mistake, arguments: &Arguments) -> (Option<String>, String) {
    let begun = now();
    for seed in arguments.first.. {
        let Walked { found, .. } = walk(seed, Some(mistake));
        let count = seed - arguments.first + 1;
        if let Some(violation) = found {
            return (Some(violation.to_string()), count.to_string());
        }
        if begun.elapsed() >= Duration::from_secs(arguments.seconds) {
            return (None, count.to_string());
        }
    }
    (None, String::new())
}
