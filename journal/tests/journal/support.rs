//! Set-up that the tests of the journal share: small journals in memory, and reading them whole.

use doorbuster_journal::{
    Disk, Journal, JournalError, JournalId, MemoryDisk, Options, Origin, Refusal,
    SEGMENT_BYTES_MIN, Scan, SnapshotEnd, Spare, scan, scan_with,
};

pub(crate) const ID: JournalId = JournalId(*b"journal of tests");
pub(crate) const SMALL: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };

/// A journal of these records, each in a synced turn of its own.
pub(crate) fn journal_with(records: &[&str]) -> (MemoryDisk, Journal<MemoryDisk>) {
    created(ID, records)
}

/// As [`journal_with`], with an unused spare segment, closed.
pub(crate) fn journal_with_spare(records: &[&str]) -> MemoryDisk {
    let (disk, mut journal) = journal_with(records);
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    journal.close().unwrap();
    disk
}

/// The first segment of another journal of these records.
pub(crate) fn foreign_segment(records: &[&str]) -> Vec<u8> {
    created(JournalId([3; 16]), records).0.contents("00000001.segment").unwrap()
}

fn created(id: JournalId, records: &[&str]) -> (MemoryDisk, Journal<MemoryDisk>) {
    let disk = MemoryDisk::default();
    let mut journal = Journal::create(disk.clone(), SMALL, id).unwrap();
    records.iter().for_each(|record| append(&mut journal, 1, &[record]));
    (disk, journal)
}

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

/// Everything that a scan shows. Checks that the records are numbered without a gap.
pub(crate) fn read<D: Disk>(disk: &D) -> (Scan, Vec<Vec<u8>>) {
    try_read(disk).unwrap()
}

pub(crate) fn try_read<D: Disk>(disk: &D) -> Result<(Scan, Vec<Vec<u8>>), JournalError> {
    let mut content = Vec::new();
    let found = scan_with(disk, Origin::Genesis, &mut |frame| {
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

/// The refusal of a journal that must be refused.
pub(crate) fn refusal(disk: &MemoryDisk) -> Refusal {
    refusal_from(disk, Origin::Genesis)
}

/// The refusal of a scan from this origin.
pub(crate) fn refusal_from(disk: &MemoryDisk, origin: Origin) -> Refusal {
    match scan(disk, origin) {
        Err(JournalError::Refused(refusal)) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The end of a snapshot of everything up to the frame that holds `sequence`.
pub(crate) fn snapshot_at(disk: &MemoryDisk, sequence: u64) -> SnapshotEnd {
    let mut end = None;
    scan_with(disk, Origin::Genesis, &mut |frame| {
        let snapshot = frame.snapshot_end().filter(|snapshot| snapshot.sequence >= sequence);
        end = end.or(snapshot);
        Ok(())
    })
    .unwrap();
    end.unwrap()
}

/// The result of a scan from this origin, and the records that it shows.
pub(crate) fn read_from(disk: &MemoryDisk, origin: Origin) -> (Scan, Vec<(u64, Vec<u8>)>) {
    let mut content = Vec::new();
    let found = scan_with(disk, origin, &mut |frame| {
        content.extend(frame.records().map(|(sequence, record)| (sequence, record.to_vec())));
        Ok(())
    })
    .unwrap();
    (found, content)
}

/// Begins turns until the spare is ready.
pub(crate) fn wait_for_spare<D: Disk>(journal: &mut Journal<D>) {
    while journal.free_space().spare != Spare::Ready {
        std::thread::yield_now();
        journal.begin(1, 1);
    }
}

/// The same with an open frame: calls `finish` until it succeeds.
pub(crate) fn wait_for_spare_in_turn<D: Disk>(journal: &mut Journal<D>) {
    while let Err(JournalError::NoSpare) = journal.finish() {
        std::thread::yield_now();
    }
}

/// A copy of a disk on which one file has other bytes.
pub(crate) fn with_changed(
    disk: &MemoryDisk,
    name: &str,
    change: impl FnOnce(&mut Vec<u8>),
) -> MemoryDisk {
    let copy = disk.after_power_loss(|_, _| true);
    let mut bytes = copy.contents(name).unwrap();
    change(&mut bytes);
    copy.put(name, bytes);
    copy
}

/// A journal of this many segments, each record in a synced frame of its own.
pub(crate) fn journal_of_segments(segments: usize) -> (MemoryDisk, Vec<Vec<u8>>) {
    let (disk, mut journal) = journal_with(&[]);
    let mut turn = 0_u8;
    while scan(&disk, Origin::Genesis).unwrap().segments.len() < segments {
        turn += 1;
        append(&mut journal, 1, &[&char::from(b'a' + turn % 26).to_string().repeat(30_000)]);
    }
    let (_, content) = read(&disk);
    (disk, content)
}
