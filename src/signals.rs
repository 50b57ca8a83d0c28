//! SIGTERM and SIGINT, watched in the background: while the server recovers, one ends the process;
//! once it serves, the first is reported and a second ends the process at once. SIGHUP is reported at
//! any time.
//!
//! Never drains or reloads anything itself. Next: `server`, `reload`.

use crate::tell::tell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of this process.
pub(crate) struct Signals {
    serving: Arc<AtomicBool>,
}

impl Signals {
    /// Handles them from its return on; the one that asks to stop goes into `stop`. Each SIGHUP comes out of the receiver; those that come while
    /// one waits there are one with it.
    ///
    /// # Errors
    /// When the system has no thread or handler to give.
    pub(crate) fn watch(stop: Sender<()>) -> io::Result<(Self, Receiver<()>)> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let stops = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let hangup = signal(SignalKind::hangup())?;
        drop(entered);
        let serving = Arc::new(AtomicBool::new(false));
        let (hang_up, hangups) = mpsc::sync_channel(1);
        let watch = watch(stops, hangup, serving.clone(), stop, hang_up);
        let thread = thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || runtime.block_on(watch))?;
        Ok((Self { serving }, hangups))
    }

    /// From here on a signal means to stop in order, and a second one to end at once.
    pub(crate) fn serving(self) {
        self.serving.store(true, Ordering::SeqCst);
    }
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
            tell(format_args!("stopped while recovering; nothing was served or lost"));
            std::process::exit(0);
        }
        if stopping {
            tell(format_args!("stopped by a second signal; the next start recovers"));
            std::process::exit(1);
        }
        stopping = true;
        // Where a drain was asked for in another way, it goes on.
        let _ = stop.send(());
    }
}
