//! The real server killed before every single step that changes its directory, one after the other.
//!
//! For each thread that changes files a script makes it do all it does; the process dies before its
//! first step, then before its second, until a life comes through whole. After each death the next
//! start must give back every answer. It needs a build that can die on purpose:
//!
//!     cargo test --features failpoints --test kills
//!
//! Where it died is told, and must hold every kind of step that the script is there for. Next:
//! `lives`.

mod lives;

use crate::lives::{Life, Lives};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::target::Target;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

/// Sells until the journal has this segment, be it unused, or the server is gone.
fn fill_up_to(life: &mut Life<'_>, segment: u64) {
    while life.is_alive() && life.newest_segment() < segment {
        life.sell_many(50);
    }
}

/// A new directory is whole after a death before any step of its first start.
#[test]
fn a_new_directory_is_whole_after_a_death_before_any_step() {
    let mut lives = Lives::new("main").renewed();
    lives.until_one_is_whole(|life| life.sell_many(1));
    lives.died_before(&["create", "allocate", "write", "sync", "rename", "store"]);
}

#[test]
fn segments_are_prepared_with_a_death_before_any_step() {
    let mut lives = Lives::new("journal-preparer");
    lives.until_one_is_whole(|life| {
        let next = life.newest_segment() + 1;
        fill_up_to(life, next);
    });
    lives.died_before(&["create", "allocate", "write", "sync", "rename", "remove"]);
}

#[test]
fn the_writer_stores_and_syncs_with_a_death_before_any_step() {
    let mut lives = Lives::new("writer");
    lives.until_one_is_whole(|life| {
        for _ in 0..10 {
            life.sell_many(1);
        }
    });
    lives.died_before(&["store", "sync a mapping"]);
}

#[test]
fn snapshots_are_taken_and_pruned_with_a_death_before_any_step() {
    // A new directory each time: in one that grows, each snapshot would take more steps than the
    // last.
    let mut lives = Lives::new("snapshotter").renewed().with(&[
        ("SNAPSHOTS_BALLAST_BYTES", "65536"),
        // Every snapshot lets one go, and the segments before the one that is then the oldest.
        ("JOURNAL_RETAIN_MS", "1"),
    ]);
    lives.until_one_is_whole(|life| {
        // Each snapshot ends in another segment: the one before the unused one.
        for segment in 3..6 {
            fill_up_to(life, segment);
            life.ask(&Ask::new("POST", "/v1/admin/snapshot"));
        }
    });
    lives.died_before(&["create", "allocate", "write", "sync", "rename image"]);
    lives.died_before(&["remove image", "remove 0000"]);
}
