//! Lines on standard error: their form, their levels, and a reader who does not read.
//!
//! Owns the form alone; what is told is tested where it happens.

use crate::TARGET;
use crate::operate::notified::Supervisor;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::Launch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

/// A sentence with a field, at the start; one without, at a reload; and one that warns.
fn talkative(launch: Launch) -> Launch {
    launch.argument("--insecure").variable("LISTEN", "0.0.0.0:0")
}

#[track_caller]
fn check_time(text: &str) {
    let form = "0000-00-00T00:00:00.000Z";
    let fits = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    };
    assert!(text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits), "{text}");
}

#[test]
fn a_line_has_time_level_module_message_and_fields() {
    let data = TARGET.directory();
    let mut launch = TARGET.launch_bare().argument("--data").argument(data.path());
    launch = talkative(launch.variable("JOURNAL_SEGMENT_BYTES", "1048576").small());
    let server = launch.start();
    server.reload("took the limits");
    let exit = server.stop();
    assert!(!exit.complaints.contains('\u{1b}'), "no colours where nobody looks: {exit:?}");
    for line in exit.complaints.lines() {
        let mut words = line.split_whitespace();
        check_time(words.next().expect("a time"));
        assert!(["INFO", "WARN"].contains(&words.next().expect("a level")), "{line}");
        let module = words.next().expect("a module");
        assert!(module.starts_with("doorbuster::") && module.ends_with(':'), "{line}");
    }
    let (open, took) =
        ("WARN doorbuster::process::server", "INFO doorbuster::process::reload: took the limits");
    assert!(exit.complaints.contains(open) && exit.complaints.contains(took), "{exit:?}");
    assert!(exit.complaints.contains(" address=\"0.0.0.0:"), "{exit:?}");
    // Only a build that can fail on purpose says that it is one.
    let warned = exit.complaints.contains("failpoints");
    assert_eq!(warned, cfg!(feature = "failpoints"), "{exit:?}");
}

#[test]
fn as_json_a_line_is_an_object_with_its_fields() {
    let data = TARGET.directory();
    let launch = TARGET.launch_bare().argument("--data").argument(data.path());
    let launch = talkative(launch.variable("JOURNAL_SEGMENT_BYTES", "1048576").small());
    let server = launch.variable("LOG_FORMAT", "json").start();
    server.reload("took the limits");
    let address = server.address.to_string();
    let exit = server.stop();
    let lines: Vec<Value> = exit
        .complaints
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    for line in &lines {
        check_time(line["timestamp"].as_str().expect("a time"));
        assert!(line["level"] == "WARN" || line["level"] == "INFO", "{line}");
        assert!(line["target"].as_str().is_some_and(|target| target.starts_with("doorbuster")));
    }
    let told = |part: &str| {
        let has = |line: &&Value| line["message"].as_str().is_some_and(|told| told.contains(part));
        lines.iter().find(has).unwrap_or_else(|| panic!("no {part:?} in {lines:?}"))
    };
    assert_eq!(told("without tokens")["address"], address);
    assert_eq!(told("took the limits")["level"], "INFO");
}

#[test]
fn the_level_says_what_is_told_and_a_reload_changes_it() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let settings = place.path().join("settings.toml");
    let level = |level: &str| {
        fs::write(&settings, format!("[log]\nlevel = \"{level}\"\n")).expect("a file of ours");
    };
    level("error");
    let launch = TARGET.launch(&place.path().join("data")).small();
    let server = supervisor.over(launch.argument("--config").argument(&settings)).start();
    let reload = || {
        server.hang_up();
        supervisor.until("RELOADING=1");
        supervisor.until("READY=1");
    };
    reload();
    assert_eq!(server.complaints(), "");
    level("debug");
    server.reload("took the limits and address lists");
    server.connect().ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    doorbuster_test_support::wait::until("what only debug tells", || {
        server
            .complaints()
            .contains("DEBUG doorbuster::background::snapshotter: took a snapshot")
            .then_some(())
    });
    level("error");
    supervisor.until("READY=1");
    reload();
    let before = server.complaints();
    reload();
    assert_eq!(server.stop().complaints, before);
}

/// A log that nobody reads stops nothing and says how much was lost.
#[test]
fn an_unread_log_stops_nothing_and_counts_what_was_lost() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let settings = place.path().join("settings.toml");
    fs::write(&settings, "").expect("a file of ours");
    let launch = TARGET.launch(&place.path().join("data")).small();
    let launch = launch.argument("--config").argument(&settings);
    let mut command = supervisor.over(launch).command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server's binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = lines.next().expect("a line").expect("it is text");
    let url = first.split(' ').nth(2).and_then(|url| url.strip_prefix("http://"));
    let address = url.and_then(|url| url.parse().ok()).unwrap_or_else(|| panic!("{first}"));
    let client =
        &mut doorbuster_test_support::client::Client::connect(address).expect("it listens");
    client.put_sku("s", &json!({"stock": 100}));
    supervisor.until("READY=1");
    // Its error quotes the line, so one fills the pipe and twenty the queue behind it.
    fs::write(&settings, format!("nothing = {}\n", "x".repeat(60_000))).expect("a file of ours");
    for number in 0..40 {
        kill_process(Pid::from_child(&child), Signal::HUP).expect("it still runs");
        supervisor.until("RELOADING=1");
        supervisor.until("READY=1");
        let key = format!("k{number}");
        client.ask(&Ask::order(&key, &key, "s", 1)).expect(201);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    // It does not wait for ever for a reader: its last line comes though nobody has read.
    let last = lines.next().expect("a line").expect("it is text");
    assert!(last.starts_with("stopped "), "{last}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let mut told = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut told).expect("it is text");
    assert!(told.contains("kept the limits and address lists as they were"), "{told}");
}

#[test]
fn lines_that_a_slow_reader_missed_are_counted() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let settings = place.path().join("settings.toml");
    fs::write(&settings, "").expect("a file of ours");
    let launch = TARGET.launch(&place.path().join("data")).small();
    let launch = launch.argument("--config").argument(&settings);
    let mut command = supervisor.over(launch).command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server's binary runs");
    supervisor.until("READY=1");
    fs::write(&settings, format!("nothing = {}\n", "x".repeat(60_000))).expect("a file of ours");
    for _ in 0..40 {
        kill_process(Pid::from_child(&child), Signal::HUP).expect("it still runs");
        supervisor.until("RELOADING=1");
        supervisor.until("READY=1");
    }
    let told = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut told = told.lines().map(|line| line.expect("it is text"));
    let lost = told.find(|line| line.contains("lines were lost")).expect("it is told");
    let (_, lost) = lost.rsplit_once("lost=").expect("how many");
    assert!(lost.parse::<u64>().is_ok_and(|lost| lost > 0), "{lost}");
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    // A reader who stops now is a closed pipe, and no reason either.
    drop(told);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// Two servers that take themselves for one cluster would sell the same units.
#[test]
fn cluster_settings_without_replication_are_warned_of() {
    let warning = "this server replicates nothing";
    for (node, warned) in [("n1", true), ("", false)] {
        let data = TARGET.directory();
        let launch = TARGET.launch_bare().argument("--data").argument(data.path()).small();
        let launch = launch.argument("--listen").argument("127.0.0.1:0");
        let server = launch.variable("CLUSTER_NODE", node).start();
        assert_eq!(server.complaints().contains(warning), warned, "{node:?}");
        server.stop().stopped();
    }
}
