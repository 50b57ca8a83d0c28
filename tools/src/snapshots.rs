//! The snapshots of a data directory: listing, reading, taking one. Next: `inspect`.

use crate::inspect::{Findings, Table, Trouble};
use doorbuster::background::snapshotter::{self, TakeError};
use doorbuster::engine::recovery;
use doorbuster::engine::replay;
use doorbuster_journal::{FileDisk, JournalId, journal_id};
use doorbuster_snapshots::{Listed, Meta, SnapshotState, no_pause};
use serde_json::Value;
use std::path::Path;

fn open(data: &Path) -> Result<(FileDisk, JournalId), Trouble> {
    let journal = replay::open(&replay::journal_directory(data))?;
    let id = journal_id(&journal)?;
    let id = id.ok_or_else(|| Trouble::Unreadable("there is no journal here".to_owned()))?;
    Ok((replay::open(&replay::snapshot_directory(data))?, id))
}

const COLUMNS: &[&str] = &["file", "seq", "epoch", "stamp_ms", "payload_bytes", "digest", "state"];

fn row(name: String, sequence: u64, meta: Option<&Meta>, state: &str) -> Vec<Value> {
    let hex =
        |digest: &[u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    vec![
        name.into(),
        sequence.into(),
        meta.map(|meta| meta.epoch).into(),
        meta.map(|meta| meta.stamp_ms).into(),
        meta.map(|meta| meta.payload_bytes).into(),
        meta.map(|meta| hex(&meta.digest)).into(),
        state.into(),
    ]
}

pub(crate) fn list(data: &Path) -> Result<Findings, Trouble> {
    let (disk, id) = open(data)?;
    let listed = |snapshot: Listed| match snapshot.state {
        SnapshotState::Valid(meta) => {
            row(snapshot.name, snapshot.sequence, Some(&meta), "header good")
        }
        SnapshotState::Broken(why) => row(snapshot.name, snapshot.sequence, None, &why.to_string()),
        SnapshotState::ForeignJournal(_) => {
            row(snapshot.name, snapshot.sequence, None, "another journal's")
        }
        SnapshotState::NewerVersion { format } => row(
            snapshot.name,
            snapshot.sequence,
            None,
            &format!("format {format} is newer than this tool"),
        ),
    };
    let rows: Vec<_> = doorbuster_snapshots::list(&disk, id)?.into_iter().map(listed).collect();
    let facts = vec![("journal_id", id.to_string().into()), ("images", rows.len().into())];
    Ok(Findings::good(facts, Some(Table { name: "snapshots", columns: COLUMNS, rows })))
}

/// Reads all of each; the first one that is not whole is damage.
pub(crate) fn verify(data: &Path) -> Result<Findings, Trouble> {
    let (disk, id) = open(data)?;
    let mut rows = Vec::new();
    let mut damage = Vec::new();
    for snapshot in doorbuster_snapshots::list(&disk, id)? {
        match doorbuster_snapshots::verify(&disk, &snapshot.name) {
            Ok(verified) => {
                rows.push(row(snapshot.name, snapshot.sequence, Some(&verified.meta), "whole"));
            }
            Err(why) => damage.push(why.to_string()),
        }
    }
    if !damage.is_empty() {
        return Err(Trouble::Damage(damage.join("\n")));
    }
    let facts = vec![("journal_id", id.to_string().into()), ("whole", rows.len().into())];
    Ok(Findings::good(facts, Some(Table { name: "snapshots", columns: COLUMNS, rows })))
}

/// Takes the directory's lock, so that no server appends meanwhile.
pub(crate) fn create(data: &Path) -> Result<Findings, Trouble> {
    // Only a directory that is there: a mistyped one must not be made.
    let (_, id) = open(data)?;
    let _lock = recovery::lock(data).map_err(|error| Trouble::Unreadable(error.to_string()))?;
    let sequence = snapshotter::fold(data, id, None, no_pause).map_err(|error| match error {
        TakeError::Replay(error) => error.into(),
        TakeError::Snapshot(error) => error.into(),
        TakeError::Journal(error) => Trouble::from(error),
    })?;
    Ok(Findings::good(vec![("seq", sequence.into())], None))
}
