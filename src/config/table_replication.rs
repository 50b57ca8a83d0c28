//! The settings of replication: what an answer waits for, how long nodes wait for one another, and how
//! they know one another.
//!
//! Next: `relations_cluster` for which of them go together, and `cluster` for what they mean.

use super::bounds::{DURATION, FILE, file, number, set};
use super::listen::Listen;
use super::setting::{Kind, Setting};
use super::values::{ReplicationMode, WhenAlone};
use crate::cluster::node::NODES_MAX;

fn mode(text: &str) -> Option<ReplicationMode> {
    match text {
        "off" => Some(ReplicationMode::Off),
        "sync" => Some(ReplicationMode::Sync),
        "async" => Some(ReplicationMode::Async),
        _ => None,
    }
}

fn when_alone(text: &str) -> Option<WhenAlone> {
    match text {
        "serve" => Some(WhenAlone::Serve),
        "refuse" => Some(WhenAlone::Refuse),
        _ => None,
    }
}

fn duration(place: &mut u64, text: &str) -> Option<()> {
    set(place, number(text, 1, 3_600_000))
}

const MIB: u64 = 1 << 20;

pub(super) static REPLICATION: &[Setting] = &[
    Setting {
        name: "replication.mode",
        kind: Kind::Text,
        default: "off",
        bounds: "off, sync or async",
        meaning: "what an answer waits for besides this disk: nothing, the copies that count, or \
                  nothing while copies follow",
        take: |config, text| set(&mut config.replication.mode, mode(text)),
    },
    Setting {
        name: "replication.copies",
        kind: Kind::Number,
        default: "2",
        bounds: "an integer, 1 to 16, not above the number of cluster.nodes",
        meaning: "how many disks an answer waits for, the own included",
        take: |config, text| {
            let copies = number(text, 1, NODES_MAX as u64);
            set(&mut config.replication.copies, copies.and_then(|copies| copies.try_into().ok()))
        },
    },
    Setting {
        name: "cluster.listen",
        kind: Kind::Text,
        default: "",
        bounds: "an address or a host name, and a port, or empty for the own one of cluster.nodes",
        meaning: "where this node listens for the others",
        take: |config, text| {
            let listen = if text.is_empty() { Some(None) } else { Listen::parse(text).map(Some) };
            set(&mut config.replication.listen, listen)
        },
    },
    Setting {
        name: "cluster.when_alone",
        kind: Kind::Text,
        default: "serve",
        bounds: "serve or refuse",
        meaning: "what a writer does whose last copy is gone: go on, or refuse new orders",
        take: |config, text| set(&mut config.replication.when_alone, when_alone(text)),
    },
    Setting {
        name: "cluster.lease_ms",
        kind: Kind::Number,
        default: "500",
        bounds: DURATION,
        meaning: "a writer answers reads for so long after it sent what all copies acknowledged",
        take: |config, text| duration(&mut config.replication.lease_ms, text),
    },
    Setting {
        name: "cluster.silence_ms",
        kind: Kind::Number,
        default: "1000",
        bounds: "milliseconds, 1 to 3,600,000, not below twice cluster.lease_ms",
        meaning: "a copy in sync claims to be the writer after so much silence",
        take: |config, text| duration(&mut config.replication.silence_ms, text),
    },
    Setting {
        name: "cluster.lag_ms",
        kind: Kind::Number,
        default: "1000",
        bounds: DURATION,
        meaning: "a copy that acknowledges nothing for so long is no longer waited for",
        take: |config, text| duration(&mut config.replication.lag_ms, text),
    },
    Setting {
        name: "cluster.beat_ms",
        kind: Kind::Number,
        default: "100",
        bounds: "milliseconds, 1 to 3,600,000, not above half of cluster.lease_ms",
        meaning: "a writer shows itself to its copies so often",
        take: |config, text| duration(&mut config.replication.beat_ms, text),
    },
    Setting {
        name: "cluster.unsettled_bytes_max",
        kind: Kind::Number,
        default: "67108864",
        bounds: "bytes, 1,048,576 to 17,179,869,184",
        meaning: "beyond so much that copies do not have yet, new orders are refused",
        take: |config, text| {
            set(&mut config.replication.unsettled_bytes_max, number(text, MIB, 16 << 30))
        },
    },
    Setting {
        name: "cluster.bootstrap_bytes_per_s",
        kind: Kind::Number,
        default: "64000000",
        bounds: "bytes a second, 1,048,576 to 17,179,869,184",
        meaning: "how fast a writer fills an empty node",
        take: |config, text| {
            set(&mut config.replication.bootstrap_bytes_per_s, number(text, MIB, 16 << 30))
        },
    },
    Setting {
        name: "cluster.clock_skew_ms_max",
        kind: Kind::Number,
        default: "5000",
        bounds: DURATION,
        meaning: "a copy whose clock is further from the writer's does not claim, and says so",
        take: |config, text| duration(&mut config.replication.clock_skew_ms_max, text),
    },
    Setting {
        name: "cluster.tls_cert_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "certificate chain in PEM that this node shows to the others",
        take: |config, text| file(&mut config.replication.tls_cert, text),
    },
    Setting {
        name: "cluster.tls_key_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "private key of cluster.tls_cert_file in PEM",
        take: |config, text| file(&mut config.replication.tls_key, text),
    },
    Setting {
        name: "cluster.tls_ca_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "certificate authorities in PEM whose certificates nodes believe of one another",
        take: |config, text| file(&mut config.replication.tls_ca, text),
    },
];
