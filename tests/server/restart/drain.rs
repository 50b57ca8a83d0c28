//! SIGTERM under load, again and again on one directory.
//!
//! Owns when the server is told to stop, and that a stop keeps its word: it exits with 0, its
//! snapshot holds everything, and the next start has nothing to replay. That every request was
//! answered or may be asked again, and that nothing is lost, is in the crowd of
//! `tests/directories`. More of them:
//!
//!     DRAIN_CYCLES=500 cargo test --release --test server restart::drain::

use crate::TARGET;
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_support::process::{Server, Stopped};
use doorbuster_test_support::wait;

const CYCLES: u64 = 6;

fn cycles() -> u64 {
    std::env::var("DRAIN_CYCLES").map_or(CYCLES, |cycles| cycles.parse().expect("a number"))
}

/// The snapshot of the stop is the newest, and holds all of it.
fn check_nothing_to_replay(server: &Server, stopped: &Stopped) {
    let status = server.connect().get("/v1/status");
    assert_eq!(status["epoch"], stopped.epoch + 1, "{status}");
    let all = format!("recovered events={0} snapshot_sequence={0}\n", stopped.sequence);
    wait::until(&all, || server.complaints().contains(&all).then_some(()));
}

/// Stops under load exit in order lose nothing and leave nothing to replay.
#[test]
fn stops_under_load_lose_nothing_and_leave_nothing_to_replay() {
    let data = TARGET.directory();
    let mut crowd = Crowd::new(TARGET.random());
    let start = || Crowd::launch(TARGET, data.path()).start();
    let mut server = start();
    open_sale(&server);
    for _ in 0..cycles() {
        let mut stopped = None;
        crowd.rush(server, |server| {
            let exit = server.stop();
            stopped = Some(exit.stopped());
            exit
        });
        server = start();
        check_nothing_to_replay(&server, &stopped.expect("it was stopped"));
        crowd.check_sample(&server);
    }
    crowd.check_all(server, data.path());
}
