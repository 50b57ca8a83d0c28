//! Who is let in while there are more than can be served, in the order of API 1: addresses,
//! connections, token buckets, the limit on what is under way.
//!
//! A refusal here changes nothing: what was charged before it is given back. Nothing here knows
//! what a request is about but its user and its rank. Read `permit` (where admission meets a
//! request), `control` (the order, what IO threads share and what each has of its own), `addresses`
//! (lists, proxies), `connections_per_address`, `toll` (what an address is charged at the head),
//! `rate_limit` (the table of buckets and its arithmetic), `rates` (how they stand, as headers),
//! `concurrency_limit` (how much may be in flight), `reason` (what is counted).

mod addresses;
mod concurrency_limit;
mod connections_per_address;
mod control;
mod permit;
mod rate_limit;
mod rates;
mod reason;
mod toll;

pub use addresses::{Addresses, BadNetworks, NETWORKS_MAX, Networks};
pub(super) use connections_per_address::ConnectionPermit;
pub(super) use control::{AdmissionControl, Requester, user};
pub use control::{Cells, PerAddress, Rules, SharedAdmission};
pub(super) use permit::{Admitted, ConnectionPlace};
pub use rate_limit::Quota;
pub(super) use rate_limit::Share;
pub(super) use rates::Rates;
pub(super) use reason::{REASONS, Reason};
pub(super) use toll::Toll;
