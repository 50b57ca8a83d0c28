//! What an address owes for a request: a charge by the head alone, whatever the principal.
//!
//! Owns how often the bucket of an address is charged: once for every head, once more for a request
//! that then fails authentication or shape, and not at all for one that is refused for the server's
//! sake. The second charge is a debt: it is made although the bucket may be empty, up to what is
//! urgent may use. The buckets of principals and users are charged later, in `control`. Next:
//! `permit`.

use super::addresses::sender;
use super::control::{AdmissionControl, SharedAdmission, name, rate_limited};
use super::rate_limit::{Charge, Level, Quota, Share};
use super::rates::Rates;
use super::reason::Reason;
use crate::http::response::problem::{Code, Problem, Refused};
use std::net::IpAddr;

/// What one request's address was charged, until the outcome of the request is known.
#[derive(Debug)]
pub(in crate::http) struct Toll {
    sender: u128,
    quota: Quota,
    /// None where there was nothing in the bucket, or nothing was to be paid.
    charge: Option<Charge>,
    /// How the bucket stands; none where that is not told.
    level: Option<Level>,
}

impl Toll {
    /// Adds the address's bucket to those that the client is told of.
    pub(in crate::http) fn tell(&self, rates: &mut Rates) {
        if let Some(level) = self.level {
            rates.tell(name(Reason::AddressRate), self.quota, level);
        }
    }
}

/// What a request costs its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Once,
    Twice,
}

/// By what refused it before the writer was asked.
const fn due(code: Code) -> Due {
    match code {
        // It may be as good as any: the server has no room, or no time.
        Code::Overloaded | Code::Draining | Code::ReadOnly | Code::Recovering => Due::Nothing,
        Code::Unauthenticated
        | Code::Malformed
        | Code::UnknownField
        | Code::IdempotencyKeyMissing
        | Code::Timeout
        | Code::TooLarge
        | Code::UriTooLong
        | Code::UnsupportedMediaType
        | Code::Invalid => Due::Twice,
        _ => Due::Once,
    }
}

impl AdmissionControl {
    /// Charges an address, where there is a quota for addresses; also tells why the request cannot
    /// go on, if so. With no share, nothing is charged yet.
    pub(super) fn toll(
        &self,
        shared: &SharedAdmission,
        (client, share): (IpAddr, Option<Share>),
        now_ns: impl FnOnce() -> u64,
    ) -> (Option<Toll>, Result<(), Refused>) {
        self.rules.with(|_, rules| {
            let Some(quota) = rules.per_address else { return (None, Ok(())) };
            let sender = sender(client);
            let toll = Toll { sender, quota, charge: None, level: None };
            let Some(share) = share else { return (Some(toll), Ok(())) };
            match shared.senders().charge(&sender, quota, share, now_ns()) {
                Ok(charge) => {
                    let (charge, level) = (Some(charge), Some(charge.level));
                    (Some(Toll { charge, level, ..toll }), Ok(()))
                }
                Err(empty) => {
                    let toll = Toll { level: Some(empty.level), ..toll };
                    (Some(toll), Err(rate_limited(Reason::AddressRate, empty)))
                }
            }
        })
    }

    /// A request is refused before the writer was asked: gives its charge back, or charges once
    /// more.
    pub(super) fn settle(
        &self,
        shared: &SharedAdmission,
        toll: &mut Toll,
        refused: &Problem,
        now_ns: impl FnOnce() -> u64,
    ) {
        match due(refused.code) {
            Due::Once => {}
            Due::Nothing => {
                if let Some(charge) = toll.charge.take() {
                    shared.senders().give_back(&charge);
                    toll.level = None;
                }
            }
            Due::Twice => {
                let now_ns = now_ns();
                let owed = if toll.charge.is_some() { 1 } else { 2 };
                for _ in 0..owed {
                    toll.level = Some(shared.senders().owe(&toll.sender, toll.quota, now_ns));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "toll_tests.rs"]
mod tests;
