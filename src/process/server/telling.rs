//! What a start tells the operator: who can reach the server and read its directory, and what a
//! recovery found.
//!
//! Owns the sentences and their levels. Changes nothing. Next: `recovery`, `systemd`.

use crate::config::{Config, ReplicationMode};
use crate::domain::model::ids::Sequence;
use crate::engine::recovery::Recovered;
use crate::process::log;
use crate::process::systemd::Manager;
use crate::shared::clock::Clock;
use std::fs;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Between two words about a recovery that takes long.
const PROGRESS_MS: u64 = 1_000;
/// A recovery that was heard of is given so much longer.
const PATIENCE_MS: u64 = 60_000;

/// What every client on the network can read or do.
pub(super) fn exposure(config: &Config, address: SocketAddr) {
    if address.ip().is_loopback() {
        return;
    }
    let address = address.to_string();
    if config.tokens_file.is_none() {
        tracing::warn!(
            address,
            "listening beyond loopback without tokens: every client that reaches it may do \
             everything"
        );
    }
    if config.tls_cert.is_none() {
        tracing::warn!(
            address,
            "listening beyond loopback without TLS: tokens and orders can be read and changed on \
             their way; set tls.cert and tls.key, or let only a proxy that ends TLS reach it"
        );
    }
}

/// A server that is told of a cluster and replicates nothing writes by itself: two of them would
/// sell the same units.
pub(super) fn cluster(config: &Config) {
    let cluster = &config.cluster;
    if config.replication.mode != ReplicationMode::Off {
        return;
    }
    if cluster.node.is_some() || cluster.nodes.is_some() || cluster.arbiter.is_some() {
        tracing::warn!(
            "replication.mode is off: this server replicates nothing and asks no arbiter, it writes \
             alone; its cluster settings are for doorbusterctl"
        );
    }
}

/// What the server makes is its own user's; what was there before may not be.
pub(super) fn permissions(data: &Path) {
    let Ok(metadata) = fs::metadata(data) else { return };
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    // A group that another owner gave access to is how this process comes in.
    let open = if own { 0o077 } else { 0o007 };
    if metadata.mode() & open != 0 {
        let directory = data.display().to_string();
        let mode = format!("{:04o}", metadata.mode() & 0o7777);
        let remedy = format!("chmod -R go= {directory}");
        tracing::warn!(
            directory,
            mode,
            remedy,
            "other users of this machine can read the data directory, and in it the seeds of open \
             draws"
        );
    }
}

/// Tells how far a recovery is: to the service manager, and on a terminal.
pub(super) fn progress(clock: Clock, manager: &Manager) -> impl FnMut(Sequence) + use<> {
    let (looked_at, manager) = (io::stderr().is_terminal(), manager.clone());
    manager.starting("recovering", PATIENCE_MS);
    let mut told_ms = clock.elapsed_ms();
    move |sequence| {
        let now_ms = clock.elapsed_ms();
        if now_ms < told_ms + PROGRESS_MS {
            return;
        }
        told_ms = now_ms;
        manager.starting(&format!("recovering: at sequence {sequence}"), PATIENCE_MS);
        if looked_at {
            log::progress(format_args!("recovering: at sequence {sequence}"));
        }
    }
}

pub(super) fn recovery(recovered: &Recovered) {
    if let Some(dropped) = &recovered.dropped {
        tracing::warn!(
            file = dropped.file,
            offset = dropped.offset,
            bytes = dropped.bytes,
            first_sequence_lost = dropped.first_sequence_lost,
            "dropped an unfinished tail that was never synced"
        );
    }
    if let Some(lost_from) = recovered.lost_from {
        tracing::warn!(
            lost_from,
            "the last epoch answered before it synced and did not stop in order: answers from this \
             sequence on, if there were any, are lost"
        );
    }
    for snapshot in &recovered.passed_over {
        let (sequence, why) = (snapshot.sequence, snapshot.why.to_string());
        tracing::warn!(sequence, why, "passed over a snapshot");
    }
    if recovered.replayed > 0 {
        let (events, snapshot_sequence) = (recovered.replayed, recovered.snapshot_sequence);
        tracing::info!(events, snapshot_sequence, "recovered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::clock::SetClock;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_long_recovery_asks_for_more_time_once_a_second() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let told = || {
            let mut bytes = [0; 256];
            let count = socket.recv(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
        };
        let set: &'static SetClock = Box::leak(Box::default());
        let manager = Manager::at(&path.into_os_string()).unwrap();
        let mut progress = progress(Clock::set_by(set), &manager);
        let more = "EXTEND_TIMEOUT_USEC=60000000\n";
        assert_eq!(told(), Some(format!("STATUS=recovering\n{more}")));
        for (elapsed_ms, sequence, is_told) in
            [(999, 5, false), (1000, 7, true), (1999, 8, false), (2500, 9, true)]
        {
            set.set(elapsed_ms * 1000, 0);
            progress(sequence);
            let expected = format!("STATUS=recovering: at sequence {sequence}\n{more}");
            assert_eq!(told(), is_told.then_some(expected), "at {elapsed_ms}");
        }
    }
}
