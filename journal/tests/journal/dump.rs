//! Dumping: every byte is shown as something, every valid frame is found, whatever the damage.

use doorbuster_journal::{
    Disk, DumpContent, Journal, JournalError, MemoryDisk, Origin, dump, scan,
};
use doorbuster_test_support::random::Random;

use crate::support::*;

const SECOND: &str = "00000002.segment";

/// The labels, the sequences of all records, and a check that pieces follow each other.
fn dumped(disk: &MemoryDisk) -> (Vec<&'static str>, Vec<u64>) {
    let (mut labels, mut sequences) = (Vec::new(), Vec::new());
    let mut ends: Vec<(String, u64)> = Vec::new();
    dump(disk, &mut |item| {
        match ends.last_mut() {
            Some((file, end)) if file == item.file => {
                assert_eq!(*end, item.offset, "{file}");
                *end += item.bytes;
            }
            _ => {
                assert_eq!(item.offset, 0);
                ends.push((item.file.to_owned(), item.bytes));
            }
        }
        if labels.last() != Some(&item.content.label()) {
            labels.push(item.content.label());
        }
        if let DumpContent::Frame { frame, .. } = &item.content {
            sequences.extend(frame.records().map(|(sequence, _)| sequence));
        }
        Ok(())
    })
    .unwrap();
    for (file, end) in &ends {
        let name = file.strip_prefix("memory:").unwrap();
        assert_eq!(*end, disk.contents(name).unwrap().len() as u64, "{file} is shown whole");
    }
    (labels, sequences)
}

#[test]
fn an_intact_journal_is_shown_whole_and_continuous() {
    let (disk, mut journal) = journal_with(&[]);
    while disk.names().unwrap().len() < 2 {
        append(&mut journal, 1, &["-".repeat(30_000).as_str()]);
    }
    journal.seal(1, 1, b"totals").unwrap();
    journal.start_allocator().unwrap();
    wait_for_spare(&mut journal);
    let (labels, sequences) = dumped(&disk);
    let expected = [
        "header",
        "records",
        "end mark",
        "zeros",
        "header",
        "records",
        "seal",
        "zeros",
        "header",
        "unused spare",
    ];
    assert_eq!(labels, expected);
    assert_eq!(sequences, (1..=journal.appended()).collect::<Vec<_>>());
    dump(&disk, &mut |item| {
        assert!(!matches!(item.content, DumpContent::Frame { continues: false, .. }));
        Ok(())
    })
    .unwrap();
}

#[test]
fn frames_behind_damage_are_found_and_marked() {
    let (disk, expected) = journal_of_segments(3);
    let damaged = with_changed(&disk, "00000001.segment", |bytes| {
        bytes[40_000] ^= 1;
        bytes[250_000..250_100].fill(0xEE);
    });
    let mut breaks = Vec::new();
    let mut gaps = Vec::new();
    dump(&damaged, &mut |item| {
        match &item.content {
            DumpContent::Frame { frame, continues: false } => breaks.push(frame.first_sequence()),
            DumpContent::Gap(_) => gaps.push((item.content.label(), item.offset)),
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(breaks, [3], "the second frame is lost");
    let frame_bytes = 56 + 4 + 30_000 + 4 + 8;
    assert_eq!(gaps[0], ("bad frame", 4096 + frame_bytes));
    assert!(gaps.contains(&("noise", 250_000)), "{gaps:?}");
    let (_, sequences) = dumped(&damaged);
    assert_eq!(sequences.len(), expected.len() - 1);
}

#[test]
fn a_bad_header_does_not_hide_the_frames_behind_it() {
    let (disk, expected) = journal_of_segments(3);
    let damaged = with_changed(&disk, SECOND, |bytes| bytes[..4096].fill(0xAA));
    let (labels, sequences) = dumped(&damaged);
    assert!(labels.contains(&"bad header"));
    assert_eq!(sequences.len(), expected.len());
}

#[test]
fn short_files_other_journals_and_strange_names_are_shown() {
    let (disk, _) = journal_of_segments(3);
    let whole = disk.contents(SECOND).unwrap();
    for bytes in [0, 1, 100, 4095, 4096, 4097, 5000, 100_001] {
        disk.put(SECOND, whole[..bytes].to_vec());
        dumped(&disk);
    }
    disk.put("2.segment", vec![7; 10_000]);
    disk.put("00000004.segment", foreign_segment(&["alien"]));
    let (_, sequences) = dumped(&disk);
    assert_eq!(sequences.last(), Some(&1), "read as what its own header says");
    disk.put("00000001.segment", vec![0; 50_000]);
    dumped(&disk);
}

#[test]
fn nothing_a_file_holds_fails_a_dump_or_invents_a_record() {
    let (disk, expected) = journal_of_segments(3);
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let name = format!("{:08}.segment", 1 + random.next() % 3);
        let damaged = with_changed(&disk, &name, |bytes| {
            let start = (random.next() % bytes.len() as u64) as usize;
            let end = bytes.len().min(start + 1 + (random.next() % 90_000) as usize);
            match random.next() % 3 {
                0 => bytes.truncate(start),
                1 => bytes[start..end].fill(0),
                _ => bytes[start..end].fill_with(|| random.next() as u8),
            }
        });
        dump(&damaged, &mut |item| {
            if let DumpContent::Frame { frame, .. } = &item.content {
                for (sequence, record) in frame.records() {
                    assert_eq!(record, expected[sequence as usize - 1], "seed {seed}");
                }
            }
            Ok(())
        })
        .unwrap();
        dumped(&damaged);
    }
}

/// What the device does not give is shown as unreadable and gone past.
#[test]
fn unreadable_pages_are_shown_and_skipped() {
    let (disk, expected) = journal_of_segments(3);
    disk.fail_reads("00000001.segment", 100_000..100_001).unwrap();
    let mut pieces = Vec::new();
    dump(&disk, &mut |item| {
        if item.content.label() == "unreadable" {
            pieces.push((item.offset, item.bytes));
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(pieces, [(98_304, 4096)]);
    assert_eq!(dumped(&disk).1.len(), expected.len() - 1);
    // Wherever a block happens to start.
    let disk = MemoryDisk::default();
    let options = doorbuster_journal::Options { segment_bytes: 4 << 20 };
    let mut journal = Journal::create(disk.clone(), options, ID).unwrap();
    (0..100).for_each(|_| append(&mut journal, 1, &["-".repeat(30_001).as_str()]));
    for at in (4096..3_000_000).step_by(99_991) {
        disk.fail_reads("00000001.segment", at..at + 1).unwrap();
        let (labels, sequences) = dumped(&disk);
        assert!(labels.contains(&"unreadable"), "byte {at}: {labels:?}");
        let lost = (1..=100).filter(|sequence| !sequences.contains(sequence)).count();
        assert!((1..=2).contains(&lost), "byte {at}: {lost} lost");
    }
    let (disk, expected) = journal_of_segments(3);
    disk.fail_reads(SECOND, 512..1024).unwrap();
    let (labels, sequences) = dumped(&disk);
    assert!(labels.contains(&"bad header"));
    assert_eq!(sequences.len(), expected.len());
    disk.fail_reads(SECOND, 0..u64::MAX).unwrap();
    let (labels, _) = dumped(&disk);
    assert!(labels.windows(2).any(|pair| pair == ["bad header", "unreadable"]), "{labels:?}");
}

#[test]
fn a_visitor_ends_a_dump() {
    let (disk, _) = journal_of_segments(2);
    let ended = dump(&disk, &mut |item| match item.offset {
        0 => Ok(()),
        _ => Err("enough".into()),
    });
    assert!(matches!(ended, Err(JournalError::Visitor { first_sequence: 1, .. })));
    assert!(scan(&disk, Origin::Genesis).is_ok());
}
