//! A directory that follows: what a writer's journal and a copy of it have in common at every step.
//!
//! Owns two or three directories in one process, on disks in memory: the real writer on one, a
//! follower on the others, and the frames between them, which a test carries by hand. No sockets
//! and no threads, so that each case can be repeated. Next: `shop`, `shipping`, then the cases.

mod beginning;
mod cutting;
mod data;
mod growing;
mod shipping;
mod shop;
mod snapshots;
mod takeover;
