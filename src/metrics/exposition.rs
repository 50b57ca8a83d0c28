//! All numbers as the page that Prometheus scrapes: OpenMetrics 1.0, and by `plain` the text
//! format.
//!
//! Owns the names, in Prometheus' conventions: base units, `_total` for what only grows, no user
//! and no order in any label. SKU ids appear for the few hottest only. The only place that names
//! prometheus-client. `deploy/` has a dashboard and alert rules on these names.

use super::histogram::Copied;
use super::meters::Meters;
use super::plain::plain;
use super::stages::Stage;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt::Error;
use std::sync::Arc;

/// Bounds of durations, in nanoseconds: 10 µs to 10 s.
const DURATIONS_NS: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Bounds of the number of requests in a turn.
const TURNS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096];

const NANOSECONDS: f64 = 1e9;

/// What the server knows without counting it.
#[derive(Debug, Clone)]
pub struct Facts {
    pub version: &'static str,
    /// The durability mode.
    pub durability: String,
    /// New requests are served.
    pub ready: bool,
    /// An operator lets it only read.
    pub read_only: bool,
    /// The disk has not answered for too long.
    pub stalled: bool,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    pub connections: u64,
    /// Connections at most.
    pub connections_max: u64,
    /// Accepts that failed for want of descriptors or memory.
    pub accept_failures: u64,
    /// Places in the ring.
    pub ring_slots: u64,
    /// The last sequence stored.
    pub appended: u64,
    /// The last sequence synced.
    pub synced: u64,
    /// Size of the journal, in bytes.
    pub journal_bytes: u64,
    /// The sequence of the newest snapshot, and how long it is known, in milliseconds.
    pub snapshot: Option<(u64, u64)>,
    /// The last attempt to take a snapshot failed.
    pub snapshot_failed: bool,
    /// Damage was found in the journal's history.
    pub journal_damaged: bool,
    /// When the certificate ends, in seconds since 1970; none without TLS.
    pub certificate_not_after_s: Option<u64>,
    pub nodes: NodeFacts,
}

/// How this node stands among the others.
#[derive(Debug, Clone)]
pub struct NodeFacts {
    /// The role, and those that there are.
    pub role: &'static str,
    pub roles: &'static [&'static str],
    pub epoch: u64,
    /// Nobody could take over.
    pub is_alone: bool,
    /// New orders wait for copies that are behind or missing.
    pub unreplicated: bool,
    /// Copies by name: records that each lacks, and for how many milliseconds.
    pub copies: Vec<(String, u64, u64)>,
    pub clock_skew_ms: u64,
    /// The arbiter has not answered for so many milliseconds.
    pub arbiter_gone_ms: u64,
    /// A copy holds other data than the writer.
    pub digest_differs: bool,
}

/// How the page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// The page, in UTF-8.
#[must_use]
pub fn exposition(meters: &Arc<Meters>, facts: Facts, format: Format) -> String {
    let mut registry = Registry::with_prefix("doorbuster");
    registry.register_collector(Box::new(Scrape { meters: meters.clone(), facts }));
    let mut out = String::new();
    text::encode(&mut out, &registry).expect("text in memory takes every write");
    match format {
        Format::OpenMetrics => out,
        Format::Text => plain(&out),
    }
}

#[derive(Debug)]
struct Scrape {
    meters: Arc<Meters>,
    facts: Facts,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut page = Page { encoder };
        self.server(&mut page)?;
        self.requests(&mut page)?;
        self.writer(&mut page)?;
        self.journal(&mut page)?;
        self.nodes(&mut page)
    }
}

impl Scrape {
    fn server(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let Facts { version, durability, ready, uptime_ms, connections, .. } = &self.facts;
        let Facts { read_only, stalled, connections_max, accept_failures, .. } = &self.facts;
        page.info(
            "build",
            "Release and durability mode of this process",
            [("version", *version), ("durability", durability)],
        )?;
        page.gauge("ready", "1 while new requests are served", u64::from(*ready))?;
        page.seconds("uptime_seconds", "Time since the start", uptime_ms * 1_000_000)?;
        let meaning = "1 while an operator lets the server only read";
        page.gauge("read_only", meaning, u64::from(*read_only))?;
        let meaning = "1 while a data sync takes so long that new orders are refused";
        page.gauge("stalled", meaning, u64::from(*stalled))?;
        page.gauge("connections", "Open connections", *connections)?;
        page.gauge("connections_max", "Connections that there may be", *connections_max)?;
        let meaning = "Accepts that failed, by what was wanting";
        let wanting = [("wanting", "resources".to_owned())];
        page.counters("accept_failures", meaning, [(wanting, *accept_failures)].into_iter())?;
        // Without TLS there is no such moment, and 0 would be an alarm.
        match self.facts.certificate_not_after_s {
            Some(at_s) => {
                let meaning =
                    "When the certificate, or the first of its chain, expires; since 1970";
                page.gauge("tls_certificate_not_after_seconds", meaning, at_s)
            }
            None => Ok(()),
        }
    }

    fn requests(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let labels = self.meters.labels();
        let requests = self.meters.requests();
        let rows = requests.iter().map(|(route, method, outcome, count)| {
            let outcome = &labels.outcomes[*outcome];
            let words = [
                ("route", labels.routes[*route].to_owned()),
                ("method", labels.methods[*method].to_owned()),
                ("status", outcome.status.to_string()),
                ("code", outcome.code.to_owned()),
            ];
            (words, *count)
        });
        page.counters("http_requests", "Requests by route, method, status and problem code", rows)?;
        let commands = self.meters.commands();
        let word = |outcome: usize| match labels.outcomes[outcome].code {
            "" => "ok",
            code => code,
        };
        // The successes, which come first, are told apart by their status only: here they are one.
        let same = |one: &(usize, usize, u64), other: &(usize, usize, u64)| {
            one.0 == other.0 && word(one.1) == word(other.1)
        };
        let rows = commands.chunk_by(same).map(|cells| {
            let (command, outcome, _) = cells[0];
            let command = labels.commands[command].to_owned();
            let words = [("command", command), ("outcome", word(outcome).to_owned())];
            (words, cells.iter().map(|(_, _, count)| count).sum())
        });
        page.counters("commands", "Commands that were answered, by outcome", rows)?;
        let stages = Stage::ALL.map(|stage| (stage.as_str(), self.meters.stage(stage)));
        page.durations(
            "stage_duration_seconds",
            "Where the time of requests goes, from head read to response handed on",
            &stages,
        )?;
        let refused = labels.admission.iter().zip(self.meters.not_admitted());
        let rows = refused.map(|(reason, count)| ([("reason", (*reason).to_owned())], count));
        let meaning = "Connections and requests that were not let in, by reason";
        page.counters("admission_refusals", meaning, rows)?;
        let limit = self.meters.limit();
        page.gauge(
            "admission_limit",
            "Requests that may be under way, or wait to be decided, whichever are fewer",
            limit,
        )?;
        let hot = self.meters.hot(self.facts.uptime_ms);
        let rows = hot.into_iter().map(|(sku, count)| ([("sku", sku)], count));
        page.gauges("hot_sku_requests", "Orders of the hottest SKUs lately", rows)
    }

    fn writer(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let copy = self.meters.writer.copy();
        page.gauge("ring_requests", "Requests that wait for the writer", self.meters.in_ring())?;
        page.gauge("ring_slots", "Requests that may wait", self.facts.ring_slots)?;
        let turns = &copy.turn_requests;
        page.histogram("turn_requests", "Requests that one turn took", turns, &TURNS, 1.0)?;
        page.histogram(
            "sync_duration_seconds",
            "Data syncs of the journal",
            &copy.syncs_ns,
            &DURATIONS_NS,
            NANOSECONDS,
        )?;
        let at_edge = self.meters.refused_at_edge();
        let counts = copy.refusals.iter().zip(&at_edge).map(|(asked, at_edge)| asked + at_edge);
        let reasons = self.meters.labels().reasons.iter().zip(counts);
        let rows = reasons.map(|(reason, count)| ([("reason", (*reason).to_owned())], count));
        page.counters("refusals", "Order lines refused, by reason", rows)?;
        let meaning = "Orders refused without asking the writer";
        page.counter("edge_refusals", meaning, at_edge.iter().sum())?;
        let meaning = "Refusals journaled whole, where journal.refusals is full";
        page.counter("refusals_kept", meaning, copy.kept)?;
        let meaning = "Refusals that were to be journaled whole and found no room";
        page.counter("refusals_not_kept", meaning, copy.not_kept)?;
        page.gauge("holds", "Orders held", copy.holds)?;
        let lag_ns = copy.expiry_lag_ms.saturating_mul(1_000_000);
        page.seconds("expiry_lag_seconds", "How late the oldest due hold is", lag_ns)?;
        let names = self.meters.table_names();
        let table = |name: &&str| [("table", (*name).to_owned())];
        let rows = names.iter().zip(&copy.tables);
        let used = rows.clone().map(|(name, (used, _))| (table(name), *used));
        page.gauges("table_rows", "Rows of a table that are used", used)?;
        let caps = rows.map(|(name, (_, cap))| (table(name), *cap));
        page.gauges("table_rows_max", "Rows that a table may have", caps)?;
        page.gauge("journal_segments", "Segments of the journal", copy.segments)
    }

    fn journal(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let facts = &self.facts;
        page.gauge("journal_bytes", "Size of the journal on disk", facts.journal_bytes)?;
        page.gauge("sequence", "The last sequence stored", facts.appended)?;
        let lag = facts.appended.saturating_sub(facts.synced);
        page.gauge("durable_lag_records", "Records stored but not synced", lag)?;
        if let Some((sequence, age_ms)) = facts.snapshot {
            page.gauge("snapshot_sequence", "The sequence of the newest snapshot", sequence)?;
            let age_ns = age_ms.saturating_mul(1_000_000);
            let meaning = "Time since the newest snapshot was taken, or found at the start";
            page.seconds("snapshot_age_seconds", meaning, age_ns)?;
        }
        let failed = u64::from(facts.snapshot_failed);
        page.gauge(
            "snapshot_failed",
            "1 while the last attempt to take a snapshot failed",
            failed,
        )?;
        let damaged = u64::from(facts.journal_damaged);
        page.gauge("journal_damaged", "1 once damage was found in the journal's history", damaged)
    }
}

impl Scrape {
    fn nodes(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let nodes = &self.facts.nodes;
        let roles = nodes.roles.iter();
        let rows =
            roles.map(|role| ([("role", (*role).to_owned())], u64::from(*role == nodes.role)));
        page.gauges("role", "1 for what this node is among the others", rows)?;
        page.gauge("epoch", "The epoch that this node writes or follows in", nodes.epoch)?;
        let meaning = "1 while no other node could take over";
        page.gauge("alone", meaning, u64::from(nodes.is_alone))?;
        let meaning = "1 while new orders are refused because copies are behind or missing";
        page.gauge("unreplicated", meaning, u64::from(nodes.unreplicated))?;
        let named = |name: &String| [("node", name.clone())];
        let copies = nodes.copies.iter();
        let rows = copies.map(|(name, records, _)| (named(name), *records));
        page.gauges("copy_lag_records", "Records that a copy lacks", rows)?;
        let rows = nodes.copies.iter().map(|(name, _, lag_ms)| (named(name), lag_ms * 1_000_000));
        page.seconds_each("copy_lag_seconds", "For how long a copy has lacked any record", rows)?;
        let copied = self.meters.copies.copied();
        let meaning = "From a record stored here to the same one synced on the copies";
        page.histogram("copied_seconds", meaning, &copied, &DURATIONS_NS, NANOSECONDS)?;
        let nanoseconds = |ms: u64| ms.saturating_mul(1_000_000);
        let meaning = "How far the clocks of the nodes are apart at most";
        page.seconds("clock_skew_seconds", meaning, nanoseconds(nodes.clock_skew_ms))?;
        let meaning = "Since when the arbiter has not answered; 0 where it does";
        page.seconds("arbiter_gone_seconds", meaning, nanoseconds(nodes.arbiter_gone_ms))?;
        let meaning = "1 once a copy was found to hold other data than the writer";
        page.gauge("digest_differs", meaning, u64::from(nodes.digest_differs))
    }
}

/// Words of one row.
type Words<const N: usize> = [(&'static str, String); N];

/// The text in the making; a method for each kind of metric.
struct Page<'e> {
    encoder: DescriptorEncoder<'e>,
}

impl Page<'_> {
    fn info<const N: usize>(
        &mut self,
        name: &str,
        meaning: &str,
        labels: [(&str, &str); N],
    ) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, MetricType::Info)?;
        metric.encode_info(&labels)
    }

    fn gauge(&mut self, name: &str, meaning: &str, value: u64) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    fn seconds(&mut self, name: &str, meaning: &str, value_ns: u64) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, MetricType::Gauge)?;
        metric.encode_gauge(&(value_ns as f64 / NANOSECONDS))
    }

    fn seconds_each<const N: usize>(
        &mut self,
        name: &str,
        meaning: &str,
        rows: impl Iterator<Item = (Words<N>, u64)>,
    ) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, MetricType::Gauge)?;
        for (words, value_ns) in rows {
            metric.encode_family(&words)?.encode_gauge(&(value_ns as f64 / NANOSECONDS))?;
        }
        Ok(())
    }

    fn gauges<const N: usize>(
        &mut self,
        name: &str,
        meaning: &str,
        rows: impl Iterator<Item = (Words<N>, u64)>,
    ) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, MetricType::Gauge)?;
        for (words, value) in rows {
            metric.encode_family(&words)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, meaning: &str, value: u64) -> Result<(), Error> {
        let kind = MetricType::Counter;
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, kind)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn counters<const N: usize>(
        &mut self,
        name: &str,
        meaning: &str,
        rows: impl Iterator<Item = (Words<N>, u64)>,
    ) -> Result<(), Error> {
        let mut metric =
            self.encoder.encode_descriptor(name, meaning, None, MetricType::Counter)?;
        for (words, value) in rows {
            metric.encode_family(&words)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn histogram(
        &mut self,
        name: &str,
        meaning: &str,
        values: &Copied,
        bounds: &[u64],
        unit: f64,
    ) -> Result<(), Error> {
        let kind = MetricType::Histogram;
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, kind)?;
        let (sum, count) = (values.sum as f64 / unit, values.values.len());
        let counts = buckets(values, bounds, unit);
        metric.encode_histogram::<NoLabelSet>(sum, count, &counts, None)
    }

    /// Histograms of durations, one for each stage.
    fn durations(
        &mut self,
        name: &str,
        meaning: &str,
        stages: &[(&'static str, Copied)],
    ) -> Result<(), Error> {
        let kind = MetricType::Histogram;
        let mut metric = self.encoder.encode_descriptor(name, meaning, None, kind)?;
        for (stage, values) in stages {
            let (sum, count) = (values.sum as f64 / NANOSECONDS, values.values.len());
            let counts = buckets(values, &DURATIONS_NS, NANOSECONDS);
            let words = [("stage", *stage)];
            let mut row = metric.encode_family(&words)?;
            row.encode_histogram::<NoLabelSet>(sum, count, &counts, None)?;
        }
        Ok(())
    }
}

/// Bounds and the values between them; the library adds them up.
fn buckets(values: &Copied, bounds: &[u64], unit: f64) -> Vec<(f64, u64)> {
    let bounds_in_unit = bounds.iter().map(|bound| *bound as f64 / unit);
    bounds_in_unit.chain([f64::INFINITY]).zip(values.between(bounds)).collect()
}
