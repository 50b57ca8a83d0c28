//! The list of all settings. A new one is a row here and a member of `Config`.

use super::admission::AdmissionSettings;
use super::bounds::{DURATION, FILE, file, flag, number, set};
use super::listen::Listen;
use super::setting::{Kind, Setting};
use super::values::{
    ClusterSettings, Config, Durability, HttpSettings, LogFormat, LogLevel, LogSettings,
    ReplicationSettings, Wait,
};
use super::{table_admission, table_cluster, table_http, table_log, table_replication};
use crate::domain::model::ids::HOLD_MS_END;
use crate::domain::model::settings::Settings;
use doorbuster_journal::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use doorbuster_snapshots::{KEPT_SNAPSHOTS_MIN, Keep};
use std::net::{Ipv4Addr, SocketAddr};

pub(super) fn find(name: &str) -> Option<&'static Setting> {
    settings().find(|entry| entry.name == name)
}

/// A configuration that `Sources` fills with the defaults of the table before it hands it out.
pub(super) fn blank() -> Config {
    Config {
        data: "".into(),
        listen: Listen::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        durability: Durability::Group,
        io_threads: 0,
        wait: Wait::Park,
        timed: true,
        accept_clock: false,
        insecure: false,
        core_dumps: false,
        tokens_file: None,
        tls_cert: None,
        tls_key: None,
        handshake_timeout_ms: 0,
        handshakes_max: 0,
        segment_bytes: 0,
        refusals_full: false,
        journal_retain_ms: 0,
        snapshot_events: 0,
        snapshot_every_ms: 0,
        snapshot_keep: Keep::All,
        ballast_bytes: 0,
        connections_max: 0,
        header_timeout_ms: 0,
        body_timeout_ms: 0,
        idle_ms: 0,
        http: HttpSettings::default(),
        stall_ms: 0,
        drain_delay_ms: 0,
        drain_ms: 0,
        admission: AdmissionSettings::default(),
        log: LogSettings { format: LogFormat::Text, level: LogLevel::Info },
        cluster: ClusterSettings::default(),
        replication: ReplicationSettings::default(),
        rules: Settings::default(),
    }
}

fn durability(text: &str) -> Option<Durability> {
    match text {
        "group" => Some(Durability::Group),
        "os" => Some(Durability::Os),
        _ => Some(Durability::Interval(number(text.strip_prefix("interval:")?, 1, 60_000)?)),
    }
}

/// All cores but the writer's.
fn io_threads(text: &str) -> Option<u16> {
    if text != "auto" {
        return number(text, 1, 64).and_then(|count| u16::try_from(count).ok());
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u16::try_from(cores.saturating_sub(1).clamp(1, 8)).ok()
}

fn keep(text: &str) -> Option<Keep> {
    if text == "all" {
        return Some(Keep::All);
    }
    number(text, KEPT_SNAPSHOTS_MIN as u64, 1000)
        .and_then(|count| usize::try_from(count).ok())
        .map(Keep::Newest)
}

const YEAR_MS: u64 = 366 * 24 * 60 * 60 * 1000;
const CAP_MAX: u64 = 1 << 30;

fn cap(place: &mut u32, text: &str) -> Option<()> {
    set(place, number(text, 1, CAP_MAX).and_then(|cap| u32::try_from(cap).ok()))
}

const CAP: &str = "an integer, 1 to 1,073,741,824";
/// All settings but those of `table_http`, `table_log` and `admission`, those of daily use first.
pub(super) static COMMON: &[Setting] = &[
    Setting {
        name: "data",
        kind: Kind::Text,
        default: "./data",
        bounds: "a directory",
        meaning: "where journal and snapshots are kept",
        take: |config, text| set(&mut config.data, (!text.is_empty()).then(|| text.into())),
    },
    Setting {
        name: "listen",
        kind: Kind::Text,
        default: "127.0.0.1:7070",
        bounds: "an address or a host name, and a port, such as 127.0.0.1:7070 (port 0 picks one)",
        meaning: "where to listen",
        take: |config, text| set(&mut config.listen, Listen::parse(text)),
    },
    Setting {
        name: "durability",
        kind: Kind::Text,
        default: "group",
        bounds: "group, os, or interval:MS with 1 to 60,000 milliseconds",
        meaning: "when an answer may leave: after the sync, or before it",
        take: |config, text| set(&mut config.durability, durability(text)),
    },
    Setting {
        name: "io_threads",
        kind: Kind::NumberOrWord,
        default: "auto",
        bounds: "auto, or 1 to 64",
        meaning: "threads that read requests and write answers; auto = cores - 1, 1 to 8",
        take: |config, text| set(&mut config.io_threads, io_threads(text)),
    },
    Setting {
        name: "wait",
        kind: Kind::Text,
        default: "park",
        bounds: "park or spin",
        meaning: "how the writer waits for work; spin costs a core",
        take: |config, text| {
            let wait = match text {
                "park" => Some(Wait::Park),
                "spin" => Some(Wait::Spin),
                _ => None,
            };
            set(&mut config.wait, wait)
        },
    },
    Setting {
        name: "latency.timed",
        kind: Kind::Flag,
        default: "true",
        bounds: "true or false",
        meaning: "time every request for /v1/latency and /metrics; off only to measure what it costs",
        take: |config, text| set(&mut config.timed, flag(text)),
    },
    Setting {
        name: "accept_clock",
        kind: Kind::Flag,
        default: "false",
        bounds: "true or false",
        meaning: "start although the clock is far from the journal's last stamp",
        take: |config, text| set(&mut config.accept_clock, flag(text)),
    },
    Setting {
        name: "insecure",
        kind: Kind::Flag,
        default: "false",
        bounds: "true or false",
        meaning: "listen beyond loopback without tokens",
        take: |config, text| set(&mut config.insecure, flag(text)),
    },
    Setting {
        name: "core_dumps",
        kind: Kind::Flag,
        default: "false",
        bounds: "true or false",
        meaning: "let cores be dumped as the system allows; they hold tokens and keys",
        take: |config, text| set(&mut config.core_dumps, flag(text)),
    },
    Setting {
        name: "auth.tokens_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "who may come in, as TOML; read again on SIGHUP",
        take: |config, text| file(&mut config.tokens_file, text),
    },
    Setting {
        name: "tls.cert",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "certificate chain in PEM to speak TLS with; read again on SIGHUP",
        take: |config, text| file(&mut config.tls_cert, text),
    },
    Setting {
        name: "tls.key",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "private key of tls.cert in PEM; read again on SIGHUP",
        take: |config, text| file(&mut config.tls_key, text),
    },
    Setting {
        name: "tls.handshake_timeout_ms",
        kind: Kind::Number,
        default: "5000",
        bounds: DURATION,
        meaning: "a TLS handshake must be done within this; read again on SIGHUP",
        take: |config, text| set(&mut config.handshake_timeout_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "tls.handshakes_max",
        kind: Kind::Number,
        default: "1000",
        bounds: "an integer, 1 to 100,000",
        meaning: "TLS handshakes at a time, each from its whole first message on; others wait their turn",
        take: |config, text| {
            let most = number(text, 1, 100_000).and_then(|most| usize::try_from(most).ok());
            set(&mut config.handshakes_max, most)
        },
    },
    Setting {
        name: "hold_ms_default",
        kind: Kind::Number,
        default: "300000",
        bounds: "milliseconds, 1 to 2,592,000,000",
        meaning: "hold of an order whose SKUs name none",
        take: |config, text| set(&mut config.rules.hold_ms_default, number(text, 1, HOLD_MS_END)),
    },
    Setting {
        name: "hold_ms_max",
        kind: Kind::Number,
        default: "1800000",
        bounds: "milliseconds, 1 to 2,592,000,000",
        meaning: "no hold is longer, whatever asks for it",
        take: |config, text| set(&mut config.rules.hold_ms_max, number(text, 1, HOLD_MS_END)),
    },
    Setting {
        name: "open_holds_per_user_max",
        kind: Kind::Number,
        default: "8",
        bounds: "an integer, 0 (no limit) to 1,000,000",
        meaning: "held orders that one user may have",
        take: |config, text| {
            let most = number(text, 0, 1_000_000).and_then(|most| u32::try_from(most).ok());
            set(&mut config.rules.open_holds_per_user_max, most)
        },
    },
    Setting {
        name: "recovery_grace_ms",
        kind: Kind::Number,
        default: "60000",
        bounds: "milliseconds, 0 to 86,400,000",
        meaning: "how long holds that fell due while the server was away live on after a start",
        take: |config, text| set(&mut config.rules.recovery_grace_ms, number(text, 0, 86_400_000)),
    },
    Setting {
        name: "idempotency.retain_ms",
        kind: Kind::Number,
        default: "86400000",
        bounds: "milliseconds, 1 to 31,622,400,000",
        meaning: "how long a keyed 2xx is remembered",
        take: |config, text| set(&mut config.rules.idempotency_retain_ms, number(text, 1, YEAR_MS)),
    },
    Setting {
        name: "orders.retain_ms",
        kind: Kind::Number,
        default: "2592000000",
        bounds: "milliseconds, 1 to 31,622,400,000, not below idempotency.retain_ms",
        meaning: "how long an order that is not held is kept after its last change",
        take: |config, text| set(&mut config.rules.orders_retain_ms, number(text, 1, YEAR_MS)),
    },
    Setting {
        name: "journal.segment_bytes",
        kind: Kind::Number,
        default: "67108864",
        bounds: "bytes, a multiple of 4,096 from 262,144 to 1,073,741,824",
        meaning: "size of a journal segment",
        take: |config, text| {
            let bytes = number(text, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
            set(&mut config.segment_bytes, bytes.filter(|bytes| bytes % 4096 == 0))
        },
    },
    Setting {
        name: "journal.stall_ms",
        kind: Kind::Number,
        default: "1000",
        bounds: DURATION,
        meaning: "while a sync takes longer than this, new orders are refused and /readyz says so",
        take: |config, text| set(&mut config.stall_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "journal.refusals",
        kind: Kind::Text,
        default: "counted",
        bounds: "counted or full",
        meaning: "refusals are journaled as counts, or each whole for `doorbusterctl explain` (more \
                  disk, see bench/README.md); read again on SIGHUP",
        take: |config, text| {
            let full = match text {
                "counted" => Some(false),
                "full" => Some(true),
                _ => None,
            };
            set(&mut config.refusals_full, full)
        },
    },
    Setting {
        name: "journal.retain_ms",
        kind: Kind::Number,
        default: "604800000",
        bounds: "milliseconds, 1 to 31,622,400,000",
        meaning: "segments are kept this long, even where snapshots make them unnecessary",
        take: |config, text| set(&mut config.journal_retain_ms, number(text, 1, YEAR_MS)),
    },
    Setting {
        name: "snapshots.every_events",
        kind: Kind::Number,
        default: "1000000",
        bounds: "an integer, 1 to 1,000,000,000",
        meaning: "a snapshot is taken after so many events",
        take: |config, text| set(&mut config.snapshot_events, number(text, 1, 1_000_000_000)),
    },
    Setting {
        name: "snapshots.every_ms",
        kind: Kind::Number,
        default: "600000",
        bounds: "milliseconds, 1,000 to 86,400,000",
        meaning: "a snapshot is taken at least this often, while anything happens",
        take: |config, text| set(&mut config.snapshot_every_ms, number(text, 1000, 86_400_000)),
    },
    Setting {
        name: "snapshots.keep",
        kind: Kind::NumberOrWord,
        default: "2",
        bounds: "all (snapshots and the whole journal), or 2 to 1,000",
        meaning: "snapshots that stay, with the journal since the oldest of them",
        take: |config, text| set(&mut config.snapshot_keep, keep(text)),
    },
    Setting {
        name: "snapshots.ballast_bytes",
        kind: Kind::Number,
        default: "67108864",
        bounds: "bytes, 0 (none) to 1,099,511,627,776",
        meaning: "room held back, to be given up for a snapshot when the disk is full",
        take: |config, text| set(&mut config.ballast_bytes, number(text, 0, 1 << 40)),
    },
    Setting {
        name: "drain_delay_ms",
        kind: Kind::Number,
        default: "0",
        bounds: "milliseconds, 0 to 3,600,000",
        meaning: "before a stop, /readyz is 503 for so long while everything is served still",
        take: |config, text| set(&mut config.drain_delay_ms, number(text, 0, 3_600_000)),
    },
    Setting {
        name: "drain_ms",
        kind: Kind::Number,
        default: "10000",
        bounds: DURATION,
        meaning: "a stop waits this long for requests under way",
        take: |config, text| set(&mut config.drain_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "caps.skus",
        kind: Kind::Number,
        default: "100000",
        bounds: CAP,
        meaning: "SKUs, deleted ones that orders still name included",
        take: |config, text| cap(&mut config.rules.caps.skus, text),
    },
    Setting {
        name: "caps.orders",
        kind: Kind::Number,
        default: "10000000",
        bounds: CAP,
        meaning: "kept orders in any status",
        take: |config, text| cap(&mut config.rules.caps.orders, text),
    },
    Setting {
        name: "caps.keys",
        kind: Kind::Number,
        default: "10000000",
        bounds: CAP,
        meaning: "remembered idempotency keys",
        take: |config, text| cap(&mut config.rules.caps.keys, text),
    },
    Setting {
        name: "caps.answers",
        kind: Kind::Number,
        default: "100000",
        bounds: CAP,
        meaning: "remembered answers that are not an order, kept whole",
        take: |config, text| cap(&mut config.rules.caps.answers, text),
    },
    Setting {
        name: "caps.uses",
        kind: Kind::Number,
        default: "10000000",
        bounds: CAP,
        meaning: "pairs of user and SKU with units in use",
        take: |config, text| cap(&mut config.rules.caps.uses, text),
    },
    Setting {
        name: "caps.users",
        kind: Kind::Number,
        default: "10000000",
        bounds: CAP,
        meaning: "users with an order or a use",
        take: |config, text| cap(&mut config.rules.caps.users, text),
    },
    Setting {
        name: "caps.draws",
        kind: Kind::Number,
        default: "10000",
        bounds: CAP,
        meaning: "draws, deleted ones whose entries are still kept included",
        take: |config, text| cap(&mut config.rules.caps.draws, text),
    },
    Setting {
        name: "caps.entries",
        kind: Kind::Number,
        default: "10000000",
        bounds: CAP,
        meaning: "entries of all draws",
        take: |config, text| cap(&mut config.rules.caps.entries, text),
    },
];

/// Every setting there is.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    let further = table_http::HTTP.iter().chain(table_admission::ADMISSION).chain(table_log::LOG);
    let further = further.chain(table_cluster::CLUSTER).chain(table_replication::REPLICATION);
    COMMON.iter().chain(further)
}
