//! Damage to what is stored: found, named, and never read as something else.

use doorbuster_journal::MemoryDisk;
use doorbuster_snapshots::{
    BLOCK_BYTES_MAX, BLOCK_PAYLOAD_BYTES_MAX, Damage, SnapshotError, SnapshotReader, SnapshotState,
    list, snapshot_name, verify,
};
use proptest::prelude::*;

use crate::support::*;

/// What `verify` says of these bytes under the name of this snapshot.
fn refusal(sequence: u64, bytes: Vec<u8>, what: &str) -> (u64, Damage) {
    let disk = MemoryDisk::default();
    disk.put(&snapshot_name(sequence), bytes);
    match verify(&disk, &snapshot_name(sequence)) {
        Err(SnapshotError::Damaged { file, offset, damage }) => {
            assert_eq!(file, format!("memory:{}", snapshot_name(sequence)));
            (offset, damage)
        }
        other => panic!("{what}: {other:?}"),
    }
}

fn small_snapshot() -> Vec<u8> {
    let (disk, name) = disk_with(7, b"a state of few orders");
    disk.contents(&name).unwrap()
}

/// Three blocks, the last of 1,000 bytes.
fn snapshot_of_blocks() -> Vec<u8> {
    let (disk, name) = disk_with(7, &noise(2 * BLOCK_PAYLOAD_BYTES_MAX + 1000));
    disk.contents(&name).unwrap()
}

#[test]
fn every_flipped_bit_of_a_small_snapshot_is_refused_as_damage() {
    let snapshot = small_snapshot();
    for bit in 0..snapshot.len() * 8 {
        let mut damaged = snapshot.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (_, damage) = refusal(7, damaged, &format!("bit {bit}"));
        let expected = match bit / 8 {
            0..HEADER_BYTES => Damage::Header,
            at if at >= snapshot.len() - TRAILER_BYTES => Damage::Trailer,
            at if at < HEADER_BYTES + 4 => {
                assert!(matches!(damage, Damage::BlockLength { .. }), "bit {bit}: {damage:?}");
                continue;
            }
            _ => Damage::BlockChecksum,
        };
        assert_eq!(damage, expected, "bit {bit}");
    }
}

#[test]
fn every_truncation_of_a_small_snapshot_is_refused() {
    let snapshot = small_snapshot();
    for bytes in 0..snapshot.len() {
        let (_, damage) = refusal(7, snapshot[..bytes].to_vec(), &format!("cut to {bytes} bytes"));
        assert!(matches!(damage, Damage::Length { .. }), "cut to {bytes} bytes: {damage:?}");
    }
}

#[test]
fn a_snapshot_cut_at_or_near_the_bounds_of_its_parts_is_refused() {
    let snapshot = snapshot_of_blocks();
    let second = HEADER_BYTES + BLOCK_BYTES_MAX;
    for bound in [second, second + BLOCK_BYTES_MAX, snapshot.len() - TRAILER_BYTES, snapshot.len()]
    {
        for bytes in [bound - 1, bound, bound + 1] {
            if bytes < snapshot.len() {
                refusal(7, snapshot[..bytes].to_vec(), &format!("cut to {bytes} bytes"));
            }
        }
    }
}

#[test]
fn a_file_of_no_bytes_is_refused() {
    let (offset, damage) = refusal(7, Vec::new(), "empty");
    assert_eq!((offset, damage), (0, Damage::Length { found: 0, expected: 4160 }));
}

#[test]
fn a_file_of_zeros_is_refused() {
    assert_eq!(refusal(7, vec![0; 10_000], "zeros"), (0, Damage::Header));
}

#[test]
fn anything_behind_the_end_is_refused() {
    let snapshot = small_snapshot();
    for garbage in [vec![0], vec![1; 64], noise(BLOCK_BYTES_MAX), snapshot.clone()] {
        let longer = [snapshot.clone(), garbage].concat();
        let (found, expected) = (longer.len() as u64, snapshot.len() as u64);
        assert_eq!(refusal(7, longer, "longer"), (expected, Damage::Length { found, expected }));
    }
}

#[test]
fn damage_in_any_block_is_found_where_it_is() {
    let snapshot = snapshot_of_blocks();
    for at in (HEADER_BYTES..snapshot.len() - TRAILER_BYTES).step_by(200_003) {
        let mut damaged = snapshot.clone();
        damaged[at] ^= 0x10;
        let (offset, damage) = refusal(7, damaged, &format!("byte {at}"));
        let block = (at - HEADER_BYTES) / BLOCK_BYTES_MAX;
        assert_eq!(offset, (HEADER_BYTES + block * BLOCK_BYTES_MAX) as u64, "byte {at}");
        let length = (at - HEADER_BYTES) % BLOCK_BYTES_MAX < 4;
        assert_eq!(matches!(damage, Damage::BlockLength { .. }), length, "byte {at}");
    }
}

#[test]
fn a_zeroed_sector_is_found_wherever_it_is() {
    let snapshot = small_snapshot();
    for sector in 0..snapshot.len() / 512 {
        let mut damaged = snapshot.clone();
        let bytes = &mut damaged[sector * 512..(sector + 1) * 512];
        if bytes.iter().any(|&byte| byte != 0) {
            bytes.fill(0);
            refusal(7, damaged, &format!("sector {sector}"));
        }
    }
}

#[test]
fn a_block_is_refused_in_any_other_place() {
    let mut snapshot = snapshot_of_blocks();
    let blocks = &mut snapshot[HEADER_BYTES..HEADER_BYTES + 2 * BLOCK_BYTES_MAX];
    let (first, second) = blocks.split_at_mut(BLOCK_BYTES_MAX);
    first.swap_with_slice(second);
    assert_eq!(refusal(7, snapshot, "swapped"), (HEADER_BYTES as u64, Damage::BlockChecksum));
}

#[test]
fn a_block_or_trailer_of_another_snapshot_is_refused() {
    let snapshot = small_snapshot();
    let (disk, name) = disk_with(8, b"a state of few orders");
    let other = disk.contents(&name).unwrap();
    let trailer_at = snapshot.len() - TRAILER_BYTES;
    let block =
        [&snapshot[..HEADER_BYTES], &other[HEADER_BYTES..trailer_at], &snapshot[trailer_at..]];
    assert_eq!(refusal(7, block.concat(), "block"), (4096, Damage::BlockChecksum));
    let trailer = [&snapshot[..trailer_at], &other[trailer_at..]];
    assert_eq!(refusal(7, trailer.concat(), "trailer"), (trailer_at as u64, Damage::Trailer));
    // A header of the same sequence, but of another state.
    let mut header = snapshot.clone();
    header[64] ^= 1;
    seal_header(&mut header);
    assert_eq!(refusal(7, header, "header"), (trailer_at as u64, Damage::Trailer));
}

#[test]
fn a_snapshot_under_another_name_is_refused() {
    let snapshot = small_snapshot();
    assert_eq!(refusal(8, snapshot.clone(), "renamed"), (0, Damage::Sequence { sequence: 7 }));
    let disk = MemoryDisk::default();
    disk.put("image-7.image", snapshot);
    let error = verify(&disk, "image-7.image").unwrap_err();
    assert!(matches!(error, SnapshotError::Damaged { damage: Damage::Name, .. }), "{error}");
}

#[test]
fn a_payload_whose_blocks_all_pass_is_still_held_to_its_hash() {
    // What no rot does: a block changed together with its checksum.
    let mut snapshot = small_snapshot();
    snapshot[HEADER_BYTES + BLOCK_PREFIX_BYTES] ^= 1;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&ID.0);
    hasher.update(&7_u64.to_le_bytes());
    hasher.update(&0_u64.to_le_bytes());
    hasher.update(&snapshot[HEADER_BYTES..HEADER_BYTES + 4]);
    hasher.update(&snapshot[HEADER_BYTES + BLOCK_PREFIX_BYTES..snapshot.len() - TRAILER_BYTES]);
    let crc = hasher.finalize().to_le_bytes();
    snapshot[HEADER_BYTES + 4..HEADER_BYTES + 8].copy_from_slice(&crc);
    let trailer_at = (snapshot.len() - TRAILER_BYTES) as u64;
    assert_eq!(refusal(7, snapshot, "changed"), (trailer_at, Damage::PayloadHash));
}

#[test]
fn a_header_that_claims_a_huge_payload_costs_no_memory() {
    for payload_bytes in [22, 1 << 40, (1 << 40) + 1, u64::MAX] {
        let mut snapshot = small_snapshot();
        snapshot[40..48].copy_from_slice(&u64::to_le_bytes(payload_bytes));
        seal_header(&mut snapshot);
        let (_, damage) = refusal(7, snapshot, &format!("{payload_bytes} bytes"));
        assert!(matches!(damage, Damage::Length { .. } | Damage::HeaderField), "{damage:?}");
    }
}

#[test]
fn a_reader_that_met_damage_hands_out_nothing_more() {
    let disk = MemoryDisk::default();
    let mut snapshot = snapshot_of_blocks();
    snapshot[HEADER_BYTES + BLOCK_BYTES_MAX + 100] ^= 1;
    disk.put(&snapshot_name(7), snapshot);
    let mut reader = SnapshotReader::open(&disk, &snapshot_name(7)).unwrap();
    assert!(reader.next_block().unwrap().is_some());
    assert!(matches!(reader.next_block(), Err(SnapshotError::Damaged { .. })));
    assert!(matches!(reader.next_block(), Err(SnapshotError::Ended { .. })));
    let mut rest = Vec::new();
    assert!(std::io::Read::read_to_end(&mut reader, &mut rest).is_err() && rest.is_empty());
    assert!(matches!(reader.finish(), Err(SnapshotError::Ended { .. })));
}

#[test]
fn a_listing_says_of_each_snapshot_why_it_is_broken() {
    let disk = MemoryDisk::default();
    for sequence in 1..=4 {
        add(&disk, sequence, b"payload");
    }
    change(&disk, 2, |snapshot| snapshot[0] ^= 1);
    change(&disk, 3, Vec::clear);
    change(&disk, 4, |snapshot| *snapshot.last_mut().unwrap() ^= 1);
    let says: Vec<String> = list(&disk, ID)
        .unwrap()
        .iter()
        .map(|snapshot| match &snapshot.state {
            SnapshotState::Broken(why) => why.to_string(),
            state => format!("{state:?}").split('(').next().unwrap().to_owned(),
        })
        .collect();
    let file =
        |sequence| format!("snapshot: memory:{} is damaged at byte", snapshot_name(sequence));
    assert_eq!(
        says,
        [
            format!("{} 4111: the trailer is not whole", file(4)),
            format!("{} 0: the file has 0 bytes, not 4160", file(3)),
            format!("{} 0: the header is not whole", file(2)),
            "Valid".to_owned(),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_content_of_a_file_makes_a_reader_panic_or_pass(
        tail in proptest::collection::vec(any::<u8>(), 0..9000),
        header in any::<bool>(),
        payload_bytes in prop_oneof![0..9000_u64, any::<u64>()],
    ) {
        let mut snapshot = small_snapshot();
        snapshot.truncate(HEADER_BYTES);
        snapshot[40..48].copy_from_slice(&payload_bytes.to_le_bytes());
        seal_header(&mut snapshot);
        let bytes = if header { [snapshot, tail].concat() } else { tail };
        let disk = MemoryDisk::default();
        disk.put(&snapshot_name(7), bytes);
        prop_assert!(read(&disk, &snapshot_name(7)).is_err());
        prop_assert!(!matches!(list(&disk, ID).unwrap()[0].state, SnapshotState::Valid(_)));
    }
}
