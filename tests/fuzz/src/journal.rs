//! Any journal directory: what a scan shows is a prefix of what was written, byte for byte; what
//! was synced survives a loss of power; nothing on the disk vouches for more than is kept; and a
//! journal that can go on does. Next: `damage`, `repair`.

use crate::bytes::Bytes;
use crate::damage::{Damaged, SMALL, files};
use doorbuster_journal::{
    DumpContent, Journal, JournalError, MemoryDisk, Origin, Scan, Scrubbed, SeekResult, Tail, dump,
    plan_repair, scan_with, verify_segment,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Everything that a scan shows.
pub(crate) fn read(disk: &MemoryDisk) -> (Result<Scan, JournalError>, Vec<Vec<u8>>) {
    let mut shown = Vec::new();
    let scan = scan_with(disk, Origin::Genesis, &mut |frame| {
        for (sequence, record) in frame.records() {
            shown.push(record.to_vec());
            assert_eq!(sequence, shown.len() as u64, "sequences follow each other");
        }
        Ok(())
    });
    (scan, shown)
}

/// Never anything that was not written, nor out of its order.
pub(crate) fn check_prefix(shown: &[Vec<u8>], damaged: &Damaged) {
    if !damaged.forged {
        assert!(damaged.written.starts_with(shown), "what is shown is what was written");
    }
}

pub(crate) fn scan(input: &[u8]) {
    let damaged = Damaged::of(&mut Bytes::new(input));
    let disk = &damaged.disk;
    let before = files(disk);
    let (scan, shown) = read(disk);
    check_prefix(&shown, &damaged);
    check_dump(&damaged, scan.as_ref().ok());
    check_scrub(disk);
    assert_eq!(before, files(disk), "reading changes nothing");
    let planned = plan_repair(disk, None);
    match scan {
        Ok(scan) => {
            assert_eq!(scan.last_sequence, shown.len() as u64);
            assert!(scan.vouched <= scan.last_sequence);
            assert!(scan.end.is_resumable());
            assert!(planned.expect("it was read before").is_none(), "nothing is to be mended");
            if damaged.only_power {
                assert!(damaged.synced <= scan.last_sequence, "what was synced is there");
            }
            check_tail(disk, &scan, &shown);
            check_going_on(disk, scan, &shown);
        }
        Err(error) => {
            assert!(!damaged.only_power, "a loss of power alone is survived: {error}");
            match planned {
                Ok(plan) => assert!(plan.is_some(), "what is refused has a plan"),
                Err(error) => drop(error.to_string()),
            }
        }
    }
}

/// Pieces of a file follow each other from its first byte to its last, and no whole frame vouches
/// for more than a journal that can go on still has.
fn check_dump(damaged: &Damaged, scan: Option<&Scan>) {
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    dump(&damaged.disk, &mut |item| {
        let end = ends.entry(item.file.to_owned()).or_default();
        assert_eq!(*end, item.offset, "pieces follow each other");
        *end += item.bytes;
        let DumpContent::Frame { frame, .. } = &item.content else { return Ok(()) };
        if !damaged.forged {
            for (sequence, record) in frame.records() {
                let written = damaged.written.get(sequence as usize - 1);
                assert_eq!(
                    written.map(Vec::as_slice),
                    Some(record),
                    "a whole frame is one of ours"
                );
            }
            let kept = scan.map_or(u64::MAX, |scan| scan.last_sequence);
            assert!(frame.watermark() <= kept, "{} is vouched for and gone", frame.watermark());
        }
        Ok(())
    })
    .expect("a dump fails on no content");
    for (file, content) in files(&damaged.disk) {
        let end = ends.get(&format!("memory:{file}")).copied().unwrap_or_default();
        assert_eq!(end, content.len() as u64, "every byte of {file} is in a piece");
    }
}

/// A closed segment is intact or damaged; no content is an error.
fn check_scrub(disk: &MemoryDisk) {
    let mut link = None;
    for number in 1..=3 {
        let scrubbed = verify_segment(disk, number, link, &mut |_| true);
        link = match scrubbed {
            Ok(Scrubbed::Intact { link, .. }) => Some(link),
            Ok(_) | Err(JournalError::Io { .. }) => None,
            Err(error) => panic!("content is no error: {error}"),
        };
    }
}

/// A follower is shown the same.
fn check_tail(disk: &MemoryDisk, scan: &Scan, shown: &[Vec<u8>]) {
    if shown.is_empty() {
        return;
    }
    let SeekResult::Tail(mut tail) = Tail::seek(disk, 1).expect("it was scanned") else {
        panic!("the first sequence is there");
    };
    let mut told = Vec::new();
    let read = tail.read(disk, scan.last_sequence, &mut |frame| {
        told.extend(frame.records().map(|(_, record)| record.to_vec()));
        ControlFlow::Continue(())
    });
    read.expect("it was scanned");
    assert!(told == shown, "a follower is shown what a start is");
}

/// A start goes on behind what is there, and the next finds both.
pub(crate) fn check_going_on(disk: &MemoryDisk, scan: Scan, shown: &[Vec<u8>]) {
    if scan.id.is_none() {
        // No segment is left: to whoever reads, nothing was ever written.
        assert!(shown.is_empty());
        return;
    }
    let epoch = scan.last_epoch + 1;
    let stamp_ms = scan.last_stamp_ms;
    let disk = disk.after_power_loss(|_, _| true);
    let mut journal = match Journal::resume(disk.clone(), SMALL, scan) {
        Ok(journal) => journal,
        // A sector that cannot be read, met when pages are stored again.
        Err(JournalError::Io { .. }) => return,
        Err(error) => panic!("what is resumable is resumed: {error}"),
    };
    journal.begin(epoch, stamp_ms);
    journal.push(|frame| frame.extend_from_slice(b"what comes next")).expect("there is room");
    journal.finish().expect("there is room");
    assert_eq!(journal.sync().expect("memory syncs"), shown.len() as u64 + 1);
    journal.close().expect("no allocator was started");
    let (scan, again) = read(&disk.after_power_loss(|_, _| false));
    scan.expect("what was synced is read");
    assert!(
        again
            .split_last()
            .is_some_and(|(next, before)| { before == shown && next == b"what comes next" })
    );
}
