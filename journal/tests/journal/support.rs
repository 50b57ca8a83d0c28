//! What the tests of the journal share: a small journal in memory and reading it whole.

use doorbuster_journal::{
    Disk, Journal, JournalError, JournalId, Options, SEGMENT_BYTES_MIN, Scan, Spare, scan_with,
};

pub(crate) const ID: JournalId = JournalId(*b"journal of tests");
pub(crate) const SMALL: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };

/// One synced turn.
pub(crate) fn append<D: Disk>(journal: &mut Journal<D>, epoch: u32, records: &[&str]) {
    append_unsynced(journal, epoch, records);
    journal.sync().unwrap();
}

/// One turn that is not synced.
pub(crate) fn append_unsynced<D: Disk>(journal: &mut Journal<D>, epoch: u32, records: &[&str]) {
    journal.begin(epoch, u64::from(epoch) * 1000);
    for record in records {
        journal.push(|frame| frame.extend_from_slice(record.as_bytes())).unwrap();
    }
    journal.finish().unwrap();
}

/// Everything a scan shows, the records checked to be numbered without a gap.
pub(crate) fn read<D: Disk>(disk: &D) -> (Scan, Vec<Vec<u8>>) {
    try_read(disk).unwrap()
}

pub(crate) fn try_read<D: Disk>(disk: &D) -> Result<(Scan, Vec<Vec<u8>>), JournalError> {
    let mut content = Vec::new();
    let found = scan_with(disk, 0, &mut |frame| {
        assert_eq!(frame.first_sequence(), content.len() as u64 + 1);
        for (sequence, record) in frame.records() {
            content.push(record.to_vec());
            assert_eq!(sequence, content.len() as u64);
        }
        Ok(())
    })?;
    assert_eq!(found.last_sequence, content.len() as u64);
    Ok((found, content))
}

/// Takes turns until the spare is in hand.
pub(crate) fn wait_for_spare<D: Disk>(journal: &mut Journal<D>) {
    while journal.room().spare != Spare::Ready {
        std::thread::yield_now();
        journal.begin(1, 1);
    }
}

/// The same with a frame open: finishing is tried until it succeeds.
pub(crate) fn wait_for_spare_in_turn<D: Disk>(journal: &mut Journal<D>) {
    while let Err(JournalError::NoSpare) = journal.finish() {
        std::thread::yield_now();
    }
}
