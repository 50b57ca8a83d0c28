//! A node among others, as one object: told what happens, it says what is to be done.
//!
//! Owns the role machine, the connections, the directory while it follows, and the copies while it
//! writes. Without IO: time comes with each call, and all chance with the settings. Never decides
//! who may write (`cluster::role`) nor what a record means. A thread of the server and the simulator
//! drive the same code. In reading order:
//!
//! - `event`: what it is told, and what it says is to be done
//! - `settings`
//! - `machine`: this object, and what each action of the role machine becomes
//! - `link`: one connection
//! - `conversation`: which message is heard when
//! - `joining`: on a copy, from the dialled connection to the acknowledgement
//! - `serving`: on the writer, from a hello to the lease
//! - `register_calls`, `register`: reads and swaps, and what keeps a node from claiming
//! - `fitness`: clocks that are apart, takeovers that follow one another
//! - `shown`, `standing`: how the node stands

mod conversation;
mod event;
mod fitness;
mod joining;
mod link;
mod machine;
mod register;
mod register_calls;
mod serving;
mod settings;
mod shown;
mod standing;
#[cfg(test)]
mod tests;

pub use conversation::LINKS_PER_NODE;
pub use event::{DIALLED_LINKS, Input, LinkId, Output};
pub use link::UNSENT_BYTES_MAX;
pub use machine::{ClusterNode, NodeFailure};
pub use settings::NodeSettings;
