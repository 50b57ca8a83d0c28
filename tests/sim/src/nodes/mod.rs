//! Several nodes with one history: the real node, follower and writer of each, over disks, clocks, a
//! network and an arbiter that one seed decides.
//!
//! What runs is what is shipped: roles, messages between nodes, following, cutting, beginning anew,
//! takeover, writer, feed, snapshots. Only threads, sockets and etcd are not there. In reading
//! order:
//!
//! - `plan`: what a seed decides
//! - `world`: time, and the order in which everything happens
//! - `machine`: a disk, a clock, and the process that runs there
//! - `beside`: the snapshots of a node that follows
//! - `process`: what a node says, done; its death and its start
//! - `writing`: the turns of the node that writes
//! - `snapshots`: of all nodes, and their digests compared
//! - `wire`, `network`: connections that delay, part and break
//! - `arbiter`, `calls`: the register, and calls that are lost, late or never heard
//! - `clients`, `asking`: who speaks to any of the nodes
//! - `faults`: what befalls them
//! - `truth`, `judging`: what is settled, held against every disk that counts
//! - `conclusion`: the end of a run
//! - `run`: one run, from its seed to its report

mod arbiter;
mod asking;
mod beside;
mod calls;
mod clients;
mod conclusion;
mod faults;
mod judging;
mod machine;
mod network;
mod plan;
mod process;
mod run;
mod snapshots;
mod truth;
mod wire;
mod world;
mod writing;

pub use run::run;
