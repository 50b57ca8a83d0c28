//! This node among the others: threads, sockets, TLS and the arbiter around `copies`.
//!
//! Owns what a node keeps between its starts, and what its start refuses. Never decides who writes or
//! what is settled: that is `cluster::role`; nor what is sent: that is `copies`. With
//! `replication.mode = off` there is none of it. In reading order:
//!
//! - `checks`: what a start looks at; `error`: what it says
//! - `register_watch`: what is known of the cluster, and kept
//! - `digests`: states of several nodes compared while they run
//! - `arbiter_calls`: one call at a time
//! - `peer_tls`, `link`, `links`: bytes to and from other nodes
//! - `event`: between the server and the thread
//! - `thread`: all of it
//! - `start`: how it begins

mod arbiter_calls;
mod checks;
mod digests;
mod error;
mod event;
mod link;
mod links;
mod peer_tls;
mod register_watch;
mod start;
mod thread;

pub use error::ClusterError;
pub(crate) use event::{ClusterEvent, Order};
pub use link::{READ_BYTES, UNWRITTEN_BYTES_MAX};
pub use links::PIECES_MAX;
pub(crate) use start::{ClusterParts, Prepared, prepare};
