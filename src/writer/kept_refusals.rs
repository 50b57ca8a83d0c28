//! Refusals that wait to be journaled whole, in the bytes in which they are stored.
//!
//! Owns a bounded queue of them, in bundles that fit a record, and how long they wait. What finds
//! no room is counted. Never writes: see `keeping`. Next: `codec::kept`.

use crate::codec;
use crate::domain::model::ids::{Sequence, Stamp};
use crate::edge::Edge;
use doorbuster_journal::RECORD_BYTES_MAX;
use std::collections::VecDeque;
use std::sync::Arc;

/// Refusals wait this long at most, as those that are counted do.
const AGE_MS_MAX: u64 = 1_000;

/// Bytes that wait at most; some 43,000 refusals. That much is stored and synced at once, where
/// only refusals come.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A record of refusals is about this long, in bytes,
const BUNDLE_BYTES: usize = 32 * 1024;

/// and never longer than this: what is in front of them in a record is short.
const BUNDLE_BYTES_MAX: usize = RECORD_BYTES_MAX - 64;

/// Refusals that are told in one event.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
}

/// Whole refusals that the journal does not have yet.
#[derive(Debug)]
pub(super) struct Keeping {
    edge: Arc<Edge>,
    pub(super) bundles: VecDeque<Bundle>,
    waiting_bytes: usize,
    /// When they must be told, if there are any.
    pub(super) due_at: Option<Stamp>,
    /// Refusals that were not kept and are not told yet, and from which sequence on.
    pub(super) not_kept: u64,
    pub(super) not_kept_since: Sequence,
    /// When what IO threads refused was taken last: what they lost since then, they gave since
    /// then.
    pub(super) taken_at: Sequence,
}

/// What comes after the refusals that are told.
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

    pub(super) fn is_on(&self) -> bool {
        self.edge.keeps_refusals()
    }

    pub(super) fn keep(&mut self, given: &codec::Given<'_>, now: Stamp) -> bool {
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

    pub(super) fn lose(&mut self, count: u64, sequence: Sequence, now: Stamp) {
        let before = if self.not_kept == 0 { sequence } else { self.not_kept_since };
        self.not_kept_since = before.min(sequence);
        self.not_kept += count;
        self.due_at.get_or_insert(now + AGE_MS_MAX);
    }

    pub(super) fn take_bundle(&mut self) -> Option<Bundle> {
        let bundle = self.bundles.pop_front()?;
        self.waiting_bytes -= bundle.bytes.len();
        Some(bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::answer::Refusal;
    use crate::domain::model::command::{AdjustSku, Adjustment, CreateOrder, Precondition};
    use crate::domain::model::command::{Command, Request};
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
