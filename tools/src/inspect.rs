//! Reads a data directory and says what is there. Never writes. Next: `show`.

use crate::instant;
use crate::progress::Progress;
use doorbuster::codec;
use doorbuster::engine::replay::{self, ReplayError, Replayed, Until};
use doorbuster::process::output;
use doorbuster_journal::{
    FileDisk, JournalError, Origin, Scan, SnapshotEnd, Verdict, journal_id, scan,
};
use doorbuster_snapshots::{SnapshotError, SnapshotState};
use std::path::Path;

/// What was found, as names and values in the order they are shown.
pub(crate) struct Findings {
    pub(crate) facts: Vec<(&'static str, serde_json::Value)>,
    /// A table below the facts: its name, its columns, its rows.
    pub(crate) table: Option<Table>,
    /// It is not as it should be: the exit code says so.
    pub(crate) wrong: bool,
}

impl Findings {
    pub(crate) fn good(
        facts: Vec<(&'static str, serde_json::Value)>,
        table: Option<Table>,
    ) -> Self {
        Self { facts, table, wrong: false }
    }
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
    /// What was asked for is not there.
    NotThere(String),
    /// It cannot be done as the command line says.
    Usage(String),
    /// It could not be looked at, or what comes of it not be stored.
    Unreadable(String),
    /// It could not be printed.
    Unwritten(String),
}

impl Trouble {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Damage(_) | Self::NotThere(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreadable(_) => 3,
            Self::Unwritten(_) => output::UNWRITTEN,
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Damage(text)
            | Self::NotThere(text)
            | Self::Usage(text)
            | Self::Unreadable(text)
            | Self::Unwritten(text) => text,
        }
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        let text = error.to_string();
        match error {
            JournalError::Refused(_)
            | JournalError::Visitor { .. }
            | JournalError::NotRepairable { .. }
            | JournalError::NotAccepted { .. } => Self::Damage(text),
            _ => Self::Unreadable(text),
        }
    }
}

impl From<SnapshotError> for Trouble {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Io { .. } => Self::Unreadable(error.to_string()),
            _ => Self::Damage(error.to_string()),
        }
    }
}

impl From<ReplayError> for Trouble {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Journal(error) => error.into(),
            ReplayError::BehindSnapshots { .. } => Self::Damage(error.to_string()),
            ReplayError::Snapshot(error) => error.into(),
            ReplayError::Io { .. } | ReplayError::Directory { .. } | ReplayError::Thread { .. } => {
                Self::Unreadable(error.to_string())
            }
        }
    }
}

pub(crate) fn open(data: &Path) -> Result<FileDisk, Trouble> {
    Ok(replay::open(&replay::journal_directory(data))?)
}

/// Where a replay begins and ends.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: replay::From,
    pub(crate) until: Until,
}

pub(crate) fn read(data: &Path, span: Span) -> Result<Replayed, Trouble> {
    read_with(span, |span| {
        let mut progress = Progress::new();
        let mut report = |sequence| progress.at(sequence);
        replay::replay_watched(data, span.from, span.until, &mut report, None)
    })
}

/// A journal without its first segments is damaged only if it was to be whole.
pub(crate) fn read_with(
    span: Span,
    replay: impl FnOnce(Span) -> Result<Replayed, ReplayError>,
) -> Result<Replayed, Trouble> {
    replay(span).map_err(|error| match (&error, span.until) {
        (_, Until::End) => error.into(),
        (ReplayError::Journal(JournalError::Refused(refusal)), _)
            if refusal.verdict == Verdict::SegmentMissing =>
        {
            let told = "no snapshot from before that end is kept to begin at, and";
            Trouble::Unreadable(format!("{told} not the whole journal either: {error}"))
        }
        _ => error.into(),
    })
}

/// The journal of a directory; none there is a trouble with its remedy.
fn scanned(data: &Path) -> Result<Scan, Trouble> {
    let journal = open(data)?;
    let scan = scan(&journal, origin(data, &journal)?)?;
    if scan.id.is_none() {
        return Err(Trouble::NotThere(format!(
            "there is no journal in {}: start the server on it once, by itself, or restore a backup",
            data.display()
        )));
    }
    Ok(scan)
}

/// The id of a directory's journal, and its last epoch.
pub(crate) fn identity(data: &Path) -> Result<(String, u32), Trouble> {
    let scan = scanned(data)?;
    Ok((scan.id.map(|id| id.to_string()).unwrap_or_default(), scan.last_epoch))
}

/// The epoch and the sequence of the last record of a directory's journal.
pub(crate) fn end(data: &Path) -> Result<(u32, u64), Trouble> {
    scanned(data).map(|scan| (scan.last_epoch, scan.last_sequence))
}

pub(crate) fn info(data: &Path) -> Result<Findings, Trouble> {
    let journal = open(data)?;
    let scan = scan(&journal, origin(data, &journal)?)?;
    Ok(Findings::good(facts(&scan), Some(segments(&scan))))
}

/// The oldest snapshot stands in for what was pruned; without one the journal is whole or damaged.
pub(crate) fn origin(data: &Path, journal: &FileDisk) -> Result<Origin, Trouble> {
    let directory = replay::snapshot_directory(data);
    let Some(id) = journal_id(journal)?.filter(|_| directory.is_dir()) else {
        return Ok(Origin::Genesis);
    };
    let snapshots = doorbuster_snapshots::list(&replay::open(&directory)?, id)?;
    let ends = snapshots.into_iter().filter_map(|snapshot| match snapshot.state {
        SnapshotState::Valid(meta) => {
            Some(SnapshotEnd { sequence: meta.sequence, chain: meta.chain })
        }
        _ => None,
    });
    Ok(ends.last().map_or(Origin::Genesis, Origin::Snapshot))
}

/// Everything that is kept, not only what a start needs: an older segment may be the one that a
/// damaged snapshot makes needed.
pub(crate) fn verify(data: &Path) -> Result<Findings, Trouble> {
    let from = match scan(&open(data)?, Origin::Genesis) {
        Err(JournalError::Refused(refusal)) if refusal.verdict == Verdict::SegmentMissing => {
            replay::From::OldestSnapshot
        }
        _ => replay::From::Genesis,
    };
    let whole = read(data, Span { from, until: Until::End })?;
    let mut facts = whole.scan.as_ref().map(facts).unwrap_or_default();
    let (sequence, digest) = (whole.state.sequence, codec::digest(&whole.state));
    facts.push(("orderly_stop", whole.drained.into()));
    facts.push(("from_image", whole.snapshot_sequence.into()));
    facts.push(("digest", digest.to_string().into()));
    // One state in memory at a time. What a live server has appended since does not count.
    drop(whole);
    let from = replay::From::NewestSnapshot;
    let again = read(data, Span { from, until: Until::Sequence(sequence) })?;
    if (again.state.sequence, codec::digest(&again.state)) != (sequence, digest) {
        return Err(Trouble::Damage(format!(
            "from the snapshot at sequence {} the journal replays to sequence {} and digest {}, \
             but to {sequence} and {digest} without it",
            again.snapshot_sequence,
            again.state.sequence,
            codec::digest(&again.state),
        )));
    }
    facts.push(("same_from_image", again.snapshot_sequence.into()));
    Ok(Findings::good(facts, None))
}

pub(crate) fn replay(data: &Path, span: Span) -> Result<Findings, Trouble> {
    Ok(Findings::good(state_facts(&read(data, span)?), None))
}

/// What a replay ends in.
pub(crate) fn state_facts(replayed: &Replayed) -> Vec<(&'static str, serde_json::Value)> {
    let state = &replayed.state;
    vec![
        ("epoch", state.epoch.into()),
        ("seq", state.sequence.into()),
        ("stamp", (state.sequence > 0).then(|| instant::text(state.stamp)).into()),
        ("digest", codec::digest(state).to_string().into()),
        ("from_image", replayed.snapshot_sequence.into()),
        ("skus", state.skus.len().into()),
        ("orders", state.orders.len().into()),
        ("held", state.orders.deadlines().len().into()),
        ("keys", state.requests.len().into()),
        ("users", state.users.len().into()),
        ("uses", state.uses.len().into()),
        ("draws", state.draws.len().into()),
        ("entries", state.draws.entries().into()),
    ]
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
