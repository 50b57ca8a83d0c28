//! The settings of connections and requests. A new one is a row here and a member of
//! `HttpSettings`.
//!
//! All of them may change while the server runs. Owns only the list; what the limits do is in
//! `http/connection/limits`. Next: `table`.

use super::bounds::{DURATION, number, set};
use super::setting::{Kind, Setting};

pub(super) static HTTP: &[Setting] = &[
    Setting {
        name: "http.connections_max",
        kind: Kind::Number,
        default: "20000",
        bounds: "an integer, 1 to 1,000,000",
        meaning: "connections at most: one more takes the place of one that is idle, those first that \
                  never asked anything; where none is, a probe or an operator is answered and any \
                  other closed; read again on SIGHUP",
        take: |config, text| {
            let most = number(text, 1, 1_000_000).and_then(|most| usize::try_from(most).ok());
            set(&mut config.connections_max, most)
        },
    },
    Setting {
        name: "http.header_timeout_ms",
        kind: Kind::Number,
        default: "10000",
        bounds: DURATION,
        meaning: "a request's head must be there within this; read again on SIGHUP",
        take: |config, text| set(&mut config.header_timeout_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "http.body_timeout_ms",
        kind: Kind::Number,
        default: "10000",
        bounds: DURATION,
        meaning: "a request's body must be there within this; read again on SIGHUP",
        take: |config, text| set(&mut config.body_timeout_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "http.idle_ms",
        kind: Kind::Number,
        default: "75000",
        bounds: DURATION,
        meaning: "a connection without a request is closed after this; read again on SIGHUP",
        take: |config, text| set(&mut config.idle_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "http.header_bytes_max",
        kind: Kind::Number,
        default: "8192",
        bounds: "bytes, 8,192 to 65,536",
        meaning: "request line and headers together, the line at most half of it; more is 431; read again on SIGHUP",
        take: |config, text| {
            set(
                &mut config.http.header_bytes_max,
                number(text, 8_192, 65_536).and_then(|most| usize::try_from(most).ok()),
            )
        },
    },
    Setting {
        name: "http.headers_max",
        kind: Kind::Number,
        default: "64",
        bounds: "an integer, 16 to 1,000",
        meaning: "header lines; more is 431; read again on SIGHUP",
        take: |config, text| {
            set(
                &mut config.http.headers_max,
                number(text, 16, 1_000).and_then(|most| usize::try_from(most).ok()),
            )
        },
    },
    Setting {
        name: "http.uri_bytes_max",
        kind: Kind::Number,
        default: "2048",
        bounds: "bytes, 512 to 4,096",
        meaning: "a request target; longer is 414; read again on SIGHUP",
        take: |config, text| {
            set(
                &mut config.http.uri_bytes_max,
                number(text, 512, 4_096).and_then(|most| usize::try_from(most).ok()),
            )
        },
    },
    Setting {
        name: "http.body_bytes_max",
        kind: Kind::Number,
        default: "65536",
        bounds: "bytes, 1,024 to 65,536",
        meaning: "a body but that of a batch; longer is 413; read again on SIGHUP",
        take: |config, text| {
            set(
                &mut config.http.body_bytes_max,
                number(text, 1_024, 65_536).and_then(|most| usize::try_from(most).ok()),
            )
        },
    },
    Setting {
        name: "http.batch_timeout_ms",
        kind: Kind::Number,
        default: "60000",
        bounds: DURATION,
        meaning: "a batch must have come whole within this; read again on SIGHUP",
        take: |config, text| set(&mut config.http.batch_timeout_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "http.write_timeout_ms",
        kind: Kind::Number,
        default: "10000",
        bounds: DURATION,
        meaning: "a client must take some of what is written to it within this; read again on SIGHUP",
        take: |config, text| set(&mut config.http.write_timeout_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "http.lifetime_ms",
        kind: Kind::Number,
        default: "3600000",
        bounds: "milliseconds, 1 to 86,400,000",
        meaning: "after this, a tenth more or less, the next answer of a connection is its last; streams go on; read again on SIGHUP",
        take: |config, text| set(&mut config.http.lifetime_ms, number(text, 1, 86_400_000)),
    },
    Setting {
        name: "http.idle_grace_ms",
        kind: Kind::Number,
        default: "10000",
        bounds: DURATION,
        meaning: "a connection at the end of its life is closed after this without a request; read again on SIGHUP",
        take: |config, text| set(&mut config.http.idle_grace_ms, number(text, 1, 3_600_000)),
    },
    Setting {
        name: "http.requests_max",
        kind: Kind::Number,
        default: "0",
        bounds: "an integer, 0 (no limit) to 1,000,000,000",
        meaning: "a connection ends after so many requests; read again on SIGHUP",
        take: |config, text| set(&mut config.http.requests_max, number(text, 0, 1_000_000_000)),
    },
];
