//! The signals of this process, watched in the background from the very beginning.
//!
//! SIGTERM and SIGINT: while the server starts, one ends the process; once it serves, the first is
//! reported and a second ends the process at once. SIGHUP is reported at any time. SIGUSR1, SIGUSR2
//! and SIGALRM mean nothing here and end nothing; SIGXFSZ becomes an error of the write that it
//! comes with. SIGQUIT is left to the system: it ends the process at once. Never drains or reloads
//! anything itself. Next: `server`, `reload`.

use crate::process::log;
use rustix::process::Signal as System;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that do nothing here, but would end a process that does not handle them.
const WITHOUT_EFFECT: [System; 4] = [System::XFSZ, System::USR1, System::USR2, System::ALARM];

/// Whose signals are watched.
#[derive(Debug)]
pub struct Signals {
    serving: Arc<AtomicBool>,
    /// Where else a stop may be asked for.
    pub(crate) stop: Sender<()>,
    /// Each time that a stop is asked for.
    pub(crate) stopped: Receiver<()>,
    /// Each SIGHUP; those that come while one waits there are one with it.
    pub(crate) hangups: Receiver<()>,
}

impl Signals {
    /// Handles them from its return on.
    ///
    /// # Errors
    /// When the system has no thread or handler to give.
    pub fn watch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let stops = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        for ignored in WITHOUT_EFFECT {
            // Its handler stays when this goes.
            drop(signal(SignalKind::from_raw(ignored.as_raw()))?);
        }
        drop(entered);
        let serving = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = mpsc::channel();
        let (hang_up, hangups) = mpsc::sync_channel(1);
        let watch = watch(stops, hangup, serving.clone(), stop.clone(), hang_up);
        let thread = thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || runtime.block_on(watch))?;
        Ok(Self { serving, stop, stopped, hangups })
    }

    /// What says that it serves.
    pub(crate) fn serving(&self) -> Arc<AtomicBool> {
        self.serving.clone()
    }
}

/// Makes a write beyond the limit on file sizes an error of that write; otherwise its signal ends
/// the process. [`Signals::watch`] does it too; this is for tools that write and watch no signal.
///
/// # Errors
/// When the system has no handler to give.
pub fn outlive_file_limit() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    signal(SignalKind::from_raw(System::XFSZ.as_raw())).map(drop)
}

async fn watch(
    [mut terminate, mut interrupt]: [Signal; 2],
    mut hangup: Signal,
    serving: Arc<AtomicBool>,
    stop: Sender<()>,
    hang_up: SyncSender<()>,
) {
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
            _ = hangup.recv() => {
                // One that waits there is answered with what stands in the files after this one.
                let _ = hang_up.try_send(());
                continue;
            }
        }
        if !serving.load(Ordering::SeqCst) {
            tracing::info!("stopped while recovering; nothing was served or lost");
            log::flush();
            std::process::exit(0);
        }
        if stopping {
            tracing::warn!("stopped by a second signal; the next start recovers");
            log::flush();
            std::process::exit(1);
        }
        stopping = true;
        // Where a drain was asked for in another way, it goes on.
        let _ = stop.send(());
    }
}
