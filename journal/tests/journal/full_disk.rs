//! Full disks: on a small real file system, where the system lets one be mounted, and in memory.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use doorbuster_journal::{
    Ballast, Disk, FileDisk, Journal, JournalError, MemoryDisk, Options, Origin, Spare, scan,
    turn_bytes_max,
};

use crate::support::*;

const FILE_SYSTEM_BYTES: u64 = 16 << 20;
const SEGMENTS: Options = Options { segment_bytes: 1 << 20 };

/// A small file system of its own, unmounted when dropped, also by a panic.
struct Mounted {
    directory: tempfile::TempDir,
}

impl Mounted {
    /// Says why not, if the system does not let us.
    fn new(kind: &str) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|cause| cause.to_string())?;
        let at = directory.path().join("mounted");
        std::fs::create_dir(&at).map_err(|cause| cause.to_string())?;
        match kind {
            "ext4" => {
                let snapshot = directory.path().join("image");
                let file = File::create(&snapshot).map_err(|cause| cause.to_string())?;
                file.set_len(FILE_SYSTEM_BYTES).map_err(|cause| cause.to_string())?;
                run("mkfs.ext4", &["-q", "-F", "-m", "0", path(&snapshot)])?;
                run("mount", &["-o", "loop", path(&snapshot), path(&at)])?;
            }
            _ => {
                let size = format!("size={FILE_SYSTEM_BYTES}");
                run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", path(&at)])?;
            }
        }
        Ok(Self { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    fn disk(&self) -> FileDisk {
        FileDisk::open(self.path()).unwrap()
    }

    /// Writes a file until there is no room left.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).unwrap();
        for block in [&[1; 65_536][..], &[1; 512][..]] {
            let full = loop {
                if let Err(cause) = file.write_all(block) {
                    break cause;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
        // What was written without an error may still find no room when it is written back.
        let _ = file.sync_all();
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
        File::open(self.path()).unwrap().sync_all().unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let at = self.path();
        if run("umount", &[path(&at)]).is_err() {
            let _ = run("umount", &["-l", path(&at)]);
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a temporary directory has a plain name")
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new(program).args(arguments).output();
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(cause) => Err(format!("{program}: {cause}")),
    }
}

/// Runs a check on every kind of file system that can be mounted here. In continuous integration
/// all of them must be.
fn on_small_file_systems(check: fn(&Mounted)) {
    for kind in ["ext4", "tmpfs"] {
        match Mounted::new(kind) {
            Ok(mounted) => check(&mounted),
            Err(reason) => {
                let ci = std::env::var_os("CI").is_some();
                assert!(
                    !ci,
                    "a small {kind} must be mountable in continuous integration: {reason}"
                );
                println!("skipped on {kind}, which cannot be mounted here (root can): {reason}");
            }
        }
    }
}

/// A full file system takes appends to the end of the segment and goes on when freed.
#[test]
fn a_full_file_system_fills_the_segment_and_goes_on_when_freed() {
    on_small_file_systems(|mounted| {
        let mut journal = Journal::create(mounted.disk(), SEGMENTS, ID).unwrap();
        append(&mut journal, 1, &["first"]);
        mounted.fill();
        journal.start_allocator().unwrap();
        while journal.free_space().spare != Spare::Failed {
            std::thread::yield_now();
            journal.begin(1, 1);
        }
        match journal.take_spare_failure() {
            Some(JournalError::Io { operation: "allocate", cause, .. }) => {
                assert_eq!(cause.kind(), ErrorKind::StorageFull);
            }
            other => panic!("not a full disk: {other:?}"),
        }
        let record = "-".repeat(5000);
        let mut appended = 1;
        while journal.free_space().fits(turn_bytes_max(1, record.len())) {
            append(&mut journal, 1, &[&record]);
            appended += 1;
        }
        assert!(appended > 190, "{appended} turns to the segment's end");
        assert_eq!(scan(&mounted.disk(), Origin::Genesis).unwrap().last_sequence, appended);
        assert_eq!(journal.free_space().spare, Spare::Failed);
        mounted.free();
        wait_for_spare(&mut journal);
        for _ in 0..10 {
            append(&mut journal, 1, &[&record]);
        }
        journal.close().unwrap();
        let found = scan(&mounted.disk(), Origin::Genesis).unwrap();
        assert_eq!((found.last_sequence, found.segments.len()), (appended + 10, 2));
    });
}

#[test]
fn the_ballast_makes_room_on_a_full_file_system() {
    on_small_file_systems(|mounted| {
        let ballast = Ballast::new(mounted.disk(), 2 << 20);
        ballast.restore().unwrap();
        mounted.fill();
        let snapshot = vec![7; 1 << 20];
        let at = mounted.path().join("image");
        assert_eq!(std::fs::write(&at, &snapshot).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(ballast.release().unwrap(), 2 << 20);
        // What was removed is free once the file system has committed that.
        File::open(mounted.path()).unwrap().sync_all().unwrap();
        std::fs::write(&at, &snapshot).unwrap();
        File::open(&at).unwrap().sync_all().unwrap();
        assert!(ballast.restore().is_err(), "the room is taken");
        mounted.free();
        ballast.restore().unwrap();
        assert!(ballast.is_whole().unwrap());
    });
}

#[test]
fn the_ballast_is_there_whole_or_not_at_all() {
    for calls in 0.. {
        let disk = MemoryDisk::default();
        let ballast = Ballast::new(disk.clone(), 10_000);
        disk.lose_power_after(calls);
        let made = ballast.restore().is_ok();
        for persists in [false, true] {
            let cut = disk.after_power_loss(|_, _| persists);
            let again = Ballast::new(cut.clone(), 10_000);
            assert!(!made || again.is_whole().unwrap());
            again.restore().unwrap();
            assert_eq!(cut.names().unwrap(), ["ballast"]);
            assert_eq!(cut.contents("ballast").unwrap(), vec![0; 10_000]);
        }
        if made {
            break;
        }
    }
}

/// The ballast is taken once and made again in the size that is wanted.
#[test]
fn a_ballast_is_released_once_and_restored_in_its_size() {
    let disk = MemoryDisk::default();
    let ballast = Ballast::new(disk.clone(), 5000);
    assert_eq!((ballast.bytes(), ballast.release().unwrap()), (5000, 0));
    ballast.restore().unwrap();
    ballast.restore().unwrap();
    let larger = Ballast::new(disk.clone(), 9000);
    assert!(!larger.is_whole().unwrap());
    larger.restore().unwrap();
    assert_eq!(larger.release().unwrap(), 9000);
    assert_eq!(larger.release().unwrap(), 0);
    disk.set_full(true);
    assert!(matches!(larger.restore(), Err(JournalError::Io { operation: "allocate", .. })));
    assert!(disk.names().unwrap().is_empty(), "no part of it stays");
}

/// An unfinished ballast is removed by the next start and a whole one is not.
#[test]
fn a_start_removes_an_unfinished_ballast_and_no_whole_one() {
    let (disk, _) = journal_of_segments(2);
    disk.put("ballast.preparing", vec![0; 100]);
    disk.put("ballast", vec![0; 100]);
    let found = scan(&disk, Origin::Genesis).unwrap();
    drop(Journal::resume(disk.clone(), SMALL, found).unwrap());
    let names = disk.names().unwrap();
    assert!(names.contains(&"ballast".to_owned()));
    assert!(!names.contains(&"ballast.preparing".to_owned()));
}
