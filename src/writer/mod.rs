//! The one thread that decides. It owns the state and the journal; nobody else touches either.
//!
//! A turn is: stamp, expire what is due, decide and apply and append each request, one sync, tell
//! the lanes. No answer leaves before the sync that it rests on (in the modes that sync first). A
//! panic while deciding has changed nothing and is answered; any other panic, and a failed append
//! or sync, ends the process: recovery knows what is durable, this thread no longer does. Next:
//! `domain::rules::decide`, `ring::inbox`, the journal crate; here `batch_limit` (a turn's length),
//! `capacity`, `durable` (the sync, and what is published of it), `keeping` with `kept_refusals`,
//! `refusal_counts` with `pending_refusals`, `edge_updates`, `settings_update`, `idle`,
//! `turn_metrics`, `steps`, `parts`, `builder`.

mod batch_limit;
mod builder;
mod capacity;
mod durable;
mod edge_updates;
mod idle;
mod keeping;
mod kept_refusals;
mod parts;
mod pending_refusals;
mod refusal_counts;
mod settings_update;
mod steps;
mod turn_metrics;

use crate::background::prefault_thread::Prepared;
use crate::codec;
use crate::config::{Durability, Wait};
use crate::domain::memory::prefetch::warm;
use crate::domain::model::command::{Command, Reach, Request};
use crate::domain::model::event::{Event, Origin, Record};
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::model::settings::Settings;
use crate::domain::rules::apply::apply;
use crate::domain::rules::decide::{Decision, decide};
use crate::domain::rules::{read, sweep};
use crate::domain::state::tables::State;
use crate::ring::{Inbox, Outbox, Outcome, Polled, QueuedRequest};
use crate::shared::clock::Stamps;
use crate::shared::snapshots::Snapshots;
use crate::testing::failpoints::{self, Failpoint, armed};
use batch_limit::BatchLimit;
use capacity::JournalCapacity;
use doorbuster_journal::{Disk, FileDisk, Journal, JournalError, Spare};
use edge_updates::{EdgeUpdates, Moment};
use kept_refusals::{Behind, Keeping};
pub use parts::WriterParts;
use pending_refusals::PendingRefusals;
pub use pending_refusals::{TOLD_EVERY_MS, TOLD_PAIRS_MAX};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use turn_metrics::TurnMetrics;

/// Holds that one turn lets run out, while it keeps up.
const EXPIRE_PER_TURN: u32 = 256;
/// Holds that one turn lets run out at most, when it is late.
const EXPIRE_PER_TURN_MAX: u32 = 32_768;
/// Holds expired between two looks at the clock: so many take a fraction of the bound.
const EXPIRED_BETWEEN_LOOKS: u32 = 64;
/// A turn lets holds run out for so long, however many are due: those who ask wait for no more.
const EXPIRE_NS_MAX: u64 = 20_000_000;
/// A hold this late doubles what the next turns let run out.
const EXPIRY_LATE_MS: u64 = 250;
/// Between two looks at a segment that is being made at the start.
const ROOM_PAUSE: Duration = Duration::from_millis(1);
/// Other sweeps of one turn; each is one event of bounded size.
const TIDY_PER_TURN: u32 = 4;
/// Keys and orders leave this long after their time, so that many leave in one event.
const TIDY_AFTER_MS: u64 = 1_000;
/// What is due first, and the decision itself, take so many rounds at most.
const DECIDES_PER_REQUEST: u32 = 8;

pub struct Writer<D: Disk = FileDisk> {
    core: Core<D>,
    inbox: Inbox,
    pace: BatchLimit,
    wait: Wait,
}

/// All but the ring of requests, which lends them out while the rest works on them.
struct Core<D: Disk> {
    state: State,
    journal: Journal<D>,
    stamps: Stamps,
    outbox: Outbox,
    settings: Receiver<Settings>,
    /// Settings that wait for room in the journal.
    fresh_settings: Option<Settings>,
    durability: Durability,
    clock: crate::shared::clock::Clock,
    now: Stamp,
    room: JournalCapacity,
    pending: PendingRefusals,
    keeping: Keeping,
    showing: EdgeUpdates,
    expire_budget: u32,
    /// Events were appended since the last seal; then, when the last of them were.
    unsealed_since: Option<Stamp>,
    /// Records were stored since the last sync; then, when the first of them were.
    unsynced_since: Option<Stamp>,
    sealed_at: Stamp,
    /// The last attempt to make a spare segment failed, and that was told.
    spare_failed: bool,
    /// Memory for what comes next; without it the tables help themselves.
    prepared: Option<Prepared>,
    records_in_turn: u64,
    watch: TurnMetrics,
    snapshots: Arc<Snapshots>,
    snapshot_events: u64,
    /// The sequence at which a snapshot is due.
    snapshot_at: Sequence,
    /// The first error of the journal; the turn ends and so does the process.
    failure: Option<JournalError>,
}

/// What is to be done after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next turn, at once.
    Turn,
    /// Nothing until a lane calls or this long has passed; none for as long as nobody calls.
    Rest(Option<Duration>),
    /// The end: every lane is closed.
    Stop,
}

/// How a writer ended in good order.
#[derive(Debug)]
pub struct Stopped {
    /// The last state.
    pub state: State,
}

impl<D: Disk> Writer<D> {
    /// Takes turns until every lane is closed, then leaves the journal sealed and synced.
    ///
    /// # Errors
    /// When the journal cannot be appended to or synced. Nothing may be answered after that.
    pub fn run(mut self) -> Result<Stopped, JournalError> {
        self.core.journal.start_allocator()?;
        self.core.prepare_memory();
        self.core.wait_for_room(JournalCapacity::for_new);
        self.open();
        loop {
            match self.turn()? {
                Next::Turn => {}
                Next::Rest(timeout) if self.wait == Wait::Park => self.inbox.park(timeout),
                Next::Rest(_) => {}
                Next::Stop => {
                    // Or the next start would take an orderly stop for a sudden one.
                    self.core.wait_for_room(JournalCapacity::for_seal);
                    return self.stop();
                }
            }
        }
    }

    /// One turn: all that is due and all that was asked. Says when the next one is to come.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn turn(&mut self) -> Result<Next, JournalError> {
        let core = &mut self.core;
        core.begin();
        core.take_settings();
        core.sweep();
        core.watch.begin_turn();
        let requests_max = core.room.requests_max().min(self.pace.requests_max());
        let begun_ns = core.clock.elapsed_ns();
        let polled = self.inbox.poll(requests_max, |together| core.serve(together));
        let took_ns = core.clock.elapsed_ns().saturating_sub(begun_ns);
        core.watch.took(took_ns);
        self.pace.decided(core.watch.requests(), took_ns, core.watch.sync_ns());
        self.collect_refusal_reports();
        let core = &mut self.core;
        core.commit()?;
        let swept = polled == Polled::None && core.records_in_turn > 0;
        if polled == Polled::None && !swept {
            core.seal_if_quiet()?;
        }
        // The call for settings that came after `take_settings` may have been heeded with the
        // others.
        let fresh = core.hear_settings();
        Ok(match polled {
            Polled::Closed => Next::Stop,
            // What is due may be more than one turn takes; then the next begins at once.
            _ if swept || fresh || self.inbox.called() => Next::Turn,
            _ => Next::Rest(core.until_due()),
        })
    }

    fn collect_refusal_reports(&mut self) {
        let core = &mut self.core;
        self.inbox.collect_refusal_reports(|refusals| core.count_reported(&refusals));
        let lost = self.inbox.take_turned_away(|refusal| core.keep_turned_away(&refusal));
        core.lose_turned_away(lost);
    }
}

impl<D: Disk> Core<D> {
    /// A segment that is nearly full at the start is no reason to refuse: its successor is being
    /// made, and requests wait in the ring for that long.
    fn wait_for_room(&mut self, enough: impl Fn(&JournalCapacity) -> bool) {
        self.begin();
        while !enough(&self.room) && self.journal.free_space().spare == Spare::Preparing {
            self.clock.sleep(ROOM_PAUSE);
            self.begin();
        }
    }

    /// That there is no thread for it only makes some turns slower.
    fn prepare_memory(&mut self) {
        match Prepared::by_thread() {
            Ok(prepared) => self.prepared = Some(prepared),
            Err(cause) => {
                let cause = cause.to_string();
                tracing::warn!(cause, "memory is not prepared ahead: there is no thread for it");
            }
        }
    }

    fn begin(&mut self) {
        if let Some(prepared) = &mut self.prepared {
            prepared.turn(&mut self.state);
        }
        self.now = self.stamps.now().max(self.state.stamp);
        self.records_in_turn = 0;
        self.outbox.cursors().count_turn();
        self.journal.set_copied(self.outbox.cursors().copied());
        self.journal.begin(self.state.epoch, self.now);
        self.room.begin(self.journal.free_space());
        self.watch_spare();
    }

    /// Says once why there is no spare segment, and that there is one again.
    fn watch_spare(&mut self) {
        match (self.journal.take_spare_failure(), self.spare_failed) {
            (Some(failure), false) => {
                let cause = failure.to_string();
                tracing::warn!(cause, "no spare segment, new orders stop when this one is full");
                self.spare_failed = true;
                // Letting history go makes room, but no file that may be larger.
                self.snapshots.set_space_short(!failure.is_file_too_large());
            }
            (None, true) if self.journal.free_space().spare == Spare::Ready => {
                tracing::info!("there is a spare segment again");
                self.spare_failed = false;
                self.snapshots.set_space_short(false);
            }
            _ => {}
        }
    }

    /// Lets run out what is due, a bounded number of holds and other things.
    fn sweep(&mut self) {
        let late = sweep::expiry_lag_ms(&self.state, self.now) > EXPIRY_LATE_MS;
        self.expire_budget = match late {
            true => (self.expire_budget * 2).min(EXPIRE_PER_TURN_MAX),
            false => EXPIRE_PER_TURN,
        };
        self.expire();
        let tidy_at = sweep::next_tidy(&self.state).map(|due| due + TIDY_AFTER_MS);
        if tidy_at.is_none_or(|tidy_at| self.now < tidy_at) {
            return;
        }
        for _ in 0..TIDY_PER_TURN {
            match sweep::tidy(&self.state, self.now) {
                Some(event) if self.room.for_new() => self.record(None, event),
                _ => break,
            }
        }
    }

    /// Lets holds run out, as many as the budget and the time of a turn allow.
    fn expire(&mut self) {
        let begun_ns = self.clock.elapsed_ns();
        for expired in 0..self.expire_budget {
            if expired % EXPIRED_BETWEEN_LOOKS == EXPIRED_BETWEEN_LOOKS - 1
                && self.clock.elapsed_ns().saturating_sub(begun_ns) > EXPIRE_NS_MAX
            {
                break;
            }
            match sweep::expire(&self.state, self.now) {
                Some(event) if self.room.for_existing() => self.record(None, event),
                _ => break,
            }
        }
    }

    /// Prefetches what some requests will look for and fill in, then answers one after the other.
    fn serve(&mut self, together: &[QueuedRequest<'_>]) {
        failpoints::slow_down(together.len(), &self.clock);
        if together.len() > 1 {
            warm(&mut self.state, together.iter().map(|asked| asked.request.into()));
        }
        self.watch.take();
        for QueuedRequest { request, address, deadline_ms } in together {
            let late = deadline_ms.is_some_and(|deadline_ms| self.is_late(deadline_ms));
            let outcome = if late { Outcome::DeadlineExceeded } else { self.answer(request) };
            let decided = self.watch.decided();
            self.outbox.answer(*address, self.state.sequence, outcome, decided);
        }
    }

    fn is_late(&self, deadline_ms: u64) -> bool {
        armed(Failpoint::Deadline) || self.clock.elapsed_ms() >= deadline_ms
    }

    /// Decides until there is an answer; what is due first happens first.
    fn answer(&mut self, request: &Request) -> Outcome {
        for _ in 0..DECIDES_PER_REQUEST {
            // Deciding only reads, so a panic in it leaves the state as it was.
            let decided = catch_unwind(AssertUnwindSafe(|| self.decide(request)));
            match decided {
                Err(_) => return Outcome::Internal,
                // What records nothing needs no room: reads, refusals, answers given before.
                Ok(Decision::First(_) | Decision::Change(_)) if !self.has_room(request) => {
                    return Outcome::NoSpace;
                }
                Ok(Decision::First(event)) => self.record(None, event),
                Ok(Decision::Change(event)) => return self.change(request, event),
                Ok(Decision::Answer(answered)) => {
                    self.count_refusal(request, &answered);
                    return Outcome::Answered(answered);
                }
            }
        }
        Outcome::Busy
    }

    fn decide(&self, request: &Request) -> Decision {
        assert!(!armed(Failpoint::Decide), "told to");
        decide(&self.state, request, self.now)
    }

    fn has_room(&self, request: &Request) -> bool {
        if armed(Failpoint::NoSpace) {
            return false;
        }
        match &request.command {
            Command::ActOnOrder(..) => self.room.for_existing(),
            _ => self.room.for_new(),
        }
    }

    fn change(&mut self, request: &Request, event: Event) -> Outcome {
        if let Event::SkuDeleted(deleted) = &event {
            self.tell_refusals_of(&deleted.sku);
        }
        let origin = Origin {
            principal: request.principal.name.clone(),
            reach_all: request.principal.reach == Reach::All,
            key: if event.remembers() { request.key } else { None },
            traceparent: request.traceparent,
        };
        let record = Record { origin: Some(origin), event };
        self.append(&record);
        if self.failure.is_some() {
            return Outcome::Unknown;
        }
        Outcome::Answered(read::answer_to(&self.state, &record.event))
    }

    fn record(&mut self, origin: Option<Origin>, event: Event) {
        self.append(&Record { origin, event });
    }

    /// Applies an event and appends it. An error is kept: nothing of this turn is answered before.
    fn append(&mut self, record: &Record) {
        if !self.keeping.is_empty() {
            self.tell_kept(Behind::Change);
        }
        self.append_as_it_is(record);
    }

    fn append_as_it_is(&mut self, record: &Record) {
        self.append_encoded(record, |bytes| codec::encode_record(record, bytes));
    }

    fn append_encoded(&mut self, record: &Record, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.failure.is_some() {
            return;
        }
        apply(&mut self.state, record, self.now);
        self.showing.note(&self.state, record);
        let mut record_bytes = 0;
        let pushed = self.journal.push(|bytes| {
            let before = bytes.len();
            encode(bytes);
            record_bytes = bytes.len() - before;
        });
        match pushed {
            Ok(sequence) => assert_eq!(sequence, self.state.sequence, "one event, one sequence"),
            Err(error) => drop(self.failure.get_or_insert(error)),
        }
        self.room.used(record_bytes);
        self.records_in_turn += 1;
    }

    /// Stores what the turn appended, syncs it if the mode asks for that, and tells the lanes.
    fn commit(&mut self) -> Result<(), JournalError> {
        let counts_due = self.pending.is_due(self.now);
        let kept_due = self.keeping.due_at().is_some_and(|due_at| self.now >= due_at);
        if self.records_in_turn > 0 || counts_due || kept_due {
            self.tell_kept(Behind::Nothing);
        }
        if counts_due {
            self.record_refusals();
        }
        self.store()?;
        self.watch.stored();
        self.sync_if_due()?;
        self.watch.end_turn(self.outbox.cursors());
        if self.records_in_turn > 0 {
            let moment = self.moment();
            self.showing.end_turn(&self.state, moment);
            self.watch.show(&self.state, self.now, self.journal.segments());
        }
        self.publish();
        self.outbox.wake_answered();
        Ok(())
    }

    /// Stores what the turn appended.
    fn store(&mut self) -> Result<(), JournalError> {
        if armed(Failpoint::Store) {
            return Err(JournalError::NoSpare);
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.records_in_turn > 0 {
            self.journal.finish()?;
            self.outbox.cursors().publish_appended(self.journal.appended());
            self.unsealed_since = Some(self.now);
            self.unsynced_since.get_or_insert(self.now);
        }
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, elapsed_ms: self.stamps.last_elapsed_ms() }
    }

    fn show_all(&mut self) {
        let moment = self.moment();
        self.showing.show_all(&self.state, moment);
    }

    /// Everything is answered; what is left is told to the journal.
    fn stop(mut self) -> Result<Stopped, JournalError> {
        self.begin();
        self.tell_all_refusals();
        self.tell_kept(Behind::End);
        self.commit()?;
        self.sync()?;
        self.seal(true)?;
        self.journal.close()?;
        Ok(Stopped { state: self.state })
    }
}
