//! A journal on a disk in memory, made by the journal's own code and then damaged, as an input
//! says.
//!
//! Owns the making and the damage, and notes what is needed to judge what is read afterwards: what
//! was written, what was synced, whether frames were forged (their checksums made to fit). Never
//! reads a journal. Next: `journal`, `repair`.

use crate::bytes::Bytes;
use doorbuster_journal::{
    Disk, DumpContent, Journal, JournalId, MemoryDisk, Options, SEGMENT_BYTES_MIN, dump,
};

const ID: JournalId = JournalId(*b"journal of bytes");
pub(crate) const SMALL: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };
const HEADER_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;
/// More would only take longer.
const TURNS_MAX: usize = 24;
const DAMAGES_MAX: usize = 8;

/// A journal that something happened to.
pub(crate) struct Damaged {
    pub(crate) disk: MemoryDisk,
    /// By sequence, from 1.
    pub(crate) written: Vec<Vec<u8>>,
    /// How much of that had been synced when power was lost.
    pub(crate) synced: u64,
    /// Only power was lost.
    pub(crate) only_power: bool,
    /// A frame was changed and its checksum made to fit: what is read need not be what was written.
    pub(crate) forged: bool,
    /// A file is gone, shorter, or there under another number.
    pub(crate) moved: bool,
}

/// Where the frames are before anything is damaged.
struct Frames {
    /// File, offset and length of each.
    places: Vec<(String, u64, u64)>,
}

pub(crate) fn name(number: u64) -> String {
    format!("{number:08}.segment")
}

/// Files, in their order, and what they hold.
pub(crate) fn files(disk: &MemoryDisk) -> Vec<(String, Vec<u8>)> {
    let names = disk.names().expect("memory lists");
    let content = |name: String| (name.clone(), disk.contents(&name).expect("it is listed"));
    names.into_iter().filter(|name| name.ends_with(".segment")).map(content).collect()
}

impl Damaged {
    /// Follows an input to its end.
    pub(crate) fn of(bytes: &mut Bytes<'_>) -> Self {
        let disk = MemoryDisk::default();
        let mut journal = Journal::create(disk.clone(), SMALL, ID).expect("memory has room");
        let mut written: Vec<Vec<u8>> = Vec::new();
        let turns = usize::from(bytes.byte()) % (TURNS_MAX + 1);
        for turn in 0..turns {
            let choice = bytes.byte();
            let stamp_ms = 1_000 + turn as u64;
            match choice % 8 {
                7 => journal.seal(1, stamp_ms, &written.len().to_le_bytes()).expect("room"),
                6 => drop(journal.sync().expect("memory syncs")),
                _ => {
                    journal.begin(1 + turn as u32 / 16, stamp_ms);
                    for _ in 0..=choice % 3 {
                        let record = record(bytes);
                        let sequence = journal.push(|frame| frame.extend_from_slice(&record));
                        written.push(record);
                        assert_eq!(sequence.expect("room"), written.len() as u64);
                    }
                    journal.finish().expect("room");
                    if choice & 0x80 != 0 {
                        journal.sync().expect("memory syncs");
                    }
                }
            }
        }
        let synced = journal.synced();
        journal.close().expect("no allocator was started");
        let mut damaged =
            Self { disk, written, synced, only_power: true, forged: false, moved: false };
        damaged.lose_power(bytes);
        let frames = damaged.frames();
        for _ in 0..DAMAGES_MAX {
            if bytes.is_empty() {
                break;
            }
            damaged.damage(&frames, bytes);
        }
        damaged
    }

    /// Any of the sectors that were not synced are lost.
    fn lose_power(&mut self, bytes: &mut Bytes<'_>) {
        let pattern = bytes.byte();
        let salt = u64::from(bytes.byte());
        self.disk = self.disk.after_power_loss(|_, sector| match pattern % 4 {
            0 => true,
            1 => false,
            2 => sector.wrapping_mul(0x9E37_79B9).wrapping_add(salt) & 4 == 0,
            _ => sector % (salt % 7 + 2) != 0,
        });
    }

    fn frames(&self) -> Frames {
        let mut places = Vec::new();
        dump(&self.disk, &mut |item| {
            if let DumpContent::Frame { .. } = item.content {
                let name = item.file.trim_start_matches("memory:").to_owned();
                places.push((name, item.offset, item.bytes));
            }
            Ok(())
        })
        .expect("memory reads");
        Frames { places }
    }

    /// One thing that happens to a disk.
    fn damage(&mut self, frames: &Frames, bytes: &mut Bytes<'_>) {
        let kind = bytes.byte();
        let (file, at) = self.place(frames, bytes);
        let Ok(mut content) = self.disk.contents(&file) else { return };
        self.only_power = false;
        match kind % 10 {
            0 => {
                let bit = 1_u8 << (bytes.byte() % 8);
                content.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
            1 => {
                let start = at / SECTOR_BYTES * SECTOR_BYTES;
                content.iter_mut().skip(start).take(SECTOR_BYTES).for_each(|byte| *byte = 0);
            }
            2 => {
                for (byte, new) in content.iter_mut().skip(at).zip(bytes.slice()) {
                    *byte = *new;
                }
            }
            3 => {
                // A sector that was written to the wrong place.
                let (from, source) = self.place(frames, bytes);
                let source = source / SECTOR_BYTES * SECTOR_BYTES;
                let target = at / SECTOR_BYTES * SECTOR_BYTES;
                let other = self.disk.contents(&from).unwrap_or_default();
                let sector = other.iter().skip(source).take(SECTOR_BYTES);
                content.iter_mut().skip(target).zip(sector).for_each(|(to, byte)| *to = *byte);
            }
            4 => {
                self.moved = true;
                content.truncate(at);
            }
            5 => {
                let more = bytes.slice();
                content.extend_from_slice(more);
            }
            6 => {
                self.moved = true;
                self.disk.remove(&file).expect("it is there");
                self.disk.sync_directory().expect("memory syncs");
                return;
            }
            7 => {
                self.moved = true;
                self.disk.put(&name(u64::from(bytes.byte() % 5)), content);
                return;
            }
            8 => self.forge(frames, &file, &mut content, bytes),
            _ => {
                let end = at as u64 + 1 + u64::from(bytes.byte()) * 64;
                self.disk.fail_reads(&file, at as u64..end).expect("it is there");
                return;
            }
        }
        self.disk.put(&file, content);
    }

    /// Changes a byte of a frame's header, or of what it holds, and makes its checksum fit.
    fn forge(&mut self, frames: &Frames, file: &str, content: &mut [u8], bytes: &mut Bytes<'_>) {
        let own: Vec<_> = frames.places.iter().filter(|(name, ..)| name == file).collect();
        if own.is_empty() {
            return;
        }
        let (_, offset, frame_bytes) = own[bytes.below(own.len())];
        let (offset, end) = (*offset as usize, (*offset + *frame_bytes) as usize);
        let at = 8 + usize::from(bytes.byte()) % 56;
        let new = bytes.byte();
        let Some(frame) = content.get_mut(offset..end) else { return };
        frame[at] = new;
        // FORMAT.md, "Frame".
        let number: u64 = file.trim_end_matches(".segment").parse().expect("a name of ours");
        let mut seed = crc32fast::Hasher::new();
        seed.update(&ID.0);
        seed.update(&number.to_le_bytes());
        let start = seed.finalize() ^ (offset / 8) as u32;
        let mut checksum = crc32fast::Hasher::new_with_initial(start);
        checksum.update(&frame[..4]);
        checksum.update(&frame[8..]);
        frame[4..8].copy_from_slice(&checksum.finalize().to_le_bytes());
        self.forged = true;
    }

    /// A file and a place in it: mostly in or near a frame, which is where it matters.
    fn place(&self, frames: &Frames, bytes: &mut Bytes<'_>) -> (String, usize) {
        let choice = bytes.byte();
        if !choice.is_multiple_of(4) && !frames.places.is_empty() {
            let (file, offset, length) = &frames.places[bytes.below(frames.places.len())];
            let inside = match choice % 4 {
                1 => bytes.below(64),
                2 => bytes.below(*length as usize + 16),
                _ => *length as usize - bytes.below(16).min(*length as usize),
            };
            return (file.clone(), *offset as usize + inside);
        }
        let files = files(&self.disk);
        if files.is_empty() {
            return (name(1), 0);
        }
        let (file, content) = &files[bytes.below(files.len())];
        let end = if choice & 0x40 == 0 { HEADER_BYTES } else { content.len() };
        (file.clone(), bytes.below(end))
    }
}

/// A record of a length that matters: small, of some sectors, or half a frame; some are full of
/// zeros, as torn writes are.
fn record(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let choice = bytes.byte();
    let length = match choice % 8 {
        0 => 30_000,
        1 => 60_000,
        2 | 3 => 64 * usize::from(bytes.byte()),
        _ => usize::from(bytes.byte()),
    };
    let fill = if choice & 0x40 == 0 { bytes.byte() } else { 0 };
    let mut record = vec![fill; length];
    // No two alike, where there is room to differ.
    for (at, byte) in record.iter_mut().enumerate().step_by(97) {
        *byte = byte.wrapping_add((at / 97) as u8).wrapping_add(choice);
    }
    record
}
