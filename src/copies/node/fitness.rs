//! Whether a node is fit to take over, beside what the register says.
//!
//! Owns how far clocks are apart, data that differs, and the wait that doubles when takeovers follow
//! one another. Only ever keeps a node from claiming: never lets it. Next: `register`.

use crate::cluster::node::Node;
use crate::cluster::register::Epoch;
use crate::domain::model::ids::Sequence;

/// Takeovers within this time of one another are too many.
const CALM_MS: u64 = 60_000;
/// The wait doubles so often.
const DOUBLINGS_MAX: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Fitness {
    /// How far the clocks of this node and another are apart.
    skew_ms: Option<u64>,
    differs: Option<Sequence>,
    /// The highest epoch that the register has shown, and who writes in it.
    epoch: Option<(Epoch, Node)>,
    /// When the writer was last replaced without having said that it ends.
    taken_over_ms: Option<u64>,
    doublings: u32,
    surrendered: Option<Epoch>,
    /// Since when this node would claim.
    would_since_ms: Option<u64>,
    may_have_lost: bool,
}

impl Fitness {
    pub(super) fn hear_clock(&mut self, own_ms: u64, other_ms: u64) {
        self.skew_ms = Some(own_ms.abs_diff(other_ms));
    }

    pub(super) fn skew_ms(&self) -> u64 {
        self.skew_ms.unwrap_or(0)
    }

    pub(super) fn differ(&mut self, sequence: Sequence) {
        self.differs.get_or_insert(sequence);
    }

    pub(super) fn differs(&self) -> Option<Sequence> {
        self.differs
    }

    pub(super) fn holds_other_data(&self) -> bool {
        self.differs.is_some()
    }

    /// A writer is followed: whatever was waited for has come.
    pub(super) fn follow(&mut self) {
        self.would_since_ms = None;
    }

    pub(super) fn surrendered(&mut self, epoch: Epoch) {
        self.surrendered = Some(epoch);
    }

    /// This node claims; `may_have_lost`: from a writer that waited for no copy.
    pub(super) fn claim(&mut self, may_have_lost: bool) {
        self.may_have_lost = may_have_lost;
    }

    pub(super) fn may_have_lost(&self) -> bool {
        self.may_have_lost
    }

    /// Takes note of who writes by the register. Another writer than before is a takeover, unless
    /// the one before has said that it ends; the first that a process sees is none, and a writer
    /// that starts again is none.
    pub(super) fn see_writer(&mut self, epoch: Epoch, writer: Node, now_ms: u64) {
        let before = self.epoch.filter(|(before, _)| *before >= epoch);
        if before.is_some() {
            return;
        }
        let Some((before, old)) = self.epoch.replace((epoch, writer)) else { return };
        self.would_since_ms = None;
        if old == writer || self.surrendered == Some(before) {
            return;
        }
        self.doublings =
            if self.is_soon(now_ms) { (self.doublings + 1).min(DOUBLINGS_MAX) } else { 0 };
        self.taken_over_ms = Some(now_ms);
    }

    fn is_soon(&self, now_ms: u64) -> bool {
        self.taken_over_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < CALM_MS)
    }

    /// Why this node may not claim, whatever the register says.
    pub(super) fn unfit(&self, skew_ms_max: u64) -> Option<String> {
        if let Some(sequence) = self.differs {
            return Some(format!(
                "its state differs from the writer's at sequence {sequence}. Keep the directory \
                 for a look at it, and start the node with an empty one"
            ));
        }
        let skew_ms = self.skew_ms.filter(|skew_ms| *skew_ms > skew_ms_max)?;
        Some(format!(
            "its clock and the writer's are {skew_ms} ms apart, and cluster.clock_skew_ms_max is \
             {skew_ms_max}: let both follow one time server"
        ))
    }

    /// How much longer a claim waits: nothing after a calm minute, then the silence once, three
    /// times, seven times and so on.
    pub(super) fn wait_ms(&mut self, epoch: Epoch, silence_ms: u64, now_ms: u64) -> Option<u64> {
        let since_ms = *self.would_since_ms.get_or_insert(now_ms);
        if self.surrendered == Some(epoch) || !self.is_soon(now_ms) {
            return None;
        }
        let wait_ms = silence_ms.saturating_mul((2 << self.doublings) - 1);
        let left_ms = wait_ms.saturating_sub(now_ms.saturating_sub(since_ms));
        (left_ms > 0).then_some(left_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two nodes write in turn.
    fn see(fitness: &mut Fitness, epoch: Epoch, now_ms: u64) {
        let writer = Node::at(epoch as usize % 2).expect("it is a place");
        fitness.see_writer(epoch, writer, now_ms);
    }

    #[test]
    fn the_first_takeover_waits_for_nothing_more() {
        let mut fitness = Fitness::default();
        see(&mut fitness, 3, 1_000);
        assert_eq!(fitness.wait_ms(3, 100, 2_000), None);
    }

    #[test]
    fn takeovers_that_follow_one_another_wait_twice_as_long() {
        let mut fitness = Fitness::default();
        see(&mut fitness, 3, 0);
        see(&mut fitness, 4, 1_000);
        assert_eq!(fitness.wait_ms(4, 100, 2_000), Some(100));
        assert_eq!(fitness.wait_ms(4, 100, 2_099), Some(1));
        assert_eq!(fitness.wait_ms(4, 100, 2_100), None);
        see(&mut fitness, 5, 3_000);
        assert_eq!(fitness.wait_ms(5, 100, 4_000), Some(300));
        for epoch in 6..60 {
            see(&mut fitness, epoch, 4_000);
        }
        assert_eq!(fitness.wait_ms(59, 100, 5_000), Some(6_300));
        assert_eq!(fitness.wait_ms(59, 100, 64_000), None, "after a calm minute");
        see(&mut fitness, 60, 70_000);
        assert_eq!(fitness.wait_ms(60, 100, 70_000), Some(100));
    }

    #[test]
    fn a_writer_that_starts_again_is_no_takeover() {
        let mut fitness = Fitness::default();
        see(&mut fitness, 3, 0);
        see(&mut fitness, 5, 1_000);
        assert_eq!(fitness.wait_ms(5, 100, 1_000), None);
    }

    #[test]
    fn a_handover_is_no_takeover() {
        let mut fitness = Fitness::default();
        see(&mut fitness, 3, 0);
        see(&mut fitness, 4, 1_000);
        fitness.surrendered(4);
        assert_eq!(fitness.wait_ms(4, 100, 1_001), None, "it was asked to");
        see(&mut fitness, 5, 2_000);
        assert_eq!(fitness.wait_ms(5, 100, 2_000), Some(100));
    }

    #[test]
    fn clocks_that_are_apart_and_other_data_make_unfit() {
        let mut fitness = Fitness::default();
        assert_eq!(fitness.unfit(0), None);
        fitness.hear_clock(10_000, 4_999);
        assert!(fitness.unfit(5_000).unwrap().contains("5001 ms apart"));
        fitness.hear_clock(4_999, 9_999);
        assert_eq!(fitness.unfit(5_000), None);
        fitness.differ(77);
        assert!(fitness.unfit(5_000).unwrap().contains("at sequence 77"));
    }
}
