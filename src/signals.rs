//! SIGTERM and SIGINT, watched in the background: while the server recovers, one ends the process;
//! once it serves, the first is reported and a second ends the process at once.
//!
//! Never drains anything itself. Next: `server`.

use crate::tell::tell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of this process.
pub(crate) struct Signals {
    serving: Arc<AtomicBool>,
    stopped: Receiver<()>,
}

impl Signals {
    /// Handles them from its return on.
    ///
    /// # Errors
    /// When the system has no thread or handler to give.
    pub(crate) fn watch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let stops = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        // Would end the process otherwise; there is nothing to reload yet.
        let hangup = signal(SignalKind::hangup())?;
        drop(entered);
        let serving = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = mpsc::channel();
        let watch = watch(stops, hangup, serving.clone(), stop);
        let thread = thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || runtime.block_on(watch))?;
        Ok(Self { serving, stopped })
    }

    /// From here on a signal means to stop in order; it comes out here. Dropping that says that the
    /// stop has begun.
    pub(crate) fn serving(self) -> Receiver<()> {
        self.serving.store(true, Ordering::SeqCst);
        self.stopped
    }
}

async fn watch(
    [mut terminate, mut interrupt]: [Signal; 2],
    _hangup: Signal,
    serving: Arc<AtomicBool>,
    stop: Sender<()>,
) {
    loop {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        if !serving.load(Ordering::SeqCst) {
            tell(format_args!("stopped while recovering; nothing was served or lost"));
            std::process::exit(0);
        }
        if stop.send(()).is_err() {
            tell(format_args!("stopped by a second signal; the next start recovers"));
            std::process::exit(1);
        }
    }
}
