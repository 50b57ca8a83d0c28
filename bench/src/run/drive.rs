//! The open loop: requests start when the schedule says, whether or not the server keeps up.
//!
//! Owns the queue between schedule and connections, and every measurement. A request that finds no
//! free connection waits in the queue, and its wait counts; one that waits too long, or finds the
//! queue full, is dropped and counted. One thread, no locks. Next: `pace`, `connection`, `ledger`.

use super::connection::{Connection, Lost};
use super::ledger::Ledger;
use super::pace::Pacer;
use super::progress::Progress;
use super::scenario::{Plan, What};
use super::schedule::Schedule;
use super::targets::Targets;
use super::wire::Heads;
use crate::error::BenchError;
use crate::load::now;
use crate::report::outcome::Outcome;
use crate::report::series::record;
use crate::report::summary::Recording;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::LocalSet;

const SECOND_NS: u64 = 1_000_000_000;
/// A connection that cannot be made is tried again after this long.
const RECONNECT: Duration = Duration::from_millis(50);
/// Of several servers another one is asked after this long.
const ELSEWHERE: Duration = Duration::from_millis(5);
/// After the schedule's end it is looked this often whether all is answered.
const LOOK_NS: u64 = 5_000_000;

/// How to drive.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) targets: Rc<Targets>,
    pub(crate) connections: u64,
    pub(crate) timeout: Duration,
    /// Of several servers one that is silent for so long is left for another.
    pub(crate) move_on: Duration,
    pub(crate) queue_max: usize,
    pub(crate) late_after_us: u64,
}

/// A request with the time that it is meant to start.
#[derive(Debug, Clone, Copy)]
struct Job {
    intended_ns: u64,
    what: What,
}

struct Shared {
    settings: Settings,
    plan: Rc<Plan>,
    heads: Heads,
    begun: Instant,
    queue: RefCell<VecDeque<Job>>,
    /// Something is in the queue, or there never will be again.
    stirred: Notify,
    over: Cell<bool>,
    /// What winners do later, by time.
    follow_ups: RefCell<BinaryHeap<Reverse<(u64, What)>>>,
    followed_up: Notify,
    in_flight: Cell<u64>,
    ledger: RefCell<Ledger>,
    recording: RefCell<Recording>,
}

/// Opens all connections; whoever cannot be reached is known before the run.
pub(crate) async fn connect(settings: &Settings) -> std::io::Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for _ in 0..settings.connections {
        connections.push(settings.targets.connection().await?);
    }
    Ok(connections)
}

/// Drives a schedule to its end, or until it is told to stop, and then until what was sent is
/// answered or given up. Says after how many seconds it was stopped, if it was.
pub(crate) async fn drive(
    settings: Settings,
    plan: Rc<Plan>,
    heads: Heads,
    schedule: Schedule,
    (connections, begun): (Vec<Connection>, Instant),
    stop: &Notify,
) -> Result<(Recording, Ledger, Option<f64>), BenchError> {
    let shared = Rc::new(Shared {
        recording: RefCell::new(Recording::new(settings.late_after_us)),
        settings,
        plan,
        heads,
        begun,
        queue: RefCell::default(),
        stirred: Notify::new(),
        over: Cell::new(false),
        follow_ups: RefCell::default(),
        followed_up: Notify::new(),
        in_flight: Cell::new(0),
        ledger: RefCell::default(),
    });
    let local = LocalSet::new();
    let cut_after_s = local
        .run_until(async {
            let tasks = connections.into_iter().map(|connection| {
                tokio::task::spawn_local(serve(shared.clone(), Some(connection)))
            });
            let tasks: Vec<_> = tasks.collect();
            let watcher = tokio::task::spawn_local(watch(shared.clone()));
            let dispatched = shared.dispatch(schedule, stop).await;
            shared.over.set(true);
            shared.stirred.notify_waiters();
            for task in tasks {
                task.await.expect("a connection's task does not panic");
            }
            watcher.abort();
            dispatched
        })
        .await?;
    // An aborted task lets go of what it held when it is dropped with its set.
    drop(local);
    let shared = Rc::into_inner(shared).expect("all tasks are gone");
    Ok((shared.recording.into_inner(), shared.ledger.into_inner(), cut_after_s))
}

impl Shared {
    /// Nanoseconds since the run began, which it does a moment after this is made.
    fn now_ns(&self) -> u64 {
        u64::try_from(now().saturating_duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    async fn dispatch(&self, schedule: Schedule, stop: &Notify) -> Result<Option<f64>, BenchError> {
        let pacer = Pacer::new()?;
        pacer.wait(self.begun.saturating_duration_since(now())).await?;
        let mut schedule = schedule.zip(0_u64..).peekable();
        let mut cut_ns = None;
        loop {
            let now_ns = self.now_ns();
            if cut_ns.is_some() {
                self.forget_unsent();
                if self.is_quiet() {
                    return Ok(cut_ns.map(|cut_ns: u64| cut_ns as f64 / SECOND_NS as f64));
                }
                pacer.wait(Duration::from_nanos(LOOK_NS)).await?;
                continue;
            }
            while let Some((at_ns, number)) = schedule.next_if(|(at_ns, _)| *at_ns <= now_ns) {
                let what = self.plan.scheduled(number, &mut self.ledger.borrow_mut().known);
                self.start(at_ns, what, now_ns);
            }
            while let Some((at_ns, what)) = self.due_follow_up(now_ns) {
                self.start(at_ns, what, now_ns);
            }
            let scheduled_ns = schedule.peek().map(|(at_ns, _)| *at_ns);
            let following_ns = self.follow_ups.borrow().peek().map(|Reverse((at_ns, _))| *at_ns);
            let next_ns = match scheduled_ns.into_iter().chain(following_ns).min() {
                Some(next_ns) => next_ns,
                None if self.is_quiet() => return Ok(None),
                None => now_ns + LOOK_NS,
            };
            let wait = Duration::from_nanos(next_ns.saturating_sub(self.now_ns()));
            tokio::select! {
                waited = pacer.wait(wait) => waited?,
                () = self.followed_up.notified() => {}
                () = stop.notified() => cut_ns = Some(self.now_ns()),
            }
        }
    }

    /// What was meant to be sent and was not is counted as dropped.
    fn forget_unsent(&self) {
        self.follow_ups.borrow_mut().clear();
        let unsent = std::mem::take(&mut *self.queue.borrow_mut());
        unsent.iter().for_each(|job| self.drop_job(job.intended_ns));
    }

    fn due_follow_up(&self, now_ns: u64) -> Option<(u64, What)> {
        let mut follow_ups = self.follow_ups.borrow_mut();
        let Reverse((at_ns, _)) = *follow_ups.peek()?;
        if at_ns > now_ns {
            return None;
        }
        follow_ups.pop().map(|Reverse(due)| due)
    }

    fn is_quiet(&self) -> bool {
        self.in_flight.get() == 0 && self.queue.borrow().is_empty()
    }

    fn start(&self, intended_ns: u64, what: What, now_ns: u64) {
        let mut recording = self.recording.borrow_mut();
        recording.sends.intended += 1;
        recording.starts.entry(intended_ns / SECOND_NS).or_default()[0] += 1;
        record(&mut recording.lag, now_ns - intended_ns);
        drop(recording);
        let mut queue = self.queue.borrow_mut();
        if queue.len() >= self.settings.queue_max {
            drop(queue);
            self.drop_job(intended_ns);
            return;
        }
        queue.push_back(Job { intended_ns, what });
        self.stirred.notify_one();
    }

    fn drop_job(&self, intended_ns: u64) {
        let mut recording = self.recording.borrow_mut();
        recording.sends.dropped += 1;
        recording.starts.entry(intended_ns / SECOND_NS).or_default()[2] += 1;
    }

    /// The next request to send, waiting for one; none when there will be none.
    async fn next_job(&self) -> Option<Job> {
        loop {
            // Before looking, so that what comes in between is not missed.
            let stirred = self.stirred.notified();
            if let Some(job) = self.queue.borrow_mut().pop_front() {
                return Some(job);
            }
            if self.over.get() {
                return None;
            }
            stirred.await;
        }
    }

    fn finished(&self, job: Job, sent_ns: u64, outcome: Outcome, code: Option<String>) {
        let now_ns = self.now_ns();
        let second = job.intended_ns / SECOND_NS;
        let mut recording = self.recording.borrow_mut();
        let series = recording.outcomes.entry(outcome).or_default();
        series.record(second, now_ns.saturating_sub(job.intended_ns));
        record(&mut recording.from_send, now_ns.saturating_sub(sent_ns));
        recording.sends.sent += 1;
        if matches!(outcome, Outcome::Created | Outcome::Replayed) {
            recording.gaps.answered(now_ns);
        }
        let late_ns = recording.sends.late_after_us * 1000;
        if sent_ns.saturating_sub(job.intended_ns) > late_ns {
            recording.sends.late += 1;
            recording.starts.entry(second).or_default()[1] += 1;
        }
        if let Some(code) = code {
            *recording.codes.entry(code).or_default() += 1;
        }
    }

    fn follow_up(&self, what: What) {
        let What::Order { number } = what else { return };
        // Of a request that was asked again, either may be the first to be decided.
        let first = self.plan.order(number).number;
        if let Some((after_ns, next)) = self.plan.after_winning(first) {
            let due = (self.now_ns() + after_ns, next);
            self.follow_ups.borrow_mut().push(Reverse(due));
            self.followed_up.notify_one();
        }
    }
}

/// Sends one request after the other over one connection, and makes a new one when it breaks.
async fn serve(shared: Rc<Shared>, mut connection: Option<Connection>) {
    let mut request = Vec::with_capacity(1024);
    while let Some(job) = shared.next_job().await {
        let waited_ns = shared.now_ns().saturating_sub(job.intended_ns);
        if u128::from(waited_ns) > shared.settings.timeout.as_nanos() {
            shared.drop_job(job.intended_ns);
            continue;
        }
        shared.in_flight.set(shared.in_flight.get() + 1);
        send(&shared, &mut connection, job, &mut request).await;
        shared.in_flight.set(shared.in_flight.get() - 1);
    }
}

/// Sends until there is an answer: of several servers, whom it takes as a client would, with the
/// same key.
async fn send(shared: &Shared, kept: &mut Option<Connection>, job: Job, request: &mut Vec<u8>) {
    {
        let ledger = shared.ledger.borrow();
        shared.heads.render(request, &shared.plan, job.what, ledger.id(job.what));
    }
    let sent_ns = shared.now_ns();
    let patience_ns = u64::try_from(shared.settings.timeout.as_nanos()).unwrap_or(u64::MAX);
    while let Turn::Elsewhere = attempt(shared, kept, (job, sent_ns), request).await {
        *kept = None;
        if shared.now_ns().saturating_sub(sent_ns) > patience_ns {
            return shared.finished(job, sent_ns, Outcome::TimedOut, None);
        }
        tokio::time::sleep(ELSEWHERE).await;
    }
}

/// What an attempt came to.
enum Turn {
    Over,
    Elsewhere,
}

async fn attempt(
    shared: &Shared,
    kept: &mut Option<Connection>,
    (job, sent_ns): (Job, u64),
    request: &[u8],
) -> Turn {
    let targets = &shared.settings.targets;
    let connection = match kept {
        Some(connection) => connection,
        None => match targets.connection().await {
            Ok(connection) => kept.insert(connection),
            Err(_) if targets.are_several() => return Turn::Elsewhere,
            Err(_) => {
                let code = Some("not connected".to_owned());
                shared.finished(job, sent_ns, Outcome::Broken, code);
                tokio::time::sleep(RECONNECT).await;
                return Turn::Over;
            }
        },
    };
    let at = connection.at();
    let patience = match targets.are_several() {
        true => shared.settings.move_on,
        false => shared.settings.timeout,
    };
    match connection.ask(request, patience).await {
        Ok(seen) => {
            if let Some(leaving) = targets.left_for(&seen) {
                if leaving.unknown {
                    shared.ledger.borrow_mut().lost(&shared.plan, job.what);
                }
                targets.leave(at, leaving.writer.as_deref());
                return Turn::Elsewhere;
            }
            let judged = shared.ledger.borrow_mut().take(&shared.plan, job.what, &seen);
            let closes = seen.closes;
            shared.finished(job, sent_ns, judged.outcome, judged.code);
            if judged.outcome == Outcome::Created {
                shared.follow_up(job.what);
            }
            if closes {
                *kept = None;
            }
        }
        Err(lost) => {
            shared.ledger.borrow_mut().lost(&shared.plan, job.what);
            *kept = None;
            if targets.are_several() {
                targets.leave(at, None);
                return Turn::Elsewhere;
            }
            let outcome = match lost {
                Lost::TimedOut => Outcome::TimedOut,
                Lost::Broken => Outcome::Broken,
            };
            shared.finished(job, sent_ns, outcome, None);
        }
    }
    Turn::Over
}

/// Once a second: packs what has ended, and shows how it goes where somebody looks.
async fn watch(shared: Rc<Shared>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut progress = Progress::new();
    // A request waits for at most one patience and is answered within another.
    let ended_after_s = 2 * shared.settings.timeout.as_secs() + 2;
    loop {
        ticks.tick().await;
        let second = shared.now_ns() / SECOND_NS;
        let mut recording = shared.recording.borrow_mut();
        for series in recording.outcomes.values_mut() {
            series.pack_before(second.saturating_sub(ended_after_s));
        }
        let (queued, in_flight) = (shared.queue.borrow().len(), shared.in_flight.get());
        progress.show(second, &recording, queued, in_flight);
    }
}
