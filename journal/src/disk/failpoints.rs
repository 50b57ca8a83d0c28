//! Failpoints: where a build with the feature `failpoints` fails on purpose, so that tests of the
//! real binaries see what comes of it. In every other build there are none.
//!
//! Owns how one is chosen. `FAILPOINTS_FILE` in the environment names a file: a failpoint is armed
//! while the file holds its word. `FAILPOINTS_KILL_AT=snapshotter:7` names a thread and a step of
//! its changes to a directory: before that step the process dies as by `kill -9`; the step is
//! printed on standard error. Never changes what a step does. Read `file_disk` for the steps, and
//! the server's `testing/failpoints` for its own words.

#[cfg(feature = "failpoints")]
pub use built_in::armed;
#[cfg(feature = "failpoints")]
pub(crate) use built_in::{before_step, stall_sync};

#[cfg(feature = "failpoints")]
mod built_in {
    use std::cell::Cell;
    use std::io::Write as _;
    use std::thread;
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    /// Between two looks at a failpoint that holds a thread.
    const LOOK: Duration = Duration::from_millis(1);

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    /// Returns whether the failpoint of this word is armed now.
    #[must_use]
    pub fn armed(word: &str) -> bool {
        let file = std::env::var_os("FAILPOINTS_FILE");
        let words = file.and_then(|file| std::fs::read_to_string(file).ok());
        words.is_some_and(|words| words.split_whitespace().any(|armed| armed == word))
    }

    /// Lets no data sync of a mapping begin while `Sync` is armed: a disk that stands still.
    pub(crate) fn stall_sync() {
        while armed("Sync") {
            thread::sleep(LOOK);
        }
    }

    /// Kills the process if the environment names this step of this thread.
    pub(crate) fn before_step(operation: &str, what: &str) {
        let Ok(point) = std::env::var("FAILPOINTS_KILL_AT") else { return };
        let Some((thread, step)) = point.split_once(':') else { return };
        if thread::current().name() != Some(thread) {
            return;
        }
        let taken = STEPS.get() + 1;
        STEPS.set(taken);
        if step.parse() == Ok(taken) {
            // The parent may have closed standard error.
            let _ = writeln!(std::io::stderr(), "killed before: {operation} {what}");
            let _ = kill_process(getpid(), Signal::KILL);
            // Wait for the signal.
            loop {
                thread::park();
            }
        }
    }
}

/// Does nothing in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn stall_sync() {}

/// Does nothing in a build without the feature.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn before_step(_: &str, _: &str) {}
