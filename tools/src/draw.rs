//! `draw verify`: was everything drawn as the draw was committed to?
//!
//! Works out each pick again from the seed and the entries alone, and judges each pick again by the
//! state that stood before its record. The journal holds the seed from the start, so this works
//! before a draw is closed, too, but then the seed is not shown. Never writes. Next: `recheck`.

use crate::inspect::{Findings, Span, Table, Trouble, read_with};
use crate::members;
use crate::progress::Progress;
use crate::recheck::is_pruned;
use doorbuster::domain::model::draw::{Odds, Pick, Reason, Seed, SeedCommitment, Ticket, roll};
use doorbuster::domain::model::event::{EntryMade, Event, Record};
use doorbuster::domain::model::ids::{DrawId, Sequence, Stamp, UserId};
use doorbuster::domain::rules::decide_draw::reason_of;
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::{From, ReplayError, Replayed, replay_watched};
use serde_json::Value;
use std::path::Path;

const COLUMNS: &[&str] =
    &["entry", "seq", "user", "client_seed", "pick", "pick_again", "reason", "reason_again", "ok"];

/// An entry, and what it comes to again.
struct Checked {
    number: u32,
    sequence: Sequence,
    user: UserId,
    client_seed: Option<String>,
    pick: Pick,
    pick_again: Pick,
    reason: Reason,
    /// None where the record is no longer in the journal.
    reason_again: Option<Reason>,
}

impl Checked {
    fn is_good(&self) -> bool {
        self.pick == self.pick_again && self.reason_again.is_none_or(|again| again == self.reason)
    }
}

/// What was seen of a draw on the way.
struct Watched {
    id: DrawId,
    draw: Option<Seen>,
}

/// The newest draw of that id.
struct Seen {
    odds: Odds,
    sealed: SeedCommitment,
    closed: bool,
    deleted: bool,
    checked: Vec<Checked>,
}

impl Watched {
    /// Looks at the record that comes next, with the state before it.
    fn look(&mut self, state: &State, record: &Record, stamp: Stamp) {
        self.begin(state);
        match &record.event {
            Event::DrawPut(put) if put.draw == self.id => {
                if let Some(sealed) = put.sealed {
                    let (odds, checked) = (put.terms.odds.clone(), Vec::new());
                    let (closed, deleted) = (false, false);
                    self.draw = Some(Seen { odds, sealed, closed, deleted, checked });
                }
            }
            Event::EntryMade(made) if made.draw == self.id => self.check(state, made, stamp),
            Event::DrawClosed(draw) if *draw == self.id => {
                self.draw.iter_mut().for_each(|seen| seen.closed = true);
            }
            Event::DrawDeleted(gone) if gone.draw == self.id => {
                self.draw.iter_mut().for_each(|seen| seen.deleted = true);
            }
            _ => {}
        }
    }

    /// What a snapshot held already; its records may be gone, so its reasons cannot be judged.
    fn begin(&mut self, state: &State) {
        let slot = match (&self.draw, state.draws.find(&self.id)) {
            (None, Some(slot)) => slot,
            _ => return,
        };
        let draw = &state.draws[slot];
        let mut seen = Seen {
            odds: draw.terms.odds.clone(),
            sealed: draw.sealed,
            closed: draw.closed_at.is_some(),
            deleted: false,
            checked: Vec::new(),
        };
        for (number, entry) in draw.entries.after(0) {
            let user = state.draws.entrant_of(entry).user.clone();
            let client_seed = entry.client_seed.as_deref();
            let ticket = Ticket { draw: &self.id, number, user: &user, client_seed };
            let pick_again = roll(&seen.sealed.seed, ticket, &seen.odds);
            seen.checked.push(Checked {
                number,
                sequence: entry.sequence,
                client_seed: client_seed.map(Into::into),
                user,
                pick: entry.pick,
                pick_again,
                reason: entry.reason,
                reason_again: None,
            });
        }
        self.draw = Some(seen);
    }

    fn check(&mut self, state: &State, made: &EntryMade, stamp: Stamp) {
        let Some(seen) = &mut self.draw else { return };
        let client_seed = made.client_seed.as_deref();
        let ticket =
            Ticket { draw: &made.draw, number: made.number, user: &made.user, client_seed };
        seen.checked.push(Checked {
            number: made.number,
            sequence: state.sequence + 1,
            user: made.user.clone(),
            client_seed: client_seed.map(Into::into),
            pick: made.pick,
            pick_again: roll(&seen.sealed.seed, ticket, &seen.odds),
            reason: made.reason,
            reason_again: reason_of(state, &made.draw, &made.user, made.pick, stamp),
        });
    }
}

pub(crate) fn verify(
    data: &Path,
    id: &str,
    published: Option<&str>,
    span: Span,
) -> Result<Findings, Trouble> {
    let Ok(draw) = DrawId::parse(id) else {
        return Err(Trouble::NotThere(format!("{id} cannot be a draw's id")));
    };
    let whole = Span { from: From::Genesis, ..span };
    let (mut watched, replayed) = match run(data, &draw, whole) {
        (_, Err(error)) if is_pruned(&error) && span.from != From::Genesis => {
            run(data, &draw, Span { from: From::OldestSnapshot, ..span })
        }
        done => done,
    };
    let state = read_with(span, |_| replayed)?.state;
    // Where no record followed the snapshot.
    watched.begin(&state);
    match watched.draw {
        Some(seen) => Ok(findings(&draw, &seen, published, state.sequence)),
        None => {
            let told = format!("there is no draw {id} up to sequence {}", state.sequence);
            Err(Trouble::NotThere(told))
        }
    }
}

fn run(data: &Path, id: &DrawId, span: Span) -> (Watched, Result<Replayed, ReplayError>) {
    let mut watched = Watched { id: id.clone(), draw: None };
    let mut progress = Progress::new();
    let mut report = |sequence| progress.at(sequence);
    let mut watch = |state: &State, record: &Record, stamp| watched.look(state, record, stamp);
    let replayed = replay_watched(data, span.from, span.until, &mut report, Some(&mut watch));
    (watched, replayed)
}

fn findings(id: &DrawId, seen: &Seen, published: Option<&str>, sequence: u64) -> Findings {
    let SeedCommitment { seed, commitment } = seen.sealed;
    let kept = seed.commitment() == commitment;
    let published = published.map(|text| text.eq_ignore_ascii_case(&members::hex(&commitment)));
    let count = |which: &dyn Fn(&Checked) -> bool| {
        Value::from(seen.checked.iter().filter(|entry| which(entry)).count())
    };
    let status = match (seen.closed, seen.deleted) {
        (_, true) => "deleted",
        (true, false) => "closed",
        (false, false) => "not closed, so the seed is not shown",
    };
    let seed = seen.closed.then_some(seed).map(|Seed(bytes)| members::hex(&bytes));
    let facts = vec![
        ("draw", id.as_str().into()),
        ("status", status.into()),
        ("commitment", members::hex(&commitment).into()),
        ("seed", seed.into()),
        ("seed_fits_commitment", kept.into()),
        ("commitment_as_published", published.into()),
        ("entries", seen.checked.len().into()),
        ("won", count(&|entry| entry.reason == Reason::Won)),
        ("picks_different", count(&|entry| entry.pick != entry.pick_again)),
        (
            "reasons_different",
            count(&|entry| entry.reason_again.is_some_and(|again| again != entry.reason)),
        ),
        ("reasons_not_in_journal", count(&|entry| entry.reason_again.is_none())),
        ("seq", sequence.into()),
    ];
    let all_good = seen.checked.iter().all(Checked::is_good);
    let rows = seen.checked.iter().map(|entry| row(seen, entry)).collect();
    let table = Some(Table { name: "checked", columns: COLUMNS, rows });
    Findings { facts, table, wrong: !(kept && all_good && published != Some(false)) }
}

fn row(seen: &Seen, entry: &Checked) -> Vec<Value> {
    let sku = |pick: Pick| match pick.and_then(|place| seen.odds.prizes().get(usize::from(place))) {
        Some(prize) => Value::from(prize.sku.as_str()),
        None => Value::Null,
    };
    vec![
        entry.number.into(),
        entry.sequence.into(),
        entry.user.as_str().into(),
        entry.client_seed.as_deref().into(),
        sku(entry.pick),
        sku(entry.pick_again),
        entry.reason.as_str().into(),
        entry.reason_again.map(Reason::as_str).into(),
        entry.is_good().into(),
    ]
}
