//! Several nodes with one history: who writes, in which epoch, and which copies count.
//!
//! All of that is one small value, the register, at an arbiter that changes it only by
//! compare-and-swap. Here are the value, the rules by which a node may change it and act upon it,
//! and etcd as the arbiter. Never ships a byte of the journal, reads no clock, and knows nothing of
//! the server: a caller tells events and does what the machine says. In reading order:
//!
//! - `node`: nodes by number and by name, and sets of them
//! - `register`: the value, and what may become of it
//! - `role`: the machine that decides what a node is and may do; the eleven rules
//! - `arbiter`: who keeps the register
//! - `etcd`: the register in etcd
//! - `node_file`: what a node knows of its cluster from one start to the next

pub mod arbiter;
pub mod etcd;
pub mod node;
pub mod node_file;
pub mod register;
pub mod role;
