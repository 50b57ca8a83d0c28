//! `report diff`: two reports side by side, with what changed, and what makes them hard to compare.

use super::plot::{duration, number};
use super::summary::{Conditions, Latency, Summary};
use super::{files, outcome::Outcome};
use crate::error::BenchError;
use std::path::Path;

/// Prints the second against the first.
pub(crate) fn run(one: &Path, other: &Path) -> Result<(), BenchError> {
    let ((one, _), (other, _)) = (files::read(one)?, files::read(other)?);
    for line in lines(&one, &other) {
        println!("{line}");
    }
    Ok(())
}

fn lines(one: &Summary, other: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, before, after) in conditions(&one.conditions, &other.conditions) {
        lines.push(format!("not alike: {name} was {before}, is {after}"));
    }
    let columns = ["outcome", "what", "before", "after", "change"];
    lines.push(row(columns.map(str::to_owned)));
    let outcomes = Outcome::ALL.iter().map(|outcome| {
        let of = |summary: &Summary| summary.outcomes.get(outcome.name()).copied();
        (outcome.name(), of(one), of(other))
    });
    let all = [
        ("all", Some(one.all), Some(other.all)),
        ("from_send", Some(one.from_send), Some(other.from_send)),
        ("lag", Some(one.lag), Some(other.lag)),
    ];
    for (name, before, after) in outcomes.chain(all) {
        if before.is_some() || after.is_some() {
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            lines.extend(latencies(name, &before, &after));
        }
    }
    let (before, after) = (one.sends.dropped, other.sends.dropped);
    lines.push(compared("sends", "dropped", before as f64, after as f64, number));
    lines
}

fn latencies(name: &str, before: &Latency, after: &Latency) -> Vec<String> {
    type Named = (&'static str, fn(&Latency) -> f64);
    let times: [Named; 5] = [
        ("p50", |latency| latency.p50_us),
        ("p90", |latency| latency.p90_us),
        ("p99", |latency| latency.p99_us),
        ("p99.9", |latency| latency.p99_9_us),
        ("max", |latency| latency.max_us),
    ];
    let count = compared(name, "count", before.count as f64, after.count as f64, number);
    let times = times.map(|(what, of)| compared(name, what, of(before), of(after), duration));
    std::iter::once(count).chain(times).collect()
}

fn compared(name: &str, what: &str, before: f64, after: f64, show: fn(f64) -> String) -> String {
    let change = match before {
        0.0 => "-".to_owned(),
        before => format!("{:+.1} %", (after - before) / before * 100.0),
    };
    row([name.to_owned(), what.to_owned(), show(before), show(after), change])
}

fn row([name, what, before, after, change]: [String; 5]) -> String {
    format!("{name:<12} {what:<6} {before:>14} {after:>14} {change:>12}")
}

/// What should be the same in both.
fn conditions(one: &Conditions, other: &Conditions) -> Vec<(&'static str, String, String)> {
    let of = |own: &Conditions| {
        [
            ("the scenario", own.scenario.clone()),
            ("the schedule", own.schedule.clone()),
            ("the rate", number(own.rate_per_s)),
            ("the duration", number(own.duration_s)),
            ("the number of connections", own.connections.to_string()),
            ("the durability", own.durability.clone()),
            ("the seed", own.seed.to_string()),
            ("the CPU", format!("{} cores, {}", own.machine.cores, own.machine.cpu)),
            ("the kernel", own.machine.kernel.clone()),
            ("sharing the machine", own.shared_machine.to_string()),
        ]
    };
    let pairs = of(one).into_iter().zip(of(other));
    pairs
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, before), (_, after))| (name, before, after))
        .collect()
}
