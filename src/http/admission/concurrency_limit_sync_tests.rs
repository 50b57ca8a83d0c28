//! The limit of one IO thread while syncs take long, by a clock, a writer and a disk that are made
//! up.

use super::*;
use crate::ring::SyncSpan;

const BOUND_MS: u64 = 100;
const LASTS_MS: u64 = 10_000;
/// Whoever is refused comes back after this.
const PAUSE_MS: u64 = 1_500;

/// A closed loop of buyers, and what became of their orders.
#[derive(Default)]
struct Shop {
    /// Came then, and wait to be taken.
    ring: Vec<u64>,
    /// Are decided, and wait for the sync.
    turn: Vec<u64>,
    taken_ms: u64,
    last: SyncSpan,
    before: SyncSpan,
    /// The sync begins then.
    syncing_from_ms: Option<u64>,
    deciding_ns: u64,
    answers: u64,
    refused: u64,
    waits_ms: Vec<u64>,
}

impl Shop {
    fn syncs(&self, now_ms: u64) -> Syncs {
        let since_ms = self.syncing_from_ms.filter(|from_ms| *from_ms <= now_ms);
        Syncs { last: self.last, since_ms }
    }

    fn comes(&mut self, limiter: &AdaptiveLimit, now_ms: u64) -> bool {
        let unanswered = self.ring.len() + self.turn.len();
        let load = Load { unanswered, answers: self.answers, deciding_ns: self.deciding_ns };
        limiter.update(load, || self.syncs(now_ms), now_ms, BOUND_MS);
        let undecided = match self.syncing_from_ms {
            Some(from_ms) if from_ms <= now_ms => self.ring.len(),
            _ => unanswered,
        };
        let admitted = limiter.admits(Rank::Ordinary, load, || undecided);
        if admitted {
            self.ring.push(now_ms);
        } else {
            self.refused += 1;
        }
        admitted
    }

    /// Takes as many as `writer::pace` would let it.
    fn takes(&mut self, now_ms: u64, sync_ms: u64, decide_us: u64) {
        if self.turn.is_empty() && !self.ring.is_empty() {
            let most = (sync_ms.max(10) * 1_000 / decide_us).max(64) as usize;
            self.turn = self.ring.drain(..most.min(self.ring.len())).collect();
            self.before = self.last;
            self.taken_ms = now_ms;
            let deciding_us = self.turn.len() as u64 * decide_us;
            self.syncing_from_ms = Some(now_ms + deciding_us.div_ceil(1_000));
        }
    }

    /// Answers the turn, if its sync ends now; says how many go home.
    fn answers(
        &mut self,
        limiter: &AdaptiveLimit,
        now_ms: u64,
        sync_ms: u64,
        decide_us: u64,
    ) -> usize {
        let Some(from_ms) = self.syncing_from_ms.filter(|from| from + sync_ms == now_ms) else {
            return 0;
        };
        self.syncing_from_ms = None;
        self.last = SyncSpan { began_ns: from_ms * 1_000_000, ended_ns: now_ms * 1_000_000 };
        let turn = std::mem::take(&mut self.turn);
        self.answers += turn.len() as u64;
        self.deciding_ns += turn.len() as u64 * decide_us * 1_000;
        for came_ms in &turn {
            let in_all_ms = now_ms - came_ms;
            let before_ns = self.before.within(came_ms * 1_000_000, self.taken_ms * 1_000_000);
            let wait = Wait::of(in_all_ms * 1_000_000, sync_ms * 1_000_000 + before_ns);
            limiter.record_wait(Rank::Ordinary, wait);
            self.waits_ms.push(in_all_ms);
        }
        turn.len()
    }
}

/// So many buyers, each with one order under way, for ten seconds.
fn sells(buyers: usize, sync_ms: u64, decide_us: u64) -> Shop {
    let limiter = AdaptiveLimit::new(0);
    let last = SyncSpan { began_ns: 0, ended_ns: sync_ms * 1_000_000 };
    let mut shop = Shop { last, ..Shop::default() };
    // Who comes when.
    let mut coming = vec![0; LASTS_MS as usize + PAUSE_MS as usize + 2];
    // Not all at once.
    (0..buyers).for_each(|buyer| coming[sync_ms as usize + buyer % 50] += 1);
    for now_ms in sync_ms..LASTS_MS {
        let home = shop.answers(&limiter, now_ms, sync_ms, decide_us);
        coming[now_ms as usize + 1] += home;
        shop.takes(now_ms, sync_ms, decide_us);
        for _ in 0..coming[now_ms as usize] {
            if !shop.comes(&limiter, now_ms) {
                coming[(now_ms + PAUSE_MS) as usize] += 1;
            }
        }
    }
    shop
}

/// A slow disk turns nobody away and sells more to a larger crowd.
#[test]
fn a_slow_disk_sells_more_to_a_larger_crowd() {
    for sync_ms in [20, 60, 150, 400] {
        let mut before = (1, 0);
        for buyers in [100, 400, 1_500, 3_000] {
            let mut shop = sells(buyers, sync_ms, 5);
            let case = format!("{buyers} buyers, syncs of {sync_ms} ms");
            assert_eq!(shop.refused, 0, "{case}");
            shop.waits_ms.sort_unstable();
            let p99_ms = shop.waits_ms[shop.waits_ms.len() * 99 / 100];
            let deciding_ms = buyers as u64 * 5 / 1_000;
            assert!(p99_ms <= 2 * sync_ms + 2 * deciding_ms + 3, "{case}: {p99_ms} ms");
            // Half as many times more as there are more buyers: the writer has more to do, too.
            let (fewer, sold) = before;
            let grown = 2 * shop.answers * fewer > sold * buyers as u64;
            assert!(grown, "{case}: {} after {sold}", shop.answers);
            before = (buyers as u64, shop.answers);
        }
    }
}

#[test]
fn a_writer_that_is_busy_sheds_whatever_the_disk_does() {
    for sync_ms in [20, 60, 150] {
        // Deciding takes half a millisecond each: a crowd of 3,000 would wait one second and a
        // half.
        let shop = sells(3_000, sync_ms, 500);
        assert!(shop.refused > 3_000, "{} refused, syncs of {sync_ms} ms", shop.refused);
        // Those of the first moment came before anything was known.
        let waits_ms = &shop.waits_ms[shop.waits_ms.len() / 2..];
        let worst_ms = waits_ms.iter().max().expect("some were served");
        let borne_ms = 2 * BOUND_MS + 4 * sync_ms;
        assert!(*worst_ms <= borne_ms, "{worst_ms} ms, syncs of {sync_ms} ms");
    }
}

#[test]
fn a_sync_that_takes_far_longer_than_the_last_is_a_silence() {
    let limiter = AdaptiveLimit::new(0);
    let last = SyncSpan { began_ns: 0, ended_ns: 20_000_000 };
    let load = Load { unanswered: 2_000, ..Load::default() };
    let look = |now_ms: u64| {
        limiter.update(load, || Syncs { last, since_ms: Some(20) }, now_ms, BOUND_MS);
        limiter.limit()
    };
    limiter.update(Load::default(), || Syncs { last, since_ms: Some(20) }, 20, BOUND_MS);
    // Twice the last and the bound may pass.
    assert_eq!([look(40), look(120), look(160)], [LIMIT_MAX; 3]);
    assert!(look(270) < LIMIT_MAX);
}

#[test]
fn what_stands_behind_more_than_its_own_syncs_is_a_queue() {
    for (in_all_ms, owed_ms, shrinks) in
        [(300, 300, false), (390, 300, false), (300, 100, true), (900, 300, true)]
    {
        let limiter = AdaptiveLimit::new(0);
        let load = Load { unanswered: 4_000, ..Load::default() };
        limiter.update(load, Syncs::default, 0, BOUND_MS);
        limiter.record_wait(Rank::Ordinary, Wait::of(in_all_ms * 1_000_000, owed_ms * 1_000_000));
        let load = Load { answers: 4_000, ..load };
        limiter.update(load, Syncs::default, INTERVAL_MS, BOUND_MS);
        assert_eq!(limiter.limit() < LIMIT_MAX, shrinks, "{in_all_ms} ms, {owed_ms} of them owed");
    }
}
