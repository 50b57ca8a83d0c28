//! What cannot be printed is an error of its own, told once everything was done; a reader who went
//! away is none. Counts of nothing, and what shells and `man` are told.

use crate::process::{self, Server, bench, command, folder};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("Linux has it")
}

/// A pipe of which the reading end is closed before the first byte.
fn closed() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("there is one");
    drop(reader);
    writer
}

fn ended(command: &mut Command) -> (i32, String) {
    let child = command.spawn().expect("the binary was built");
    let Output { status, stderr, .. } = child.wait_with_output().expect("it ends");
    (status.code().expect("it is not killed"), String::from_utf8(stderr).expect("text"))
}

fn check(arguments: &[&str]) {
    let (code, told) = ended(command().args(arguments).stdout(full()));
    assert_eq!(code, 3, "{arguments:?}: {told}");
    let reason = "cannot write to standard output: No space left on device";
    assert!(told.contains(reason), "{arguments:?}: {told}");
    let (code, told) = ended(command().args(arguments).stdout(closed()));
    assert_eq!(code, 0, "{arguments:?}: {told}");
    assert!(!told.contains("panicked") && !told.contains("cannot write"), "{told}");
}

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let place = folder();
    let engine = place.path().join("engine");
    let engine = engine.to_str().expect("a path in UTF-8");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["completions", "bash"],
        &["man"],
        &["engine", "--orders", "100", "--data", engine],
        &["engine", "--orders", "100", "--json", "--data", engine],
    ] {
        check(arguments);
    }
    process::server_binary();
    check(&["idle", "--seconds", "1"]);
}

#[test]
fn a_run_whose_output_is_lost_leaves_its_report() {
    let place = folder();
    let server = Server::start(place.path(), None);
    let path = |name: &str| place.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    let (one, other, merged) = (path("one"), path("other"), path("merged"));
    let load = ["--scenario", "steady", "--rate", "50", "--duration", "1", "--connections", "2"];
    for (report, code) in [(&one, 3), (&other, 0)] {
        let mut run = command();
        run.args(["run", "--report", report]).args(load).env("DOORBUSTER_URL", &server.url);
        run.args(["--run", if code == 3 { "a" } else { "b" }]);
        let (ended, told) = match code {
            3 => ended(run.stdout(full())),
            _ => ended(run.stdout(closed())),
        };
        assert_eq!(ended, code, "{told}");
        assert!(!told.contains("panicked"), "{told}");
        assert!(Path::new(report).join("report.html").is_file(), "{told}");
    }
    check(&["report", "diff", &one, &other]);
    let (code, told) = ended(
        command().args(["report", "merge", &one, &other, "--report", &merged]).stdout(full()),
    );
    assert_eq!(code, 3, "{told}");
}

#[test]
fn a_count_of_nothing_is_a_mistake_in_the_command() {
    for arguments in [
        "engine --orders 0",
        "engine --turn 0",
        "idle --seconds 0",
        "feed --rounds 0",
        "feed --connections 0",
        "batch --rounds 0",
        "batch --connections 4,0",
        "batch --total 0",
        "images --rounds 0",
        "restart --starts 0",
        "overload --factors 0",
        "stall --connections 0",
        "strangers --names 0",
        "tables --offers 0",
        "completions cobol",
    ] {
        let ran = bench(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 2, "{arguments}: {ran:?}");
        assert!(ran.err.starts_with("error: "), "{arguments}: {ran:?}");
    }
}

#[test]
fn help_shells_and_man_are_told_of_every_command() {
    let help = bench(&["--help"]).out;
    for part in ["Exit codes: 0 good", "DOORBUSTER_URL", "DOORBUSTER_TOKEN", "Examples:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(bench(&["completions", "fish"]).out.contains("overload"));
    assert!(bench(&["man"]).out.contains(".TH doorbuster-bench"));
    let place = folder();
    let ran = bench(&["man", "--to", place.path().to_str().expect("a path in UTF-8")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(fs::read(place.path().join("doorbuster-bench-run.1")).is_ok());
}
