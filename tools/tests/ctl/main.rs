//! `doorbusterctl` as an operator runs it, on directories made here. Next: `writer`, `story`.
#![allow(missing_docs)]

mod again;
mod backups;
mod clusters;
mod draws;
mod dumping;
mod explaining;
mod forged;
#[cfg(feature = "failpoints")]
mod kills;
mod lookups;
mod mending;
mod mending_clusters;
mod outputs;
mod reading;
mod replaying;
mod restores;
mod run;
mod stand_in;
mod story;
mod tokens;
mod writer;
