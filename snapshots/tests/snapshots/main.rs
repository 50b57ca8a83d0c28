//! Snapshots as their users see them: write, lose power, fill the disk, damage, read, prune.

mod damage;
mod failures;
mod foreign;
mod golden;
mod kills;
mod newest;
mod power_loss;
mod pruning;
mod roundtrip;
mod streams;
mod support;
mod watched;
