//! Refusals that are kept whole, for `journal.refusals = full`: who asked for what, why not, and
//! what was there.
//!
//! They are told by events that change nothing but the sequence: what was sold, held or limited is
//! the same with them and without. Owns the form in which a refusal is kept, which is what a later
//! decision is compared with. Never decides. Next: `event`, `writer`, `recheck`.

use super::answer::Refusal;
use super::command::{Command, EnterDraw, Principal, Reach, Request};
use super::draw::Seed;
use super::ids::{KeyClaim, PrincipalName, Sequence, Stamp, UserId};

/// A refusal with the request that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRefusal {
    pub principal: PrincipalName,
    /// Whether the principal saw the orders of all principals.
    pub reach_all: bool,
    /// Under which key.
    pub key: Option<KeyClaim>,
    /// What was asked; a new draw's seed is left out.
    pub command: Command,
    /// Why not, with what was short.
    pub refusal: Refusal,
    /// The sequence that the client was told: of the state in which it was refused.
    pub seen: Sequence,
    /// When: the writer's stamp. At the edge it is the moment of the answer, put on the writer's
    /// clock.
    pub at: Stamp,
    /// The sold-out edge refused it, by what the writer had published.
    pub at_edge: bool,
}

impl KeptRefusal {
    /// The request, to be decided again.
    #[must_use]
    pub fn request(&self) -> Request {
        let reach = if self.reach_all { Reach::All } else { Reach::Own };
        Request {
            principal: Principal { name: self.principal.clone(), reach },
            key: self.key,
            traceparent: None,
            command: self.command.clone(),
        }
    }

    /// The user that the request names; an action on an order names none.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        match &self.command {
            Command::CreateOrder(create) => Some(&create.user),
            Command::EnterDraw(EnterDraw { user, .. }) => Some(user),
            _ => None,
        }
    }

    /// The same in the form in which it is read back.
    #[must_use]
    pub fn stored(mut self) -> Self {
        self.refusal = stored_form(self.refusal);
        if let Command::PutDraw(put) = &mut self.command {
            put.seed = Seed([0; 32]);
        }
        self
    }
}

/// A refusal in the form in which it is kept: the words behind `invalid` are for people and may
/// change.
#[must_use]
pub fn stored_form(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Invalid { field, .. } => Refusal::Invalid { field, reason: "" },
        refusal => refusal,
    }
}

/// The members that a refusal as `invalid` may name; the last stands for those of other versions.
pub const INVALID_FIELDS: [&str; 6] =
    ["closes_at", "cursor", "delta", "limit_group", "lines", "a member"];

/// Refusals that were not kept, as there was no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotKept {
    /// How many, at least 1.
    pub count: u64,
    /// The first sequence of the states in which they were given; the last is that of this event.
    pub since: Sequence,
}
