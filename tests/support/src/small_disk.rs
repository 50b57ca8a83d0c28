//! A small disk: an ext4 file system in a file, which can lose power and be filled up.
//!
//! Owns the mount from making it to taking it away, also after a panic, and who may skip. Knows no
//! server; whoever runs one in it ends it first. Next: `tests/power`.

use crate::target::Target;
use crate::wait;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// `EXT4_IOC_SHUTDOWN` (`_IOR('X', 125, __u32)`) with `EXT4_GOING_FLAGS_NOLOGFLUSH`. In a process
/// of its own, because a bare ioctl is unsafe in ours.
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// Not even what the kernel would have written by itself by now counts as synced.
const OPTIONS: &str = "loop,commit=300,noatime";

/// A disk with a file system, mounted or not.
pub struct SmallDisk {
    directory: TempDir,
    mounted: bool,
}

/// Runs a check on a fresh disk of this size, in bytes, where there can be one.
pub fn on_a_small_disk(target: Target, bytes: u64, check: impl FnOnce(&mut SmallDisk)) {
    let root = rustix::process::geteuid().is_root();
    let made = if root {
        SmallDisk::new(target.directory(), bytes)
    } else {
        Err("it takes root".to_owned())
    };
    match made {
        Ok(mut disk) => check(&mut disk),
        Err(why) => {
            let must = root && std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!must, "there must be a small disk in continuous integration: {why}");
            // Not through the captured output of a test: nobody would see it of one that passes.
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            let _ = writeln!(io::stderr(), "skipped {test}, no small disk can be mounted: {why}");
        }
    }
}

impl SmallDisk {
    fn new(directory: TempDir, bytes: u64) -> Result<Self, String> {
        let mut disk = Self { directory, mounted: false };
        fs::create_dir(disk.root()).map_err(|cause| cause.to_string())?;
        let file = File::create(disk.snapshot()).map_err(|cause| cause.to_string())?;
        file.set_len(bytes).map_err(|cause| cause.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(disk.snapshot()))?;
        disk.try_mount()?;
        // A container may allow the mount but not this.
        disk.try_cut()?;
        disk.power_up();
        Ok(disk)
    }

    fn snapshot(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    /// Where it is mounted.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    /// A data directory on it.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    fn try_mount(&mut self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", OPTIONS]).arg(self.snapshot()).arg(self.root()))?;
        self.mounted = true;
        Ok(())
    }

    /// From here on nothing reaches the disk, and nothing that was not synced is there any more.
    pub fn cut_power(&self) {
        self.try_cut().unwrap_or_else(|why| panic!("the power cannot be cut: {why}"));
    }

    fn try_cut(&self) -> Result<(), String> {
        run(Command::new("python3").args(["-c", SHUTDOWN]).arg(self.root()))
    }

    /// Unmounts it and mounts it again. Nobody may use it any more.
    pub fn power_up(&mut self) {
        // A child that another test is just starting holds all files of this process until its
        // exec.
        wait::until("the disk is not in use", || run(Command::new("umount").arg(self.root())).ok());
        self.mounted = false;
        self.try_mount().unwrap_or_else(|why| panic!("the disk does not come back: {why}"));
    }

    fn filler(&self) -> PathBuf {
        self.root().join("filler")
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a file of ours");
        for block in [&[1; 65_536][..], &[1; 512][..]] {
            let full = loop {
                if let Err(cause) = file.write_all(block) {
                    break cause;
                }
            };
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        }
        // What was taken without an error may still find no room when it is written back.
        let _ = file.sync_all();
    }

    /// Gives it back.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("a file of ours");
        sync_directory(&self.root());
    }
}

/// Makes the names in a directory durable.
pub fn sync_directory(directory: &Path) {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.expect("a directory syncs");
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted && run(Command::new("umount").arg(self.root())).is_err() {
            // It goes when the last user is gone.
            let _ = run(Command::new("umount").arg("-l").arg(self.root()));
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(cause) => Err(format!("{command:?}: {cause}")),
    }
}
