//! Mistakes in what is durable: answers, the journal, snapshots.
//!
//! Owns these rows. Next: `rules`.

use crate::mutant::{Mutant, edit, edited, lied};

pub(super) const MUTANTS: &[Mutant] = &[
    edited(
        "AnswerBeforeSync",
        "answers leave before their frame is synced",
        &[
            edit("src/writer/durable.rs", "Durability::Group => «true»,", "self.now > since + 20"),
            edit("src/writer/durable.rs", "Durability::Group => «synced»,", "appended"),
        ],
    ),
    lied("SyncSkipped", "every other sync is taken for done"),
    lied("SyncRetried", "a sync that failed is asked again, and that is believed"),
    lied("DirectorySyncSkipped", "a new segment's name is not made durable"),
    edited(
        "TailLeft",
        "what a start drops is not overwritten with zeros",
        &[edit(
            "journal/src/append/resume.rs",
            "let kept = «restore.end.saturating_sub(offset).min(PAGE_BYTES as u64) as usize»;",
            "PAGE_BYTES",
        )],
    ),
    edited(
        "CutAtFirstBadFrame",
        "a start drops all from the first bad frame on, whatever vouches for it",
        &[edit(
            "journal/src/format/verdict.rs",
            "fn judge(evidence: &Evidence) -> Verdict {«»",
            "match evidence {
                Evidence::Frame { fault: FrameFault::ZeroLength, following: Following::Zeros } => {
                    return Verdict::CleanEnd;
                }
                Evidence::Frame { .. } => return Verdict::TornTail,
                _ => {}
            }",
        )],
    ),
    edited(
        "ChainUnchecked",
        "a frame may follow any other that has the right number",
        &[edit("journal/src/read/walk.rs", "&& «frame.head.chain == self.chain»", "true")],
    ),
    edited(
        "WatermarkTooHigh",
        "a frame says that all before it is synced",
        &[edit("journal/src/append/journal.rs", "watermark: «self.settled()»,", "self.appended")],
    ),
    edited(
        "SpaceUnwritten",
        "a new segment's space is asked for and not written",
        &[
            edit(
                "journal/src/append/prepare.rs",
                "for offset in (0..«header.bytes»).step_by(PAGE_BYTES) {",
                "PAGE_BYTES as u64",
            ),
            edit(
                "journal/src/append/prepare.rs",
                "|| «end == header.bytes» {",
                "end == PAGE_BYTES as u64",
            ),
        ],
    ),
    edited(
        "SegmentLeftUnsynced",
        "a segment is left before it is synced",
        &[edit(
            "journal/src/append/journal.rs",
            "self.store(&mut mark, Kind::EndMark, 0);\n        «self.sync()?;»",
            "",
        )],
    ),
    edited(
        "PagesNotStoredAgain",
        "a start takes for durable what it can read",
        &[edit(
            "journal/src/append/resume.rs",
            "for restore in &scan.rewrites {\n            «store_again(&disk, restore)?;»",
            "if scan.dropped.is_some() { store_again(&disk, restore)?; }",
        )],
    ),
    edited(
        "SnapshotUnverified",
        "a damaged snapshot is taken as it is",
        &[
            edit(
                "snapshots/src/reader.rs",
                "if «crc.finalize() != read_u32(&self.block, BLOCK_CRC_AT)» {",
                "false",
            ),
            edit("snapshots/src/reader.rs", "if «hash != self.trailer.payload_hash» {", "false"),
            edit(
                "src/engine/replay/mod.rs",
                "let state = reader.finish()?;«»",
                "return Ok(state);",
            ),
        ],
    ),
    lied("SnapshotUnsynced", "a snapshot gets its name before it is synced"),
    edited(
        "KeyLostInSnapshot",
        "a snapshot forgets one remembered key",
        &[edit(
            "src/codec/rows.rs",
            "«for key in state.requests.iter() {\n        row(&key_row(state, &key))?;\n    }»",
            "for key in state.requests.iter().skip(1) { row(&key_row(state, &key))?; }",
        )],
    ),
    edited(
        "PrunedTooFar",
        "segments go that the older snapshot needs",
        &[edit(
            "src/background/snapshotter/mod.rs",
            "parts.pruner.prune(«oldest.min(young)»)?;",
            "young",
        )],
    ),
];
