//! Messages to the service manager (`sd_notify(3)`): ready, reloading, stopping, how a recovery
//! goes, and that the writer lives.
//!
//! Owns the datagrams and when each may be sent. Without `NOTIFY_SOCKET` nothing is sent. Never
//! decides anything about the server, and an error of the socket stops nothing. Next: `server`.

use crate::ring::{Caller, Cursors};
use crate::shared::clock::{self, Clock};
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// A manager that does not read holds no thread up for longer.
const SEND_MAX: Duration = Duration::from_secs(1);
/// Within the time in which the manager must hear from the writer, it is looked at so often: one
/// look that finds a long turn is no alarm yet.
const LOOKS: u32 = 3;

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const STOPPING: u8 = 2;

/// The service manager, if there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manager(Option<Arc<Way>>);

#[derive(Debug)]
struct Way {
    socket: UnixDatagram,
    address: SocketAddr,
    phase: AtomicU8,
}

impl Manager {
    /// The one that the environment names, if it can be told anything.
    pub(crate) fn of_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        Self::at(&name).unwrap_or_else(|error| {
            let (socket, cause) = (name.to_string_lossy().into_owned(), error.to_string());
            tracing::warn!(
                socket,
                cause,
                "the service manager in NOTIFY_SOCKET is not told anything"
            );
            Self::default()
        })
    }

    pub(crate) fn at(name: &OsString) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
            [b'/', ..] => SocketAddr::from_pathname(name),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no Unix socket")),
        }?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_MAX))?;
        Ok(Self(Some(Arc::new(Way { socket, address, phase: AtomicU8::new(STARTING) }))))
    }

    fn send(&self, lines: &str) {
        if let Some(way) = &self.0
            && let Err(error) = way.socket.send_to_addr(lines.as_bytes(), &way.address)
        {
            let cause = error.to_string();
            tracing::debug!(cause, "the service manager was not told");
        }
    }

    fn enter(&self, phase: u8) {
        if let Some(way) = &self.0 {
            way.phase.store(phase, Ordering::SeqCst);
        }
    }

    fn is_in(&self, phase: u8) -> bool {
        self.0.as_ref().is_some_and(|way| way.phase.load(Ordering::SeqCst) == phase)
    }

    pub(crate) fn ready(&self, status: &str) {
        self.enter(SERVING);
        self.send(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// Files and settings are read again. Says nothing where it does not serve: a READY after it
    /// would be untrue.
    pub(crate) fn reload<T>(&self, work: impl FnOnce() -> T) -> T {
        let told = self.is_in(SERVING);
        if told {
            let now_us = clock::system_monotonic_us();
            self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now_us}\n"));
        }
        let done = work();
        if told && self.is_in(SERVING) {
            self.send("READY=1\n");
        }
        done
    }

    /// Says that the server drains, and how long that takes at most.
    pub(crate) fn stopping(&self, at_most_ms: u64) {
        self.enter(STOPPING);
        let extend_us = at_most_ms.saturating_mul(1000);
        let status = "STATUS=draining";
        self.send(&format!("STOPPING=1\n{status}\nEXTEND_TIMEOUT_USEC={extend_us}\n"));
    }

    /// Says that the start goes on: the manager is to wait so much longer.
    pub(crate) fn starting(&self, status: &str, more_ms: u64) {
        let extend_us = more_ms.saturating_mul(1000);
        self.send(&format!("STATUS={status}\nEXTEND_TIMEOUT_USEC={extend_us}\n"));
    }

    /// How often it wants to hear that the writer lives, if it does.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?;
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        number("WATCHDOG_USEC").filter(|us| ours && *us > 0).map(Duration::from_micros)
    }
}

/// Who looks whether the writer lives, on a thread of its own.
pub(crate) struct Watchdog {
    /// The service manager, which it notifies.
    pub(crate) manager: Manager,
    /// Within this the manager must hear.
    pub(crate) within: Duration,
    pub(crate) writer: Caller,
    /// Where its turns are counted.
    pub(crate) cursors: Arc<Cursors>,
    /// For the age of a sync.
    pub(crate) clock: Clock,
    /// Its other end is gone once the server stops: then the manager's time for a stop holds.
    pub(crate) stopping: Receiver<()>,
}

impl Watchdog {
    /// Tells the manager again and again that the writer took a turn; ends with the process.
    ///
    /// An idle writer sleeps, so it is called, and looked at the next time. In a data sync it
    /// cannot take turns and lives: another process would wait for the same disk, so a stalled disk
    /// is shown by `/readyz`, the metrics and the alert, and not by killing the server.
    pub(crate) fn run(self) {
        let mut stops = false;
        loop {
            let begun = self.cursors.turns_begun();
            self.writer.call();
            if stops {
                self.clock.sleep(self.within / LOOKS);
            } else {
                let waited = self.stopping.recv_timeout(self.within / LOOKS);
                stops = waited != Err(RecvTimeoutError::Timeout);
            }
            if stops || lives(&self.cursors, begun, self.clock.elapsed_ms()) {
                self.manager.send("WATCHDOG=1\n");
            }
        }
    }
}

/// Says whether the writer has begun a turn since there were so many, or is in a data sync.
fn lives(cursors: &Cursors, begun: u64, now_ms: u64) -> bool {
    cursors.sync_age_ms(now_ms) > 0 || cursors.turns_begun() != begun
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::SyncSpan;

    #[test]
    fn a_socket_by_path_or_by_abstract_name_is_told_and_no_other() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let abstract_name = format!("@doorbuster-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name[1..]).unwrap();
        for (name, socket) in [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (abstract_name.into(), UnixDatagram::bind_addr(&address).unwrap()),
        ] {
            let manager = Manager::at(&name).unwrap();
            let mut bytes = [0; 256];
            let mut told = || {
                let count = socket.recv(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes[..count]).into_owned()
            };
            // Before it serves, a reload is not told.
            manager.reload(|| ());
            manager.ready("listening");
            assert_eq!(told(), "READY=1\nSTATUS=listening\n");
            manager.reload(|| ());
            assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
            assert_eq!(told(), "READY=1\n");
            manager.reload(|| manager.stopping(5));
            assert!(told().starts_with("RELOADING=1\n"));
            assert_eq!(told(), "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=5000\n");
            manager.starting("recovering", 1);
            assert!(told().starts_with("STATUS="), "no READY came behind a stop");
        }
        assert!(Manager::at(&"vsock:2:1234".into()).is_err());
    }

    #[test]
    fn a_writer_lives_while_it_takes_turns_or_waits_for_the_disk() {
        let cursors = Cursors::default();
        let begun = cursors.turns_begun();
        assert!(!lives(&cursors, begun, 50), "it was called and did not come");
        cursors.begin_sync(10);
        assert!(lives(&cursors, begun, 50), "the disk stands still, not the writer");
        cursors.end_sync(SyncSpan::default());
        assert!(!lives(&cursors, begun, 90));
        cursors.count_turn();
        assert!(lives(&cursors, begun, 90));
        assert!(!lives(&cursors, cursors.turns_begun(), 130));
    }

    #[test]
    fn a_manager_that_is_gone_stops_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let manager = Manager::at(&folder.path().join("gone").into_os_string()).unwrap();
        manager.ready("listening");
        assert_eq!(manager.reload(|| 7), 7);
        assert_eq!(Manager::default().watchdog(), None);
    }
}
