//! Refusals on their way into the journal, whole, for `journal.refusals = full`.
//!
//! Owns a bounded queue of them, in the bytes in which they are stored, and when it is told: before
//! the next event that changes anything, so that a refusal of the writer stands right behind the
//! state that it was given in, or, where only refusals come, after a second, with those that
//! `refusal_counts` counts. No sync is made for them but that one. What finds no room, here or in
//! the journal, is counted, and that is told too. Never touches the state. Next: `refusal_counts`,
//! `codec::kept`.

use super::Core;
use crate::codec;
use crate::domain::model::answer::{Refusal, ShortLine};
use crate::domain::model::command::{Command, Request};
use crate::domain::model::event::{Event, Record};
use crate::domain::model::ids::{Sequence, Stamp};
use crate::domain::model::kept::NotKept;
use crate::edge::Edge;
use crate::ring::TurnedAway;
use doorbuster_journal::{Disk, RECORD_BYTES_MAX};
use smallvec::smallvec;
use std::collections::VecDeque;
use std::sync::Arc;

/// Refusals wait this long at most, as those that are counted do.
const AGE_MS_MAX: u64 = 1_000;
/// Without room in the journal they are tried again this soon.
const NO_ROOM_PAUSE_MS: u64 = 100;
/// Bytes that wait at most; some 43,000 refusals. That much is stored and synced at once, where
/// only refusals come.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A record of refusals is about this long, in bytes,
const BUNDLE_BYTES: usize = 32 * 1024;
/// and never longer than this: what is in front of them in a record is short.
const BUNDLE_BYTES_MAX: usize = RECORD_BYTES_MAX - 64;

/// Refusals that are told in one event.
#[derive(Debug, Default)]
struct Bundle {
    bytes: Vec<u8>,
    count: u32,
}

/// Whole refusals that the journal does not have yet.
#[derive(Debug)]
pub(super) struct Keeping {
    edge: Arc<Edge>,
    bundles: VecDeque<Bundle>,
    waiting_bytes: usize,
    /// When they must be told, if there are any.
    due_at: Option<Stamp>,
    /// Those that were not kept and are not told yet, and from which sequence on.
    not_kept: u64,
    not_kept_since: Sequence,
    /// When what IO threads refused was taken last: what they lost since then, they gave since
    /// then.
    taken_at: Sequence,
}

/// What comes behind the refusals that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The end of the turn.
    Nothing,
    /// An event that may change what they rest on.
    Change,
    /// The end of the journal, for now.
    End,
}

impl Keeping {
    pub(super) fn by(edge: Arc<Edge>) -> Self {
        Self {
            edge,
            bundles: VecDeque::new(),
            waiting_bytes: 0,
            due_at: None,
            not_kept: 0,
            not_kept_since: 0,
            taken_at: 0,
        }
    }

    /// Nothing waits to be told.
    pub(super) fn is_empty(&self) -> bool {
        self.bundles.is_empty() && self.not_kept == 0
    }

    /// When they must be told.
    pub(super) const fn due_at(&self) -> Option<Stamp> {
        self.due_at
    }

    fn is_on(&self) -> bool {
        self.edge.keeps_refusals()
    }

    fn keep(&mut self, given: &codec::Given<'_>, now: Stamp) -> bool {
        if self.waiting_bytes >= WAITING_BYTES_MAX {
            return false;
        }
        if self.bundles.back().is_none_or(|last| last.bytes.len() >= BUNDLE_BYTES) {
            self.bundles.push_back(Bundle::default());
        }
        let bundle = self.bundles.back_mut().expect("there is one now");
        let before = bundle.bytes.len();
        codec::encode_refusal(given, &mut bundle.bytes);
        let own_bytes = bundle.bytes.len() - before;
        let is_kept = (1..=BUNDLE_BYTES_MAX).contains(&own_bytes);
        if !is_kept {
            bundle.bytes.truncate(before);
        } else if bundle.bytes.len() <= BUNDLE_BYTES_MAX {
            bundle.count += 1;
        } else {
            let bytes = bundle.bytes.split_off(before);
            self.bundles.push_back(Bundle { bytes, count: 1 });
        }
        if is_kept {
            self.waiting_bytes += own_bytes;
            self.due_at.get_or_insert(now + AGE_MS_MAX);
        } else if before == 0 {
            self.bundles.pop_back();
        }
        is_kept
    }

    fn lose(&mut self, count: u64, sequence: Sequence, now: Stamp) {
        let before = if self.not_kept == 0 { sequence } else { self.not_kept_since };
        self.not_kept_since = before.min(sequence);
        self.not_kept += count;
        self.due_at.get_or_insert(now + AGE_MS_MAX);
    }

    fn take_bundle(&mut self) -> Option<Bundle> {
        let bundle = self.bundles.pop_front()?;
        self.waiting_bytes -= bundle.bytes.len();
        Some(bundle)
    }
}

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
    /// cannot wait any longer, what finds none is not kept: behind a change it would no longer
    /// stand behind its state.
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

    /// They are applied as an event without any: that changes the same.
    fn append_refusals(&mut self, bundle: &Bundle) {
        let record = Record { origin: None, event: Event::RefusalsKept(Vec::new()) };
        self.append_encoded(&record, |bytes| {
            codec::encode_refusals(bundle.count, &bundle.bytes, bytes);
        });
        self.watch.kept(u64::from(bundle.count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::command::{AdjustSku, Adjustment, CreateOrder, Precondition};
    use crate::domain::model::command::{Principal, Reach, Take};
    use crate::domain::model::ids::{LineRequest, PrincipalName, SkuId, UserId};
    use std::sync::atomic::AtomicBool;

    #[test]
    fn what_waits_is_bounded_in_bundles_that_fit_a_record() {
        let edge = Edge::default().keeping(Arc::new(AtomicBool::new(true)));
        let mut keeping = Keeping::by(Arc::new(edge));
        let sku = SkuId::parse("A").unwrap();
        let lines = [LineRequest { sku: sku.clone(), quantity: 1 }].into();
        let (user, take) = (UserId::parse("u").unwrap(), Take::Hold(None));
        let create = CreateOrder { user, lines, reference: None, take };
        let request = Request {
            principal: Principal { name: PrincipalName::local(), reach: Reach::Own },
            key: None,
            traceparent: None,
            command: Command::CreateOrder(create),
        };
        let refusal = Refusal::Paused(sku);
        let given =
            codec::Given { request: &request, refusal: &refusal, seen: 7, at: 10, at_edge: false };
        let mut kept = 0;
        while keeping.keep(&given, 10) {
            kept += 1;
        }
        keeping.lose(1, 7, 500);
        keeping.lose(2, 9, 500);
        assert_eq!((keeping.not_kept, keeping.not_kept_since), (3, 7));
        assert_eq!(keeping.due_at(), Some(10 + AGE_MS_MAX));
        assert!(keeping.waiting_bytes < WAITING_BYTES_MAX + BUNDLE_BYTES, "{kept}");
        let mut told = 0;
        while let Some(bundle) = keeping.take_bundle() {
            assert!(bundle.bytes.len() <= BUNDLE_BYTES + 1024 && bundle.count > 0);
            told += bundle.count;
        }
        assert_eq!((told, keeping.waiting_bytes), (kept, 0));
        keeping.not_kept = 0;
        assert!(keeping.is_empty());
    }

    #[test]
    fn a_long_refusal_has_a_bundle_of_its_own_or_is_not_kept() {
        let edge = Edge::default().keeping(Arc::new(AtomicBool::new(true)));
        let mut keeping = Keeping::by(Arc::new(edge));
        let keep = |keeping: &mut Keeping, reason_bytes: usize| {
            let adjust = AdjustSku {
                sku: SkuId::parse("A").unwrap(),
                adjustment: Adjustment::Delta(-1),
                reason: "x".repeat(reason_bytes),
                precondition: Precondition::None,
            };
            let request = Request {
                principal: Principal { name: PrincipalName::local(), reach: Reach::All },
                key: None,
                traceparent: None,
                command: Command::AdjustSku(Box::new(adjust)),
            };
            let refusal = Refusal::StockBelowCommitted { held: 1, sold: 0 };
            let (request, refusal) = (&request, &refusal);
            let given = codec::Given { request, refusal, seen: 7, at: 10, at_edge: false };
            keeping.keep(&given, 10)
        };
        assert!(!keep(&mut keeping, RECORD_BYTES_MAX) && keeping.is_empty());
        for reason_bytes in [BUNDLE_BYTES - 500, BUNDLE_BYTES, 10, BUNDLE_BYTES - 500] {
            assert!(keep(&mut keeping, reason_bytes));
        }
        assert!(!keep(&mut keeping, RECORD_BYTES_MAX));
        let told = std::iter::from_fn(|| keeping.take_bundle()).map(|bundle| {
            assert!(bundle.bytes.len() <= BUNDLE_BYTES_MAX);
            bundle.count
        });
        assert_eq!(told.sum::<u32>(), 4);
        assert_eq!(keeping.waiting_bytes, 0);
    }
}
