//! `journal repair`: says what a repair would cost, and does it for whoever accepts that.
//!
//! Without acceptance nothing is written. With it the directory is locked, the originals are copied
//! aside first, and the result is replayed before it is called good. What stays and what goes is
//! the journal crate's plan. Next: `inspect`.

use crate::inspect::{self, Findings, Span, Table, Trouble, state_facts};
use doorbuster::engine::recovery;
use doorbuster::engine::replay::{self, From, Until};
use doorbuster_journal::{
    DIRECTORY_MODE, DumpContent, FileDisk, JournalId, Loss, RepairPlan, SnapshotEnd, dump,
    journal_id, plan_repair, repair,
};
use doorbuster_snapshots::{SnapshotState, list, verify};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a person gives up.
#[derive(Clone, Copy)]
pub(crate) enum Accepted {
    /// Nothing: only look.
    Nothing,
    /// Whatever the plan says.
    Tail,
    /// Everything from this sequence on, and no more.
    From(u64),
}

const COLUMNS: &[&str] = &["file", "offset", "bytes", "frames", "first_seq", "last_seq", "reason"];

pub(crate) fn repair_journal(data: &Path, accepted: Accepted) -> Result<Findings, Trouble> {
    let journal = inspect::open(data)?;
    if matches!(accepted, Accepted::Nothing) {
        return match plan(data, &journal)? {
            None => nothing_to_do(data),
            Some(plan) => Ok(propose(&plan)),
        };
    }
    let _lock = recovery::lock(data).map_err(|error| Trouble::Unreadable(error.to_string()))?;
    let Some(plan) = plan(data, &journal)? else { return nothing_to_do(data) };
    let lost_from = match accepted {
        Accepted::From(sequence) => sequence,
        Accepted::Nothing | Accepted::Tail => plan.first_sequence_lost,
    };
    if lost_from != plan.first_sequence_lost {
        let mut findings = propose(&plan);
        findings.facts.push(("accepted_from_seq", lost_from.into()));
        return Ok(findings);
    }
    let aside = quarantine(data)
        .map_err(|cause| Trouble::Unreadable(format!("cannot make a quarantine: {cause}")))?;
    let repaired = repair(&journal, &replay::open(&aside)?, &plan, lost_from)?;
    let replayed = inspect::read(data, Span { from: From::NewestSnapshot, until: Until::End })?;
    let mut facts = vec![
        ("repaired", true.into()),
        ("was", plan.refusal.to_string().into()),
        ("first_seq_lost", plan.first_sequence_lost.into()),
        ("last_seq_seen", (plan.last_sequence_seen > 0).then_some(plan.last_sequence_seen).into()),
        ("originals", repaired.copies.iter().map(|copy| Value::from(copy.as_str())).collect()),
    ];
    facts.extend(state_facts(&replayed));
    Ok(Findings::good(facts, Some(losses(&plan.losses))))
}

fn plan(data: &Path, journal: &FileDisk) -> Result<Option<RepairPlan>, Trouble> {
    Ok(plan_repair(journal, snapshot(data, journal)?)?)
}

/// The snapshot that a start would begin at; what it holds must not be given up.
fn snapshot(data: &Path, journal: &FileDisk) -> Result<Option<SnapshotEnd>, Trouble> {
    let directory = replay::snapshot_directory(data);
    let Some(id) = whose(journal)?.filter(|_| directory.is_dir()) else { return Ok(None) };
    let disk = replay::open(&directory)?;
    let whole = list(&disk, id)?.into_iter().find_map(|snapshot| match snapshot.state {
        SnapshotState::Valid(_) => verify(&disk, &snapshot.name).ok(),
        _ => None,
    });
    Ok(whole.map(|snapshot| SnapshotEnd {
        sequence: snapshot.meta.sequence,
        chain: snapshot.meta.chain,
    }))
}

/// Whose journal it is, where the newest segment does not tell: what most others say.
fn whose(journal: &FileDisk) -> Result<Option<JournalId>, Trouble> {
    if let Ok(id) = journal_id(journal) {
        return Ok(id);
    }
    let mut counts = BTreeMap::new();
    dump(journal, &mut |item| {
        if let DumpContent::Header { id, .. } = item.content {
            *counts.entry(id.0).or_insert(0) += 1;
        }
        Ok(())
    })?;
    let most = counts.into_iter().max_by_key(|(_, count): &(_, u64)| *count);
    Ok(most.map(|(id, _)| JournalId(id)))
}

fn nothing_to_do(data: &Path) -> Result<Findings, Trouble> {
    let replayed = inspect::read(data, Span { from: From::NewestSnapshot, until: Until::End })?;
    let mut facts = vec![("repaired", false.into()), ("why", "nothing needs a repair".into())];
    facts.extend(state_facts(&replayed));
    Ok(Findings::good(facts, None))
}

fn propose(plan: &RepairPlan) -> Findings {
    let command = format!("--accept-loss-from {}", plan.first_sequence_lost);
    let facts = vec![
        ("repaired", false.into()),
        ("why", plan.refusal.to_string().into()),
        ("first_seq_lost", plan.first_sequence_lost.into()),
        ("last_seq_seen", (plan.last_sequence_seen > 0).then_some(plan.last_sequence_seen).into()),
        ("accept_with", command.into()),
    ];
    Findings { facts, table: Some(losses(&plan.losses)), wrong: true }
}

fn losses(losses: &[Loss]) -> Table {
    let row = |loss: &Loss| {
        vec![
            loss.file.as_str().into(),
            loss.offset.into(),
            loss.bytes.into(),
            loss.frames.into(),
            loss.sequences.map(|(first, _)| first).into(),
            loss.sequences.map(|(_, last)| last).into(),
            loss.reason.into(),
        ]
    };
    Table { name: "losses", columns: COLUMNS, rows: losses.iter().map(row).collect() }
}

/// A directory that no earlier repair has used.
fn quarantine(data: &Path) -> io::Result<PathBuf> {
    for number in 1_u32.. {
        let place = data.join(format!("quarantine-{number}"));
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&place) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                File::open(data)?.sync_all()?;
                return Ok(place);
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
