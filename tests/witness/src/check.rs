//! Do the journal and what clients heard tell one story, and does it keep the rules?
//!
//! Owns one pass over the journal, with the model beside it: every answer is there with the same
//! content at the same sequence; nothing is there that nobody asked for; a key is decided once;
//! what was heard before a request was sent comes before it; the counts hold after every event; no
//! id was given out twice, in a life that is lost neither. Costs what the model costs; where a
//! history is too long for that, `Ledger` alone reads it. Next: `ledger`, `model`.

pub(crate) mod refusals;

use crate::entry::Entry;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::names::named;
use crate::notes::{Attempt, Heard, Notes};
use doorbuster::domain::model::answer::{Answer, Answered, Refusal};
use doorbuster::domain::model::command::{Action, Command, Principal, Reach, Request};
use doorbuster::domain::model::draw::Seed;
use doorbuster::domain::model::event::{Event, Origin};
use doorbuster::domain::model::ids::{KeyClaim, OrderId, Sequence, Stamp};
use doorbuster::domain::model::lives::Life;
use doorbuster::engine::recheck::command_of;
use std::collections::{BTreeMap, BTreeSet};

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Fault {
    /// The rule that is broken.
    pub rule: &'static str,
    /// How.
    pub detail: String,
}

/// How much was checked.
#[derive(Debug, Default, Clone, Copy)]
pub struct Checked {
    /// Records of the journal.
    pub records: u64,
    /// Answers that were heard and are true.
    pub answers: u64,
    /// Answers that power took back, as the mode says, or an operator who put an old copy back.
    pub void: u64,
}

/// Checks everything.
///
/// # Errors
/// The first thing that does not fit.
pub fn check(notes: &Notes, journal: &[Entry]) -> Result<Checked, Fault> {
    let mut witness = Witness::new(notes, journal)?;
    witness.answers_at(0)?;
    for entry in journal {
        witness.entry(entry)?;
        witness.answers_at(entry.sequence)?;
    }
    let checked = witness.conclude(journal.len() as u64)?;
    check_ids(notes)?;
    Ok(checked)
}

/// No two orders were given one id, in lives that are lost neither.
fn check_ids(notes: &Notes) -> Result<(), Fault> {
    let mut given = BTreeMap::new();
    for attempt in notes.attempts() {
        let Some(heard) = &attempt.heard else { continue };
        let made = match &heard.answered.answer {
            Answer::Created(created) => Some(created.order),
            Answer::Entered(entry) => entry.order.as_ref().map(|order| order.order),
            _ => None,
        };
        if let Some(order) = made.filter(|_| !heard.answered.replayed)
            && let Some(before) = given.insert(order, attempt)
        {
            return fault(rule::IDS, format!("{before:?}\n   and {attempt:?}"));
        }
    }
    Ok(())
}

fn fault<T>(rule: &'static str, detail: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { rule, detail: detail.into() })
}

/// The rules, as a fault names them.
mod rule {
    pub(super) const GAPLESS: &str = "sequences follow each other";
    pub(super) const TIME: &str = "stamps never go back";
    pub(super) const EPOCH: &str = "a record is of the epoch that began last";
    pub(super) const LIFE: &str = "no two starts have one life";
    pub(super) const IDS: &str = "no id is given out twice";
    pub(super) const ASKED: &str = "nothing happens that nobody asked for";
    pub(super) const DUE: &str = "what happens by itself is due";
    pub(super) const SAME: &str = "a request is decided as the rules say";
    pub(super) const KEPT: &str = "what was answered is in the journal";
    pub(super) const TOLD: &str = "an answer tells what the journal tells";
    pub(super) const ONCE: &str = "an answer belongs to one request";
    pub(super) const ORDER: &str = "what was heard before comes before";
    pub(super) const COUNTS: &str = "counts hold after every event";
}

struct Witness<'n> {
    model: Model,
    ledger: Ledger,
    journal: &'n [Entry],
    epoch: u32,
    lives: BTreeSet<Life>,
    stamp: Stamp,
    /// Keyed requests by their key; a key may be used again for something else.
    keyed: BTreeMap<u128, Vec<&'n Request>>,
    /// How often each unkeyed command was sent, and by whom.
    unkeyed: BTreeMap<String, u64>,
    /// What was sent about an order, under which key, as it reads where the journal never gave out
    /// the order's id.
    of_unknown: BTreeSet<(Option<u128>, String)>,
    /// What was heard, by the sequence it names.
    heard: BTreeMap<Sequence, Vec<(&'n Attempt, &'n Heard)>>,
    /// What the records of a key should have been answered, in their order.
    by_key: BTreeMap<u128, Vec<(KeyClaim, Answered)>>,
    checked: Checked,
    /// Power took answers back, as the mode says.
    rewound: bool,
}

/// What an id stands for that the server never gave out, as `http/routes` has it.
const NO_ORDER: OrderId = OrderId { epoch: 0, sequence: 0 };

/// A command as a record tells it: what a record does not tell is left out.
fn told(principal: &Principal, command: &Command) -> String {
    let command = match command {
        Command::ActOnOrder(order, Action::Confirm { .. }) => {
            Command::ActOnOrder(*order, Action::Confirm { reacquire: false })
        }
        Command::PutDraw(put) => {
            let mut put = put.clone();
            put.seed = Seed([0; 32]);
            Command::PutDraw(put)
        }
        other => other.clone(),
    };
    format!("{} {:?} {command:?}", principal.name.as_str(), principal.reach)
}

/// What is wrong with a member is said to people, in words of its own.
fn without_words(answered: &Answered) -> Answered {
    let mut answered = answered.clone();
    if let Answer::Refused(Refusal::Invalid { reason, .. }) = &mut answered.answer {
        *reason = "";
    }
    answered
}

/// Whether only the state is read to answer this.
fn changes_nothing(attempt: &Attempt, heard: &Heard) -> bool {
    let is_read = matches!(attempt.request.command, Command::Read(_));
    is_read || matches!(heard.answered.answer, Answer::Refused(_))
}

impl<'n> Witness<'n> {
    fn new(notes: &'n Notes, journal: &'n [Entry]) -> Result<Self, Fault> {
        let mut witness = Self {
            model: Model::blank(),
            ledger: Ledger::default(),
            journal,
            epoch: 0,
            lives: BTreeSet::new(),
            stamp: 0,
            keyed: BTreeMap::new(),
            unkeyed: BTreeMap::new(),
            of_unknown: BTreeSet::new(),
            heard: BTreeMap::new(),
            by_key: BTreeMap::new(),
            checked: Checked { records: journal.len() as u64, ..Checked::default() },
            rewound: !notes.rewinds().is_empty(),
        };
        check_order(notes)?;
        for attempt in notes.attempts() {
            let request = &*attempt.request;
            let mut command = request.command.clone();
            if let Some(order) = named(&mut command) {
                *order = NO_ORDER;
                let told = told(&request.principal, &command);
                witness.of_unknown.insert((request.key.map(|claim| claim.hash), told));
            }
            match request.key {
                Some(claim) => witness.keyed.entry(claim.hash).or_default().push(request),
                None => {
                    let told = told(&request.principal, &request.command);
                    *witness.unkeyed.entry(told).or_default() += 1;
                }
            }
            match &attempt.heard {
                Some(heard) if heard.void => witness.checked.void += 1,
                Some(heard) => {
                    let of = witness.heard.entry(heard.answered.sequence).or_default();
                    of.push((attempt, heard));
                }
                None => {}
            }
        }
        Ok(witness)
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        let Entry { sequence, stamp, epoch, record } = entry;
        if *sequence != self.model.sequence() + 1 {
            return fault(rule::GAPLESS, format!("{sequence} follows {}", self.model.sequence()));
        }
        if *stamp < self.stamp {
            return fault(rule::TIME, format!("{sequence}: {stamp} follows {}", self.stamp));
        }
        self.stamp = *stamp;
        if let Event::Started(started) = &record.event {
            self.epoch = started.epoch;
            if started.life.is_some_and(|life| !self.lives.insert(life)) {
                return fault(rule::LIFE, format!("{entry:?}"));
            }
        }
        if *epoch != self.epoch {
            return fault(rule::EPOCH, format!("{sequence} says {epoch} in {}", self.epoch));
        }
        match &record.origin {
            None => {
                if let Event::RefusalsKept(kept) = &record.event {
                    self.refused(kept)?;
                }
                let followed = self.model.follow(&record.event, *stamp);
                followed.or_else(|why| fault(rule::DUE, format!("{entry:?}: {why}")))?;
            }
            Some(origin) => self.decide(entry, origin)?,
        }
        let booked = self.ledger.book(*sequence, &record.event);
        booked.or_else(|why| fault(rule::COUNTS, format!("{entry:?}: {why}")))
    }

    /// The model decides what was asked and must come to the same.
    fn decide(&mut self, entry: &Entry, origin: &Origin) -> Result<(), Fault> {
        let Entry { sequence, stamp, record, .. } = entry;
        let nobody = || fault(rule::ASKED, format!("{entry:?}"));
        let Some(command) = command_of(&record.event) else { return nobody() };
        let reach = if origin.reach_all { Reach::All } else { Reach::Own };
        let principal = Principal { name: origin.principal.clone(), reach };
        let was_told = told(&principal, &command);
        let request = match origin.key {
            Some(claim) => {
                let asked = self.keyed.get(&claim.hash).map_or(&[][..], Vec::as_slice);
                let same = |asked: &&&Request| {
                    asked.key == origin.key && told(&asked.principal, &asked.command) == was_told
                };
                match asked.iter().find(same) {
                    Some(asked) => (*asked).clone(),
                    None => return nobody(),
                }
            }
            None => {
                match self.unkeyed.get_mut(&was_told) {
                    Some(left) if *left > 0 => *left -= 1,
                    _ => return nobody(),
                }
                Request { principal: principal.clone(), key: None, traceparent: None, command }
            }
        };
        let answered = self.model.request(&request, *stamp);
        if self.model.sequence() != *sequence {
            let detail = format!("{entry:?}: the model answers {answered:?} and changes nothing");
            return fault(rule::SAME, detail);
        }
        match origin.key {
            Some(claim) => {
                self.by_key.entry(claim.hash).or_default().push((claim, answered));
            }
            None => self.hear_unkeyed(entry, &request, &answered)?,
        }
        Ok(())
    }

    /// Whoever heard the answer of an unkeyed record heard what it says, and is the only one.
    fn hear_unkeyed(
        &mut self,
        entry: &Entry,
        request: &Request,
        expected: &Answered,
    ) -> Result<(), Fault> {
        let Some(heard) = self.heard.get_mut(&entry.sequence) else { return Ok(()) };
        let own = told(&request.principal, &request.command);
        let found = heard.iter().position(|(attempt, heard)| {
            attempt.request.key.is_none()
                && !changes_nothing(attempt, heard)
                && told(&attempt.request.principal, &attempt.request.command) == own
                && without_words(&heard.answered) == without_words(expected)
        });
        if let Some(found) = found {
            heard.remove(found);
            self.checked.answers += 1;
        }
        Ok(())
    }

    /// All that was answered from the state as it is now.
    fn answers_at(&mut self, sequence: Sequence) -> Result<(), Fault> {
        for (attempt, heard) in self.heard.remove(&sequence).unwrap_or_default() {
            let keyed = attempt.request.key.is_some();
            if keyed && !changes_nothing(attempt, heard) {
                // Compared at the end: it may tell of a record that comes later.
                self.heard.entry(u64::MAX).or_default().push((attempt, heard));
                continue;
            }
            self.answer_from_state(sequence, attempt, heard)?;
        }
        Ok(())
    }

    fn answer_from_state(
        &mut self,
        sequence: Sequence,
        attempt: &Attempt,
        heard: &Heard,
    ) -> Result<(), Fault> {
        let next = usize::try_from(sequence).expect("a journal fits memory");
        let next = self.journal.get(next);
        // What changed nothing left no stamp behind: after a death the clock may go on from before.
        let died = next.is_some_and(|entry| matches!(entry.record.event, Event::Started(_)));
        let until = next.filter(|_| !died).map_or(u64::MAX, |entry| entry.stamp);
        // The answer of a closing is that of the first, whenever it is asked again.
        let past = matches!(attempt.request.command, Command::CloseDraw(_));
        let decided_at = if past { Some(self.stamp) } else { heard.decided_at };
        if decided_at.is_some_and(|at| at < self.stamp || at > until) {
            return fault(rule::TIME, format!("{attempt:?} was decided out of its place"));
        }
        // Where nobody knows when it was decided: what is read changes with the state, and where a
        // sale or a draw opens or closes.
        let candidates = decided_at.map_or_else(
            || {
                let edges = self.model.edges(self.stamp, until);
                std::iter::once(self.stamp).chain(edges).collect()
            },
            |at| vec![at],
        );
        let mut expected = Vec::new();
        for now in candidates {
            let answered = self.model.request(&attempt.request, now);
            if self.model.sequence() != sequence {
                let detail = format!("{attempt:?}: the model changes the state: {answered:?}");
                return fault(rule::SAME, detail);
            }
            if without_words(&answered) == without_words(&heard.answered) {
                self.checked.answers += 1;
                return Ok(());
            }
            expected.push(answered);
        }
        fault(rule::TOLD, format!("{attempt:?}\n   the model says {expected:?}"))
    }

    fn conclude(mut self, last: Sequence) -> Result<Checked, Fault> {
        let keyed = self.heard.remove(&u64::MAX).unwrap_or_default();
        if let Some((sequence, lost)) = self.heard.iter().find(|(_, lost)| !lost.is_empty()) {
            let detail = format!("{:?} tells {sequence}, the journal ends at {last}", lost[0].0);
            return fault(rule::KEPT, detail);
        }
        let mut first: BTreeSet<(u128, Sequence)> = BTreeSet::new();
        for (attempt, heard) in keyed {
            let claim = attempt.request.key.expect("it has a key");
            let known = self.by_key.get(&claim.hash).map_or(&[][..], Vec::as_slice);
            let of_sequence = known
                .iter()
                .find(|(of, known)| *of == claim && known.sequence == heard.answered.sequence);
            // The answer of a repeated closing tells of the first: whether its own record was taken
            // back does not show.
            let closing = matches!(attempt.request.command, Command::CloseDraw(_));
            if of_sequence.is_none() && closing && self.rewound {
                self.checked.void += 1;
                continue;
            }
            let Some((_, expected)) = of_sequence else {
                return fault(rule::KEPT, format!("{attempt:?}\n   the journal has {known:?}"));
            };
            let replayed = heard.answered.replayed;
            let expected = Answered { replayed, ..expected.clone() };
            if without_words(&expected) != without_words(&heard.answered) {
                return fault(rule::TOLD, format!("{attempt:?}\n   the model says {expected:?}"));
            }
            if !replayed && !first.insert((claim.hash, expected.sequence)) && !closing {
                return fault(rule::ONCE, format!("{attempt:?} is not the first to hear it"));
            }
            self.checked.answers += 1;
        }
        Ok(self.checked)
    }
}

/// What somebody heard before a request was sent comes before it.
fn check_order(notes: &Notes) -> Result<(), Fault> {
    enum Moment<'n> {
        Heard(&'n Attempt, &'n Heard),
        Rewound(Sequence),
        Sent(usize),
    }
    let mut moments: Vec<(u64, Moment<'_>)> = Vec::new();
    for (number, attempt) in notes.attempts().iter().enumerate() {
        moments.push((attempt.sent, Moment::Sent(number)));
        moments
            .extend(attempt.heard.as_ref().map(|heard| (heard.at, Moment::Heard(attempt, heard))));
    }
    moments.extend(notes.rewinds().iter().map(|(at, sequence)| (*at, Moment::Rewound(*sequence))));
    moments.sort_by_key(|(at, _)| *at);
    let mut floors = vec![0; notes.attempts().len()];
    let numbers: BTreeMap<*const Attempt, usize> = notes
        .attempts()
        .iter()
        .enumerate()
        .map(|(number, of)| (std::ptr::from_ref(of), number))
        .collect();
    let mut floor: Sequence = 0;
    for (_, moment) in moments {
        match moment {
            Moment::Sent(number) => floors[number] = floor,
            Moment::Rewound(sequence) => {
                floor = floor.min(sequence - 1);
                floors.iter_mut().for_each(|floor| *floor = (*floor).min(sequence - 1));
            }
            Moment::Heard(attempt, heard) => {
                let sequence = heard.answered.sequence;
                // These tell of a decision that may be long past.
                let past = heard.answered.replayed
                    || matches!(attempt.request.command, Command::CloseDraw(_));
                let least = floors[numbers[&std::ptr::from_ref(attempt)]];
                if !past && sequence < least {
                    let detail = format!("{attempt:?}: {least} was heard before it was sent");
                    return fault(rule::ORDER, detail);
                }
                floor = floor.max(sequence);
            }
        }
    }
    Ok(())
}
