//! Rot: bits that flip and writes that land in the wrong place, while no server runs.
//!
//! Owns where it may strike and how it is mended, as from a backup. Told apart is what was synced,
//! where every answer rests, and what follows it. What nobody could notice is left out, and said so
//! where it is. Next: `world`.

use crate::disk::{SECTOR_BYTES, SimDisk};
use doorbuster_journal::{DumpContent, dump};
use doorbuster_test_support::random::Random;

/// What was changed, so that it can be mended.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) what: &'static str,
    /// In the last frame or behind it.
    pub(crate) tail: bool,
    file: u64,
    start: usize,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Where the frames of the journal are.
struct Frames {
    /// Name of the segment, offset, length in bytes; in order.
    frames: Vec<(String, usize, usize)>,
}

impl Frames {
    fn of(journal: &SimDisk) -> Option<Self> {
        let mut frames = Vec::new();
        let dumped = dump(journal, &mut |item| {
            if let DumpContent::Frame { .. } = item.content {
                frames.push((item.file.to_owned(), item.offset as usize, item.bytes as usize));
            }
            Ok(())
        });
        (dumped.is_ok() && frames.len() > 2).then_some(Self { frames })
    }
}

/// Strikes once; none where it found nothing to strike.
pub(crate) fn strike(
    data: &SimDisk,
    random: &mut Random,
    answers_before_sync: bool,
) -> Option<Damage> {
    let journal = data.within("journal");
    let frames = Frames::of(&journal)?;
    let (last_name, last_start, last_bytes) = frames.frames.last()?.clone();
    let names = data.all_names();
    let file_of = |name: &str| names.iter().find(|(of, _)| of == name).map(|(_, file)| *file);
    let snapshots: Vec<u64> = names
        .iter()
        .filter(|(name, _)| name.starts_with("snapshots/") && !name.contains(".writing"))
        .map(|(_, file)| *file)
        .collect();
    let kind = random.below(if answers_before_sync { 3 } else { 4 });
    let last = file_of(&last_name)?;
    let mut damage = match kind {
        // Anywhere in a frame, or in the header of its segment.
        0 => {
            let (name, offset, bytes) = frames.frames[random.place(frames.frames.len())].clone();
            let at = match random.once_in(8) {
                true => random.place(64),
                false => offset + random.place(bytes),
            };
            flip(data, random, "rot: bit of a synced frame or header", file_of(&name)?, at)
        }
        // In the last frame, or in the zeros behind it.
        1 => {
            let at = last_start + random.place(last_bytes + 3 * SECTOR_BYTES);
            flip(data, random, "rot: bit of the tail", file_of(&last_name)?, at)
        }
        2 => {
            let file = *snapshots.get(random.place(snapshots.len().max(1)))?;
            let bytes = data.medium().files.get(&file)?.live.len();
            let at = random.place(bytes.max(1));
            flip(data, random, "rot: bit of a snapshot", file, at)
        }
        _ => misplace(data, random, &frames, &file_of, (&last_name, last_start)),
    }?;
    damage.tail = damage.file == last && damage.start >= last_start;
    Some(damage)
}

fn flip(
    data: &SimDisk,
    random: &mut Random,
    what: &'static str,
    file: u64,
    at: usize,
) -> Option<Damage> {
    let medium = data.medium();
    let byte = *medium.files.get(&file)?.live.get(at)?;
    drop(medium);
    apply(data, what, file, at, vec![byte ^ (1 << random.below(8))])
}

/// A sector's bytes land on another sector. The target ends before the last frame starts, so that a
/// frame vouches for what was there: a whole sector that is lost from the last frame, with nothing
/// behind it, looks like a write that power cut off, and no reader could tell.
fn misplace(
    data: &SimDisk,
    random: &mut Random,
    frames: &Frames,
    file_of: &dyn Fn(&str) -> Option<u64>,
    (last_name, last_start): (&str, usize),
) -> Option<Damage> {
    let sector = |random: &mut Random| {
        let (name, offset, bytes) = frames.frames[random.place(frames.frames.len())].clone();
        let at = offset + random.place(bytes);
        (name, at - at % SECTOR_BYTES)
    };
    let (from_name, from) = sector(random);
    let (to_name, to) = sector(random);
    if to_name == last_name && to + SECTOR_BYTES > last_start {
        return None;
    }
    let (from_file, to_file) = (file_of(&from_name)?, file_of(&to_name)?);
    let bytes = data.medium().files.get(&from_file)?.live.get(from..from + SECTOR_BYTES)?.to_vec();
    apply(data, "rot: write landed on a synced sector", to_file, to, bytes)
}

fn apply(
    data: &SimDisk,
    what: &'static str,
    file: u64,
    start: usize,
    after: Vec<u8>,
) -> Option<Damage> {
    let mut medium = data.medium();
    let content = medium.files.get_mut(&file)?;
    let range = start..start + after.len();
    let sector = start - start % SECTOR_BYTES;
    let end = (sector + SECTOR_BYTES).min(content.live.len());
    let before = content.live.get(range.clone())?.to_vec();
    if before == after {
        return None;
    }
    content.live[range.clone()].copy_from_slice(&after);
    // A lost sector of the last frame cannot be told from a torn write; a flip that makes one is
    // one.
    if after.len() == 1 && content.live[sector..end].iter().all(|byte| *byte == 0) {
        content.live[range].copy_from_slice(&before);
        return None;
    }
    content.durable.resize(content.live.len(), 0);
    content.durable[range].copy_from_slice(&after);
    medium.tally.count(what);
    Some(Damage { what, tail: false, file, start, before, after })
}

impl Damage {
    /// As from a backup, where it is still as it was left.
    pub(crate) fn mend(&self, data: &SimDisk) {
        let mut medium = data.medium();
        let Some(content) = medium.files.get_mut(&self.file) else { return };
        let range = self.start..self.start + self.after.len();
        for bytes in [&mut content.live, &mut content.durable] {
            if bytes.get(range.clone()) == Some(&self.after[..]) {
                bytes[range.clone()].copy_from_slice(&self.before);
            }
        }
    }
}
