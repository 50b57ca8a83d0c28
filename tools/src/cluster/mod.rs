//! `cluster …`: what an operator asks of a cluster and its register.
//!
//! Nodes change the register by their own rules; these commands do it where no node may: for the
//! first time, and where something is gone for good. Each says what it rests on, and refuses with
//! the remedy where that is not so.
//!
//! - `arbiter`: the settings, the register, and a change of it
//! - `asking`: how nodes are asked
//! - `nodes`: what the nodes say of themselves
//! - `init`, `status`: the register made once, and shown
//! - `handover`: another node writes, and nothing is lost
//! - `force`: a node writes that may lack something: `takeover` and `force`
//! - `restore`: the register made anew from what the nodes hold
//! - `forget`: a node that will not come back

mod arbiter;
pub(crate) mod asking;
mod force;
mod forget;
mod handover;
mod init;
mod nodes;
mod restore;
mod status;

pub(crate) use force::{force, takeover};
pub(crate) use forget::forget;
pub(crate) use handover::handover;
pub(crate) use init::init;
pub(crate) use restore::restore;
pub(crate) use status::status;
