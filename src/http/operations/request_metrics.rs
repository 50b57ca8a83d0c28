//! What is counted and timed of requests, and how that is shown.
//!
//! Owns the notes that a request gathers on its way (`RequestRecord`), the words they are counted
//! by, and the bodies of `/v1/latency`, `/v1/latency.hgrm` and `/metrics`. A clock is read three
//! times for a request that the writer answers, and twice for one that is refused at the edge;
//! admission counts by the same readings. Next: `metrics`.

use super::labels::{COMMANDS, METHODS, command_number, method_number, outcome_number};
use super::possible::possible;
use crate::domain::model::answer::{Answer, Refusal};
use crate::domain::model::command::Command;
use crate::domain::model::ids::SkuId;
use crate::domain::model::sku::RefusalReason;
use crate::http::Front;
use crate::http::admission::{REASONS as ADMISSION_REASONS, Rates, Toll};
use crate::http::connection::tls::Handshakes;
use crate::http::handlers::mode::unready;
use crate::http::handlers::submit::Submit;
use crate::http::response::answers::OrderEcho;
use crate::http::response::json_writer::Json;
use crate::http::response::problem::{Code, OUTCOMES};
use crate::http::response::reply::{Kind, Reply};
use crate::http::routes::ROUTES;
use crate::http::worker::Worker;
use crate::metrics::{self, Copied, Facts, Format, Labels, Moments, NodeFacts, Stage};
use crate::ring::{ALL_SLOTS, NO_COPIES, Outcome, StageTimes};
use crate::shared::standing::StandingRole;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};

const REASONS: &[&str] = &{
    let mut words = [""; RefusalReason::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = RefusalReason::ALL[at].as_str();
        at += 1;
    }
    words
};

const NODE_ROLES: &[&str] = &{
    let mut words = [""; StandingRole::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = StandingRole::ALL[at].word();
        at += 1;
    }
    words
};

/// The words that this server counts by.
pub const LABELS: Labels = Labels {
    routes: ROUTES,
    methods: METHODS,
    outcomes: OUTCOMES,
    commands: COMMANDS,
    reasons: REASONS,
    admission: ADMISSION_REASONS,
    possible,
};

/// Counts the SKUs of an order that was answered, as far as the answer tells that they exist. A
/// name that a client makes up must not become a label.
pub(in crate::http) fn count_hot<A: Submit>(
    worker: &Worker<A>,
    asked: Option<&OrderEcho>,
    outcome: &Outcome,
) {
    let (Some(asked), Outcome::Answered(answered)) = (asked, outcome) else { return };
    match &answered.answer {
        Answer::Created(_) => {
            if let OrderEcho::Order(order) = asked {
                worker.count_hot(order.skus());
            }
        }
        Answer::Refused(refusal) => count_refused(worker, refusal),
        _ => {}
    }
}

fn count_refused<A: Submit>(worker: &Worker<A>, refusal: &Refusal) {
    let one = |sku: &SkuId| worker.count_hot(std::iter::once(sku.as_str()));
    match refusal {
        Refusal::SoldOut(lines) => worker.count_hot(lines.iter().map(|line| line.sku.as_str())),
        Refusal::Closed(window) | Refusal::NotOpen(window) => one(&window.sku),
        Refusal::Paused(sku) | Refusal::DrawOnly(sku) => one(sku),
        Refusal::UserLimit(limit) => one(&limit.sku),
        _ => {}
    }
}

/// Counts what a line of a batch came to; its times are in `batch_times`.
pub(in crate::http) fn count_line<A: Submit>(
    worker: &Worker<A>,
    command: usize,
    (status, code): (StatusCode, Option<Code>),
) {
    worker.meter().count_command(command, outcome_number(status, code));
}

/// What one request gathers on its way through this thread.
#[derive(Debug, Default)]
pub(in crate::http) struct RequestRecord {
    route: usize,
    command: Option<usize>,
    at_edge: bool,
    moments: Moments,
    /// All of it was there, on `Clock::elapsed_ns`.
    came_ns: u64,
    rates: Rates,
}

impl RequestRecord {
    /// Begins a record, when the head was read.
    pub(in crate::http) fn begin(front: &Front) -> Self {
        let mut record = Self::default();
        record.moments.read = moment(front);
        record.came_ns = record.moments.read;
        record
    }

    /// When its head was read.
    pub(in crate::http) fn read_ns(&self) -> u64 {
        self.moments.read
    }

    /// When its head was read, also where nothing is timed.
    pub(in crate::http) fn read_at_ns(&self, front: &Front) -> u64 {
        if front.timed { self.moments.read } else { front.clock.elapsed_ns() }
    }

    /// Notes that the body came some time after the head.
    pub(in crate::http) fn came_late(&mut self, front: &Front) {
        self.came_ns = moment(front);
    }

    /// When all of it was there, on `Clock::elapsed_ms`; where nothing is timed, now.
    pub(in crate::http) fn came_ms(&self, front: &Front) -> u64 {
        if front.timed { self.came_ns / 1_000_000 } else { front.clock.elapsed_ms() }
    }

    /// Sets the route that the request names.
    pub(in crate::http) fn found(&mut self, route: usize) {
        self.route = route;
    }

    /// Sets how the buckets stand that the request was taken out of.
    pub(in crate::http) fn tell(&mut self, rates: Rates) {
        self.rates = rates;
    }

    /// Sets how the bucket of its address stands.
    pub(in crate::http) fn tell_toll(&mut self, toll: &Toll) {
        toll.tell(&mut self.rates);
    }

    /// Notes that the request goes into the ring now.
    pub(in crate::http) fn asks<A: Submit>(&mut self, worker: &Worker<A>, command: &Command) {
        self.command = Some(command_number(command));
        self.moments.published = moment(&worker.front);
    }

    /// This thread refused it as sold out: it spends no time where it does not go.
    pub(in crate::http) fn refused<A: Submit>(&mut self, worker: &Worker<A>, command: &Command) {
        self.command = Some(command_number(command));
        self.at_edge = true;
        worker.meter().count_refusal(RefusalReason::SoldOut as usize);
        // The edge knows the SKU.
        if let Command::CreateOrder(order) = command {
            worker.count_hot(order.lines.iter().map(|line| line.sku.as_str()));
        }
    }

    /// Notes that the ring did not take it.
    pub(in crate::http) fn not_taken(&mut self) {
        self.command = None;
    }

    /// Takes the times of its answer, which came just now.
    pub(in crate::http) fn arrived(&mut self, front: &Front, times: StageTimes) {
        let StageTimes { taken_ns, decided_ns, stored_ns, durable_ns, .. } = times;
        self.moments = Moments {
            taken: taken_ns,
            decided: decided_ns,
            stored: stored_ns,
            durable: durable_ns,
            copied: copied(front, durable_ns),
            ..self.moments
        };
    }

    /// Its response is ready: counts it, and says how long it took to a client that asked; stage by
    /// stage if that client may know how far the request got, else as a whole.
    pub(in crate::http) fn end<A: Submit>(
        mut self,
        worker: &Worker<A>,
        method: &Method,
        reply: &mut Reply,
        timing: Option<bool>,
    ) {
        let meter = worker.meter();
        reply.rates = std::mem::take(&mut self.rates).headers().map(Box::new);
        let outcome = outcome_number(reply.status, reply.code);
        meter.count_request(self.route, method_number(method), outcome);
        let Some(command) = self.command else { return };
        meter.count_command(command, outcome);
        let at_edge = self.at_edge && worker.front.timed;
        // A writer that stopped in the middle has no times.
        if self.moments.decided == 0 && !at_edge {
            return;
        }
        self.moments.answered = moment(&worker.front);
        if at_edge {
            self.moments = Moments::without_writer(self.moments.read, self.moments.answered);
        }
        let durations = self.moments.durations();
        meter.stages.record(&durations);
        if let Some(all) = timing {
            let stages = if all { &Stage::ALL[..] } else { &[Stage::Whole] };
            reply.server_timing = server_timing(stages, &durations);
        }
    }
}

/// Now, if requests are timed.
pub(in crate::http) fn moment(front: &Front) -> u64 {
    if front.timed { front.clock.elapsed_ns() } else { 0 }
}

/// When an answer that came just now was on the copies; without copies, when it was durable here.
/// A clock is read only where there are some.
pub(in crate::http) fn copied(front: &Front, durable_ns: u64) -> u64 {
    match front.cursors.copied() {
        NO_COPIES => durable_ns,
        _ => moment(front).max(durable_ns),
    }
}

/// `parse;dur=0.012, …`, in milliseconds (Server Timing, W3C).
fn server_timing(stages: &[Stage], durations: &[u64; Stage::ALL.len()]) -> Option<HeaderValue> {
    let mut text = String::with_capacity(160);
    for stage in stages {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(stage.as_str());
        text.push_str(";dur=");
        thousandths(&mut text, durations[*stage as usize] / 1000);
    }
    HeaderValue::try_from(text).ok()
}

/// A number of thousandths as a decimal.
fn thousandths(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number / 1000));
    text.push('.');
    for digit in [number / 100 % 10, number / 10 % 10, number % 10] {
        text.push(char::from(b"0123456789"[digit as usize]));
    }
}

/// `GET /v1/latency`.
pub(in crate::http) fn latency(front: &Front) -> Reply {
    let mut json = Json::new();
    json.raw("{\"unit\":\"us\",\"durability\":");
    json.text(&front.durability);
    json.raw(",\"uptime_ms\":");
    json.number(front.clock.elapsed_ms());
    json.raw(",\"stages\":{");
    for (at, stage) in Stage::ALL.into_iter().enumerate() {
        json.raw(if at > 0 { ",\"" } else { "\"" });
        json.raw(stage.as_str());
        json.raw("\":");
        stage_latency(&mut json, &front.meters.stage(stage));
    }
    json.raw("}}");
    Reply::json(StatusCode::OK, json)
}

fn stage_latency(json: &mut Json, copy: &Copied) {
    json.raw("{\"count\":");
    json.number(copy.values.len());
    let quantiles = [
        ("mean", copy.sum.checked_div(copy.values.len()).unwrap_or(0)),
        ("p50", copy.values.value_at_quantile(0.5)),
        ("p90", copy.values.value_at_quantile(0.9)),
        ("p99", copy.values.value_at_quantile(0.99)),
        ("p99.9", copy.values.value_at_quantile(0.999)),
        ("p99.99", copy.values.value_at_quantile(0.9999)),
        ("max", copy.values.max()),
    ];
    for (name, value_ns) in quantiles {
        json.raw(",\"");
        json.raw(name);
        json.raw("\":");
        let mut text = String::new();
        thousandths(&mut text, value_ns);
        json.raw(&text);
    }
    json.raw("}");
}

/// `GET /v1/latency.hgrm`, in microseconds.
pub(in crate::http) fn percentiles(front: &Front, stage: Stage) -> Reply {
    let text = metrics::percentiles(&front.meters.stage(stage).values, 1000.0);
    Reply::text(Kind::Text, text)
}

/// `GET /metrics`.
pub(in crate::http) fn exposition(front: &Front, format: Format) -> Reply {
    let snapshots = &front.snapshots;
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION"),
        durability: front.durability.clone(),
        ready: unready(front).is_none(),
        read_only: front.is_read_only(),
        stalled: front.is_stalled(),
        uptime_ms: front.clock.elapsed_ms(),
        connections: front.connections() as u64,
        connections_max: front.limits.current().connections_max as u64,
        accept_failures: front.accepting.failures(),
        ring_slots: ALL_SLOTS as u64,
        appended: front.cursors.appended(),
        synced: front.cursors.synced(),
        journal_bytes: front.cursors.journal_bytes(),
        snapshot: snapshots.sequence().map(|sequence| {
            let age_ms = front.clock.elapsed_ms().saturating_sub(snapshots.taken_ms());
            (sequence, age_ms)
        }),
        snapshot_failed: snapshots.failure().is_some(),
        journal_damaged: snapshots.damage().is_some(),
        certificate_not_after_s: front.handshakes.as_ref().and_then(Handshakes::not_after_s),
        nodes: nodes(front),
    };
    let kind = match format {
        Format::Text => Kind::Metrics,
        Format::OpenMetrics => Kind::OpenMetrics,
    };
    Reply::text(kind, metrics::exposition(&front.meters, facts, format))
}

/// How this node stands among the others.
fn nodes(front: &Front) -> NodeFacts {
    let standing = front.standing.load();
    let now_ms = front.clock.elapsed_ms();
    let copies = standing.copies.iter();
    let known = copies.map(|copy| (copy.node.clone(), copy.lag_records, copy.lag_ms));
    NodeFacts {
        role: standing.role.word(),
        roles: NODE_ROLES,
        // A server that replicates nothing writes in the last that was begun.
        epoch: match standing.is_replicated {
            true => u64::from(standing.epoch),
            false => u64::from(front.lives().epochs()),
        },
        is_alone: standing.is_alone,
        unreplicated: front.is_unreplicated(),
        copies: known.collect(),
        clock_skew_ms: standing.clock_skew_ms,
        arbiter_gone_ms: standing.arbiter_gone_since_ms.map_or(0, |at| now_ms.saturating_sub(at)),
        digest_differs: standing.digest_differs.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::Route;
    use crate::http::testing::front;
    use crate::shared::standing::{CopyStanding, Standing};

    #[test]
    fn every_place_is_counted_by_its_path() {
        for (number, route) in ROUTES.iter().enumerate().skip(1) {
            let path = route.replace(['{', '}'], "");
            let place = Route::find(&path).expect("a path of the table");
            assert_eq!(place.number(), number, "{route}");
        }
    }

    #[test]
    fn the_page_tells_of_copies_by_name() {
        let front = front();
        let copy = CopyStanding {
            node: "n2".to_owned(),
            is_connected: true,
            lag_records: 3,
            lag_ms: 1_500,
        };
        front.standing.store(Standing {
            is_replicated: true,
            role: StandingRole::Elected,
            epoch: 7,
            copies: vec![copy],
            is_alone: true,
            clock_skew_ms: 250,
            digest_differs: Some((8, "the totals".to_owned())),
            ..Standing::default()
        });
        front.meters.copies.record_copied(2_000_000);
        let page = exposition(&front, Format::Text).body;
        let page = str::from_utf8(&page).expect("UTF-8");
        for row in [
            "role{role=\"elected\"} 1",
            "role{role=\"writer\"} 0",
            "epoch 7",
            "alone 1",
            "unreplicated 0",
            "copy_lag_records{node=\"n2\"} 3",
            "copy_lag_seconds{node=\"n2\"} 1.5",
            "copied_seconds_count 1",
            "clock_skew_seconds 0.25",
            "arbiter_gone_seconds 0.0",
            "digest_differs 1",
        ] {
            let row = format!("doorbuster_{row}");
            assert!(page.lines().any(|line| line == row), "no {row} in {page}");
        }
        front.standing.store(Standing::default());
        let page = exposition(&front, Format::Text).body;
        let page = str::from_utf8(&page).expect("UTF-8");
        assert!(page.contains("doorbuster_role{role=\"writer\"} 1\n"), "{page}");
        assert!(!page.contains("node=\""), "{page}");
    }

    #[test]
    fn a_header_tells_milliseconds() {
        let durations = [1_000, 0, 12_345_678, 999, 1_000_000, 2_500, 10_000, 13_356_677];
        let told = |stages: &[Stage]| server_timing(stages, &durations).unwrap();
        assert_eq!(told(&[Stage::Whole]), "whole;dur=13.356");
        assert_eq!(
            told(&Stage::ALL),
            "parse;dur=0.001, ring;dur=0.000, decide;dur=12.345, append;dur=0.000, \
             durable;dur=1.000, repl;dur=0.002, answer;dur=0.010, whole;dur=13.356"
        );
    }
}
