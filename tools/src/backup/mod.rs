//! `backup`: a copy of a data directory that can be brought back, taken beside a live server.
//!
//! Owns the order: copy, check, say what it holds, and only then give it its name. A backup is a
//! data directory with `BACKUP.json` and `SHA256SUMS`. What is in it was synced where it came from
//! and where it is. Next: `copying` for what is copied, `restore` for the way back.

mod checks;
mod copying;
mod listing;
mod paced;
mod restore;
mod staging;

pub(crate) use restore::restore;

use crate::inspect::{Findings, Trouble};
use crate::instant;
use crate::show;
use checks::{begin_meter, check_apart, check_end, nothing_left};
use copying::{Selection, Taken, check, take};
use doorbuster::codec;
use doorbuster::engine::replay::{DataDirectory, Replayed};
use doorbuster::shared::clock;
use doorbuster_journal::{Disk, JournalId, Space, journal_id};
use paced::PacedDirectory;
use serde_json::Value;
use staging::Staging;
use std::collections::BTreeSet;
use std::path::Path;

/// Snapshots are taken minutes apart, so a copy that is overtaken so often is too slow.
const TRIES_MAX: u32 = 8;
/// A buyer's request comes first.
const NICENESS: i32 = 19;

/// A copy that was checked.
struct Copy {
    taken: Taken,
    replayed: Replayed,
}

/// Backs a data directory up, at most so many bytes a second, with all of its history or only what
/// a start needs.
pub(crate) fn backup(
    data: &Path,
    to: &Path,
    bytes_per_s: u64,
    history: bool,
) -> Result<Findings, Trouble> {
    check_apart(data, to)?;
    let meter = begin_meter(Some(bytes_per_s), to)?;
    // A refusal by the system costs only that.
    let _ = rustix::process::nice(NICENESS);
    let source = PacedDirectory { path: data.to_owned(), meter, is_copy: false };
    let id = journal_id(&source.journal()?)?;
    let id = id.ok_or_else(|| Trouble::Unreadable("there is no journal here".to_owned()))?;
    let staging = Staging::begin(to, "backup")?;
    let made = copy(&source, &staging, history).and_then(|(copy, tries)| {
        let facts = facts(id, &copy);
        staging.write(listing::FACTS, listing::facts_text(&facts).as_bytes())?;
        source.meter.bar.begin("hashing the copy", copy.taken.copied.bytes);
        let sums = listing::sums_text(&staging.place(), &source.meter)?;
        staging.write(listing::SUMS, sums.as_bytes())?;
        Ok((facts, tries))
    });
    match made {
        Ok((mut facts, tries)) => {
            staging.publish(&["journal", "snapshots", listing::SUMS, listing::FACTS])?;
            facts.insert(0, ("backup", to.display().to_string().into()));
            facts.push(("tries", tries.into()));
            Ok(Findings::good(facts, None))
        }
        Err(trouble) => {
            drop(staging);
            Err(nothing_left(trouble, to))
        }
    }
}

/// Copies and checks; again from the beginning where the server's snapshotter went on meanwhile.
fn copy(source: &PacedDirectory, staging: &Staging, history: bool) -> Result<(Copy, u32), Trouble> {
    let mut excluded = BTreeSet::new();
    let mut told = Vec::new();
    let mut tries = 1;
    loop {
        let before = newest_snapshot(source);
        let selection = Selection {
            newest_only: !history,
            until: None,
            live: true,
            space: Space::Sparse,
            excluded: &excluded,
        };
        let made = take(source, &staging.place(), &selection).and_then(|taken| {
            let replayed = check(&staging.place(), &taken, &source.meter)?;
            Ok(Copy { taken, replayed })
        });
        match made {
            Ok(made) if made.replayed.passed_over.is_empty() => {
                let mut made = made;
                let first = made.taken.passed_over.drain(..);
                let all: Vec<String> = told.into_iter().chain(first).collect();
                all.iter().for_each(|why| show::warn(&format!("passed over a snapshot: {why}")));
                made.taken.passed_over = all;
                check_end(made.taken.last_sequence, &made.replayed)?;
                return Ok((made, tries));
            }
            // Its checksums are right, but not what it holds: an older one is to be taken.
            Ok(made) => {
                for snapshot in made.replayed.passed_over {
                    excluded.insert(snapshot.sequence);
                    told.push(snapshot.why.to_string());
                }
            }
            Err(trouble) if source.meter.is_ended() => return Err(trouble),
            // The segments after the older snapshot may be gone.
            Err(_) if newest_snapshot(source) > before && tries < TRIES_MAX => tries += 1,
            Err(trouble) => return Err(trouble),
        }
        staging.fresh()?;
    }
}

/// The name of the newest snapshot, which rises with its sequence.
fn newest_snapshot(source: &PacedDirectory) -> Option<String> {
    let names = source.snapshots().ok()?.names().ok()?;
    names.into_iter().filter(|name| name.ends_with(".image")).max()
}

fn facts(id: JournalId, copy: &Copy) -> Vec<(&'static str, Value)> {
    let Copy { taken, replayed } = copy;
    let state = &replayed.state;
    let bytes = taken
        .snapshots
        .iter()
        .map(|snapshot| doorbuster_snapshots::snapshot_bytes(snapshot.payload_bytes));
    let bytes = bytes.map(Option::unwrap_or_default).sum::<u64>() + taken.copied.bytes;
    let mut facts = vec![
        ("made_at", instant::text(clock::wall_ms()).into()),
        ("journal_id", id.to_string().into()),
        ("epoch", state.epoch.into()),
        ("seq", state.sequence.into()),
        ("stamp", (state.sequence > 0).then(|| instant::text(state.stamp)).into()),
        ("digest", codec::digest(state).to_string().into()),
        ("from_image", replayed.snapshot_sequence.into()),
        ("goes_back_to_seq", taken.goes_back_to().into()),
        ("images", taken.snapshots.len().into()),
        ("segments", taken.copied.segments.into()),
        ("bytes", bytes.into()),
    ];
    if !taken.passed_over.is_empty() {
        let why = taken.passed_over.iter().map(|why| Value::from(why.as_str())).collect();
        facts.push(("images_passed_over", why));
    }
    facts
}
