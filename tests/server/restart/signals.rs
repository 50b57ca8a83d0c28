//! Signals that come before the server serves.
//!
//! Owns that none of them ends a start by accident. What they do later is in `modes`, `rotation`
//! and `notified`.

use crate::TARGET;
use doorbuster_test_support::wait::Deadline;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

#[test]
fn a_hang_up_while_the_settings_are_read_ends_nothing() {
    let place = TARGET.directory();
    let settings = place.path().join("settings.toml");
    mknodat(CWD, &settings, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe by name");
    let mut command = TARGET
        .launch(&place.path().join("data"))
        .small()
        .argument("--config")
        .argument(&settings)
        .command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server's binary runs");
    // Opens once the server reads: it is in the middle of its start.
    let mut writing = File::options().write(true).open(&settings).expect("a reader comes");
    for signal in [Signal::HUP, Signal::USR1, Signal::HUP, Signal::USR2, Signal::ALARM] {
        kill_process(Pid::from_child(&child), signal).expect("it still runs");
    }
    // What the hang-up has read again.
    fs::remove_file(&settings).expect("it is ours");
    fs::write(&settings, "hold_ms_max = 60000\nhold_ms_default = 5000\n").expect("a file");
    writing.write_all(b"hold_ms_max = 50000\nhold_ms_default = 5000\n").expect("it is read");
    drop(writing);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = lines.next().expect("a line").expect("it is text");
    assert!(first.starts_with("listening on "), "{first}");
    let (line, told) = mpsc::channel();
    let complaining = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    thread::spawn(move || complaining.map_while(Result::ok).try_for_each(|one| line.send(one)));
    // The hang-up is heard of once, by what stands in the file now.
    let took = std::iter::from_fn(|| told.recv_timeout(Deadline::from_now().left()).ok());
    let took = took.take_while(|line| !line.contains("took the limits and address lists"));
    assert_eq!(took.collect::<Vec<_>>(), Vec::<String>::new());
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
