//! What lies in a report's folder, written and read back.
//!
//! Owns names and formats: `report.html`, `summary.json`, and for each outcome and for `all`,
//! `from_send` and `lag` an HdrHistogram percentile text (`.hgrm`, microseconds) and, by second, an
//! HdrHistogram log (`.hlog`, nanoseconds; the maximum in milliseconds). Next: `html`, `merge`.

use super::html;
use super::outcome::Outcome;
use super::series::{Series, add};
use super::summary::{FORMAT, Recording, Summary};
use crate::error::{BenchError, io_error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Percentiles from one halving of the distance to 100 % to the next.
const TICKS_PER_HALVING: u32 = 5;

pub(crate) const FROM_SEND: &str = "from_send";
pub(crate) const LAG: &str = "lag";
const ALL: &str = "all";

/// What every report has.
const ALWAYS: [&str; 2] = ["summary.json", "report.html"];

/// Refuses a folder in which a report lies, unless it may be written over.
pub(crate) fn check_free(folder: &Path, force: bool) -> Result<(), BenchError> {
    if !force && ALWAYS.iter().any(|name| folder.join(name).exists()) {
        let folder = folder.display();
        let text = format!("{folder} holds a report already; name another folder, or say --force");
        return Err(BenchError::Usage(text));
    }
    Ok(())
}

/// Writes everything into a folder, which is made if it is not there.
pub(crate) fn write(
    folder: &Path,
    summary: &Summary,
    recording: &Recording,
) -> Result<(), BenchError> {
    fs::create_dir_all(folder).map_err(io_error(format!("make {}", folder.display())))?;
    let put = |name: &str, bytes: &[u8]| {
        let file = folder.join(name);
        fs::write(&file, bytes).map_err(io_error(format!("write {}", file.display())))
    };
    let mut all = Series::default();
    for (outcome, series) in &recording.outcomes {
        for second in series.seconds() {
            if let Some(measured) = series.second(second) {
                all.add(second, &measured);
            }
        }
        put(&format!("{}.hgrm", outcome.name()), percentile_text(&series.total()).as_bytes())?;
        put(&format!("{}.hlog", outcome.name()), &log(summary, outcome.name(), series))?;
    }
    put("all.hgrm", percentile_text(&all.total()).as_bytes())?;
    put("all.hlog", &log(summary, ALL, &all))?;
    for (name, histogram) in [(FROM_SEND, &recording.from_send), (LAG, &recording.lag)] {
        put(&format!("{name}.hgrm"), percentile_text(histogram).as_bytes())?;
        // Not by second: one interval, for `merge` to read back.
        let mut whole = Series::default();
        whole.add(0, histogram);
        put(&format!("{name}.hlog"), &log(summary, name, &whole))?;
    }
    let json = serde_json::to_vec_pretty(summary).expect("numbers and text are JSON");
    put("summary.json", &json)?;
    put("report.html", html::page(summary, recording).as_bytes())
}

/// The percentile text of HdrHistogram, which its plotter reads: value in microseconds,
/// percentile, count so far, 1/(1-percentile).
pub(crate) fn percentile_text(ns: &Histogram<u64>) -> String {
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("a string takes text");
        text.push('\n');
    };
    let columns = ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"];
    let [value, percentile, count, inverse] = columns;
    line(format_args!("{value:>12} {percentile:>14} {count:>10} {inverse:>14}\n"));
    let us = |ns: u64| ns as f64 / 1e3;
    let mut so_far = 0;
    for step in ns.iter_quantiles(TICKS_PER_HALVING) {
        so_far += step.count_since_last_iteration();
        if so_far == 0 {
            // Below the fastest there is nothing to say.
            continue;
        }
        let (value, at) = (us(step.value_iterated_to()), step.quantile_iterated_to());
        if at < 1.0 {
            let inverse = 1.0 / (1.0 - at);
            line(format_args!("{value:>12.3} {at:>14.12} {so_far:>10} {inverse:>14.2}"));
        } else {
            line(format_args!("{value:>12.3} {at:>14.12} {so_far:>10}"));
        }
    }
    let (mean, deviation) = (ns.mean() / 1e3, ns.stdev() / 1e3);
    line(format_args!("#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]"));
    let (max, total) = (us(ns.max()), ns.len());
    line(format_args!("#[Max     = {max:>12.3}, Total count    = {total:>12}]"));
    let buckets = (ns.high().max(2048) / 2048).ilog2() + 1;
    line(format_args!("#[Buckets = {buckets:>12}, SubBuckets     = {:>12}]", 2048));
    text
}

fn log(summary: &Summary, name: &str, series: &Series) -> Vec<u8> {
    let started = SystemTime::UNIX_EPOCH + Duration::from_millis(summary.conditions.started_at_ms);
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Latency in nanoseconds by second of the intended start; maximum in ms]")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut bytes, &mut serializer)
        .expect("memory takes all bytes");
    for second in series.seconds() {
        if let Some(measured) = series.second(second) {
            let (start, length) = (Duration::from_secs(second), Duration::from_secs(1));
            log.write_histogram(&measured, start, length, Tag::new(name))
                .expect("memory takes all bytes");
        }
    }
    bytes
}

/// Reads a folder back.
pub(crate) fn read(folder: &Path) -> Result<(Summary, Recording), BenchError> {
    let wrong = |file: &str, cause: String| BenchError::NotAReport {
        file: folder.join(file).display().to_string(),
        cause,
    };
    let get = |name: &str| {
        let file = folder.join(name);
        fs::read(&file).map_err(io_error(format!("read {}", file.display())))
    };
    let summary: Summary = serde_json::from_slice(&get("summary.json")?)
        .map_err(|cause| wrong("summary.json", cause.to_string()))?;
    if summary.format != FORMAT {
        return Err(wrong("summary.json", format!("is of format {}", summary.format)));
    }
    let series = |name: &str| {
        let file = format!("{name}.hlog");
        read_log(&get(&file)?).map_err(|cause| wrong(&file, cause))
    };
    let mut recording = Recording::new(summary.sends.late_after_us);
    for outcome in Outcome::ALL {
        if summary.outcomes.contains_key(outcome.name()) {
            recording.outcomes.insert(outcome, series(outcome.name())?);
        }
    }
    add(&mut recording.from_send, &series(FROM_SEND)?.total());
    add(&mut recording.lag, &series(LAG)?.total());
    recording.codes = summary.codes.clone();
    recording.sends = summary.sends;
    for row in &summary.seconds {
        recording.starts.insert(row.second, [row.intended, row.late, row.dropped]);
    }
    Ok((summary, recording))
}

fn read_log(bytes: &[u8]) -> Result<Series, String> {
    let (mut series, mut deserializer) = (Series::default(), Deserializer::new());
    for entry in IntervalLogIterator::new(bytes) {
        let entry = entry.map_err(|cause| format!("is no interval log: {cause:?}"))?;
        let LogEntry::Interval(interval) = entry else { continue };
        let packed = BASE64.decode(interval.encoded_histogram());
        let packed = packed.map_err(|cause| format!("has no histogram: {cause}"))?;
        let measured: Histogram<u64> = deserializer
            .deserialize(&mut &packed[..])
            .map_err(|cause| format!("has a damaged histogram: {cause}"))?;
        series.add(interval.start_timestamp().as_secs(), &measured);
    }
    Ok(series)
}
