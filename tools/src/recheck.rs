//! `replay --recheck`: decides everything again and shows what comes out otherwise.

use crate::events;
use crate::inspect::{Findings, Span, Table, Trouble, read_with, state_facts};
use crate::members;
use crate::progress::Progress;
use doorbuster::domain::model::answer::Answer;
use doorbuster::domain::model::lives::Lives;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::engine::recheck::{Disagreement, Now, Recheck};
use doorbuster::engine::replay::{From, ReplayError, Replayed};
use doorbuster_journal::{JournalError, Verdict};
use serde_json::Value;
use std::path::Path;

const COLUMNS: &[&str] = &["seq", "stamp", "principal", "recorded", "now"];

/// From the first event where the journal still has it, else from the oldest snapshot.
pub(crate) fn recheck(data: &Path, span: Span) -> Result<Findings, Trouble> {
    let whole = Span { from: From::Genesis, ..span };
    let (recheck, replayed) = match run(data, whole) {
        (_, Err(error)) if is_pruned(&error) && span.from != From::Genesis => {
            run(data, Span { from: From::OldestSnapshot, ..span })
        }
        done => done,
    };
    let rows: Vec<_> = recheck.differences.iter().map(|of| row(of, &recheck.lives)).collect();
    let table = Table { name: "differences", columns: COLUMNS, rows };
    let mut facts = match read_with(span, |_| replayed) {
        Ok(replayed) => state_facts(&replayed),
        // What does not fit any more is why: the difference says more than where it ended.
        Err(trouble) if recheck.different > 0 => vec![("ended", trouble.text().into())],
        Err(trouble) => return Err(trouble),
    };
    facts.push(("commands_rechecked", recheck.commands.into()));
    facts.push(("refusals_rechecked", recheck.refusals.into()));
    facts.push(("edge_refusals_compared", recheck.edge_refusals.into()));
    if recheck.edge_refusals_beyond > 0 {
        facts.push(("edge_refusals_beyond", recheck.edge_refusals_beyond.into()));
    }
    facts.push(("other_events_rechecked", recheck.unasked.into()));
    facts.push(("different", recheck.different.into()));
    Ok(Findings { facts, table: Some(table), wrong: recheck.different > 0 })
}

fn run(data: &Path, span: Span) -> (Recheck, Result<Replayed, ReplayError>) {
    let mut recheck = Recheck::new(decide);
    let mut progress = Progress::new();
    let mut report = |sequence| progress.at(sequence);
    let replayed = recheck.run(data, span.from, span.until, &mut report);
    (recheck, replayed)
}

/// The journal begins later than the first event.
pub(crate) fn is_pruned(error: &ReplayError) -> bool {
    matches!(error, ReplayError::Journal(JournalError::Refused(refusal))
        if refusal.verdict == Verdict::SegmentMissing)
}

fn row(difference: &Disagreement, lives: &Lives) -> Vec<Value> {
    let record = &difference.recorded;
    vec![
        difference.sequence.into(),
        members::instant(Some(difference.stamp)),
        events::principal(record).into(),
        events::line(&record.event, lives).into(),
        now(&difference.now, lives).into(),
    ]
}

fn now(now: &Now, lives: &Lives) -> String {
    match now {
        Now::Decided(decision) => decided(decision, lives),
        Now::Due(Some(event)) => events::line(event, lives),
        Now::Due(None) => "not due".to_owned(),
        Now::Stood(Some((available, held))) => {
            format!("the SKU had {available} available and {held} held")
        }
        Now::Stood(None) => "there was no such SKU".to_owned(),
        Now::Panicked => "deciding panics".to_owned(),
        Now::Wrong(why) => (*why).to_owned(),
    }
}

fn decided(decision: &Decision, lives: &Lives) -> String {
    match decision {
        Decision::Change(event) => events::line(event, lives),
        Decision::First(event) => format!("first: {}", events::line(event, lives)),
        Decision::Answer(answered) => match &answered.answer {
            Answer::Refused(refusal) => format!("refused: {refusal:?}"),
            _ if answered.replayed => "its key was answered before".to_owned(),
            _ => "nothing changes".to_owned(),
        },
    }
}
