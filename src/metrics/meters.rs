//! The meters of the threads, and what all of them count together.
//!
//! Owns which thread writes what. Never names a metric: that is `exposition`.

use super::histogram::{Copied, Recorded, add};
use super::hot::Hot;
use super::shown::Shown;
use super::stages::{Stage, Stages};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The outcomes that requests may have: an HTTP status, and the code of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status.
    pub status: u16,
    /// The problem's code; empty for a success.
    pub code: &'static str,
}

/// The words behind the numbers that meters count by; the part that counts chooses them.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    /// Paths, with placeholders for ids.
    pub routes: &'static [&'static str],
    pub methods: &'static [&'static str],
    /// The outcomes that requests may have.
    pub outcomes: &'static [Outcome],
    /// Kinds of commands.
    pub commands: &'static [&'static str],
    /// Reasons of refusals that are counted by SKU.
    pub reasons: &'static [&'static str],
    /// Reasons for which requests and connections are not let in.
    pub admission: &'static [&'static str],
    /// What may occur of these, as far as it is known beforehand.
    pub possible: fn() -> Possible,
}

/// What may occur, by the places of the words in the labels: counted from the start, at 0, so that
/// a scraper sees the first one as an increase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Possible {
    /// Route, method, outcome.
    pub requests: Vec<(usize, usize, usize)>,
    pub commands: Vec<(usize, usize)>,
}

impl Labels {
    fn request_cell(&self, route: usize, method: usize, outcome: usize) -> usize {
        (route * self.methods.len() + method) * self.outcomes.len() + outcome
    }

    fn command_cell(&self, command: usize, outcome: usize) -> usize {
        command * self.outcomes.len() + outcome
    }
}

/// Numbers by several labels.
#[derive(Debug)]
struct Grid(Box<[AtomicU64]>);

impl Grid {
    fn of(cells: usize) -> Self {
        Self((0..cells).map(|_| AtomicU64::new(0)).collect())
    }

    fn count(&self, cell: usize) {
        add(&self.0[cell], 1);
    }

    fn get(&self, cell: usize) -> u64 {
        self.0[cell].load(Ordering::Relaxed)
    }
}

/// The cells of these numbers among so many.
fn marked(cells: usize, marks: impl Iterator<Item = usize>) -> Box<[bool]> {
    let mut marked = vec![false; cells].into_boxed_slice();
    marks.for_each(|cell| marked[cell] = true);
    marked
}

/// What one IO thread counts.
#[derive(Debug)]
pub struct IoMeter {
    labels: Labels,
    /// Where the time goes.
    pub stages: Stages,
    requests: Grid,
    commands: Grid,
    not_admitted: Grid,
    /// Requests that may be under way here.
    limit: AtomicU64,
    published: AtomicU64,
    refusals: Grid,
    /// Copied here now and then; the thread counts in a table of its own.
    hot: Mutex<Hot>,
}

impl IoMeter {
    fn new(labels: Labels) -> Self {
        let outcomes = labels.outcomes.len();
        Self {
            stages: Stages::default(),
            requests: Grid::of(labels.routes.len() * labels.methods.len() * outcomes),
            commands: Grid::of(labels.commands.len() * outcomes),
            not_admitted: Grid::of(labels.admission.len()),
            limit: AtomicU64::new(0),
            published: AtomicU64::new(0),
            refusals: Grid::of(labels.reasons.len()),
            hot: Mutex::default(),
            labels,
        }
    }

    /// Counts an answered request; all by their place in the labels.
    pub fn count_request(&self, route: usize, method: usize, outcome: usize) {
        self.requests.count(self.labels.request_cell(route, method, outcome));
    }

    /// Counts the outcome of a command; both by their place in the labels.
    pub fn count_command(&self, command: usize, outcome: usize) {
        self.commands.count(self.labels.command_cell(command, outcome));
    }

    /// Counts what was not let in, by the place of the reason in the labels.
    pub fn count_refused(&self, reason: usize) {
        self.not_admitted.count(reason);
    }

    /// So many requests may be under way here.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Counts a request that went into the ring.
    pub fn count_published(&self) {
        add(&self.published, 1);
    }

    /// Counts a refusal that the writer was not asked for, by the place of its reason in the
    /// labels.
    pub fn count_refusal(&self, reason: usize) {
        self.refusals.count(reason);
    }

    /// Shows which SKUs are asked for. Not for the path of a request: it may wait for a reader.
    pub fn show_hot(&self, hot: &Hot) {
        self.hot.lock().unwrap_or_else(PoisonError::into_inner).follow(hot);
    }
}

/// How full a table is.
#[derive(Debug, Default)]
struct TableGauge {
    used: AtomicU64,
    cap: AtomicU64,
}

/// What the writer counts.
#[derive(Debug)]
pub struct WriterMeter {
    taken: AtomicU64,
    turn_requests: Recorded,
    syncs_ns: Recorded,
    refusals: Grid,
    kept: AtomicU64,
    not_kept: AtomicU64,
    holds: AtomicU64,
    expiry_lag_ms: AtomicU64,
    segments: AtomicU64,
    tables: Vec<TableGauge>,
}

impl WriterMeter {
    fn new(labels: &Labels, tables: usize) -> Self {
        Self {
            taken: AtomicU64::new(0),
            turn_requests: Recorded::default(),
            syncs_ns: Recorded::default(),
            refusals: Grid::of(labels.reasons.len()),
            kept: AtomicU64::new(0),
            not_kept: AtomicU64::new(0),
            holds: AtomicU64::new(0),
            expiry_lag_ms: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            tables: (0..tables).map(|_| TableGauge::default()).collect(),
        }
    }

    /// A turn took so many requests; one that took none is not told.
    pub fn count_turn(&self, requests: u64) {
        add(&self.taken, requests);
        self.turn_requests.record(requests);
    }

    /// A data sync took so long, in nanoseconds.
    pub fn record_sync(&self, sync_ns: u64) {
        self.syncs_ns.record(sync_ns);
    }

    /// Counts a refusal, by the place of its reason in the labels.
    pub fn count_refusal(&self, reason: usize) {
        self.refusals.count(reason);
    }

    /// Refusals were journaled whole.
    pub fn count_kept(&self, count: u64) {
        add(&self.kept, count);
    }

    /// Refusals could not be kept whole.
    pub fn count_not_kept(&self, count: u64) {
        add(&self.not_kept, count);
    }

    /// How many orders are held, and by how many milliseconds the oldest that is due is late.
    pub fn set_holds(&self, holds: u64, expiry_lag_ms: u64) {
        self.holds.store(holds, Ordering::Relaxed);
        self.expiry_lag_ms.store(expiry_lag_ms, Ordering::Relaxed);
    }

    /// How many segments the journal has.
    pub fn set_segments(&self, segments: u64) {
        self.segments.store(segments, Ordering::Relaxed);
    }

    /// How full the tables are, in their order.
    pub fn set_tables(&self, fills: impl Iterator<Item = (u64, u64)>) {
        for (gauge, (used, cap)) in self.tables.iter().zip(fills) {
            gauge.used.store(used, Ordering::Relaxed);
            gauge.cap.store(cap, Ordering::Relaxed);
        }
    }

    pub(super) fn copy(&self) -> WriterCopy {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let mut copy = WriterCopy {
            turn_requests: Copied::default(),
            syncs_ns: Copied::default(),
            refusals: self.refusals.0.iter().map(read).collect(),
            kept: read(&self.kept),
            not_kept: read(&self.not_kept),
            holds: read(&self.holds),
            expiry_lag_ms: read(&self.expiry_lag_ms),
            segments: read(&self.segments),
            tables: self.tables.iter().map(|gauge| (read(&gauge.used), read(&gauge.cap))).collect(),
        };
        self.turn_requests.add_to(&mut copy.turn_requests);
        self.syncs_ns.add_to(&mut copy.syncs_ns);
        copy
    }
}

/// The writer's numbers at about one moment.
pub(super) struct WriterCopy {
    pub(super) turn_requests: Copied,
    pub(super) syncs_ns: Copied,
    pub(super) refusals: Vec<u64>,
    pub(super) kept: u64,
    pub(super) not_kept: u64,
    pub(super) holds: u64,
    pub(super) expiry_lag_ms: u64,
    pub(super) segments: u64,
    pub(super) tables: Vec<(u64, u64)>,
}

/// What the thread counts that speaks with the other nodes.
#[derive(Debug, Default)]
pub struct CopiesMeter {
    copied_ns: Recorded,
}

impl CopiesMeter {
    /// A record was synced on the copies so long after it was stored here, in nanoseconds.
    pub fn record_copied(&self, copied_ns: u64) {
        self.copied_ns.record(copied_ns);
    }

    pub(super) fn copied(&self) -> Copied {
        let mut copy = Copied::default();
        self.copied_ns.add_to(&mut copy);
        copy
    }
}

/// All meters of a server.
#[derive(Debug)]
pub struct Meters {
    labels: Labels,
    table_names: &'static [&'static str],
    io: Vec<IoMeter>,
    pub writer: WriterMeter,
    pub copies: CopiesMeter,
    /// The cells that are told at 0 too.
    possible_requests: Box<[bool]>,
    possible_commands: Box<[bool]>,
    /// The SKUs that the last scrapes were told of.
    shown: Mutex<Shown>,
}

impl Meters {
    /// Meters for so many IO threads; the tables are those of the domain, in its order.
    #[must_use]
    pub fn new(io_threads: u16, labels: Labels, table_names: &'static [&'static str]) -> Self {
        let Possible { requests, commands } = (labels.possible)();
        let requests = requests.into_iter();
        let requests =
            requests.map(|(route, method, outcome)| labels.request_cell(route, method, outcome));
        let commands = commands.into_iter();
        let commands = commands.map(|(command, outcome)| labels.command_cell(command, outcome));
        let outcomes = labels.outcomes.len();
        let cells = labels.routes.len() * labels.methods.len() * outcomes;
        Self {
            io: (0..io_threads).map(|_| IoMeter::new(labels)).collect(),
            writer: WriterMeter::new(&labels, table_names.len()),
            copies: CopiesMeter::default(),
            possible_requests: marked(cells, requests),
            possible_commands: marked(labels.commands.len() * outcomes, commands),
            shown: Mutex::default(),
            labels,
            table_names,
        }
    }

    /// The meter of an IO thread, which alone may write it.
    #[must_use]
    pub fn io(&self, number: u16) -> &IoMeter {
        &self.io[usize::from(number)]
    }

    /// What all threads recorded of a stage so far, in nanoseconds.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> Copied {
        let mut copy = Copied::default();
        self.io.iter().for_each(|io| io.stages.add_to(stage, &mut copy));
        copy
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    pub(super) fn table_names(&self) -> &'static [&'static str] {
        self.table_names
    }

    /// Requests in the ring.
    pub(super) fn in_ring(&self) -> u64 {
        // In this order a request is never seen taken before it was put in.
        let taken = self.writer.taken.load(Ordering::Acquire);
        let published: u64 = self.io.iter().map(|io| io.published.load(Ordering::Acquire)).sum();
        published.saturating_sub(taken)
    }

    /// Refusals that the writer was not asked for, by reason.
    pub(super) fn refused_at_edge(&self) -> Vec<u64> {
        let of_reason = |reason| self.io.iter().map(|io| io.refusals.get(reason)).sum();
        (0..self.labels.reasons.len()).map(of_reason).collect()
    }

    /// Every cell of requests that is possible, or counts something all the same: route, method,
    /// outcome, count.
    pub(super) fn requests(&self) -> Vec<(usize, usize, usize, u64)> {
        let (methods, outcomes) = (self.labels.methods.len(), self.labels.outcomes.len());
        let cells = self.possible_requests.iter().enumerate();
        let cells = cells.filter_map(|(cell, possible)| {
            let count: u64 = self.io.iter().map(|io| io.requests.get(cell)).sum();
            let place = cell / outcomes;
            (*possible || count > 0).then_some((
                place / methods,
                place % methods,
                cell % outcomes,
                count,
            ))
        });
        cells.collect()
    }

    /// Every cell of commands that is possible, or counts something all the same: command, outcome,
    /// count.
    pub(super) fn commands(&self) -> Vec<(usize, usize, u64)> {
        let outcomes = self.labels.outcomes.len();
        let cells = self.possible_commands.iter().enumerate();
        let cells = cells.filter_map(|(cell, possible)| {
            let count = self.io.iter().map(|io| io.commands.get(cell)).sum();
            (*possible || count > 0).then_some((cell / outcomes, cell % outcomes, count))
        });
        cells.collect()
    }

    /// What was not let in, by reason in the order of the labels.
    pub(super) fn not_admitted(&self) -> Vec<u64> {
        let all = |reason| self.io.iter().map(|io| io.not_admitted.get(reason)).sum();
        (0..self.labels.admission.len()).map(all).collect()
    }

    /// Requests that may be under way on all IO threads.
    pub(super) fn limit(&self) -> u64 {
        self.io.iter().map(|io| io.limit.load(Ordering::Relaxed)).sum()
    }

    /// The SKUs that were asked for most lately, those that are named; now on any clock.
    pub(super) fn hot(&self, now_ms: u64) -> Vec<(String, u64)> {
        let mut all = Hot::default();
        for io in &self.io {
            all.add(&io.hot.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.renew(&all.ranked(), now_ms)
    }
}
