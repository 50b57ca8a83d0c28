//! Refusals that the journal holds whole: each answers what was asked, and the model refuses alike
//! where they stand; and, where nothing went wrong, each that was heard is there or counted as not
//! kept.
//!
//! Owns these two comparisons. What clients heard is held to the model elsewhere. Next: `check`.

use super::{Fault, Witness, changes_nothing, fault, rule, told};
use crate::check::Entry;
use crate::notes::Notes;
use doorbuster::domain::model::answer::Answer;
use doorbuster::domain::model::command::{Command, Request};
use doorbuster::domain::model::event::Event;
use doorbuster::domain::model::ids::Sequence;
use doorbuster::domain::model::kept::{KeptRefusal, stored_form};
use std::collections::BTreeMap;

impl Witness<'_> {
    /// Looks at the refusals of an event before it is followed.
    pub(super) fn refused(&mut self, kept: &[KeptRefusal]) -> Result<(), Fault> {
        for refusal in kept {
            let request = refusal.request();
            let was_told = told(&request.principal, &request.command);
            let was_asked = match request.key {
                Some(claim) => self.keyed.get(&claim.hash).is_some_and(|asked| {
                    let same = |asked: &&Request| {
                        asked.key == request.key
                            && told(&asked.principal, &asked.command) == was_told
                    };
                    asked.iter().copied().any(|asked| same(&asked))
                }),
                None => self.unkeyed.contains_key(&was_told),
            };
            // An id that the journal never gave out is kept as what it stands for.
            let of_unknown =
                self.of_unknown.contains(&(request.key.map(|claim| claim.hash), was_told));
            if !was_asked && !of_unknown {
                return fault(rule::ASKED, format!("{refusal:?}"));
            }
            // What the edge says rests on an earlier state; clients' notes are held to that.
            if !refusal.at_edge {
                self.refuse_again(refusal, &request)?;
            }
        }
        Ok(())
    }

    fn refuse_again(&mut self, kept: &KeptRefusal, request: &Request) -> Result<(), Fault> {
        let before = self.model.sequence();
        let answered = self.model.request(request, kept.at);
        let alike = match &answered.answer {
            Answer::Refused(refusal) => stored_form(refusal.clone()) == kept.refusal,
            _ => false,
        };
        if !alike || self.model.sequence() != before {
            return fault(rule::SAME, format!("{kept:?}\n   the model says {answered:?}"));
        }
        Ok(())
    }
}

/// Refusals that were heard and that the journal neither holds nor counts as not kept. For a
/// history in which refusals were kept from the first on, and in which nothing died.
#[must_use]
pub fn refusals_missing(notes: &Notes, journal: &[Entry]) -> u64 {
    let mut kept: BTreeMap<(String, Option<u128>, Sequence), u64> = BTreeMap::new();
    let mut not_kept = 0;
    for entry in journal {
        match &entry.record.event {
            Event::RefusalsKept(refusals) => {
                for refusal in refusals {
                    let request = refusal.request();
                    let told = told(&request.principal, &request.command);
                    let key = request.key.map(|key| key.hash);
                    *kept.entry((told, key, refusal.seen)).or_default() += 1;
                }
            }
            Event::RefusalsNotKept(lost) => not_kept += lost.count,
            _ => {}
        }
    }
    let mut missing = 0_u64;
    for attempt in notes.attempts() {
        let Some(heard) = &attempt.heard else { continue };
        let request = &attempt.request;
        let is_read = matches!(request.command, Command::Read(_));
        if is_read || !changes_nothing(attempt, heard) {
            continue;
        }
        let told = told(&request.principal, &request.command);
        let key = request.key.map(|key| key.hash);
        match kept.get_mut(&(told, key, heard.answered.sequence)) {
            Some(left) if *left > 0 => *left -= 1,
            _ => missing += 1,
        }
    }
    missing.saturating_sub(not_kept)
}
