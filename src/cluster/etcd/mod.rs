//! The register in etcd, by the JSON gateway of its version 3.
//!
//! Never uses a lease, a lock or a watch of etcd: what the register rests on
//! is compare-and-swap alone. In reading order:
//!
//! - `endpoints`: where etcd is, from the setting
//! - `gateway`: one call to one endpoint
//! - `stored`: the register as JSON
//! - `keeper`: reading and changing it
//! - `health`: what an operator asks of etcd itself

mod endpoints;
mod gateway;
mod health;
mod keeper;
mod stored;

pub use endpoints::{BadEndpoints, Credentials, Endpoints};
pub use health::{EndpointHealth, EtcdHealth};
pub use keeper::Etcd;
