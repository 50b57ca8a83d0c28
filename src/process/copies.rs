//! Copies of the journal that are not there: a stand-in for other machines, so that tests can see
//! what waits for them. In every other build there is none.
//!
//! Owns their pace. Where `FAILPOINTS_COPIES_MS` is set, all that is stored counts as copied so
//! many milliseconds later; while [`Failpoint::Copies`] is armed, nothing more does, and the standing
//! says since when. Next: `testing::failpoints`, `ring::copy_progress`.

use crate::ring::CopyProgress;
use crate::shared::clock::Clock;
use crate::shared::standing::{Standing, StandingCell};
use crate::testing::failpoints::{Failpoint, armed};
use std::sync::Arc;
use std::time::Duration;

/// Starts the copies, if the environment asks for them.
///
/// # Errors
/// When the system has no thread.
///
/// # Panics
/// If the variable holds no number.
pub(crate) fn start(
    progress: CopyProgress,
    clock: Clock,
    standing: Arc<StandingCell>,
) -> std::io::Result<()> {
    let Ok(lag_ms) = std::env::var("FAILPOINTS_COPIES_MS") else { return Ok(()) };
    let lag = Duration::from_millis(lag_ms.parse().expect("FAILPOINTS_COPIES_MS is a number"));
    progress.publish(progress.cursors().appended());
    let thread = std::thread::Builder::new().name("copies".to_owned());
    let stand = move |unreplicated_since_ms| {
        standing.store(Standing {
            is_replicated: true,
            unreplicated_since_ms,
            ..Standing::default()
        });
    };
    stand(None);
    let follow = move || {
        let mut since_ms = None;
        loop {
            let appended = progress.cursors().appended();
            clock.sleep(lag);
            if armed(Failpoint::Copies) {
                if progress.cursors().copied() < progress.cursors().appended() {
                    since_ms = since_ms.or_else(|| Some(clock.elapsed_ms()));
                    stand(since_ms);
                }
                continue;
            }
            // Before an answer leaves: its client may begin something new at once.
            if since_ms.take().is_some() {
                stand(None);
            }
            progress.publish(appended);
        }
    };
    thread.spawn(follow).map(drop)
}
