//! Kill points: between any two changes of a directory, a build with the feature `faults` can die
//! as by `kill -9`, so that tests of the real binaries see how the next start continues. In every
//! other build there are none.
//!
//! Owns how a point is chosen: `FAULTS_KILL_AT=snapshotter:7` in the environment names a thread and
//! the step that it does not take any more. The step is printed on standard error. Never changes
//! what a step does. Read `file_disk.rs` for the steps.

/// Kills the process if the environment names this step of this thread.
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
        // The parent may have closed standard error.
        let _ = writeln!(std::io::stderr(), "killed before: {operation} {what}");
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // Wait for the signal.
        loop {
            std::thread::park();
        }
    }
}

/// Does nothing in a build without the feature.
#[cfg(not(feature = "faults"))]
pub(crate) const fn kill_point(_: &str, _: &str) {}
