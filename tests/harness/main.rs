//! The real binary under kills, pauses, power cuts and clocks that are set, and the witness of the
//! simulator as the judge of it all.
//!
//! Clients buy over HTTP as the simulator's do, and note what they asked, when, and what they
//! heard. After some lives of one directory the witness holds all of it against the journal. The
//! suite runs a few cycles; so many, or for so long, with a table at the end:
//!
//!     HARNESS_CYCLES=200 cargo test --release --test harness whatever_befalls
//!     HARNESS_HOURS=8 cargo test --release --test harness whatever_befalls
//!
//! With `hostile_clients` in place of `whatever_befalls` others are beside them, that send what is
//! nearly valid, or no request at all, to servers with tiny tables and short memories.
//!
//! `SEED` repeats what is wanted and what befalls whom, not when: threads and processes are the
//! system's. Therefore a round that fails leaves its notes and journal, to be judged again:
//!
//!     HARNESS_JUDGE=FOLDER cargo test --test harness judged_again
//!
//! Power cuts and full disks need what `tests/power` needs, clocks `libfaketime`; what cannot be
//! done is told and left out, but not with `CI=true`. Start with `campaign`, then `round`, `lives`,
//! `buyers`, `hostile`, `judge`.

mod answers;
mod bodies;
mod buyers;
mod campaign;
mod distort;
mod doctored;
mod form;
mod framing;
mod hostile;
mod judge;
mod lives;
mod members;
mod notes;
mod round;
mod settings;
mod speak;
mod strict;
mod understand;
mod wall_clock;
mod wishes;

// These serve other tests first; not everything in them is needed here.

use crate::campaign::Campaign;
use crate::judge::{entries, judge};
use crate::notes::load;
use crate::round::{Kind, NOTES, Round};
use doorbuster_test_support::random::Random;
use doorbuster_test_support::target::Target;
use std::path::Path;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();

/// What clients heard is what the journal tells whatever befalls the server.
#[test]
fn clients_heard_what_the_journal_tells() {
    Campaign::new(TARGET.random().next(), Kind::Plain).run();
}

#[test]
fn what_hostile_clients_send_is_refused_or_done_as_it_reads() {
    Campaign::new(TARGET.random().next(), Kind::Hostile).run();
}

#[test]
fn a_history_that_was_kept_can_be_judged_again() {
    if let Some(folder) = std::env::var_os("HARNESS_JUDGE") {
        let folder = Path::new(&folder);
        let judged = judge(&load(&folder.join(NOTES)), entries(folder));
        let checked = judged.unwrap_or_else(|fault| panic!("{fault}"));
        eprintln!("{checked:?}");
        return;
    }
    let mut round = Round::new(Random::new(TARGET.random().next()), Kind::Plain, None);
    round.run(1);
    let first = round.judge().unwrap_or_else(|fault| panic!("{fault}"));
    let kept = TARGET.directory();
    round.keep(kept.path());
    let notes = load(&kept.path().join(NOTES));
    let again = judge(&notes, entries(kept.path())).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(first.answers > 0, "{first:?}");
    assert_eq!((first.records, first.answers), (again.records, again.answers));
}
