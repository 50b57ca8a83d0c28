//! A disk that does all that disks are known to do.
//!
//! Owns two snapshots of every file, what a reader sees and what would be left without power, and
//! what goes wrong between the two: pages written back by themselves, syncs that fail and mark
//! pages clean, short writes, no space, power lost in the middle of a call. Never chooses when:
//! that is `world`. Files and names are lost by the rules of POSIX, not by the kinder ones of one
//! file system. What the journal and the snapshots see of it is in `files`, what they are told
//! that is not so in `lying`. Next: `files`, `damage`.

pub(crate) mod copies;
mod files;
pub(crate) mod lying;

use crate::tally::Tally;
use crate::trace::Trace;
use doorbuster_test_support::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a kernel writes back at once.
pub(crate) const PAGE_BYTES: usize = 4096;
/// What a device writes whole.
pub(crate) const SECTOR_BYTES: usize = 512;
/// Of the changes to a file, one in so many lets the kernel write some page back.
const WRITEBACK_ONCE_IN: u64 = 6;

/// The payload of the panic that ends a process in the middle of a call.
#[derive(Debug)]
pub(crate) struct Killed;

/// What is to go wrong next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A sync fails; its pages are clean, none is on the disk.
    Sync,
    /// A sync fails after some of its pages.
    SyncHalf,
    /// A write fails.
    Write,
    /// A write fails after some bytes.
    ShortWrite,
    /// A change of a directory, or its sync, fails.
    Name,
}

/// Some directories on one disk. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk {
    medium: Arc<Mutex<Medium>>,
    directory: &'static str,
}

/// The disk itself.
#[derive(Debug)]
pub(crate) struct Medium {
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending: Vec<(&'static str, NameChange)>,
    pub(crate) files: BTreeMap<u64, Content>,
    next_file: u64,
    random: Random,
    trace: Arc<Trace>,
    pub(crate) tally: Tally,
    /// New space is taken when it is asked for, not when it is written.
    pub(crate) allocates_ahead: bool,
    pub(crate) full: bool,
    trouble: Option<(Trouble, u32)>,
    /// Calls that failed, and files that found no space.
    troubles: u64,
    /// So many more calls that change something; in the last one the process dies.
    dies_in: Option<u32>,
    dead: bool,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, u64),
    Remove(String),
    /// One step: the file has one of the two names.
    Move {
        from: String,
        to: String,
        file: u64,
    },
}

impl NameChange {
    fn happen(self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Add(name, file) => drop(names.insert(name, file)),
            Self::Remove(name) => drop(names.remove(&name)),
            Self::Move { from, to, file } => {
                names.remove(&from);
                names.insert(to, file);
            }
        }
    }
}

/// A file as it is seen, and as it would be left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) live: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    /// Pages that were changed since they were last written back.
    dirty: BTreeSet<usize>,
    /// Pages that say they are clean, but a sync of them failed.
    forgotten: BTreeSet<usize>,
    /// Pages that have space of their own.
    allocated: BTreeSet<usize>,
}

impl Content {
    fn page(&self, page: usize) -> std::ops::Range<usize> {
        page * PAGE_BYTES..((page + 1) * PAGE_BYTES).min(self.live.len())
    }

    fn persist(&mut self, page: usize) {
        let range = self.page(page);
        self.durable.resize(self.live.len(), 0);
        self.durable[range.clone()].copy_from_slice(&self.live[range]);
        self.dirty.remove(&page);
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        self.live[offset..offset + bytes.len()].copy_from_slice(bytes);
        for page in offset / PAGE_BYTES..=(offset + bytes.len() - 1) / PAGE_BYTES {
            self.dirty.insert(page);
            self.forgotten.remove(&page);
            self.allocated.insert(page);
        }
    }
}

fn lock(medium: &Mutex<Medium>) -> MutexGuard<'_, Medium> {
    medium.lock().unwrap_or_else(PoisonError::into_inner)
}

fn die(guard: MutexGuard<'_, Medium>) -> ! {
    drop(guard);
    std::panic::resume_unwind(Box::new(Killed))
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("the disk could not {what}"))
}

/// How a call goes.
enum Fate {
    Well,
    Fails(Trouble),
    Dies,
}

impl Medium {
    fn fate(&mut self, of: &[Trouble]) -> io::Result<Fate> {
        if self.dead {
            return Err(broken("do anything: there is no process"));
        }
        if let Some(left) = &mut self.dies_in {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.dies_in = None;
                self.dead = true;
                return Ok(Fate::Dies);
            }
        }
        if let Some((trouble, left)) = &mut self.trouble
            && of.contains(trouble)
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                let trouble = *trouble;
                self.trouble = None;
                self.troubles += 1;
                self.trace.tell("trouble", format_args!("{trouble:?}"));
                self.tally.count(match trouble {
                    Trouble::Sync => "disk: sync failed, pages marked clean",
                    Trouble::SyncHalf => "disk: sync failed after some pages",
                    Trouble::Write => "disk: write failed",
                    Trouble::ShortWrite => "disk: write was short",
                    Trouble::Name => "disk: directory change failed",
                });
                return Ok(Fate::Fails(trouble));
            }
        }
        Ok(Fate::Well)
    }

    /// How often something failed that should not have.
    pub(crate) fn troubles(&self) -> u64 {
        self.troubles
    }

    fn note(&self, what: &str, file: u64, offset: u64, bytes: &[u8]) {
        let check = u64::from(crc32fast::hash(bytes));
        let length = bytes.len() as u64;
        self.trace.note(
            what,
            &[file, offset, length, check],
            format_args!("file {file} at {offset}, {length} bytes, {check:08x}"),
        );
    }

    /// The kernel writes some page back whenever it likes.
    fn write_back(&mut self, file: u64) {
        if self.random.once_in(WRITEBACK_ONCE_IN) {
            let content = self.files.get_mut(&file).expect("a file that is open");
            if !content.dirty.is_empty() {
                let which = self.random.place(content.dirty.len());
                let page = *content.dirty.iter().nth(which).expect("it was counted");
                content.persist(page);
                self.tally.count("disk: page written back early");
            }
        }
    }

    fn change_name(&mut self, directory: &'static str, change: NameChange) {
        change.clone().happen(&mut self.names);
        self.pending.push((directory, change));
    }

    fn make_names_durable(&mut self, directory: Option<&'static str>, count: usize) {
        let pending = std::mem::take(&mut self.pending);
        for (number, (of, change)) in pending.into_iter().enumerate() {
            if directory.is_some_and(|directory| directory != of) {
                self.pending.push((of, change));
            } else if number < count {
                change.happen(&mut self.durable_names);
            }
        }
    }

    fn sync(&mut self, file: u64) -> io::Result<bool> {
        let fate = self.fate(&[Trouble::Sync, Trouble::SyncHalf])?;
        let content = self.files.get_mut(&file).expect("a file that is open");
        let dirty: Vec<usize> = content.dirty.iter().copied().collect();
        let some =
            |random: &mut Random| dirty.iter().filter(|_| random.percent(50)).copied().collect();
        let persisted: Vec<usize> = match fate {
            Fate::Well => dirty.clone(),
            Fate::Fails(Trouble::Sync) => Vec::new(),
            Fate::Fails(_) | Fate::Dies => some(&mut self.random),
        };
        if matches!(fate, Fate::Well) {
            content.durable.resize(content.live.len(), 0);
        }
        persisted.iter().for_each(|page| content.persist(*page));
        if matches!(fate, Fate::Fails(_)) {
            // As Linux does it: nothing is dirty any more, and nobody will try again.
            let lost = std::mem::take(&mut content.dirty);
            content.forgotten.extend(lost);
        }
        let count = persisted.len() as u64;
        self.trace.note("sync", &[file, count], format_args!("file {file}, {count} pages"));
        match fate {
            Fate::Well => Ok(false),
            Fate::Fails(_) => Err(broken("sync")),
            Fate::Dies => Ok(true),
        }
    }

    /// The bytes of one call, whole or in part. True where the process dies in it.
    fn write(&mut self, file: u64, bytes: &[u8], offset: u64) -> io::Result<bool> {
        let fate = self.fate(&[Trouble::Write, Trouble::ShortWrite])?;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let length = match fate {
            Fate::Well => bytes.len(),
            Fate::Fails(Trouble::Write) => 0,
            Fate::Fails(_) | Fate::Dies => self.random.place(bytes.len().max(1)),
        };
        let full = self.full && !self.allocates_ahead;
        let content = self.files.get_mut(&file).expect("a file that is open");
        let pages = start / PAGE_BYTES..=(start + bytes.len().max(1) - 1) / PAGE_BYTES;
        if full && pages.clone().any(|page| !content.allocated.contains(&page)) {
            self.troubles += 1;
            return match fate {
                Fate::Dies => Ok(true),
                _ => Err(io::ErrorKind::StorageFull.into()),
            };
        }
        if start + length > content.live.len() {
            content.live.resize(start + length, 0);
        }
        content.write(&bytes[..length], start);
        self.note("write", file, offset, &bytes[..length]);
        self.write_back(file);
        match fate {
            Fate::Well => Ok(false),
            Fate::Fails(_) => Err(broken("write")),
            Fate::Dies => Ok(true),
        }
    }
}

impl SimDisk {
    /// An empty disk, and the directories of a server on it.
    pub(crate) fn new(random: Random, trace: Arc<Trace>, allocates_ahead: bool) -> Self {
        let medium = Medium {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            files: BTreeMap::new(),
            next_file: 1,
            random,
            trace,
            tally: Tally::default(),
            allocates_ahead,
            full: false,
            trouble: None,
            troubles: 0,
            dies_in: None,
            dead: false,
        };
        Self { medium: Arc::new(Mutex::new(medium)), directory: "" }
    }

    /// A directory on the same disk.
    pub(crate) fn within(&self, directory: &'static str) -> Self {
        Self { medium: Arc::clone(&self.medium), directory }
    }

    /// The disk itself, for whoever plays fate.
    pub(crate) fn medium(&self) -> MutexGuard<'_, Medium> {
        lock(&self.medium)
    }

    /// In which of the calls that change something, counted from now, the process dies.
    pub(crate) fn die_in(&self, calls: Option<u32>) {
        self.medium().dies_in = calls;
    }

    /// Lets the `count`-th call of its kind fail.
    pub(crate) fn trouble(&self, trouble: Option<(Trouble, u32)>) {
        self.medium().trouble = trouble;
    }

    /// The process is gone: nothing that it left behind changes anything any more.
    pub(crate) fn bury(&self) {
        let mut medium = self.medium();
        medium.dead = true;
        medium.dies_in = None;
        medium.trouble = None;
    }

    /// There is a process again. Pages that a failed sync called clean may have left memory.
    /// Says whether any had, and is read back as it was before.
    pub(crate) fn revive(&self) -> bool {
        let mut medium = self.medium();
        let medium = &mut *medium;
        medium.dead = false;
        let mut stale = false;
        for content in medium.files.values_mut() {
            // Memory was short, or it was not.
            let evicted = medium.random.percent(50);
            for page in std::mem::take(&mut content.forgotten) {
                if evicted && medium.random.percent(50) {
                    let range = content.page(page);
                    content.durable.resize(content.live.len(), 0);
                    content.live[range.clone()].copy_from_slice(&content.durable[range]);
                    medium.tally.count("disk: forgotten page read back stale");
                    stale = true;
                } else {
                    // It stays in memory, and stays clean.
                    content.forgotten.insert(page);
                }
            }
        }
        stale
    }

    /// Power is lost: of what was not synced, anything may be left, in any order, torn anywhere.
    pub(crate) fn lose_power(&self) {
        let mut medium = self.medium();
        let medium = &mut *medium;
        let random = &mut medium.random;
        for content in medium.files.values_mut() {
            let kindness = random.below(4);
            for page in std::mem::take(&mut content.dirty) {
                let range = content.page(page);
                match (kindness, random.below(4)) {
                    (0, _) | (_, 0) => medium.tally.count("power: unsynced page lost"),
                    (3, _) | (_, 1) => {
                        content.durable.resize(content.live.len(), 0);
                        content.durable[range.clone()].copy_from_slice(&content.live[range]);
                        medium.tally.count("power: unsynced page kept");
                    }
                    _ => {
                        content.durable.resize(content.live.len(), 0);
                        for sector in range.step_by(SECTOR_BYTES) {
                            let end = (sector + SECTOR_BYTES).min(content.live.len());
                            if random.percent(50) {
                                content.durable[sector..end]
                                    .copy_from_slice(&content.live[sector..end]);
                            }
                        }
                        medium.tally.count("power: unsynced page torn");
                    }
                }
            }
            content.forgotten.clear();
        }
        let pending = medium.pending.len();
        let kept = medium.random.below(pending as u64 + 1) as usize;
        medium.tally.add("power: unsynced name change lost", (pending - kept) as u64);
        medium.make_names_durable(None, kept);
        medium.pending.clear();
        medium.names = medium.durable_names.clone();
        let named: BTreeSet<u64> = medium.names.values().copied().collect();
        medium.files.retain(|file, _| named.contains(file));
        for content in medium.files.values_mut() {
            content.live = content.durable.clone();
        }
    }

    /// The names in all directories, with their files.
    pub(crate) fn all_names(&self) -> Vec<(String, u64)> {
        self.medium().names.iter().map(|(name, file)| (name.clone(), *file)).collect()
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// A change of names that happens, fails, or happens and is the last.
    fn rename_or_remove(
        &self,
        change: impl FnOnce(&mut Medium) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut medium = self.medium();
        let fate = medium.fate(&[Trouble::Name])?;
        let happens = match fate {
            Fate::Well => true,
            Fate::Fails(_) => return Err(broken("change a name")),
            Fate::Dies => medium.random.percent(50),
        };
        let changed = if happens { change(&mut medium) } else { Ok(()) };
        match fate {
            Fate::Dies => die(medium),
            _ => changed,
        }
    }
}
