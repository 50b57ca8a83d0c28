//! Leaves that several parts hold in common.
//!
//! Read `clock` (the only reader of time), `instant` (time as text), `reloadable` (what a hang-up
//! replaces), `feed` and `snapshots` (what background threads are asked and tell), `standing` (what
//! a node is among others), `handover` (how another node is asked to write).

pub mod clock;
pub mod feed;
pub mod handover;
pub(crate) mod instant;
pub mod reloadable;
pub mod snapshots;
pub mod standing;
