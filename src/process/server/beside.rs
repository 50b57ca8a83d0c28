//! Threads beside a server that listens: they watch the directory, give memory back, read files again
//! and tell the service manager that the writer lives. All of them end with the process.
//!
//! Next: `reload`, `systemd`, `background::memory`.

use super::ServerError;
use super::parts::start_error;
use crate::background::memory;
use crate::domain::model::settings::Settings;
use crate::engine::recovery::Lock;
use crate::http::Front;
use crate::process::log;
use crate::process::reload::Files;
use crate::process::systemd::{Manager, Watchdog};
use crate::ring::Caller;
use crate::shared::clock::Clock;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;

/// Between two looks whether the data directory is still where it was.
const GUARD_PAUSE: Duration = Duration::from_secs(1);

/// Ends the process when its directory is no longer where it was: what is at the path then may be
/// another server's, and new segments would be made there. It ends with the process.
pub(super) fn start_guard(lock: &Arc<Lock>, clock: Clock) -> Result<(), ServerError> {
    let lock = Arc::downgrade(lock);
    let guard = move || {
        while let Some(lock) = lock.upgrade() {
            if !lock.is_still_there() {
                tracing::error!(
                    "the data directory, or its journal, is no longer at its path: it was moved, \
                     replaced or mounted over; stopping at once, so that nothing is written into \
                     another's. Put it back and start again"
                );
                log::flush();
                std::process::abort();
            }
            drop(lock);
            clock.sleep(GUARD_PAUSE);
        }
    };
    let thread = thread::Builder::new().name("guard".to_owned());
    thread.spawn(guard).map(drop).map_err(start_error("the guard of the directory"))
}

/// Starts the thread that gives memory back. It ends with the process.
pub(super) fn start_giving_back(front: &Arc<Front>, clock: Clock) -> Result<(), ServerError> {
    let front = front.clone();
    let thread = thread::Builder::new().name("memory".to_owned());
    let give_back = move || memory::give_back(clock, || front.ended_connections());
    thread.spawn(give_back).map(drop).map_err(start_error("the thread that gives memory back"))
}

/// Starts the thread that reads files again on a hang-up. It ends with the process.
pub(super) fn start_reloading(
    mut files: Files,
    hangups: Receiver<()>,
    manager: Manager,
    (settings, writer): (Sender<Settings>, Caller),
) -> Result<(), ServerError> {
    let reload = move || {
        for () in hangups {
            // A writer that has stopped needs no settings.
            if settings.send(manager.reload(|| files.reload())).is_ok() {
                writer.call();
            }
        }
    };
    let thread = thread::Builder::new().name("reload".to_owned());
    thread.spawn(reload).map(drop).map_err(start_error("the reload thread"))
}

/// Only where a service manager wants to hear from it; it ends with the process.
pub(super) fn start_watchdog(
    manager: &Manager,
    front: &Front,
    writer: Caller,
    stopping: Receiver<()>,
) -> Result<(), ServerError> {
    let Some(within) = manager.watchdog() else { return Ok(()) };
    let (cursors, clock) = (front.cursors.clone(), front.clock);
    let watchdog = Watchdog { manager: manager.clone(), within, writer, cursors, clock, stopping };
    let thread = thread::Builder::new().name("watchdog".to_owned());
    thread.spawn(move || watchdog.run()).map(drop).map_err(start_error("the watchdog"))
}
