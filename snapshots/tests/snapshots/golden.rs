//! Format 1 stays what it is: a snapshot made from `FORMAT.md` by another program reads, and is
//! what this one writes. A change here is a new format, see the end of that page.

use doorbuster_journal::{JournalId, MemoryDisk};
use doorbuster_snapshots::{Meta, snapshot_name};

use crate::support::{read, write};

const GOLDEN: &[u8] = include_bytes!("../golden/format-1.image");
const PAYLOAD: &[u8] = b"doorbuster golden image, format 1\n";

fn golden_meta() -> Meta {
    Meta {
        journal: JournalId(*b"golden journal 1"),
        sequence: 12_345,
        chain: 0x0102_0304,
        epoch: 7,
        stamp_ms: 1_700_000_000_123,
        digest: std::array::from_fn(|at| at as u8),
        totals: b"totals of the golden image".to_vec(),
        payload_bytes: PAYLOAD.len() as u64,
    }
}

#[test]
fn a_snapshot_of_format_1_reads_as_it_always_did() {
    let disk = MemoryDisk::default();
    disk.put(&snapshot_name(12_345), GOLDEN.to_vec());
    let (meta, payload) = read(&disk, &snapshot_name(12_345)).unwrap();
    assert_eq!((meta, &payload[..]), (golden_meta(), PAYLOAD));
}

#[test]
fn format_1_is_written_byte_by_byte_as_it_always_was() {
    let disk = MemoryDisk::default();
    write(&disk, golden_meta(), PAYLOAD).unwrap();
    assert!(disk.contents(&snapshot_name(12_345)).unwrap() == GOLDEN);
}
