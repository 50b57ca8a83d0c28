//! `report merge`: several generators of one run, as one report.
//!
//! Owns what it means to add reports up: histograms are added value by value, second by second of
//! the wall clock, so percentiles are those of all requests and never averages of percentiles.
//! Clocks of generators are taken as they are. Next: `files`.

use super::files;
use super::series::add;
use super::summary::{Check, Compared, Conditions, Recording, Sends, Summary};
use crate::error::BenchError;
use std::path::{Path, PathBuf};

/// Reads folders and writes their sum.
pub(crate) fn run(folders: &[PathBuf], out: &Path) -> Result<(), BenchError> {
    let read: Result<Vec<_>, _> = folders.iter().map(|folder| files::read(folder)).collect();
    let (summary, recording) = sum(read?)?;
    files::write(out, &summary, &recording)?;
    println!("{} reports of {} requests in {}", folders.len(), summary.all.count, out.display());
    Ok(())
}

fn sum(reports: Vec<(Summary, Recording)>) -> Result<(Summary, Recording), BenchError> {
    let first = reports.iter().min_by_key(|(summary, _)| summary.conditions.started_at_ms);
    let Some((first, _)) = first else {
        return Err(BenchError::Usage("name at least one report".to_owned()));
    };
    let mut conditions = Conditions {
        commands: Vec::new(),
        rate_per_s: 0.0,
        cut_after_s: None,
        connections: 0,
        ..first.conditions.clone()
    };
    let mut sum = Recording::new(first.sends.late_after_us);
    let mut check = Check::default();
    for (summary, recording) in &reports {
        let after_ms = summary.conditions.started_at_ms - conditions.started_at_ms;
        let shift = (after_ms + 500) / 1000;
        add_recording(&mut sum, recording, shift);
        add_check(&mut check, &summary.check);
        let own = &summary.conditions;
        conditions.commands.extend(own.commands.iter().cloned());
        conditions.rate_per_s += own.rate_per_s;
        conditions.connections += own.connections;
        let end_s = shift as f64 + own.duration_s;
        conditions.duration_s = conditions.duration_s.max(end_s);
        if let Some(after_s) = own.cut_after_s {
            // Up to the last of them somebody sent.
            let cut_s = conditions.cut_after_s.unwrap_or(0.0).max(shift as f64 + after_s);
            conditions.cut_after_s = Some(cut_s);
        }
    }
    let summary = sum.summary(conditions, check);
    Ok((summary, sum))
}

fn add_recording(sum: &mut Recording, other: &Recording, shift: u64) {
    for (outcome, series) in &other.outcomes {
        let own = sum.outcomes.entry(*outcome).or_default();
        for second in series.seconds() {
            if let Some(measured) = series.second(second) {
                own.add(second + shift, &measured);
            }
        }
    }
    add(&mut sum.from_send, &other.from_send);
    add(&mut sum.lag, &other.lag);
    for (code, count) in &other.codes {
        *sum.codes.entry(code.clone()).or_default() += count;
    }
    for (second, starts) in &other.starts {
        let own = sum.starts.entry(second + shift).or_default();
        own.iter_mut().zip(starts).for_each(|(own, other)| *own += other);
    }
    let Sends { intended, sent, late, late_after_us, dropped } = other.sends;
    sum.sends.intended += intended;
    sum.sends.sent += sent;
    sum.sends.late += late;
    sum.sends.late_after_us = sum.sends.late_after_us.max(late_after_us);
    sum.sends.dropped += dropped;
}

fn add_check(sum: &mut Check, other: &Check) {
    sum.not_made = sum.not_made.take().or_else(|| other.not_made.clone());
    sum.differences += other.differences;
    sum.examples.extend(other.examples.iter().cloned());
    for Compared { what, count, differences } in &other.compared {
        match sum.compared.iter_mut().find(|own| own.what == *what) {
            Some(own) => {
                own.count += count;
                own.differences += differences;
            }
            None => sum.compared.push(Compared {
                what: what.clone(),
                count: *count,
                differences: *differences,
            }),
        }
    }
}
