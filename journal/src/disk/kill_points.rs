//! The named points between any two changes of a directory, at which a build made for it dies as by
//! `kill -9`, so that tests of the real binaries can see what the next start makes of it. In every
//! other build there are none.
//!
//! Owns how a point is chosen: `FAULTS_KILL_AT=snapshotter:7` in the environment names a thread and
//! which of its steps is not taken any more. What is about to be done is told on standard error.
//! Never changes what a step does. Read `file_disk.rs` for the steps.

/// The process dies before this, if it was told to.
#[cfg(feature = "faults")]
pub(crate) fn kill_point(operation: &str, what: &str) {
    use std::cell::Cell;
    use std::io::Write as _;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }
    let Ok(point) = std::env::var("FAULTS_KILL_AT") else { return };
    let Some((thread, step)) = point.split_once(':') else { return };
    let current = std::thread::current();
    if current.name() != Some(thread) {
        return;
    }
    let taken = STEPS.get() + 1;
    STEPS.set(taken);
    if step.parse() == Ok(taken) {
        // Whoever killed the process may have closed its standard error, too.
        let _ = writeln!(std::io::stderr(), "killed before: {operation} {what}");
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // Until the signal is there.
        loop {
            std::thread::park();
        }
    }
}

/// It does not.
#[cfg(not(feature = "faults"))]
pub(crate) const fn kill_point(_: &str, _: &str) {}
