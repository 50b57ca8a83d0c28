//! What decides whether a client is let in: the rules of an operator, what all IO threads share
//! (`SharedAdmission`) and what each has of its own (`AdmissionControl`).
//!
//! Owns the order in which buckets are charged. Counts nothing and knows no connection: `permit`
//! does. Next: `addresses`, `rate_limit`, `concurrency_limit`.

use super::addresses::{self, Addresses};
use super::concurrency_limit::{AdaptiveLimit, Wait};
use super::connections_per_address::{ConnectionCounter, ConnectionPermit};
use super::rate_limit::{Buckets, Charge, Empty, Quota, Share};
use super::rates::Rates;
use super::reason::Reason;
use crate::domain::model::command::{Command, Query};
use crate::domain::model::ids::UserId;
use crate::http::auth::origin::Sites;
use crate::http::response::problem::{Code, Problem, Refused, jitter};
use crate::ring::{Load, Rank, Syncs};
use crate::shared::reloadable::{Kept, Reloadable};
use hyper::header::HeaderMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Buckets of principals: a tokens file has a thousand at most.
const PRINCIPALS_CELLS: usize = 65_536;

/// How many connections one sender may have; trusted proxies, whose clients are many, apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PerAddress {
    /// As many as there are places.
    #[default]
    AsMany,
    /// A quarter of all places: three senders leave room for others, and behind one address there
    /// is room for thousands. This machine apart: its proxies and tools come from loopback.
    Quarter,
    /// So many, this machine too.
    Most(u32),
}

impl PerAddress {
    fn most(self, sender: IpAddr, connections_max: usize) -> Option<u32> {
        match self {
            Self::AsMany => None,
            Self::Quarter if sender.is_loopback() => None,
            Self::Quarter => Some(u32::try_from(connections_max / 4).unwrap_or(u32::MAX).max(1)),
            Self::Most(most) => Some(most),
        }
    }
}

/// What an operator may change at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who may come at all.
    pub addresses: Addresses,
    /// Which pages may ask, and under which names.
    pub sites: Sites,
    /// Connections of one sender.
    pub connections_per_address: PerAddress,
    /// Requests of one principal.
    pub per_principal: Option<Quota>,
    /// Orders, entries and lists of one user.
    pub per_user: Option<Quota>,
    /// Requests of one sender, whatever comes of them.
    pub per_address: Option<Quota>,
    /// Orders and lists are shed while answers take longer than so many milliseconds beyond the
    /// syncs that all share; 0 = never.
    pub wait_ms_max: u64,
}

impl Rules {
    fn have_requester_buckets(&self) -> bool {
        self.per_principal.or(self.per_user).is_some()
    }
}

/// How many buckets are kept. A start decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// Of users.
    pub users: usize,
    /// Of senders.
    pub addresses: usize,
}

impl Default for Cells {
    fn default() -> Self {
        Self { users: 65_536, addresses: 65_536 }
    }
}

/// What all IO threads share. A table takes its memory when there is a quota for it.
#[derive(Debug)]
pub struct SharedAdmission {
    pub(super) rules: Arc<Reloadable<Rules>>,
    counter: Arc<ConnectionCounter>,
    cells: Cells,
    principals: OnceLock<Buckets>,
    users: OnceLock<Buckets>,
    senders: OnceLock<Buckets>,
}

impl SharedAdmission {
    /// Doors with these rules, and so many buckets.
    #[must_use]
    pub fn new(rules: Arc<Reloadable<Rules>>, cells: Cells) -> Self {
        let quotas = rules.current();
        let shared = Self {
            rules,
            counter: Arc::default(),
            cells,
            principals: OnceLock::new(),
            users: OnceLock::new(),
            senders: OnceLock::new(),
        };
        // Now, while no request waits. Of a quota that is set later, its first request does.
        quotas.per_principal.map(|_| shared.principals());
        quotas.per_user.map(|_| shared.users());
        quotas.per_address.map(|_| shared.senders());
        shared
    }

    fn principals(&self) -> &Buckets {
        self.principals.get_or_init(|| Buckets::with_cells(PRINCIPALS_CELLS))
    }

    fn users(&self) -> &Buckets {
        self.users.get_or_init(|| Buckets::with_cells(self.cells.users))
    }

    pub(super) fn senders(&self) -> &Buckets {
        self.senders.get_or_init(|| Buckets::with_cells(self.cells.addresses))
    }
}

/// One IO thread's.
#[derive(Debug)]
pub(in crate::http) struct AdmissionControl {
    pub(super) rules: Kept<Rules>,
    limiter: AdaptiveLimit,
}

/// Who asks, once that is known: whom buckets but that of the address belong to.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Requester<'r> {
    pub(in crate::http) principal: &'r str,
    pub(in crate::http) user: Option<&'r UserId>,
    pub(in crate::http) rank: Rank,
}

/// Charges that were made for one request.
pub(in crate::http) type Charges = Vec<(Reason, Charge)>;

/// The user that a request is about, as far as that is known before it is decided.
pub(in crate::http) fn user(command: &Command) -> Option<&UserId> {
    match command {
        Command::CreateOrder(create) => Some(&create.user),
        Command::EnterDraw(enter) => Some(&enter.user),
        Command::Read(query) => match &**query {
            Query::UserOrders { user, .. } => Some(user),
            _ => None,
        },
        _ => None,
    }
}

impl AdmissionControl {
    pub(in crate::http) fn new(shared: &SharedAdmission, now_ms: u64) -> Self {
        Self { rules: Kept::new(shared.rules.clone()), limiter: AdaptiveLimit::new(now_ms) }
    }

    /// Whether a connection from this peer is taken; with a place among those of its address, where
    /// they are counted. Trusted proxies have as many as there are: their clients are many.
    pub(in crate::http) fn accept(
        &self,
        shared: &SharedAdmission,
        peer: IpAddr,
        connections_max: usize,
    ) -> Result<Option<ConnectionPermit>, Reason> {
        self.rules.with(|_, rules| {
            if !rules.addresses.accepts(peer) {
                return Err(Reason::PeerAddress);
            }
            let most = rules.connections_per_address.most(peer, connections_max);
            let most = most.filter(|_| !rules.addresses.trusted_proxies.contains(peer));
            let Some(most) = most else { return Ok(None) };
            let permit = shared.counter.enter(addresses::sender(peer), most);
            permit.map(Some).ok_or(Reason::ConnectionsOfAddress)
        })
    }

    /// A connection from this peer begins with a header that says whose it is.
    pub(in crate::http) fn is_to_introduce(&self, peer: IpAddr) -> bool {
        self.rules.with(|_, rules| rules.addresses.is_to_introduce(peer))
    }

    /// Whose request it is; refuses a client that may not ask. The connection may be one that a
    /// proxy brought for this peer.
    pub(in crate::http) fn client(
        &self,
        (peer, proxy): (IpAddr, Option<IpAddr>),
        headers: &HeaderMap,
    ) -> Result<IpAddr, Refused> {
        self.rules.with(|_, rules| {
            if proxy.is_some_and(|proxy| !rules.addresses.brings(proxy)) {
                return Err(addresses::not_taken());
            }
            rules.addresses.client(peer, headers)
        })
    }

    /// Shows what the operator says of browsers.
    pub(in crate::http) fn sites<R>(&self, show: impl FnOnce(&Sites) -> R) -> R {
        self.rules.with(|_, rules| show(&rules.sites))
    }

    /// Refuses a client that was let in before, if it would not be let in now.
    pub(in crate::http) fn still_admits(
        &self,
        peer: IpAddr,
        client: IpAddr,
    ) -> Result<(), Refused> {
        self.rules.with(|_, rules| rules.addresses.admits(peer, client))
    }

    /// Takes a request out of the buckets of its principal and its user, or out of none. Tells how
    /// they stand where there are any.
    pub(in crate::http) fn charge(
        &self,
        shared: &SharedAdmission,
        requester: Requester<'_>,
        now_ns: impl FnOnce() -> u64,
    ) -> (Result<Charges, (Reason, Refused)>, Rates) {
        self.rules.with(|_, rules| {
            let mut rates = Rates::default();
            let mut charges = Charges::new();
            if !rules.have_requester_buckets() {
                return (Ok(charges), rates);
            }
            let now_ns = now_ns();
            let share = Share::of_urgent(requester.rank == Rank::Urgent);
            let principal = rules.per_principal.map(|quota| {
                let charged =
                    shared.principals().charge(&requester.principal, quota, share, now_ns);
                (Reason::PrincipalRate, quota, charged)
            });
            let user = || {
                let (quota, user) = rules.per_user.zip(requester.user)?;
                let charged = shared.users().charge(&user.as_str(), quota, share, now_ns);
                Some((Reason::UserRate, quota, charged))
            };
            let buckets: [&dyn Fn() -> Option<_>; 2] = [&|| principal, &user];
            for bucket in buckets {
                let Some((reason, quota, charged)) = bucket() else { continue };
                match charged {
                    Ok(charge) => {
                        rates.tell(name(reason), quota, charge.level);
                        charges.push((reason, charge));
                    }
                    Err(empty) => {
                        // The others are as they were.
                        rates = Rates::default();
                        rates.tell(name(reason), quota, empty.level);
                        self.give_back(shared, &charges);
                        return (Err((reason, rate_limited(reason, empty))), rates);
                    }
                }
            }
            (Ok(charges), rates)
        })
    }

    /// Gives charges back: the request was refused for another reason.
    pub(in crate::http) fn give_back(&self, shared: &SharedAdmission, charges: &Charges) {
        for (reason, charge) in charges {
            match reason {
                Reason::PrincipalRate => shared.principals().give_back(charge),
                _ => shared.users().give_back(charge),
            }
        }
    }

    /// Sheds a request where answers take too long, or would.
    pub(in crate::http) fn pass(
        &self,
        rank: Rank,
        load: Load,
        (undecided, syncs): (impl FnOnce() -> usize, impl FnOnce() -> Syncs),
        now_ms: u64,
    ) -> Result<(), Refused> {
        self.limiter.update(load, syncs, now_ms, self.wait_ms_max());
        if self.limiter.admits(rank, load, undecided) {
            return Ok(());
        }
        Err(Problem::new(Code::Overloaded, "there is more to do than can be done in time"))
    }

    /// An answer to a request of this rank came that was waited for so long.
    pub(in crate::http) fn record_wait(&self, rank: Rank, wait: Wait) {
        self.limiter.record_wait(rank, wait);
    }

    /// Lines of batches wait while so much is under way.
    pub(in crate::http) fn holds_bulk(
        &self,
        load: Load,
        (undecided, syncs): (impl FnOnce() -> usize, impl FnOnce() -> Syncs),
        now_ms: u64,
    ) -> bool {
        self.limiter.update(load, syncs, now_ms, self.wait_ms_max());
        self.limiter.holds_bulk(load, undecided)
    }

    fn wait_ms_max(&self) -> u64 {
        self.rules.with(|_, rules| rules.wait_ms_max)
    }

    /// Requests that may be under way on this thread.
    pub(in crate::http) fn limit(&self) -> usize {
        self.limiter.limit()
    }
}

/// The name of a bucket's policy.
pub(super) const fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::PrincipalRate => "principal",
        Reason::UserRate => "user",
        _ => "address",
    }
}

/// Come again once there is something in the bucket, and not all at the same moment.
pub(super) fn rate_limited(reason: Reason, empty: Empty) -> Refused {
    let detail = match reason {
        Reason::PrincipalRate => "the token's principal asks too often",
        Reason::UserRate => "the user asks too often",
        _ => "the address asks too often",
    };
    let wait_ms = empty.wait_ns.div_ceil(1_000_000);
    let spread_ms = (wait_ms / 4).clamp(250, 5_000);
    Problem::new(Code::RateLimited, detail).retry_in(wait_ms + jitter(0..=spread_ms))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
