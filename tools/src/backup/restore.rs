//! `restore`: a data directory made from a backup, or from any copy of one, up to an end if asked.
//!
//! Owns how far it goes, and the proof that it holds what the source held there. The journal's
//! prefix is copied, with its last frame closed anew where the end lies in the middle of a turn, so
//! the feed and the history of orders stay; where a source has only a snapshot, the journal begins
//! after that. Nothing is cut anywhere: what is left out is not written. The directory's first
//! start is a start like any other. Next: `copying`, `listing`.

use super::checks::{begin_meter, check_apart, check_end, nothing_left};
use super::copying::{Selection, check, take};
use super::listing::{self, Promise};
use super::paced::PacedDirectory;
use super::staging::Staging;
use crate::inspect::{Findings, Span, Trouble, read_with};
use crate::instant;
use crate::show;
use doorbuster::codec;
use doorbuster::engine::recovery;
use doorbuster::engine::replay::{DataDirectory, From, Replayed, Until, replay_watched};
use doorbuster::shared::clock;
use doorbuster_journal::{Space, journal_id};
use doorbuster_snapshots::SnapshotState;
use std::collections::BTreeSet;
use std::path::Path;

/// What the restored directory has to hold.
struct Goal {
    /// Nothing after this; none = everything.
    until: Option<u64>,
    /// What is promised of its end.
    promise: Option<Promise>,
}

/// Restores into a directory that is empty or not there, at most so many bytes a second.
pub(crate) fn restore(
    from: &Path,
    data: &Path,
    until: Option<Until>,
    bytes_per_s: Option<u64>,
) -> Result<Findings, Trouble> {
    check_apart(from, data)?;
    let meter = begin_meter(bytes_per_s, data)?;
    meter.bar.begin("checking the backup", 0);
    let promise = listing::check(from, &meter)?;
    let is_backup = promise.is_some();
    let source = PacedDirectory { path: from.to_owned(), meter, is_copy: false };
    let goal = goal(&source, until.unwrap_or(Until::End), promise)?;
    let staging = Staging::begin(data, "restore")?;
    match fill(&source, &staging, data, &goal) {
        Ok(replayed) => {
            staging.publish(&["journal", "snapshots"])?;
            Ok(Findings::good(facts(from, data, is_backup, &replayed), None))
        }
        Err(trouble) => {
            drop(staging);
            Err(nothing_left(trouble, data))
        }
    }
}

/// Works out where the end lies, and what the source holds there.
fn goal(source: &PacedDirectory, until: Until, promise: Option<Promise>) -> Result<Goal, Trouble> {
    let whole = |promise| Ok(Goal { until: None, promise });
    if until == Until::End {
        return whole(promise);
    }
    let has_journal = source.path.join("journal").is_dir();
    if !has_journal || journal_id(&source.journal()?)?.is_none() {
        return snapshot_goal(source, until);
    }
    source.meter.bar.begin("looking for the end", 0);
    let replayed = read_with(Span { from: From::NewestSnapshot, until }, |span| {
        replay_watched(source, span.from, span.until, &mut |_| {}, None)
    })?;
    let sequence = replayed.state.sequence;
    if sequence == 0 {
        return Err(Trouble::NotThere("nothing had happened by then".to_owned()));
    }
    if let Until::Sequence(wanted) = until
        && sequence < wanted
    {
        let told = format!("{} ends at sequence {sequence}", source.path.display());
        return Err(Trouble::NotThere(format!("there is no sequence {wanted}: {told}")));
    }
    let digest = codec::digest(&replayed.state).to_string();
    let promise = Some(Promise { sequence, digest });
    // A replay that read to the end left nothing out.
    Ok(Goal { until: replayed.scan.is_none().then_some(sequence), promise })
}

/// Of snapshots alone: the newest one that is not beyond the end.
fn snapshot_goal(source: &PacedDirectory, until: Until) -> Result<Goal, Trouble> {
    let disk = source.snapshots()?;
    let mut held = Vec::new();
    for snapshot in doorbuster_snapshots::list(&disk, doorbuster_journal::JournalId([0; 16]))? {
        let foreign = matches!(snapshot.state, SnapshotState::ForeignJournal(_));
        let reader =
            foreign.then(|| doorbuster_snapshots::SnapshotReader::open(&disk, &snapshot.name));
        if let Some(Ok(reader)) = reader {
            held.push((reader.meta().sequence, reader.meta().stamp_ms));
        }
    }
    let reaches = |&&(sequence, stamp): &&(u64, u64)| match until {
        Until::Sequence(wanted) => sequence == wanted,
        Until::Stamp(wanted) => stamp <= wanted,
        Until::Frame(_) | Until::End => true,
    };
    match held.iter().find(reaches) {
        Some(&(sequence, _)) => Ok(Goal { until: Some(sequence), promise: None }),
        None => {
            let held: Vec<String> = held.iter().map(|(held, _)| held.to_string()).collect();
            Err(Trouble::NotThere(format!(
                "{} has no journal, only snapshots of sequence {}: name one of these, or a time",
                source.path.display(),
                held.join(", "),
            )))
        }
    }
}

/// Copies, and proves the copy.
fn fill(
    source: &PacedDirectory,
    staging: &Staging,
    data: &Path,
    goal: &Goal,
) -> Result<Replayed, Trouble> {
    let _lock = recovery::lock(data).map_err(|error| Trouble::Unreadable(error.to_string()))?;
    let excluded = BTreeSet::new();
    let selection = Selection {
        newest_only: false,
        until: goal.until,
        live: false,
        space: Space::Allocated,
        excluded: &excluded,
    };
    let taken = take(source, &staging.place(), &selection)?;
    for why in &taken.passed_over {
        show::warn(&format!("passed over a snapshot: {why}"));
    }
    let replayed = check(&staging.place(), &taken, &source.meter)?;
    check_end(goal.until.unwrap_or(taken.last_sequence), &replayed)?;
    let digest = codec::digest(&replayed.state).to_string();
    match &goal.promise {
        Some(promise)
            if (promise.sequence, &promise.digest) != (replayed.state.sequence, &digest) =>
        {
            Err(Trouble::Damage(format!(
                "{} holds sequence {} with digest {digest}, but it should be {} with {}",
                source.path.display(),
                replayed.state.sequence,
                promise.sequence,
                promise.digest,
            )))
        }
        _ => Ok(replayed),
    }
}

fn facts(
    from: &Path,
    data: &Path,
    is_backup: bool,
    replayed: &Replayed,
) -> Vec<(&'static str, serde_json::Value)> {
    let state = &replayed.state;
    let mut facts = vec![
        ("restored", data.display().to_string().into()),
        ("from", from.display().to_string().into()),
        ("from_backup", is_backup.into()),
        ("epoch", state.epoch.into()),
        ("seq", state.sequence.into()),
        ("stamp", instant::text(state.stamp).into()),
        ("digest", codec::digest(state).to_string().into()),
        ("from_image", replayed.snapshot_sequence.into()),
        ("orders", state.orders.len().into()),
    ];
    let age_ms = clock::wall_ms().saturating_sub(state.stamp);
    if age_ms > clock::AHEAD_MS_MAX {
        let days = age_ms / (24 * 60 * 60 * 1000);
        let told = format!("doorbuster --accept-clock: the last event is {days} days old");
        facts.push(("start_with", told.into()));
    }
    facts
}
