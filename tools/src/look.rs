//! Reads a data directory and says what is there. Never writes. Next: `show`.

use doorbuster::codec;
use doorbuster::recovery::{self, Replayed};
use doorbuster_journal::{FileDisk, JournalError, Origin, Scan, scan};
use std::path::Path;

/// What was found, as names and values in the order they are shown.
pub(crate) struct Findings {
    pub(crate) facts: Vec<(&'static str, serde_json::Value)>,
    /// A table below the facts: its name, its columns, its rows.
    pub(crate) table: Option<Table>,
}

/// Rows of equal length.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<serde_json::Value>>,
}

/// Why there is nothing to show.
pub(crate) enum Trouble {
    /// The journal cannot be continued from as it is.
    Damage(String),
    /// It could not be looked at.
    Unreadable(String),
}

impl Trouble {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Damage(_) => 1,
            Self::Unreadable(_) => 3,
        }
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        let text = error.to_string();
        match error {
            JournalError::Refused(_) | JournalError::Visitor { .. } => Self::Damage(text),
            _ => Self::Unreadable(text),
        }
    }
}

fn open(data: &Path) -> Result<FileDisk, Trouble> {
    let directory = recovery::journal_directory(data);
    FileDisk::open(&directory).map_err(|cause| {
        Trouble::Unreadable(format!("cannot open {}: {cause}", directory.display()))
    })
}

pub(crate) fn info(data: &Path) -> Result<Findings, Trouble> {
    let scan = scan(&open(data)?, Origin::Genesis)?;
    Ok(Findings { facts: facts(&scan), table: Some(segments(&scan)) })
}

pub(crate) fn verify(data: &Path) -> Result<Findings, Trouble> {
    let Replayed { scan, drained, .. } = recovery::replay(&open(data)?)?;
    let mut facts = facts(&scan);
    facts.push(("orderly_stop", drained.into()));
    Ok(Findings { facts, table: None })
}

pub(crate) fn replay(data: &Path) -> Result<Findings, Trouble> {
    let Replayed { state, .. } = recovery::replay(&open(data)?)?;
    let facts = vec![
        ("epoch", state.epoch.into()),
        ("seq", state.sequence.into()),
        ("digest", codec::digest(&state).to_string().into()),
        ("skus", state.skus.len().into()),
        ("orders", state.orders.len().into()),
        ("held", state.orders.deadlines().len().into()),
        ("keys", state.requests.len().into()),
        ("users", state.users.len().into()),
        ("uses", state.uses.len().into()),
    ];
    Ok(Findings { facts, table: None })
}

fn facts(scan: &Scan) -> Vec<(&'static str, serde_json::Value)> {
    let mut facts = vec![
        ("journal_id", scan.id.map(|id| id.to_string()).into()),
        ("end", scan.end.label().into()),
        ("epoch", scan.last_epoch.into()),
        ("seq", scan.last_sequence.into()),
        ("synced_at_least", scan.vouched.into()),
        ("stamp_ms", scan.last_stamp_ms.into()),
    ];
    if let Some(dropped) = &scan.dropped {
        facts.push(("unfinished_tail_file", dropped.file.clone().into()));
        facts.push(("unfinished_tail_offset", dropped.offset.into()));
        facts.push(("unfinished_tail_first_seq", dropped.first_sequence_lost.into()));
    }
    facts
}

fn segments(scan: &Scan) -> Table {
    let row = |segment: &doorbuster_journal::SegmentScan| {
        vec![
            segment.number.into(),
            segment.file.clone().into(),
            segment.bytes.into(),
            segment.first_sequence.into(),
            segment.frames.into(),
            segment.end.into(),
        ]
    };
    Table {
        name: "segments",
        columns: &["number", "file", "bytes", "first_seq", "frames", "end"],
        rows: scan.segments.iter().map(row).collect(),
    }
}
