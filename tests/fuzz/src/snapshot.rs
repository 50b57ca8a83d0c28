//! Any snapshot, and any encoding of a state inside one: what is accepted is what was written, a
//! damaged snapshot is passed over for the older one, and a state that is read comes back the same.
//! Whether its rows add up is the digest's affair: a snapshot whose digest is right was written by
//! us. Next: `record`.

use crate::bytes::Bytes;
use doorbuster::codec::{StateReader, digest, encode_state};
use doorbuster::domain::state::tables::State;
use doorbuster_journal::{JournalId, MemoryDisk};
use doorbuster_snapshots::{
    LoadError, Meta, SnapshotError, SnapshotReader, SnapshotWriter, list, newest_valid, no_pause,
    snapshot_name, verify,
};

/// A real snapshot: that of the golden directory.
const GOLDEN: &[u8] =
    include_bytes!("../../golden/format-1/snapshots/image-00000000000000000246.image");
const ID: JournalId = JournalId(*b"golden directory");
const GOLDEN_SEQUENCE: u64 = 246;
const NEWER_SEQUENCE: u64 = 300;
/// Tables reserve room for their caps; more than this many entries is for servers.
const CAPS_MAX: u32 = 100_000;
const DAMAGES_MAX: usize = 4;

/// The whole payload of a snapshot.
pub(crate) fn payload(disk: &MemoryDisk, name: &str) -> Result<Vec<u8>, SnapshotError> {
    let mut reader = SnapshotReader::open(disk, name)?;
    let mut payload = Vec::new();
    while let Some(block) = reader.next_block()? {
        payload.extend_from_slice(block);
    }
    reader.finish().map(|_| payload)
}

/// A disk with the golden snapshot, and a newer one of `blocks` copies of the same payload.
fn two_snapshots(copies: usize) -> (MemoryDisk, Vec<u8>) {
    let disk = MemoryDisk::default();
    disk.put(&snapshot_name(GOLDEN_SEQUENCE), GOLDEN.to_vec());
    let golden = payload(&disk, &snapshot_name(GOLDEN_SEQUENCE)).expect("it is whole");
    let content = golden.repeat(copies);
    let meta = Meta {
        journal: ID,
        sequence: NEWER_SEQUENCE,
        chain: 7,
        epoch: 2,
        stamp_ms: 1_000,
        payload_bytes: content.len() as u64,
        digest: [9; 32],
        totals: b"any".to_vec(),
    };
    let mut writer = SnapshotWriter::begin(&disk, meta, no_pause).expect("memory has room");
    content.chunks(5_000).for_each(|piece| writer.append(piece).expect("memory has room"));
    writer.finish().expect("it reads back");
    (disk, content)
}

pub(crate) fn load(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let (disk, content) = two_snapshots(usize::from(bytes.byte()) % 3 * 60);
    let name = snapshot_name(NEWER_SEQUENCE);
    let whole = disk.contents(&name).expect("it was written");
    let mut snapshot = whole.clone();
    for _ in 0..DAMAGES_MAX {
        if bytes.is_empty() {
            break;
        }
        damage(&mut snapshot, &mut bytes);
    }
    disk.put(&name, snapshot.clone());
    let intact = snapshot == whole;
    let verified = verify(&disk, &name);
    assert_eq!(verified.is_ok(), intact, "a snapshot is accepted as it was written or not at all");
    match payload(&disk, &name) {
        Ok(read) => assert!(intact && read == content),
        Err(error) => assert!(!intact && !error.to_string().is_empty()),
    }
    assert!(
        list(&disk, ID).is_ok_and(|snapshots| snapshots.len() == 2),
        "a list fails on no content"
    );
    let loaded = newest_valid(&disk, ID, |reader| -> Result<(), LoadError> {
        while reader.next_block()?.is_some() {}
        Ok(())
    });
    match loaded {
        Ok(newest) => {
            let (found, ()) = newest.snapshot.expect("the older one is whole");
            let expected = if intact { NEWER_SEQUENCE } else { GOLDEN_SEQUENCE };
            assert_eq!(found.meta.sequence, expected);
            assert_eq!(newest.passed_over.len(), usize::from(!intact), "and that is told");
        }
        Err(error) => {
            assert!(!intact && matches!(error, SnapshotError::NewerVersion { .. }), "{error}");
        }
    }
}

fn damage(snapshot: &mut Vec<u8>, bytes: &mut Bytes<'_>) {
    let kind = bytes.byte();
    let end = if kind & 0x80 == 0 { snapshot.len() } else { snapshot.len().min(4_096 + 64) };
    let at = bytes.below(end);
    match kind % 6 {
        0 => snapshot.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (kind >> 4 & 7)),
        1 => snapshot.iter_mut().skip(at).take(512).for_each(|byte| *byte = 0),
        2 => snapshot.iter_mut().skip(at).zip(bytes.slice()).for_each(|(byte, new)| *byte = *new),
        3 => snapshot.truncate(at),
        4 => snapshot.extend_from_slice(bytes.slice()),
        _ => {
            let from = bytes.below(snapshot.len());
            let sector: Vec<u8> = snapshot.iter().skip(from).take(512).copied().collect();
            snapshot.iter_mut().skip(at).zip(sector).for_each(|(byte, new)| *byte = new);
        }
    }
}

/// The canonical bytes of a state.
fn encoded(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    let taken: Result<(), std::convert::Infallible> = encode_state(state, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    let Ok(()) = taken;
    bytes
}

/// A state from pieces that end anywhere.
fn read(bytes: &[u8], seed: u64, piece_bytes: usize) -> Option<State> {
    let mut reader = StateReader::new(seed);
    for piece in bytes.chunks(piece_bytes) {
        reader.take(piece).ok()?;
    }
    reader.finish().ok()
}

pub(crate) fn decode_state(input: &[u8]) {
    if !is_small(input) {
        return;
    }
    let whole = read(input, 1, usize::MAX);
    for piece_bytes in [1, 7, 64] {
        let other = read(input, 2, piece_bytes);
        assert_eq!(other.is_some(), whole.is_some(), "however the bytes are cut");
        if let (Some(one), Some(other)) = (&whole, other) {
            assert_eq!(digest(one), digest(&other));
        }
    }
    let Some(state) = whole else { return };
    let bytes = encoded(&state);
    let again = read(&bytes, 3, 100).expect("what was encoded is read");
    assert!(encoded(&again) == bytes, "a state comes back the same");
    assert_eq!(digest(&again), digest(&state));
}

/// No row asks for tables of a size that only a server has room for.
fn is_small(input: &[u8]) -> bool {
    let number = |row: &[u8], at: usize| {
        row.get(at..at + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().expect("four")))
    };
    let mut rest = input;
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = (u32::from_le_bytes(*length) as usize).min(behind.len());
        let (row, behind) = behind.split_at(length);
        let caps: &[usize] = match number(row, 0) {
            // The head: behind sequence, stamp, epoch, key, a flag and 44 bytes of settings.
            0 => &[85, 89, 93, 97, 101, 105],
            6 => &[4, 8],
            _ => &[],
        };
        if caps.iter().any(|at| number(row, *at) > CAPS_MAX) {
            return false;
        }
        rest = behind;
    }
    true
}
