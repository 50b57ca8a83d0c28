//! A directory that is read at a bounded pace, so that a server beside it keeps its disk; every
//! read moves the bar, and a signal ends it.
//!
//! Owns how long a reader rests. Never reads ahead and never changes what is read.

use crate::progress::Bar;
use doorbuster::engine::replay::{DataDirectory, ReplayError};
use doorbuster::shared::clock::Clock;
use doorbuster_journal::{Access, Disk, DiskFile, FileDisk};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// As much may be read at once after a pause as in this time, in microseconds.
const BURST_US: u64 = 100_000;
/// A rest is so long at most, so that a signal is heard, in microseconds.
const REST_US_MAX: u64 = 100_000;

/// What all readers of one command share.
pub(super) struct Meter {
    clock: Clock,
    /// None = as fast as it goes.
    bytes_per_s: Option<u64>,
    /// Up to when what was read is paid for, on `Clock::elapsed_us`.
    paid_until_us: Mutex<u64>,
    ended: Arc<AtomicBool>,
    pub(super) bar: Bar,
}

impl Meter {
    /// With signals watched: from here on they end what is read.
    pub(super) fn begin(bytes_per_s: Option<u64>) -> io::Result<Arc<Self>> {
        let clock = Clock::start();
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        let (paid_until_us, bar) = (Mutex::new(0), Bar::new(clock));
        Ok(Arc::new(Self { clock, bytes_per_s, paid_until_us, ended, bar }))
    }

    /// A signal said to end.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// These bytes of a copy were read: a hole in it cost the device nothing.
    pub(super) fn spend_on_copy(&self, bytes: &[u8]) -> io::Result<()> {
        let is_hole = bytes.iter().all(|&byte| byte == 0);
        self.spend(if is_hole { 0 } else { bytes.len() as u64 })
    }

    /// So many bytes were read: rests as long as they take at the pace.
    fn spend(&self, bytes: u64) -> io::Result<()> {
        self.bar.advance(bytes);
        let until_us = self.bytes_per_s.map_or(0, |pace| {
            let cost_us = bytes.saturating_mul(1_000_000) / pace;
            let now_us = self.clock.elapsed_us();
            let mut paid = self.paid_until_us.lock().unwrap_or_else(PoisonError::into_inner);
            *paid = (*paid).max(now_us.saturating_sub(BURST_US)) + cost_us;
            *paid
        });
        loop {
            if self.is_ended() {
                return Err(io::Error::other("told to end by a signal"));
            }
            let left_us = until_us.saturating_sub(self.clock.elapsed_us());
            if left_us == 0 {
                return Ok(());
            }
            self.clock.sleep(Duration::from_micros(left_us.min(REST_US_MAX)));
        }
    }
}

/// A data directory as [`replay`](doorbuster::engine::replay) reads one.
pub(super) struct PacedDirectory {
    pub(super) path: PathBuf,
    pub(super) meter: Arc<Meter>,
    /// It was just written, and is read from the device, not from what the system has cached.
    pub(super) is_copy: bool,
}

impl PacedDirectory {
    fn paced(&self, disk: FileDisk) -> PacedDisk {
        PacedDisk { disk, meter: Arc::clone(&self.meter), is_copy: self.is_copy }
    }
}

impl DataDirectory for PacedDirectory {
    type Disk = PacedDisk;

    fn journal(&self) -> Result<PacedDisk, ReplayError> {
        Ok(self.paced(self.path.journal()?))
    }

    fn has_snapshots(&self) -> bool {
        self.path.has_snapshots()
    }

    fn snapshots(&self) -> Result<PacedDisk, ReplayError> {
        Ok(self.paced(self.path.snapshots()?))
    }

    fn top(&self) -> Result<PacedDisk, ReplayError> {
        Ok(self.paced(self.path.top()?))
    }

    fn set_aside(&self, name: &str) -> Result<PacedDisk, ReplayError> {
        Ok(self.paced(self.path.set_aside(name)?))
    }

    fn random(&self) -> [u8; 16] {
        self.path.random()
    }
}

/// A directory of files whose reads are paced.
pub(super) struct PacedDisk {
    disk: FileDisk,
    meter: Arc<Meter>,
    is_copy: bool,
}

impl PacedDisk {
    fn paced(&self, file: <FileDisk as Disk>::File) -> PacedFile {
        PacedFile { file, meter: Arc::clone(&self.meter), is_copy: self.is_copy }
    }
}

impl Disk for PacedDisk {
    type File = PacedFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<PacedFile> {
        Ok(self.paced(self.disk.create(name, bytes)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<PacedFile> {
        let file = self.disk.open(name, access)?;
        if self.is_copy {
            file.forget_cached()?;
        }
        Ok(self.paced(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn place(&self, name: &str) -> String {
        self.disk.place(name)
    }
}

/// One of its files.
pub(super) struct PacedFile {
    file: <FileDisk as Disk>::File,
    meter: Arc<Meter>,
    is_copy: bool,
}

impl DiskFile for PacedFile {
    type Mapped = <<FileDisk as Disk>::File as DiskFile>::Mapped;

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)?;
        match self.is_copy {
            true => self.meter.spend_on_copy(buffer),
            false => self.meter.spend(buffer.len() as u64),
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn forget_cached(&self) -> io::Result<()> {
        self.file.forget_cached()
    }

    fn map(self, bytes: u64) -> io::Result<Self::Mapped> {
        self.file.map(bytes)
    }
}
