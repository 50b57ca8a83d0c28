//! Refusals on their way into the journal, whole, for `journal.refusals = full`.
//!
//! Owns when they are told: before the next event that changes anything, so that a refusal of the
//! writer stands right after the state that it was given in, or, where only refusals come, after a
//! second, with those that `refusal_counts` counts. No sync is made for them but that one. What
//! finds no room, here or in the journal, is counted, and that is told too. Never touches the
//! state. Next: `kept_refusals`, `refusal_counts`.

use super::Core;
use super::kept_refusals::{Behind, Bundle};
use crate::codec;
use crate::domain::model::answer::{Refusal, ShortLine};
use crate::domain::model::command::{Command, Request};
use crate::domain::model::event::{Event, Record};
use crate::domain::model::kept::NotKept;
use crate::ring::TurnedAway;
use doorbuster_journal::Disk;
use smallvec::smallvec;

/// Without room in the journal they are tried again this soon.
const NO_ROOM_PAUSE_MS: u64 = 100;

impl<D: Disk> Core<D> {
    /// Keeps a refusal that was just decided.
    pub(super) fn keep_refusal(&mut self, request: &Request, refusal: &Refusal) {
        // To look in vain is no refusal.
        if self.keeping.is_on() && !matches!(request.command, Command::Read(_)) {
            let seen = self.state.sequence;
            let given = codec::Given { request, refusal, seen, at: self.now, at_edge: false };
            self.keep(&given);
        }
    }

    /// Keeps what an IO thread refused.
    pub(super) fn keep_turned_away(&mut self, turned_away: &TurnedAway) {
        let TurnedAway { request, held, seen, elapsed_ms } = turned_away;
        let Command::CreateOrder(order) = &request.command else { return };
        let short = |line: &crate::domain::model::ids::LineRequest| ShortLine {
            sku: line.sku.clone(),
            requested: u64::from(line.quantity),
            available: 0,
            held: *held,
        };
        let Some(line) = order.lines.first() else { return };
        let refusal = Refusal::SoldOut(smallvec![Box::new(short(line))]);
        // By the clock of the IO thread, put on the writer's.
        let ago_ms = self.stamps.last_elapsed_ms().saturating_sub(*elapsed_ms);
        let at = self.now.saturating_sub(ago_ms);
        let given = codec::Given { request, refusal: &refusal, seen: *seen, at, at_edge: true };
        self.keep(&given);
    }

    /// Refusals of IO threads that found no room on their way here.
    pub(super) fn lose_turned_away(&mut self, count: u64) {
        if count > 0 {
            let since = self.keeping.taken_at.min(self.state.sequence);
            self.keeping.lose(count, since, self.now);
            self.watch.not_kept(count);
        }
        self.keeping.taken_at = self.state.sequence;
    }

    fn keep(&mut self, given: &codec::Given<'_>) {
        if !self.keeping.keep(given, self.now) {
            self.lose_refusals(1);
        }
    }

    fn lose_refusals(&mut self, count: u64) {
        self.keeping.lose(count, self.state.sequence, self.now);
        self.watch.not_kept(count);
    }

    /// Tells what waits, as far as there is room and room stays for one more record. Where it
    /// cannot wait any longer, what finds none is not kept: after a change it would no longer
    /// stand after its state.
    pub(super) fn tell_kept(&mut self, behind: Behind) {
        while let Some(bundle) = self.keeping.bundles.front() {
            if !self.room.for_refusals(bundle.bytes.len()) || self.failure.is_some() {
                break;
            }
            let Some(bundle) = self.keeping.take_bundle() else { break };
            self.append_refusals(&bundle);
        }
        if behind != Behind::Nothing {
            while let Some(bundle) = self.keeping.take_bundle() {
                self.lose_refusals(u64::from(bundle.count));
            }
        }
        let room = match behind {
            Behind::End => self.room.for_existing(),
            Behind::Nothing | Behind::Change => self.room.for_refusals(0),
        };
        if self.keeping.not_kept > 0 && room {
            let (count, since) = (self.keeping.not_kept, self.keeping.not_kept_since);
            self.keeping.not_kept = 0;
            let event = Event::RefusalsNotKept(NotKept { count, since });
            self.append_as_it_is(&Record { origin: None, event });
        }
        let now = self.now;
        self.keeping.due_at = (!self.keeping.is_empty()).then_some(now + NO_ROOM_PAUSE_MS);
    }

    /// Appends a bundle. It is applied as an event without refusals, which changes the same.
    fn append_refusals(&mut self, bundle: &Bundle) {
        let record = Record { origin: None, event: Event::RefusalsKept(Vec::new()) };
        self.append_encoded(&record, |bytes| {
            codec::encode_refusals(bundle.count, &bundle.bytes, bytes);
        });
        self.watch.kept(u64::from(bundle.count));
    }
}
