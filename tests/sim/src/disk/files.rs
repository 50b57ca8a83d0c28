//! The disk as the journal and the snapshots see it: names, files, mappings.
//!
//! Owns the calls; what a call does to the medium, and whether it fails or is the last, is decided
//! there. Never keeps anything. Next: `damage`.

use super::{Content, Fate, NameChange, PAGE_BYTES, SimDisk, Trouble, broken, die};
use doorbuster_journal::{Access, Disk, DiskFile, Mapped};
use std::io;

impl SimDisk {
    fn file(&self, name: &str) -> io::Result<SimFile> {
        let medium = self.medium();
        let file = medium.names.get(&self.full_name(name)).copied();
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        Ok(SimFile { disk: self.clone(), file })
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn names(&self) -> io::Result<Vec<String>> {
        let prefix = self.full_name("");
        let medium = self.medium();
        let own = medium.names.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(own.map(str::to_owned).collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<SimFile> {
        let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let full_name = self.full_name(name);
        let mut medium = self.medium();
        if medium.names.contains_key(&full_name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let fate = medium.fate(&[Trouble::Name])?;
        if matches!(fate, Fate::Fails(_)) {
            return Err(broken("create a file"));
        }
        let file = medium.next_file;
        medium.next_file += 1;
        let full = medium.full;
        let mut content = Content::default();
        if !full {
            content.live = vec![0; length];
            if medium.allocates_ahead {
                content.allocated = (0..length.div_ceil(PAGE_BYTES)).collect();
            }
        }
        medium.files.insert(file, content);
        medium.note("create", file, bytes, full_name.as_bytes());
        medium.change_name(self.directory, NameChange::Add(full_name, file));
        match fate {
            Fate::Dies => die(medium),
            _ if full => {
                medium.troubles += 1;
                medium.tally.count("disk: no space for a new file");
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(SimFile { disk: self.clone(), file }),
        }
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<SimFile> {
        self.file(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.full_name(from), self.full_name(to));
        self.rename_or_remove(|medium| {
            let file = *medium.names.get(&from).ok_or(io::ErrorKind::NotFound)?;
            medium.note("rename", file, 0, to.as_bytes());
            medium.change_name(self.directory, NameChange::Move { from, to, file });
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = self.full_name(name);
        self.rename_or_remove(|medium| {
            let file = *medium.names.get(&name).ok_or(io::ErrorKind::NotFound)?;
            medium.note("remove", file, 0, name.as_bytes());
            medium.change_name(self.directory, NameChange::Remove(name));
            Ok(())
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.rename_or_remove(|medium| {
            medium.note("syncdir", 0, medium.pending.len() as u64, &[]);
            medium.make_names_durable(Some(self.directory), usize::MAX);
            Ok(())
        })
    }

    fn place(&self, name: &str) -> String {
        self.full_name(name)
    }
}

/// A file, opened or mapped.
#[derive(Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    file: u64,
}

impl DiskFile for SimFile {
    type Mapped = SimMapped;

    fn bytes(&self) -> io::Result<u64> {
        let medium = self.disk.medium();
        Ok(medium.files.get(&self.file).ok_or(io::ErrorKind::NotFound)?.live.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let medium = self.disk.medium();
        let content = medium.files.get(&self.file).ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(content.live.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut medium = self.disk.medium();
        if medium.write(self.file, bytes, offset)? { die(medium) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut medium = self.disk.medium();
        if medium.sync(self.file)? { die(medium) } else { Ok(()) }
    }

    fn map(self, _bytes: u64) -> io::Result<SimMapped> {
        Ok(SimMapped { file: self })
    }
}

/// A file, mapped.
#[derive(Debug)]
pub(crate) struct SimMapped {
    file: SimFile,
}

impl Mapped for SimMapped {
    fn store(&mut self, offset: u64, frame: &[u8]) {
        let start = usize::try_from(offset).expect("an offset fits the address space");
        let mut medium = self.file.disk.medium();
        let file = self.file.file;
        let Ok(fate) = medium.fate(&[]) else { return };
        let full = medium.full;
        let content = medium.files.get_mut(&file).expect("a file that is mapped");
        let pages = start / PAGE_BYTES..=(start + frame.len() - 1) / PAGE_BYTES;
        let hole = pages.clone().any(|page| !content.allocated.contains(&page));
        if full && hole {
            drop(medium);
            panic!("SIGBUS: a store into a page that finds no space");
        }
        // The body first, then the word before it; whoever dies in between has stored a part.
        let cut = match fate {
            Fate::Dies => medium.random.place(frame.len() - 4) + 4,
            _ => frame.len(),
        };
        let content = medium.files.get_mut(&file).expect("a file that is mapped");
        content.write(&frame[4..cut], start + 4);
        if !matches!(fate, Fate::Dies) {
            content.write(&frame[..4], start);
        }
        medium.note("store", file, offset, &frame[..cut]);
        medium.write_back(file);
        if matches!(fate, Fate::Dies) {
            die(medium);
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
