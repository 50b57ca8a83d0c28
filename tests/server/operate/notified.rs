//! The server under a service manager (`sd_notify(3)`), played by a socket, and its unit file.
//!
//! Owns what is told when: ready, reloading, stopping, and that the writer lives. Which manager it
//! is does not matter to the server; `systemd-analyze` reads the unit. Next: `logging`.

use crate::TARGET;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::Launch;
use doorbuster_test_support::wait::Deadline;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Hears what a service tells its manager.
pub(crate) struct Supervisor {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Supervisor {
    /// With its socket in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a path that is short enough");
        Self { socket, path }
    }

    /// Has this one tell it.
    pub(crate) fn over(&self, launch: Launch) -> Launch {
        launch.environment("NOTIFY_SOCKET", self.path.to_str().expect("a path in UTF-8"))
    }

    /// The next that is told.
    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        self.socket.set_read_timeout(Some(Deadline::from_now().left())).expect("it waits");
        let count = self.socket.recv(&mut bytes).expect("something is told");
        String::from_utf8(bytes[..count].to_vec()).expect("it is text")
    }

    /// The next that begins like this.
    pub(crate) fn until(&self, beginning: &str) -> String {
        loop {
            let told = self.next();
            if told.starts_with(beginning) {
                return told;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_start_reload_and_stop_in_their_order() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let server = supervisor.over(TARGET.launch(&place.path().join("data")).small()).start();
    let recovering = supervisor.next();
    assert!(recovering.starts_with("STATUS=recovering\nEXTEND_TIMEOUT_USEC="), "{recovering}");
    let ready = supervisor.next();
    assert_eq!(ready, format!("READY=1\nSTATUS=listening on http://{}\n", server.address));
    server.hang_up();
    let reloading = supervisor.next();
    let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("when it began");
    // The system's clock, not the process's: it began long before this test.
    assert!(moment.trim().parse::<u64>().expect("a number") > 1_000_000, "{reloading}");
    assert_eq!(supervisor.next(), "READY=1\n");
    server.terminate();
    assert!(supervisor.next().starts_with("STOPPING=1\n"));
    server.wait().stopped();
}

#[test]
fn a_writer_that_turns_is_told_while_nobody_asks_for_anything() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let launch = supervisor.over(TARGET.launch(&place.path().join("data")).small());
    let server = launch.environment("WATCHDOG_USEC", "60000").start();
    for _ in 0..20 {
        supervisor.until("WATCHDOG=1");
    }
    server.connect().put_sku("s", &json!({"stock": 1}));
    supervisor.until("WATCHDOG=1");
    server.stop().stopped();
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let launch = supervisor.over(TARGET.launch(&place.path().join("data")).small());
    let launch = launch.environment("WATCHDOG_USEC", "1000").environment("WATCHDOG_PID", "1");
    let server = launch.start();
    supervisor.until("READY=1");
    server.hang_up();
    // A fed one would have come between: it is due a thousand times a second.
    assert!(supervisor.next().starts_with("RELOADING=1"));
    server.stop().stopped();
}

#[test]
fn a_manager_that_is_not_there_keeps_nothing_from_going_on() {
    let place = TARGET.directory();
    let launch = |socket: &str| {
        let launch = TARGET.launch(&place.path().join("data")).small();
        launch.environment("NOTIFY_SOCKET", socket).start()
    };
    let gone = place.path().join("gone");
    let server = launch(gone.to_str().expect("a path in UTF-8"));
    server.connect().put_sku("s", &json!({"stock": 1}));
    server.stop().stopped();
    let exit = launch("vsock:2:1").stop();
    assert!(exit.complaints.contains("NOTIFY_SOCKET"), "{exit:?}");
    exit.stopped();
}

const UNIT: &str = include_str!("../../../deploy/doorbuster.service");
const VOLUME: &str = include_str!("../../../deploy/doorbuster-volume.conf");
const INSTALLED: &str = "/usr/local/bin/doorbuster";

#[test]
fn the_unit_file_is_one_that_systemd_takes() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no package systemd");
        eprintln!("skipped: systemd-analyze is not installed (package systemd)");
        return;
    }
    let place = TARGET.directory();
    let unit = place.path().join("doorbuster.service");
    // Not installed, the binary of this build stands in its place.
    assert!(UNIT.contains(INSTALLED));
    let text = UNIT.replace(INSTALLED, TARGET.server);
    fs::write(&unit, text).expect("a file of ours");
    verified(&unit);
    // And with what differs on a replicated volume.
    let beside = place.path().join("doorbuster.service.d");
    fs::create_dir(&beside).expect("a folder of ours");
    fs::write(beside.join("volume.conf"), VOLUME).expect("a file of ours");
    verified(&unit);
}

fn verified(unit: &Path) {
    let output = Command::new("systemd-analyze").arg("verify").arg(unit).output();
    let output = output.expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("doorbuster"), "{told}");
}

#[test]
fn the_unit_starts_the_server_as_it_is() {
    let line = |name: &str| UNIT.lines().find_map(|line| line.strip_prefix(name));
    let start = line("ExecStart=").and_then(|line| line.strip_prefix(INSTALLED));
    let words = start.expect("it starts the binary").split_whitespace();
    // The file that it names is the operator's; its flags are ours.
    let words: Vec<&str> = words.filter(|word| !word.starts_with("--config")).collect();
    assert!(words.contains(&"serve"), "{words:?}");
    let flags = words.into_iter().filter(|word| *word != "serve");
    let launch =
        flags.fold(TARGET.launch_bare().argument("config"), |launch, flag| launch.argument(flag));
    let exit = launch.run();
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.lines.contains(&"data = \"/var/lib/doorbuster\"".to_owned()), "{exit:?}");
    let settings = line("ExecReload=").expect("it can be reloaded");
    assert!(settings.ends_with("kill -HUP $MAINPID"), "{settings}");
}

#[test]
fn signals_without_a_meaning_here_end_nothing() {
    let place = TARGET.directory();
    let supervisor = Supervisor::new(place.path());
    let server = supervisor.over(TARGET.launch(&place.path().join("data")).small()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1}));
    for signal in [Signal::USR1, Signal::USR2, Signal::ALARM, Signal::XFSZ, Signal::PIPE] {
        server.signal(signal);
        // Answered behind it: a signal to a process is delivered before the next one.
        server.hang_up();
        supervisor.until("RELOADING=1");
        supervisor.until("READY=1");
    }
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    server.stop().stopped();
}
