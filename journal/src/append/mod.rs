//! The writer's side: frames stored and synced, segments changed.
//!
//! In reading order:
//!
//! - `journal`: the open frame, the open segment, the sync; the hot path
//! - `copy`: a frame that another journal made, stored as it is
//! - `spares`: the next segment as the writer sees it
//! - `segment_allocator`: the thread that makes it
//! - `prepare`: how a segment is made
//! - `begin_at`: how the copy of a journal begins after a snapshot
//! - `resume`: how a journal that a scan has read is opened for appending

pub(crate) mod begin_at;
mod copy;
pub(crate) mod journal;
mod prepare;
mod resume;
pub(crate) mod segment_allocator;
pub(crate) mod spares;
