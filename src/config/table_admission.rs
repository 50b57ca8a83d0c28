//! The list of the settings of admission. A new one is a row here and a member of
//! `AdmissionSettings`.
//!
//! All of them but the numbers of cells may change while the server runs. Owns only the list; how
//! their texts are read is in `admission`, what they do in `http/admission`. Next: `table`.

use super::admission::{CELLS, RATE, cells, host, networks, origin, rate, words};
use super::bounds::{DURATION_OR_NONE, FILE, file, number, set};
use super::setting::{Kind, Setting};
use super::values::Config;

pub(super) static ADMISSION: &[Setting] = &[
    Setting {
        name: "address.deny_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "addresses and networks (CIDR) that may not come, one a line; read again on SIGHUP",
        take: |config: &mut Config, text| file(&mut config.admission.deny_file, text),
    },
    Setting {
        name: "address.allow_file",
        kind: Kind::Text,
        default: "",
        bounds: FILE,
        meaning: "the only addresses and networks (CIDR) that may come, one a line; read again on \
                  SIGHUP",
        take: |config, text| file(&mut config.admission.allow_file, text),
    },
    Setting {
        name: "address.trusted_proxies",
        kind: Kind::Text,
        default: "",
        bounds: "addresses and networks (CIDR) with commas between them, at most 1,000",
        meaning: "proxies whose X-Forwarded-For is believed, and whose PROXY header is, where \
                  address.proxy_protocol is on; read again on SIGHUP",
        take: |config, text| set(&mut config.admission.trusted_proxies, networks(text)),
    },
    Setting {
        name: "address.proxy_protocol",
        kind: Kind::Text,
        default: "off",
        bounds: "off or on",
        meaning: "each connection of a trusted proxy begins with a header of the PROXY protocol, \
                  version 1 or 2; read again on SIGHUP",
        take: |config, text| {
            let on = match text {
                "on" => Some(true),
                "off" => Some(false),
                _ => None,
            };
            set(&mut config.admission.proxy_protocol, on)
        },
    },
    Setting {
        name: "http.origins",
        kind: Kind::Text,
        default: "",
        bounds: "origins as browsers write them, like https://shop.example or \
                 http://127.0.0.1:8080, with commas between them, at most 100",
        meaning: "pages of other origins that may ask through a browser (CORS); read again on \
                  SIGHUP",
        take: |config, text| {
            let origins = words(text).and_then(|words| words.map(origin).collect());
            set(&mut config.admission.origins, origins)
        },
    },
    Setting {
        name: "http.hosts",
        kind: Kind::Text,
        default: "",
        bounds: "names or addresses without ports, with commas between them, at most 100",
        meaning: "without tokens: what a Host may name beside loopback; read again on SIGHUP",
        take: |config, text| {
            let hosts = words(text).and_then(|words| words.map(host).collect());
            set(&mut config.admission.hosts, hosts)
        },
    },
    Setting {
        name: "http.connections_per_address_max",
        kind: Kind::NumberOrWord,
        default: "quarter",
        bounds: "quarter (of http.connections_max), 0 (no limit), or 1 to 1,000,000",
        meaning: "connections of one address (IPv6: one /64), trusted proxies apart; with quarter \
                  loopback apart, too; read again on SIGHUP",
        take: |config, text| {
            let most = match text {
                "quarter" => Some(None),
                _ => number(text, 0, 1_000_000).and_then(|most| u32::try_from(most).ok()).map(Some),
            };
            set(&mut config.admission.connections_per_address_max, most)
        },
    },
    Setting {
        name: "rate.principal",
        kind: Kind::Text,
        default: "",
        bounds: RATE,
        meaning: "requests of one principal; read again on SIGHUP",
        take: |config, text| rate(&mut config.admission.per_principal, text),
    },
    Setting {
        name: "rate.user",
        kind: Kind::Text,
        default: "",
        bounds: RATE,
        meaning: "orders, entries and lists of one user; read again on SIGHUP",
        take: |config, text| rate(&mut config.admission.per_user, text),
    },
    Setting {
        name: "rate.address",
        kind: Kind::Text,
        default: "",
        bounds: RATE,
        meaning: "requests of one address (IPv6: one /64), whoever asks: each head but that of a \
                  probe, and once more what fails authentication or shape; read again on SIGHUP",
        take: |config, text| rate(&mut config.admission.per_address, text),
    },
    Setting {
        name: "rate.user_cells",
        kind: Kind::Number,
        default: "1048576",
        bounds: CELLS,
        meaning: "buckets of users: in a crowd of more, debts are forgotten; 17 bytes each, where \
                  rate.user is set",
        take: |config, text| set(&mut config.admission.user_cells, cells(text)),
    },
    Setting {
        name: "rate.address_cells",
        kind: Kind::Number,
        default: "1048576",
        bounds: CELLS,
        meaning: "buckets of addresses: in a crowd of more, debts are forgotten; 17 bytes each, \
                  where rate.address is set",
        take: |config, text| set(&mut config.admission.address_cells, cells(text)),
    },
    Setting {
        name: "overload.wait_ms_max",
        kind: Kind::Number,
        default: "100",
        bounds: DURATION_OR_NONE,
        meaning: "orders and lists are shed while they would wait longer than this beyond the syncs \
                  that all share; read again on SIGHUP",
        take: |config, text| set(&mut config.admission.wait_ms_max, number(text, 0, 3_600_000)),
    },
];
