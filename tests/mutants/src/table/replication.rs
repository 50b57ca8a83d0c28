//! Mistakes about what is settled: what is synced on this machine alone is taken for it.
//!
//! Owns these rows. Each runs on two machines, of which one is lost. Next: `switched`.

use crate::mutant::{Mutant, edit, edited};

pub(super) const MUTANTS: &[Mutant] = &[
    edited(
        "AnswerBySynced",
        "an answer leaves when its record is synced on the writer's disk alone",
        &[
            edit(
                "src/ring/lane.rs",
                "let answerable = «inner.cursors.answerable()»;",
                "inner.cursors.synced()",
            ),
            edit(
                "src/ring/inbox.rs",
                "let answerable = «self.cursors.answerable()»;",
                "self.cursors.synced()",
            ),
        ],
    )
    .on_two_machines(),
    edited(
        "ReadBySynced",
        "a read does not wait for the copies of what it shows",
        &[edit(
            "src/writer/mod.rs",
            "self.outbox.answer(*address, «self.state.sequence», outcome, decided);",
            "if matches!(request.command, Command::Read(_)) { 0 } else { self.state.sequence }",
        )],
    )
    .on_two_machines(),
    edited(
        "FeedBySynced",
        "followers are told what is synced on the writer's disk alone",
        &[edit(
            "src/background/feeder/mod.rs",
            "self.serve(«self.cursors.answerable()», &mut { ROUND_BYTES });",
            "self.cursors.synced()",
        )],
    )
    .on_two_machines(),
    edited(
        "SnapshotBySynced",
        "a snapshot holds what is synced on the writer's disk alone",
        &[edit(
            "src/background/snapshotter/mod.rs",
            "let settled = «parts.cursors.settled()»;",
            "parts.cursors.synced()",
        )],
    )
    .on_two_machines(),
    edited(
        "EdgeBySynced",
        "the sold-out edge refuses by what the copies do not hold",
        &[edit("src/edge/check.rs", "if «found.sequence > copied» || may_be_known", "false")],
    )
    .on_two_machines(),
    edited(
        "StartVouchesForAll",
        "the first frame of a start vouches for a tail that the copies may not have",
        &[edit(
            "src/engine/recovery/epoch.rs",
            "journal.set_copied(«journal.watermark()»);",
            "Sequence::MAX",
        )],
    )
    .on_two_machines(),
    edited(
        "WatermarkBySynced",
        "a frame vouches for what is synced on the writer's disk alone",
        &[edit("journal/src/append/journal.rs", "watermark: «self.settled()»,", "self.synced")],
    )
    .on_two_machines(),
];
