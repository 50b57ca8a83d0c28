//! `summary.json`: everything that a report says, as numbers.
//!
//! Owns the format. Latencies are microseconds from the intended start of a request, unless their
//! name says otherwise. Next: `html` for people, `files` for what lies beside it.

use super::gaps::Gaps;
use super::outcome::Outcome;
use super::series::{Series, add, histogram};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of this shape of `summary.json`.
pub(crate) const FORMAT: u32 = 1;

/// A report in numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) format: u32,
    pub(crate) conditions: Conditions,
    pub(crate) sends: Sends,
    /// From the intended start, whatever became of it.
    pub(crate) all: Latency,
    /// From the moment it was sent: what a generator would have told that waits with the server.
    pub(crate) from_send: Latency,
    /// How late the generator took a request up.
    pub(crate) lag: Latency,
    pub(crate) outcomes: BTreeMap<String, Latency>,
    /// Refusals and failures by their code.
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) seconds: Vec<Second>,
    pub(crate) check: Check,
}

/// Under what conditions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Conditions {
    pub(crate) commands: Vec<String>,
    pub(crate) started_at: String,
    pub(crate) started_at_ms: u64,
    pub(crate) url: String,
    pub(crate) scenario: String,
    pub(crate) schedule: String,
    pub(crate) rate_per_s: f64,
    pub(crate) duration_s: f64,
    /// It was ended before its time, so many seconds from the start.
    #[serde(default)]
    pub(crate) cut_after_s: Option<f64>,
    /// When the sale opened, in seconds from the start; none where it was open throughout.
    pub(crate) opening_s: Option<f64>,
    pub(crate) connections: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) skus: u32,
    pub(crate) stock_per_sku: u64,
    pub(crate) seed: u64,
    pub(crate) run: String,
    pub(crate) bench_version: String,
    pub(crate) server_version: String,
    pub(crate) server_epoch: u64,
    pub(crate) durability: String,
    /// Generator and server are on one machine and share its cores.
    pub(crate) shared_machine: bool,
    pub(crate) machine: Machine,
}

/// What the generator ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) system: String,
    pub(crate) kernel: String,
}

/// Requests before they were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sends {
    /// Those that the schedule meant to start, follow-ups of winners included.
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    /// Sent over `late_after_us` after the intended start.
    pub(crate) late: u64,
    pub(crate) late_after_us: u64,
    /// Never sent: no connection was free in time, or too many waited.
    pub(crate) dropped: u64,
}

/// A distribution, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) min_us: f64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p99_9_us: f64,
    pub(crate) p99_99_us: f64,
    pub(crate) max_us: f64,
}

/// One second of intended starts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    pub(crate) second: u64,
    pub(crate) intended: u64,
    pub(crate) late: u64,
    pub(crate) dropped: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) outcomes: BTreeMap<String, u64>,
}

/// What was answered against what the server holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Check {
    /// Why it could not be made, if so.
    pub(crate) not_made: Option<String>,
    /// What was compared, and how much of it.
    pub(crate) compared: Vec<Compared>,
    pub(crate) differences: u64,
    /// The first of them.
    pub(crate) examples: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compared {
    pub(crate) what: String,
    pub(crate) count: u64,
    pub(crate) differences: u64,
}

impl Latency {
    /// Of a histogram in nanoseconds.
    pub(crate) fn of(ns: &Histogram<u64>) -> Self {
        if ns.is_empty() {
            return Self::default();
        }
        let us = |ns: u64| ns as f64 / 1e3;
        let at = |quantile| us(ns.value_at_quantile(quantile));
        Self {
            count: ns.len(),
            min_us: us(ns.min()),
            mean_us: ns.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            p99_99_us: at(0.9999),
            max_us: us(ns.max()),
        }
    }
}

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) outcomes: BTreeMap<Outcome, Series>,
    pub(crate) from_send: Histogram<u64>,
    pub(crate) lag: Histogram<u64>,
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) sends: Sends,
    /// By second: intended, late, dropped.
    pub(crate) starts: BTreeMap<u64, [u64; 3]>,
    pub(crate) gaps: Gaps,
}

impl Recording {
    pub(crate) fn new(late_after_us: u64) -> Self {
        Self {
            outcomes: BTreeMap::new(),
            from_send: histogram(),
            lag: histogram(),
            codes: BTreeMap::new(),
            sends: Sends { late_after_us, ..Sends::default() },
            starts: BTreeMap::new(),
            gaps: Gaps::default(),
        }
    }

    /// Everything in a second, whatever became of it.
    pub(crate) fn second(&self, second: u64) -> Histogram<u64> {
        let mut all = histogram();
        for measured in self.outcomes.values().filter_map(|series| series.second(second)) {
            add(&mut all, &measured);
        }
        all
    }

    /// Everything, whatever became of it.
    pub(crate) fn total(&self) -> Histogram<u64> {
        let mut all = histogram();
        for series in self.outcomes.values() {
            add(&mut all, &series.total());
        }
        all
    }

    fn seconds(&self) -> Vec<Second> {
        let end = self.starts.keys().next_back().map_or(0, |last| last + 1);
        (0..end).map(|second| self.row(second)).collect()
    }

    fn row(&self, second: u64) -> Second {
        let [intended, late, dropped] = self.starts.get(&second).copied().unwrap_or_default();
        let all = Latency::of(&self.second(second));
        let counts = self.outcomes.iter().filter_map(|(outcome, series)| {
            Some((outcome.name().to_owned(), series.second(second)?.len()))
        });
        Second {
            second,
            intended,
            late,
            dropped,
            p50_us: all.p50_us,
            p99_us: all.p99_us,
            max_us: all.max_us,
            outcomes: counts.collect(),
        }
    }

    pub(crate) fn summary(&self, conditions: Conditions, check: Check) -> Summary {
        let outcomes = self
            .outcomes
            .iter()
            .map(|(outcome, series)| (outcome.name().to_owned(), Latency::of(&series.total())));
        Summary {
            format: FORMAT,
            conditions,
            sends: self.sends,
            all: Latency::of(&self.total()),
            from_send: Latency::of(&self.from_send),
            lag: Latency::of(&self.lag),
            outcomes: outcomes.collect(),
            codes: self.codes.clone(),
            seconds: self.seconds(),
            check,
        }
    }
}
