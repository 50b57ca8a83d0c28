//! What an operator needs on a bad day: everything shown, a repair planned, a plan carried out.
//!
//! In reading order:
//!
//! - `dump`: every byte of every segment, shown
//! - `survey`: a file with a segment's name, read without expecting anything of it
//! - `frame_search`: frames found again after damage
//! - `plan`: what a repair would do and what it would lose
//! - `loss`: what it would lose, described
//! - `new_segment`: a segment as it will be made, described
//! - `salvage`: what damaged segments still hold
//! - `relocate`: frames given new places in new segments
//! - `execute`: a plan carried out
//! - `cut`: a tail that was never answered, taken away
//! - `set_aside`: the copies of what a cut takes away

pub(crate) mod cut;
pub(crate) mod dump;
pub(crate) mod execute;
pub(crate) mod frame_search;
pub(crate) mod loss;
pub(crate) mod new_segment;
pub(crate) mod plan;
pub(crate) mod relocate;
pub(crate) mod salvage;
mod set_aside;
mod survey;
