//! Images as their users see them: write, damage, read.

mod damage;
mod foreign;
mod golden;
mod newest;
mod roundtrip;
mod support;
