//! What clients ask next, over HTTP: the simulator's clients, in the roles that tokens have.
//!
//! Owns who may ask what, and which keys are whose. Never sends anything. Next: `buyers`.

use crate::judge::principal;
use crate::notes::PRINCIPALS;
use crate::speak::key_text;
use doorbuster::domain::model::answer::Answered;
use doorbuster::domain::model::command::{Action, Command, Precondition, Query, Request};
use doorbuster::domain::model::draw::Seed;
use doorbuster::domain::model::ids::{OrderId, Stamp};
use doorbuster_sim::Knowledge;
use doorbuster_test_support::random::Random;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// Reasons of adjustments are this long at most: every record is small.
const REASON_BYTES_MAX: u64 = 100;

/// What all clients know.
pub(crate) struct Wishes {
    knowledge: Knowledge,
    /// Whose each key is.
    owners: HashMap<u128, &'static str>,
    /// Under each principal's key, whether a confirmation of this order might take the stock again.
    confirmed: HashMap<(&'static str, String, OrderId), bool>,
}

/// The token's name, as notes write it.
pub(crate) fn name(request: &Request) -> &'static str {
    let name = request.principal.name.as_str();
    PRINCIPALS.into_iter().find(|known| *known == name).expect("one of the principals")
}

/// What a principal's role allows.
pub(crate) fn may(who: &str, command: &Command) -> bool {
    who == "admin" || buyers_may(command)
}

/// What the role `buy` may.
fn buyers_may(command: &Command) -> bool {
    match command {
        Command::CreateOrder(_) | Command::EnterDraw(_) => true,
        Command::ActOnOrder(_, action) => {
            matches!(action, Action::Confirm { .. } | Action::Cancel | Action::Extend(_))
        }
        Command::Read(query) => !matches!(**query, Query::Orders { .. } | Query::Status),
        _ => false,
    }
}

impl Wishes {
    pub(crate) fn new() -> Self {
        let knowledge = Knowledge::new(REASON_BYTES_MAX);
        Self { knowledge, owners: HashMap::new(), confirmed: HashMap::new() }
    }

    /// Puts all SKUs on sale.
    pub(crate) fn opening(&mut self, random: &mut Random, now: Stamp) -> Vec<Arc<Request>> {
        let opening = self.knowledge.opening(random, false, now);
        opening.into_iter().filter_map(|request| self.fit(request)).collect()
    }

    /// What somebody asks next, or asks again.
    pub(crate) fn next(&mut self, random: &mut Random, now: Stamp) -> Arc<Request> {
        loop {
            let request = self.knowledge.next(random, true, now);
            if let Some(request) = self.fit(request) {
                return request;
            }
        }
    }

    /// Takes note of an answer.
    pub(crate) fn hear(&mut self, request: &Arc<Request>, answered: &Answered) {
        self.knowledge.hear(request, answered);
    }

    /// The request as it can be made over HTTP by who may make it; none if nobody can.
    fn fit(&mut self, request: Arc<Request>) -> Option<Arc<Request>> {
        if request.key.is_some_and(|claim| self.owners.contains_key(&claim.hash)) {
            // It was asked before.
            return Some(request);
        }
        let mut request = (*request).clone();
        if !buyers_may(&request.command) {
            request.principal = principal("admin");
        }
        match &mut request.command {
            // Others' keys are nothing to anybody.
            Command::Read(query) => {
                if let Query::Remembered(hash) = **query {
                    request.principal = principal(self.owners.get(&hash)?);
                }
            }
            // A part is given back once only, under a key.
            Command::ActOnOrder(_, Action::Refund(refund))
                if !refund.lines.is_empty() && request.key.is_none() =>
            {
                return None;
            }
            Command::PatchSku(patch) => without_absence(&mut patch.precondition),
            Command::AdjustSku(adjust) => without_absence(&mut adjust.precondition),
            // That is the server's to make.
            Command::PutDraw(put) => put.seed = Seed([0; 32]),
            // The answer of a deletion tells no sequence: only a version says which one it was.
            Command::DeleteSku(delete) => of_a_version(&mut delete.precondition),
            Command::DeleteDraw(delete) => of_a_version(&mut delete.precondition),
            _ => {}
        }
        let who = name(&request);
        if let Some(claim) = &mut request.key {
            claim.hash = spread(who, claim.hash);
            if self.contradicts(who, &key_text(claim.hash), &request.command) {
                return None;
            }
            self.owners.insert(claim.hash, who);
        }
        Some(Arc::new(request))
    }

    /// The journal does not tell two confirmations under one key apart.
    pub(crate) fn contradicts(&mut self, who: &'static str, key: &str, command: &Command) -> bool {
        let Command::ActOnOrder(order, Action::Confirm { reacquire }) = command else {
            return false;
        };
        let of = (who, key.to_owned(), *order);
        *self.confirmed.entry(of).or_insert(*reacquire) != *reacquire
    }
}

/// `If-None-Match` is for PUT.
fn without_absence(precondition: &mut Precondition) {
    if *precondition == Precondition::Absent {
        *precondition = Precondition::None;
    }
}

/// Every other is one that is never met.
fn of_a_version(precondition: &mut Precondition) {
    if !matches!(precondition, Precondition::Version(_)) {
        *precondition = Precondition::Version(None);
    }
}

/// A key is a principal's: two that use the same have two.
pub(crate) fn spread(who: &str, hash: u128) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (who, hash, salt).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(1) << 64) | half(2)
}
