//! `doorbusterctl` killed before every single step that changes a directory, one after the other.
//!
//! Each death leaves a directory of which the same command makes what it would have made at once.
//! It needs a build that can die on purpose:
//!
//!     cargo test -p doorbuster-tools --features failpoints --test ctl kills

use crate::run::{bytes_of, command, ctl, ended, flip, segment};
use crate::story::{tell, tell_at_length};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// More steps than any of the commands has.
const STEPS_MAX: u64 = 2_000;

/// The directory once more.
fn copy_of(data: &Path) -> TempDir {
    let copy = TempDir::new().expect("there is room");
    for path in bytes_of(data).into_keys() {
        let to = copy.path().join(path.strip_prefix(data).expect("it is below"));
        if path.is_dir() {
            fs::create_dir(to).expect("there is room");
        } else {
            fs::copy(path, to).expect("there is room");
        }
    }
    copy
}

/// Runs the command on a fresh copy each time, dying before each of its steps; `check` looks at
/// what the same command makes of what is left. Gives what it died before.
fn die_at_each_step(data: &Path, arguments: &str, check: impl Fn(&Path)) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for step in 1..=STEPS_MAX {
        let copy = copy_of(data);
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorbusterctl"));
        command.arg("--data").arg(copy.path()).args(arguments.split(' '));
        let output = ended(command.env("FAILPOINTS_KILL_AT", format!("main:{step}")));
        let told = String::from_utf8(output.stderr).expect("it tells text");
        let Some(place) = told.lines().find_map(|line| line.strip_prefix("killed before: ")) else {
            assert_eq!(output.status.code(), Some(0), "step {step}: {told}");
            check(copy.path());
            eprintln!("{arguments}: died before {places:?}");
            return places;
        };
        assert_eq!(output.status.code(), None, "a signal ended it");
        places.insert(place.to_owned());
        ctl(copy.path(), arguments, 0);
        check(copy.path());
    }
    panic!("after {STEPS_MAX} deaths there still was a step");
}

fn assert_met(places: &BTreeSet<String>, operations: &[&str]) {
    for operation in operations {
        let met = places.iter().any(|place| place.starts_with(operation));
        assert!(met, "no death before {operation}: {places:?}");
    }
}

#[test]
fn a_repair_can_be_made_again_after_a_death_before_any_step() {
    let writer = tell_at_length();
    let data = writer.path();
    fs::remove_dir_all(data.join("snapshots")).expect("it is there");
    fs::create_dir(data.join("snapshots")).expect("there is room");
    flip(&segment(data, 2), 4096 + 2000);
    let shown = ctl(data, "journal repair --json", 1).object();
    let lost = shown["first_seq_lost"].as_u64().expect("it names the first");
    let digest = writer.digests[lost as usize - 2].clone();
    let places = die_at_each_step(data, "journal repair --accept-tail-loss", |data| {
        ctl(data, "journal verify", 0);
        let replayed = ctl(data, "replay --json", 0).object();
        assert_eq!(
            (&replayed["seq"], &replayed["digest"]),
            (&(lost - 1).into(), &digest.as_str().into())
        );
    });
    assert_met(&places, &["create", "allocate", "write", "sync", "rename", "remove"]);
}

/// Runs a command that fills a directory, dying before each of its steps; `check` looks at each of
/// what is left, and says whether it counts as done. Gives what it died before.
fn die_filling(
    data: &Path,
    filling: impl Fn(&Path) -> Command,
    check: impl Fn(&Path) -> bool,
) -> BTreeSet<String> {
    let before = bytes_of(data);
    let (mut places, mut done) = (BTreeSet::new(), 0);
    for step in 1..=STEPS_MAX {
        let place = TempDir::new().expect("there is room");
        let to = place.path().join("to");
        let mut command = filling(&to);
        let output = ended(command.env("FAILPOINTS_KILL_AT", format!("main:{step}")));
        let told = String::from_utf8(output.stderr).expect("it tells text");
        assert!(before == bytes_of(data), "step {step}: the source changed");
        let is_done = check(&to);
        let Some(place) = told.lines().find_map(|line| line.strip_prefix("killed before: ")) else {
            assert_eq!(output.status.code(), Some(0), "step {step}: {told}");
            assert!(is_done, "step {step}: it is not whole");
            eprintln!("died before {places:?}");
            return places;
        };
        assert_eq!(output.status.code(), None, "a signal ended it");
        places.insert(place.to_owned());
        done += u32::from(is_done);
        assert!(done <= 1, "only the last step changes nothing that counts");
    }
    panic!("after {STEPS_MAX} deaths there still was a step");
}

#[test]
fn a_backup_that_died_is_none_or_whole() {
    let story = tell();
    let data = story.writer.path();
    let digest = story.writer.digests.last().expect("there are events").as_str();
    let filling = |to: &Path| command(data, &format!("backup --to {}", to.display()));
    let places = die_filling(data, filling, |to| {
        let restored = TempDir::new().expect("there is room");
        let arguments = format!("restore --json --from {}", to.display());
        let output = ended(&mut command(&restored.path().join("data"), &arguments));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        match output.status.code() {
            Some(0) => assert_eq!(told["digest"], digest),
            code => assert!(matches!(code, Some(1 | 3)), "{output:?}"),
        }
        output.status.code() == Some(0)
    });
    assert_met(&places, &["create", "allocate", "write", "sync", "rename"]);
}

/// A restore that died is never taken for a directory that holds less.
#[test]
fn a_restore_that_died_is_never_taken_for_a_smaller_one() {
    let story = tell();
    let place = TempDir::new().expect("there is room");
    let backup = place.path().join("b");
    ctl(story.writer.path(), &format!("backup --to {}", backup.display()), 0);
    let digest = story.writer.digests.last().expect("there are events").as_str();
    let filling = |to: &Path| command(to, &format!("restore --from {}", backup.display()));
    let places = die_filling(story.writer.path(), filling, |to| {
        let output = ended(&mut command(to, "replay --json"));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // Either nothing is there yet, or all is, or it is refused.
        match output.status.code() {
            Some(0) => assert_eq!(told["digest"], digest, "{told}"),
            code => assert!(matches!(code, Some(1 | 3)), "{output:?}"),
        }
        !to.join("unfinished").exists() && output.status.code() == Some(0)
    });
    assert_met(&places, &["create", "allocate", "write", "sync", "rename"]);
}

#[test]
fn a_snapshot_can_be_taken_after_a_death_before_any_step() {
    let writer = tell_at_length();
    let data = writer.path();
    fs::remove_dir_all(data.join("snapshots")).expect("it is there");
    fs::create_dir(data.join("snapshots")).expect("there is room");
    let digest = writer.digests.last().expect("there are events").clone();
    let places = die_at_each_step(data, "snapshot create", |data| {
        ctl(data, "snapshot verify", 0);
        let replayed = ctl(data, "replay --json", 0).object();
        assert_eq!(replayed["from_image"], replayed["seq"], "{replayed}");
        assert_eq!(replayed["digest"], digest.as_str());
    });
    assert_met(&places, &["create", "allocate", "write", "sync", "rename"]);
}
