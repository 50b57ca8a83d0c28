//! `report.html`: one file for people, also for those who never saw such a report.
//!
//! Owns words and order: first what happened, then how long it took, then whether to believe it,
//! then under what conditions. Fetches nothing and runs nothing. Next: `plot`.

use super::outcome::Outcome;
use super::plot::{Axis, Layer, Line, Plot, duration, escape, number};
use super::summary::{Check, Conditions, Latency, Recording, Summary};
use hdrhistogram::Histogram;
use std::fmt::Write;

/// Percentiles from one halving of the distance to 100 % to the next, in the curve.
const TICKS_PER_HALVING: u32 = 8;
/// A generator that is later than this makes latencies look longer than they are.
const LAG_US_MAX: f64 = 1_000.0;
const INK: &str = "#222222";

const STYLE: &str = "
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:960px;
margin:2em auto;padding:0 1em}
h1{font-size:1.6em;margin-bottom:0}h2{font-size:1.2em;margin-top:2em}
p,li{max-width:75ch}.sub{color:#555;margin-top:.2em}
table{border-collapse:collapse;margin:.7em 0;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25em .5em;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}
th{color:#555;font-weight:600}th:first-child,td:first-child{text-align:left;white-space:normal}
table.conditions td{text-align:left;white-space:normal}table.conditions td:first-child{white-space:nowrap;color:#555}
td i{display:inline-block;width:.8em;height:.8em;margin-right:.5em;border-radius:2px}
figure{margin:.8em 0}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#444}
svg .title{font-weight:600}svg .grid{stroke:#e4e4e4}svg line.mark{stroke:#222;stroke-dasharray:2 3}
svg text.mark{fill:#222;stroke:#fff;stroke-width:3px;paint-order:stroke}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2em 1.4em;padding:0 0 0 5em;margin:0}
.legend i{display:inline-block;width:1.6em;margin-right:.5em;vertical-align:middle}
.good,.bad{padding:.6em .9em;border-left:5px solid;max-width:75ch}
.good{border-color:#009e73;background:#eefaf5}.bad{border-color:#d55e00;background:#fdf1ea}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
@media (max-width:640px){body{font-size:14px;margin:.5em auto;padding:0 .6em}
h1{font-size:1.3em;overflow-wrap:anywhere}p,li,td,.good,.bad{overflow-wrap:anywhere}
table{display:block;overflow-x:auto;font-size:12px}th,td{padding:.25em .35em}
th:first-child,td:first-child{min-width:9em}table.conditions td:first-child{white-space:normal;min-width:7em}
figure{overflow-x:auto}svg text{font-size:20px}.legend{padding:0}}";

/// What a run says that was ended before its time.
fn cut(conditions: &Conditions) -> String {
    let Some(after_s) = conditions.cut_after_s else { return String::new() };
    format!(
        "<p class=\"bad\">The run was cut after {after_s:.1} s of {} s: what is here is what was sent \
         until then.</p>\n",
        number(conditions.duration_s)
    )
}

pub(crate) fn page(summary: &Summary, recording: &Recording) -> String {
    let conditions = &summary.conditions;
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\
         <title>Doorbuster under load: {scenario}</title><style>{STYLE}</style></head><body>\n\
         <h1>Doorbuster under load: {scenario}</h1>\n\
         <p class=\"sub\">{} schedule, peak {} requests a second for {} s over {} connections, \
         durability <b>{}</b>, {}</p>\n",
        escape(&conditions.schedule),
        number(conditions.rate_per_s),
        number(conditions.duration_s),
        number(conditions.connections as f64),
        escape(&conditions.durability),
        escape(&conditions.started_at),
        scenario = escape(&conditions.scenario),
    );
    page.push_str(&cut(conditions));
    page.push_str(&verdict(&summary.check));
    page.push_str(&doubts(summary));
    page.push_str(&outcomes(summary));
    page.push_str(&percentiles(summary, recording));
    page.push_str(&over_time(summary));
    page.push_str(&rates(summary));
    page.push_str(&trust(summary));
    page.push_str(&table_of_conditions(summary));
    page.push_str("</body></html>\n");
    page
}

fn verdict(check: &Check) -> String {
    if let Some(why) = &check.not_made {
        return format!(
            "<p class=\"bad\"><b>Not checked</b> against what the server holds: {}</p>\n",
            escape(why)
        );
    }
    if check.differences == 0 {
        return "<p class=\"good\"><b>What was answered is what the server holds.</b> Every order \
                that was promised is there, nothing was sold twice, and the counts of stock add \
                up; see below.</p>\n"
            .to_owned();
    }
    let examples: String =
        check.examples.iter().map(|example| format!("<li>{}</li>", escape(example))).collect();
    format!(
        "<div class=\"bad\"><b>{} differences</b> between what was answered and what the server \
         holds:<ul>{examples}</ul></div>\n",
        number(check.differences as f64)
    )
}

/// Why the numbers may flatter, or be worse than the server deserves.
fn doubts(summary: &Summary) -> String {
    let mut text = String::new();
    let mut doubt = |sentence: String| {
        writeln!(text, "<p class=\"bad\">{sentence}</p>").expect("a string takes text");
    };
    let (sends, lag) = (&summary.sends, &summary.lag);
    if sends.dropped > 0 {
        doubt(format!(
            "<b>{} requests were never sent</b> because no connection was free in time. They have \
             no latency, so the percentiles below are better than what the crowd went through.",
            number(sends.dropped as f64)
        ));
    }
    if lag.p99_us > LAG_US_MAX {
        doubt(format!(
            "<b>The generator was late itself</b>: one request in a hundred was taken up {} or \
             more after its time. Part of the latencies below is the generator's.",
            duration(lag.p99_us)
        ));
    }
    text
}

fn outcomes(summary: &Summary) -> String {
    let mut text = "<h2>What became of the requests</h2>\n<p>Each outcome has its own latencies: \
        a refusal is quick and must not make a sale look fast. Latency is counted from the moment \
        a request was <i>meant</i> to start, so time spent waiting for a busy server counts.</p>\n\
        <table><tr><th>outcome</th><th>count</th><th>per second</th><th>p50</th><th>p90</th>\
        <th>p99</th><th>p99.9</th><th>max</th></tr>\n"
        .to_owned();
    let seconds = summary.conditions.duration_s.max(1e-9);
    let mut row = |name: &str, colour: &str, meaning: &str, latency: &Latency| {
        let times = [latency.p50_us, latency.p90_us, latency.p99_us, latency.p99_9_us];
        let times: String = times
            .into_iter()
            .chain([latency.max_us])
            .map(|us| format!("<td>{}</td>", duration(us)))
            .collect();
        writeln!(
            text,
            "<tr><td title=\"{meaning}\"><i style=\"background:{colour}\"></i>{name}: {meaning}\
             </td><td>{}</td><td>{}</td>{times}</tr>",
            number(latency.count as f64),
            number((latency.count as f64 / seconds).round())
        )
        .expect("a string takes text");
    };
    for outcome in Outcome::ALL {
        if let Some(latency) = summary.outcomes.get(outcome.name()) {
            row(outcome.name(), outcome.colour(), outcome.meaning(), latency);
        }
    }
    row("all", INK, "whatever became of it", &summary.all);
    text.push_str("</table>\n");
    if !summary.codes.is_empty() {
        let codes = summary.codes.iter();
        let codes: Vec<String> = codes
            .map(|(code, count)| format!("<code>{}</code> {}", escape(code), number(*count as f64)))
            .collect();
        writeln!(text, "<p>By code: {}.</p>", codes.join(", ")).expect("a string takes text");
    }
    text
}

/// Points of the curve by nines: the logarithm of 1/(1-percentile), and of microseconds.
fn curve(ns: &Histogram<u64>) -> Vec<(f64, f64)> {
    let last = (ns.len().max(1) as f64).log10();
    let steps = ns.iter_quantiles(TICKS_PER_HALVING);
    // The first step is at 0 %, below the fastest.
    steps
        .filter(|step| step.value_iterated_to() >= ns.min())
        .map(|step| {
            let left = 1.0 - step.quantile_iterated_to();
            let nines = if left > 0.0 { (-left.log10()).clamp(0.0, last) } else { last };
            (nines, (step.value_iterated_to().max(1) as f64 / 1e3).log10())
        })
        .collect()
}

fn percentiles(summary: &Summary, recording: &Recording) -> String {
    let all = recording.total();
    if all.is_empty() {
        return String::new();
    }
    let x = Axis::nines("share of requests that were answered at least this fast", all.len());
    let least = recording.from_send.min().min(all.min()) as f64 / 1e3;
    let y = Axis::latency("latency", least, summary.all.max_us);
    let line = |label: &str, colour, dashed, ns: &Histogram<u64>| Line {
        label: label.to_owned(),
        colour,
        dashed,
        points: curve(ns),
    };
    let mut plot = Plot::new(x, y).line(&line("all, from the intended start", INK, false, &all));
    if !recording.from_send.is_empty() {
        let label = "all, from the actual send (what a generator that waits would say)";
        plot = plot.line(&line(label, "#999999", true, &recording.from_send));
    }
    for (outcome, series) in &recording.outcomes {
        plot = plot.line(&line(outcome.name(), outcome.colour(), false, &series.total()));
    }
    format!(
        "<h2>How long it took</h2>\n<p>Read it like this: at 99 %, the curve's height is the \
         latency that one request in a hundred exceeded. Each step to the right is ten times \
         rarer. Where the dashed curve runs far below the black one, requests waited before they \
         could be sent; a crowd would have felt that.</p>\n{}",
        plot.finish("Latency by percentile")
    )
}

fn seconds_axis(summary: &Summary) -> Axis {
    let length = summary.seconds.len().max(1) as f64;
    let mut axis =
        Axis::linear("second of the run in which the request was meant to start", length);
    axis.to = length;
    axis.ticks.retain(|tick| tick.at <= length && tick.at.fract() == 0.0);
    axis
}

fn with_opening(plot: Plot, summary: &Summary) -> Plot {
    match summary.conditions.opening_s {
        Some(opening_s) => plot.mark(opening_s, "the sale opens"),
        None => plot,
    }
}

fn over_time(summary: &Summary) -> String {
    let measured: Vec<_> = summary.seconds.iter().filter(|row| row.max_us > 0.0).collect();
    let least = measured.iter().map(|row| row.p50_us).fold(f64::INFINITY, f64::min);
    if measured.is_empty() {
        return String::new();
    }
    let y = Axis::latency("latency", least, summary.all.max_us);
    let line = |label: &str, colour, of: fn(&super::summary::Second) -> f64| Line {
        label: label.to_owned(),
        colour,
        dashed: false,
        points: measured
            .iter()
            .map(|row| (row.second as f64 + 0.5, of(row).max(1.0).log10()))
            .collect(),
    };
    let plot = Plot::new(seconds_axis(summary), y)
        .line(&line("slowest", "#d55e00", |row| row.max_us))
        .line(&line("p99: one in a hundred was slower", "#e69f00", |row| row.p99_us))
        .line(&line("p50: half were slower", "#0072b2", |row| row.p50_us));
    format!(
        "<h2>Latency over time</h2>\n<p>Of all requests that were meant to start in a second. A \
         stall shows as a hill over the seconds it lasted.</p>\n{}",
        with_opening(plot, summary).finish("Latency over time")
    )
}

fn rates(summary: &Summary) -> String {
    let layer = |name: &str, colour, of: &dyn Fn(&super::summary::Second) -> u64| Layer {
        label: name.to_owned(),
        colour,
        heights: summary.seconds.iter().map(|row| of(row) as f64).collect(),
    };
    let mut layers: Vec<Layer> = Outcome::ALL
        .iter()
        .filter(|outcome| summary.outcomes.contains_key(outcome.name()))
        .map(|outcome| {
            let count = |row: &super::summary::Second| {
                row.outcomes.get(outcome.name()).copied().unwrap_or(0)
            };
            layer(outcome.name(), outcome.colour(), &count)
        })
        .collect();
    if summary.sends.dropped > 0 {
        layers.push(layer("never sent", "#000000", &|row| row.dropped));
    }
    let intended = summary.seconds.iter().map(|row| (row.second as f64 + 0.5, row.intended as f64));
    let intended: Vec<(f64, f64)> = intended.collect();
    let most = intended.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let line =
        Line { label: "meant to start".to_owned(), colour: INK, dashed: true, points: intended };
    let y = Axis::linear("requests a second", most);
    let plot = Plot::new(seconds_axis(summary), y).stack(&layers).line(&line);
    format!(
        "<h2>Requests a second by outcome</h2>\n{}",
        with_opening(plot, summary).finish("Requests a second by outcome")
    )
}

fn trust(summary: &Summary) -> String {
    let (sends, lag) = (&summary.sends, &summary.lag);
    let mut text = format!(
        "<h2>Whether to believe it</h2>\n<table class=\"conditions\">\
         <tr><td>meant to start</td><td>{} requests, follow-ups of winners included</td></tr>\
         <tr><td>sent</td><td>{}</td></tr>\
         <tr><td>sent late</td><td>{}, more than {} after their time; the wait is in their \
         latency</td></tr>\
         <tr><td>never sent</td><td>{}</td></tr>\
         <tr><td>the generator's own lag</td><td>p50 {}, p99 {}, max {}: how late it took a \
         request up; in its latency too</td></tr></table>\n",
        number(sends.intended as f64),
        number(sends.sent as f64),
        number(sends.late as f64),
        duration(sends.late_after_us as f64),
        number(sends.dropped as f64),
        duration(lag.p50_us),
        duration(lag.p99_us),
        duration(lag.max_us),
    );
    if summary.check.not_made.is_none() {
        text.push_str(
            "<p>After the run, what was answered was compared with what the server holds:</p>\n\
             <table><tr><th>compared</th><th>how many</th><th>differences</th></tr>\n",
        );
        for compared in &summary.check.compared {
            writeln!(
                text,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&compared.what),
                number(compared.count as f64),
                number(compared.differences as f64)
            )
            .expect("a string takes text");
        }
        text.push_str("</table>\n");
    }
    text
}

fn table_of_conditions(summary: &Summary) -> String {
    let conditions = &summary.conditions;
    let machine = &conditions.machine;
    let shared = if conditions.shared_machine {
        "on this machine too, sharing its cores with the generator"
    } else {
        "elsewhere"
    };
    let rows = [
        ("server", format!("Doorbuster {} at {}", conditions.server_version, conditions.url)),
        ("where it ran", shared.to_owned()),
        ("durability", format!("{}, epoch {}", conditions.durability, conditions.server_epoch)),
        ("generator", format!("doorbuster-bench {}", conditions.bench_version)),
        ("CPU", format!("{} cores, {}", machine.cores, machine.cpu)),
        ("memory", machine.memory.clone()),
        ("system", format!("{}, kernel {}", machine.system, machine.kernel)),
        ("started", conditions.started_at.clone()),
        (
            "stock",
            format!(
                "{} SKUs with {} units each",
                number(f64::from(conditions.skus)),
                number(conditions.stock_per_sku as f64)
            ),
        ),
        ("patience", format!("{} ms for an answer", number(conditions.timeout_ms as f64))),
        ("seed, run", format!("{}, {}", conditions.seed, conditions.run)),
        ("command", conditions.commands.join("\n")),
    ];
    let mut text = "<h2>Conditions</h2>\n<table class=\"conditions\">\n".to_owned();
    for (name, value) in rows {
        let value = escape(&value.replace('\n', " ; "));
        let value = if name == "command" { format!("<code>{value}</code>") } else { value };
        writeln!(text, "<tr><td>{name}</td><td>{value}</td></tr>").expect("a string takes text");
    }
    text.push_str("</table>\n");
    text
}
