//! The journal as its users see it: append, lose power, damage, scan, resume.

mod append_and_scan;
mod beginning;
mod copied_power;
mod copying;
mod cuts;
mod damage;
mod dump;
mod epochs;
mod failing;
mod foreign;
mod from_snapshot;
mod full_disk;
mod kills;
mod mortal;
mod pair;
mod power_loss;
mod prefix;
mod prune;
mod repair;
mod scrub;
mod support;
mod two_segments;
