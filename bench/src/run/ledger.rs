//! What the server has said so far about orders, to act on and to hold it to.
//!
//! Owns promises: which order answered which key, and its outcome by the answers. Never asks
//! the server. Next: `check`.

use super::scenario::{Plan, Verb, What};
use super::wire::{Created, Refused, Seen};
use crate::report::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};

/// Where the answers left an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Held,
    Confirmed,
    Cancelled,
    /// An action was refused because its hold had run out.
    Expired,
    /// An action got no answer.
    Uncertain,
}

/// An order that was promised.
#[derive(Debug, Clone)]
pub(crate) struct Bought {
    pub(crate) id: Box<str>,
    pub(crate) created_at: Box<str>,
    pub(crate) fate: Fate,
}

/// Differences and contradictions that are printed in full.
pub(crate) const EXAMPLES_MAX: usize = 20;
/// Orders that may be acted on are at most so many; older ones are left alone.
const KNOWN_MAX: usize = 10_000;

/// All promises of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By the number of the request that asked first.
    pub(crate) bought: BTreeMap<u64, Bought>,
    /// Asked for, and not known whether they exist.
    pub(crate) unknown: BTreeSet<u64>,
    /// Held and free to be acted on.
    pub(crate) known: Vec<u64>,
    /// Answers that contradict each other.
    pub(crate) contradictions: Vec<String>,
    pub(crate) contradictions_total: u64,
}

/// What an answer means.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) outcome: Outcome,
    /// Of a refusal or failure.
    pub(crate) code: Option<String>,
}

impl Ledger {
    /// Takes an answer in.
    pub(crate) fn take(&mut self, plan: &Plan, what: What, seen: &Seen<'_>) -> Judged {
        let judged = judge(what, seen);
        match (what, judged.outcome) {
            (What::Order { number }, Outcome::Created | Outcome::Replayed) => {
                let number = plan.order(number).number;
                match serde_json::from_slice::<Created<'_>>(seen.body) {
                    Ok(created) => self.promise(plan, number, &created, seen.replayed),
                    Err(_) => self.contradict(format!("a 201 without an order: {:?}", text(seen))),
                }
            }
            (What::Act { number, verb }, Outcome::Changed) => self.settle(number, fate(verb)),
            (What::Act { number, .. }, _) if judged.code.as_deref() == Some("hold_expired") => {
                self.settle(number, Fate::Expired);
            }
            (_, Outcome::Unavailable) if judged.code.as_deref() == Some("outcome_unknown") => {
                self.lost(plan, what);
            }
            // Something in between may have cut in after the server decided.
            (_, Outcome::Failed) => self.lost(plan, what),
            _ => {}
        }
        judged
    }

    /// No answer will come.
    pub(crate) fn lost(&mut self, plan: &Plan, what: What) {
        match what {
            What::Order { number } => {
                self.unknown.insert(plan.order(number).number);
            }
            What::Act { number, .. } => self.settle(number, Fate::Uncertain),
            What::ReadOrder { .. } | What::ReadSku { .. } | What::ReadKey { .. } => {}
        }
    }

    fn promise(&mut self, plan: &Plan, number: u64, created: &Created<'_>, replayed: bool) {
        let (id, created_at) = (&*created.id, &*created.created_at);
        let key = || plan.key(number);
        if let Some(own) = self.bought.get(&number) {
            if &*own.id != id {
                self.contradict(format!("key {} made two orders, {} and {id}", key(), own.id));
            } else if &*own.created_at != created_at {
                self.contradict(format!("{id} was made at {} and at {created_at}", own.created_at));
            } else if !replayed && plan.order(number).number == number {
                // Of answers that overtake each other, the first decided may be read last.
                self.unknown.remove(&number);
            }
            return;
        }
        let own = Bought { id: id.into(), created_at: created_at.into(), fate: Fate::Held };
        self.bought.insert(number, own);
        if self.known.len() < KNOWN_MAX {
            self.known.push(number);
        }
    }

    fn settle(&mut self, number: u64, fate: Fate) {
        if let Some(own) = self.bought.get_mut(&number) {
            own.fate = fate;
        }
    }

    fn contradict(&mut self, text: String) {
        self.contradictions_total += 1;
        if self.contradictions.len() < EXAMPLES_MAX {
            self.contradictions.push(text);
        }
    }

    /// The id of the order that a request names, if it names one.
    pub(crate) fn id(&self, what: What) -> &str {
        match what {
            What::Act { number, .. } | What::ReadOrder { number } => {
                self.bought.get(&number).map_or("", |own| &own.id)
            }
            What::Order { .. } | What::ReadSku { .. } | What::ReadKey { .. } => "",
        }
    }
}

fn fate(verb: Verb) -> Fate {
    match verb {
        Verb::Confirm => Fate::Confirmed,
        Verb::Cancel => Fate::Cancelled,
    }
}

fn text(seen: &Seen<'_>) -> String {
    String::from_utf8_lossy(&seen.body[..seen.body.len().min(200)]).into_owned()
}

fn judge(what: What, seen: &Seen<'_>) -> Judged {
    let good = match what {
        What::Order { .. } if seen.status == 201 && seen.replayed => Some(Outcome::Replayed),
        What::Order { .. } if seen.status == 201 => Some(Outcome::Created),
        What::Act { .. } if seen.status == 200 => Some(Outcome::Changed),
        What::ReadOrder { .. } | What::ReadSku { .. } | What::ReadKey { .. }
            if seen.status == 200 =>
        {
            Some(Outcome::Read)
        }
        _ => None,
    };
    if let Some(outcome) = good {
        return Judged { outcome, code: None };
    }
    let code = serde_json::from_slice::<Refused<'_>>(seen.body)
        .map_or_else(|_| format!("status {}", seen.status), |refused| refused.code.into_owned());
    let outcome = match (seen.status, code.as_str()) {
        (409, "sold_out") => Outcome::SoldOut,
        (409, "user_limit" | "hold_limit") => Outcome::Limit,
        (409, "not_open") => Outcome::NotOpen,
        (404, code) if code.starts_with("unknown_") => Outcome::Refused,
        (409 | 410, _) => Outcome::Refused,
        (429 | 503 | 504, _) => Outcome::Unavailable,
        _ => Outcome::Failed,
    };
    Judged { outcome, code: Some(code) }
}
