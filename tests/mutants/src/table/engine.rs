//! Mistakes around the rules: time, wakes, starts, what is counted, the edge.
//!
//! Owns these rows. Next: `switched`.

use crate::mutant::{Mutant, edit, edited};

pub(super) const MUTANTS: &[Mutant] = &[
    edited(
        "ExpiryByWallClock",
        "holds run out by the system's clock",
        &[edit(
            "src/writer/mod.rs",
            "match sweep::expire(&self.state, «self.now») {",
            "self.clock.wall_ms()",
        )],
    ),
    edited(
        "ExpiryUnplanned",
        "the writer sleeps past a hold that runs out",
        &[edit("src/writer/idle.rs", "let hold = «sweep::next_expiry(&self.state)»;", "None")],
    ),
    edited(
        "StampFollowsClock",
        "stamps follow the system's clock wherever it goes",
        &[edit(
            "src/writer/mod.rs",
            "self.now = «self.stamps.now().max(self.state.stamp)»;",
            "{ let _ = self.stamps.now(); self.clock.wall_ms() }",
        )],
    ),
    edited(
        "WakeLost",
        "the writer is not called for every request",
        &[edit(
            "src/ring/lane.rs",
            "self.0.published.set(0);\n        «»self.0.parking.wake();",
            "if self.0.cursors.synced().is_multiple_of(7) { return; }",
        )],
    ),
    edited(
        "LaneWakeLost",
        "an answer does not wake whoever waits",
        &[edit(
            "src/ring/inbox.rs",
            "if «answered» || capacity_flag {",
            "answered && !self.cursors.synced().is_multiple_of(5)",
        )],
    ),
    edited(
        "EpochKept",
        "a start goes on in the epoch before",
        &[edit(
            "src/engine/recovery/epoch.rs",
            "let epoch = «drawn.epoch»;",
            "if first { drawn.epoch } else { self.state.epoch }",
        )],
    ),
    edited(
        "LifeFromEpoch",
        "a start counts the random part of its ids from the epoch",
        &[edit(
            "src/engine/recovery/epoch.rs",
            "random: impl Fn() -> [u8; 16]) -> Result<Life, RecoveryError> {«»",
            "return Life::of_bits(u64::from(state.epoch) << 5 | 31).ok_or(RecoveryError::Random);",
        )],
    ),
    edited(
        "SettingsUnrecorded",
        "changed settings are used and not journaled",
        &[edit(
            "src/engine/recovery/epoch.rs",
            "«»if self.state.settings != *rules {",
            "if !first { self.state.settings = rules.clone(); }",
        )],
    ),
    edited(
        "HashOrder",
        "refusals are recorded in the order of a hash",
        &[edit(
            "src/writer/pending_refusals.rs",
            "let counts: Vec<_> = «pairs.into_iter().filter_map(taken).collect()»;",
            "{
                let mut counts: Vec<RefusalCount> = pairs.into_iter().filter_map(taken).collect();
                let hash = |of: &RefusalCount| of.count.wrapping_mul(0x9E37_79B9);
                counts.sort_by_key(|of| hash(of) ^ of.reason as u64);
                counts
            }",
        )],
    ),
    edited(
        "WinnerRefused",
        "the sold-out edge refuses who has been answered already",
        &[edit(
            "src/edge/check.rs",
            "if found.sequence > copied || «may_be_known» || self",
            "false",
        )],
    ),
];
