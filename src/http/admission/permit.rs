//! Where admission meets a request: the checks, what is counted, what is given back.
//!
//! Owns when a charge is kept and when it is not. Next: `control`, and `service` for where this
//! stands in the order of checks.

use super::concurrency_limit::Wait;
use super::connections_per_address::ConnectionPermit;
use super::control::{Charges, Requester};
use super::rate_limit::Share;
use super::reason::Reason;
use super::toll::Toll;
use crate::http::auth::identity::Identity;
use crate::http::auth::roles::Permission;
use crate::http::connection::connection_state::ConnectionState;
use crate::http::connection::reserve::{self, Found};
use crate::http::handlers::submit::Submit;
use crate::http::operations::request_metrics::RequestRecord;
use crate::http::response::problem::{Code, Problem, Refused};
use crate::http::routes::Route;
use crate::http::worker::Worker;
use crate::ring::{Rank, StageTimes, SubmitError};
use hyper::header::HeaderMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

/// A place for a connection.
#[derive(Debug)]
pub(in crate::http) struct ConnectionPlace {
    /// Among those of its address, where they are counted.
    pub(in crate::http) permit: Option<ConnectionPermit>,
    /// All others are taken.
    pub(in crate::http) reserved: bool,
}

/// A request that was let in, until its answer comes.
#[derive(Debug)]
pub(in crate::http) struct Admitted {
    charges: Charges,
    rank: Rank,
    /// On `Clock::elapsed_ms`.
    asked_ms: u64,
}

impl<A: Submit> Worker<A> {
    /// A place for a connection from this address, or none; then it is closed. A place among all is
    /// the caller's to give back, and one in the reserve as well.
    pub(in crate::http) fn take_place(&self, address: IpAddr) -> Option<ConnectionPlace> {
        let most = self.limits.get().connections_max;
        let place =
            self.admission.accept(&self.front.admission, address, most).and_then(|permit| {
                let connections = &self.front.connections;
                // One that ends gives its place back a moment later: for that long there are a few
                // more.
                if connections.fetch_add(1, Ordering::Relaxed) < most || self.end_an_idle_one() {
                    return Ok(ConnectionPlace { permit, reserved: false });
                }
                connections.fetch_sub(1, Ordering::Relaxed);
                match self.reserve.take(&self.front.reserved) {
                    Found::Free => {}
                    Found::Replaced => self.count_refused(Reason::IdleReplaced),
                    Found::Nothing => return Err(Reason::Connections),
                }
                Ok(ConnectionPlace { permit, reserved: true })
            });
        place.inspect_err(|reason| self.count_refused(*reason)).ok()
    }

    /// Refuses, on a connection of the reserve, a request that the reserve is not for.
    pub(in crate::http) fn check_reserved(
        &self,
        place: &Route<'_>,
        permission: Option<Permission>,
        identity: &Identity,
    ) -> Result<(), Refused> {
        let open = self.tokens.with(|_, tokens| tokens.is_none());
        if reserve::is_for(place, permission, identity, open) {
            return Ok(());
        }
        self.count_refused(Reason::Connections);
        Err(Problem::new(Code::Overloaded, "all connections that may be open are busy"))
    }

    /// The proxy at the other end says first whose connection it is.
    pub(in crate::http) fn is_to_introduce(&self, peer: &ConnectionState) -> bool {
        self.admission.is_to_introduce(peer.address)
    }

    /// Whose request it is.
    pub(in crate::http) fn client(
        &self,
        peer: &ConnectionState,
        headers: &HeaderMap,
    ) -> Result<IpAddr, Refused> {
        let client = self.admission.client((peer.address, peer.proxy), headers);
        client.inspect_err(|_| self.count_refused(Reason::ClientAddress))
    }

    /// A client that was let in once may go on with what takes long: its token holds, and its
    /// address is not denied.
    pub(in crate::http) fn still_admits(
        &self,
        peer: &ConnectionState,
        client: IpAddr,
    ) -> Result<(), Refused> {
        if !peer.auth_cache.holds(&self.tokens) {
            let detail = "the token that this began with is unknown now or has expired";
            return Err(Problem::new(Code::Unauthenticated, detail));
        }
        let admitted = self.admission.still_admits(peer.address, client);
        admitted.inspect_err(|_| self.count_refused(Reason::ClientAddress))
    }

    /// Charges the address of a request, by its head: what is urgent has a larger share, and of
    /// what is free nothing is charged unless it fails. The toll is to be settled with what becomes
    /// of the request.
    pub(in crate::http) fn toll(
        &self,
        client: IpAddr,
        share: Option<Share>,
        record: &RequestRecord,
    ) -> (Option<Toll>, Result<(), Refused>) {
        let now_ns = || record.read_at_ns(&self.front);
        let (toll, passed) = self.admission.toll(&self.front.admission, (client, share), now_ns);
        (toll, passed.inspect_err(|_| self.count_refused(Reason::AddressRate)))
    }

    /// A request was refused before the writer was asked.
    pub(in crate::http) fn settle(&self, toll: &mut Toll, refused: &Problem) {
        let now_ns = || self.front.clock.elapsed_ns();
        self.admission.settle(&self.front.admission, toll, refused, now_ns);
    }

    /// Charges the address of a line of a batch, which is one request, whatever becomes of it.
    pub(in crate::http) fn charge_line(&self, client: IpAddr, share: Share) -> Result<(), Refused> {
        let now_ns = || self.front.clock.elapsed_ns();
        let (_, passed) = self.admission.toll(&self.front.admission, (client, Some(share)), now_ns);
        passed.inspect_err(|_| self.count_refused(Reason::AddressRate))
    }

    /// Charges principal and user; what is too much for the server, waits.
    pub(in crate::http) fn charge(
        &self,
        requester: Requester<'_>,
        record: Option<&mut RequestRecord>,
    ) -> Result<Charges, Refused> {
        let now_ns = || self.front.clock.elapsed_ns();
        let (charged, rates) = self.admission.charge(&self.front.admission, requester, now_ns);
        if let Some(record) = record {
            record.tell(rates);
        }
        charged.map_err(|(reason, refused)| {
            self.count_refused(reason);
            refused
        })
    }

    /// Lets a request in that the writer is to be asked.
    pub(in crate::http) fn admit(
        &self,
        requester: Requester<'_>,
        record: &mut RequestRecord,
    ) -> Result<Admitted, Refused> {
        let charges = self.charge(requester, Some(record))?;
        let asked_ms = record.came_ms(&self.front);
        let undecided = || self.lane.undecided();
        let syncs = || self.front.cursors.syncs();
        let passed =
            self.admission.pass(requester.rank, self.lane.load(), (undecided, syncs), asked_ms);
        passed.inspect_err(|_| {
            self.count_refused(Reason::Shed);
            self.admission.give_back(&self.front.admission, &charges);
        })?;
        Ok(Admitted { charges, rank: requester.rank, asked_ms })
    }

    /// The ring did not take what was let in.
    pub(in crate::http) fn not_taken(&self, admitted: &Admitted, why: SubmitError) {
        if why == SubmitError::Overloaded {
            self.count_refused(Reason::RingFull);
        }
        self.admission.give_back(&self.front.admission, &admitted.charges);
    }

    /// Its answer came. What counts is when there was one: a thread that is behind with its own
    /// connections gains nothing by asking the writer less.
    pub(in crate::http) fn record_answer(&self, admitted: &Admitted, times: StageTimes) {
        let asked_ns = admitted.asked_ms * 1_000_000;
        let (answered_ns, owed_ns) = match times {
            // Nothing is timed: the sync before was about as long.
            StageTimes { durable_ns: 0, .. } => {
                let now_ns = self.front.clock.elapsed_ns();
                (now_ns, 2 * self.front.cursors.syncs().last.within(asked_ns, now_ns))
            }
            StageTimes { taken_ns, stored_ns, durable_ns, before, .. } => {
                let own_ns = durable_ns.saturating_sub(stored_ns);
                (durable_ns, own_ns + before.within(asked_ns, taken_ns))
            }
        };
        let in_all_ns = answered_ns.saturating_sub(asked_ns);
        self.admission.record_wait(admitted.rank, Wait::of(in_all_ns, owed_ns));
    }
}

#[cfg(test)]
#[path = "permit_tests.rs"]
mod tests;
