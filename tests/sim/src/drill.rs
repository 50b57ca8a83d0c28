//! Small fixed cases that chance would take too long to bring about.
//!
//! Owns each case whole: what is laid out, what the server's own code makes of it, what it should.
//! Never depends on a seed. Next: `main`.

use crate::disk::SimDisk;
use crate::trace::Trace;
use doorbuster_journal::{
    Disk, DiskFile, Journal, JournalId, Options, Origin, SEGMENT_BYTES_MIN, scan,
};
use doorbuster_test_support::random::Random;
use std::sync::Arc;

/// Runs all of them.
///
/// # Errors
/// The rule that does not hold.
pub fn all() -> Result<(), &'static str> {
    match two_histories_in_one_directory_are_refused() {
        true => Ok(()),
        false => Err("drill: segments of two histories are not taken for one"),
    }
}

/// A journal of two segments; what its first segment ends with is `last`.
fn journal(last: u8) -> SimDisk {
    let disk = SimDisk::new(Random::new(1), Arc::new(Trace::new(false)), true);
    let options = Options { segment_bytes: SEGMENT_BYTES_MIN };
    let journal = Journal::create(disk.within("journal"), options, JournalId([7; 16]));
    let mut journal = journal.expect("the disk works");
    for number in 0..12_u8 {
        let byte = if number == 6 { last } else { number };
        journal.begin(1, 1_000);
        let pushed = journal.push(|frame| frame.extend_from_slice(&vec![byte; 30_000]));
        pushed.and_then(|_| journal.finish()).expect("there is room");
        journal.sync().expect("the disk works");
    }
    assert_eq!(journal.segments(), 2, "the second segment was begun");
    journal.close().expect("no thread was started");
    disk
}

/// One file of a backup, put beside newer ones: the numbers fit, the contents do not. Only the
/// chain of checksums tells.
fn two_histories_in_one_directory_are_refused() -> bool {
    let (one, other) = (journal(1), journal(2));
    let name = "00000002.segment";
    let bytes = |disk: &SimDisk| {
        let file = disk.within("journal").open(name, doorbuster_journal::Access::Read);
        let file = file.expect("it is there");
        let mut bytes = vec![0; SEGMENT_BYTES_MIN as usize];
        file.read_exact_at(&mut bytes, 0).expect("it can be read");
        bytes
    };
    assert!(scan(&one.within("journal"), Origin::Genesis).is_ok());
    let foreign = bytes(&other);
    let file = one.within("journal").open(name, doorbuster_journal::Access::ReadAndWrite);
    file.expect("it is there").write_all_at(&foreign, 0).expect("the disk works");
    scan(&one.within("journal"), Origin::Genesis).is_err()
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_drills_pass() {
        assert_eq!(super::all(), Ok(()));
    }
}
