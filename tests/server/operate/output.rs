//! Standard output of the server: what it cannot take is an error, a reader who has gone is none
//! (API 7).
//!
//! Owns the exit codes of both, for every command that prints. What is printed is tested in
//! `configuration` and `command_line`.

use crate::TARGET;
use crate::operate::notified::Supervisor;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::Launch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io;
use std::process::Stdio;

const PRINTING: &[&[&str]] =
    &[&["config"], &["--help"], &["--version"], &["completions", "bash"], &["man"]];

fn launch(arguments: &[&str]) -> Launch {
    arguments.iter().fold(TARGET.launch_bare(), |launch, argument| launch.argument(*argument))
}

#[test]
fn what_cannot_be_printed_is_exit_3_with_the_reason() {
    for arguments in PRINTING {
        let exit = launch(arguments).behind("exec >/dev/full").run();
        assert_eq!(exit.code, Some(3), "{arguments:?}: {exit:?}");
        let told = exit.complaints.contains("cannot write to standard output: No space left");
        assert!(told, "{arguments:?}: {exit:?}");
    }
}

#[test]
fn a_reader_who_has_gone_is_no_error() {
    for arguments in PRINTING {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command = launch(arguments).command();
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_server_that_cannot_say_where_it_listens_stops_in_order() {
    let data = TARGET.directory();
    let exit = TARGET.launch(data.path()).behind("exec >/dev/full").run();
    assert_eq!(exit.code, Some(3), "{exit:?}");
    assert!(exit.complaints.contains("cannot write to standard output: No space"), "{exit:?}");
    let next = TARGET.launch(data.path()).start();
    let status = next.connect().get("/v1/status");
    assert_eq!(status["epoch"], 2, "{status}");
    // A snapshot of all that the first one held: it was drained.
    let exit = next.stop();
    let from_snapshot = |line: &str| {
        let events = line.split_once("recovered events=")?.1;
        let (events, snapshot) = events.split_once(" snapshot_sequence=")?;
        Some(events == snapshot)
    };
    assert_eq!(exit.complaints.lines().find_map(from_snapshot), Some(true), "{exit:?}");
}

#[test]
fn a_server_whose_reader_has_gone_serves_and_stops_in_order() {
    let data = TARGET.directory();
    let supervisor = Supervisor::new(data.path());
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let launch = supervisor.over(TARGET.launch(&data.path().join("data")).small());
    let mut child =
        launch.command().stdout(writer).stderr(Stdio::piped()).spawn().expect("it runs");
    let ready = supervisor.until("READY=1");
    let (_, url) = ready.split_once("http://").expect("it says where");
    let address = url.trim().parse().expect("an address");
    let client =
        &mut doorbuster_test_support::client::Client::connect(address).expect("it listens");
    client.put_sku("s", &json!({"stock": 1}));
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
