//! What the tests of the journal share: a small journal in memory and reading it whole.

use doorbuster_journal::{
    Disk, ImageEnd, Journal, JournalError, JournalId, MemoryDisk, Options, Origin, Refusal,
    SEGMENT_BYTES_MIN, Scan, Spare, scan, scan_with,
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

/// The same for a scan that starts elsewhere.
pub(crate) fn refusal_from(disk: &MemoryDisk, origin: Origin) -> Refusal {
    match scan(disk, origin) {
        Err(JournalError::Refused(refusal)) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// What an image of everything up to the frame that holds `sequence` says of itself.
pub(crate) fn image_at(disk: &MemoryDisk, sequence: u64) -> ImageEnd {
    let mut end = None;
    scan_with(disk, Origin::Genesis, &mut |frame| {
        let image = frame.image_end().filter(|image| image.sequence >= sequence);
        end = end.or(image);
        Ok(())
    })
    .unwrap();
    end.unwrap()
}

/// Everything a scan from this origin shows: the first sequence and the records.
pub(crate) fn read_from(disk: &MemoryDisk, origin: Origin) -> (Scan, Vec<(u64, Vec<u8>)>) {
    let mut content = Vec::new();
    let found = scan_with(disk, origin, &mut |frame| {
        content.extend(frame.records().map(|(sequence, record)| (sequence, record.to_vec())));
        Ok(())
    })
    .unwrap();
    (found, content)
}

/// Takes turns until the spare is in hand.
pub(crate) fn wait_for_spare<D: Disk>(journal: &mut Journal<D>) {
    while journal.free_space().spare != Spare::Ready {
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

/// A generator of repeatable noise (SplitMix64).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}

/// A journal of so many segments, each record in a synced frame of its own.
pub(crate) fn journal_of_segments(segments: usize) -> (MemoryDisk, Vec<Vec<u8>>) {
    let disk = MemoryDisk::default();
    let mut journal = Journal::create(disk.clone(), SMALL, ID).unwrap();
    let mut turn = 0_u8;
    while scan(&disk, Origin::Genesis).unwrap().segments.len() < segments {
        turn += 1;
        append(&mut journal, 1, &[&char::from(b'a' + turn % 26).to_string().repeat(30_000)]);
    }
    let (_, content) = read(&disk);
    (disk, content)
}
