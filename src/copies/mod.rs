//! Copies of the journal on other nodes: how frames come from the writer to them, byte for byte.
//!
//! Owns what nodes say to one another and everything that follows from it on either side: comparing
//! histories, beginning anew, storing, acknowledging, the lease, taking over, handing over. Without
//! IO: no socket, thread, clock or chance is in here; a caller tells what happens and does what is
//! said. Who writes is `cluster::role`'s. In reading order:
//!
//! - `wire`: messages, and their bytes
//! - `hello`: who a node is, and whether two fit
//! - `sender`: one copy, on the writer: from files to messages
//! - `replica`: what a copy needs of its data directory
//! - `followed`: a server's data directory as one
//! - `receiver`: on the copy: messages to a directory, one sync for all that came
//! - `node`: all of it, as the one object that a thread or a simulation drives

mod followed;
pub mod hello;
pub mod node;
mod receiver;
pub mod replica;
mod sender;
pub mod wire;
